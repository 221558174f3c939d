//! Faults and latches: what stays off until a person has looked.
//!
//! A latch that is raised here is asked of the relay guard in every step until it reports one: the guard keeps it on disk, so it
//! outlives this daemon. A daemon that starts anew learns of it from the guard's first report.

use super::{Chamber, Held, HeldOutput};
use crate::command::OutputKind;
use crate::control::Mode;
use crate::event::{Event, EventKind, Severity};
use crate::safety::{Inhibit, LatchReason, Trip};
use crate::time::Clock;

impl Chamber {
    /// Latches the heat off.
    pub(super) fn raise(&mut self, clock: Clock, trip: Trip, events: &mut Vec<Event>) {
        if self.raised.iter().any(|raised| raised.reason == trip.reason) {
            return;
        }
        let text = format!("heat is off until a reset: {} ({})", trip.reason, trip.evidence);
        events.push(self.event(clock, EventKind::Safety, Severity::Error, text));
        self.raised.push(trip);
    }

    /// Everything is off until a reset.
    pub(super) fn fail(&mut self, clock: Clock, fault: String, events: &mut Vec<Event>) {
        events.push(self.event(clock, EventKind::Safety, Severity::Error, format!("{fault}; outputs stay off")));
        self.fault = Some(fault);
    }

    /// A person has looked: what was raised here is over, and nothing that was read before raises it again.
    pub(super) fn reset(&mut self, clock: Clock, events: &mut Vec<Event>) {
        let over = self.faults();
        let over = if over.is_empty() { "nothing was latched".to_owned() } else { over.join("; ") };
        events.push(self.event(clock, EventKind::Safety, Severity::Info, format!("reset by a person: {over}")));
        self.fault = None;
        self.raised.clear();
        // Whoever asked for heat while none was to be had may be gone: heat that comes back comes back by its controller.
        if matches!(self.heater.mode, Mode::Manual { on: true, .. }) {
            self.heater.mode = Mode::Auto;
            self.heater.hand_back(self.reading.as_ref());
            let text = "heater: back to automatic, because of the reset".to_owned();
            events.push(self.event(clock, EventKind::Override, Severity::Info, text));
        }
        self.trips.reset(clock.now);
        // What the guard keeps it reports again.
        (self.heater.held.latched, self.fan.held.latched) = (None, None);
    }

    /// What the guard has to keep, until it reports that it keeps a latch.
    pub(super) fn wanted_latch(&self) -> Option<LatchReason> {
        let confirmed = self.heater.held.latched.is_some();
        self.raised.first().map(|trip| trip.reason).filter(|_| !confirmed)
    }

    /// Notes a latch that the guard reports for the first time and that was not raised here.
    pub(super) fn learn_latches(&self, clock: Clock, held: &Held) -> Vec<Event> {
        let learn = |kind: OutputKind, known: &HeldOutput, held: &HeldOutput| {
            let reason = held.latched.filter(|reason| known.latched != Some(*reason))?;
            if kind == OutputKind::Heater && self.raised.iter().any(|raised| raised.reason == reason) {
                return None;
            }
            let text = format!("the relay guard keeps the {} off until a reset: {reason}", kind.name());
            Some(self.event(clock, EventKind::Safety, Severity::Error, text))
        };
        let heater = learn(OutputKind::Heater, &self.heater.held, &held.heater);
        let fan = learn(OutputKind::Fan, &self.fan.held, &held.fan);
        heater.into_iter().chain(fan).collect()
    }

    /// Why the heat is off until a person has looked, or for good.
    pub(super) fn is_latched(&self) -> Result<(), Inhibit> {
        if self.stopping {
            return Err(Inhibit::Stopping);
        }
        if let Some(fault) = &self.fault {
            return Err(Inhibit::Fault(fault.clone()));
        }
        if let Some(trip) = self.raised.first() {
            return Err(Inhibit::Latched(trip.reason));
        }
        if let Some(reason) = self.heater.held.latched {
            return Err(Inhibit::Latched(reason));
        }
        Ok(())
    }

    /// Whether the fan has to cool a box that nothing else cools.
    pub(super) fn has_to_be_cooled(&self) -> bool {
        let raised = self.raised.iter().map(|trip| trip.reason);
        raised
            .chain(self.heater.held.latched)
            .any(|reason| matches!(reason, LatchReason::RelayStuck | LatchReason::OverTemperature))
    }

    /// Faults and latches in words.
    pub(super) fn faults(&self) -> Vec<String> {
        let raised = self.raised.iter().map(|trip| format!("{} ({})", trip.reason, trip.evidence));
        let kept = |kind: OutputKind, held: &HeldOutput| {
            let known = |reason: &LatchReason| {
                kind == OutputKind::Heater && self.raised.iter().any(|trip| trip.reason == *reason)
            };
            held.latched.filter(|reason| !known(reason)).map(|reason| format!("{}: {reason}", kind.name()))
        };
        self.fault
            .clone()
            .into_iter()
            .chain(raised)
            .chain(kept(OutputKind::Heater, &self.heater.held))
            .chain(kept(OutputKind::Fan, &self.fan.held))
            .collect()
    }
}
