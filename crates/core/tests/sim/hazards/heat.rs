//! Hazards of the heater: too hot, without effect, without end, without a switch.

use filamentbox_core::command::{OutputKind, Wish};
use filamentbox_core::physics::{BoxParameters, Convection};

use super::{HOUR, MINUTE, heating, seconds};
use crate::sensor::SensorFault;
use crate::witness::ROUNDING;
use crate::world::{Setup, World};

#[test]
fn hazard_09_cut_off_reached_in_every_mode_and_within_the_minimum_on_time() {
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
fn hazard_09_an_older_reading_counts_as_hotter() {
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

/// 4 W for 60 litres: the box never reaches its band.
fn undersized() -> Setup {
    let physics = BoxParameters { lid_openings_per_day: 0.0, ..BoxParameters::of(4.0, 60.0, 5, Convection::Still) };
    Setup { physics, ..Setup::default() }
}

#[test]
fn hazard_11_undersized_heater_rests() {
    let mut world = World::new(undersized());
    world.run(9 * HOUR);
    assert!(world.air_c() < 20.0, "undersized: {}", world.air_c());
    // 4 h on, 10 min off, 4 h on, 10 min off, the rest on.
    assert_eq!(world.witness.energised, 3);
    let heated = world.witness.heated;
    assert!((2 * 4 * HOUR - seconds(2)..=2 * 4 * HOUR).contains(&heated), "{heated:?}");
}

/// Either of the two accounts alone suffices: the daemon's behind a guard without one, and the guard's before a daemon without one.
#[test]
fn hazard_11_daemon_and_guard_each_make_the_heater_rest() {
    for guard_alone in [false, true] {
        let mut setup = undersized();
        let limit = if guard_alone { &mut setup.config.safety.max_on_time } else { &mut setup.guard.max_on_time };
        *limit = 100 * HOUR;
        let mut world = World::new(setup);
        world.run_until(MINUTE, "a cold box is heated", World::heats);
        let on = world.run_until(5 * HOUR, "rests", |world| !world.heats());
        assert!((4 * HOUR - seconds(2)..=4 * HOUR).contains(&on), "guard alone {guard_alone}: {on:?}");
        let off = world.run_until(HOUR, "heated again", World::heats);
        assert!((seconds(600)..=seconds(606)).contains(&off), "guard alone {guard_alone}: {off:?}");
    }
}

#[test]
fn hazard_26_minimum_on_time_never_delays_a_hand() {
    let mut setup = Setup::default();
    setup.config.heater.min_on = HOUR;
    let mut world = heating(setup);
    world.command(OutputKind::Heater, Wish::Off { hold: None }).expect("accepted");
    assert!(!world.heats());
}
