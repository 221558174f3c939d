//! Real sensors and lines where there are none, faults that outlive the daemon, and a guard that is a service of its own. What needs a
//! kernel with lines and a bus is in `tests/vm`.

use std::path::Path;
use std::process::{Child, Command, Output};

use crate::support::{BINARY, Daemon, child_of, signal, wait_until};

/// Tests that claim lines must not do so on a machine that has some: a heater may hang on them.
fn has_lines() -> bool {
    let found = Path::new("/dev").read_dir().expect("/dev").flatten();
    let found = found.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("gpiochip"));
    if found {
        println!("SKIPPED: this machine has GPIO lines, and the test would claim some");
    }
    found
}

/// A daemon for a box that is not there.
fn real() -> Daemon {
    let mut daemon = Daemon::new();
    daemon.real().set("heating_control.enabled", "true").set("humidity_control.enabled", "true");
    // No machine has this bus.
    daemon.set("sensor.type", "bme280").set("sensor.i2c_bus", "250");
    daemon
}

fn faults(daemon: &Daemon) -> Vec<String> {
    let status = daemon.status().expect("it answers");
    let faults = status["safety"]["faults"].as_array().expect("a list").iter();
    faults.map(|fault| fault.as_str().expect("text").to_owned()).collect()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn hazard_27_without_sensor_and_lines_the_daemon_runs_says_so_and_refuses_heat() {
    if has_lines() {
        return;
    }
    let mut daemon = real();
    daemon.start_without_reading();
    wait_until("the sensor is missed", || {
        daemon
            .status()
            .is_some_and(|status| status["sensor"]["error"].as_str().is_some_and(|text| text.contains("i2c-250")))
    });
    let faults = faults(&daemon);
    for (output, pin) in [("heater", "GPIO16"), ("fan", "GPIO20")] {
        assert!(faults.iter().any(|fault| fault.contains(output) && fault.contains(pin)), "{faults:?}");
    }
    let answer = daemon.ask(&["heater", "on"]);
    assert!(answer.contains("off") && answer.contains("no GPIO chips"), "{answer}");
    let status = daemon.status().expect("it answers");
    assert_eq!(status["safety"]["heat_allowed"], false);
    assert!(daemon.ask(&["reset"]).contains("still there"), "what is missing is not forgotten");
    let events = daemon.ask(&["events"]);
    assert_eq!(events.matches("GPIO chips").count(), 1, "one cause, one event: {events}");
    signal(&child_of(&daemon), "-KILL");
    wait_until("the guard is missed", || daemon.ask(&["events"]).contains("the relay guard has ended"));
    let events = daemon.ask(&["events"]);
    assert!(!events.contains("no longer"), "the lines are not there again: {events}");
    assert!(!daemon.log().contains("may be in any state"), "nobody has held a line");
    assert!(daemon.stop().success());
}

#[test]
fn outputs_off_without_lines_fails_and_says_which() {
    if has_lines() {
        return;
    }
    let daemon = real();
    let output = daemon.cli(&["outputs", "off"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("heater (GPIO16): NOT switched off"), "{}", text(&output));
    let mut none = Daemon::new();
    none.set("heating_control.enabled", "false").set("humidity_control.enabled", "false");
    assert!(none.ask(&["outputs", "off"]).contains("no output to switch off"));
    // Settings with a problem do not say that there is none.
    none.set("heating_control.gpio_pin", "none");
    let output = none.cli(&["outputs", "off"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("heating_control.gpio_pin") && text(&output).contains("nothing was switched off"));
}

#[test]
fn a_sensor_that_is_not_there_is_named_with_the_remedy() {
    let daemon = real();
    let output = daemon.cli(&["sensor", "read"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("i2c-250"), "{}", text(&output));
    let mut simulated = Daemon::new();
    simulated.set("sensor.type", "simulated");
    let reading = simulated.ask(&["sensor", "read"]);
    assert!(reading.contains("temperature_c") && reading.contains("simulated box"), "{reading}");
    let json: serde_json::Value = serde_json::from_str(&simulated.ask(&["sensor", "read", "--json"])).expect("JSON");
    assert!(json["reading"]["temperature_c"].is_number(), "{json}");
    let scan: serde_json::Value = serde_json::from_str(&simulated.ask(&["sensor", "scan", "--json"])).expect("JSON");
    assert_eq!(scan["chosen"], "simulated");
}

/// A box whose heater is dead, a hundred times faster than life.
fn dead_heater() -> Daemon {
    let mut daemon = Daemon::new();
    daemon.set("simulation.fault", "dead_heater").set("data_collection.read_interval", "5");
    // Warmer than the room by more than 3 °C, so that heat is always wanted.
    daemon.set("heating_control.min_temp_c", "40").set("heating_control.max_temp_c", "45");
    daemon.argument("--time-scale").argument("200");
    daemon
}

#[test]
fn hazard_23_a_latch_outlives_the_daemon_and_ends_with_a_reset() {
    let mut daemon = dead_heater();
    daemon.start();
    wait_until("the second failure latches", || faults(&daemon).iter().any(|fault| fault.contains("does not warm")));
    daemon.kill();
    daemon.set("simulation.fault", "none").start();
    assert!(faults(&daemon).iter().any(|fault| fault.contains("does not warm")), "{:?}", faults(&daemon));
    let status = daemon.status().expect("it answers");
    assert_eq!(
        (&status["safety"]["heat_allowed"], &status["controls"]["heater"]["on"]),
        (&false.into(), &false.into())
    );
    assert!(daemon.ask(&["status"]).contains("filamentbox reset"));
    assert!(daemon.ask(&["reset"]).contains("forgotten"));
    daemon.wait_for_output("heater", true);
    assert_eq!(faults(&daemon), [""; 0]);
    assert!(daemon.ask(&["events"]).contains("reset"));
    daemon.stop();
    daemon.start();
    assert_eq!(faults(&daemon), [""; 0], "a reset is for good");
}

#[test]
fn hazard_02_a_frozen_sensor_is_latched() {
    let mut daemon = Daemon::new();
    daemon.set("simulation.fault", "frozen").set("data_collection.read_interval", "5");
    daemon.argument("--time-scale").argument("200").start();
    daemon.ask(&["heater", "on"]);
    wait_until("the latch", || faults(&daemon).iter().any(|fault| fault.contains("repeats the same reading")));
    let answer = daemon.ask(&["heater", "on"]);
    assert!(answer.contains("off until a reset: the sensor repeats the same reading"), "{answer}");
}

#[test]
fn hazard_10_a_welded_relay_is_an_alarm_that_says_what_to_do() {
    let mut daemon = Daemon::new();
    daemon.set("simulation.fault", "welded_relay").set("data_collection.read_interval", "5");
    daemon.argument("--time-scale").argument("200").start();
    wait_until("the alarm", || faults(&daemon).iter().any(|fault| fault.contains("PULL THE PLUG")));
    let health = daemon.ask(&["events"]);
    assert!(health.contains("PULL THE PLUG"), "{health}");
}

#[test]
fn simulated_time_passes_without_a_reading_that_could_be_kept() {
    for fault in ["unplugged", "garbage"] {
        let mut daemon = Daemon::new();
        daemon.set("simulation.fault", fault).set("data_collection.read_interval", "5");
        daemon.argument("--time-scale").argument("200").start_without_reading();
        let uptime = || daemon.status().and_then(|status| status["uptime"].as_f64()).unwrap_or_default();
        wait_until("ten minutes have passed", || uptime() > 600.0);
        assert!(daemon.stop().success());
    }
}

/// A guard with simulated lines, as a service would run it.
fn guard_at(socket: &Path) -> Child {
    let _ = std::fs::remove_file(socket);
    let guard = Command::new(BINARY).args(["relay-guard", "--simulate", "--listen"]).arg(socket).spawn();
    let guard = guard.expect("the binary starts");
    wait_until("the guard listens", || socket.exists());
    guard
}

#[test]
fn hazard_14_a_guard_that_is_a_service_is_used_lost_and_found_again() {
    let mut daemon = real();
    let socket = daemon.folder().join("guard.sock");
    let mut guard = guard_at(&socket);
    daemon.argument("--guard").argument(socket.to_str().expect("text")).start_without_reading();
    assert_eq!(faults(&daemon), [""; 0], "it holds the lines");

    // It holds them for one daemon at a time.
    let mut second = real();
    second.argument("--guard").argument(socket.to_str().expect("text")).start_without_reading();
    assert!(faults(&second).iter().any(|fault| fault.contains("relay guard")), "{:?}", faults(&second));
    assert_eq!(faults(&daemon), [""; 0], "the first is not disturbed");
    second.stop();

    guard.kill().expect("it runs");
    guard.wait().expect("it ends");
    // Nothing is on, so nothing is asked: the loss shows when something is.
    daemon.ask(&["fan", "on"]);
    wait_until("the loss is a fault", || faults(&daemon).iter().any(|fault| fault.contains("relay guard")));
    let mut guard = guard_at(&socket);
    assert!(daemon.ask(&["reset"]).contains("forgotten"));
    wait_until("the fan runs", || daemon.status().is_some_and(|status| status["controls"]["fan"]["on"] == true));

    // Again, and now it is a reset that finds out.
    daemon.ask(&["fan", "off"]);
    wait_until("the fan stands", || daemon.status().is_some_and(|status| status["controls"]["fan"]["on"] == false));
    guard.kill().expect("it runs");
    guard.wait().expect("it ends");
    let refused = text(&daemon.cli(&["reset"]));
    assert!(refused.contains("cannot be reached"), "{refused}");
    assert!(faults(&daemon).iter().any(|fault| fault.contains("cannot be reached")), "{:?}", faults(&daemon));
    let mut guard = guard_at(&socket);
    assert!(daemon.ask(&["reset"]).contains("forgotten"));
    guard.kill().expect("it runs");
    guard.wait().expect("it ends");
    let mut guard = guard_at(&socket);
    assert!(daemon.ask(&["reset"]).contains("forgotten"), "a guard that was started anew meanwhile is found");
    assert_eq!(faults(&daemon), [""; 0]);
    assert!(daemon.stop().success());
    guard.kill().expect("it runs");
    guard.wait().expect("it ends");
}
