//! Remote write: a receiver stricter than any server, Prometheus with and without a window for late points, VictoriaMetrics.

use std::collections::BTreeMap;

use filamentbox::sinks::{self, Finding, Sink, SinkError, SinkKind};
use filamentbox_core::sample::{BoxName, Point};
use filamentbox_core::time::UnixTime;

use crate::keeping::{assert_delivered, take_samples};
use crate::support::{
    Daemon, Fault, FaultServer, Metric, PASSWORD, PrometheusServer, Server as _, USERNAME, VictoriaServer, points_of,
    wait_until,
};

use super::{all_stored, assert_same, bare_settings, labels, open, point, points as points_from, settings, stored};

const WINDOW: &str = "global: {}\nstorage:\n  tsdb:\n    out_of_order_time_window: 7d\n";
const RECEIVER: &str = "--web.enable-remote-write-receiver";

fn kind() -> &'static SinkKind {
    sinks::find("prometheus_remote_write").expect("a kind")
}

fn open_on(server: &PrometheusServer) -> Box<dyn Sink> {
    open(kind(), &settings(&server.settings(), &[]))
}

/// The next number of a protocol buffer.
fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().expect("a number");
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}

/// The fields of a protocol buffer that has only bytes, doubles and numbers: number of the field, and its bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                fields.push((key >> 3, varint(&mut bytes).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)).expect("a length"),
            other => panic!("wire type {other}"),
        };
        let (value, rest) = bytes.split_at(length);
        fields.push((key >> 3, value.to_vec()));
        bytes = rest;
    }
    fields
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    bytes.try_into().expect("eight bytes")
}

/// Labels and samples of each series of a request, after a check of everything that the specification demands.
fn strictly_decoded(body: &[u8]) -> Vec<Metric> {
    let request = snap::raw::Decoder::new().decompress_vec(body).expect("a snappy block");
    let mut known = Vec::new();
    let mut decoded = Vec::new();
    for (field, series) in fields(&request) {
        assert_eq!(field, 1, "time series only");
        let (mut series_labels, mut samples) = (Vec::new(), Vec::new());
        for (field, bytes) in fields(&series) {
            match (field, &fields(&bytes)[..]) {
                (1, [(1, name), (2, value)]) => {
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
                    assert!(samples.is_empty(), "labels come first");
                    series_labels.push((text(name), text(value)));
                }
                (2, [(1, value), (2, at)]) => {
                    samples.push((i64::from_le_bytes(eight(at)), f64::from_le_bytes(eight(value))));
                }
                other => panic!("{other:?}"),
            }
        }
        let is_name = |name: &str| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        for (name, value) in &series_labels {
            assert!(is_name(name) && !value.is_empty() && (name == "__name__" || !name.starts_with("__")), "{name}");
        }
        assert!(series_labels.is_sorted_by(|(a, _), (b, _)| a < b), "sorted, none twice: {series_labels:?}");
        assert!(!samples.is_empty() && samples.is_sorted_by(|(a, _), (b, _)| a < b), "in order, none twice");
        assert!(samples.iter().all(|(_, value)| value.is_finite()));
        assert!(!known.contains(&series_labels), "each series once");
        known.push(series_labels.clone());
        let mut series_labels: BTreeMap<_, _> = series_labels.into_iter().collect();
        let name = series_labels.remove("__name__").expect("a name");
        assert!(is_name(&name));
        decoded.push((name, series_labels, samples));
    }
    decoded
}

#[tokio::test]
async fn remote_write_pleases_a_strict_receiver() {
    let double = FaultServer::start([]);
    let tags = [("Zone", "shelf 2, left"), ("job", "own \"job\""), ("ort-1", "ä\\🦀"), ("a_", "\u{1}")];
    let changes =
        [("database.prometheus_remote_write.tenant", "team-1"), ("database.prometheus_remote_write.token", "t0ken")];
    let settings = bare_settings(kind(), &double.url(), &changes);
    let mut sink = (kind().open)(&settings, &labels(&tags, true)).expect("opens");
    let boxes = ["main", "box-2"];
    // Two boxes mixed, and out of order.
    let points: Vec<Point> = (0..100)
        .map(|i| Point { box_name: BoxName::new(boxes[i % 2]).expect("a name"), ..point(i as i64 * 37 % 100) })
        .collect();
    sink.write(&points).await.expect("accepted");
    let request = double.requests().remove(0).to_lowercase();
    for line in [
        "post /api/v1/write http/1.1",
        "content-encoding: snappy",
        "content-type: application/x-protobuf",
        "x-prometheus-remote-write-version: 0.1.0",
        "x-scope-orgid: team-1",
        "authorization: bearer t0ken",
    ] {
        assert!(request.contains(&format!("{line}\r\n")), "{line}: {request}");
    }
    let series = strictly_decoded(&double.bodies()[0]);
    assert_eq!(series.len(), 2 * 7);
    let got = points_of(series.into_iter().map(|(name, mut labels, samples)| {
        assert!(labels.remove("instance").is_some());
        (name, labels, samples)
    }));
    let mut expected: Vec<_> = points
        .iter()
        .map(|point| {
            let tags = [
                ("Zone", "shelf 2, left"),
                ("job", "own \"job\""),
                ("ort_1", "ä\\🦀"),
                ("a_", "\u{1}"),
                ("box", point.box_name.as_str()),
            ];
            ("environment".to_owned(), stored(point, &tags))
        })
        .collect();
    expected.sort_by_key(|(_, stored)| stored.ms);
    assert_same(&got, &expected, "as sent");
}

