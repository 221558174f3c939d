//! One box: readings and commands in, wanted outputs and events out.
//!
//! **Invariant:** [`Wanted::heat`] is a [`Permit`] of this very step. What an output *is* comes back through
//! [`Chamber::held`] from the relay guard; what is wanted is never taken for what is.

use std::time::Duration;

use crate::actuate::{Actuator, Limit, Urgency};
use crate::command::{CommandError, OutputKind, Wish};
use crate::config::{BoxConfig, OutputConfig};
use crate::control::{Controller, Demand, Hysteresis, Mode};
use crate::event::{Event, EventKind, Severity};
use crate::safety::{Inhibit, Interlock, LatchReason, OnTime, Permit};
use crate::sample::{NoData, Sample, SensorTraits};
use crate::snapshot::{BoxSnapshot, OutputSnapshot, Reading};
use crate::time::{Clock, Monotonic};
use crate::units::Celsius;

/// What can happen to a box.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// The sensor gave a reading.
    Sample(Reading),
    /// The sensor gave none.
    NoData(NoData),
    /// A person asks for something.
    Command(OutputKind, Wish),
    /// A sensor was opened: what it can tell.
    Sensor(SensorTraits),
    /// A person has looked: faults and latches are over.
    Reset,
    /// Time passed.
    Tick,
    /// Something broke that a person has to see to; latched until the daemon starts anew.
    Fault(String),
    /// The daemon stops: everything off.
    Stop,
}

/// What the outputs should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// Heat, with the right to it.
    pub heat: Option<Permit>,
    /// The fan.
    pub fan: bool,
    /// The heater has to stay off until a `reset`, in the guard's memory too.
    pub latch: Option<LatchReason>,
    /// The last good reading, wanted heat or not: the guard judges it by its own cut-off.
    pub seen: Option<Seen>,
}

/// A temperature and its moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// What was read.
    pub temperature: Celsius,
    /// When.
    pub taken_at: Monotonic,
}

/// What one output is, as the relay guard reports it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeldOutput {
    /// Whether the line is active.
    pub active: bool,
    /// Why the guard refuses a wanted output, if it does.
    pub refusal: Option<String>,
    /// Why the guard keeps it off until a `reset`, if it does.
    pub latched: Option<LatchReason>,
}

/// What both outputs are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// The heater's line.
    pub heater: HeldOutput,
    /// The fan's line.
    pub fan: HeldOutput,
}

/// What a step asks of the world.
#[derive(Clone, PartialEq, Debug)]
pub struct Effects {
    /// The outputs.
    pub wanted: Wanted,
    /// A sample to keep.
    pub sample: Option<Sample>,
    /// Events to log.
    pub events: Vec<Event>,
    /// Whether the command was accepted. The state that results is in the snapshot.
    pub accepted: Result<(), CommandError>,
}

/// One output with everything that decides about it.
#[derive(Clone, Debug)]
struct Output {
    kind: OutputKind,
    enabled: bool,
    controller: Hysteresis,
    demand: Option<Demand>,
    mode: Mode,
    actuator: Actuator,
    limit: Option<Limit>,
    held: HeldOutput,
    reason: String,
}

/// What is wished for an output before safety and limits are asked.
struct Wished {
    on: bool,
    urgency: Urgency,
    reason: String,
}

impl Output {
    fn new(kind: OutputKind, config: &OutputConfig) -> Self {
        let controller = match kind {
            OutputKind::Heater => Hysteresis::heater(config.band),
            OutputKind::Fan => Hysteresis::fan(config.band),
        };
        Self {
            kind,
            enabled: config.enabled,
            controller,
            demand: None,
            mode: Mode::Auto,
            actuator: Actuator::new(config.min_on, config.min_off),
            limit: None,
            held: HeldOutput::default(),
            reason: if config.enabled { "no reading yet" } else { "not configured" }.to_owned(),
        }
    }

