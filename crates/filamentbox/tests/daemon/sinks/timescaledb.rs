//! PostgreSQL and TimescaleDB: tables of ours and of others, rights, refused values, and a real TimescaleDB.

mod ssl_mode;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use filamentbox::sinks::{self, Finding, Sink, SinkError, SinkKind};
use filamentbox_core::sample::Point;
use filamentbox_core::units::RelativeHumidity;

use crate::support::{PostgresServer, Server as _, TimescaleServer, psql, wait_until};

use super::{all_stored, assert_same, labels, open, points, settings};

fn timescale() -> &'static SinkKind {
    sinks::find("timescaledb").expect("a kind")
}

fn sink(server: &PostgresServer, changes: &[(&str, &str)]) -> Box<dyn Sink> {
    open(timescale(), &settings(&server.settings(), changes))
}

/// The reason of an error that asks for a change.
#[track_caller]
fn misconfigured(error: SinkError) -> String {
    assert!(matches!(error, SinkError::Misconfigured { .. }), "{error:?}");
    error.to_string()
}

/// The SQL that a reason ends with.
#[track_caller]
fn remedy<'a>(reason: &'a str, start: &str) -> &'a str {
    let at = reason.find(start).unwrap_or_else(|| panic!("no {start} in {reason}"));
    &reason[at..=reason.rfind(';').expect("an end")]
}

const COLUMNS: &str = "time timestamptz, tags jsonb, temperature_c float8, temperature_f float8, humidity float8, pressure float8, \
                       dew_point_c float8, absolute_humidity float8, heater_on float8, fan_on float8";

#[tokio::test]
async fn a_real_timescaledb_gets_a_hypertable_and_each_point_once() {
    let Some(server) = TimescaleServer::start() else { return };
    let mut sink = open(timescale(), &settings(&server.settings(), &[]));
    assert_eq!(sink.test().await.may_write, Finding::Yes);
    let points = points(0..600);
    for batch in points.chunks(250) {
        sink.write(batch).await.expect("accepted");
    }
    sink.write(&points[100..400]).await.expect("a re-send is accepted");
    sink.close().await.expect("closes");
    let hypertables = "SELECT hypertable_name, num_chunks > 0 FROM timescaledb_information.hypertables";
    assert_eq!(server.query(hypertables), "environment_data|t");
    assert_same(&server.rows("environment_data"), &all_stored(&points), "sent twice, there once");
    let health = sink.test().await;
    assert_eq!(health.may_write, Finding::Yes, "{health:?}");
    assert!(health.version.as_deref().is_some_and(|version| version.contains(", TimescaleDB 2.")), "{health:?}");
    let labels = labels(&[("area", "attic")], false);
    let mut other = (timescale().open)(&settings(&server.settings(), &[]), &labels).expect("opens");
    other.write(&points[..10]).await.expect("another series at the same times");
    other.close().await.expect("closes");
    assert_eq!(server.query("SELECT count(*) FROM environment_data"), "610");
}

#[tokio::test]
async fn database_test_says_everything_and_changes_nothing() {
    let Some(server) = PostgresServer::start() else { return };
    let health = sink(&server, &[]).test().await;
    assert!(health.is_good() && health.authenticated == Finding::Yes, "{health:?}");
    let version = server.query("SHOW server_version").split(' ').next().map(|number| format!("PostgreSQL {number}"));
    assert_eq!(health.version, version);
    assert!(health.clock_ahead_ms.is_some_and(|ms| ms.abs() < 5_000), "the same clock: {health:?}");
    assert_eq!(server.query("SELECT to_regclass('environment_data')"), "", "nothing is created");
    let no = |finding: &Finding| matches!(finding, Finding::No(_));
    let wrong = sink(&server, &[("database.timescaledb.password", "wr0ng")]).test().await;
    assert!(wrong.reachable == Finding::Yes && no(&wrong.authenticated) && !wrong.is_good(), "{wrong:?}");
    let nowhere = sink(&server, &[("database.timescaledb.database", "nowhere")]).test().await;
    assert!(nowhere.authenticated == Finding::Yes && no(&nowhere.may_write), "{nowhere:?}");
    let elsewhere = sink(&server, &[("database.timescaledb.host", "127.0.0.9")]).test().await;
    assert!(no(&elsewhere.reachable) && elsewhere.authenticated == Finding::Unknown, "{elsewhere:?}");
    let mut sink = sink(&server, &[]);
    sink.write(&points(0..3)).await.expect("accepted");
    assert!(sink.test().await.is_good());
    assert_eq!(server.rows(PostgresServer::TABLE).len(), 3, "nothing is stored");
    server.query("DROP TABLE environment_data; CREATE TABLE environment_data (time timestamptz)");
    assert!(no(&sink.test().await.may_write));
    server.query("DROP TABLE environment_data; REVOKE CREATE ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO postgres");
    assert!(no(&sink.test().await.may_write), "it may not create the table");
}