#[tokio::test]
async fn prometheus_says_what_it_has() {
    let Some(server) = PrometheusServer::start() else { return };
    let tags = [("place", "shelf \"2\" \\ ä")];
    let boxes = ["main", "box-2"].map(|name| BoxName::new(name).expect("a name"));
    let settings = settings(&server.settings(), &[]);
    let mut sink = (kind().open)(&settings, &labels(&tags, true)).expect("opens");
    let point = |index: usize| Point { box_name: boxes[index % 2].clone(), ..point(index as i64 / 2) };
    let points: Vec<Point> = (0..40).map(point).collect();
    assert_eq!(sink.held(&points).await, Ok(Some(vec![false; 40])));
    sink.write(&points[..21]).await.expect("accepted");
    let expected: Vec<bool> = (0..40).map(|index| index < 21).collect();
    assert_eq!(sink.held(&points).await, Ok(Some(expected)), "each box by itself");
    assert_eq!(sink.held(&[]).await, Ok(None));
    let mut other = (kind().open)(&settings, &labels(&[("place", "elsewhere")], true)).expect("opens");
    assert_eq!(other.held(&points).await, Ok(Some(vec![false; 40])), "series of others are not ours");
    let thanos = super::settings(
        &server.settings(),
        &[("database.prometheus_remote_write.url", &format!("{}/api/v1/receive", server.url()))],
    );
    assert_eq!(open(kind(), &thanos).held(&points).await, Ok(None), "nobody to ask");
}

