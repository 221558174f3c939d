//! What people ask for: an override replaces the controller for a while, and never the interlock.
//!
//! Every ON of the heater ends by itself within `safety.override_max`; only another command of a person makes another one.

use std::time::Duration;

use super::Chamber;
use super::output::on_off;
use crate::command::{CommandError, OutputKind, Wish};
use crate::control::Mode;
use crate::event::{Event, EventKind, Severity};
use crate::time::Clock;

impl Chamber {
    pub(super) fn override_output(
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
        output.manual_since = Some(clock.now);
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

    pub(super) fn end_overrides(&mut self, clock: Clock, events: &mut Vec<Event>) {
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
}
