//! Hours of heater control, in seconds: the box of `machine::world` answers to the heater's line.

use std::time::Duration;

use super::boxes::HeatedBox;
use super::{Scenario, scenarios};
use crate::guest::measured;
use crate::machine::clock;

pub(super) const ALL: &[Scenario] = scenarios![
    hours_of_heating_keep_the_band,
    a_frozen_chip_is_latched,
    a_dead_heater_is_latched,
    a_welded_relay_is_alarmed,
];

const MINUTE: Duration = Duration::from_secs(60);

fn hours_of_heating_keep_the_band() {
    let mut heated = HeatedBox::new();
    heated.daemon.set("data_collection.read_interval", "5");
    heated.start_heating();
    clock::wait_until("the band is reached", 60 * MINUTE, || heated.world.air_c() > 45.0);
    // The element is hot from the long way up.
    clock::pass(20 * MINUTE);
    let start = clock::now();
    let (mut lowest, mut highest, mut switched, mut was_on) = (f64::MAX, f64::MIN, 0, heated.heats());
    let hours = 2.0;
    while (clock::now() - start).as_secs_f64() < hours * 3600.0 {
        clock::pass(Duration::from_secs(5));
        let air_c = heated.world.air_c();
        (lowest, highest) = (lowest.min(air_c), highest.max(air_c));
        switched += u32::from(heated.heats() != was_on);
        was_on = heated.heats();
    }
    measured(&format!("{hours} h of heating: {lowest:.2} to {highest:.2} °C, the heater switched {switched} times"));
    // The band is 45 to 47 °C; the element is half a minute late on either side.
    assert!(lowest > 44.0 && highest < 49.5, "{lowest} to {highest}");
    assert!(switched >= 4, "the heater was never switched");
    assert!(heated.daemon.state("/safety/faults").as_array().is_some_and(Vec::is_empty), "a fault in a sound box");
    assert!(heated.daemon.stop().success());
}

/// Breaks something while the heater is on and waits for the latch with these words; afterwards nothing heats, not even by hand or
/// after a restart, until a person resets it.
#[track_caller]
fn latches(heated: &mut HeatedBox, what: &str, words: &str, limit: Duration, mend: impl Fn(&HeatedBox)) {
    let broken = clock::now();
    clock::wait_until(&format!("{what}: {words:?}"), limit, || {
        heated.daemon.state("/safety/faults").to_string().contains(words) && !heated.heats()
    });
    measured(&format!(
        "{what}: latched after {:.0} s: {}",
        (clock::now() - broken).as_secs_f64(),
        heated.daemon.state("/safety/faults")
    ));
    mend(heated);
    heated.daemon.cli(&["heater", "on"]);
    clock::pass(MINUTE);
    assert!(!heated.heats(), "{what}: heat by hand in spite of the latch");
    heated.daemon.cli(&["heater", "auto"]);
    heated.daemon.stop();
    heated.daemon.start();
    clock::pass(MINUTE);
    assert!(!heated.heats(), "{what}: a restart has cleared the latch");
    heated.daemon.ask(&["reset"]);
}

fn a_frozen_chip_is_latched() {
    let mut heated = HeatedBox::new();
    heated.start_heating();
    clock::pass(MINUTE);
    heated.world.change(|conditions| conditions.frozen = true);
    latches(&mut heated, "a frozen chip", "repeats the same reading", 2 * MINUTE, |heated| {
        heated.world.change(|conditions| conditions.frozen = false);
    });
    clock::wait_until("the heater is on again", 2 * MINUTE, || heated.heats());
    heated.daemon.stop();
}

fn a_dead_heater_is_latched() {
    let mut heated = HeatedBox::new();
    heated.world.change(|conditions| conditions.dead_heater = true);
    heated.start_heating();
    latches(&mut heated, "a dead heater", "does not warm", 60 * MINUTE, |heated| {
        heated.world.change(|conditions| conditions.dead_heater = false);
    });
    clock::wait_until("the heater is on again", 20 * MINUTE, || heated.heats());
    heated.daemon.stop();
}

fn a_welded_relay_is_alarmed() {
    let mut heated = HeatedBox::new();
    heated.start_heating();
    heated.world.change(|conditions| conditions.welded_relay = true);
    clock::wait_until("the heater is told to be off", 60 * MINUTE, || !heated.heats());
    latches(&mut heated, "a welded relay", "PULL THE PLUG", 20 * MINUTE, |heated| {
        heated.world.change(|conditions| conditions.welded_relay = false);
    });
    heated.daemon.stop();
}
