//! What happened.

use filamentbox_core::event::Event;
use serde::Serialize;
use utoipa::ToSchema;

/// What happened, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    pub(crate) events: Vec<LoggedEvent>,
}

/// One thing that happened.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoggedEvent {
    /// Grows from event to event.
    id: u64,
    /// Unix seconds; null if the wall clock was not known.
    timestamp: Option<f64>,
    /// The box that it happened to; null if it was none.
    r#box: Option<String>,
    /// What it is about, for example `fault` or `settings`.
    kind: &'static str,
    /// How bad: `info`, `warning` or `error`.
    severity: &'static str,
    /// For people.
    message: String,
}

pub(crate) fn event(id: u64, event: Event) -> LoggedEvent {
    LoggedEvent {
        id,
        timestamp: event.at.map(|at| at.seconds()),
        r#box: event.box_name.map(|name| name.to_string()),
        kind: event.kind.name(),
        severity: event.severity.name(),
        message: event.text,
    }
}
