//! People: overrides, and the clock on the wall.

use std::time::Duration;

use filamentbox_core::command::{CommandError, OutputKind, Wish};
use filamentbox_core::control::Mode;
use filamentbox_core::physics::Disturbance;

use crate::daemon::Pulse;
use crate::hazards::{assert_recovers, heating, seconds};
use crate::world::{Setup, World};

const HEATER: OutputKind = OutputKind::Heater;

/// The air of the room alone is above the band: whatever heats is a hand.
fn in_a_warm_room() -> World {
    let mut world = World::new(Setup::default());
    world.disturb(Disturbance { room_warmer_c: 10.0, ..Disturbance::default() });
    world.run(seconds(7200));
    assert!(!world.heats());
    world
}

#[test]
fn hazard_20_override_forgotten_ends_by_itself() {
    let mut world = in_a_warm_room();
    world.command(HEATER, Wish::On { hold: None }).expect("accepted");
    let asked_at = world.now;
    world.run(seconds(7200));
    assert_eq!(world.last_heat().since(asked_at), seconds(1800));
    assert_eq!(world.heater_mode(), Some(Mode::Auto));
    world.disturb(Disturbance::default());
    world.run(seconds(3 * 3600));
    assert_recovers(&mut world);
}

/// The override ends while the daemon is stopped, or with it.
#[test]
fn hazard_20_override_forgotten_by_a_daemon_that_is_stopped_or_killed() {
    for kill in [false, true] {
        let mut world = in_a_warm_room();
        world.command(HEATER, Wish::On { hold: None }).expect("accepted");
        let asked_at = world.now;
        world.run(seconds(1790));
        if kill {
            world.kill_daemon()
        } else {
            world.pulse(Pulse::Stopped)
        }
        world.run(seconds(5));
        if kill {
            world.start_daemon()
        } else {
            world.run(seconds(3600)).pulse(Pulse::Running)
        }
        world.run(seconds(3600));
        assert!(world.last_heat().since(asked_at) < seconds(1800), "{:?}", world.last_heat().since(asked_at));
        assert_eq!(world.heater_mode(), Some(Mode::Auto));
    }
}

#[test]
fn hazard_20_override_repeated_does_not_add_up() {
    let mut world = in_a_warm_room();
    let too_long = world.command(HEATER, Wish::On { hold: Some(seconds(1801)) });
    assert_eq!(too_long, Err(CommandError::TooLong { asked: 1801, allowed: 1800 }));
    assert!(!world.heats());
    world.command(HEATER, Wish::On { hold: Some(seconds(1800)) }).expect("accepted");
    world.run(seconds(100));
    world.command(HEATER, Wish::On { hold: Some(seconds(60)) }).expect("accepted");
    let asked_at = world.now;
    world.run(seconds(3600));
    assert_eq!(world.last_heat().since(asked_at), seconds(60), "the latest counts");
}

#[test]
fn hazard_20_override_forgotten_ends_by_a_limit_that_was_lowered_meanwhile() {
    let mut world = in_a_warm_room();
    world.command(HEATER, Wish::On { hold: None }).expect("accepted");
    let asked_at = world.now;
    world.run(seconds(100));
    let mut config = world.original.clone();
    config.safety.override_max = seconds(300);
    world.configure(config);
    world.run(seconds(100));
    world.configure(world.original.clone());
    world.run(seconds(3600));
    assert_eq!(world.last_heat().since(asked_at), seconds(300), "and a higher limit does not lengthen it");
}

#[test]
fn hazard_11_a_lower_on_time_makes_the_heater_rest_at_once() {
    let mut world = in_a_warm_room();
    world.command(HEATER, Wish::On { hold: None }).expect("accepted");
    world.run(seconds(700));
    assert!(world.heats());
    let mut config = world.original.clone();
    config.safety.max_on_time = seconds(600);
    world.configure(config);
    let changed_at = world.now;
    assert!(!world.heats());
    world.configure(world.original.clone());
    world.run(seconds(599));
    assert_eq!(world.last_heat(), changed_at, "the rest is made, whatever the limit is then");
}

#[test]
fn off_by_hand_holds_until_auto() {
    let mut world = heating(Setup::default());
    world.command(HEATER, Wish::Off { hold: None }).expect("accepted");
    let off_at = world.now;
    world.run(seconds(4 * 3600));
    assert_eq!(world.last_heat(), off_at);
    world.command(HEATER, Wish::Auto).expect("accepted");
    assert_recovers(&mut world);
}

#[test]
fn hazard_26_a_nervous_hand_does_not_chatter_the_relay() {
    let mut world = World::new(Setup::default());
    world.run(seconds(7));
    let start = world.now;
    for press in 0..600 {
        let wish = if press % 2 == 0 { Wish::On { hold: None } } else { Wish::Off { hold: None } };
        world.command(HEATER, wish).expect("accepted");
        world.run(Duration::from_millis(700));
    }
    let minutes = world.now.since(start).as_secs_f64() / 60.0;
    let energised = f64::from(world.witness.energised);
    assert!(energised <= minutes * 6.0 + 1.0, "{energised} times in {minutes} minutes, at least 10 s off in between");
}

/// The same world with another wall clock is the same world.
#[test]
fn hazard_18_wall_clock_jumps_change_nothing() {
    let run = |jumps: &[Option<i64>]| {
        let mut world = World::new(Setup::default());
        world.log = Some(Vec::new());
        for jump in jumps {
            world.wall_offset_ms = *jump;
            world.run(seconds(1200));
            world.command(HEATER, Wish::On { hold: Some(seconds(300)) }).expect("accepted");
            world.run(seconds(1200));
        }
        world.log.take().expect("kept")
    };
    let steady = run(&[Some(1_700_000_000_000); 6]);
    let jumping = run(&[
        None,
        Some(0),
        Some(1_700_000_000_000),
        Some(-86_400_000),
        Some(4_000_000_000_000),
        Some(946_684_800_000),
    ]);
    assert!(steady.len() > 30, "{}", steady.len());
    assert_eq!(steady, jumping);
}
