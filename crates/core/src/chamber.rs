//! One box: readings and commands in, wanted outputs and events out.
//!
//! **Invariant:** [`Wanted::heat`] is a [`Permit`] of this very step. What an output *is* comes back through
//! [`Chamber::held`] from the relay guard; what is wanted is never taken for what is.

mod latches;
mod messages;
mod output;
mod overrides;
mod readings;
mod settings;

use std::time::Duration;

pub use messages::{Effects, Held, HeldOutput, Input, Seen, Wanted};

use crate::actuate::{Limit, Urgency};
use crate::command::OutputKind;
use crate::config::BoxConfig;
use crate::control::Mode;
use crate::event::{Event, EventKind, Severity};
use crate::safety::{FanRun, Inhibit, Interlock, OnTime, Permit, Plausibility, Recovery, Trip, Trips};
use crate::sample::NoData;
use crate::snapshot::{BoxSnapshot, Reading};
use crate::time::{Clock, Monotonic};
use output::{Output, Wished, on_off};

/// One box.
#[derive(Clone, Debug)]
pub struct Chamber {
    config: BoxConfig,
    /// The last good reading.
    reading: Option<Reading>,
    no_data: Option<NoData>,
    heater: Output,
    fan: Output,
    plausibility: Plausibility,
    recovery: Recovery,
    interlock: Interlock,
    on_time: OnTime,
    trips: Trips,
    fan_run: FanRun,
    /// Why wished-for heat is refused, as of the last step.
    inhibit: Option<Inhibit>,
    permit: Option<Permit>,
    /// When the fan's controller has nothing young enough to act on, while it keeps the fan on.
    fan_stale_at: Option<Monotonic>,
    stopping: bool,
    /// Everything is off for this until a reset.
    fault: Option<String>,
    /// The heat is off for these until a reset.
    raised: Vec<Trip>,
    /// The relay guard told something that changes a decision.
    told_at: Option<Monotonic>,
}

impl Chamber {
    /// A box with everything off.
    pub fn new(config: BoxConfig, now: Monotonic) -> Self {
        let safety = config.safety;
        Self {
            heater: Output::new(OutputKind::Heater, &config.heater),
            fan: Output::new(OutputKind::Fan, &config.fan),
            plausibility: Plausibility::default(),
            recovery: Recovery::new(safety.max_sample_age),
            interlock: Interlock::new(safety),
            on_time: OnTime::new(safety.max_on_time, now),
            trips: Trips::new(&safety, now),
            fan_run: FanRun::new(safety.requires_fan),
            reading: None,
            no_data: None,
            inhibit: None,
            permit: None,
            fan_stale_at: None,
            stopping: false,
            fault: None,
            raised: Vec::new(),
            told_at: None,
            config,
        }
    }

    /// Takes `input` in and decides anew. Call [`Self::held`] with what became of the outputs.
    pub fn step(&mut self, clock: Clock, input: Input) -> Effects {
        let mut events = Vec::new();
        let mut sample = None;
        let mut accepted = Ok(());
        match input {
            Input::Sample(reading) => sample = self.hear(clock, reading, &mut events),
            Input::NoData(reason) => self.miss(clock, reason, &mut events),
            Input::Command(kind, wish) => accepted = self.override_output(clock, kind, wish, &mut events),
            Input::Sensor(traits) => {
                self.interlock.sensor(traits);
                self.trips.sensor(traits);
            }
            Input::NewReadings => self.forget_readings(clock.now),
            Input::Settings(config) => self.configure(clock, *config, &mut events),
            Input::Reset => self.reset(clock, &mut events),
            Input::Tick => {}
            Input::Fault(fault) => self.fail(clock, fault, &mut events),
            Input::Stop => self.stopping = true,
        }
        self.told_at = None;
        self.end_overrides(clock, &mut events);
        self.decide(clock, &mut events);
        let seen = |reading: Reading| Seen { temperature: reading.measurement.temperature, taken_at: reading.taken_at };
        let wanted = Wanted {
            heat: self.permit.filter(|_| self.heater.actuator.is_on()),
            fan: self.fan.actuator.is_on(),
            latch: self.wanted_latch(),
            seen: self.reading.map(seen),
        };
        Effects { wanted, sample, events, accepted }
    }

    /// Takes in what the outputs are. Returns an event for each that changed, and for each latch that is learnt of.
    pub fn held(&mut self, clock: Clock, held: Held) -> Vec<Event> {
        let now = clock.now;
        self.on_time.count(now, held.heater.active);
        self.trips.line(now, held.heater.active);
        self.fan_run.held(now, held.heater.active, held.fan.active);
        let fan_failed = self.config.safety.requires_fan && self.fan.held.active && !held.fan.active;
        if fan_failed || held.heater.latched != self.heater.held.latched {
            self.told_at = Some(now);
        }
        let mut events = self.learn_latches(clock, &held);
        for (kind, held) in [(OutputKind::Heater, held.heater), (OutputKind::Fan, held.fan)] {
            let output = match kind {
                OutputKind::Heater => &mut self.heater,
                OutputKind::Fan => &mut self.fan,
            };
            let changed = output.held.active != held.active;
            // What is not wanted is refused too, while it is latched or cannot be had; those have their own events.
            let newly_refused = output.actuator.is_on() && held.refusal.is_some() && output.held.refusal.is_none();
            output.held = held;
            if changed || newly_refused {
                let snapshot = output.snapshot();
                let inhibit = self.inhibit.as_ref().filter(|_| kind == OutputKind::Heater);
                let inhibited = inhibit.is_some_and(|inhibit| *inhibit != Inhibit::Stopping);
                let severity = if newly_refused || inhibited { Severity::Warning } else { Severity::Info };
                let text = format!("{} {}: {}", kind.name(), on_off(snapshot.on), snapshot.reason);
                events.push(self.event(clock, EventKind::Output, severity, text));
            }
        }
        events
    }

