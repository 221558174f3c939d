//! One contract for every backend, against its server (the real one where it can be installed), and against a double for
//! the faults that a real one will not show.

use std::time::Duration;

use crate::support::{Fault, FaultServer, PASSWORD, TOKEN};
use filamentbox::sinks::{History, Labels, SINKS, SinkError};
use filamentbox_core::sample::{BoxName, Point};
use proptest::strategy::{Strategy as _, ValueTree as _};

use super::{
    all_stored, assert_same, bare_settings, called, http_kinds, labels, open, point, points, settings, start, stored,
    taken,
};

#[tokio::test]
async fn every_sink_stores_points_exactly_and_once() {
    for kind in SINKS {
        let Some(server) = start(kind) else { continue };
        let mut sink = open(kind, &settings(&server.settings(), &[]));
        let points = points(0..600);
        for batch in points.chunks(250) {
            sink.write(taken(kind, batch)).await.unwrap_or_else(|error| panic!("{}: {error}", kind.name));
        }
        let expected = all_stored(taken(kind, &points));
        assert_same(&server.points("environment"), &expected, kind.name);
        sink.write(&points[100..400]).await.expect("a re-send is accepted");
        sink.write(&[]).await.expect("nothing is accepted");
        assert_same(&server.points("environment"), &expected, "sent twice, there once");
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
async fn every_sink_says_that_a_password_or_token_is_wrong() {
    for kind in SINKS {
        let Some(server) = start(kind) else { continue };
        let key = |end: &str| kind.keys.iter().map(|spec| spec.key).find(|key| key.ends_with(end));
        let key = key(".password").or_else(|| key(".token")).expect("a password or a token");
        let mut sink = open(kind, &settings(&server.settings(), &[(key, "wr0ng")]));
        let error = sink.write(&points(0..3)).await.expect_err("the secret is wrong");
        assert!(matches!(error, SinkError::Misconfigured { .. }), "{}: {error:?}", kind.name);
        let text = error.to_string();
        assert!(text.contains("check user name and password"), "{}: {text}", kind.name);
        assert!(!["wr0ng", PASSWORD, TOKEN].iter().any(|secret| text.contains(secret)), "{}: {text}", kind.name);
        assert_eq!(server.points("environment"), [], "{}", kind.name);
    }
}

#[tokio::test]
async fn every_sink_outlives_its_server() {
    for kind in SINKS {
        let Some(mut server) = start(kind) else { continue };
        let mut sink = open(kind, &settings(&server.settings(), &[]));
        let points = points(0..30);
        sink.write(taken(kind, &points[..10])).await.expect("accepted");
        server.terminate();
        for _try in 0..2 {
            let error = sink.write(taken(kind, &points[10..20])).await.expect_err("the server is down");
            assert!(matches!(error, SinkError::Retry { after: None, .. }), "{}: {error:?}", kind.name);
            assert!(error.to_string().contains(&server.url()), "{}: {error}", kind.name);
        }
        server.restart();
        sink.write(taken(kind, &points[10..20])).await.expect("accepted again");
        assert_same(&server.points("environment"), &all_stored(taken(kind, &points[..20])), kind.name);
        server.kill();
        assert!(sink.write(taken(kind, &points[20..])).await.is_err(), "{}", kind.name);
        server.restart();
        sink.write(taken(kind, &points[20..])).await.expect("accepted after a crash");
        let after = server.points("environment");
        assert!(after.ends_with(&all_stored(taken(kind, &points[20..]))), "{}: {after:?}", kind.name);
    }
}

/// Names and values of any Unicode, full of what means something to a parser: refused when opened, or read back exactly.
#[tokio::test]
async fn every_sink_gives_back_any_tags_it_accepts() {
    const ACCEPTED: i64 = 100;
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
        let mut accepted = 0;
        while accepted < ACCEPTED {
            tried += 1;
            assert!(tried < 10 * ACCEPTED, "{} refuses too much", kind.name);
            let labels = labels.new_tree(&mut runner).expect("generates").current();
            let Ok(mut sink) = (kind.open)(&settings, &labels) else { continue };
            let point = point(accepted);
            sink.write(std::slice::from_ref(&point))
                .await
                .unwrap_or_else(|error| panic!("{}: {labels:?}: {error}", kind.name));
            let tags: Vec<_> = labels.tags.iter().map(|(name, value)| (called(kind, name), value.as_str())).collect();
            let tags: Vec<_> = tags.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            let measurement = if server.keeps_measurements() { &labels.measurement } else { "environment" };
            let one = (called(kind, measurement), stored(&point, &tags));
            if kind.history == History::LatestOnly {
                assert_same(&server.all_points(), std::slice::from_ref(&one), kind.name);
                expected.clear();
            }
            expected.push(one);
            accepted += 1;
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
    for kind in http_kinds() {
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
    for kind in http_kinds() {
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
    for kind in http_kinds() {
        let double = FaultServer::start([]);
        open(kind, &bare_settings(kind, &double.url(), &[])).write(&points(0..1)).await.expect("accepted");
        let request = double.requests().remove(0).to_lowercase();
        assert!(request.contains(&format!("user-agent: filamentbox/{}\r\n", env!("CARGO_PKG_VERSION"))), "{request}");
        assert!(!request.contains("authorization:"), "{request}");
        let has_precision = request.contains("precision=ms") || request.contains("precision=millisecond");
        assert_eq!(has_precision, !kind.name.starts_with("prometheus"), "{request}");
    }
}
