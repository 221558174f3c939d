//! Hazards of the sensor: dead, stuck, lying, too small a range, out of its box.

use std::time::Duration;

use super::{MINUTE, assert_recovers, heating, seconds};
use crate::sensor::{SensorFault, Why};
use crate::witness::ROUNDING;
use crate::world::Setup;

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

/// Nothing tells a frozen sensor from a steady one: the on-time limit is what is left.
#[test]
fn hazard_02_stuck_value_unnoticed_ends_with_the_on_time() {
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
fn hazard_04_garbage_while_heating() {
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
