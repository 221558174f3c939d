//! One output on for a moment, without a daemon: for `doctor`, which asks somebody whether the relay clicked.

use std::thread::park_timeout;
use std::time::Duration;

use filamentbox_core::chamber::Wanted;
use filamentbox_core::command::OutputKind;

use super::{GuardLink, GuardLost, Plan, RENEWAL};
use crate::runtime::clock::boottime;

/// Has a guard of its own switch the fan on for `time` and off again. `plan` holds that fan alone: a heater would need a reading.
///
/// # Errors
/// Why it was not possible. The fan is off then.
pub fn pulse(plan: &Plan, time: Duration) -> Result<(), String> {
    debug_assert!(plan.slots.iter().all(|slot| slot.output == OutputKind::Fan));
    let mut guard = GuardLink::start(plan).map_err(|lost| lost.to_string())?;
    if let Some(problem) = guard.problems().pop() {
        guard.end();
        return Err(problem.text);
    }
    let result = hold(&mut guard, time);
    match result {
        Ok(_) => guard.end(),
        Err(_) => guard.kill(),
    }
    match result {
        Ok(true) => Ok(()),
        Ok(false) => Err("the relay guard did not switch it on".to_owned()),
        Err(lost) => Err(lost.to_string()),
    }
}

/// Whether it was on all the time.
fn hold(guard: &mut GuardLink, time: Duration) -> Result<bool, GuardLost> {
    let wanted = [Wanted { fan: true, ..Wanted::default() }];
    let until = boottime() + time;
    let mut was_on = true;
    while boottime() < until {
        let now = boottime();
        was_on &= guard.exchange(&wanted, now)?.iter().all(|held| held.fan.active);
        park_timeout(until.since(now).min(RENEWAL));
    }
    guard.exchange(&[Wanted::default()], boottime())?;
    Ok(was_on)
}
