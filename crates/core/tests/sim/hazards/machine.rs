//! Hazards of processes, people and the machine.

use filamentbox_core::chamber::{Chamber, Input};
use filamentbox_core::command::{OutputKind, Wish};
use filamentbox_core::control::Mode;
use filamentbox_core::physics::Disturbance;

use super::{HOUR, MINUTE, assert_latched, assert_recovers, faults, heating, refusal, seconds, shows};
use crate::daemon::{Pulse, RENEWAL};
use crate::relay::{LineFault, LinkFault};
use crate::sensor::{SensorFault, Why};
use crate::witness::{LEASE, ROUNDING};
use crate::world::{Setup, World};

#[test]
fn hazard_13_daemon_stopped_or_hung_releases_with_the_lease() {
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
fn hazard_12_daemon_killed_releases_at_once() {
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
fn hazard_14_guard_killed_is_a_fault_until_the_daemon_starts_anew() {
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
fn hazard_15_guard_that_does_not_answer_is_given_up_and_killed() {
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
fn hazard_21_limits_above_the_guards_are_the_guards() {
    let mut setup = Setup::default();
    setup.config.safety.max_temp_c = 83.0;
    setup.config.safety.max_sample_age = seconds(120);
    let mut world = heating(setup);
    world.break_sensor(SensorFault::Hangs);
    let last = world.witness.reading().expect("read").taken_at;
    world.run(seconds(60));
    let age = world.last_heat().since(last);
    assert!((seconds(15) - ROUNDING..=seconds(15) + ROUNDING).contains(&age), "{age:?}");
    let reason = world.snapshot().expect("lives").heater.reason;
    assert!(reason.starts_with("the relay guard refuses: "), "{reason}");

    world.break_sensor(SensorFault::Well);
    world.run(MINUTE);
    world.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    shows(&mut world, 70.0);
    assert!(!world.heats(), "70 °C is under the daemon's cut-off and at the guard's");
    assert!(faults(&world).contains("the relay guard's cut-off"), "{}", faults(&world));
    world.break_sensor(SensorFault::Well);
    world.run(MINUTE);
    assert_latched(&mut world);
    world.reset();
    assert_recovers(&mut world);
}

#[test]
fn hazard_22_a_line_that_somebody_else_sets_is_off_within_a_second_and_latched() {
    let mut world = World::new(Setup::default());
    world.disturb(Disturbance { room_warmer_c: 15.0, ..Disturbance::default() });
    world.run(HOUR);
    world.break_line(LineFault::Moved);
    let moved_at = world.now;
    world.run(2 * MINUTE);
    assert!(world.last_heat().since(moved_at) <= seconds(1), "{:?}", world.last_heat().since(moved_at));
    world.disturb(Disturbance::default());
    world
        .run_until(3 * HOUR, "too cold", |world| world.witness.reading().is_some_and(|seen| seen.temperature_c < 20.0));
    world.run(MINUTE);
    assert!(faults(&world).contains("did not do what it was told"), "{}", faults(&world));
    assert_latched(&mut world);
    world.break_line(LineFault::Well);
    world.reset();
    assert_recovers(&mut world);
}

#[test]
fn hazard_22_a_line_that_does_not_obey_is_latched_and_told() {
    for fault in [LineFault::Deaf, LineFault::StuckActive] {
        let mut world = heating(Setup::default());
        world.break_line(fault);
        world.command(OutputKind::Heater, Wish::Off { hold: Some(seconds(60)) }).ok();
        world.run(2 * MINUTE);
        assert!(faults(&world).contains("did not do what it was told"), "{fault:?}: {}", faults(&world));
        assert!(world.relay.heater, "no program can help it: {fault:?}");
        world.break_line(LineFault::Well);
        assert!(!world.relay.heater);
        assert_latched(&mut world);
    }
}

/// What the guard keeps it keeps also from a daemon that knows nothing of it and asks for heat.
#[test]
fn hazard_23_the_guard_keeps_its_latch_whatever_it_is_asked() {
    let mut world = heating(Setup::default());
    let mut ignorant = Chamber::new(world.setup.config.clone(), world.now);
    world.break_sensor(SensorFault::Frozen);
    world.run(2 * MINUTE);
    world.break_sensor(SensorFault::Well);
    world.run(world.setup.read_interval);
    let reading = world.snapshot().expect("lives").reading.expect("read");
    let wanted = ignorant.step(world.clock(), Input::Sample(reading)).wanted;
    assert!(wanted.heat.is_some() && wanted.latch.is_none());
    world.relay.exchange(world.now, &wanted, &mut world.dice);
    assert!(!world.relay.heater);
    world.relay.reset(world.now, &mut world.dice);
    assert!(world.relay.heater, "it was the latch");
}

/// A daemon that dies again and again heats between its deaths at most while every rule holds, and clears no latch. That the guard
/// latches it the fourth time is shown with the real guard.
#[test]
fn hazard_23_a_crash_loop_clears_no_latch() {
    let mut world = heating(Setup::default());
    world.break_sensor(SensorFault::Frozen);
    world.run(2 * MINUTE);
    world.break_sensor(SensorFault::Well);
    let off_since = world.last_heat();
    for death in 0..20 {
        world.kill_daemon();
        if death % 3 == 0 {
            world.kill_guard();
        }
        world.start_daemon();
        world.run(seconds(20));
    }
    assert_eq!(world.last_heat(), off_since);
    assert!(faults(&world).contains("repeats the same reading"), "{}", faults(&world));
}

#[test]
fn hazard_27_without_a_sensor_or_a_guard_the_daemon_runs_and_does_not_heat() {
    let mut world = World::new(Setup::default());
    world.break_sensor(SensorFault::NoData(Why::NotPresent));
    world.run(24 * HOUR);
    assert_eq!((world.witness.energised, refusal(&world).as_str()), (0, "no reading yet"));
    world.break_sensor(SensorFault::Well);
    assert_recovers(&mut world);

    let mut world = World::new(Setup::default());
    world.kill_guard();
    world.run(24 * HOUR);
    world.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    world.run(MINUTE);
    assert_eq!((world.witness.energised, refusal(&world).as_str()), (0, "the relay guard has ended"));
}

/// Off at the start, and nothing of what people asked for before: neither is remembered.
#[test]
fn hazard_24_after_a_power_loss_all_is_off_and_no_override_is_left() {
    let mut world = heating(Setup::default());
    world.disturb(Disturbance { room_warmer_c: 15.0, ..Disturbance::default() });
    world.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    world.run(seconds(600));
    assert!(world.heats(), "by hand");
    world.kill_guard();
    world.kill_daemon();
    let lost_at = world.now;
    world.wall_offset_ms = None;
    world.run(MINUTE);
    world.start_daemon();
    world.run(HOUR);
    assert_eq!((world.last_heat(), world.heater_mode()), (lost_at, Some(Mode::Auto)));
}

#[test]
fn hazard_28_a_machine_that_slept_releases_before_anything_else() {
    for asleep in [seconds(3), MINUTE, seconds(600)] {
        let mut world = heating(Setup::default());
        let before = world.witness.energised;
        world.suspend(asleep);
        let woken_at = world.now;
        let again = world.witness.energised - before;
        assert_eq!(again, u32::from(world.heats()), "off first, the guard's timer is due; then perhaps on again");
        if asleep > seconds(15) && world.heats() {
            assert_eq!(world.witness.reading().expect("read").taken_at, woken_at, "on a new reading");
        }
        // Nobody was awake to switch it off: it has to cool down.
        world.run(3 * HOUR);
        assert_recovers(&mut world);
    }
}
