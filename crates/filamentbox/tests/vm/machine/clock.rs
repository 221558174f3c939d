//! The guest's clock. Its times are counted instructions, so that waiting costs nothing and measuring is exact.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time since boot, on the clock of the daemon's trace. The guest never sleeps as a machine, so it is the kernel's CLOCK_MONOTONIC too.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("less than a second"))
}

/// Lets time pass.
pub(crate) fn pass(duration: Duration) {
    std::thread::sleep(duration);
}

/// Looks every `step` whether `condition` holds; returns when it did, or `None` after `limit`.
pub(crate) fn wait(limit: Duration, step: Duration, mut condition: impl FnMut() -> bool) -> Option<Duration> {
    let end = now() + limit;
    loop {
        let moment = now();
        if condition() {
            return Some(moment);
        }
        if moment > end {
            return None;
        }
        pass(step);
    }
}

/// Waits until `condition` holds, which must be within `limit`.
#[track_caller]
pub(crate) fn wait_until(what: &str, limit: Duration, condition: impl FnMut() -> bool) -> Duration {
    let reached = wait(limit, Duration::from_millis(100), condition);
    reached.unwrap_or_else(|| panic!("{what}: not within {limit:?}"))
}
