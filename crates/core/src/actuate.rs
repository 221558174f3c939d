//! From a wish to an output's command: minimum on and off times as named limits, which never delay a safety OFF.

use std::time::Duration;

use crate::time::Monotonic;

/// How urgent a wish is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Urgency {
    /// The limits hold.
    Controller,
    /// An OFF passes at once (a person, or safety); an ON still waits for the minimum off time.
    OffAtOnce,
}

/// The limit that holds an output back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// On for less than the minimum on time.
    MinimumOn {
        /// When it ends.
        until: Monotonic,
    },
    /// Off for less than the minimum off time.
    MinimumOff {
        /// When it ends.
        until: Monotonic,
    },
}

impl Limit {
    /// When the limit ends.
    pub fn until(self) -> Monotonic {
        match self {
            Self::MinimumOn { until } | Self::MinimumOff { until } => until,
        }
    }

    /// One clause for a person.
    pub fn reason(self) -> &'static str {
        match self {
            Self::MinimumOn { .. } => "minimum on time",
            Self::MinimumOff { .. } => "minimum off time",
        }
    }
}

/// One output's command and its limits.
#[derive(Clone, Debug)]
pub struct Actuator {
    min_on: Duration,
    min_off: Duration,
    on: bool,
    /// When the command last changed; `None` before the first change, when nothing has to be waited for.
    changed_at: Option<Monotonic>,
}

impl Actuator {
    /// An output that is off.
    pub fn new(min_on: Duration, min_off: Duration) -> Self {
        Self { min_on, min_off, on: false, changed_at: None }
    }

    /// Other limits from now on, for what it does already too.
    pub fn configure(&mut self, min_on: Duration, min_off: Duration) {
        (self.min_on, self.min_off) = (min_on, min_off);
    }

    /// Whether the output is commanded on.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Moves the command towards `wish`. Returns the limit that holds it back, if one does.
    pub fn apply(&mut self, now: Monotonic, wish: bool, urgency: Urgency) -> Option<Limit> {
        if wish == self.on {
            return None;
        }
        let until = |minimum: Duration| self.changed_at.map(|at| at + minimum).filter(|until| now < *until);
        let limit = match (self.on, urgency) {
            (true, Urgency::OffAtOnce) => None,
            (true, Urgency::Controller) => until(self.min_on).map(|until| Limit::MinimumOn { until }),
            (false, _) => until(self.min_off).map(|until| Limit::MinimumOff { until }),
        };
        if limit.is_none() {
            self.on = wish;
            self.changed_at = Some(now);
        }
        limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN_ON: Duration = Duration::from_secs(10);
    const MIN_OFF: Duration = Duration::from_secs(20);

    fn at(seconds: u64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn limits_hold_a_controller_back_until_they_end() {
        let mut actuator = Actuator::new(MIN_ON, MIN_OFF);
        assert_eq!(actuator.apply(at(0), true, Urgency::Controller), None, "nothing to wait for at first");
        assert_eq!(actuator.apply(at(9), false, Urgency::Controller), Some(Limit::MinimumOn { until: at(10) }));
        assert!(actuator.is_on());
        assert_eq!(actuator.apply(at(10), false, Urgency::Controller), None);
        assert_eq!(actuator.apply(at(29), true, Urgency::Controller), Some(Limit::MinimumOff { until: at(30) }));
        assert_eq!(actuator.apply(at(30), true, Urgency::Controller), None);
        assert!(actuator.is_on());
    }

    #[test]
    fn an_urgent_off_never_waits_and_an_urgent_on_does() {
        let mut actuator = Actuator::new(MIN_ON, MIN_OFF);
        actuator.apply(at(0), true, Urgency::Controller);
        assert_eq!(actuator.apply(at(0), false, Urgency::OffAtOnce), None);
        assert!(!actuator.is_on());
        assert_eq!(actuator.apply(at(1), true, Urgency::OffAtOnce), Some(Limit::MinimumOff { until: at(20) }));
    }
}
