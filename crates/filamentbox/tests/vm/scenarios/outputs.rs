//! Output lines: how they are found, claimed, driven, kept from others and let go.

use std::sync::Arc;
use std::time::Duration;

use gpiocdev::line::InfoChangeKind;
use rustix::process::{Signal, kill_process};

use super::boxes::{FAN, HEATER, HeatedBox, daemon_with_heater};
use super::{Scenario, scenarios};
use crate::guest::measured;
use crate::machine::clock;
use crate::machine::daemon::{Daemon, text_of};
use crate::machine::gpio::Bank;
use crate::machine::trace::Trace;
use crate::machine::world::{Conditions, World};

pub(super) const ALL: &[Scenario] = scenarios![
    lines_are_found_by_the_chips_label,
    lines_are_found_by_their_names,
    an_active_low_line_is_inactive_from_the_claim_on,
    a_second_daemon_is_refused_the_lines,
    a_line_that_somebody_else_holds_is_refused,
    a_relay_is_off_before_its_line_is_let_go,
    a_sensor_that_is_lost_while_heating_ends_the_heat,
    without_gpio_the_daemon_runs_and_refuses_heat,
    gpio_that_comes_later_is_used,
    outputs_off_after_everything_was_killed,
];

const SOON: Duration = Duration::from_secs(60);

/// Heats, and checks with the kernel's trace that the line was inactive from its claim to the first permit.
#[track_caller]
fn claim_and_heat(heated: &mut HeatedBox, active_low: bool) {
    let (line, trace) = (heated.line, Trace::start(&heated.bank));
    // Too warm for heat at first: whatever is active now is a pulse that nobody asked for.
    heated.world.set_air_c(50.0);
    clock::pass(Duration::from_secs(2));
    heated.daemon.start();
    clock::wait_until("the line is claimed", SOON, || heated.bank.holder(line).is_some());
    clock::pass(Duration::from_secs(5));
    let before: Vec<bool> = trace.changes(line).iter().map(|change| change.level != active_low).collect();
    assert!(!before.is_empty(), "the claim did not set a level");
    assert!(before.iter().all(|active| !active), "a pulse before any permit: {:?}", trace.changes(line));
    heated.world.set_air_c(40.0);
    clock::wait_until("the heater is on", SOON, || heated.bank.level(line) != active_low);
    assert_eq!(heated.daemon.state("/controls/heater/on"), true, "what the line is and what the daemon says");
    let guard = heated.daemon.guard_pid().expect("a guard");
    let last = trace.changes(line).pop().expect("the change");
    assert_eq!(i64::from(last.by), i64::from(guard.as_raw_nonzero().get()), "only the guard drives a line");
    heated.world.set_air_c(48.0);
    clock::wait_until("the heater is off", SOON, || heated.bank.level(line) == active_low);
    assert!(heated.daemon.stop().success());
    assert_eq!(heated.bank.holder(line), None);
}

fn lines_are_found_by_the_chips_label() {
    // Another chip comes first, as on kernels and models that count differently, and its lines are not ours.
    let other = Bank::new("other", Some("brcmvirt-gpio"), 8, &[]);
    let mut heated = HeatedBox::new();
    assert_ne!(heated.bank.chip(), "gpiochip0", "{}", other.chip());
    claim_and_heat(&mut heated, false);
}

fn lines_are_found_by_their_names() {
    // Another board: the label is unknown, the lines have their names, and where they are in the chip means nothing.
    let other = Bank::new("other", Some("somebody-elses"), 32, &[]);
    let names = [(3, "GPIO16"), (16, "GPIO5"), (7, "GPIO20")];
    let bank = Bank::new("board", None, 32, &names);
    let mut heated = HeatedBox::on(bank, Conditions { line: 3, ..Conditions::default() });
    claim_and_heat(&mut heated, false);
    drop(other);
}

