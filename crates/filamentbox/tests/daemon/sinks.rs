//! One contract for every backend, against its real server, and against a double for the faults that a real one will not show.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{Fault, FaultServer, InfluxServer, PASSWORD, Server, Stored, VictoriaServer};
use filamentbox::sinks::{self, Labels, SINKS, Sink, SinkError, SinkKind};
use filamentbox_core::config::{Layer, Registry, Settings, Source};
use filamentbox_core::sample::{BoxName, Measurement, Point};
use filamentbox_core::time::UnixTime;
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};
use proptest::strategy::{Strategy as _, ValueTree as _};

const START_MS: i64 = 1_700_000_000_123;

/// The real server of a backend; a further backend needs one here.
fn start(kind: &SinkKind) -> Option<Box<dyn Server>> {
    fn boxed<S: Server + 'static>(server: Option<S>) -> Option<Box<dyn Server>> {
        server.map(|server| Box::new(server) as Box<dyn Server>)
    }
    match kind.name {
        "influxdb_v1" => boxed(InfluxServer::start()),
        "victoriametrics" => boxed(VictoriaServer::start()),
        other => panic!("no test server for {other}"),
    }
}

fn settings(values: &[(String, String)], changes: &[(&str, &str)]) -> Settings {
    let mut values: BTreeMap<String, String> = values.iter().cloned().collect();
    values.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let layer = Layer { source: Source::Environment, values: values.into_iter().collect() };
    Registry::new(sinks::keys()).resolve(&[layer]).expect("allowed settings")
}

fn labels(tags: &[(&str, &str)], tag_box: bool) -> Labels {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Labels { measurement: "environment".to_owned(), tags, tag_box }
}

fn open(kind: &SinkKind, settings: &Settings) -> Box<dyn Sink> {
    (kind.open)(settings, &labels(&[], false)).expect("opens")
}

/// The settings for `kind` at `url`, with nothing but what it requires.
fn bare_settings(kind: &SinkKind, url: &str, changes: &[(&str, &str)]) -> Settings {
    let value = |key: &str| match key.rsplit('.').next() {
        Some("url") => Some(url.to_owned()),
        Some("database") => Some("filament".to_owned()),
        _ => None,
    };
    let values: Vec<_> = kind.keys.iter().filter_map(|spec| Some((spec.key.to_owned(), value(spec.key)?))).collect();
    settings(&values, changes)
}

fn point(index: i64) -> Point {
    let small = |number: i64| i32::try_from(number).expect("small");
    let (centi, humidity) = (small(index * 7 % 20_000 - 300), small(index * 11 % 10_001));
    let pressure = (index % 3 != 0).then(|| Hectopascal::from_pascal(95_001 + centi)).flatten();
    Point {
        box_name: BoxName::main(),
        at: UnixTime::from_millis(START_MS + index * 4_999),
        measurement: Measurement {
            temperature: Celsius::from_centi(centi).expect("in range"),
            humidity: RelativeHumidity::from_centi(humidity).expect("in range"),
            pressure,
        },
        heater_on: index % 2 == 0,
        fan_on: index % 5 == 0,
    }
}

fn points(indices: std::ops::Range<i64>) -> Vec<Point> {
    indices.map(point).collect()
}

