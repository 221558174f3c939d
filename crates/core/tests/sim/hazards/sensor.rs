//! Hazards of the sensor: dead, stuck, lying, too small a range, out of its box.

use std::time::Duration;

use filamentbox_core::config::Band;
use filamentbox_core::physics::BoxParameters;

use super::{HOUR, IN_BAND, MINUTE, assert_latched, assert_recovers, faults, heating, refusal, seconds};
use crate::sensor::{Probe, SensorFault, Why};
use crate::witness::ROUNDING;
use crate::world::{HeaterFault, Setup, World};

/// `fault` for some minutes; returns how old the last good reading was when the heater went off.
fn lose_readings(fault: SensorFault) -> Duration {
    let mut world = heating(Setup::default());
    world.break_sensor(fault);
    let last = world.witness.reading().expect("was heated").taken_at;
    world.run(5 * MINUTE);
    assert!(!world.heats());
    let age = world.last_heat().since(last);
    world.break_sensor(SensorFault::Well);
    assert_recovers(&mut world);
    age
}

#[test]
fn hazard_01_sensor_dead_releases_in_time_whatever_it_says() {
    let reasons = [Why::NotPresent, Why::Bus, Why::Checksum, Why::Implausible, Why::TimedOut];
    for reason in reasons {
        let age = lose_readings(SensorFault::NoData(reason));
        assert!((seconds(15)..seconds(15) + ROUNDING).contains(&age), "{age:?}");
    }
}

#[test]
fn hazard_01_sensor_thread_hangs_is_the_same_to_the_interlock() {
    let age = lose_readings(SensorFault::Hangs);
    assert!((seconds(15)..seconds(15) + ROUNDING).contains(&age), "{age:?}");
}

/// A loose plug must not switch the heater each time it makes contact.
#[test]
fn hazard_01_sensor_that_comes_back_proves_itself_first() {
    let mut setup = Setup { read_interval: seconds(2), ..Setup::default() };
    setup.config.heater.min_off = Duration::ZERO;
    let mut world = heating(setup);
    world.break_sensor(SensorFault::NoData(Why::NotPresent));
    world.run(MINUTE);
    world.break_sensor(SensorFault::Well);
    let off_for = world.run_until(MINUTE, "heated again", World::heats);
    assert!((seconds(10)..=seconds(12)).contains(&off_for), "three readings over ten seconds: {off_for:?}");
}

/// With readings far apart three of them count, not only ten seconds.
#[test]
fn hazard_01_three_good_readings_however_far_apart() {
    let mut setup = Setup { read_interval: seconds(12), ..Setup::default() };
    setup.config.safety.max_sample_age = seconds(30);
    setup.guard.max_sample_age = seconds(30);
    let mut world = heating(setup);
    world.break_sensor(SensorFault::NoData(Why::Bus));
    world.run(MINUTE);
    world.break_sensor(SensorFault::Well);
    let off_for = world.run_until(MINUTE, "heated again", World::heats);
    assert!((seconds(24)..=seconds(36)).contains(&off_for), "{off_for:?}");
}

/// One that fails between them, and the counting begins anew.
#[test]
fn hazard_01_good_readings_count_in_a_row_only() {
    let mut setup = Setup { read_interval: seconds(5), ..Setup::default() };
    setup.config.heater.min_off = Duration::ZERO;
    let mut world = heating(setup);
    world.break_sensor(SensorFault::NoData(Why::Bus));
    world.run(MINUTE);
    for _ in 0..10 {
        world.break_sensor(SensorFault::Well);
        world.run(seconds(10));
        world.break_sensor(SensorFault::NoData(Why::Checksum));
        world.run(seconds(5));
        assert!(!world.heats(), "two good readings and a bad one");
    }
    world.break_sensor(SensorFault::Well);
    assert_recovers(&mut world);
}

#[test]
fn hazard_02_stuck_value_latches() {
    for (probe, within) in [(Probe::Bme280, seconds(50)), (Probe::Dht22, seconds(605)), (Probe::Dht11, seconds(605))] {
        let mut setup = Setup { probe, ..Setup::default() };
        setup.config.heater.band = Band { low: 38.0, high: 40.0 };
        setup.config.safety.max_temp_c = 48.0;
        let mut world = heating(setup);
        world.break_sensor(SensorFault::Frozen);
        let after = world.run_until(2 * HOUR, "found", |world| !world.heats());
        assert!(after <= within, "{probe:?}: {after:?}");
        assert!(faults(&world).contains("repeats the same reading"), "{}", faults(&world));
        world.break_sensor(SensorFault::Well);
        assert_latched(&mut world);
        world.reset();
        world.run_until(MINUTE, "heated again", World::heats);
    }
}

