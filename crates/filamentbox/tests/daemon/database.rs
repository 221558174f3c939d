//! `database test`: each backend's health, against real servers in each of their states.

use serde_json::Value;

use crate::support::{Daemon, Fault, FaultServer, InfluxServer, PASSWORD, Server as _, VmAuth, wait_until};

fn daemon(settings: &[(String, String)]) -> Daemon {
    let mut daemon = Daemon::new();
    for (key, value) in settings {
        daemon.set(key, value);
    }
    daemon
}

/// What it prints, and its exit code.
fn test(daemon: &Daemon, arguments: &[&str]) -> (String, Option<i32>) {
    let output = daemon.cli(&[&["database", "test"], arguments].concat());
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!text.contains(PASSWORD) && !text.contains("wr0ng"), "{text}");
    (text, output.status.code())
}

fn json(daemon: &Daemon) -> Value {
    serde_json::from_str(&test(daemon, &["--json"]).0).expect("JSON")
}

#[test]
fn without_a_backend_there_is_nothing_to_test() {
    let (text, code) = test(&daemon(&[]), &[]);
    assert!(text.contains("no backend is configured") && code == Some(0), "{text}");
    assert_eq!(json(&daemon(&[])), serde_json::json!({ "healthy": true, "backends": [] }));
}

#[test]
fn influxdb_in_each_of_its_states() {
    let Some(mut server) = InfluxServer::start() else { return };
    let url = server.url();
    let mut daemon = daemon(&server.settings());
    let (text, code) = test(&daemon, &[]);
    let expected = format!("influxdb_v1  ok    {url}: authenticated, may write, InfluxDB 1.6.");
    assert!(text.starts_with(&expected) && text.ends_with(", same clock\n") && code == Some(0), "{text}");

    daemon.set("database.influxdb_v1.password", "wr0ng");
    let (text, code) = test(&daemon, &[]);
    assert!(text.starts_with(&format!("influxdb_v1  FAIL  {url}: InfluxDB 1.x answered 401")), "{text}");
    assert!(text.contains("check user name and password") && code == Some(1), "{text}");
    let backend = json(&daemon)["backends"][0].clone();
    assert_eq!((&backend["reachable"], &backend["authenticated"]), (&true.into(), &false.into()), "{backend}");
    assert_eq!((&backend["may_write"], &backend["ok"]), (&Value::Null, &false.into()), "{backend}");

    daemon.set("database.influxdb_v1.password", PASSWORD).set("database.influxdb_v1.database", "nowhere");
    let (text, code) = test(&daemon, &[]);
    assert!(text.contains("FAIL") && text.contains("nowhere") && code == Some(1), "{text}");
    assert!(!server.query("SHOW DATABASES").to_string().contains("nowhere"), "a test changes nothing");

    server.query("CREATE DATABASE readable");
    server.query(&format!("GRANT READ ON readable TO {}", crate::support::USERNAME));
    daemon.set("database.influxdb_v1.database", "readable");
    let (text, code) = test(&daemon, &[]);
    assert!(text.contains("FAIL") && text.contains("403") && code == Some(1), "{text}");
    let backend = json(&daemon)["backends"][0].clone();
    assert_eq!((&backend["authenticated"], &backend["may_write"]), (&true.into(), &false.into()), "{backend}");

    assert_eq!(server.all_points(), [], "a test stores nothing");
    server.terminate();
    let (text, code) = test(&daemon, &[]);
    assert!(text.starts_with(&format!("influxdb_v1  FAIL  cannot connect to {url}: ")), "{text}");
    assert!(text.to_lowercase().contains("connection refused") && code == Some(1), "{text}");
}

/// All at once, a line each in the order of the setting; and the time limit of one does not touch the other.
#[test]
fn a_backend_that_hangs_holds_up_no_other() {
    let Some(server) = InfluxServer::start() else { return };
    let hanging = FaultServer::start([Fault::Hang]);
    let mut daemon = daemon(&server.settings());
    daemon.set("database.type", "victoriametrics,influxdb_v1").set("database.victoriametrics.url", &hanging.url());
    let (text, code) = test(&daemon, &[]);
    let lines: Vec<&str> = text.lines().collect();
    let expected = format!("victoriametrics  FAIL  {}: no answer within 15 s", hanging.url());
    assert_eq!((lines[0], code), (expected.as_str(), Some(1)), "{text}");
    assert!(lines[1].starts_with("influxdb_v1      ok    ") && lines.len() == 2, "{text}");
}

#[test]
fn a_running_daemon_tells_its_backlog_and_doctor_says_the_same() {
    let Some(mut server) = InfluxServer::start() else { return };
    let mut daemon = daemon(&server.settings());
    server.terminate();
    daemon.set("data_collection.flush_interval", "1").start();
    wait_until("a failure", || !daemon.outbox("influxdb_v1")["last_error"].is_null());
    let backend = json(&daemon)["backends"][0].clone();
    assert!(backend["backlog_points"].as_u64().is_some_and(|points| points > 0), "{backend}");
    assert!(backend["oldest_unsent"].is_number() && backend["last_error"].is_string(), "{backend}");
    let (text, _) = test(&daemon, &[]);
    assert!(text.contains("; backlog ") && text.contains(", last error: cannot connect to"), "{text}");
    server.restart();
    wait_until("delivery", || daemon.outbox("influxdb_v1")["connected"] == true);
    let (text, code) = test(&daemon, &[]);
    assert!(text.contains("may write") && text.contains("; backlog ") && code == Some(0), "{text}");
    let doctor: Value = serde_json::from_slice(&daemon.cli(&["doctor", "--json"]).stdout).expect("JSON");
    let findings = doctor["findings"].as_array().expect("findings").iter();
    let backends: Vec<&Value> = findings.filter(|finding| finding["id"] == "backend").collect();
    assert_eq!((backends.len(), &backends[0]["status"]), (1, &"ok".into()), "{backends:?}");
    assert!(backends[0]["found"].as_str().is_some_and(|found| found.contains("may write")), "{backends:?}");
}

#[test]
fn vmauth_in_each_of_its_states() {
    let Some(mut server) = VmAuth::start() else { return };
    let mut daemon = Daemon::new();
    daemon.set("database.type", "victoriametrics").set("database.victoriametrics.url", &server.url());
    let failing = |daemon: &Daemon, words: &str| {
        let (text, code) = test(daemon, &[]);
        assert!(text.contains("FAIL") && text.contains(words) && code == Some(1), "{text}");
        json(daemon)["backends"][0]["authenticated"].clone()
    };
    assert_eq!(failing(&daemon, "answered 401"), false);
    daemon.set("database.victoriametrics.token", "wr0ng");
    assert_eq!(failing(&daemon, "(check the token"), false);
    daemon.set("database.victoriametrics.token", VmAuth::TOKEN);
    let (text, code) = test(&daemon, &[]);
    assert!(text.contains("authenticated, may write") && code == Some(0), "{text}");
    server.stop_node();
    assert_eq!(failing(&daemon, "answered 502"), Value::Null);
}
