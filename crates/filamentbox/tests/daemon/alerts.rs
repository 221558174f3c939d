//! The alert hooks: once when a backend fails for long, once when it works again, and nothing waits for them.

use serde_json::Value;

use crate::support::{Daemon, Fault, FaultServer, Manner, Recorder, wait_until};

/// Refused so often; then accepted.
fn refusals(count: usize) -> impl Iterator<Item = Fault> {
    (0..count).map(|_| Fault::Answer(503, "", "full".to_owned())).chain([Fault::Accept])
}

/// A daemon that delivers to `server` and tells of the third failure.
fn daemon(server: &FaultServer) -> Daemon {
    let mut daemon = Daemon::new();
    daemon.set("database.type", "influxdb_v1").set("database.influxdb_v1.database", "filament");
    daemon.set("database.influxdb_v1.url", &server.url());
    daemon.set("data_collection.flush_interval", "1");
    daemon.set("retry.alert_threshold", "3").set("retry.backoff_base", "0.1").set("retry.backoff_max", "1");
    daemon
}

/// Event, failures and backend of each alert.
fn told(alerts: &[Value]) -> Vec<(&str, u64, &str)> {
    alerts
        .iter()
        .map(|alert| {
            let text = |key: &str| alert[key].as_str().unwrap_or_default();
            (text("event"), alert["failures"].as_u64().unwrap_or(0), text("backend"))
        })
        .collect()
}

const TWO_EPISODES: [(&str, u64, &str); 4] = [
    ("backend_failing", 3, "influxdb_v1"),
    ("backend_recovered", 5, "influxdb_v1"),
    ("backend_failing", 3, "influxdb_v1"),
    ("backend_recovered", 4, "influxdb_v1"),
];

#[test]
fn a_command_is_run_once_an_episode_and_once_on_recovery() {
    let server = FaultServer::start(refusals(5).chain(refusals(2)).chain(refusals(4)));
    let mut daemon = daemon(&server);
    let file = daemon.folder().join("alerts.jsonl").display().to_string();
    daemon.set("alerts.command", &format!("sh -c 'cat >> \"$1\"; exit 1' sh '{file}'")).start();
    let alerts = || -> Vec<Value> {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    wait_until("four alerts", || alerts().len() >= 4);
    let count = server.requests().len();
    wait_until("further deliveries", || server.requests().len() > count + 2);
    let alerts = alerts();
    assert_eq!(told(&alerts), TWO_EPISODES, "the episode of two failures is not told");
    for alert in &alerts {
        assert_eq!(alert["reason"], "InfluxDB 1.x answered 503 Service Unavailable: full", "{alert}");
        assert!(alert["since"].as_f64() <= alert["timestamp"].as_f64() && alert["since"].is_number(), "{alert}");
        assert!(alert["backlog_points"].as_u64().is_some_and(|points| points > 0), "{alert}");
        assert_eq!(alert["version"], env!("CARGO_PKG_VERSION"), "{alert}");
    }
    daemon.stop();
    let log = daemon.log();
    let lines = log.lines().filter(|line| line.contains("alerts.command ended with exit status: 1")).count();
    assert_eq!(lines, 4, "a line each time that it failed");
}

#[test]
fn a_webhook_gets_the_same_alerts() {
    let server = FaultServer::start(refusals(5).chain(refusals(4)));
    let webhook = Recorder::start(Manner::Plain);
    let mut daemon = daemon(&server);
    daemon.set("alerts.webhook_url", &format!("http://{}/hook/secret", webhook.address())).start();
    wait_until("four alerts", || webhook.requests().len() >= 4);
    let count = server.requests().len();
    wait_until("further deliveries", || server.requests().len() > count + 2);
    let requests = webhook.requests();
    let alerts: Vec<Value> =
        requests.iter().map(|request| serde_json::from_slice(&request.body).expect("JSON")).collect();
    assert_eq!(told(&alerts), TWO_EPISODES);
    for request in requests {
        let head = request.head.to_lowercase();
        assert!(head.starts_with("post /hook/secret http/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/json\r\n"), "{head}");
    }
}

#[test]
fn hooks_that_fail_are_said_once_and_hold_up_nothing() {
    let server = FaultServer::start(refusals(3));
    let refusing = FaultServer::start((0..9).map(|_| Fault::Answer(500, "", "no".to_owned())));
    let mut daemon = daemon(&server);
    daemon.set("alerts.command", "/nowhere/notify 'a b'");
    daemon.set("alerts.webhook_url", &format!("{}/secret", refusing.url())).start();
    wait_until("both alerts", || refusing.requests().len() >= 2);
    wait_until("delivery", || daemon.outbox("influxdb_v1")["connected"] == true);
    daemon.stop();
    let log = daemon.log();
    let count = |words: &str| log.lines().filter(|line| line.contains("WARN") && line.contains(words)).count();
    assert_eq!(count("alerts.command: /nowhere/notify is not there"), 1, "at the start");
    assert_eq!(count("alerts.command cannot be started"), 2);
    assert_eq!(count(&format!("alerts.webhook_url {} answered 500", refusing.url())), 2);
    assert!(!log.contains("/secret"));
}

#[test]
fn a_hook_that_hangs_holds_up_nothing_and_ends_with_the_daemon() {
    let server = FaultServer::start(refusals(4));
    let mut daemon = daemon(&server);
    let file = daemon.folder().join("pid");
    daemon.set("alerts.command", &format!("sh -c 'sleep 600 & echo $! > \"$1\"; wait' sh '{}'", file.display()));
    daemon.start();
    let pid = || std::fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
    wait_until("the hook", || !pid().is_empty());
    let delivered = || daemon.outbox("influxdb_v1")["totals"]["delivered"].as_u64().unwrap_or(0);
    wait_until("delivery while it hangs", || delivered() > 8);
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid())).unwrap_or_default();
    assert!(state().contains("(sleep)"), "it still hangs: {}", state());
    assert!(daemon.stop().success());
    // It may be a zombie until the process that inherited it looks.
    wait_until("its end", || state().rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z')));
}

#[test]
fn a_command_that_cannot_be_read_is_refused_at_the_start() {
    let mut daemon = Daemon::new();
    daemon.set("alerts.command", "mail -s 'no end");
    let output = daemon.start_in_vain();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("alerts.command") && text.contains("a quote is not closed"), "{text}");
}
