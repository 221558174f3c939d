//! Hazards of the heater: too hot, without effect, without end, without a switch.

use std::time::Duration;

use filamentbox_core::command::{OutputKind, Wish};
use filamentbox_core::config::Band;
use filamentbox_core::physics::BoxParameters;

use super::{HOUR, MINUTE, assert_latched, faults, heating, refusal, seconds, shows};
use crate::sensor::SensorFault;
use crate::witness::ROUNDING;
use crate::world::{HeaterFault, Setup, World};

/// Each of the six boxes, with a band that its heater reaches, and nobody at the lid.
fn six_boxes() -> impl Iterator<Item = (&'static str, Setup)> {
    BoxParameters::six_boxes().into_iter().map(|(name, physics)| {
        let mut setup = Setup { physics: BoxParameters { lid_openings_per_day: 0.0, ..physics }, ..Setup::default() };
        setup.read_interval = seconds(2);
        setup.config.heater.band = Band { low: 22.0, high: 24.0 };
        (name, setup)
    })
}

#[test]
fn hazard_08_dead_heater_is_found_and_latches_the_second_time() {
    for (name, setup) in six_boxes() {
        let mut world = World::new(setup);
        world.break_heater(HeaterFault::Dead);
        let within = |what: &str, world: &mut World| {
            world.run_until(MINUTE, what, World::heats);
            let on_for = world.run_until(seconds(200), what, |world| !world.heats());
            assert!(on_for <= seconds(190), "{name}, {what}: {on_for:?}");
        };
        // The daemon has just begun, and does not know whether the box is warm through: it pauses before it judges.
        within("the doubt", &mut world);
        assert!(refusal(&world).contains("a pause of 180 s"), "{}", refusal(&world));
        world.run(seconds(180));
        within("the first failure", &mut world);
        assert!(refusal(&world).contains("does not warm"), "{}", refusal(&world));
        assert_eq!(faults(&world), "", "once is no reason to latch: somebody opened the lid");
        world.run(seconds(600));
        within("the second failure", &mut world);
        assert!(faults(&world).contains("does not warm"), "{name}: {}", faults(&world));
        assert_latched(&mut world);
        world.break_heater(HeaterFault::Well);
        world.reset();
        world.run_until(MINUTE, "heated again", World::heats);
        world.run_until(2 * HOUR, "the upper end of the band is reached", |world| !world.heats());
        assert_eq!(faults(&world), "", "{name}");
    }
}

#[test]
fn hazard_08_heater_that_dies_in_a_warm_box_is_found_within_the_hour() {
    for (name, setup) in six_boxes() {
        let mut world = World::new(setup);
        world.run(HOUR);
        world.break_heater(HeaterFault::Dead);
        world.run_until(12 * HOUR, "too cold", |world| {
            world.witness.reading().is_some_and(|seen| seen.temperature_c < 20.0)
        });
        world.run_until(HOUR, "found", |world| !faults(world).is_empty());
        assert!(faults(&world).contains("does not warm"), "{name}: {}", faults(&world));
    }
}

#[test]
fn hazard_08_sensor_that_falls_out_of_a_warm_box_is_found() {
    for (name, setup) in six_boxes() {
        let mut world = World::new(setup);
        world.run(HOUR);
        world.break_sensor(SensorFault::InTheRoom);
        world.run_until(HOUR, "found", |world| !faults(world).is_empty());
        assert!(faults(&world).contains("does not warm"), "{name}: {}", faults(&world));
    }
}

/// Such a leap is not believed, and hot air that is not believed is still no air to heat.
#[test]
fn hazard_09_a_leap_to_the_cut_off_releases_with_the_reading() {
    let mut world = heating(Setup::default());
    world.break_sensor(SensorFault::Says(75.0));
    world.run(world.setup.read_interval);
    let leapt_at = world.now;
    world.run(MINUTE);
    assert!(world.last_heat() <= leapt_at, "{:?}", world.last_heat().since(leapt_at));
}

#[test]
fn hazard_09_cut_off_reached_in_every_mode_and_within_the_minimum_on_time() {
    for by_hand in [false, true] {
        let mut setup = Setup::default();
        setup.config.heater.min_on = HOUR;
        let mut world = heating(setup);
        if by_hand {
            world.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
        }
        shows(&mut world, 69.99);
        let almost = world.witness.reading().expect("read").taken_at;
        world.break_sensor(SensorFault::Says(70.0));
        world.run(seconds(6));
        let hot_since = world.witness.reading().expect("read").taken_at;
        assert!((almost..=hot_since).contains(&world.last_heat()), "off with the reading, or by its age");
        assert!(faults(&world).contains("cut-off"), "the guard has seen it: {}", faults(&world));
        world.run(seconds(15));
        assert!(world.last_heat() <= hot_since, "and stays off");
        assert!(world.relay.fan, "the fan cools");
        world.break_sensor(SensorFault::Well);
        world.run(MINUTE);
        assert_latched(&mut world);
        world.reset();
        world.run_until(MINUTE, "heated again", World::heats);
    }
}

#[test]
fn hazard_09_an_older_reading_counts_as_hotter() {
    let mut world = heating(Setup::default());
    world.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    shows(&mut world, 64.0);
    world.break_sensor(SensorFault::Hangs);
    let taken_at = world.witness.reading().expect("read").taken_at;
    world.run(MINUTE);
    let age = world.last_heat().since(taken_at);
    assert!((seconds(6) - ROUNDING..=seconds(6) + ROUNDING).contains(&age), "64 °C + 6 s x 1 °C/s: {age:?}");
}

