//! What happened and why: one [`Event`] for every change of an output, every fault, every episode of a backend.

use crate::sample::BoxName;
use crate::time::UnixTime;

/// How much an event asks of the reader.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Normal working.
    Info,
    /// Degraded, recovering by itself.
    Warning,
    /// Heat refused, samples lost, or something to be done by a person.
    Error,
}

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// An output's line changed.
    Output,
    /// A manual override began or ended.
    Override,
    /// A sensor was lost or came back.
    Sensor,
    /// The interlock or the guard refused or released heat.
    Safety,
    /// A backend failed or recovered.
    Backend,
    /// A setting was changed, or cannot be.
    Settings,
    /// The daemon itself: start, stop, recovery, disk.
    Daemon,
    /// Somebody logged in, or tried to, or asked for something.
    Access,
}

impl EventKind {
    /// Every kind, with its name in exports and in the API.
    pub const NAMES: [(Self, &'static str); 8] = [
        (Self::Output, "output"),
        (Self::Override, "override"),
        (Self::Sensor, "sensor"),
        (Self::Safety, "safety"),
        (Self::Backend, "backend"),
        (Self::Settings, "settings"),
        (Self::Daemon, "daemon"),
        (Self::Access, "access"),
    ];

    /// The kind's name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("daemon", |(_, name)| name)
    }
}

impl Severity {
    /// Every severity with its name.
    pub const NAMES: [(Self, &'static str); 3] =
        [(Self::Info, "info"), (Self::Warning, "warning"), (Self::Error, "error")];

    /// The severity's name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(severity, _)| *severity == self).map_or("error", |(_, name)| name)
    }
}

/// One line of the event log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// When; `None` while the wall clock is not known.
    pub at: Option<UnixTime>,
    /// Which box; `None` for the daemon as a whole.
    pub box_name: Option<BoxName>,
    /// What about.
    pub kind: EventKind,
    /// How serious.
    pub severity: Severity,
    /// One sentence for a person: what, and why.
    pub text: String,
}
