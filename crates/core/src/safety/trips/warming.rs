//! The heater is on and the box does not warm: heater, fuse or relay dead, the sensor fallen out, the lid open, the fan of the
//! element dead.
//!
//! A living heater lifts the air over the walls by several degrees within minutes, at every working point, **if** it has had a pause
//! before, in which the air came down to the walls. Without such a pause the box may be warm through, and then nothing rises any more
//! although all is well: so at the start of the daemon, which does not know what was before it, and after a slow fall. A rise that
//! fails to come is only a doubt then: the heater pauses, and then the proof is taken.

use std::time::Duration;

use super::Trip;
use crate::config::SafetyConfig;
use crate::safety::{Inhibit, LatchReason, REST};
use crate::time::Monotonic;
use crate::units::Celsius;

/// The heater owes a proof while its target is further away than this, in °C: nearer, it may be off again before it could give one.
const TARGET_AWAY_C: f64 = 3.0;
/// So many failures in a row latch: one may be an open lid.
const FAILURES_MAX: u32 = 2;

/// Whether this stretch of heating has shown that the heater warms the box. Pauses shorter than the time for a proof are part of it.
#[derive(Clone, Copy, Debug)]
enum Proof {
    /// Not yet.
    Owed {
        /// The stretch began after a pause that was long enough.
        rested: bool,
        /// The lowest temperature since the heater went on.
        lowest: Option<Celsius>,
        /// How long the heater was on with its target far away.
        heated: Duration,
    },
    /// It has.
    Given {
        /// The highest temperature since, or since the last pause.
        peak: Option<Celsius>,
    },
}

/// A pause that the heater has to make.
#[derive(Clone, Debug)]
struct Rest {
    length: Duration,
    why: Inhibit,
}

/// Watches whether the heater warms the box.
#[derive(Clone, Debug)]
pub struct Warming {
    rise_c: f64,
    rise_time: Duration,
    /// Without a reading the heater is off after so long, whatever was reported of its line: a daemon that was stopped learns late.
    max_sample_age: Duration,
    active: bool,
    /// Since when the line is as it is; the start of the daemon at first.
    changed_at: Monotonic,
    /// The last reading.
    last: Option<(Monotonic, Celsius)>,
    proof: Proof,
    failures: u32,
    rest: Option<Rest>,
}

impl Proof {
    fn owed(rested: bool, lowest: Option<Celsius>) -> Self {
        Self::Owed { rested, lowest, heated: Duration::ZERO }
    }
}

impl Warming {
    /// The heater is off at `now`; what was before is not known.
    pub fn new(limits: &SafetyConfig, now: Monotonic) -> Self {
        Self {
            rise_c: limits.heating_rise_c,
            rise_time: limits.heating_rise_time,
            max_sample_age: limits.max_sample_age,
            active: false,
            changed_at: now,
            last: None,
            proof: Proof::owed(false, None),
            failures: 0,
            rest: None,
        }
    }

    /// Other limits from now on. A proof is owed anew if it is another proof; failures stay, and a pause that has begun is made.
    pub fn configure(&mut self, limits: &SafetyConfig) {
        if (self.rise_c, self.rise_time) != (limits.heating_rise_c, limits.heating_rise_time) {
            (self.rise_c, self.rise_time) = (limits.heating_rise_c, limits.heating_rise_time);
            self.proof = Proof::owed(false, None);
        }
        self.max_sample_age = limits.max_sample_age;
    }

    /// The heater's line is so from now on.
    pub fn line(&mut self, now: Monotonic, active: bool) {
        let lasted = now.since(self.changed_at);
        (self.active, self.changed_at) = (active, now);
        if !active {
            return;
        }
        let at_on = self.last.map(|(_, temperature)| temperature);
        self.proof = match self.proof {
            _ if lasted >= self.rise_time => Proof::owed(true, at_on),
            Proof::Owed { lowest: None, .. } => Proof::owed(false, at_on),
            owed => owed,
        };
    }

    /// The readings begin anew, the failures stay.
    pub fn forget_readings(&mut self) {
        (self.last, self.proof) = (None, Proof::owed(false, None));
    }

    /// A person has looked: nothing has failed so far.
    pub fn forgive(&mut self) {
        self.forget_readings();
        (self.failures, self.rest) = (0, None);
    }

    /// Takes in a reading taken at `at`, while the controller or a person wants to reach `target_c`.
    pub fn reading(&mut self, at: Monotonic, temperature: Celsius, target_c: f64) -> Option<Trip> {
        let before = self.last.replace((at, temperature));
        if !self.active || at < self.changed_at || self.rest.is_some() {
            return None;
        }
        let counted_to = before.map_or(self.changed_at, |(before, _)| before.max(self.changed_at));
        match &mut self.proof {
            Proof::Given { peak } => {
                let highest = peak.map_or(temperature, |peak| peak.max(temperature));
                *peak = Some(highest);
                if highest.above(temperature) > self.rise_c {
                    self.proof = Proof::owed(false, Some(temperature));
                }
                None
            }
            Proof::Owed { rested, lowest, heated } => {
                let from = lowest.map_or(temperature, |lowest| lowest.min(temperature));
                *lowest = Some(from);
                if temperature.above(from) >= self.rise_c {
                    (self.proof, self.failures) = (Proof::Given { peak: Some(temperature) }, 0);
                    return None;
                }
                if target_c - from.degrees() > TARGET_AWAY_C {
                    *heated += at.since(counted_to).min(self.max_sample_age);
                }
                let (rested, heated) = (*rested, *heated);
                (heated >= self.rise_time).then(|| self.fail(rested, heated, from, temperature)).flatten()
            }
        }
    }

    fn fail(&mut self, rested: bool, heated: Duration, from: Celsius, to: Celsius) -> Option<Trip> {
        let evidence = format!(
            "{from} rose to {to} in {:.0} s of heat, {} °C in {} s are expected",
            heated.as_secs_f64(),
            self.rise_c,
            self.rise_time.as_secs_f64()
        );
        self.proof = Proof::owed(false, None);
        if !rested {
            let why = Inhibit::Unproven { evidence, pause: self.rise_time };
            self.rest = Some(Rest { length: self.rise_time, why });
            return None;
        }
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            return Some(Trip { reason: LatchReason::NotWarming, evidence });
        }
        // A second try without the pause that a proof needs would prove nothing.
        let length = REST.max(self.rise_time);
        self.rest = Some(Rest { length, why: Inhibit::NotWarming { evidence, pause: length } });
        None
    }

    /// Ends a rest that is over.
    pub fn pass(&mut self, now: Monotonic) {
        if self.rest_ends_at().is_some_and(|end| end <= now) {
            self.rest = None;
        }
    }

    /// Why the heater has to pause.
    pub fn rest(&self) -> Option<&Inhibit> {
        self.rest.as_ref().map(|rest| &rest.why)
    }

    /// When the pause is over: counted from when the line is inactive, so not known before.
    pub fn rest_ends_at(&self) -> Option<Monotonic> {
        self.rest.as_ref().filter(|_| !self.active).map(|rest| self.changed_at + rest.length)
    }
}

#[cfg(test)]
#[path = "warming_tests.rs"]
mod tests;
