//! A running daemon and settings that change: by another process, through the API, and not at all when something is wrong with them.
//! No time is asserted: a busy machine is late, and that is no fault.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Daemon, FaultServer, child_of, wait_until};

/// A daemon with a cold box whose heater nobody wants yet, and its settings in the store.
fn daemon() -> Daemon {
    let mut daemon = Daemon::new();
    daemon.store(&[("heating_control.min_temp_c", Some("1")), ("heating_control.max_temp_c", Some("2"))]);
    daemon.start();
    daemon
}

const WARM: &[(&str, Option<&str>)] =
    &[("heating_control.min_temp_c", Some("40")), ("heating_control.max_temp_c", Some("42"))];
const COLD: &[(&str, Option<&str>)] =
    &[("heating_control.min_temp_c", Some("1")), ("heating_control.max_temp_c", Some("2"))];

/// The part of the status that is about settings, once it is so.
#[track_caller]
fn wait_for(daemon: &Daemon, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let settings = || daemon.status().map(|status| status["settings"].clone());
    wait_until(what, || settings().is_some_and(|settings| is_so(&settings)));
    settings().expect("it answers")
}

fn is_list_of(value: &Value, texts: &[&str]) -> bool {
    *value == json!(texts)
}

#[test]
fn what_another_process_changes_reaches_the_heater_and_the_event_log() {
    let daemon = daemon();
    daemon.store(WARM);
    daemon.wait_for_output("heater", true);
    daemon.store(COLD);
    daemon.wait_for_output("heater", false);
    let events = daemon.ask(&["events"]);
    assert!(events.contains("heating_control.min_temp_c: 1 -> 40 (by test)"), "{events}");
    assert!(events.contains("heating_control.max_temp_c: 42 -> 2 (by test)"), "{events}");
}

#[test]
fn a_lower_cut_off_releases_a_heater_that_is_on_by_hand() {
    let mut daemon = Daemon::new();
    daemon.set("sensor.temperature_offset_c", "15").store(COLD);
    daemon.start();
    daemon.ask(&["heater", "on"]);
    daemon.wait_for_output("heater", true);
    daemon.store(&[("safety.max_temp_c", Some("25"))]);
    daemon.wait_for_output("heater", false);
    let status = daemon.status().expect("it answers");
    let why = status["safety"]["reason"].as_str().expect("a reason");
    assert!(why.contains("the cut-off of 25 °C"), "{why}");
    assert_eq!(status["safety"]["faults"], json!([]), "{status}");
}

#[test]
fn what_is_not_allowed_is_said_and_the_last_good_settings_hold() {
    let mut daemon = Daemon::new();
    // For other processes, which do not see this, the band below is allowed.
    daemon.set("safety.max_temp_c", "40");
    daemon.store(COLD);
    daemon.start();
    daemon.store(WARM);
    let settings = wait_for(&daemon, "the problem", |settings| !is_list_of(&settings["problems"], &[]));
    let problem = settings["problems"][0].as_str().expect("a text");
    assert!(problem.contains("heating_control.max_temp_c") && problem.contains("safety.max_temp_c"), "{problem}");
    let (_, shown) = daemon.http("GET", "/api/config/heating_control.min_temp_c", "");
    assert_eq!(shown["value"], 1.0, "{shown}");
    daemon.store(&[("data_collection.measurement", Some("air"))]);
    daemon.store(COLD);
    wait_for(&daemon, "its end", |settings| is_list_of(&settings["problems"], &[]));
    let events = daemon.ask(&["events"]);
    assert_eq!(events.matches("the settings are not taken, the last good ones hold").count(), 1, "{events}");
    assert_eq!(events.matches("the settings are good again").count(), 1, "{events}");
    assert!(!events.contains("min_temp_c: 1 -> 40"), "{events}");
    let heats = |line: &Vec<String>| line[1..4] == ["output", "heater", "1"];
    assert!(!daemon.trace().iter().any(heats), "it never heated");
}