#[tokio::test]
async fn prometheus_refuses_late_points_for_good() {
    let Some(server) = PrometheusServer::start() else { return };
    let mut sink = open_on(&server);
    let points = points_from(0..30);
    sink.write(&points[10..20]).await.expect("accepted");
    sink.write(&points[19..20]).await.expect("the last one again is accepted");
    let two_hours = Point { at: UnixTime::from_millis(points[0].at.millis() - 7_200_000), ..points[0].clone() };
    for (late, words) in
        [(&points[5..6], "out of order"), (&points[5..25], "out of order"), (&[two_hours][..], "out of")]
    {
        let error = sink.write(late).await.expect_err("too late");
        assert!(matches!(error, SinkError::Rejected { lasting: true, .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    sink.write(&points[12..15]).await.expect("late, but there already: a request whose answer was lost");
    sink.write(&points[20..]).await.expect("accepted");
    assert_same(&server.points("environment"), &all_stored(&points[10..]), "a refused request leaves nothing");
}

/// The daemon and the server are killed in turn, and requests arrive whose answers do not.
#[test]
fn prometheus_holds_every_sample_of_a_daemon_once() {
    let Some(mut server) = PrometheusServer::start() else { return };
    let mut daemon = Daemon::new();
    for (key, value) in server.settings() {
        daemon.set(&key, &value);
    }
    daemon.set("data_collection.flush_interval", "1").set("retry.backoff_base", "0.2").set("retry.backoff_max", "1");
    daemon.start();
    for _ in 0..2 {
        take_samples(&daemon, 6);
        server.kill();
        take_samples(&daemon, 6);
        daemon.kill();
        server.restart();
        daemon.start();
    }
    take_samples(&daemon, 4);
    let totals = || daemon.outbox("prometheus_remote_write")["totals"].clone();
    let goal = totals()["sampled"].as_u64();
    wait_until("everything is delivered", || totals()["delivered"].as_u64() >= goal);
    assert_eq!(totals()["dead_letter"], 0);
    daemon.stop();
    assert_delivered(&daemon, &server, "Prometheus");
}

#[tokio::test]
async fn prometheus_with_a_window_takes_points_in_any_order_and_once() {
    let Some(server) = PrometheusServer::start_with(WINDOW, &[RECEIVER]) else { return };
    let mut sink = open_on(&server);
    let points = points_from(0..30);
    for range in [20..30, 0..10, 15..25, 0..30] {
        sink.write(&points[range]).await.expect("accepted in any order");
    }
    assert_same(&server.points("environment"), &all_stored(&points), "each once");
    let eight_days = Point { at: UnixTime::from_millis(points[0].at.millis() - 8 * 86_400_000), ..points[0].clone() };
    let error = sink.write(&[eight_days]).await.expect_err("older than the window");
    assert!(matches!(error, SinkError::Rejected { lasting: true, .. }), "{error:?}");
    assert!(error.to_string().contains("too old"), "{error}");
}

/// Mimir stores the good samples of a request and refuses it; they are found where Mimir answers queries.
#[tokio::test]
async fn mimir_is_asked_what_it_stored_of_a_refused_request() {
    let refused = || {
        let words = "failed pushing to ingester: the sample has been rejected (err-mimir-sample-out-of-order)";
        Fault::Answer(400, "", words.to_owned())
    };
    let points = points_from(0..3);
    let found = |points: &[Point]| {
        let values: Vec<_> = points.iter().map(|point| serde_json::json!([point.at.seconds(), "1"])).collect();
        let series = serde_json::json!({ "metric": { "__name__": "x", "cluster": "added" }, "values": values });
        let answer = serde_json::json!({ "status": "success", "data": { "resultType": "matrix", "result": [series] } });
        Fault::Answer(200, "", answer.to_string())
    };
    let forbidden = Fault::Answer(403, "", "the token has no metrics:read".to_owned());
    let double = FaultServer::start([refused(), found(&points), refused(), found(&points[1..]), refused(), forbidden]);
    let url = format!("{}/api/v1/push", double.url());
    let mut sink = open(kind(), &bare_settings(kind(), &url, &[("database.prometheus_remote_write.tenant", "team")]));
    assert_eq!(sink.write(&points).await, Ok(()), "all of them are there");
    for case in ["one is missing", "nobody may ask"] {
        let error = sink.write(&points).await.expect_err(case);
        assert!(matches!(error, SinkError::Rejected { lasting: true, .. }), "{case}: {error:?}");
        assert!(error.to_string().contains("err-mimir-sample-out-of-order"), "{case}: {error}");
    }
    let asked = &double.requests()[1];
    assert!(asked.starts_with("GET /prometheus/api/v1/query?query="), "{asked}");
    assert!(asked.to_lowercase().contains("x-scope-orgid: team\r\n"), "{asked}");
}

#[tokio::test]
async fn prometheus_without_a_receiver_says_how_to_start_it() {
    let Some(server) = PrometheusServer::start_with("global: {}\n", &[]) else { return };
    let mut sink = open_on(&server);
    let error = sink.write(&points_from(0..1)).await.expect_err("not enabled");
    assert!(matches!(error, SinkError::Misconfigured { .. }), "{error:?}");
    assert!(error.to_string().contains("--web.enable-remote-write-receiver"), "{error}");
    let health = sink.test().await;
    assert_eq!(health.reachable, Finding::Yes);
    assert!(matches!(health.may_write, Finding::No(_)), "{health:?}");
}

#[tokio::test]
async fn remote_write_is_tested_without_a_trace() {
    let Some(server) = PrometheusServer::start() else { return };
    let health = open_on(&server).test().await;
    assert!(health.is_good(), "{health:?}");
    assert!(health.version.as_deref().is_some_and(|version| version.starts_with("Prometheus 2.")), "{health:?}");
    assert!(health.clock_ahead_ms.is_some_and(|ahead| ahead.abs() < 5000), "{health:?}");
    assert_eq!(server.metrics(), []);
    let wrong = [("database.prometheus_remote_write.password", "wrong")];
    let health = open(kind(), &settings(&server.settings(), &wrong)).test().await;
    assert!(matches!(&health.authenticated, Finding::No(why) if why.contains("401")), "{health:?}");
}

#[tokio::test]
async fn victoriametrics_takes_remote_write() {
    let Some(server) = VictoriaServer::start() else { return };
    let changes = [
        ("database.prometheus_remote_write.username", USERNAME),
        ("database.prometheus_remote_write.password", PASSWORD),
    ];
    let settings = bare_settings(kind(), &server.url(), &changes);
    let mut sink = open(kind(), &settings);
    let points = points_from(0..500);
    sink.write(&points).await.expect("accepted");
    let got = points_of(server.metrics().into_iter().map(|(name, mut labels, samples)| {
        assert!(labels.remove("instance").is_some() && labels.remove("job").is_some());
        (name, labels, samples)
    }));
    let expected: Vec<_> = all_stored(&points).into_iter().map(|stored| ("environment".to_owned(), stored)).collect();
    assert_same(&got, &expected, "as sent");
    assert_eq!(sink.held(&points[490..]).await, Ok(Some(vec![true; 10])));
    assert!(sink.test().await.is_good());
}
