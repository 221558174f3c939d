//! `config set`, `config unset`, and the original's flags for them.

use super::{Installation, row};
use crate::support::store_unchecked;

#[test]
fn a_setting_is_stored_shown_and_taken_out_again() {
    let place = Installation::new();
    let said = place.ask(&["set", "heating_control.max_temp_c", "45"]);
    assert!(said.contains("22.0 (default) -> 45") && said.contains("config.db"), "{said}");
    assert_eq!(place.ask(&["get", "heating_control.max_temp_c"]).trim(), "45");
    assert!(place.ask(&["set", "heating_control.max_temp_c", "46"]).contains("45 (store) -> 46"));
    assert!(place.ask(&["set", "heating_control.max_temp_c", "46"]).contains("46 already"));
    assert!(place.ask(&["unset", "heating_control.max_temp_c"]).contains("46 (store) -> 22.0 (default)"));
    assert_eq!(place.ask(&["get", "heating_control.max_temp_c"]).trim(), "22.0");
    assert!(place.ask(&["unset", "heating_control.max_temp_c"]).contains("not in the store; 22.0 (default) holds"));
}

#[test]
fn everything_wrong_is_said_at_once_and_nothing_is_changed() {
    let place = Installation::new();
    let wrong = ["set", "sensor.typ", "auto", "database.type", "oracle", "safety.max_temp_c", "200", "ui.x", "1"];
    let words =
        ["4 problem(s)", "did you mean sensor.type?", "victoriametrics", "from 25 to 85 °C", "ui.x: unknown key"];
    place.assert_refused(&wrong, &words);
    assert!(place.files().is_empty(), "not even a store is made");
    place.ask(&["set", "queue.max_size", "500"]);
    place.assert_refused(&["set", "queue.max_size", "600", "sensor.i2c_bus", "no"], &["sensor.i2c_bus"]);
    assert_eq!(place.ask(&["get", "queue.max_size"]).trim(), "500");
    place.assert_refused(&["unset", "queue.max_size", "sensor.typ"], &["did you mean sensor.type?"]);
    place.assert_refused(&["set", "queue.max_size"], &["needs a value"]);
    place.assert_refused(&["set", "queue.max_siz"], &["did you mean queue.max_size?"]);
}

#[test]
fn settings_that_need_each_other_change_together() {
    let place = Installation::new();
    let words =
        ["heating_control.min_temp_c, heating_control.max_temp_c", "not allowed together", "KEY VALUE KEY VALUE"];
    place.assert_refused(&["set", "heating_control.min_temp_c", "43"], &words);
    place.ask(&["set", "heating_control.min_temp_c", "43", "heating_control.max_temp_c=45"]);
    assert_eq!(place.ask(&["get", "heating_control.min_temp_c"]).trim(), "43");
    place.assert_refused(&["unset", "heating_control.max_temp_c"], &["not allowed together"]);
    place.ask(&["unset", "heating_control.max_temp_c", "heating_control.min_temp_c"]);
}

#[test]
fn a_value_that_does_not_hold_is_said_to_be_stored_only() {
    let mut place = Installation::new();
    place.environment("heating_control.max_temp_c", "25");
    let said = place.ask(&["set", "heating_control.max_temp_c", "30"]);
    let words = ["30 is stored, but 25 holds", "FILAMENTBOX_HEATING_CONTROL__MAX_TEMP_C in the environment wins"];
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    let said = place.ask(&["unset", "heating_control.max_temp_c"]);
    assert!(said.contains("no longer stored; 25 holds as before"), "{said}");
}

#[test]
fn secrets_are_read_from_stdin_and_never_shown() {
    let place = Installation::new();
    let key = "database.influxdb_v2.token";
    let done = place.config_with("hunter2\n", &["set", key]);
    assert_eq!(done.code, 0, "{}", done.complained);
    let reads: [&[&str]; 3] = [&["set", key, "-"], &["set", key, "--stdin"], &["set", "sensor.type", "auto", key]];
    for (number, arguments) in reads.into_iter().enumerate() {
        let done = place.config_with(&format!("hunter3{number}\r\n"), arguments);
        assert_eq!(done.code, 0, "{}", done.complained);
        assert!(!(done.said + &done.complained).contains("hunter"), "{arguments:?}");
        assert_eq!(place.ask(&["get", key, "--reveal"]).trim(), format!("hunter3{number}"));
    }
    for shown in
        [&["get", key][..], &["list"], &["list", "--json"], &["export"], &["set", key, "hunter4"], &["unset", key]]
    {
        let done = place.config(shown);
        assert!(!(done.said + &done.complained).contains("hunter"), "{shown:?}");
    }
    place.assert_refused(&["set", key], &["no value"]);
    let done = place.config_with("hunter\u{7}2", &["set", key]);
    assert!(done.code == 2 && !done.complained.contains("hunter"), "{}", done.complained);
    assert_eq!(place.config_with("12", &["set", "history.max_mb", "-"]).code, 0, "any value can come from stdin");
}

