//! The fail-safe ladder, a row a scenario: something fails while the box is heated, and the heater is off within the row's time.

use std::time::Duration;

use filamentbox_core::chamber::Input;
use filamentbox_core::command::{OutputKind, Wish};

use crate::daemon::{Pulse, RENEWAL};
use crate::relay::LinkFault;
use crate::sensor::{SensorFault, Why};
use crate::witness::{LEASE, ROUNDING};
use crate::world::{Setup, World};

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const MINUTE: Duration = seconds(60);
/// The default box is back in its band so long after any fault of some minutes.
const BAND_AGAIN: Duration = seconds(20 * 60);

/// The default box, heated for a while and still below its band's upper end.
pub(crate) fn heating(setup: Setup) -> World {
    let mut world = World::new(setup);
    world.run_until(MINUTE, "a cold box is heated", World::heats);
    world.run(seconds(30));
    assert!(world.heats());
    world
}

/// The air with a band of 20 to 22 °C: element and sensor are seconds late, so it swings somewhat further.
pub(crate) const IN_BAND: std::ops::RangeInclusive<f64> = 19.0..=24.0;

/// The heater is heard of again, and the air is in its band.
pub(crate) fn assert_recovers(world: &mut World) {
    world.run_until(BAND_AGAIN, "heated again", World::heats);
    world.run_until(BAND_AGAIN, "the upper end of the band is reached", |world| !world.heats());
    let energised = world.witness.energised;
    for _ in 0..120 {
        let air_c = world.run(MINUTE).air_c();
        assert!(IN_BAND.contains(&air_c), "{air_c}");
    }
    assert!(world.witness.energised > energised, "the heater keeps working");
}

/// `fault` for some minutes; returns how old the last good reading was when the heater went off.
fn lose_readings(fault: SensorFault) -> Duration {
    let mut world = heating(Setup::default());
    world.break_sensor(fault);
    let last = world.witness.reading.expect("was heated").taken_at;
    world.run(5 * MINUTE);
    assert!(!world.heats());
    let age = world.last_heat().since(last);
    world.break_sensor(SensorFault::Well);
    assert_recovers(&mut world);
    age
}

#[test]
fn sensor_unplugged_while_heating() {
    let reasons = [Why::NotPresent, Why::Bus, Why::Checksum, Why::Implausible, Why::TimedOut];
    for reason in reasons {
        let age = lose_readings(SensorFault::NoData(reason));
        assert!((seconds(15)..seconds(15) + ROUNDING).contains(&age), "{age:?}");
    }
}

#[test]
fn sensor_thread_hangs_while_heating() {
    let age = lose_readings(SensorFault::Hangs);
    assert!((seconds(15)..seconds(15) + ROUNDING).contains(&age), "{age:?}");
}

#[test]
fn sensor_says_nonsense_while_heating() {
    let mut world = heating(Setup::default());
    world.break_sensor(SensorFault::Garbage);
    // The witness stands by; which of the numbers heat is chance.
    world.run(seconds(3600));
    world.break_sensor(SensorFault::Says(85.0));
    world.run(seconds(5));
    assert!(!world.heats(), "a power-on value is over the cut-off");
    world.break_sensor(SensorFault::Well);
    assert_recovers(&mut world);
}

/// Nothing tells a frozen sensor from a steady one: the on-time limit is what is left.
#[test]
fn sensor_frozen_while_heating_ends_with_the_on_time() {
    let mut world = heating(Setup::default());
    world.break_sensor(SensorFault::Frozen);
    world.run(seconds(14_400));
    assert!(!world.heats());
    assert_eq!(world.witness.energised, 1, "heated without a pause until then");
    assert!(world.witness.heated <= seconds(14_400), "{:?}", world.witness.heated);
    world.run(seconds(540));
    assert!(!world.heats(), "it rests");
    world.break_sensor(SensorFault::Well);
    // Four hours too much have to cool down.
    world.run(seconds(3 * 3600));
    assert_recovers(&mut world);
}

#[test]
fn cut_off_reached_while_heating_in_every_mode_and_within_the_minimum_on_time() {
    for by_hand in [false, true] {
        let mut setup = Setup::default();
        setup.config.heater.min_on = seconds(3600);
        let mut world = heating(setup);
        if by_hand {
            world.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
        }
        world.break_sensor(SensorFault::Says(69.99));
        world.run(seconds(5));
        world.break_sensor(SensorFault::Says(70.0));
        world.run(seconds(5));
        let hot_since = world.witness.reading.expect("read").taken_at;
        assert!(world.last_heat() <= hot_since, "off with the reading");
        world.run(MINUTE);
        assert!(world.last_heat() <= hot_since, "and stays off");
    }
}

#[test]
fn reading_below_the_cut_off_gets_older_and_counts_as_hotter() {
    let mut world = heating(Setup::default());
    world.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    world.break_sensor(SensorFault::Says(64.0));
    world.run(seconds(6));
    world.break_sensor(SensorFault::Hangs);
    let taken_at = world.witness.reading.expect("read").taken_at;
    world.run(MINUTE);
    let age = world.last_heat().since(taken_at);
    assert!((seconds(6) - ROUNDING..=seconds(6) + ROUNDING).contains(&age), "64 °C + 6 s x 1 °C/s: {age:?}");
}

