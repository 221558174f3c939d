//! The whole state at one moment.

use filamentbox_core::config::BoxConfig;
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
    /// All boxes.
    pub(crate) boxes: Vec<String>,
    /// The kind of sensor that is read, as in `sensor.type`.
    pub(crate) sensor_type: String,
    /// What the box is kept within; null if the box is gone.
    pub(crate) limits: Option<Limits>,
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

/// What holds now, whatever waits for the next start.
#[derive(Serialize, ToSchema)]
pub(crate) struct Limits {
    /// Below it the heater goes on, °C.
    min_temp_c: f64,
    /// Above it the heater goes off, °C.
    max_temp_c: f64,
    /// Below it the fan goes off, %.
    min_humidity: f64,
    /// Above it the fan goes on, %.
    max_humidity: f64,
    /// Above it heat is refused, °C.
    cut_off_c: f64,
}

impl From<&BoxConfig> for Limits {
    fn from(config: &BoxConfig) -> Self {
        Self {
            min_temp_c: config.heater.band.low,
            max_temp_c: config.heater.band.high,
            min_humidity: config.fan.band.low,
            max_humidity: config.fan.band.high,
            cut_off_c: config.safety.max_temp_c,
        }
    }
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
