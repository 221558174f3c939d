//! The only place that asks the operating system for the time.
//!
//! With `--time-scale N` the daemon lives in simulated time: it runs N times faster than real time, but never further ahead of
//! the last stored sample than a few reading intervals. A machine too slow for N gets a slower simulation, not stale readings.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use filamentbox_core::time::{Clock, Monotonic, UnixTime};
use rustix::time::{ClockId, clock_gettime};

/// A wall clock that shows less than this (2025-01-01) has not been set since power-on.
const PLAUSIBLE_WALL_MS: i64 = 1_735_689_600_000;
/// Simulated time may run so many reading intervals ahead of the last stored sample.
const HORIZON_INTERVALS: u32 = 2;
/// While simulated time waits for the machine, how long a waiter sleeps before it looks again.
const STALLED_POLL: Duration = Duration::from_micros(50);

/// The daemon's clocks, real or scaled.
#[derive(Debug)]
pub struct Clocks {
    scaled: Option<Scaled>,
}

#[derive(Debug)]
struct Scaled {
    factor: f64,
    start: Monotonic,
    start_wall: UnixTime,
    /// Simulated nanoseconds that time may not pass yet.
    horizon: AtomicU64,
    horizon_span: Duration,
}

impl Clocks {
    /// The real clocks.
    pub fn real() -> Self {
        Self { scaled: None }
    }

    /// Clocks that start now, at wall time `start_wall`, and run `factor` times faster.
    pub fn scaled(factor: f64, start_wall: UnixTime, read_interval: Duration) -> Self {
        let start = boottime();
        let horizon_span = read_interval * HORIZON_INTERVALS;
        let horizon = AtomicU64::new((start + horizon_span).nanos());
        Self { scaled: Some(Scaled { factor, start, start_wall, horizon, horizon_span }) }
    }

    /// Whether time is simulated.
    pub fn is_scaled(&self) -> bool {
        self.scaled.is_some()
    }

    /// What the clocks say now.
    pub fn read(&self) -> Clock {
        let real = boottime();
        let Some(scaled) = &self.scaled else {
            return Clock { now: real, wall: wall().filter(|wall| wall.millis() >= PLAUSIBLE_WALL_MS) };
        };
        let elapsed = real.since(scaled.start).mul_f64(scaled.factor);
        let now = (scaled.start + elapsed).min(Monotonic::from_nanos(scaled.horizon.load(Ordering::Relaxed)));
        let wall_millis =
            scaled.start_wall.millis() + i64::try_from(now.since(scaled.start).as_millis()).unwrap_or(i64::MAX);
        Clock { now, wall: Some(UnixTime::from_millis(wall_millis)) }
    }

    /// How long to wait, in real time, for `deadline`. Wait again when it has not come after that.
    pub fn real_until(&self, deadline: Monotonic) -> Duration {
        let ahead = deadline.since(self.read().now);
        match &self.scaled {
            None => ahead,
            Some(_) if ahead.is_zero() => ahead,
            Some(scaled) => ahead.div_f64(scaled.factor).max(STALLED_POLL),
        }
    }

    /// Says that the sample taken at `moment` is stored, so that simulated time may go on. No effect on real clocks.
    pub fn stored(&self, moment: Monotonic) {
        if let Some(scaled) = &self.scaled {
            scaled.horizon.fetch_max((moment + scaled.horizon_span).nanos(), Ordering::Relaxed);
        }
    }
}

/// Real seconds since boot, for traces.
pub fn boottime() -> Monotonic {
    #[cfg(test)]
    if let Some(now) = paused::now() {
        return now;
    }
    let now = clock_gettime(ClockId::Boottime);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    Monotonic::from_nanos(u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + nanos)
}

/// What the wall clock shows, right or wrong.
pub fn wall() -> Option<UnixTime> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(UnixTime::from_millis)
}

/// For simulations: on a thread that follows tokio's paused clock, "real" time is that clock.
#[cfg(test)]
pub(crate) mod paused {
    use std::cell::Cell;
    use std::time::Duration;

    use filamentbox_core::time::Monotonic;
    use tokio::time::Instant;

    thread_local! {
        static BOOT: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    /// The machine booted an hour ago. Call it within the runtime whose clock is paused.
    pub(crate) fn follow() {
        BOOT.set(Some(Instant::now()));
    }

    pub(super) fn now() -> Option<Monotonic> {
        Some(Monotonic::ZERO + Duration::from_secs(3600) + BOOT.get()?.elapsed())
    }
}
