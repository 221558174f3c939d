//! Starts that must fail with a clear error, starts that must recover, and what the commands say without a daemon.

use std::fs;

use crate::support::Daemon;

#[track_caller]
fn assert_refused(daemon: &Daemon, code: i32, words: &[&str]) {
    let output = daemon.start_in_vain();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

#[test]
fn every_problem_in_the_settings_is_named_at_once() {
    let mut daemon = Daemon::new();
    daemon.set("sensor.typ", "simulated").set("data_collection.read_interval", "0.1").set("database.type", "oracle");
    let words = ["3 problem(s)", "did you mean sensor.type", "0.25 to 3600 s", "\"oracle\" is not allowed"];
    assert_refused(&daemon, 2, &words);
    assert!(!daemon.folder().join("journal.db").exists(), "nothing was touched");

    let mut daemon = Daemon::new();
    daemon.set("heating_control.min_temp_c", "23").set("humidity_control.min_humidity", "20");
    assert_refused(
        &daemon,
        2,
        &["heating_control.min_temp_c, heating_control.max_temp_c", "humidity_control.min_humidity"],
    );

    let mut daemon = Daemon::new();
    daemon.set("database.type", "influxdb_v1");
    assert_refused(&daemon, 2, &["database.influxdb_v1.database"]);
}

#[test]
fn a_second_daemon_on_the_same_folder_is_refused() {
    let mut daemon = Daemon::new();
    daemon.start();
    assert_refused(&daemon, 1, &["another filamentbox daemon", "--data-dir"]);
    assert!(daemon.status().is_some(), "the first one is not disturbed");
}

#[test]
fn something_in_the_way_of_the_socket_is_named_and_kept() {
    let daemon = Daemon::new();
    let socket = daemon.folder().join("filamentbox.sock");
    fs::write(&socket, "precious").expect("writable");
    assert_refused(&daemon, 1, &["filamentbox.sock", "not a socket"]);
    assert_eq!(fs::read_to_string(socket).expect("still there"), "precious");
}

#[test]
fn a_corrupt_journal_is_set_aside_and_said() {
    let mut daemon = Daemon::new();
    daemon.start().stop();
    let journal = daemon.folder().join("journal.db");
    let mut bytes = fs::read(&journal).expect("a journal");
    bytes[..16].fill(0xA5);
    fs::write(&journal, bytes).expect("writable");
    daemon.start();
    assert!(daemon.folder().join("journal.db.corrupt-1").exists());
    assert!(daemon.log().contains("corrupt"), "the log says so");
    assert!(daemon.ask(&["events"]).contains("corrupt"), "the event log says so");
}

#[test]
fn a_journal_from_the_future_is_left_alone() {
    let mut daemon = Daemon::new();
    daemon.start().stop();
    let journal = daemon.folder().join("journal.db");
    let connection = rusqlite::Connection::open(&journal).expect("SQLite");
    connection.pragma_update(None, "user_version", 9999).expect("writable");
    drop(connection);
    assert_refused(&daemon, 1, &["9999", "does not know"]);
    assert!(!daemon.folder().join("journal.db.corrupt-1").exists());
}

#[test]
fn commands_without_a_daemon_say_so() {
    let daemon = Daemon::new();
    for command in [&["status"][..], &["heater", "on"], &["outbox"], &["events"]] {
        let output = daemon.cli(command);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{command:?}: {text}");
        assert!(text.contains("no daemon answers") && text.contains("filamentbox run"), "{text}");
    }
}

#[test]
fn config_shows_values_with_their_sources_and_hides_secrets() {
    let mut daemon = Daemon::new();
    daemon.set("database.influxdb_v1.password", "hunter2").set("heating_control.max_temp_c", "25");
    let list = daemon.ask(&["config", "list"]);
    let line = |key: &str| list.lines().find(|line| line.starts_with(key)).expect("the key").to_owned();
    assert!(line("heating_control.max_temp_c").ends_with("environment"), "{list}");
    assert!(line("heating_control.min_temp_c").ends_with("default"), "{list}");
    assert!(!list.contains("hunter2"), "a secret is masked");
    assert_eq!(daemon.ask(&["config", "get", "heating_control.max_temp_c"]).trim(), "25");
    assert_eq!(daemon.ask(&["config", "get", "database.influxdb_v1.password", "--reveal"]).trim(), "hunter2");
    assert_eq!(daemon.cli(&["config", "get", "heating.max"]).status.code(), Some(2));
    assert!(daemon.ask(&["config", "describe", "safety.max_temp_c"]).contains("FILAMENTBOX_SAFETY__MAX_TEMP_C"));
}
