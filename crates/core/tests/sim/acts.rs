//! What people and misfortune do to the world.

use filamentbox_core::chamber::Input;
use filamentbox_core::command::{CommandError, OutputKind, Wish};
use filamentbox_core::config::BoxConfig;
use filamentbox_core::physics::Disturbance;

use crate::daemon::{Daemon, Pulse};
use crate::relay::{LineFault, LinkFault};
use crate::sensor::SensorFault;
use crate::world::{HeaterFault, World};

impl World {
    pub(crate) fn command(&mut self, output: OutputKind, wish: Wish) -> Result<(), CommandError> {
        self.note(format!("asked: {} {wish:?}", output.name()));
        if !self.is_running() {
            return Ok(());
        }
        let before = self.manual_on_at;
        if output == OutputKind::Heater && matches!(wish, Wish::On { .. }) {
            self.manual_on_at = self.now;
        }
        let accepted = self.step(Input::Command(output, wish));
        if accepted.is_ok() && matches!(wish, Wish::Off { .. }) && self.relay.in_touch && self.relay.answers {
            let on = if output == OutputKind::Heater { self.relay.heats() } else { self.relay.fan };
            assert!(!on, "{} off by hand, and it is on", output.name());
        }
        if accepted.is_err() {
            self.manual_on_at = before;
        }
        accepted
    }

    pub(crate) fn break_sensor(&mut self, fault: SensorFault) {
        self.note(format!("sensor: {fault:?}"));
        self.sensor.fail(self.now, fault);
    }

    pub(crate) fn break_link(&mut self, fault: LinkFault) {
        self.note(format!("link: {fault:?}"));
        self.relay.fault = fault;
    }

    pub(crate) fn break_heater(&mut self, fault: HeaterFault) {
        self.note(format!("heater: {fault:?}"));
        self.catch_up();
        self.heater_fault = fault;
    }

    pub(crate) fn break_line(&mut self, fault: LineFault) {
        self.note(format!("line: {fault:?}"));
        self.change(|world| world.relay.break_line(world.now, fault));
    }

    /// Somebody changes the settings.
    pub(crate) fn configure(&mut self, config: BoxConfig) {
        self.note(format!("settings: {config:?}"));
        self.setup.config = config.clone();
        if self.is_running() {
            let has_heater = config.heater.enabled;
            self.step(Input::Settings(Box::new(config))).expect("no command");
            let knows = self.relay.in_touch && self.relay.answers;
            assert!(has_heater || !knows || !self.relay.heats(), "the heater is gone and on");
        } else if let Some(daemon) = &mut self.daemon {
            daemon.queue_settings(config);
        }
    }

    /// Somebody changes the sensor's calibration, which its thread tells.
    pub(crate) fn calibrate(&mut self) {
        self.note("settings: another calibration".to_owned());
        if self.is_running() {
            self.step(Input::NewReadings).expect("no command");
        }
    }

    /// A person has looked.
    pub(crate) fn reset(&mut self) {
        self.note("asked: reset".to_owned());
        if self.is_running() {
            let mut heard = false;
            self.change(|world| heard = world.relay.reset(world.now, &mut world.dice));
            self.witness.reset(heard);
            // The last report that is remembered is older than the reset.
            if let Some(daemon) = self.daemon.as_mut().filter(|_| heard) {
                daemon.forget_latches();
            }
            self.step(Input::Reset).expect("no command");
        }
    }

    pub(crate) fn pulse(&mut self, pulse: Pulse) {
        self.note(format!("daemon: {pulse:?}"));
        if let Some(daemon) = &mut self.daemon {
            if daemon.pulse != Pulse::Running {
                self.witness.beliefs.woke(self.now);
            }
            daemon.pulse = pulse;
        }
        // What fell due meanwhile is done at once.
        self.happen();
    }

    /// SIGKILL, out of memory, a panic: the guard sees the end of its socket.
    pub(crate) fn kill_daemon(&mut self) {
        self.note("daemon: killed".to_owned());
        self.daemon = None;
        self.change(|world| world.relay.silence(world.now));
    }

    /// A new daemon, with a new guard if the old one is dead.
    pub(crate) fn start_daemon(&mut self) {
        self.note("daemon: starts".to_owned());
        self.daemon = Some(Daemon::new(self.setup.config.clone(), self.setup.probe.traits(), self.now));
        self.in_force = self.setup.config.clone();
        self.witness.daemon_starts(self.now, self.in_force.safety);
        self.relay.in_touch = true;
        if !self.relay.is_alive() {
            self.relay.start();
            self.witness.guard_starts();
        }
        self.next_reading = self.now;
    }

    /// The guard's process ends; a running daemon learns it at once.
    pub(crate) fn kill_guard(&mut self) {
        self.note("guard: killed".to_owned());
        let clock = self.clock();
        let mut events = Vec::new();
        self.change(|world| {
            world.relay.die();
            if let Some(daemon) = world.daemon.as_mut().filter(|daemon| daemon.pulse == Pulse::Running) {
                daemon.lose_guard(clock, "the relay guard has ended", &mut world.relay, &mut events);
            }
        });
        self.take_events(&events);
    }

    pub(crate) fn disturb(&mut self, disturbance: Disturbance) {
        self.note(format!("room: {disturbance:?}"));
        self.catch_up();
        self.disturbance = disturbance;
        self.physics.disturb(disturbance);
    }
}
