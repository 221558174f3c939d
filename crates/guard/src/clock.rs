//! The one place of the crate that asks the operating system for the time: `CLOCK_BOOTTIME`, which nobody can set and which goes on
//! while the machine is suspended. Everything else is given a [`Nanos`].

use std::fmt;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A moment: nanoseconds since boot, time asleep included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Nanos(pub u64);

impl Nanos {
    /// This moment plus `later`; the end of time (584 years after boot) stands for "never".
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        let later = u64::try_from(later.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(later))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Seconds with six decimals, as in a trace.
impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000_000, self.0 / 1000 % 1_000_000)
    }
}

/// The present moment.
#[must_use]
pub fn now() -> Nanos {
    let time = clock_gettime(ClockId::Boottime);
    // Time since boot is never negative; if it were, 0 would end every lease.
    Nanos(u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0))
}
