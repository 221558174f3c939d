//! Keys by the names of the Python original.

use super::Installation;

#[test]
fn a_command_takes_the_original_s_names_and_tells_ours() {
    let place = Installation::new();
    let done = place.config(&["set", "influxdb.host", "nas", "influxdb.port", "8087", "sensors.type", "DHT22"]);
    assert_eq!(done.code, 0, "{}", done.complained);
    assert!(done.complained.contains("influxdb.host is called database.influxdb_v1.url now"), "{}", done.complained);
    assert_eq!(place.ask(&["get", "database.influxdb_v1.url"]).trim(), "http://nas:8087");
    let done = place.config(&["get", "influxdb.host"]);
    assert_eq!(done.said.trim(), "http://nas:8087");
    assert!(done.complained.contains("is called database.influxdb_v1.url now"), "{}", done.complained);
    assert_eq!(place.ask(&["get", "sensor.type"]).trim(), "DHT22");
    place.ask(&["unset", "sensors.type"]);
    assert_eq!(place.ask(&["get", "sensor.type"]).trim(), "auto");
    assert!(place.ask(&["describe", "database.prometheus.pushgateway_url"]).contains("Pushgateway's address"));
}

#[test]
fn the_version_decides_which_key_is_meant() {
    let place = Installation::new();
    place.ask(&[
        "set",
        "database.type",
        "influxdb",
        "database.influxdb.version",
        "3",
        "database.influxdb.url",
        "http://nas:8181",
        "database.influxdb.bucket",
        "air",
        "database.influxdb.token",
        "hunter2",
    ]);
    assert_eq!(place.ask(&["get", "database.type"]).trim(), "influxdb_v3");
    assert_eq!(place.ask(&["get", "database.influxdb_v3.database"]).trim(), "air");
    // Later, the settings tell.
    place.ask(&["set", "database.influxdb.token", "hunter3"]);
    assert_eq!(place.ask(&["get", "database.influxdb_v3.token", "--reveal"]).trim(), "hunter3");
}

#[test]
fn toml_and_the_environment_too() {
    let mut place = Installation::new();
    let file =
        place.write("old.toml", "sensors.type = 'dht22'\n[database.influxdb.tags]\n[sensors.dht22]\ngpio_pin = 17\n");
    place.ask(&["import", &file]);
    assert_eq!(place.ask(&["get", "sensor.gpio_pin"]).trim(), "17");
    place.environment("sensors.type", "dht11");
    assert_eq!(place.ask(&["get", "sensor.type"]).trim(), "dht11");
}

#[test]
fn what_is_wrong_is_said_by_the_name_that_was_used() {
    let place = Installation::new();
    place.assert_refused(
        &["set", "database.influxdb.version", "7"],
        &["database.influxdb.version", "allowed: 1, 2 or 3"],
    );
    place.assert_refused(&["set", "database.influxdb.tags", "a=b"], &["database.influxdb.tags", "JSON object"]);
}
