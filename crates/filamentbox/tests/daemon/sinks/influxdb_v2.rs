//! InfluxDB 2: organisation, bucket, token, and what it refuses.

use std::time::Duration;

use filamentbox::sinks::{self, Finding, SinkError, SinkKind};

use crate::support::{Fault, FaultServer, InfluxV2Double, Server as _, TOKEN};

use super::{all_stored, assert_same, bare_settings, open, point, points, settings};

const ORG: &str = "database.influxdb_v2.org";
const BUCKET: &str = "database.influxdb_v2.bucket";
const TOKEN_KEY: &str = "database.influxdb_v2.token";

fn influx() -> &'static SinkKind {
    sinks::find("influxdb_v2").expect("a kind")
}

#[tokio::test]
async fn influxdb_2_gets_organisation_bucket_and_token() {
    let double = FaultServer::start([]);
    let changes = [(ORG, "my org"), (BUCKET, "a&b"), (TOKEN_KEY, TOKEN)];
    open(influx(), &bare_settings(influx(), &double.url(), &changes)).write(&points(0..1)).await.expect("accepted");
    let request = double.requests().remove(0);
    assert!(request.starts_with("POST /api/v2/write?org=my+org&bucket=a%26b&precision=ms HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("uthorization: Token {TOKEN}\r\n")), "{request}");
}

#[tokio::test]
async fn influxdb_2_says_what_is_missing() {
    let server = InfluxV2Double::start().expect("a double");
    for (key, value, status, advice) in [
        (ORG, "nobody", "404", "the organisation \"nobody\" must exist"),
        (BUCKET, "nowhere", "404", "the bucket \"nowhere\" in it"),
        (TOKEN_KEY, "wr0ng", "401", "check user name and password, or the token"),
        (TOKEN_KEY, InfluxV2Double::READ_TOKEN, "403", "give the token the right to write to the bucket"),
    ] {
        let mut sink = open(influx(), &settings(&server.settings(), &[(key, value)]));
        let error = sink.write(&points(0..3)).await.expect_err("refused");
        let text = error.to_string();
        assert!(matches!(error, SinkError::Misconfigured { .. }), "{error:?}");
        assert!(text.contains(status) && text.contains(advice), "{text}");
        assert!(!["wr0ng", TOKEN, InfluxV2Double::READ_TOKEN].iter().any(|secret| text.contains(secret)), "{text}");

        let health = sink.test().await;
        assert_eq!(health.reachable, Finding::Yes, "{key}");
        match (status, &health.authenticated, &health.may_write) {
            ("401", Finding::No(why), Finding::Unknown) | (_, Finding::Yes, Finding::No(why)) => {
                assert!(why.contains(advice), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(server.all_points(), []);
}

#[tokio::test]
async fn influxdb_2_is_tested_without_a_trace() {
    let server = InfluxV2Double::start().expect("a double");
    let health = open(influx(), &settings(&server.settings(), &[])).test().await;
    assert!(health.is_good(), "{health:?}");
    assert_eq!(health.version.as_deref(), Some("InfluxDB 2.7.12"));
    assert!(health.clock_ahead_ms.is_some_and(|ahead| ahead.unsigned_abs() < 60_000), "{health:?}");
    assert_eq!(server.all_points(), []);

    // Up to 2.0.8 an empty write is an error, once everything else is right.
    let body = r#"{"code":"invalid","message":"writing requires points"}"#.to_owned();
    let old = FaultServer::start([Fault::Answer(400, "", body)]);
    let health = open(influx(), &bare_settings(influx(), &old.url(), &[])).test().await;
    assert!(health.is_good(), "{health:?}");
}

#[tokio::test]
async fn influxdb_2_stores_the_good_points_of_a_request_with_a_type_conflict() {
    let server = InfluxV2Double::start().expect("a double");
    server.preload("environment pressure=\"high\" 1");
    let mut sink = open(influx(), &settings(&server.settings(), &[]));
    let points = points(0..30);
    let error = sink.write(&points).await.expect_err("pressure is a text there");
    assert!(matches!(&error, SinkError::Rejected { lasting: false, .. }), "{error:?}");
    assert!(error.to_string().contains("field type conflict: input field \"pressure\""), "{error}");
    let good: Vec<_> = points.into_iter().filter(|point| point.measurement.pressure.is_none()).collect();
    assert_same(&server.points("environment"), &all_stored(&good), "those without a pressure");
}

#[tokio::test]
async fn influxdb_2_refuses_for_ever_what_is_older_than_its_retention() {
    for has_old_words in [false, true] {
        let server = InfluxV2Double::start().expect("a double");
        let all = points(0..30);
        server.service().kept_from_ms = all[10].at.millis();
        server.service().has_old_words = has_old_words;
        let mut sink = open(influx(), &settings(&server.settings(), &[]));
        let error = sink.write(&all).await.expect_err("ten are too old");
        assert!(matches!(&error, SinkError::Rejected { lasting: true, .. }), "{error:?}");
        assert!(error.to_string().contains("retention policy"), "{error}");
        assert_same(&server.points("environment"), &all_stored(&all[10..]), "the younger ones");
    }
}

#[tokio::test]
async fn influxdb_2_knows_the_answers_of_other_versions() {
    let internal = |why: &str| {
        let message = format!("unexpected error writing points to database: {why}");
        let body = format!(r#"{{"code":"internal error","message":"{message}"}}"#);
        Fault::Answer(500, "", body)
    };
    let script = [
        internal("partial write: points beyond retention policy dropped=1"),
        internal("partial write: field type conflict: dropped=1"),
        internal("engine is closed"),
        Fault::Answer(413, "", r#"{"code":"request too large","message":"too large"}"#.to_owned()),
        Fault::Answer(429, "Retry-After: 9\r\n", r#"{"code":"too many requests","message":"slow down"}"#.to_owned()),
    ];
    let double = FaultServer::start(script);
    let mut sink = open(influx(), &bare_settings(influx(), &double.url(), &[]));
    let mut next = async || sink.write(&points(0..2)).await.expect_err("scripted");
    assert!(matches!(next().await, SinkError::Rejected { lasting: true, .. }));
    assert!(matches!(next().await, SinkError::Rejected { lasting: false, .. }));
    assert!(matches!(next().await, SinkError::Retry { after: None, .. }));
    assert!(matches!(next().await, SinkError::TooLarge { .. }));
    let error = next().await;
    assert!(matches!(&error, SinkError::Retry { after: Some(after), .. } if *after == Duration::from_secs(9)));
    assert!(error.to_string().ends_with("slow down"), "{error}");
}

#[tokio::test]
async fn influxdb_2_gets_compressed_requests_and_says_when_they_are_too_large() {
    let server = InfluxV2Double::start().expect("a double");
    let gzip = [("database.influxdb_v2.gzip", "on")];
    let mut sink = open(influx(), &settings(&server.settings(), &gzip));
    sink.write(&points(0..500)).await.expect("accepted");
    sink.write(&points(0..500)).await.expect("accepted again");
    assert_same(&server.points("environment"), &all_stored(&points(0..500)), "compressed");
    assert_eq!(server.times_stored(point(7).at.millis()), 2);
    assert_eq!(server.service().gzip_requests, 2);
    server.service().body_max = 20_000;
    let error = sink.write(&points(500..1000)).await.expect_err("too large when decompressed");
    assert!(matches!(error, SinkError::TooLarge { .. }), "{error:?}");
    sink.write(&points(500..510)).await.expect("a smaller one");
}
