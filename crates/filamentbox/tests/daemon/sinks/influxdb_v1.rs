//! InfluxDB 1.x: databases, rights, retention policies.

use std::time::{SystemTime, UNIX_EPOCH};

use filamentbox::sinks::{self, SinkError, SinkKind};
use filamentbox_core::sample::Point;
use filamentbox_core::time::UnixTime;

use crate::support::{Fault, FaultServer, InfluxServer, PASSWORD, Server as _, USERNAME};

use super::{all_stored, assert_same, bare_settings, open, points, settings};

fn influx() -> &'static SinkKind {
    sinks::find("influxdb_v1").expect("a kind")
}

#[tokio::test]
async fn influxdb_creates_a_missing_database_when_the_user_may() {
    let Some(server) = InfluxServer::start() else { return };
    server.query("CREATE USER root2 WITH PASSWORD 'r00t' WITH ALL PRIVILEGES");
    let name = r#"we"ird näme;"#;
    let changes = [
        ("database.influxdb_v1.username", "root2"),
        ("database.influxdb_v1.password", "r00t"),
        ("database.influxdb_v1.database", name),
    ];
    let mut sink = open(influx(), &settings(&server.settings(), &changes));
    sink.write(&points(0..3)).await.expect("created and accepted");
    assert!(server.query("SHOW DATABASES").to_string().contains(r#"we\"ird näme;"#));
    server.query(r#"DROP DATABASE "we\"ird näme;""#);
    sink.write(&points(0..3)).await.expect("created again, in a new episode");
}

#[tokio::test]
async fn influxdb_says_what_a_user_without_rights_can_do() {
    let Some(server) = InfluxServer::start() else { return };
    let mut sink = open(influx(), &settings(&server.settings(), &[("database.influxdb_v1.database", "other")]));
    for _try in 0..2 {
        let error = sink.write(&points(0..3)).await.expect_err("not allowed");
        assert!(matches!(error, SinkError::Misconfigured { .. }), "{error:?}");
        assert!(error.to_string().contains("other"), "{error}");
    }
    server.query("CREATE DATABASE other");
    server.query(&format!("GRANT WRITE ON other TO {}", USERNAME));
    sink.write(&points(0..3)).await.expect("accepted once it may");
}

#[tokio::test]
async fn influxdb_tries_to_create_a_database_once_an_episode() {
    let missing = || Fault::Answer(404, "", "{\"error\":\"database not found: \\\"filament\\\"\"}".to_owned());
    let denied = Fault::Answer(403, "", "{\"error\":\"not authorized\"}".to_owned());
    let created = || Fault::Answer(200, "", "{\"results\":[{\"statement_id\":0}]}".to_owned());
    let script = [
        // Refused; not tried again ...
        missing(),
        denied,
        missing(),
        missing(),
        // ... until a write was accepted. Then a server in trouble is asked again.
        Fault::Accept,
        missing(),
        Fault::Answer(503, "", String::new()),
        missing(),
        created(),
        Fault::Accept,
        // Created and still not there.
        missing(),
        created(),
        missing(),
    ];
    let double = FaultServer::start(script);
    let mut sink = open(influx(), &bare_settings(influx(), &double.url(), &[]));
    let mut outcomes = Vec::new();
    for _try in 0..6 {
        outcomes.push(match sink.write(&points(0..1)).await {
            Ok(()) => "accepted".to_owned(),
            Err(error @ SinkError::Misconfigured { .. }) => {
                assert!(error.to_string().contains("CREATE DATABASE \"filament\""), "{error}");
                "misconfigured".to_owned()
            }
            Err(SinkError::Retry { .. }) => "retry".to_owned(),
            Err(other) => panic!("{other:?}"),
        });
    }
    assert_eq!(outcomes, ["misconfigured", "misconfigured", "accepted", "retry", "accepted", "misconfigured"]);
    let queries = double.requests().iter().filter(|request| request.starts_with("POST /query?")).count();
    assert_eq!(queries, 4);
}

#[tokio::test]
async fn influxdb_writes_to_the_retention_policy_or_says_that_there_is_none() {
    let Some(server) = InfluxServer::start() else { return };
    server.query("CREATE RETENTION POLICY \"long term\" ON filamentbox DURATION INF REPLICATION 1");
    let policy = |name| settings(&server.settings(), &[("database.influxdb_v1.retention_policy", name)]);
    open(influx(), &policy("long term")).write(&points(0..3)).await.expect("accepted");
    assert_eq!(server.points("environment"), [], "the default policy has nothing");
    let answer = server.query("SELECT COUNT(humidity) FROM \"long term\".environment");
    assert!(answer.to_string().contains(",3]"), "{answer}");
    let error = open(influx(), &policy("nowhere")).write(&points(0..3)).await.expect_err("no such policy");
    assert!(matches!(error, SinkError::Misconfigured { .. }), "{error:?}");
    assert!(error.to_string().contains("no retention policy \"nowhere\""), "{error}");
}

#[tokio::test]
async fn influxdb_keeps_what_it_accepted_when_it_is_killed() {
    let Some(mut server) = InfluxServer::start() else { return };
    let mut sink = open(influx(), &settings(&server.settings(), &[]));
    let points = points(0..500);
    sink.write(&points).await.expect("accepted");
    server.kill();
    server.restart();
    assert_same(&server.points("environment"), &all_stored(&points), "after SIGKILL");
}

/// Writes one line (its time in milliseconds) as another client would.
async fn write_line(server: &InfluxServer, line: String) {
    let url = format!("{}/write?db={}&precision=ms", server.url(), InfluxServer::DATABASE);
    let request = reqwest::Client::new().post(url).basic_auth(USERNAME, Some(PASSWORD)).body(line);
    assert_eq!(request.send().await.expect("an answer").status(), 204);
}

#[tokio::test]
async fn influxdb_stores_the_good_points_of_a_request_with_a_type_conflict() {
    let Some(server) = InfluxServer::start() else { return };
    let mut sink = open(influx(), &settings(&server.settings(), &[]));
    let points = points(0..30);
    // A type holds in the shard of its week.
    let other = points[0].at.millis() - 1;
    write_line(&server, format!("environment pressure=\"high\" {other}")).await;
    let error = sink.write(&points).await.expect_err("pressure is a text there");
    assert!(matches!(&error, SinkError::Rejected { lasting: false, .. }), "{error:?}");
    assert!(error.to_string().contains("field type conflict: input field \"pressure\""), "{error}");
    let stored: Vec<_> = server.points("environment").into_iter().filter(|stored| stored.ms != other).collect();
    let good: Vec<_> = points.into_iter().filter(|point| point.measurement.pressure.is_none()).collect();
    assert_same(&stored, &all_stored(&good), "those without a pressure");
}

#[tokio::test]
async fn influxdb_refuses_for_ever_what_is_older_than_its_retention() {
    let Some(server) = InfluxServer::start() else { return };
    server.query("CREATE RETENTION POLICY short ON filamentbox DURATION 1h REPLICATION 1 DEFAULT");
    let mut sink = open(influx(), &settings(&server.settings(), &[]));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let now = i64::try_from(now).expect("this age");
    let seconds_ago =
        |(point, seconds): (Point, i64)| Point { at: UnixTime::from_millis(now - 1000 * seconds), ..point };
    let young: Vec<_> = points(0..10).into_iter().zip((1..=10).rev()).map(seconds_ago).collect();
    let mixed: Vec<_> = points(10..15).into_iter().chain(young.clone()).collect();
    let error = sink.write(&mixed).await.expect_err("five are years old");
    assert!(matches!(&error, SinkError::Rejected { lasting: true, .. }), "{error:?}");
    assert!(error.to_string().contains("points beyond retention policy dropped=5"), "{error}");
    assert_same(&server.points("environment"), &all_stored(&young), "the younger ones");
}
