//! One output: its controller, its mode, its minimum times, and what the relay guard makes of it.

use super::HeldOutput;
use crate::actuate::{Actuator, Limit, Urgency};
use crate::command::OutputKind;
use crate::config::OutputConfig;
use crate::control::{Controller, Demand, Hysteresis, Mode};
use crate::snapshot::{OutputSnapshot, Reading};
use crate::time::Monotonic;

const NOT_CONFIGURED: &str = "not configured";

/// One output with everything that decides about it.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) kind: OutputKind,
    pub(super) enabled: bool,
    pub(super) controller: Hysteresis,
    pub(super) demand: Option<Demand>,
    pub(super) mode: Mode,
    /// When a person last switched it.
    pub(super) manual_since: Option<Monotonic>,
    pub(super) actuator: Actuator,
    pub(super) limit: Option<Limit>,
    pub(super) held: HeldOutput,
    pub(super) reason: String,
}

/// What is wished for an output before safety and limits are asked.
pub(super) struct Wished {
    pub(super) on: bool,
    pub(super) urgency: Urgency,
    pub(super) reason: String,
}

impl Output {
    pub(super) fn new(kind: OutputKind, config: &OutputConfig) -> Self {
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
            manual_since: None,
            actuator: Actuator::new(config.min_on, config.min_off),
            limit: None,
            held: HeldOutput::default(),
            reason: if config.enabled { "no reading yet" } else { NOT_CONFIGURED }.to_owned(),
        }
    }

    /// Other settings from now on. The state stays: mode, command, minimum times; the controller decides anew from the last reading. An
    /// output that is no longer configured is off at once.
    pub(super) fn configure(&mut self, now: Monotonic, config: &OutputConfig, reading: Option<&Reading>) {
        self.actuator.configure(config.min_on, config.min_off);
        self.controller.configure(config.band);
        if !self.enabled {
            self.controller.resume(false);
        }
        self.enabled = config.enabled;
        if config.enabled {
            self.demand = reading.map(|reading| self.controller.decide(&reading.measurement));
        } else {
            self.release(now, NOT_CONFIGURED);
            self.demand = None;
        }
    }

    /// Off at once.
    pub(super) fn release(&mut self, now: Monotonic, why: &str) {
        self.limit = self.actuator.apply(now, false, Urgency::OffAtOnce);
        self.reason = why.to_owned();
    }

    /// Mode and controller together; `fresh` is whether the last reading may still be acted on.
    pub(super) fn wished(&self, fresh: bool) -> Wished {
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

    /// Whether a person switched it off.
    pub(super) fn is_off_by_hand(&self) -> bool {
        matches!(self.mode, Mode::Manual { on: false, .. })
    }

    /// Moves the command towards `wished` within the minimum times, and keeps why.
    pub(super) fn command(&mut self, now: Monotonic, wished: Wished) {
        self.limit = self.actuator.apply(now, wished.on, wished.urgency);
        self.reason = match self.limit {
            Some(limit) => format!("{} holds it {} ({})", limit.reason(), on_off(self.actuator.is_on()), wished.reason),
            None => wished.reason,
        };
    }

    /// Gives the output to its controller as it is, and lets it decide from the last reading.
    pub(super) fn hand_back(&mut self, reading: Option<&Reading>) {
        self.controller.resume(self.actuator.is_on());
        self.demand = reading.map(|reading| self.controller.decide(&reading.measurement));
    }

    pub(super) fn snapshot(&self) -> OutputSnapshot {
        let reason = match &self.held.refusal {
            Some(refusal) => format!("the relay guard refuses: {refusal}"),
            None => self.reason.clone(),
        };
        OutputSnapshot { output: self.kind, enabled: self.enabled, on: self.held.active, mode: self.mode, reason }
    }
}

pub(super) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}
