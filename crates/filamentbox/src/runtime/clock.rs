//! The only place that asks the operating system for the time.
//!
//! With `--time-scale N` the daemon lives in simulated time: it runs N times faster than real time, but never further ahead of
//! the last stored sample than a few reading intervals. A machine too slow for N gets a slower simulation, not stale readings.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use filamentbox_core::config::RequireSync;
use filamentbox_core::time::{Clock, Monotonic, UnixTime};
use rustix::time::{ClockId, clock_gettime};

use super::clock_sync::{Signs, Watch, signs};

/// Simulated time may run so many reading intervals ahead of the last stored sample.
const HORIZON_INTERVALS: u32 = 2;
/// While simulated time waits for the machine, how long a waiter sleeps before it looks again.
const STALLED_POLL: Duration = Duration::from_micros(50);
/// `simulation.fault = no_clock`: the wall clock is so far behind, for so long.
const NO_CLOCK_BEHIND: Duration = Duration::from_secs(40 * 86_400);
const NO_CLOCK_TIME: Duration = Duration::from_secs(60);

/// The daemon's clocks, real or scaled.
#[derive(Debug)]
pub struct Clocks {
    scaled: Option<Scaled>,
    /// The simulated machine's clock is wrong until then.
    wrong_until: Option<Monotonic>,
    watch: Watch,
    boot: String,
    #[cfg(test)]
    pub(crate) test: TestClock,
}

/// What tests turn.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct TestClock {
    /// The wall clock is so far ahead, in ms.
    pub(crate) ahead_ms: std::sync::atomic::AtomicI64,
    pub(crate) is_unset: std::sync::atomic::AtomicBool,
}

#[derive(Debug)]
struct Scaled {
    factor: f64,
    start: Monotonic,
    start_wall: UnixTime,
    /// Simulated nanoseconds that time may not pass yet.
    horizon: AtomicU64,
    horizon_span: AtomicU64,
}

impl Clocks {
    /// The real clocks. The wall clock is known when [`Clocks::look`] has found it to be right.
    pub fn real(require: RequireSync) -> Self {
        Self::new(None, Watch::real(require), boot_id())
    }

    /// Clocks that start now, at wall time `start_wall`, and run `factor` times faster.
    pub fn scaled(factor: f64, start_wall: UnixTime, read_interval: Duration) -> Self {
        let start = boottime();
        let span = horizon_span(read_interval);
        let horizon = AtomicU64::new((start + span).nanos());
        let horizon_span = AtomicU64::new(nanos(span));
        // The next run's time since boot has nothing to do with this one's.
        let boot = format!("simulated-{}", start.nanos());
        Self::new(
            Some(Scaled { factor, start, start_wall, horizon, horizon_span }),
            Watch::simulated(RequireSync::No),
            boot,
        )
    }

    fn new(scaled: Option<Scaled>, watch: Watch, boot: String) -> Self {
        Self {
            scaled,
            wrong_until: None,
            watch,
            boot,
            #[cfg(test)]
            test: TestClock::default(),
        }
    }

    /// The same, with the wall clock of a simulated machine that was just switched on, has no clock chip and gets the time from the
    /// network a minute later. Each run is such a boot.
    #[must_use]
    pub fn with_no_clock(mut self, require: RequireSync) -> Self {
        self.wrong_until = Some(self.now() + NO_CLOCK_TIME);
        self.watch = Watch::simulated(require);
        self.boot = format!("simulated-{}", boottime().nanos());
        self
    }

    /// The same, in the boot called `boot`.
    #[cfg(test)]
    pub(crate) fn in_boot(mut self, boot: &str) -> Self {
        self.boot = boot.to_owned();
        self
    }

    /// Goes by other settings from now on.
    pub fn configure(&self, require: RequireSync, read_interval: Duration) {
        if let Some(scaled) = &self.scaled {
            scaled.horizon_span.store(nanos(horizon_span(read_interval)), Ordering::Relaxed);
            // The next reading may be further away than time may go.
            self.stored(self.now());
        }
        if self.scaled.is_none() || self.wrong_until.is_some() {
            self.watch.require(require);
        }
    }

    /// Whether time is simulated.
    pub fn is_scaled(&self) -> bool {
        self.scaled.is_some()
    }

    /// The name of this boot: a moment since boot means nothing in another one.
    pub fn boot(&self) -> &str {
        &self.boot
    }

    /// What the clocks say now; of the wall clock, only when it is known.
    pub fn read(&self) -> Clock {
        let now = self.now();
        Clock { now, wall: self.watch.is_known().then(|| self.shown(now)).flatten() }
    }

    fn now(&self) -> Monotonic {
        let real = boottime();
        let Some(scaled) = &self.scaled else { return real };
        let elapsed = real.since(scaled.start).mul_f64(scaled.factor);
        (scaled.start + elapsed).min(Monotonic::from_nanos(scaled.horizon.load(Ordering::Relaxed)))
    }

    /// What the wall clock shows, right or wrong.
    fn shown(&self, now: Monotonic) -> Option<UnixTime> {
        let shown = match &self.scaled {
            None => wall()?,
            Some(scaled) => {
                let elapsed = i64::try_from(now.since(scaled.start).as_millis()).unwrap_or(i64::MAX);
                UnixTime::from_millis(scaled.start_wall.millis().saturating_add(elapsed))
            }
        };
        #[cfg(test)]
        let shown = UnixTime::from_millis(shown.millis() + self.test.ahead_ms.load(Ordering::SeqCst));
        Some(if self.wrong_until.is_some_and(|until| now < until) { shown.before(NO_CLOCK_BEHIND) } else { shown })
    }

    /// Looks whether the wall clock is known by now: at most once a minute, or when somebody has `asked`. `newest` is the newest
    /// sample's time.
    pub fn look(&self, newest: Option<UnixTime>, asked: bool) {
        let now = self.now();
        self.watch.look(now, asked, || self.signs(now, newest));
    }

    /// The wall clock was set: at an implausible time it is no longer known.
    pub fn stepped(&self, newest: Option<UnixTime>) {
        let now = self.now();
        self.watch.stepped(self.shown(now), newest);
    }

    fn signs(&self, now: Monotonic, newest: Option<UnixTime>) -> Signs {
        let wall = self.shown(now);
        #[cfg(test)]
        if self.test.is_unset.load(Ordering::SeqCst) {
            return Signs::default();
        }
        match self.wrong_until {
            Some(until) => Signs { wall, newest, is_board: true, is_set: now >= until },
            // Simulated time is what the program says it is.
            None if self.is_scaled() => Signs { wall, newest: None, is_board: false, is_set: true },
            None => signs(Path::new("/"), wall, newest),
        }
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
            let span = Duration::from_nanos(scaled.horizon_span.load(Ordering::Relaxed));
            scaled.horizon.fetch_max((moment + span).nanos(), Ordering::Relaxed);
        }
    }
}

fn horizon_span(read_interval: Duration) -> Duration {
    read_interval * HORIZON_INTERVALS
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
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

/// The name of this boot (random(4)).
fn boot_id() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    match read.trim() {
        // A name that no other run has.
        "" => format!("unknown-{}", boottime().nanos()),
        id => id.to_owned(),
    }
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
