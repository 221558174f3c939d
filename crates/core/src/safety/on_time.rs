//! How long a heater may run without a pause.

use std::time::Duration;

use crate::time::Monotonic;

/// After the longest on time the heater rests so long (an undersized heater would never pause; the rest also shows a welded relay).
pub const REST: Duration = Duration::from_secs(600);

/// A budget of on time: running uses it up, each second of pause gives a second back, and the forced rest of [`REST`] gives back
/// all of it. So a heater that runs less than half of the time never comes near the end, and short pauses cheat nothing.
#[derive(Clone, Debug)]
pub struct OnTime {
    max_on_time: Duration,
    used: Duration,
    on: bool,
    resting_until: Option<Monotonic>,
    counted_to: Monotonic,
}

impl OnTime {
    /// A full budget of `max_on_time` at `now`.
    pub fn new(max_on_time: Duration, now: Monotonic) -> Self {
        Self { max_on_time, used: Duration::ZERO, on: false, resting_until: None, counted_to: now }
    }

    /// Another budget; what is used up stays used up, and a rest that has begun is made.
    pub fn configure(&mut self, max_on_time: Duration) {
        self.max_on_time = max_on_time;
    }

    /// Counts the time up to `now` in the state so far, then goes on in the state `on`.
    pub fn count(&mut self, now: Monotonic, on: bool) {
        let elapsed = now.since(self.counted_to);
        self.counted_to = now;
        if self.on {
            self.used += elapsed;
        } else {
            self.used = self.used.saturating_sub(elapsed);
        }
        self.on = on;
        if self.used >= self.max_on_time && self.resting_until.is_none() {
            self.resting_until = Some(now + REST);
        }
        if self.resting_until.is_some_and(|until| until <= now) {
            self.resting_until = None;
            self.used = Duration::ZERO;
        }
    }

    /// The end of the forced rest, while there is one.
    pub fn resting_until(&self) -> Option<Monotonic> {
        self.resting_until
    }

    /// When the budget will be used up if the heater stays on.
    pub fn used_up_at(&self) -> Monotonic {
        self.counted_to + self.max_on_time.saturating_sub(self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn rests_after_the_longest_on_time_and_only_then() {
        let mut on_time = OnTime::new(Duration::from_secs(3600), at(0));
        on_time.count(at(0), true);
        on_time.count(at(3599), true);
        assert_eq!(on_time.resting_until(), None);
        on_time.count(at(3600), true);
        assert_eq!(on_time.resting_until(), Some(at(4200)));
        on_time.count(at(4199), false);
        assert!(on_time.resting_until().is_some());
        on_time.count(at(4200), false);
        assert_eq!(on_time.resting_until(), None);
    }

    #[test]
    fn pauses_too_short_do_not_reset_the_budget() {
        let mut on_time = OnTime::new(Duration::from_secs(3600), at(0));
        let mut now = 0;
        while on_time.resting_until().is_none() {
            on_time.count(at(now), true);
            now += 300;
            on_time.count(at(now), false);
            now += 1;
            assert!(now < 4000, "a second of pause in five minutes must not avoid the rest");
        }
    }
}
