//! Time as a value. Control, ages and back-off use [`Monotonic`] alone; [`UnixTime`] only labels what is stored or shown.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// Nanoseconds since boot, time asleep included (`CLOCK_BOOTTIME`, or its simulated twin). Never steps, never goes back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Monotonic(u64);

impl Monotonic {
    /// The moment of boot.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds since boot.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since boot.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Seconds since boot.
    pub fn seconds(self) -> f64 {
        Duration::from_nanos(self.0).as_secs_f64()
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Monotonic {
    type Output = Self;

    /// Saturates at the end of time (584 years), so that `now + Duration::MAX` means "never".
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z. The resolution of every time stamp that leaves the program.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnixTime(i64);

impl UnixTime {
    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// This moment moved back by `by`, saturating.
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Seconds with three decimals, as in every export.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:03}", self.0.unsigned_abs() / 1000, self.0.unsigned_abs() % 1000)
    }
}

/// What the clocks say at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// For every decision.
    pub now: Monotonic,
    /// For labels only. `None` while it is not known: a Raspberry Pi has no clock chip.
    pub wall: Option<UnixTime>,
}

impl Clock {
    /// The wall time at `moment`, by today's idea of it.
    pub fn wall_at(&self, moment: Monotonic) -> Option<UnixTime> {
        let ahead_ms = i64::try_from(moment.since(self.now).as_millis()).unwrap_or(i64::MAX);
        let then = |wall: UnixTime| UnixTime::from_millis(wall.millis().saturating_add(ahead_ms));
        self.wall.map(|wall| then(wall.before(self.now.since(moment))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_time_shows_milliseconds() {
        for (millis, shown) in [(1_700_000_000_123, "1700000000.123"), (5, "0.005"), (-1_500, "-1.500")] {
            assert_eq!(UnixTime::from_millis(millis).to_string(), shown);
        }
    }

    #[test]
    fn ages_and_deadlines_saturate() {
        let (early, late) = (Monotonic::from_nanos(5), Monotonic::from_nanos(9));
        assert_eq!(late.since(early), Duration::from_nanos(4));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late + Duration::MAX, Monotonic::from_nanos(u64::MAX));
    }

    #[test]
    fn a_moment_gets_the_wall_time_it_had() {
        let clock = Clock { now: Monotonic::from_nanos(10_000_000_000), wall: Some(UnixTime::from_millis(50_000)) };
        assert_eq!(clock.wall_at(Monotonic::from_nanos(4_000_000_000)), Some(UnixTime::from_millis(44_000)));
        assert_eq!(clock.wall_at(Monotonic::from_nanos(10_500_000_000)), Some(UnixTime::from_millis(50_500)));
    }
}