    /// Mode and controller together; `fresh` is whether the last reading may still be acted on.
    fn wished(&self, fresh: bool) -> Wished {
        match (self.mode, &self.demand) {
            (Mode::Manual { on, .. }, _) => {
                Wished { on, urgency: Urgency::OffAtOnce, reason: format!("switched {} by hand", on_off(on)) }
            }
            (Mode::Auto, Some(demand)) if fresh => {
                Wished { on: demand.on, urgency: Urgency::Controller, reason: demand.reason.clone() }
            }
            (Mode::Auto, Some(_)) => {
                Wished { on: false, urgency: Urgency::OffAtOnce, reason: "the last good reading is too old".to_owned() }
            }
            (Mode::Auto, None) => {
                Wished { on: false, urgency: Urgency::OffAtOnce, reason: "no reading yet".to_owned() }
            }
        }
    }

    /// Moves the command towards `wished` within the minimum times, and keeps why.
    fn command(&mut self, now: Monotonic, wished: Wished) {
        self.limit = self.actuator.apply(now, wished.on, wished.urgency);
        self.reason = match self.limit {
            Some(limit) => format!("{} holds it {} ({})", limit.reason(), on_off(self.actuator.is_on()), wished.reason),
            None => wished.reason,
        };
    }

    fn snapshot(&self) -> OutputSnapshot {
        let reason = match &self.held.refusal {
            Some(refusal) => format!("the relay guard refuses: {refusal}"),
            None => self.reason.clone(),
        };
        OutputSnapshot { output: self.kind, enabled: self.enabled, on: self.held.active, mode: self.mode, reason }
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// One box.
#[derive(Clone, Debug)]
pub struct Chamber {
    config: BoxConfig,
    reading: Option<Reading>,
    no_data: Option<NoData>,
    heater: Output,
    fan: Output,
    interlock: Interlock,
    on_time: OnTime,
    inhibit: Option<Inhibit>,
    permit: Option<Permit>,
    /// Latched: a fault, or the end of the daemon.
    latched: Option<Inhibit>,
}

impl Chamber {
    /// A box with everything off.
    pub fn new(config: BoxConfig, now: Monotonic) -> Self {
        Self {
            heater: Output::new(OutputKind::Heater, &config.heater),
            fan: Output::new(OutputKind::Fan, &config.fan),
            interlock: Interlock::new(config.safety),
            on_time: OnTime::new(config.safety.max_on_time, now),
            reading: None,
            no_data: None,
            inhibit: None,
            permit: None,
            latched: None,
            config,
        }
    }

    /// Takes `input` in and decides anew. Call [`Self::held`] with what became of the outputs.
    pub fn step(&mut self, clock: Clock, input: Input) -> Effects {
        let mut events = Vec::new();
        let mut sample = None;
        let mut accepted = Ok(());
        match input {
            Input::Sample(reading) => sample = Some(self.accept(clock, reading, &mut events)),
            Input::NoData(reason) => self.miss(clock, reason, &mut events),
            Input::Command(kind, wish) => accepted = self.override_output(clock, kind, wish, &mut events),
            Input::Tick | Input::Sensor(_) | Input::Reset => {}
            Input::Fault(fault) => {
                events.push(self.event(
                    clock,
                    EventKind::Safety,
                    Severity::Error,
                    format!("{fault}; outputs stay off"),
                ));
                self.latched = Some(Inhibit::Fault(fault));
            }
            Input::Stop => self.latched = Some(Inhibit::Stopping),
        }
        self.end_overrides(clock, &mut events);
        self.decide(clock, &mut events);
        let seen = |reading: Reading| Seen { temperature: reading.measurement.temperature, taken_at: reading.taken_at };
        let wanted = Wanted {
            heat: self.permit.filter(|_| self.heater.actuator.is_on()),
            fan: self.fan.actuator.is_on(),
            latch: None,
            seen: self.reading.map(seen),
        };
        Effects { wanted, sample, events, accepted }
    }

    /// Takes in what the outputs are. Returns an event for each that changed.
    pub fn held(&mut self, clock: Clock, held: Held) -> Vec<Event> {
        self.on_time.count(clock.now, held.heater.active);
        let mut events = Vec::new();
        for kind in OutputKind::ALL {
            let (output, held) = match kind {
                OutputKind::Heater => (&mut self.heater, held.heater.clone()),
                OutputKind::Fan => (&mut self.fan, held.fan.clone()),
            };
            let changed = output.held.active != held.active;
            let newly_refused = held.refusal.is_some() && output.held.refusal.is_none();
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
        let fan_is_controlled = self.fan.mode == Mode::Auto && self.fan.actuator.is_on();
        [
            self.heater.mode.until(),
            self.fan.mode.until(),
            self.heater.limit.map(Limit::until),
            self.fan.limit.map(Limit::until),
            self.permit.filter(|_| heater_is_on).map(|permit| permit.expires_at()),
            heater_is_on.then(|| self.on_time.used_up_at()),
            self.on_time.resting_until(),
            // Only its controller depends on the reading: a fan on by hand stays on, and would make this a past moment for ever.
            self.reading.filter(|_| fan_is_controlled).map(|reading| self.stale_at(&reading)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The state for people and programs.
    pub fn snapshot(&self, now: Monotonic) -> BoxSnapshot {
        let inhibit = self.assess(now).err().filter(|_| self.heater.enabled);
        let faults = match &self.latched {
            Some(Inhibit::Fault(fault)) => vec![fault.clone()],
            _ => Vec::new(),
        };
        BoxSnapshot {
            name: self.config.name.clone(),
            reading: self.reading,
            no_data: self.no_data.clone(),
            heater: self.heater.snapshot(),
            fan: self.fan.snapshot(),
            heat_inhibited: inhibit.map(|inhibit| inhibit.to_string()),
            faults,
        }
    }

    fn accept(&mut self, clock: Clock, reading: Reading, events: &mut Vec<Event>) -> Sample {
        if self.no_data.take().is_some() {
            let text = match &self.reading {
                Some(last) => format!("the sensor is back after {} s", clock.now.since(last.taken_at).as_secs()),
                None => "the sensor answers".to_owned(),
            };
            events.push(self.event(clock, EventKind::Sensor, Severity::Info, text));
        }
        self.reading = Some(reading);
        self.heater.demand = Some(self.heater.controller.decide(&reading.measurement));
        self.fan.demand = Some(self.fan.controller.decide(&reading.measurement));
        Sample {
            box_name: self.config.name.clone(),
            taken_at: reading.taken_at,
            wall: reading.wall,
            measurement: reading.measurement,
            heater_on: self.heater.held.active,
            fan_on: self.fan.held.active,
        }
    }

    fn miss(&mut self, clock: Clock, reason: NoData, events: &mut Vec<Event>) {
        if self.no_data.is_none() {
            events.push(self.event(clock, EventKind::Sensor, Severity::Warning, format!("no reading: {reason}")));
        }
        self.no_data = Some(reason);
    }

    fn override_output(
        &mut self,
        clock: Clock,
        kind: OutputKind,
        wish: Wish,
        events: &mut Vec<Event>,
    ) -> Result<(), CommandError> {
        let longest = self.config.safety.override_max;
        let output = match kind {
            OutputKind::Heater => &mut self.heater,
            OutputKind::Fan => &mut self.fan,
        };
        if !output.enabled {
            let key = match kind {
                OutputKind::Heater => "heating_control.enabled",
                OutputKind::Fan => "humidity_control.enabled",
            };
            return Err(CommandError::NotEnabled { output: kind.name(), key });
        }
        let until = |hold: Option<Duration>| hold.map(|hold| clock.now + hold);
        output.mode = match wish {
            Wish::On { hold } if kind == OutputKind::Heater => {
                if let Some(hold) = hold.filter(|hold| *hold > longest) {
                    return Err(CommandError::TooLong { asked: hold.as_secs(), allowed: longest.as_secs() });
                }
                Mode::Manual { on: true, until: until(hold.or(Some(longest))) }
            }
            Wish::On { hold } => Mode::Manual { on: true, until: until(hold) },
            Wish::Off { hold } => Mode::Manual { on: false, until: until(hold) },
            Wish::Auto => Mode::Auto,
        };
        let text = match output.mode {
            Mode::Auto => {
                output.hand_back(self.reading.as_ref());
                format!("{}: back to automatic", kind.name())
            }
            Mode::Manual { on, until: Some(until) } => {
                format!("{}: {} by hand for {} s", kind.name(), on_off(on), until.since(clock.now).as_secs())
            }
            Mode::Manual { on, until: None } => format!("{}: {} by hand", kind.name(), on_off(on)),
        };
        events.push(self.event(clock, EventKind::Override, Severity::Info, text));
        Ok(())
    }

    fn end_overrides(&mut self, clock: Clock, events: &mut Vec<Event>) {
        for kind in OutputKind::ALL {
            let output = match kind {
                OutputKind::Heater => &mut self.heater,
                OutputKind::Fan => &mut self.fan,
            };
            if output.mode.has_ended(clock.now) {
                output.mode = Mode::Auto;
                output.hand_back(self.reading.as_ref());
                let text = format!("{}: the manual override has ended, back to automatic", kind.name());
                events.push(self.event(clock, EventKind::Override, Severity::Info, text));
            }
        }
    }

    /// Safety first, then the wish, then the minimum times.
    fn decide(&mut self, clock: Clock, events: &mut Vec<Event>) {
        let now = clock.now;
        self.on_time.count(now, self.heater.held.active);
        let assessed = self.assess(now);
        // The interlock judges the age of the reading for the heater, so that a refusal is noticed and named.
        let wished = self.heater.wished(true);
        let before = self.inhibit.take();
        self.permit = assessed.as_ref().ok().copied();
        match assessed {
            // Also while only the minimum on time keeps it on: that must not bring the heat back with the next reading.
            Err(inhibit) if self.heater.enabled && (wished.on || self.heater.actuator.is_on()) => {
                let known = before.is_some_and(|before| before.is_same_kind(&inhibit));
                if !known && inhibit != Inhibit::Stopping {
                    let text = format!("heat refused: {inhibit}");
                    events.push(self.event(clock, EventKind::Safety, Severity::Warning, text));
                }
                let reason = inhibit.to_string();
                self.inhibit = Some(inhibit);
                self.heater.command(now, Wished { on: false, urgency: Urgency::OffAtOnce, reason });
            }
            _ if self.heater.enabled => self.heater.command(now, wished),
            _ => {}
        }

        if self.fan.enabled {
            let wished = match &self.latched {
                Some(latched) => Wished { on: false, urgency: Urgency::OffAtOnce, reason: latched.to_string() },
                None => self.fan.wished(self.reading.is_some_and(|reading| now < self.stale_at(&reading))),
            };
            self.fan.command(now, wished);
        }
    }

    fn assess(&self, now: Monotonic) -> Result<Permit, Inhibit> {
        match &self.latched {
            Some(latched) => Err(latched.clone()),
            None => self.interlock.assess(now, self.reading.as_ref(), &self.on_time),
        }
    }

    /// The first moment at which `reading` is too old to act on.
    fn stale_at(&self, reading: &Reading) -> Monotonic {
        reading.taken_at + self.config.safety.max_sample_age + Duration::from_nanos(1)
    }

    fn event(&self, clock: Clock, kind: EventKind, severity: Severity, text: String) -> Event {
        Event { at: clock.wall, box_name: Some(self.config.name.clone()), kind, severity, text }
    }
}

impl Output {
    /// Gives the output to its controller as it is, and lets it decide from the last reading.
    fn hand_back(&mut self, reading: Option<&Reading>) {
        self.controller.resume(self.actuator.is_on());
        self.demand = reading.map(|reading| self.controller.decide(&reading.measurement));
    }
}

#[cfg(test)]
mod tests;
