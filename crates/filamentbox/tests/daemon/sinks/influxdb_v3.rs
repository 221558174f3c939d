//! InfluxDB 3: partial writes, limits, names and tokens.

use filamentbox::sinks::{self, Finding, SinkError, SinkKind};

use crate::support::{Fault, FaultServer, InfluxV3Double, Server as _, TOKEN};

use super::{all_stored, assert_same, bare_settings, open, point, points, settings};

const DATABASE: &str = "database.influxdb_v3.database";
const TOKEN_KEY: &str = "database.influxdb_v3.token";

fn influx() -> &'static SinkKind {
    sinks::find("influxdb_v3").expect("a kind")
}

#[tokio::test]
async fn influxdb_3_gets_database_and_token_and_is_asked_to_be_sure() {
    let double = FaultServer::start([]);
    let changes = [(DATABASE, "my-db"), (TOKEN_KEY, TOKEN)];
    open(influx(), &bare_settings(influx(), &double.url(), &changes)).write(&points(0..1)).await.expect("accepted");
    let request = double.requests().remove(0);
    let line = "POST /api/v3/write_lp?db=my-db&precision=millisecond&accept_partial=true&no_sync=false HTTP/1.1\r\n";
    assert!(request.starts_with(line), "{request}");
    assert!(request.contains(&format!("uthorization: Bearer {TOKEN}\r\n")), "{request}");
}

#[tokio::test]
async fn influxdb_3_names_exactly_the_points_it_refused() {
    let server = InfluxV3Double::start().expect("a double");
    server.preload(InfluxV3Double::DATABASE, "environment pressure=\"high\" 1");
    let all = points(0..3000);
    let has_pressure = |index: usize| all[index].measurement.pressure.is_some();
    server.service().refused_ms.extend([0, 9, 2999].map(|index: usize| all[index].at.millis()));
    let is_refused = |index: usize| has_pressure(index) || [0, 9, 2999].contains(&index);
    let mut sink = open(influx(), &settings(&server.settings(), &[("database.influxdb_v3.gzip", "on")]));
    for times in 1..=2 {
        let error = sink.write(&all).await.expect_err("some are refused");
        let text = error.to_string();
        assert!(text.contains("partial write") && !text.contains(TOKEN), "{text}");
        let SinkError::Partial { rejected, .. } = error else { panic!("{error:?}") };
        let expected: Vec<usize> = (0..all.len()).filter(|index| is_refused(*index)).collect();
        assert_eq!(rejected.iter().map(|(index, _)| *index).collect::<Vec<_>>(), expected);
        for (index, why) in &rejected {
            let what =
                if has_pressure(*index) { "invalid column type for column 'pressure'" } else { "as the test wants it" };
            assert!(why.contains(what), "{index}: {why}");
        }
        let good: Vec<_> = (0..all.len()).filter(|index| !is_refused(*index)).map(|index| all[index].clone()).collect();
        assert_same(&server.points("environment"), &all_stored(&good), "the others are stored");
        assert_eq!(server.times_stored(good[5].at.millis()), times);
    }
}

#[tokio::test]
async fn influxdb_3_that_refuses_every_point_has_refused_the_request() {
    let server = InfluxV3Double::start().expect("a double");
    server.preload(InfluxV3Double::DATABASE, "environment humidity=5i 1");
    let mut sink = open(influx(), &settings(&server.settings(), &[]));
    for count in [1, 2, 30] {
        let error = sink.write(&points(0..count)).await.expect_err("humidity is whole there");
        assert!(matches!(error, SinkError::Rejected { lasting: false, .. }), "{count}: {error:?}");
    }
    assert_eq!(server.all_points(), []);
}

#[tokio::test]
async fn influxdb_3_says_what_must_change() {
    let server = InfluxV3Double::start().expect("a double");
    for (key, value, status, advice) in [
        (TOKEN_KEY, "wr0ng", "401", "check user name and password, or the token"),
        (TOKEN_KEY, InfluxV3Double::READ_TOKEN, "403", "give the token the right to write to the database"),
    ] {
        let mut sink = open(influx(), &settings(&server.settings(), &[(key, value)]));
        let error = sink.write(&points(0..3)).await.expect_err("refused");
        let text = error.to_string();
        assert!(matches!(error, SinkError::Misconfigured { .. }), "{error:?}");
        assert!(text.contains(status) && text.contains(advice), "{text}");
        assert!(!["wr0ng", TOKEN, InfluxV3Double::READ_TOKEN].iter().any(|secret| text.contains(secret)), "{text}");
        match (status, sink.test().await) {
            ("401", health) => assert!(matches!(health.authenticated, Finding::No(_)), "{health:?}"),
            (_, health) => {
                assert_eq!(health.authenticated, Finding::Yes);
                assert!(matches!(&health.may_write, Finding::No(why) if why.contains(advice)), "{health:?}");
            }
        }
    }
    assert_eq!(server.databases(), [""; 0]);
}