#[test]
fn a_store_that_is_replaced_or_gone_is_noticed() {
    let daemon = daemon();
    let store = daemon.folder().join("config.db");
    let copy = daemon.folder().join("copy");
    fs::copy(&store, &copy).expect("a backup");
    daemon.store(WARM);
    daemon.wait_for_output("heater", true);
    fs::rename(&copy, &store).expect("put back");
    daemon.wait_for_output("heater", false);
    daemon.store(WARM);
    daemon.wait_for_output("heater", true);
    fs::rename(&store, &copy).expect("removed");
    wait_for(&daemon, "the problem", |settings| !is_list_of(&settings["problems"], &[]));
    assert_eq!(daemon.http("PUT", "/api/config/data_collection.measurement", r#"{"value":"air"}"#).0, 503);
    fs::rename(&copy, &store).expect("put back");
    wait_for(&daemon, "its end", |settings| is_list_of(&settings["problems"], &[]));
    assert_eq!(daemon.traced_output("heater").map(|(_, on)| on), Some(true));
}

#[test]
fn sighup_reads_the_settings_again() {
    let daemon = daemon();
    daemon.signal("-HUP");
    wait_until("the line", || daemon.log().contains("SIGHUP: the settings are read again"));
    daemon.store(WARM);
    daemon.wait_for_output("heater", true);
}

#[test]
fn readings_come_in_the_new_interval_and_with_the_new_calibration() {
    let mut daemon = Daemon::new();
    daemon.unset("data_collection.read_interval");
    daemon.store(&[("heating_control.enabled", Some("false")), ("data_collection.read_interval", Some("3600"))]);
    daemon.start();
    let samples = || daemon.status().and_then(|status| status["journal"]["samples"].as_u64()).unwrap_or(0);
    assert_eq!(samples(), 1);
    let before = daemon.status().expect("it answers")["sensor"]["temperature_c"].as_f64().expect("a reading");
    daemon.store(&[("data_collection.read_interval", Some("0.25")), ("sensor.temperature_offset_c", Some("-15"))]);
    wait_until("more samples", || samples() > 8);
    let after = daemon.status().expect("it answers")["sensor"]["temperature_c"].as_f64().expect("a reading");
    assert!((before - 15.0 - after).abs() < 5.0, "{before} °C, then {after} °C");
}

#[test]
fn outputs_come_go_and_move_without_a_restart() {
    let mut daemon = Daemon::new();
    let enabled = |heater, fan| [("heating_control.enabled", Some(heater)), ("humidity_control.enabled", Some(fan))];
    daemon.store(&enabled("false", "false"));
    daemon.start();
    assert_eq!(child_of(&daemon), "", "there is nothing to guard");
    assert_eq!(daemon.cli(&["heater", "on"]).status.code(), Some(2));

    daemon.store(&enabled("true", "false"));
    wait_until("a heater", || daemon.cli(&["heater", "on"]).status.success());
    daemon.wait_for_output("heater", true);

    // All lines are inactive before they are claimed anew, and the override goes on.
    daemon.store(&[("heating_control.gpio_pin", Some("17")), ("humidity_control.enabled", Some("true"))]);
    wait_until("a fan", || daemon.cli(&["fan", "on"]).status.success());
    daemon.wait_for_output("fan", true);
    daemon.wait_for_output("heater", true);
    let mut states: Vec<bool> = daemon
        .trace()
        .iter()
        .filter(|line| line[1] == "output" && line[2] == "heater")
        .map(|line| line[3] == "1")
        .collect();
    states.dedup();
    assert_eq!(states, [false, true, false, true], "off in between");
    assert!(daemon.ask(&["events"]).contains("heater off: its line is claimed anew"));

    daemon.store(&enabled("false", "true"));
    daemon.wait_for_output("heater", false);
    wait_until("the fan is on", || daemon.status().is_some_and(|status| status["controls"]["fan"]["on"] == true));
    let status = daemon.status().expect("it answers");
    assert_eq!(status["controls"]["heater"]["enabled"], false, "{status}");
    assert_eq!(status["safety"]["faults"], json!([]), "{status}");
}

/// A backend's keys for `server`.
fn influx(server: &FaultServer) -> Vec<(&'static str, String)> {
    vec![
        ("database.type", "influxdb_v1".to_owned()),
        ("database.influxdb_v1.url", server.url()),
        ("database.influxdb_v1.database", "filament".to_owned()),
        ("data_collection.flush_interval", "1".to_owned()),
    ]
}

fn store(daemon: &Daemon, settings: &[(&'static str, String)]) {
    daemon.store(&settings.iter().map(|(key, text)| (*key, Some(text.as_str()))).collect::<Vec<_>>());
}

/// The lines of all requests.
fn lines(server: &FaultServer) -> Vec<String> {
    let requests = server.requests().into_iter().filter(|request| request.contains("/write?"));
    let body = |request: String| request.split_once("\r\n\r\n").map(|(_, body)| body.to_owned() + "\n");
    let text: String = requests.filter_map(body).collect();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_backend_comes_goes_and_comes_back_and_no_sample_is_missing_or_twice() {
    let server = FaultServer::start([]);
    let mut daemon = Daemon::new();
    daemon.start();
    store(&daemon, &influx(&server));
    wait_until("deliveries", || lines(&server).len() > 4);
    daemon.store(&[("database.type", None)]);
    let backends =
        |daemon: &Daemon| daemon.status().map(|status| status["database"]["sinks"].as_array().map_or(0, Vec::len));
    wait_until("it has gone", || backends(&daemon) == Some(0));
    let count = lines(&server).len();
    let samples =
        |daemon: &Daemon| daemon.status().and_then(|status| status["journal"]["samples"].as_u64()).unwrap_or(0);
    let now = samples(&daemon);
    wait_until("more samples", || samples(&daemon) > now + 8);
    assert_eq!(lines(&server).len(), count, "nothing is sent to what has gone");
    store(&daemon, &influx(&server));
    wait_until("deliveries", || lines(&server).len() > count + 8);
    daemon.stop();
    let sent = lines(&server);
    let times: Vec<&str> = sent.iter().filter_map(|line| line.rsplit(' ').next()).collect();
    let history = daemon.history();
    let mut once = times.clone();
    once.dedup();
    assert_eq!((once.len(), sent.len()), (times.len(), history.len()), "{times:?}");
}

#[test]
fn tags_and_token_of_a_backend_at_work_change() {
    let server = FaultServer::start([]);
    let mut daemon = Daemon::new();
    store(&daemon, &influx(&server));
    daemon.start();
    wait_until("deliveries", || !lines(&server).is_empty());
    daemon.store(&[
        ("data_collection.tags.shelf", Some("2")),
        ("data_collection.measurement", Some("air")),
        ("database.influxdb_v1.username", Some("me")),
        ("database.influxdb_v1.password", Some("hunter2")),
    ]);
    wait_until("the new labels", || lines(&server).iter().any(|line| line.starts_with("air,shelf=2 ")));
    assert!(server.requests().iter().any(|request| request.to_lowercase().contains("authorization: basic")));
    let events = daemon.ask(&["events"]);
    assert!(events.contains("database.influxdb_v1.password: not set -> (secret) (by test)"), "{events}");
    let (_, shown) = daemon.http("GET", "/api/config/database.influxdb_v1.password", "");
    assert_eq!((&shown["value"], &shown["set"]), (&json!("********"), &json!(true)), "{shown}");
    let (_, section) = daemon.http("GET", "/api/config/section/database.influxdb_v1", "");
    for text in [events, section.to_string(), shown.to_string(), daemon.log()] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_backend_mended_by_a_setting_ends_its_alarm() {
    let server = FaultServer::start([]);
    let mut daemon = Daemon::new();
    let mut settings = influx(&server);
    settings[1].1 = "http://127.0.0.1:1".to_owned();
    store(&daemon, &settings);
    daemon.set("retry.alert_threshold", "2").set("retry.backoff_base", "0.1").set("retry.backoff_max", "1").start();
    wait_until("the alarm", || daemon.ask(&["events"]).contains("influxdb_v1 has failed 2 times"));
    store(&daemon, &influx(&server));
    wait_until("its end", || daemon.ask(&["events"]).contains("influxdb_v1 delivers again"));
}

#[test]
fn what_takes_effect_at_the_next_start_is_said_to() {
    let mut daemon = daemon();
    daemon.store(&[("simulation.fault", Some("unplugged")), ("heating_control.min_on", Some("1"))]);
    let settings = wait_for(&daemon, "the key", |settings| !is_list_of(&settings["restart_needed"], &[]));
    assert!(is_list_of(&settings["restart_needed"], &["simulation.fault"]), "{settings}");
    assert!(
        daemon
            .ask(&["events"])
            .contains("simulation.fault: none -> unplugged (by test); takes effect at the next start")
    );
    assert!(daemon.status().expect("it answers")["sensor"]["temperature_c"].is_number());
    daemon.stop();
    daemon.start_without_reading();
    wait_until("it holds", || daemon.log().contains("the simulated sensor is unplugged"));
    let settings = daemon.status().expect("it answers")["settings"].clone();
    assert!(is_list_of(&settings["restart_needed"], &[]), "{settings}");
}

#[test]
fn the_api_shows_checks_and_changes() {
    let daemon = daemon();
    let (status, shown) = daemon.http("GET", "/api/config/safety.max_temp_c", "");
    assert_eq!((status, &shown["value"], &shown["type"]), (200, &json!(70.0), &json!("float")), "{shown}");
    assert_eq!(
        (&shown["min"], &shown["max"], &shown["source"]),
        (&json!(25.0), &json!(85.0), &json!("default")),
        "{shown}"
    );
    let (status, answer) = daemon.http("PUT", "/api/config/safety.max_temp_c", r#"{"value":60}"#);
    assert_eq!((status, &answer["success"], &answer["value"]), (200, &json!(true), &json!(60.0)), "{answer}");
    assert!(daemon.ask(&["events"]).contains("safety.max_temp_c: 70 -> 60 (by api)"));
    assert_eq!(daemon.ask(&["config", "get", "safety.max_temp_c"]).trim(), "60", "other processes see it");

    let (status, refused) = daemon.http("PUT", "/api/config/safety.max_temp_c", r#"{"value":"hot"}"#);
    assert_eq!((status, &refused["valid"]), (400, &json!(false)), "{refused}");
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("a number from 25 to 85")), "{refused}");
    let (status, refused) = daemon.http("PUT", "/api/config/heating_control.max_temp_c", r#"{"value":58}"#);
    assert!(
        status == 400 && refused["error"].as_str().is_some_and(|error| error.contains("safety.max_temp_c")),
        "{refused}"
    );
    assert_eq!(daemon.http("PUT", "/api/config/safety.max_temp_c", r#"{"valu":58}"#).0, 400);
    for method in ["GET", "PUT"] {
        let (status, unknown) = daemon.http(method, "/api/config/safety.max_temp", r#"{"value":58}"#);
        assert!(
            status == 404 && unknown["error"].as_str().is_some_and(|error| error.contains("did you mean")),
            "{unknown}"
        );
    }
    let (status, _) = daemon.http("PUT", "/api/config/safety.max_temp_c", r#"{"value":null}"#);
    let (_, shown) = daemon.http("GET", "/api/config/safety.max_temp_c", "");
    assert_eq!((status, &shown["value"], &shown["source"]), (200, &json!(70.0), &json!("default")), "{shown}");

    let (status, section) = daemon.http("GET", "/api/config/section/heating_control", "");
    assert_eq!((status, &section["heating_control.min_temp_c"]["value"]), (200, &json!(1.0)), "{section}");
    assert_eq!(section["heating_control.min_temp_c"]["default"], 20.0, "{section}");
    assert_eq!(daemon.http("GET", "/api/config/section/heating", "").0, 404);
    // The same value from elsewhere changes nothing but the source.
    let (_, answer) = daemon.http("PUT", "/api/config/safety.max_temp_c", r#"{"value":"70"}"#);
    assert_eq!((&answer["value"], &answer["source"]), (&json!(70.0), &json!("store")), "{answer}");
    // What the environment says wins, and the answer shows it.
    let (status, answer) = daemon.http("PUT", "/api/config/data_collection.read_interval", r#"{"value":3}"#);
    assert_eq!((status, &answer["value"], &answer["source"]), (200, &json!(0.25), &json!("environment")), "{answer}");
}