fn an_active_low_line_is_inactive_from_the_claim_on() {
    let bank = Bank::raspberry_pi();
    // As the pull resistor of such a board does: high is off.
    bank.pull(HEATER, true);
    let mut heated = HeatedBox::on(bank, Conditions { active_low: true, ..Conditions::default() });
    heated.daemon.set("heating_control.active_low", "true");
    claim_and_heat(&mut heated, true);
}

fn a_second_daemon_is_refused_the_lines() {
    let mut heated = HeatedBox::new();
    heated.start_heating();
    let mut second = daemon_with_heater(&heated.stub);
    second.start();
    clock::wait_until("the second says that it has no line", SOON, || {
        second.state("/safety").to_string().contains("held by")
    });
    measured(&format!("the second daemon: {}", second.state("/safety/faults")));
    second.cli(&["heater", "on"]);
    clock::pass(Duration::from_secs(5));
    assert_eq!(second.state("/controls/heater/on"), false, "heat without a line");
    assert_eq!(heated.daemon.state("/controls/heater/on"), true, "the first was disturbed");
    assert!(heated.heats());
    // When the first has gone, the second may have it.
    heated.daemon.stop();
    clock::wait_until("the second heats", Duration::from_secs(120), || heated.heats());
    second.stop();
}

fn a_line_that_somebody_else_holds_is_refused() {
    let mut heated = HeatedBox::new();
    let request = gpiocdev::Request::builder()
        .on_chip(heated.bank.device())
        .with_line(HEATER)
        .with_consumer("a-test-of-ours")
        .as_input()
        .request()
        .expect("the line is free");
    // The fan stays off: while an output is on, a missing line is not asked for again.
    heated.daemon.set("humidity_control.enabled", "true");
    heated.daemon.set("humidity_control.min_humidity", "80").set("humidity_control.max_humidity", "90");
    heated.daemon.start();
    clock::wait_until("the holder is named", SOON, || {
        heated.daemon.state("/safety").to_string().contains("a-test-of-ours")
    });
    // The fan's line is another one, and free.
    clock::wait_until("the fan's line is claimed", SOON, || heated.bank.holder(FAN).is_some());
    drop(request);
    clock::wait_until("the heater is on", Duration::from_secs(120), || heated.heats());
    heated.daemon.stop();
}

fn a_relay_is_off_before_its_line_is_let_go() {
    let mut heated = HeatedBox::new();
    // A released line reads active here, so what is seen inactive is what the guard has done before.
    heated.bank.pull(HEATER, true);
    heated.start_heating();
    let trace = Trace::start(&heated.bank);
    let bank = heated.bank.clone();
    let watch = gpiocdev::Chip::from_path(bank.device()).expect("the chip");
    watch.watch_line_info(HEATER).expect("the line can be watched");
    assert!(heated.daemon.stop().success());
    let off = trace.changes(HEATER).into_iter().find(|change| !change.level).expect("it was driven inactive");
    // Each change of the level is one of the line's configuration too.
    let released = std::iter::repeat_with(|| watch.read_line_info_change_event().expect("a change"))
        .find(|change| change.kind == InfoChangeKind::Released)
        .expect("it was let go");
    let released_at = Duration::from_nanos(released.timestamp_ns);
    assert!(off.at < released_at, "inactive at {:?}, let go at {released_at:?}", off.at);
    measured(&format!(
        "inactive {:?} before the line is let go; then the pull decides: {}",
        released_at - off.at,
        bank.level(HEATER)
    ));
}

fn a_sensor_that_is_lost_while_heating_ends_the_heat() {
    let mut heated = HeatedBox::new();
    heated.start_heating();
    let lost = clock::now();
    // The chip answers as another one: there is no reading from now on.
    heated.stub.write(0xD0, &[0x58]);
    let off = clock::wait(Duration::from_secs(20), Duration::from_millis(10), || !heated.heats());
    let off = off.expect("the heat ends") - lost;
    measured(&format!("sensor lost while heating: off after {off:?}"));
    // The last reading was up to a second old, and a reading may be 15 s old.
    assert!(off <= Duration::from_secs(16), "{off:?}");
    assert!(off >= Duration::from_secs(10), "one reading that fails is no reason: {off:?}");
    clock::pass(Duration::from_secs(60));
    assert!(!heated.heats());
    let reason = heated.daemon.state("/controls/heater/reason").to_string();
    assert!(reason.contains("older than"), "{reason}");
    heated.stub.write(0xD0, &[0x60]);
    clock::wait_until("the heat comes back by itself", Duration::from_secs(120), || heated.heats());
    let log = heated.daemon.log();
    assert!(log.contains("BMP280"), "{log}");
    heated.daemon.stop();
}

