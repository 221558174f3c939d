//! `doctor` on this very machine, whatever it is: with a daemon, without one, and with settings that are refused.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{Daemon, wait_until};

/// The report and the exit code, which must agree.
#[track_caller]
fn doctor(daemon: &Daemon, arguments: &[&str]) -> Value {
    let output = daemon.cli(&[&["doctor", "--json"], arguments].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let expected = if report["healthy"] == true { 0 } else { 1 };
    assert_eq!(output.status.code(), Some(expected), "{report:#}");
    assert_eq!(report["healthy"], report["counts"]["fail"] == 0, "{report:#}");
    report
}

/// The findings of one check.
#[track_caller]
fn findings<'a>(report: &'a Value, id: &str) -> Vec<&'a Value> {
    let all = report["findings"].as_array().expect("a list");
    let found: Vec<&Value> = all.iter().filter(|finding| finding["id"] == id).collect();
    assert!(!found.is_empty(), "no {id} in {report:#}");
    found
}

#[test]
fn without_a_daemon_it_reports_and_changes_nothing() {
    let daemon = Daemon::new();
    let report = doctor(&daemon, &[]);
    assert_eq!(findings(&report, "daemon")[0]["status"], "warn");
    assert_eq!(findings(&report, "backend")[0]["status"], "ok", "none is configured");
    for finding in report["findings"].as_array().expect("a list") {
        let needs_remedy = finding["status"] == "warn" || finding["status"] == "fail";
        assert!(!needs_remedy || finding["remedy"].as_array().is_some_and(|steps| !steps.is_empty()), "{finding:#}");
    }
    assert_eq!(fs::read_dir(daemon.folder()).expect("the folder").count(), 0, "nothing was made");
}

#[test]
fn a_running_daemon_is_asked_and_its_dead_guard_noticed() {
    let mut daemon = Daemon::new();
    daemon.start();
    let report = doctor(&daemon, &[]);
    assert!(findings(&report, "daemon")[0]["found"].as_str().is_some_and(|found| found.contains("simulated box")));
    assert!(findings(&report, "sensor-reading")[0]["found"].as_str().is_some_and(|found| found.contains("°C")));
    assert_eq!(findings(&report, "faults")[0]["status"], "ok");
    assert_eq!(findings(&report, "backend")[0]["status"], "ok");

    let killed = Command::new("pkill").args(["-KILL", "-P", &daemon.pid().to_string()]).status().expect("pkill(1)");
    assert!(killed.success());
    wait_until("the fault shows", || findings(&doctor(&daemon, &["--safety"]), "faults")[0]["status"] == "fail");
    let safety = doctor(&daemon, &["--safety"]);
    assert!(safety["findings"].as_array().expect("a list").iter().all(|finding| finding["safety"] == true));
    assert_eq!(safety["healthy"], false);
}

#[test]
fn refused_settings_are_a_failure_and_not_the_end() {
    let mut daemon = Daemon::new();
    daemon.set("sensor.typ", "simulated");
    let report = doctor(&daemon, &[]);
    let settings = findings(&report, "settings")[0];
    assert_eq!(settings["status"], "fail");
    assert!(settings["found"].as_str().is_some_and(|found| found.contains("did you mean sensor.type")), "{settings:#}");
    findings(&report, "pin-persistence");
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let mut daemon = Daemon::new();
    daemon.set("heating_control.enabled", "true").set("humidity_control.enabled", "true");
    let output = daemon.cli(&["doctor", "--safety"]);
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.stderr.is_empty(), "no question: {output:?}");
    assert!(page.contains("skip  relay polarity    heater: somebody has to look at the relays"), "{page}");
}