#[test]
fn settings_that_became_wrong_are_mended_one_by_one() {
    let mut place = Installation::new();
    // Allowed under the environment only, which is not there later.
    place.environment("heating_control.max_temp_c", "60").environment("humidity_control.max_humidity", "60");
    place.ask(&["set", "heating_control.min_temp_c", "50", "humidity_control.min_humidity", "50"]);
    place.environment.clear();
    let done = place.config(&["get", "heating_control.max_temp_c"]);
    assert!(done.code == 2 && done.complained.contains("2 problem(s)"), "{}", done.complained);
    place.assert_refused(&["set", "heating_control.min_temp_c", "51"], &["1 problem(s)", "51 and 22"]);
    place.assert_refused(&["set", "heating_control.min_temp_c", "50"], &["50 and 22"]);
    place.assert_refused(&["set", "queue.max_size", "1"], &["1 problem(s)", "queue.max_size"]);
    let done = place.config(&["set", "heating_control.max_temp_c", "55"]);
    assert!(done.code == 0 && done.complained.contains("still to be mended"), "{}", done.complained);
    let done = place.config(&["unset", "humidity_control.min_humidity"]);
    assert!(done.code == 0 && done.complained.is_empty(), "{}", done.complained);
    assert_eq!(place.ask(&["get", "heating_control.min_temp_c"]).trim(), "50");
}

#[test]
fn what_a_later_version_has_stored_can_be_taken_out() {
    let place = Installation::new();
    store_unchecked(place.folder.path(), &[("later.key", "hunter2"), ("safety.max_temp_c", "200")]);
    let done = place.config(&["list"]);
    assert!(done.code == 2 && done.complained.contains("later.key: unknown key"), "{}", done.complained);
    assert_eq!(row(&done.said, "later.key"), ["later.key", "(refused)", "store", "!"]);
    assert_eq!(row(&done.said, "safety.max_temp_c"), ["safety.max_temp_c", "(refused)", "store", "!"]);
    let done = place.config(&["export"]);
    assert!(done.said.contains("\n# \"later.key\" = ...\n"), "{}", done.said);
    place.assert_refused(&["set", "later.key", "1"], &["unknown key"]);
    let done = place.config(&["unset", "later.key"]);
    assert!(done.code == 0 && done.complained.contains("still to be mended"), "{}", done.complained);
    assert!(!done.said.contains("hunter"), "{}", done.said);
    let done = place.config(&["unset", "safety.max_temp_c"]);
    assert!(done.code == 0 && done.complained.is_empty(), "{}", done.complained);
    assert_eq!(place.ask(&["list", "--changed"]), "");
}

#[test]
fn the_originals_flags_do_what_they_did() {
    let place = Installation::new();
    place.ask(&["--set", "heating_control.max_temp_c", "30"]);
    assert_eq!(place.ask(&["--get", "heating_control.max_temp_c"]).trim(), "30");
    assert!(place.ask(&["--list"]).contains("heating_control.max_temp_c"));
    place.ask(&["--delete", "heating_control.max_temp_c"]);
    assert_eq!(place.ask(&["--get", "heating_control.max_temp_c"]).trim(), "22.0");
    let other = place.path("other.db").display().to_string();
    let done = place.config(&["--db", &other, "--key", "a passphrase", "--set", "history.max_mb", "32"]);
    assert_eq!(done.code, 0, "{}", done.complained);
    assert!(done.complained.contains("CONFIG_ENCRYPTION_KEY") && !done.complained.contains("passphrase"));
    let done = place.config(&["--db", &other, "--key", "a passphrase", "--get", "history.max_mb"]);
    assert_eq!(done.said.trim(), "32");
    assert_eq!(place.ask(&["get", "history.max_mb"]).trim(), "64");
    place.assert_refused(&["--list", "list"], &["alone"]);
    place.assert_refused(&["--list", "--get", "sensor.type"], &["cannot be used with"]);
}