#[test]
fn hazard_10_welded_relay_is_found_within_13_minutes() {
    for (name, setup) in six_boxes() {
        let mut world = World::new(setup);
        world.run(HOUR);
        world.run_until(MINUTE, "off", |world| !world.heats());
        world.run_until(2 * HOUR, "on", World::heats);
        world.break_heater(HeaterFault::Welded);
        world.run_until(2 * HOUR, "off", |world| !world.heats());
        let after = world.run_until(HOUR, "found", |world| !faults(world).is_empty());
        // The strongest is over the cut-off long before.
        let bound = if name.starts_with("150 W") { seconds(185) } else { seconds(13 * 60) };
        assert!(after <= bound, "{name}: {after:?} after OFF");
        assert!(faults(&world).contains("PULL THE PLUG"), "{name}: {}", faults(&world));
        world.run(MINUTE);
        assert!(world.relay.fan, "the fan cools");
        assert_latched(&mut world);
    }
}

/// The heater was off for an hour, so nothing has to cool: what shows is the rise.
#[test]
fn hazard_10_switch_that_shorts_while_off_is_found_within_13_minutes() {
    for (name, setup) in six_boxes() {
        let mut world = World::new(setup);
        world.run(MINUTE);
        world.command(OutputKind::Heater, Wish::Off { hold: None }).expect("accepted");
        world.run(HOUR);
        world.break_heater(HeaterFault::Welded);
        let after = world.run_until(HOUR, "found", |world| !faults(world).is_empty());
        assert!(after <= seconds(13 * 60), "{name}: {after:?}");
        assert!(faults(&world).contains("PULL THE PLUG"), "{name}: {}", faults(&world));
    }
}

/// A band that its heater never reaches: the room's 17 °C and 25 °C more are all it can.
fn undersized() -> Setup {
    let mut setup = Setup::default();
    setup.config.heater.band = Band { low: 60.0, high: 62.0 };
    setup
}

#[test]
fn hazard_11_undersized_heater_rests() {
    let mut world = World::new(undersized());
    world.run_until(MINUTE, "a cold box is heated", World::heats);
    let start = world.now;
    world.run(9 * HOUR);
    assert_eq!(faults(&world), "", "it warms the box as much as it can");
    let (heated, lived) = (world.witness.heated + world.witness.on_for(world.now), world.seconds_since(start));
    // Two rests of ten minutes, and a few of three in which it shows that it is alive.
    let rested_s = lived - heated.as_secs_f64();
    assert!((1190.0..3600.0).contains(&rested_s), "{rested_s}");
    let air_c = world.air_c();
    assert!((30.0..60.0).contains(&air_c), "{air_c}");
}

/// Either of the two accounts alone suffices: the daemon's behind a guard without one, and the guard's before a daemon without one.
#[test]
fn hazard_11_daemon_and_guard_each_make_the_heater_rest() {
    for guard_alone in [false, true] {
        let mut setup = undersized();
        let limit = if guard_alone { &mut setup.config.safety.max_on_time } else { &mut setup.guard.max_on_time };
        *limit = 100 * HOUR;
        let mut world = World::new(setup);
        let (mut longest_on, mut longest_off) = (Duration::ZERO, Duration::ZERO);
        let end = world.now + 10 * HOUR;
        while world.now < end {
            world.run_until(MINUTE * 20, "on", World::heats);
            let on = world.run_until(5 * HOUR, "off", |world| !world.heats());
            let off = world.run_until(HOUR, "on again", World::heats);
            (longest_on, longest_off) = (longest_on.max(on), longest_off.max(off));
        }
        assert!(longest_on <= 4 * HOUR, "guard alone {guard_alone}: {longest_on:?}");
        assert!((seconds(600)..=seconds(606)).contains(&longest_off), "guard alone {guard_alone}: {longest_off:?}");
    }
}

#[test]
fn hazard_25_a_heater_that_requires_its_fan_runs_within_the_fans_time() {
    let mut setup = Setup::default();
    setup.config.safety.requires_fan = true;
    // Dry enough that nothing else wants the fan.
    setup.config.fan.band = Band { low: 60.0, high: 70.0 };
    let mut world = World::new(setup);
    world.run_until(MINUTE, "the fan first", |world| world.relay.fan);
    assert!(!world.heats());
    let lead = world.run_until(MINUTE, "then the heat", World::heats);
    assert!((seconds(5)..=seconds(6)).contains(&lead), "{lead:?}");
    world.command(OutputKind::Heater, Wish::Off { hold: None }).expect("accepted");
    let after = world.run_until(2 * MINUTE, "the fan stops", |world| !world.relay.fan);
    assert!((seconds(60)..=seconds(66)).contains(&after), "{after:?}");

    world.command(OutputKind::Heater, Wish::Auto).expect("accepted");
    world.run_until(2 * HOUR, "on", World::heats);
    world.command(OutputKind::Fan, Wish::Off { hold: None }).expect("accepted");
    assert!(!world.heats(), "no heat without the fan");
    assert!(refusal(&world).contains("requires_fan"), "{}", refusal(&world));
}

#[test]
fn hazard_26_minimum_on_time_never_delays_a_hand() {
    let mut setup = Setup::default();
    setup.config.heater.min_on = HOUR;
    let mut world = heating(setup);
    world.command(OutputKind::Heater, Wish::Off { hold: None }).expect("accepted");
    assert!(!world.heats());
}
