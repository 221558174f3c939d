//! What a person should have noticed lately, as the Python original's page shows it.

use filamentbox_core::event::{Event, EventKind, Severity};
use serde::Serialize;
use utoipa::ToSchema;

/// The notifications, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Notifications {
    pub(crate) notifications: Vec<Notification>,
}

/// An event.
#[derive(Serialize, ToSchema)]
pub(crate) struct Notification {
    message: String,
    r#type: NotificationType,
    /// Unix seconds; null where the wall clock was not known.
    timestamp: Option<f64>,
}

/// How an event is to be taken.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum NotificationType {
    Success,
    Error,
    Warning,
    Info,
}

/// All notifications are hidden.
#[derive(Serialize, ToSchema)]
pub(crate) struct Forgotten {
    pub(crate) message: &'static str,
    /// Always true; a refusal has another status.
    pub(crate) success: bool,
}

pub(crate) fn notification(event: Event) -> Notification {
    let r#type = match (event.severity, event.kind) {
        (Severity::Error, _) => NotificationType::Error,
        (Severity::Warning, _) => NotificationType::Warning,
        // What had failed works again.
        (Severity::Info, EventKind::Backend | EventKind::Sensor | EventKind::Safety) => NotificationType::Success,
        (Severity::Info, _) => NotificationType::Info,
    };
    Notification { message: event.text, r#type, timestamp: event.at.map(|at| at.seconds()) }
}
