//! May this box be heated now? Asked before every command, in every mode.

use std::time::Duration;

use super::{OnTime, Permit};
use crate::config::SafetyConfig;
use crate::snapshot::Reading;
use crate::time::Monotonic;
use crate::units::Celsius;

/// Why a box may not be heated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Inhibit {
    /// No reading since the start.
    #[error("no reading yet")]
    NoReading,
    /// The last good reading is too old.
    #[error("the last good reading is older than {} s", max_age.as_secs_f64())]
    Stale {
        /// The limit.
        max_age: Duration,
    },
    /// The reading, projected by its age, reaches the cut-off.
    #[error("{temperature}, its age counted in, reaches the cut-off of {cut_off_c} °C")]
    TooHot {
        /// The last reading.
        temperature: Celsius,
        /// The limit, in °C as configured.
        cut_off_c: String,
    },
    /// On for too long; resting.
    #[error("resting after {} h of heat", max_on_time.as_secs_f64() / 3600.0)]
    Resting {
        /// The limit.
        max_on_time: Duration,
        /// The end of the rest.
        until: Monotonic,
    },
    /// A fault that a person has to see to.
    #[error("{0}")]
    Fault(String),
    /// The daemon is on its way out.
    #[error("the daemon is stopping")]
    Stopping,
}

impl Inhibit {
    /// Whether both are of the same kind: the beginning of another kind is worth an event, a changed figure is not.
    pub fn is_same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// The limits of one box.
#[derive(Clone, Copy, Debug)]
pub struct Interlock {
    limits: SafetyConfig,
}

impl Interlock {
    /// An interlock with these limits.
    pub fn new(limits: SafetyConfig) -> Self {
        Self { limits }
    }

    /// The right to heat at `now`, on the strength of `reading`.
    ///
    /// # Errors
    /// The reason why not.
    pub fn assess(&self, now: Monotonic, reading: Option<&Reading>, on_time: &OnTime) -> Result<Permit, Inhibit> {
        let limits = &self.limits;
        let reading = reading.ok_or(Inhibit::NoReading)?;
        if now.since(reading.taken_at) > limits.max_sample_age {
            return Err(Inhibit::Stale { max_age: limits.max_sample_age });
        }
        let temperature = reading.measurement.temperature;
        let reaches_cut_off_at = reading.taken_at + self.time_to_cut_off(temperature);
        if reaches_cut_off_at <= now {
            return Err(Inhibit::TooHot { temperature, cut_off_c: limits.max_temp_c.to_string() });
        }
        if let Some(until) = on_time.resting_until() {
            return Err(Inhibit::Resting { max_on_time: limits.max_on_time, until });
        }
        let stale_at = reading.taken_at + limits.max_sample_age + Duration::from_nanos(1);
        Ok(Permit::new(temperature, reading.taken_at, reaches_cut_off_at.min(stale_at)))
    }

    /// How long air of `temperature` takes to the cut-off at the worst slew. Zero at or over it.
    fn time_to_cut_off(&self, temperature: Celsius) -> Duration {
        let margin_c = (self.limits.max_temp_c - temperature.degrees()).max(0.0);
        Duration::from_secs_f64(margin_c / self.limits.slew_c_per_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Measurement;
    use crate::units::RelativeHumidity;

    const LIMITS: SafetyConfig = SafetyConfig {
        max_temp_c: 70.0,
        max_sample_age: Duration::from_secs(15),
        slew_c_per_s: 1.0,
        max_on_time: Duration::from_secs(3600),
        override_max: Duration::from_secs(1800),
    };

    fn at(seconds: f64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs_f64(seconds)
    }

    fn reading(temperature_c: f64) -> Reading {
        let temperature = Celsius::new(temperature_c).expect("in range");
        let humidity = RelativeHumidity::new(30.0).expect("in range");
        Reading {
            measurement: Measurement { temperature, humidity, pressure: None },
            taken_at: at(0.0),
            wall: None,
            fingerprint: None,
        }
    }

    /// `age_s` seconds after a reading of `temperature_c`: is heat permitted?
    #[track_caller]
    fn check(temperature_c: f64, age_s: f64, permitted: bool) {
        let on_time = OnTime::new(LIMITS.max_on_time, at(0.0));
        let assessed = Interlock::new(LIMITS).assess(at(age_s), Some(&reading(temperature_c)), &on_time);
        assert_eq!(assessed.is_ok(), permitted, "{temperature_c} °C, {age_s} s old: {assessed:?}");
    }

    #[test]
    fn both_sides_of_age_and_projected_cut_off() {
        check(20.0, 0.0, true);
        check(20.0, 15.0, true);
        check(20.0, 15.001, false);
        check(69.99, 0.0, true);
        check(70.0, 0.0, false);
        check(65.0, 4.999, true);
        check(65.0, 5.0, false);
    }

    #[test]
    fn no_reading_no_heat_and_rest_means_rest() {
        let mut on_time = OnTime::new(LIMITS.max_on_time, at(0.0));
        let interlock = Interlock::new(LIMITS);
        assert_eq!(interlock.assess(at(0.0), None, &on_time), Err(Inhibit::NoReading));
        on_time.count(at(0.0), true);
        on_time.count(at(3600.0), true);
        let fresh = Reading { taken_at: at(3600.0), ..reading(20.0) };
        assert!(matches!(interlock.assess(at(3600.0), Some(&fresh), &on_time), Err(Inhibit::Resting { .. })));
    }

    #[test]
    fn a_permit_expires_at_the_first_refused_moment() {
        let on_time = OnTime::new(LIMITS.max_on_time, at(0.0));
        let interlock = Interlock::new(LIMITS);
        for temperature_c in [20.0, 60.0, 69.5] {
            let permit = interlock.assess(at(0.0), Some(&reading(temperature_c)), &on_time).expect("permitted");
            let before = Monotonic::from_nanos(permit.expires_at().nanos() - 1);
            assert!(interlock.assess(before, Some(&reading(temperature_c)), &on_time).is_ok());
            assert!(interlock.assess(permit.expires_at(), Some(&reading(temperature_c)), &on_time).is_err());
        }
    }
}
