//! The fail-safe ladder on real processes: what becomes of the outputs when the daemon, or the guard, dies or hangs.
//!
//! The guard's own trace says when a line changed. Bounds are the ladder's, with slack for a loaded machine.

use crate::support::{Daemon, child_of, signal, wait_until};

/// The lease: longer than this after the daemon's last sign of life no output is active.
const LEASE_S: f64 = 2.5;
/// What a machine busy with other builds may add.
const SLACK_S: f64 = 5.0;

/// Seconds since boot, the clock of the trace.
fn boottime() -> f64 {
    filamentbox::runtime::clock::boottime().seconds()
}

/// A daemon whose heater and fan are on, by hand.
fn heating() -> Daemon {
    let mut daemon = Daemon::new();
    daemon.start();
    daemon.ask(&["heater", "on", "--for", "10m"]);
    daemon.ask(&["fan", "on"]);
    daemon.wait_for_output("heater", true);
    daemon.wait_for_output("fan", true);
    daemon
}

#[test]
fn a_killed_daemon_leaves_nothing_on() {
    let mut daemon = heating();
    let killed_at = boottime();
    daemon.kill();
    for output in ["heater", "fan"] {
        let after = daemon.wait_for_output(output, false) - killed_at;
        println!("{output} released {:.1} ms after SIGKILL", after * 1000.0);
        assert!(after < LEASE_S, "it was the end of the lease that released it, not the end of the daemon");
    }
}

#[test]
fn a_stopped_daemon_leaves_nothing_on() {
    let daemon = heating();
    let stopped_at = boottime();
    daemon.signal("-STOP");
    let released_at = daemon.wait_for_output("heater", false);
    daemon.wait_for_output("fan", false);
    println!("released {:.3} s after SIGSTOP", released_at - stopped_at);
    assert!(released_at - stopped_at < LEASE_S + SLACK_S);
    daemon.signal("-CONT");
    wait_until("the daemon answers again", || daemon.status().is_some());
}

#[test]
fn an_orderly_stop_switches_off_first_and_keeps_every_sample() {
    let mut daemon = heating();
    let status = daemon.stop();
    assert!(status.success(), "{status}");
    assert_eq!(daemon.traced_output("heater").map(|(_, on)| on), Some(false));
    assert_eq!(daemon.traced_output("fan").map(|(_, on)| on), Some(false));
    let traced = daemon.trace().iter().filter(|line| line[1] == "sample").count();
    let kept = daemon.history().len();
    // A reading that arrives while the daemon stops is not accepted any more.
    assert!((traced.saturating_sub(2)..=traced).contains(&kept), "{kept} samples of {traced} readings");
}

#[test]
fn a_guard_that_hangs_is_killed() {
    let daemon = heating();
    let guard = child_of(&daemon);
    signal(&guard, "-STOP");
    wait_until("the guard is gone", || child_of(&daemon).is_empty());
    let status = daemon.status().expect("it answers");
    assert_eq!(status["controls"]["heater"]["on"], false);
    let fault = status["safety"]["faults"][0].as_str().expect("a fault").to_owned();
    assert!(fault.contains("does not answer"), "{fault}");
}

#[test]
fn without_its_guard_the_daemon_goes_on_and_heats_no_more() {
    let daemon = heating();
    signal(&child_of(&daemon), "-KILL");
    wait_until("the fault shows", || {
        daemon.status().is_some_and(|status| !status["safety"]["faults"].as_array().expect("a list").is_empty())
    });
    let status = daemon.status().expect("it answers");
    assert_eq!(status["controls"]["heater"]["on"], false);
    assert_eq!(status["safety"]["heat_allowed"], false);
    let answer = daemon.ask(&["heater", "on"]);
    assert!(answer.contains("off") && answer.contains("the relay guard has ended"), "{answer}");
    let before = status["journal"]["samples"].as_u64();
    wait_until("it measures on", || {
        daemon.status().is_some_and(|status| status["journal"]["samples"].as_u64() > before)
    });
}

#[test]
fn an_override_is_answered_with_the_state_and_its_reason() {
    let mut daemon = Daemon::new();
    daemon.set("heating_control.enabled", "false").start();
    let refused = daemon.cli(&["heater", "on"]);
    assert_eq!(refused.status.code(), Some(2));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("heating_control.enabled"), "{text}");
    let on = daemon.ask(&["fan", "on", "--for", "1h"]);
    assert!(on.contains("ON") && on.contains("manual until") && on.contains("by hand"), "{on}");
    let auto = daemon.ask(&["fan", "auto"]);
    assert!(auto.contains("auto"), "{auto}");
    let events = daemon.ask(&["events"]);
    assert!(events.contains("fan: on by hand for 3600 s") && events.contains("fan: back to automatic"), "{events}");
}