    /// When to step again though nothing has happened; `None` while only an input can change anything.
    pub fn next_wake(&self) -> Option<Monotonic> {
        let heater_is_on = self.heater.actuator.is_on();
        [
            self.told_at,
            self.heater.mode.until(),
            self.fan.mode.until(),
            self.heater.limit.map(Limit::until),
            self.fan.limit.map(Limit::until),
            self.permit.filter(|_| heater_is_on).map(|permit| permit.expires_at()),
            heater_is_on.then(|| self.on_time.used_up_at()),
            self.on_time.resting_until(),
            self.trips.rest_ends_at(),
            self.fan_run.next_wake(),
            self.fan_stale_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The state for people and programs.
    pub fn snapshot(&self, now: Monotonic) -> BoxSnapshot {
        let of_the_fan = |inhibit: &&Inhibit| {
            matches!(inhibit, Inhibit::FanOff | Inhibit::FanStarting { .. } | Inhibit::FanNotRunning { .. })
        };
        let inhibit = self.assess(now).err().or_else(|| self.inhibit.as_ref().filter(of_the_fan).cloned());
        BoxSnapshot {
            name: self.config.name.clone(),
            reading: self.reading,
            no_data: self.no_data.clone(),
            heater: self.heater.snapshot(),
            fan: self.fan.snapshot(),
            heat_inhibited: inhibit.filter(|_| self.heater.enabled).map(|inhibit| inhibit.to_string()),
            faults: self.faults(),
        }
    }

    /// Safety first, then the wish, then the minimum times.
    fn decide(&mut self, clock: Clock, events: &mut Vec<Event>) {
        let now = clock.now;
        self.on_time.count(now, self.heater.held.active);
        self.trips.pass(now);
        self.fan_run.pass(now);
        // The interlock judges the age of the reading for the heater, so that a refusal is noticed and named.
        let wished = self.heater.wished(true);
        // Also while only the minimum on time keeps it on: that must not bring the heat back with the next reading.
        let heat = self.heater.enabled && (wished.on || self.heater.actuator.is_on());
        let assessed = self.assess(now);
        self.decide_fan(now, self.fan_run.is_needed(heat && assessed.is_ok()));
        let assessed = match assessed {
            Ok(permit) if heat => self.fan_run.assess(now, self.fan.is_off_by_hand()).map(|()| permit),
            assessed => assessed,
        };
        let before = self.inhibit.take();
        self.permit = assessed.as_ref().ok().copied();
        match assessed {
            Err(inhibit) if heat => {
                let known = before.is_some_and(|before| before.is_same_kind(&inhibit));
                if let Some(severity) = inhibit.severity().filter(|_| !known) {
                    let text = format!("heat refused: {inhibit}");
                    events.push(self.event(clock, EventKind::Safety, severity, text));
                }
                let reason = inhibit.to_string();
                self.inhibit = Some(inhibit);
                self.heater.command(now, Wished { on: false, urgency: Urgency::OffAtOnce, reason });
            }
            _ if self.heater.enabled => self.heater.command(now, wished),
            _ => {}
        }
    }

    /// The fan, which the heater needs or not.
    fn decide_fan(&mut self, now: Monotonic, needed: bool) {
        self.fan_stale_at = None;
        if self.fan.enabled {
            let on = |reason: &str| Wished { on: true, urgency: Urgency::OffAtOnce, reason: reason.to_owned() };
            let wished = if let Some(why) = self.is_everything_off() {
                Wished { on: false, urgency: Urgency::OffAtOnce, reason: why }
            } else if self.fan.mode != Mode::Auto {
                self.fan.wished(true)
            } else if self.has_to_be_cooled() {
                on("cools the box until a reset")
            } else if needed {
                on("runs for the heater")
            } else {
                let stale_at = self.reading.map(|reading| self.stale_at(&reading)).filter(|stale_at| now < *stale_at);
                self.fan_stale_at = stale_at;
                self.fan.wished(stale_at.is_some())
            };
            self.fan.command(now, wished);
            self.fan_stale_at = self.fan_stale_at.filter(|_| self.fan.actuator.is_on());
        }
        self.fan_run.ask(now, needed && self.fan.actuator.is_on());
    }

    /// Why nothing may be on.
    fn is_everything_off(&self) -> Option<String> {
        match self.is_latched() {
            Err(inhibit @ (Inhibit::Stopping | Inhibit::Fault(_))) => Some(inhibit.to_string()),
            _ => None,
        }
    }

    /// The right to heat, the fan aside.
    fn assess(&self, now: Monotonic) -> Result<Permit, Inhibit> {
        self.is_latched()?;
        if let Some(leap) = self.plausibility.distrust(self.config.safety.max_temp_c) {
            return Err(Inhibit::Implausible(leap));
        }
        let permit = self.interlock.assess(now, self.reading.as_ref(), &self.on_time)?;
        if let Some(doubt) = self.recovery.doubt() {
            return Err(doubt);
        }
        if let Some(why) = self.trips.rest() {
            return Err(why.clone());
        }
        Ok(permit)
    }

    /// The first moment at which `reading` is too old to act on.
    fn stale_at(&self, reading: &Reading) -> Monotonic {
        reading.taken_at + self.config.safety.max_sample_age + Duration::from_nanos(1)
    }

    fn event(&self, clock: Clock, kind: EventKind, severity: Severity, text: String) -> Event {
        Event { at: clock.wall, box_name: Some(self.config.name.clone()), kind, severity, text }
    }
}

#[cfg(test)]
mod box_tests;
#[cfg(test)]
mod tests;
