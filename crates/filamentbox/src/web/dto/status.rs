//! The whole state at one moment.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Backends, Controls, Safety, Sensor, SettingsStatus};
use crate::journal::Statistics;
use crate::web::server::ShownPage;

/// The whole state at one moment.
#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    /// The box that this is about.
    pub(crate) r#box: String,
    pub(crate) sensor: Sensor,
    pub(crate) controls: Controls,
    pub(crate) database: Backends,
    pub(crate) safety: Safety,
    pub(crate) journal: Journal,
    pub(crate) settings: SettingsStatus,
    pub(crate) web: ShownPage,
    /// Whether the box is simulated.
    pub(crate) simulated: bool,
    pub(crate) version: &'static str,
    /// Time since the start of the daemon, s.
    pub(crate) uptime: f64,
}

/// Where samples are kept until every backend has them.
#[derive(Serialize, ToSchema)]
pub(crate) struct Journal {
    /// Samples that reached it since its file was made.
    samples: u64,
    /// Samples that are in memory, not yet in the file.
    open: u64,
    /// Samples that it could not take in time, since the start.
    dropped: u64,
    file_bytes: u64,
    /// What its disk says; null while it works.
    disk_error: Option<String>,
    /// Whether samples wait for the wall clock to be known.
    waiting_for_clock: bool,
}

impl From<Statistics> for Journal {
    fn from(statistics: Statistics) -> Self {
        Self {
            samples: statistics.sampled,
            open: statistics.open,
            dropped: statistics.dropped,
            file_bytes: statistics.file_bytes,
            disk_error: statistics.disk_error,
            waiting_for_clock: statistics.waits_for_clock,
        }
    }
}

/// The faults that are still there after a reset.
#[derive(Serialize, ToSchema)]
pub(crate) struct Faults {
    /// Always true; a refusal has another status.
    pub(crate) success: bool,
    pub(crate) faults: Vec<String>,
}
