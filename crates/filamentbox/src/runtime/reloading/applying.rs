//! Settings that changed reach the parts of the daemon that go by them, each by its own channel. Nobody waits for them here but the
//! settings' thread.

use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender};

use tokio::sync::mpsc::UnboundedSender;
use tracing::error;

use super::super::clock::Clocks;
use super::super::control::{ControlInput, NewSettings};
use super::super::guard::{self, GuardLink, Plan};
use super::super::sensing::SensorSettings;
use super::super::supervisor::{Fate, Notice, spawn};
use super::super::tasks::{Delivery, Surroundings};
use crate::alerts;
use crate::settings::Loaded;

/// The parts of the daemon that settings reach.
pub struct Parts {
    /// Control.
    pub control: SyncSender<ControlInput>,
    /// The sensors' threads.
    pub sensors: Vec<Sender<SensorSettings>>,
    /// The network thread, with the journal behind it.
    pub delivery: UnboundedSender<Delivery>,
    /// What its tasks need.
    pub surroundings: Surroundings,
    /// How a guard is reached, with the outputs that are claimed.
    pub plan: Plan,
    /// There is a guard, or there was one: what is lost is control's business.
    pub is_guarded: bool,
    /// The main thread's.
    pub notices: Sender<Notice>,
}

impl Parts {
    fn clocks(&self) -> &Arc<Clocks> {
        &self.surroundings.clocks
    }

    /// Makes the daemon go by `new` instead of `old`.
    pub(super) fn apply(&mut self, old: &Loaded, new: &Loaded) {
        let (old_sensor, sensor) = (SensorSettings::of(old), SensorSettings::of(new));
        // First what is about safety: the new limits must not judge a reading of the old calibration. The sensor's thread, which may hang,
        // says the same once it goes by it.
        if old_sensor.makes_new_readings(&sensor) {
            (0..new.config.boxes.len()).for_each(|index| drop(self.control.send(ControlInput::NewReadings(index))));
        }
        self.apply_to_control(old, new);
        if old_sensor.is_other(&sensor) {
            // A thread that has ended is the stop's or the supervisor's business.
            self.sensors.iter().for_each(|sensors| drop(sensors.send(sensor.clone())));
        }
        self.clocks().configure(new.config.require_sync, new.config.read_interval);
        self.apply_to_alerts(old, new);
        let delivery = Delivery::of(new, &self.surroundings);
        if delivery.is_other(&Delivery::of(old, &self.surroundings)) {
            let _ = self.delivery.send(delivery);
        }
    }

    fn apply_to_control(&mut self, old: &Loaded, new: &Loaded) {
        let slots = guard::slots(&new.config);
        if old.config.boxes == new.config.boxes && slots == self.plan.slots {
            return;
        }
        self.plan.slots.clone_from(&slots);
        // The start of a guard takes its time, and control has none: nothing can be on before.
        let first = !self.is_guarded && !slots.is_empty();
        self.is_guarded |= first;
        let guard = first.then(|| GuardLink::start(&self.plan));
        let settings = NewSettings { boxes: new.config.boxes.clone(), slots, guard };
        // Waits while control's inbox is full.
        let _ = self.control.send(ControlInput::Configure(Box::new(settings)));
    }

    fn apply_to_alerts(&self, old: &Loaded, new: &Loaded) {
        let differs = |key: &str| old.settings.get(key).map(|s| &s.value) != new.settings.get(key).map(|s| &s.value);
        if !alerts::KEYS.iter().any(|spec| differs(spec.key)) {
            return;
        }
        if let Some(mut hooks) = self.surroundings.alerts.configure(&new.settings) {
            let started = spawn("alerts", Fate::Restart, self.notices.clone(), move || hooks.run());
            drop(started.inspect_err(|problem| error!("the alert hooks cannot be run: {problem}")));
        }
    }
}
