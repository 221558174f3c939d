//! What is wrong with heater, relay and sensor shows in the readings alone: watchers that latch the heat off.

mod frozen;
mod median;
mod stuck;
mod warming;

use crate::config::SafetyConfig;
use crate::safety::{Inhibit, LatchReason};
use crate::sample::SensorTraits;
use crate::snapshot::Reading;
use crate::time::Monotonic;

use frozen::Frozen;
use median::Median;
use stuck::Stuck;
use warming::Warming;

/// The heater has to stay off until a person has looked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trip {
    /// Why.
    pub reason: LatchReason,
    /// What was seen, with the limits.
    pub evidence: String,
}

/// All watchers of one box.
#[derive(Clone, Debug)]
pub struct Trips {
    active: bool,
    median: Median,
    frozen: Frozen,
    warming: Warming,
    stuck: Stuck,
}

impl Trips {
    /// The heater's line counts as off since `now`.
    pub fn new(limits: &SafetyConfig, now: Monotonic) -> Self {
        Self {
            active: false,
            median: Median::default(),
            frozen: Frozen::default(),
            warming: Warming::new(limits, now),
            stuck: Stuck::new(limits, now),
        }
    }

    /// Other limits from now on. Failures and pauses stay.
    pub fn configure(&mut self, limits: &SafetyConfig) {
        self.warming.configure(limits);
        self.stuck.configure(limits.max_temp_c);
    }

    /// A sensor was opened.
    pub fn sensor(&mut self, traits: SensorTraits) {
        self.frozen.sensor(traits.frozen);
    }

    /// The heater's line as the relay guard reports it.
    pub fn line(&mut self, now: Monotonic, active: bool) {
        if active != self.active {
            self.active = active;
            self.frozen.line(now, active);
            self.warming.line(now, active);
            self.stuck.line(now, active);
        }
    }

    /// Takes in a good reading, while the controller or a person wants to reach `target_c`.
    pub fn reading(&mut self, reading: &Reading, target_c: f64) -> Option<Trip> {
        let at = reading.taken_at;
        let frozen = self.frozen.reading(at, reading.fingerprint);
        let Some(temperature) = self.median.push(reading.measurement.temperature) else { return frozen };
        let not_warming = self.warming.reading(at, temperature, target_c);
        let stuck = self.stuck.reading(at, temperature);
        frozen.or(not_warming).or(stuck)
    }

    /// Earlier readings were wrong, and what was concluded from them.
    pub fn forget_readings(&mut self, now: Monotonic) {
        self.median = Median::default();
        self.frozen.forget();
        self.warming.forget_readings();
        self.stuck.forget(now);
    }

    /// A person has looked: everything begins anew.
    pub fn reset(&mut self, now: Monotonic) {
        self.forget_readings(now);
        self.warming.forgive();
    }

    /// Lets the time pass up to `now`.
    pub fn pass(&mut self, now: Monotonic) {
        self.warming.pass(now);
    }

    /// Why the heater has to pause.
    pub fn rest(&self) -> Option<&Inhibit> {
        self.warming.rest()
    }

    /// When the pause ends, as far as it is known.
    pub fn rest_ends_at(&self) -> Option<Monotonic> {
        self.warming.rest_ends_at()
    }
}

#[cfg(test)]
mod tests;
