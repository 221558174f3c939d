//! The outputs as the checks see them.

use filamentbox_core::command::OutputKind;

use super::finding::Status;
use super::system::{Daemon, System};

/// An output and its pin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Output {
    pub(super) kind: OutputKind,
    /// BCM number.
    pub(super) pin: u32,
    /// Whether its relay energises at low level.
    pub(super) is_active_low: bool,
}

impl Output {
    pub(super) fn name(self) -> &'static str {
        self.kind.name()
    }

    /// The first part of its keys.
    pub(super) fn section(self) -> &'static str {
        section(self.kind)
    }

    /// What a danger of this output is: the heater's is a failure, the fan's a weakness.
    pub(super) fn danger(self) -> Status {
        if self.kind == OutputKind::Heater { Status::Fail } else { Status::Warn }
    }

    /// The level that energises its relay.
    pub(super) fn active_level(self) -> bool {
        !self.is_active_low
    }
}

pub(super) fn section(kind: OutputKind) -> &'static str {
    match kind {
        OutputKind::Heater => "heating_control",
        OutputKind::Fan => "humidity_control",
    }
}

/// The word for a level.
pub(super) fn level(is_high: bool) -> &'static str {
    if is_high { "high" } else { "low" }
}

/// The outputs that the settings here, or those of the running daemon, enable. Those of a simulated box are none: a simulated
/// sensor drives simulated lines only.
pub(super) fn enabled(system: &System) -> Vec<Output> {
    let is_simulated = match &system.daemon {
        Daemon::Running(status) => status["simulated"] == true,
        _ => system.config.sensor_type == "simulated",
    };
    if is_simulated {
        return Vec::new();
    }
    let of_daemon = |kind: OutputKind| match &system.daemon {
        Daemon::Running(status) => status["controls"][kind.name()]["enabled"] == true,
        _ => false,
    };
    let of_kind = |kind: OutputKind| {
        let section = section(kind);
        let is_enabled = system.settings.switch(&format!("{section}.enabled")) || of_daemon(kind);
        is_enabled.then(|| Output {
            kind,
            pin: u32::try_from(system.settings.integer(&format!("{section}.gpio_pin"))).unwrap_or(u32::MAX),
            is_active_low: system.settings.switch(&format!("{section}.active_low")),
        })
    };
    OutputKind::ALL.into_iter().filter_map(of_kind).collect()
}

/// How bad it is when a layer of protection behind the heater is missing: nothing where nothing heats.
pub(super) fn missing_protection(system: &System) -> Status {
    enabled(system).into_iter().map(Output::danger).find(|danger| *danger == Status::Fail).unwrap_or(Status::Warn)
}

/// Why checks of outputs have nothing to look at.
pub(super) const NO_OUTPUT: &str = "no real output is enabled (heating_control.enabled, humidity_control.enabled)";