#[tokio::test]
async fn a_table_of_the_owners_own_is_used_or_told_what_it_lacks() {
    let Some(server) = PostgresServer::start() else { return };
    let mut sink = sink(&server, &[("database.timescaledb.table", "Climate.Filament \"dry\"")]);
    let table = "\"Climate\".\"Filament \"\"dry\"\"\"";
    let text = misconfigured(sink.write(&points(0..3)).await.expect_err("no such schema"));
    assert!(text.contains(table) && text.contains("Climate"), "{text}");
    server.query(&format!("CREATE SCHEMA \"Climate\"; GRANT ALL ON SCHEMA \"Climate\" TO filament; CREATE TABLE {table} (note text NOT NULL)"));
    server.query(&format!("ALTER TABLE {table} OWNER TO filament"));
    let text = misconfigured(sink.write(&points(0..3)).await.expect_err("no columns"));
    assert!(text.contains("\"note\" is NOT NULL"), "{text}");
    server.query(&format!("DROP TABLE {table}; CREATE TABLE {table} (note text, temperature_c real)"));
    server.query(&format!("ALTER TABLE {table} OWNER TO filament"));
    let text = misconfigured(sink.write(&points(0..3)).await.expect_err("no columns"));
    server.query(remedy(&text, "ALTER TABLE"));
    sink.write(&points(0..3)).await.expect("accepted after what the reason says");
    assert_eq!(server.query(&format!("SELECT count(*), count(humidity), count(note) FROM {table}")), "3|3|0");
}

#[tokio::test]
async fn a_table_without_the_unique_index_is_told_so() {
    let Some(server) = PostgresServer::start() else { return };
    server.query(&format!(
        "CREATE TABLE environment_data ({COLUMNS}); GRANT INSERT, SELECT ON environment_data TO filament"
    ));
    let mut sink = sink(&server, &[]);
    for index in ["", "CREATE UNIQUE INDEX ON environment_data (time)", "CREATE INDEX ON environment_data (time, tags)"]
    {
        server.query(index);
        let text = misconfigured(sink.write(&points(0..3)).await.expect_err("a re-send would store twice"));
        assert_eq!(remedy(&text, "CREATE"), "CREATE UNIQUE INDEX ON \"environment_data\" (time, tags);");
        assert_eq!(server.query("SELECT count(*) FROM environment_data"), "0");
    }
    server.query("CREATE UNIQUE INDEX ON environment_data (tags, time)");
    sink.write(&points(0..3)).await.expect("accepted");
}

#[tokio::test]
async fn a_column_without_a_value_of_ours_is_the_tables_fault() {
    let Some(server) = PostgresServer::start() else { return };
    server.query(&format!("CREATE TABLE environment_data ({COLUMNS}, owner text NOT NULL, UNIQUE (time, tags))"));
    server.query("GRANT INSERT, SELECT ON environment_data TO filament");
    let mut sink = sink(&server, &[]);
    let text = misconfigured(sink.write(&points(0..3)).await.expect_err("no owner"));
    assert!(text.contains("DROP NOT NULL"), "{text}");
    server.query("ALTER TABLE environment_data ALTER COLUMN owner SET DEFAULT 'me'");
    sink.write(&points(0..3)).await.expect("accepted");
    server.query("ALTER TABLE environment_data ALTER COLUMN owner DROP DEFAULT");
    let text = misconfigured(sink.write(&points(3..6)).await.expect_err("no owner, by an open connection"));
    assert!(text.contains("23502") && text.contains("\"owner\" DROP NOT NULL"), "{text}");
    assert_eq!(server.query("SELECT count(*), min(owner), max(owner) FROM environment_data"), "3|me|me");
}