#[test]
fn daemon_stopped_while_heating() {
    for pulse in [Pulse::Stopped, Pulse::Hung] {
        let mut world = heating(Setup::default());
        let stopped_at = world.now;
        world.pulse(pulse);
        world.run(5 * MINUTE);
        let late = world.last_heat().since(stopped_at);
        assert!(late <= LEASE && late > LEASE - RENEWAL - ROUNDING, "{pulse:?}: {late:?}");
        let before = world.witness.energised;
        world.pulse(Pulse::Running);
        assert_eq!(world.witness.energised, before, "nothing old heats");
        assert_recovers(&mut world);
    }
}

#[test]
fn daemon_killed_while_heating() {
    let mut world = heating(Setup::default());
    let killed_at = world.now;
    world.kill_daemon();
    assert!(!world.heats(), "at the end of the socket");
    world.run(5 * MINUTE);
    assert_eq!(world.last_heat(), killed_at);
    world.start_daemon();
    assert!(!world.heats(), "not before its first reading");
    assert_recovers(&mut world);
}

#[test]
fn guard_killed_while_heating_is_a_fault_until_the_daemon_starts_anew() {
    let mut world = heating(Setup::default());
    world.kill_guard();
    let killed_at = world.now;
    world.run(MINUTE);
    world.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    world.run(MINUTE);
    assert_eq!(world.last_heat(), killed_at);
    let faults = world.snapshot().expect("lives").faults;
    assert_eq!(faults, ["the relay guard has ended"]);
    world.kill_daemon();
    world.start_daemon();
    assert_recovers(&mut world);
}

#[test]
fn guard_that_does_not_answer_is_given_up_and_killed() {
    let mut world = heating(Setup::default());
    world.break_link(LinkFault::Unanswered(3));
    let broken_at = world.now;
    world.run(MINUTE);
    let late = world.last_heat().since(broken_at);
    assert!(late <= 3 * RENEWAL, "{late:?}");
    assert_eq!(world.snapshot().expect("lives").faults, ["the relay guard does not answer"]);
}

#[test]
fn guard_message_garbled_while_heating_releases_at_once_and_heals() {
    for count in [1, 2] {
        let mut world = heating(Setup::default());
        world.break_link(LinkFault::Garbled(count));
        world.run_until(RENEWAL, "released by the garbled message", |world| !world.heats());
        let off_for = world.run_until(MINUTE, "heated again", World::heats);
        assert!(off_for <= count * RENEWAL, "{off_for:?}");
        assert_recovers(&mut world);
    }
}

/// Nothing else is wanted then, so no renewal would ask again: the daemon has to, or it takes the heater for on.
#[test]
fn a_lost_off_ends_with_the_lease_at_the_latest() {
    let mut setup = Setup::default();
    setup.config.fan.enabled = false;
    let mut world = heating(setup);
    world.break_link(LinkFault::Lost(2));
    world.command(OutputKind::Heater, Wish::Off { hold: None }).expect("accepted");
    let asked_at = world.now;
    world.run(MINUTE);
    assert!(world.last_heat().since(asked_at) <= LEASE);
    let snapshot = world.snapshot().expect("lives");
    assert!(!snapshot.heater.on && snapshot.faults.is_empty(), "known to be off: {snapshot:?}");
}

#[test]
fn a_stop_and_a_fault_release_for_good() {
    for input in [Input::Stop, Input::Fault("the sensor burns".to_owned())] {
        let mut setup = Setup::default();
        setup.config.heater.min_on = seconds(3600);
        let mut world = heating(setup);
        world.step(input).expect("no command");
        let stopped_at = world.now;
        world.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
        world.run(seconds(3600));
        assert_eq!(world.last_heat(), stopped_at, "in spite of the minimum on time");
    }
}

#[test]
fn limits_above_the_guards_are_the_guards() {
    let mut setup = Setup::default();
    setup.config.safety.max_temp_c = 85.0;
    setup.config.safety.max_sample_age = seconds(120);
    let mut world = heating(setup);
    world.break_sensor(SensorFault::Hangs);
    let last = world.witness.reading.expect("read").taken_at;
    world.run(seconds(60));
    let age = world.last_heat().since(last);
    assert!((seconds(15)..=seconds(15) + ROUNDING).contains(&age), "{age:?}");
    let reason = world.snapshot().expect("lives").heater.reason;
    assert!(reason.starts_with("the relay guard refuses: "), "{reason}");

    world.break_sensor(SensorFault::Says(70.0));
    world.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    world.run(MINUTE);
    assert!(!world.heats(), "70 °C is under the daemon's cut-off and at the guard's");
    world.command(OutputKind::Heater, Wish::Auto).expect("accepted");
    world.break_sensor(SensorFault::Well);
    assert_recovers(&mut world);
}
