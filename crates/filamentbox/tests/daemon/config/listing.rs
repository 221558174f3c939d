//! `config list`

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;

use serde_json::json;

use super::{Installation, NOBODY, is_root, nobody_can_start, row};
use crate::support::BINARY;

#[test]
fn every_value_stands_with_its_source() {
    let mut place = Installation::new();
    place.ask(&["set", "history.max_mb", "32", "queue.max_size", "500"]);
    place.environment("queue.max_size", "600");
    let list = place.ask(&["list"]);
    assert_eq!(row(&list, "history.max_mb"), ["history.max_mb", "32", "store"]);
    assert_eq!(row(&list, "queue.max_size"), ["queue.max_size", "600", "environment"]);
    assert_eq!(row(&list, "sensor.type"), ["sensor.type", "auto", "default"]);
    let simulated = place.ask(&["list", "sensor.type", "--simulate"]);
    assert_eq!(row(&simulated, "sensor.type"), ["sensor.type", "simulated", "--simulate"]);
    let changed = place.ask(&["list", "--changed"]);
    assert_eq!(changed.lines().count(), 2, "{changed}");
    let section = place.ask(&["list", "history."]);
    assert!(section.lines().all(|line| line.starts_with("history.")), "{section}");
    place.assert_refused(&["list", "sensor.typ3"], &["did you mean sensor.type?"]);
}

#[test]
fn json_has_key_value_and_source() {
    let place = Installation::new();
    place.ask(&["set", "database.influxdb_v2.token", "hunter2", "database.influxdb_v2.org", "home"]);
    let list: serde_json::Value = serde_json::from_str(&place.ask(&["list", "--json", "--changed"])).expect("JSON");
    let org = json!({"key": "database.influxdb_v2.org", "value": "home", "source": "store"});
    let token = json!({"key": "database.influxdb_v2.token", "value": "********", "source": "store"});
    assert_eq!(list, json!([org, token]));
    assert!(place.ask(&["list", "--reveal"]).contains("hunter2"));
}

#[test]
fn settings_in_which_something_is_wrong_are_listed_and_marked() {
    let mut place = Installation::new();
    place.environment("heating_control.max_temp_c", "60");
    place.ask(&["set", "heating_control.min_temp_c", "50"]);
    place.environment.clear();
    place.environment("queue.max_size", "1");
    let done = place.config(&["list"]);
    assert_eq!(done.code, 2);
    assert!(done.complained.contains("2 problem(s)"), "{}", done.complained);
    assert_eq!(row(&done.said, "heating_control.min_temp_c"), ["heating_control.min_temp_c", "50", "store", "!"]);
    assert_eq!(row(&done.said, "heating_control.max_temp_c"), ["heating_control.max_temp_c", "22.0", "default", "!"]);
    assert_eq!(row(&done.said, "queue.max_size"), ["queue.max_size", "(refused)", "environment", "!"]);
    assert_eq!(row(&done.said, "sensor.type"), ["sensor.type", "auto", "default"]);
    let done = place.config(&["list", "queue.max_size", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&done.said).expect("JSON");
    assert!(list[0]["value"].is_null() && list[0]["problem"].as_str().expect("a text").contains("\"1\""), "{list}");
}

#[test]
fn settings_of_somebody_else_are_not_taken_for_none() {
    if !is_root() || !nobody_can_start(BINARY.as_ref()) {
        println!("skipped: needs root and a binary that everybody can start");
        return;
    }
    let place = Installation::new();
    place.ask(&["set", "history.max_mb", "32"]);
    for mode in [0o700, 0o755] {
        std::fs::set_permissions(place.folder.path(), PermissionsExt::from_mode(mode)).expect("allowed");
        for arguments in [&["list"][..], &["get", "history.max_mb"], &["set", "history.max_mb", "16"], &["export"]] {
            let output = place.command(arguments).uid(NOBODY).gid(NOBODY).output().expect("the binary starts");
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{arguments:?}, {mode:o}: {text}");
            assert!(output.stdout.is_empty() && text.contains("ermission denied") && text.contains("sudo"), "{text}");
        }
    }
}
