//! What the sensor says: believed and kept, not believed, or nothing at all.

use super::Chamber;
use crate::control::{Controller, Mode};
use crate::event::{Event, EventKind, Severity};
use crate::safety::{Belief, Leap};
use crate::sample::{NoData, Sample};
use crate::snapshot::Reading;
use crate::time::Clock;

impl Chamber {
    /// Takes in a reading. Returns the sample to keep, if it is believed.
    pub(super) fn hear(&mut self, clock: Clock, reading: Reading, events: &mut Vec<Event>) -> Option<Sample> {
        match self.plausibility.judge(reading.measurement.temperature, reading.taken_at) {
            Belief::Believed => Some(self.accept(clock, reading, events)),
            Belief::NewLevel => {
                let text = format!(
                    "{} is believed now, as several readings in a row agree with it",
                    reading.measurement.temperature
                );
                events.push(self.event(clock, EventKind::Sensor, Severity::Info, text));
                self.recovery.lose();
                self.trips.forget_readings(clock.now);
                Some(self.accept(clock, reading, events))
            }
            Belief::Rejected(leap) => {
                self.reject(clock, leap, events);
                None
            }
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
        self.recovery.good(clock.now, reading.taken_at);
        self.reading = Some(reading);
        self.heater.demand = Some(self.heater.controller.decide(&reading.measurement));
        self.fan.demand = Some(self.fan.controller.decide(&reading.measurement));
        self.watch(clock, &reading, events);
        Sample {
            box_name: self.config.name.clone(),
            taken_at: reading.taken_at,
            wall: reading.wall,
            measurement: reading.measurement,
            heater_on: self.heater.held.active,
            fan_on: self.fan.held.active,
        }
    }

    /// Lets the watchers see the reading. What they raise latches.
    fn watch(&mut self, clock: Clock, reading: &Reading, events: &mut Vec<Event>) {
        if !self.heater.enabled {
            return;
        }
        let target_c = match self.heater.mode {
            Mode::Manual { on: true, .. } => self.config.safety.max_temp_c,
            _ => self.config.heater.band.high,
        };
        if let Some(trip) = self.trips.reading(reading, target_c) {
            self.raise(clock, trip, events);
        }
    }

    fn reject(&mut self, clock: Clock, leap: Leap, events: &mut Vec<Event>) {
        self.recovery.miss();
        if self.plausibility.distrust().is_some() {
            self.recovery.lose();
        }
        if self.plausibility.rejected_in_a_row() == 1 {
            let text = format!("a reading is not believed: {leap}");
            events.push(self.event(clock, EventKind::Sensor, Severity::Warning, text));
        }
        self.no_data = Some(NoData::Implausible(leap.to_string()));
    }

    /// Takes in that there is no reading.
    pub(super) fn miss(&mut self, clock: Clock, reason: NoData, events: &mut Vec<Event>) {
        self.recovery.miss();
        if self.no_data.is_none() {
            events.push(self.event(clock, EventKind::Sensor, Severity::Warning, format!("no reading: {reason}")));
        }
        self.no_data = Some(reason);
    }
}