#[tokio::test]
async fn influxdb_3_that_is_full_keeps_everything_waiting() {
    let server = InfluxV3Double::start().expect("a double");
    for name in ["a", "b", "c", "d", "e"] {
        server.preload(name, "m f=1 1");
    }
    let mut sink = open(influx(), &settings(&server.settings(), &[]));
    let error = sink.write(&points(0..3)).await.expect_err("a sixth database");
    assert!(matches!(error, SinkError::Misconfigured { .. }), "{error:?}");
    assert!(error.to_string().contains("exceed limit of 5 databases"), "{error}");
    assert!(!sink.test().await.is_good());

    let mut sink = open(influx(), &settings(&server.settings(), &[(DATABASE, "a")]));
    server.service().columns_max = 8;
    let error = sink.write(&points(0..3)).await.expect_err("too many columns for points with a pressure");
    assert!(matches!(error, SinkError::Misconfigured { .. }), "{error:?}");
    assert!(error.to_string().contains("has reached one of its limits"), "{error}");
}

#[tokio::test]
async fn influxdb_3_is_tested_without_a_trace() {
    let server = InfluxV3Double::start().expect("a double");
    let mut sink = open(influx(), &settings(&server.settings(), &[]));
    let health = sink.test().await;
    assert!(health.is_good(), "{health:?}");
    assert_eq!(health.version.as_deref(), Some("InfluxDB 3.4.1"));
    assert!(health.clock_ahead_ms.is_some_and(|ahead| ahead.unsigned_abs() < 60_000), "{health:?}");
    assert_eq!(server.databases(), [""; 0], "not even a database");
    sink.write(&[]).await.expect("nothing to do");
    assert_eq!(server.databases(), [""; 0]);
}

#[tokio::test]
async fn influxdb_3_says_when_a_request_is_too_large() {
    let server = InfluxV3Double::start().expect("a double");
    server.service().body_max = 20_000;
    for gzip in ["off", "on"] {
        let mut sink = open(influx(), &settings(&server.settings(), &[("database.influxdb_v3.gzip", gzip)]));
        let error = sink.write(&points(0..500)).await.expect_err("80 kB, decompressed");
        assert!(matches!(error, SinkError::TooLarge { .. }), "{error:?}");
        sink.write(&points(0..50)).await.expect("a smaller one");
    }
    assert_eq!(server.service().gzip_requests, 1);
    assert_eq!(server.times_stored(point(7).at.millis()), 2);
}

#[tokio::test]
async fn influxdb_3_knows_the_answers_of_other_versions() {
    let malformed = "{\"error\": \"Authorization header was malformed, the request was not in the form of ..\"}";
    let script = [
        Fault::Answer(500, "", "max request size (10485760 bytes) exceeded".to_owned()),
        Fault::Answer(500, "", "persister error".to_owned()),
        Fault::Answer(400, "", "{\"error\":\"db name did not start with a number or letter\"}".to_owned()),
        Fault::Answer(400, "", malformed.to_owned()),
        Fault::Answer(400, "", "{\"error\":\"line protocol parsing error\",\"data\":{\"line_number\":1}}".to_owned()),
        Fault::Answer(401, "", String::new()),
    ];
    let double = FaultServer::start(script);
    let mut sink = open(influx(), &bare_settings(influx(), &double.url(), &[]));
    let mut next = async || sink.write(&points(0..2)).await.expect_err("scripted");
    assert!(matches!(next().await, SinkError::TooLarge { .. }));
    assert!(matches!(next().await, SinkError::Retry { .. }));
    assert!(matches!(next().await, SinkError::Misconfigured { reason } if reason.contains(DATABASE)));
    assert!(matches!(next().await, SinkError::Misconfigured { reason } if reason.contains(TOKEN_KEY)));
    assert!(matches!(next().await, SinkError::Rejected { lasting: false, .. }));
    assert!(matches!(next().await, SinkError::Misconfigured { .. }));
}