#[tokio::test]
async fn the_least_rights_are_enough_and_fewer_are_told() {
    let Some(server) = PostgresServer::start() else { return };
    server.query("CREATE USER writer PASSWORD 'wr1ter'; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let mut sink =
        sink(&server, &[("database.timescaledb.username", "writer"), ("database.timescaledb.password", "wr1ter")]);
    let text = misconfigured(sink.write(&points(0..3)).await.expect_err("it may not create the table"));
    let sql = remedy(&text, "CREATE TABLE").to_owned();
    server.query(sql.split_once("GRANT").expect("both").0);
    let text = misconfigured(sink.write(&points(0..3)).await.expect_err("it may not insert"));
    assert!(text.contains("42501"), "{text}");
    server.query(remedy(&text, "GRANT"));
    sink.write(&points(0..3)).await.expect("accepted");
    sink.write(&points(0..5)).await.expect("a re-send is accepted");
    assert_same(&server.rows(PostgresServer::TABLE), &all_stored(&points(0..5)), "once");
    assert!(sink.test().await.is_good());
}

#[tokio::test]
async fn a_refused_row_is_the_rows_fault() {
    let Some(server) = PostgresServer::start() else { return };
    let mut sink = sink(&server, &[]);
    sink.write(&points(1..2)).await.expect("the table is created");
    server.query("ALTER TABLE environment_data ADD CHECK (humidity < 90), ALTER COLUMN pressure SET NOT NULL");
    let with = |humidity: i32, index: i64| {
        let mut point: Point = points(index..index + 1).remove(0);
        point.measurement.humidity = RelativeHumidity::from_centi(humidity).expect("in range");
        point
    };
    // Every third has no pressure.
    let (good, humid, no_pressure) = (with(5000, 10), with(9500, 11), with(5000, 12));
    for (bad, code) in [(&humid, "23514"), (&no_pressure, "23502")] {
        let error = sink.write(&[good.clone(), bad.clone()]).await.expect_err("refused");
        assert!(matches!(error, SinkError::Rejected { lasting: false, .. }), "{error:?}");
        assert!(error.to_string().contains(code), "{error}");
    }
    assert_eq!(server.query("SELECT count(*) FROM environment_data"), "1", "whole or not at all");
    sink.write(&[good]).await.expect("accepted by the same sink");
    assert_eq!(server.query("SELECT count(*) FROM environment_data"), "2");
}

#[tokio::test]
async fn one_connection_serves_until_the_sink_ends() {
    let Some(server) = PostgresServer::start() else { return };
    let backends = || server.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'filamentbox'");
    let mut sink = sink(&server, &[]);
    sink.write(&points(0..3)).await.expect("accepted");
    let first = backends();
    assert_eq!(first.lines().count(), 1, "{first}");
    sink.write(&points(3..6)).await.expect("accepted");
    assert_eq!(backends(), first);
    server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'filamentbox'");
    tokio::time::sleep(Duration::from_millis(100)).await;
    sink.write(&points(6..9)).await.expect("an ended connection is noticed before it is used");
    assert_ne!(backends(), first);
    drop(sink);
    tokio::task::yield_now().await;
    wait_until("the end of the connection", || backends().is_empty());
}

#[tokio::test]
async fn a_table_that_was_dropped_is_created_again() {
    let Some(server) = PostgresServer::start() else { return };
    let mut sink = sink(&server, &[]);
    sink.write(&points(0..3)).await.expect("accepted");
    server.query("DROP TABLE environment_data");
    let error = sink.write(&points(3..6)).await.expect_err("no table");
    assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
    sink.write(&points(3..6)).await.expect("accepted");
    assert_same(&server.rows(PostgresServer::TABLE), &all_stored(&points(3..6)), "the new table");
}

#[tokio::test]
async fn a_write_given_up_midway_does_no_harm() {
    let Some(server) = PostgresServer::start() else { return };
    let mut sink = sink(&server, &[]);
    sink.write(&points(0..3)).await.expect("accepted");
    let socket = server.socket("postgres", PostgresServer::DATABASE);
    let lock = "SET application_name = 'locker'; BEGIN; LOCK TABLE environment_data; SELECT pg_sleep(600)";
    let locker = std::thread::spawn(move || psql(&socket, lock));
    let held = "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE application_name = 'locker' AND mode = 'AccessExclusiveLock'";
    wait_until("the lock", || server.query(held).starts_with('1'));
    let waiting = tokio::time::timeout(Duration::from_millis(200), sink.write(&points(0..6))).await;
    assert!(waiting.is_err(), "the table is locked");
    server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'locker'");
    locker.join().expect("no panic").expect_err("terminated");
    sink.write(&points(0..9)).await.expect("accepted by the same sink");
    assert_same(&server.rows(PostgresServer::TABLE), &all_stored(&points(0..9)), "once");
}

#[tokio::test]
async fn a_read_only_server_is_tried_again() {
    let Some(server) = PostgresServer::start() else { return };
    let mut sink = sink(&server, &[]);
    sink.write(&points(0..3)).await.expect("accepted");
    server.query("ALTER USER filament SET default_transaction_read_only = on");
    sink.close().await.expect("closes");
    let error = sink.write(&points(3..6)).await.expect_err("read-only");
    assert!(matches!(error, SinkError::Retry { .. }) && error.to_string().contains("25006"), "{error:?}");
    assert!(!sink.test().await.is_good());
    server.query("ALTER USER filament RESET default_transaction_read_only");
    sink.write(&points(3..6)).await.expect("accepted, by a new connection");
}

#[tokio::test]
async fn every_way_to_log_in_works_or_is_named() {
    let Some(mut server) = PostgresServer::start() else { return };
    let missing = [("database.timescaledb.password", "")];
    let text = misconfigured(sink(&server, &missing).write(&points(0..3)).await.expect_err("no password"));
    assert!(text.contains("password missing"), "{text}");
    let folder = server.path("").display().to_string();
    let mut by_socket =
        sink(&server, &[("database.timescaledb.host", &folder), ("database.timescaledb.ssl_mode", "verify-full")]);
    by_socket.write(&points(0..3)).await.expect("accepted by the Unix socket, which needs no TLS");
    server.query("SET password_encryption = 'md5'; ALTER USER filament PASSWORD 'old'");
    server.configure("host all all 127.0.0.1/32 md5", "");
    sink(&server, &[("database.timescaledb.password", "old")]).write(&points(3..6)).await.expect("accepted with MD5");
    let nowhere = [("database.timescaledb.password", "old"), ("database.timescaledb.database", "no\"where")];
    let text = misconfigured(sink(&server, &nowhere).write(&points(0..3)).await.expect_err("no such database"));
    assert!(text.contains("3D000") && text.contains("CREATE DATABASE \"no\"\"where\""), "{text}");
    server.configure("host all all 127.0.0.1/32 ident", "");
    let text = misconfigured(sink(&server, &[]).write(&points(0..3)).await.expect_err("no ident server"));
    assert!(text.contains("28000") && text.contains("pg_hba.conf"), "{text}");
    assert_eq!(server.rows(PostgresServer::TABLE).len(), 6);
}

/// Answers every connection with `answer`, and then waits; its address.
fn double(answer: &'static [u8]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let mut bytes = [0; 512];
                // The peer may be gone already.
                let _read = stream.read(&mut bytes).and_then(|_| stream.write_all(answer));
                let _read = stream.read(&mut bytes);
                let _read = stream.read(&mut bytes);
            });
        }
    });
    address
}

#[tokio::test]
async fn what_is_no_postgresql_is_told_or_tried_again() {
    for (answer, mode, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "require", "does not answer the request for TLS"),
        (b"N", "require", "has no TLS"),
        (b"Snonsense", "require", "no TLS with PostgreSQL"),
        (b"", "require", "no answer in time"),
        (b"", "disable", "no answer in time"),
    ] {
        let address = double(answer);
        let values = [
            ("database.timescaledb.host", "127.0.0.1"),
            ("database.timescaledb.port", &address.port().to_string()),
            ("database.timescaledb.database", "d"),
            ("database.timescaledb.username", "u"),
            ("database.timescaledb.password", "s3cret"),
            ("database.timescaledb.ssl_mode", mode),
        ];
        let error = open(timescale(), &settings(&[], &values)).write(&points(0..3)).await.expect_err("no PostgreSQL");
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains(&address.to_string()), "{mode}, {answer:?}: {text}");
        let retried = matches!(error, SinkError::Retry { .. });
        assert_eq!(retried, mode == "disable" || answer.is_empty(), "{mode}, {answer:?}: {error:?}");
    }
}
