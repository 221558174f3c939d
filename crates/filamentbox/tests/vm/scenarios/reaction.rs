//! How long the heater's line stays active after something has gone wrong, in the guest's exact time. The limits are those of the
//! fail-safe ladder (docs/SAFETY.md); the measured times are printed.

use std::time::Duration;

use rustix::process::{Signal, kill_process};

use super::boxes::{HEATER, HeatedBox};
use super::{Scenario, scenarios};
use crate::guest::measured;
use crate::machine::clock;
use crate::machine::trace::Trace;

pub(super) const ALL: &[Scenario] = scenarios![
    the_line_follows_a_reading,
    a_killed_daemon_lets_go,
    a_stopped_daemon_loses_its_lease,
    a_killed_guard_lets_go,
    a_stopped_guard_is_killed,
    a_line_that_outlives_its_guard_is_driven_off,
    a_daemon_that_dies_again_and_again_is_latched,
];

/// Kills of each kind, each with a fresh daemon.
const KILLS: u32 = 20;

/// Kills or stops something while the heater is on, many times, and measures how long the line stays active.
fn measure(what: &str, limit: Duration, step: Duration, strike: impl Fn(&mut HeatedBox)) {
    let mut heated = HeatedBox::new();
    let mut times = Vec::new();
    for kill in 0..KILLS {
        // A daemon that dies often on the same folder is latched, which is another scenario.
        heated.daemon.move_to_fresh_folder();
        heated.start_heating();
        // Not always at the same moment between two leases.
        clock::pass(Duration::from_millis(u64::from(100 + kill * 37)));
        assert!(heated.heats(), "{what}: the heater went off by itself");
        let struck = clock::now();
        strike(&mut heated);
        let off = clock::wait(limit + Duration::from_secs(5), step, || !heated.heats());
        let off = off.unwrap_or_else(|| panic!("{what}: the line is still active after {:?}", clock::now() - struck));
        times.push(off - struck);
        heated.daemon.end_everything();
        clock::wait_until("the line is free", Duration::from_secs(5), || heated.bank.holder(HEATER).is_none());
    }
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    measured(&format!(
        "{what}: {KILLS} times, off after p50 {:.2} ms, max {:.2} ms (limit {} ms)",
        ms(median),
        ms(worst),
        limit.as_millis()
    ));
    assert!(worst <= limit, "{what}: {worst:?}, limit {limit:?}");
}

fn the_line_follows_a_reading() {
    let mut heated = HeatedBox::new();
    heated.daemon.set("data_collection.read_interval", "0.25");
    heated.start_heating();
    let mut times = Vec::new();
    for round in 0..20 {
        let (air_c, expected) = if round % 2 == 0 { (48.0, false) } else { (44.0, true) };
        let trace = Trace::start(&heated.bank);
        heated.world.change(|conditions| conditions.room_c = air_c);
        // In steps that are believed.
        let from = heated.world.air_c();
        for step in 1..=8 {
            heated.world.set_air_c(from + (air_c - from) * f64::from(step) / 8.0);
            clock::pass(Duration::from_millis(500));
        }
        clock::wait_until("the line follows", Duration::from_secs(10), || heated.heats() == expected);
        let change = trace.changes(HEATER).into_iter().find(|change| change.level == expected).expect("a change");
        let sample = heated.daemon.sample_before(change.at).expect("the reading that caused it");
        times.push(change.at - sample);
    }
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    measured(&format!("from a reading to its line: p50 {median:?}, max {worst:?}"));
    assert!(worst < Duration::from_secs(1), "{worst:?}");
}

fn a_killed_daemon_lets_go() {
    let step = Duration::from_micros(100);
    measure("kill -9 of the daemon", Duration::from_millis(20), step, |heated| {
        heated.daemon.signal(Signal::KILL);
    });
}

fn a_stopped_daemon_loses_its_lease() {
    let step = Duration::from_millis(1);
    // The lease, which may have been renewed just then, and as long as the guard takes to notice anything.
    measure("kill -STOP of the daemon", Duration::from_millis(2500), step, |heated| {
        heated.daemon.signal(Signal::STOP);
    });
}

fn a_killed_guard_lets_go() {
    let step = Duration::from_micros(100);
    measure("kill -9 of the guard", Duration::from_secs(1), step, |heated| {
        let guard = heated.daemon.guard_pid().expect("a guard");
        kill_process(guard, Signal::KILL).expect("the guard can be signalled");
    });
}

fn a_stopped_guard_is_killed() {
    let step = Duration::from_millis(1);
    measure("kill -STOP of the guard", Duration::from_secs(4), step, |heated| {
        let guard = heated.daemon.guard_pid().expect("a guard");
        kill_process(guard, Signal::STOP).expect("the guard can be signalled");
    });
}

/// A Raspberry Pi keeps a line as it was when its process dies; the pull does that here. So the daemon drives it itself.
fn a_line_that_outlives_its_guard_is_driven_off() {
    for (signal, what, limit) in
        [(Signal::KILL, "kill -9", Duration::from_secs(1)), (Signal::STOP, "kill -STOP", Duration::from_secs(4))]
    {
        let mut heated = HeatedBox::new();
        heated.bank.pull(HEATER, true);
        heated.start_heating();
        let guard = heated.daemon.guard_pid().expect("a guard");
        let trace = Trace::start(&heated.bank);
        let struck = clock::now();
        kill_process(guard, signal).expect("the guard can be signalled");
        let guard = i64::from(guard.as_raw_nonzero().get());
        let driven_off = || {
            let mut changes = trace.changes(HEATER).into_iter();
            changes.find(|change| i64::from(change.by) != guard && !change.level)
        };
        clock::wait_until("the daemon drives the line itself", 2 * limit, || driven_off().is_some());
        let took = driven_off().expect("just seen").at - struck;
        measured(&format!("{what} of the guard, on a line that stays as it was: driven off after {took:?}"));
        assert!(took <= limit, "{what}: {took:?}");
    }
}

fn a_daemon_that_dies_again_and_again_is_latched() {
    let mut heated = HeatedBox::new();
    let latched = (0..8).find(|_| {
        heated.daemon.start();
        let heats = || heated.heats() || heated.daemon.state("/safety").to_string().contains("ended unexpectedly");
        clock::wait_until("it heats or says why not", Duration::from_secs(60), heats);
        let latched = !heated.heats();
        if !latched {
            heated.daemon.kill();
            clock::wait_until("the line is free", Duration::from_secs(5), || heated.bank.holder(HEATER).is_none());
        }
        latched
    });
    let deaths = latched.expect("eight deaths within minutes latch");
    measured(&format!("latched after {deaths} deaths while heating"));
    // The latch outlives an orderly restart too, and only a reset ends it.
    heated.daemon.stop();
    heated.daemon.start();
    clock::pass(Duration::from_secs(20));
    assert!(!heated.heats(), "the latch is forgotten");
    heated.daemon.ask(&["reset"]);
    clock::wait_until("the heater is on", Duration::from_secs(60), || heated.heats());
    heated.daemon.stop();
}