fn without_gpio_the_daemon_runs_and_refuses_heat() {
    let stub = Arc::new(crate::machine::i2c::Stub::new(0x76));
    // A bank that has nothing to do with it, as a board without a header might have.
    let bank = Arc::new(Bank::new("other", Some("somebody-elses"), 4, &[]));
    let world = World::new(stub.clone(), bank, Conditions { line: 0, ..Conditions::default() });
    let mut daemon = daemon_with_heater(&stub);
    daemon.start();
    clock::wait_until("it says that there is no line", SOON, || {
        daemon.state("/safety/faults").to_string().contains("no GPIO16")
    });
    measured(&format!("without GPIO: {}", daemon.state("/safety/faults")));
    daemon.cli(&["heater", "on"]);
    clock::pass(Duration::from_secs(5));
    assert_eq!(daemon.state("/controls/heater/on"), false);
    assert_eq!(daemon.state("/safety/heat_allowed"), false);
    assert!(daemon.state("/sensor/temperature_c").is_number(), "it measures all the same");
    assert!(daemon.runs());
    daemon.stop();
    drop(world);
    // The same with neither sensor nor line.
    let mut bare = Daemon::new();
    bare.set("heating_control.enabled", "true").start();
    clock::pass(Duration::from_secs(60));
    assert!(bare.runs());
    assert_eq!(bare.state("/controls/heater/on"), false);
    let sensor = bare.state("/sensor/error").to_string();
    assert!(sensor.contains("sensor"), "{sensor}");
    assert!(bare.stop().success());
}

fn gpio_that_comes_later_is_used() {
    let stub = Arc::new(crate::machine::i2c::Stub::new(0x76));
    let mut daemon = daemon_with_heater(&stub);
    daemon.start();
    clock::pass(Duration::from_secs(30));
    let bank = Arc::new(Bank::raspberry_pi());
    let world = World::new(stub.clone(), bank.clone(), Conditions::default());
    clock::wait_until("the heater is on", Duration::from_secs(180), || bank.level(HEATER));
    daemon.stop();
    drop(world);
}

fn outputs_off_after_everything_was_killed() {
    let mut heated = HeatedBox::new();
    heated.daemon.set("humidity_control.enabled", "true");
    // As a Raspberry Pi does it: a line stays what it was when its process dies.
    heated.bank.pull(HEATER, true);
    heated.bank.pull(FAN, true);
    heated.start_heating();
    let guard = heated.daemon.guard_pid().expect("a guard");
    kill_process(guard, Signal::STOP).expect("the guard can be signalled");
    heated.daemon.end_everything();
    clock::wait_until("the line is free", SOON, || heated.bank.holder(HEATER).is_none());
    assert!(heated.heats(), "the pull does not hold the line active: this shows nothing");
    let trace = Trace::start(&heated.bank);
    let start = clock::now();
    let said = text_of(&heated.daemon.cli(&["outputs", "off"]));
    let took = clock::now() - start;
    for line in [HEATER, FAN] {
        let levels: Vec<bool> = trace.changes(line).iter().map(|change| change.level).collect();
        assert!(!levels.is_empty() && levels.iter().all(|level| !level), "line {line}: {levels:?}: {said}");
        assert!(said.contains(&format!("GPIO{line}")), "{said}");
    }
    measured(&format!("outputs off: {took:?}; simulated lines then follow their pull, a Raspberry Pi's stay inactive"));
    assert!(took < Duration::from_secs(1), "{took:?}");
}
