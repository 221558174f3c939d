//! The Pushgateway: groups, several boxes, the end of a group, and `database test`.

use filamentbox::sinks::{self, Finding, SinkError};
use filamentbox_core::sample::{BoxName, Point};

use crate::keeping::take_samples;
use crate::support::{Daemon, PASSWORD, PushgatewayServer, Server as _, USERNAME};

use super::{labels, open, point, settings, stored};

fn kind() -> &'static sinks::SinkKind {
    sinks::find("prometheus").expect("a kind")
}

/// The labels of the only group.
fn group(server: &PushgatewayServer) -> serde_json::Value {
    let groups = server.groups();
    assert_eq!(groups.len(), 1, "{groups:?}");
    groups[0]["labels"].clone()
}

#[tokio::test]
async fn pushgateway_keeps_any_group() {
    let Some(server) = PushgatewayServer::start() else { return };
    let own_name = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("this machine's name");
    let mut sink = open(kind(), &settings(&server.settings(), &[]));
    sink.write(&[point(0)]).await.expect("accepted");
    assert_eq!(group(&server), serde_json::json!({ "job": "filamentbox", "instance": own_name.trim() }));
    server.request("DELETE", &format!("/metrics/job/filamentbox/instance/{}", own_name.trim()));
    let values = ["attic", "/", "a/b ü?&#%2F+", "..", ".", "a.b~c", " "];
    for (index, value) in values.into_iter().enumerate() {
        let changes = [
            ("database.prometheus.job", value),
            ("database.prometheus.instance", value),
            ("database.prometheus.grouping.site", value),
            ("database.prometheus.grouping.empty", ""),
            ("database.prometheus.delete_on_stop", "true"),
        ];
        let mut sink = open(kind(), &settings(&server.settings(), &changes));
        let point = point(i64::try_from(index).expect("small"));
        sink.write(std::slice::from_ref(&point)).await.unwrap_or_else(|error| panic!("{value:?}: {error}"));
        let mut expected = serde_json::json!({ "job": value, "instance": value, "site": value });
        expected["empty"] = "".into();
        assert_eq!(group(&server), expected);
        assert_eq!(server.points("environment"), [stored(&point, &[])], "{value:?}");
        sink.close().await.expect("deleted");
        assert_eq!(server.groups(), [] as [serde_json::Value; 0], "{value:?}");
    }
}

#[tokio::test]
async fn pushgateway_keeps_every_box_and_never_an_older_point() {
    let Some(server) = PushgatewayServer::start() else { return };
    let mut sink = (kind().open)(&settings(&server.settings(), &[]), &labels(&[], true)).expect("opens");
    let of = |name: &str, index| Point { box_name: BoxName::new(name).expect("a name"), ..point(index) };
    sink.write(&[of("a", 1), of("b", 2)]).await.expect("accepted");
    sink.write(&[of("a", 4), of("a", 3)]).await.expect("accepted");
    let expected = [stored(&point(2), &[("box", "b")]), stored(&point(4), &[("box", "a")])];
    assert_eq!(server.points("environment"), expected, "box b is still there, and box a has its newest");
    sink.close().await.expect("nothing to do");
    assert_eq!(server.points("environment"), expected, "what it does not delete stays");
}

#[tokio::test]
async fn pushgateway_refuses_what_contradicts_another_group() {
    let Some(server) = PushgatewayServer::start() else { return };
    let mut sink = open(kind(), &settings(&server.settings(), &[]));
    let strange = "# TYPE environment_temperature_celsius counter\nenvironment_temperature_celsius 1\n";
    let url = format!("{}/metrics/job/strange", server.url());
    let request = reqwest::Client::new().put(url).basic_auth(USERNAME, Some(PASSWORD)).body(strange);
    assert_eq!(request.send().await.expect("it answers").status(), 200);
    let error = sink.write(&[point(1)]).await.expect_err("another type");
    assert!(matches!(error, SinkError::Rejected { lasting: false, .. }), "{error:?}");
    assert!(error.to_string().contains("is not a"), "{error}");
    server.request("DELETE", "/metrics/job/strange");
    sink.write(&[point(1)]).await.expect("accepted when the contradiction is gone");
}

#[test]
fn pushgateway_has_the_newest_sample_of_a_daemon_until_it_stops() {
    let Some(server) = PushgatewayServer::start() else { return };
    let mut daemon = Daemon::new();
    for (key, value) in server.settings() {
        daemon.set(&key, &value);
    }
    daemon.set("data_collection.flush_interval", "1").set("database.prometheus.delete_on_stop", "true").start();
    take_samples(&daemon, 12);
    let totals = daemon.outbox("prometheus")["totals"].clone();
    let count = |name: &str| totals[name].as_u64().expect("a number");
    assert!(count("delivered") > 0 && count("superseded") > 0, "{totals}");
    assert_eq!(count("delivered") + count("superseded") + count("waiting"), count("sampled"), "{totals}");
    let [newest] = &server.points("environment")[..] else { panic!("one point") };
    let history = daemon.history();
    let at = |sample: &serde_json::Value| (sample["timestamp"].as_f64().expect("a time") * 1000.0).round() as i64;
    let sample = history.iter().find(|sample| at(sample) == newest.ms).expect("a sample of that time");
    assert_eq!(sample["temperature_c"].as_f64(), newest.fields.get("temperature_c").copied());
    assert!(daemon.stop().success());
    assert_eq!(server.groups(), [] as [serde_json::Value; 0]);
}

#[tokio::test]
async fn pushgateway_is_tested_without_a_trace() {
    let Some(server) = PushgatewayServer::start() else { return };
    let health = open(kind(), &settings(&server.settings(), &[])).test().await;
    assert!(health.is_good() && health.authenticated == Finding::Yes, "{health:?}");
    assert!(health.version.as_deref().is_some_and(|version| version.starts_with("Pushgateway 1.")), "{health:?}");
    assert!(health.clock_ahead_ms.is_some_and(|ahead| ahead.abs() < 5000), "{health:?}");
    assert_eq!(server.groups(), [] as [serde_json::Value; 0]);
    let wrong = settings(&server.settings(), &[("database.prometheus.password", "wrong")]);
    let health = open(kind(), &wrong).test().await;
    assert_eq!(health.reachable, Finding::Yes);
    assert!(matches!(&health.authenticated, Finding::No(why) if why.contains("401")), "{health:?}");
    let nobody = settings(&server.settings(), &[("database.prometheus.url", "http://127.0.0.1:1")]);
    let health = open(kind(), &nobody).test().await;
    assert!(matches!(&health.reachable, Finding::No(why) if why.contains("127.0.0.1:1")), "{health:?}");
    let mut sink = open(kind(), &nobody);
    assert!(matches!(sink.write(&[point(0)]).await, Err(SinkError::Retry { .. })));
}
