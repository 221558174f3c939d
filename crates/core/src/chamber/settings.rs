//! Settings that change under a box that is at work: what follows from them is decided anew, and what has happened stays so.
//!
//! **Invariant.** No change gives anything back: latches, faults, failures, the account of on-time and the pauses that it demands, the
//! minimum times, the end of an override. Limits hold from the step that brings them, and heat takes a permit of that step.

use super::Chamber;
use crate::command::OutputKind;
use crate::config::BoxConfig;
use crate::control::Mode;
use crate::event::{Event, EventKind, Severity};
use crate::safety::Plausibility;
use crate::time::{Clock, Monotonic};

impl Chamber {
    /// The settings from now on; the box's name stays.
    pub(super) fn configure(&mut self, clock: Clock, config: BoxConfig, events: &mut Vec<Event>) {
        let (now, safety) = (clock.now, config.safety);
        let is_new_heater = config.heater.enabled && !self.heater.enabled;
        self.config = BoxConfig { name: self.config.name.clone(), ..config };
        self.recovery.configure(safety.max_sample_age);
        self.interlock.configure(safety);
        self.on_time.configure(safety.max_on_time);
        self.trips.configure(&safety);
        self.fan_run.configure(now, safety.requires_fan, self.heater.held.active, self.fan.held.active);
        let reading = self.reading;
        self.heater.configure(now, &self.config.heater, reading.as_ref());
        self.fan.configure(now, &self.config.fan, reading.as_ref());
        if is_new_heater {
            // Nobody watched it.
            self.trips.forget_readings(now);
        }
        self.keep_overrides_within_limits(clock, events);
    }

    /// A manual ON never lasts longer than the limit that now holds, and ends with the output.
    fn keep_overrides_within_limits(&mut self, clock: Clock, events: &mut Vec<Event>) {
        if let Mode::Manual { on: true, until: Some(until) } = self.heater.mode {
            let latest = self.heater.manual_since.unwrap_or(clock.now) + self.config.safety.override_max;
            self.heater.mode = Mode::Manual { on: true, until: Some(until.min(latest)) };
        }
        for kind in OutputKind::ALL {
            let output = match kind {
                OutputKind::Heater => &mut self.heater,
                OutputKind::Fan => &mut self.fan,
            };
            if !output.enabled && matches!(output.mode, Mode::Manual { on: true, .. }) {
                output.mode = Mode::Auto;
                let text = format!("{}: the manual override has ended with the output", kind.name());
                events.push(self.event(clock, EventKind::Override, Severity::Info, text));
            }
        }
    }

    /// What was read is void, and heat waits until the sensor has proven itself as after a loss.
    pub(super) fn forget_readings(&mut self, now: Monotonic) {
        self.reading = None;
        (self.heater.demand, self.fan.demand) = (None, None);
        self.plausibility = Plausibility::default();
        self.recovery.lose();
        self.trips.forget_readings(now);
    }

    /// Everything is off from now on until the next [`Chamber::step`]: the lines are about to be let go. Tell the relay guard, and then
    /// [`Chamber::held`].
    pub fn release(&mut self, now: Monotonic, why: &str) {
        self.permit = None;
        self.heater.release(now, why);
        self.fan.release(now, why);
    }
}