fn stored(point: &Point, tags: &[(&str, &str)]) -> Stored {
    Stored {
        ms: point.at.millis(),
        fields: point.fields().map(|field| (field.name.to_owned(), field.value())).collect(),
        tags: tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

#[track_caller]
fn assert_same<T: PartialEq + std::fmt::Debug>(got: &[T], expected: &[T], what: &str) {
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!(got, expected, "{what}");
    }
    assert_eq!(got.len(), expected.len(), "{what}");
}

fn all_stored(points: &[Point]) -> Vec<Stored> {
    points.iter().map(|point| stored(point, &[])).collect()
}

#[tokio::test]
async fn every_sink_stores_points_exactly_and_once() {
    for kind in SINKS {
        let Some(server) = start(kind) else { continue };
        let mut sink = open(kind, &settings(&server.settings(), &[]));
        let points = points(0..600);
        for batch in points.chunks(250) {
            sink.write(batch).await.unwrap_or_else(|error| panic!("{}: {error}", kind.name));
        }
        assert_same(&server.points("environment"), &all_stored(&points), kind.name);
        sink.write(&points[100..400]).await.expect("a re-send is accepted");
        sink.write(&[]).await.expect("nothing is accepted");
        assert_same(&server.points("environment"), &all_stored(&points), "sent twice, there once");
    }
}

#[tokio::test]
async fn every_sink_tells_boxes_apart() {
    for kind in SINKS {
        let Some(server) = start(kind) else { continue };
        let labels = labels(&[("zone", "shelf 2, left"), ("area", "attic")], true);
        let mut sink = (kind.open)(&settings(&server.settings(), &[]), &labels).expect("opens");
        let boxes = ["main", "box-2"];
        let points = boxes.map(|name| Point { box_name: BoxName::new(name).expect("a name"), ..point(1) });
        sink.write(&points).await.expect("accepted");
        let expected = ["box-2", "main"]
            .map(|name| stored(&point(1), &[("area", "attic"), ("box", name), ("zone", "shelf 2, left")]));
        assert_eq!(server.points("environment"), expected, "{}", kind.name);
    }
}

#[tokio::test]
async fn every_sink_says_that_a_password_is_wrong() {
    for kind in SINKS {
        let Some(server) = start(kind) else { continue };
        let key = kind.keys.iter().find(|spec| spec.key.ends_with(".password")).expect("a password").key;
        let mut sink = open(kind, &settings(&server.settings(), &[(key, "wr0ng")]));
        let error = sink.write(&points(0..3)).await.expect_err("the password is wrong");
        assert!(matches!(error, SinkError::Misconfigured { .. }), "{}: {error:?}", kind.name);
        let text = error.to_string();
        assert!(text.contains("401") && text.contains("check user name and password"), "{}: {text}", kind.name);
        assert!(!text.contains("wr0ng") && !text.contains(PASSWORD), "{}: {text}", kind.name);
        assert_eq!(server.points("environment"), [], "{}", kind.name);
    }
}

#[tokio::test]
async fn every_sink_outlives_its_server() {
    for kind in SINKS {
        let Some(mut server) = start(kind) else { continue };
        let mut sink = open(kind, &settings(&server.settings(), &[]));
        let points = points(0..30);
        sink.write(&points[..10]).await.expect("accepted");
        server.terminate();
        for _try in 0..2 {
            let error = sink.write(&points[10..20]).await.expect_err("the server is down");
            assert!(matches!(error, SinkError::Retry { after: None, .. }), "{}: {error:?}", kind.name);
            assert!(error.to_string().contains(&server.url()), "{}: {error}", kind.name);
        }
        server.restart();
        sink.write(&points[10..20]).await.expect("accepted again");
        assert_same(&server.points("environment"), &all_stored(&points[..20]), kind.name);
        server.kill();
        assert!(sink.write(&points[20..]).await.is_err(), "{}", kind.name);
        server.restart();
        sink.write(&points[20..]).await.expect("accepted after a crash");
        let after = server.points("environment");
        assert!(after.ends_with(&all_stored(&points[20..])), "{}: {after:?}", kind.name);
    }
}

/// Names and values of any Unicode, full of what means something to a parser: refused when opened, or read back exactly.
#[tokio::test]
async fn every_sink_gives_back_any_tags_it_accepts() {
    const ACCEPTED: usize = 100;
    let special = proptest::sample::select(vec![',', '=', ' ', '"', '\\', '#', '\'', '{', '$', 'n', 'ä']);
    let character = proptest::prop_oneof![2 => special, 1 => proptest::char::any()];
    let text = proptest::collection::vec(character, 1..10).prop_map(String::from_iter);
    let tags = proptest::collection::btree_map(text.clone(), text.clone(), 0..4);
    let labels = (text, tags).prop_map(|(measurement, tags)| Labels {
        measurement,
        tags: tags.into_iter().collect(),
        tag_box: false,
    });
    for kind in SINKS {
        let Some(server) = start(kind) else { continue };
        let settings = settings(&server.settings(), &[]);
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut expected = Vec::new();
        let mut tried = 0;
        while expected.len() < ACCEPTED {
            tried += 1;
            assert!(tried < 10 * ACCEPTED, "{} refuses too much", kind.name);
            let labels = labels.new_tree(&mut runner).expect("generates").current();
            let Ok(mut sink) = (kind.open)(&settings, &labels) else { continue };
            let point = point(i64::try_from(expected.len()).expect("small"));
            sink.write(std::slice::from_ref(&point))
                .await
                .unwrap_or_else(|error| panic!("{}: {labels:?}: {error}", kind.name));
            let tags: Vec<_> = labels.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            expected.push((labels.measurement.clone(), stored(&point, &tags)));
        }
        let mut got = server.all_points();
        got.sort_by_key(|(_, stored)| stored.ms);
        assert_same(&got, &expected, kind.name);
    }
}

#[tokio::test]
async fn every_sink_knows_what_an_answer_means() {
    let retry = |after: Option<u64>| move |error: &SinkError| matches!(error, SinkError::Retry { after: got, .. } if *got == after.map(Duration::from_secs));
    let rejected = |error: &SinkError| matches!(error, SinkError::Rejected { .. });
    let misconfigured = |error: &SinkError| matches!(error, SinkError::Misconfigured { .. });
    let answer = |status, headers| Fault::Answer(status, headers, "{\"error\":\"the server's words\"}".to_owned());
    type Check = Box<dyn Fn(&SinkError) -> bool>;
    let cases: Vec<(Fault, Check)> = vec![
        (answer(429, "Retry-After: 7\r\n"), Box::new(retry(Some(7)))),
        (answer(429, ""), Box::new(retry(None))),
        (answer(503, "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n"), Box::new(retry(None))),
        (
            answer(503, "Date: Wed, 21 Oct 2015 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2015 07:28:09 GMT\r\n"),
            Box::new(retry(Some(9))),
        ),
        (answer(500, ""), Box::new(retry(None))),
        (answer(408, ""), Box::new(retry(None))),
        (answer(400, ""), Box::new(rejected)),
        (answer(413, ""), Box::new(|error| matches!(error, SinkError::TooLarge { .. }))),
        (answer(422, ""), Box::new(rejected)),
        (answer(501, ""), Box::new(rejected)),
        (answer(401, ""), Box::new(misconfigured)),
        (answer(403, ""), Box::new(misconfigured)),
        (answer(404, ""), Box::new(misconfigured)),
        (answer(302, "Location: http://127.0.0.1:1/\r\n"), Box::new(misconfigured)),
        (Fault::Answer(503, "", "x".repeat(1_000_000)), Box::new(retry(None))),
        (Fault::CloseMidAnswer, Box::new(retry(None))),
        (Fault::DropAnswer, Box::new(retry(None))),
    ];
    for kind in SINKS {
        let double = FaultServer::start(cases.iter().map(|(fault, _)| fault.clone()));
        let mut sink = open(kind, &bare_settings(kind, &double.url(), &[]));
        for (fault, is_expected) in &cases {
            let error = sink.write(&points(0..3)).await.expect_err("a fault");
            assert!(is_expected(&error), "{}: {fault:?}: {error:?}", kind.name);
            if let Fault::Answer(status, _, body) = fault {
                let text = error.to_string();
                assert!(text.contains(&status.to_string()) && text.len() < 500, "{}: {text}", kind.name);
                assert!(body.len() > 1000 || text.contains("the server's words"), "{}: {text}", kind.name);
            }
        }
        sink.write(&points(0..3)).await.expect("accepted in the end, by the same sink");
        assert_eq!(double.requests().len(), cases.len() + 1, "{}: nothing is repeated behind our back", kind.name);
    }
}

#[tokio::test]
async fn every_sink_can_be_interrupted() {
    for kind in SINKS {
        let double = FaultServer::start([Fault::Hang]);
        let mut sink = open(kind, &bare_settings(kind, &double.url(), &[]));
        let hanging = tokio::time::timeout(Duration::from_millis(200), sink.write(&points(0..3))).await;
        assert!(hanging.is_err(), "{}: the server hangs", kind.name);
        sink.write(&points(0..3)).await.expect("accepted by the same sink");
        assert_eq!(double.requests().len(), 2, "{}", kind.name);
    }
}

#[tokio::test]
async fn every_sink_names_itself() {
    for kind in SINKS {
        let double = FaultServer::start([]);
        open(kind, &bare_settings(kind, &double.url(), &[])).write(&points(0..1)).await.expect("accepted");
        let request = double.requests().remove(0).to_lowercase();
        assert!(request.contains(&format!("user-agent: filamentbox/{}\r\n", env!("CARGO_PKG_VERSION"))), "{request}");
        assert!(request.contains("precision=ms") && !request.contains("authorization:"), "{request}");
    }
}

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
    server.query(&format!("GRANT WRITE ON other TO {}", crate::support::USERNAME));
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

#[tokio::test]
async fn victoriametrics_gets_tenant_and_token() {
    let kind = sinks::find("victoriametrics").expect("a kind");
    let double = FaultServer::start([]);
    let changes = [("database.victoriametrics.tenant", "42:7"), ("database.victoriametrics.token", "t0ken")];
    open(kind, &bare_settings(kind, &double.url(), &changes)).write(&points(0..1)).await.expect("accepted");
    let request = double.requests().remove(0);
    assert!(request.starts_with("POST /insert/42:7/influx/write?precision=ms HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer t0ken\r\n"), "{request}");
}

/// It answers 204 to lines that it cannot read; ours it can.
#[tokio::test]
async fn victoriametrics_reads_every_line() {
    let Some(server) = VictoriaServer::start() else { return };
    let mut sink = open(sinks::find("victoriametrics").expect("a kind"), &settings(&server.settings(), &[]));
    sink.write(&points(0..5000)).await.expect("accepted");
    assert_eq!(server.points("environment").len(), 5000);
    assert_eq!(server.invalid_lines(), 0);
}
