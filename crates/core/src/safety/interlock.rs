//! May this box be heated now? Asked before every command, in every mode.

use std::time::Duration;

use super::{Inhibit, OnTime, Permit, is_seen_by};
use crate::config::SafetyConfig;
use crate::sample::SensorTraits;
use crate::snapshot::Reading;
use crate::time::Monotonic;
use crate::units::Celsius;

/// Below this a wrong type of sensor is more likely than the cold: a DHT22's words read as a DHT11's show 1 to 3 °C.
pub const COLD_C: f64 = 5.0;

/// The limits of one box.
#[derive(Clone, Copy, Debug)]
pub struct Interlock {
    limits: SafetyConfig,
    /// The end of the sensor's range in °C, once it was opened.
    range_end_c: Option<f64>,
}

impl Interlock {
    /// An interlock with these limits.
    pub fn new(limits: SafetyConfig) -> Self {
        Self { limits, range_end_c: None }
    }

    /// Other limits from now on.
    pub fn configure(&mut self, limits: SafetyConfig) {
        self.limits = limits;
    }

    /// A sensor was opened.
    pub fn sensor(&mut self, traits: SensorTraits) {
        self.range_end_c = Some(traits.temperature_max_c);
    }

    /// The right to heat at `now`, on the strength of `reading`.
    ///
    /// # Errors
    /// The reason why not.
    pub fn assess(&self, now: Monotonic, reading: Option<&Reading>, on_time: &OnTime) -> Result<Permit, Inhibit> {
        let limits = &self.limits;
        let cut_off_c = limits.max_temp_c;
        if let Some(range_end_c) = self.range_end_c.filter(|end| !is_seen_by(cut_off_c, *end)) {
            return Err(Inhibit::SensorRange { range_end_c, cut_off_c });
        }
        let reading = reading.ok_or(Inhibit::NoReading)?;
        if now.since(reading.taken_at) > limits.max_sample_age {
            return Err(Inhibit::Stale { max_age: limits.max_sample_age });
        }
        let temperature = reading.measurement.temperature;
        let reaches_cut_off_at = reading.taken_at + self.time_to_cut_off(temperature);
        if reaches_cut_off_at <= now {
            return Err(Inhibit::TooHot { temperature, cut_off_c });
        }
        if temperature.degrees() < COLD_C && !limits.allow_cold {
            return Err(Inhibit::TooCold { temperature });
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
    use crate::sample::{Frozen, Measurement};
    use crate::units::RelativeHumidity;

    fn limits() -> SafetyConfig {
        SafetyConfig { max_on_time: Duration::from_secs(3600), ..SafetyConfig::default() }
    }

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
        let on_time = OnTime::new(limits().max_on_time, at(0.0));
        let assessed = Interlock::new(limits()).assess(at(age_s), Some(&reading(temperature_c)), &on_time);
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
        let mut on_time = OnTime::new(limits().max_on_time, at(0.0));
        let interlock = Interlock::new(limits());
        assert_eq!(interlock.assess(at(0.0), None, &on_time), Err(Inhibit::NoReading));
        on_time.count(at(0.0), true);
        on_time.count(at(3600.0), true);
        let fresh = Reading { taken_at: at(3600.0), ..reading(20.0) };
        assert!(matches!(interlock.assess(at(3600.0), Some(&fresh), &on_time), Err(Inhibit::Resting { .. })));
    }

    #[test]
    fn a_permit_expires_at_the_first_refused_moment() {
        let on_time = OnTime::new(limits().max_on_time, at(0.0));
        let interlock = Interlock::new(limits());
        for temperature_c in [20.0, 60.0, 69.5] {
            let permit = interlock.assess(at(0.0), Some(&reading(temperature_c)), &on_time).expect("permitted");
            let before = Monotonic::from_nanos(permit.expires_at().nanos() - 1);
            assert!(interlock.assess(before, Some(&reading(temperature_c)), &on_time).is_ok());
            assert!(interlock.assess(permit.expires_at(), Some(&reading(temperature_c)), &on_time).is_err());
        }
    }

    #[test]
    fn a_box_too_cold_to_be_true_is_not_heated_unless_allowed() {
        check(5.0, 0.0, true);
        check(4.99, 0.0, false);
        let on_time = OnTime::new(limits().max_on_time, at(0.0));
        let allowed = Interlock::new(SafetyConfig { allow_cold: true, ..limits() });
        assert!(allowed.assess(at(0.0), Some(&reading(-20.0)), &on_time).is_ok());
    }

    #[test]
    fn the_cut_off_must_lie_within_the_range_of_the_sensor_that_was_opened() {
        let on_time = OnTime::new(limits().max_on_time, at(0.0));
        for (range_end_c, permitted) in [(72.0, true), (71.99, false)] {
            let mut interlock = Interlock::new(limits());
            let frozen = Frozen { readings: 10, time: Duration::ZERO };
            interlock.sensor(SensorTraits { temperature_max_c: range_end_c, frozen });
            let assessed = interlock.assess(at(0.0), Some(&reading(20.0)), &on_time);
            assert_eq!(assessed.is_ok(), permitted, "{assessed:?}");
        }
        let text = Inhibit::SensorRange { range_end_c: 50.0, cut_off_c: 70.0 }.to_string();
        assert!(text.contains("up to 50 °C") && text.contains("of 70 °C") && text.ends_with("to 48 or less"), "{text}");
    }
}