/// What a BME280 says after a brown-out is no reading to its driver; and if it were one, it would be stuck.
#[test]
fn hazard_03_a_brown_outs_constant_heats_for_seconds_at_most() {
    let mut world = heating(Setup::default());
    world.break_sensor(SensorFault::Says(19.0));
    let after = world.run_until(MINUTE, "found", |world| !world.heats());
    assert!(after <= seconds(50), "{after:?}");
    assert!(faults(&world).contains("repeats the same reading"), "{}", faults(&world));
}

#[test]
fn hazard_04_garbage_while_heating() {
    let mut world = heating(Setup::default());
    world.break_sensor(SensorFault::Garbage);
    // The witness stands by; which of the numbers heat is chance.
    world.run(HOUR);
    world.break_sensor(SensorFault::Well);
    world.run(MINUTE);
    world.reset();
    assert_recovers(&mut world);
}

#[test]
fn hazard_04_leaps_are_not_believed_and_three_in_a_row_release() {
    let mut world = heating(Setup::default());
    let before = world.witness.reading().expect("read");
    for leap_c in [60.0, -30.0, 45.0] {
        assert!(world.heats());
        world.break_sensor(SensorFault::Says(leap_c));
        world.run(world.setup.read_interval);
        let reading = world.snapshot().expect("lives").reading.expect("the last good one");
        assert_eq!(reading.taken_at, before.taken_at, "{leap_c} °C are no reading");
    }
    assert!(!world.heats());
    assert!(refusal(&world).contains("not believed"), "{}", refusal(&world));
    world.break_sensor(SensorFault::Well);
    assert_recovers(&mut world);
}

#[test]
fn hazard_05_no_heat_with_a_sensor_that_cannot_see_the_cut_off() {
    for (probe, highest_c) in [(Probe::Dht11, 48.0), (Probe::Dht22, 78.0), (Probe::Bme280, 83.0)] {
        for (max_temp_c, heats) in [(highest_c, true), (highest_c + 0.5, false)] {
            let mut setup = Setup { probe, ..Setup::default() };
            setup.config.safety.max_temp_c = max_temp_c;
            let mut world = World::new(setup);
            world.run(HOUR);
            assert_eq!(world.witness.energised > 0, heats, "{probe:?} {max_temp_c} °C: {}", refusal(&world));
            assert!(heats || refusal(&world).contains("too near to the cut-off"), "{}", refusal(&world));
        }
    }
}

/// The air gets hotter than the sensor can say; long before that the cut-off is reached.
#[test]
fn hazard_05_a_sensor_at_the_end_of_its_range_is_over_the_cut_off() {
    let mut setup = Setup { probe: Probe::Dht11, read_interval: seconds(2), ..Setup::default() };
    setup.physics = BoxParameters { lid_openings_per_day: 0.0, ..BoxParameters::six_boxes()[2].1.clone() };
    setup.config.heater.band = Band { low: 30.0, high: 32.0 };
    setup.config.safety.max_temp_c = 48.0;
    let mut world = World::new(setup);
    world.break_heater(HeaterFault::Welded);
    world.run_until(HOUR, "hotter than the sensor can say", |world| world.physics.air_temperature_c() > 55.0);
    assert!(!world.heats());
    world.run(20 * MINUTE);
    assert!(faults(&world).contains("PULL THE PLUG"), "{}", faults(&world));
}

#[test]
fn hazard_06_a_wrong_type_reads_too_cold_to_heat() {
    let mut world = World::new(Setup::default());
    world.break_sensor(SensorFault::WrongType);
    world.run(2 * HOUR);
    assert_eq!(world.witness.energised, 0);
    assert!(refusal(&world).contains("sensor.type"), "says what to look at: {}", refusal(&world));
    world.break_sensor(SensorFault::Well);
    assert_recovers(&mut world);
}

/// Where somebody has allowed the cold, what is left is that the box does not warm.
#[test]
fn hazard_06_a_wrong_type_in_a_box_that_may_be_cold_latches_as_not_warming() {
    let mut setup = Setup::default();
    setup.config.safety.allow_cold = true;
    let mut world = World::new(setup);
    world.break_sensor(SensorFault::WrongType);
    let after = world.run_until(HOUR, "latched", |world| !faults(world).is_empty());
    assert!(after <= seconds(4 * 190 + 600), "{after:?}");
    assert_latched(&mut world);
}

#[test]
fn hazard_07_one_wrong_reading_neither_heats_nor_trips() {
    for wrong_c in [-20.0, 12.0, 26.0, 65.0] {
        let mut world = heating(Setup::default());
        world.run(10 * MINUTE);
        let energised = world.witness.energised;
        for _ in 0..20 {
            world.break_sensor(SensorFault::Once(wrong_c));
            world.run(MINUTE);
        }
        assert_eq!(faults(&world), "", "{wrong_c} °C, twenty times in twenty minutes");
        assert!(world.witness.energised > energised, "and the heater works");
        assert!(IN_BAND.contains(&world.air_c()), "{}", world.air_c());
    }
}
