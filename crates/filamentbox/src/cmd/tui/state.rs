//! What the daemon says, as far as the screen shows it. What is missing is unknown; nothing is made up.

use serde::Deserialize;
use serde_json::Value;

/// `GET /api/status`.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Picture {
    pub(super) r#box: String,
    /// All boxes there are.
    pub(super) boxes: Vec<String>,
    pub(super) sensor: Sensor,
    pub(super) controls: Controls,
    pub(super) database: Database,
    pub(super) safety: Safety,
    pub(super) journal: Journal,
    pub(super) settings: Settings,
    pub(super) simulated: bool,
    pub(super) version: String,
    /// Seconds.
    pub(super) uptime: f64,
}

/// The last reading.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Sensor {
    pub(super) temperature_c: Option<f64>,
    /// Relative, in percent.
    pub(super) humidity: Option<f64>,
    /// Hectopascal.
    pub(super) pressure: Option<f64>,
    pub(super) dew_point_c: Option<f64>,
    /// Grams of water in a cubic metre.
    pub(super) absolute_humidity: Option<f64>,
    /// Unix seconds.
    pub(super) timestamp: Option<f64>,
    /// Seconds.
    pub(super) age: Option<f64>,
    pub(super) error: Option<String>,
}

impl Sensor {
    /// What the daemon's clock showed when it said this, in Unix seconds: with `--time-scale` it is not this machine's.
    pub(super) fn said_at(&self) -> Option<f64> {
        Some(self.timestamp? + self.age?)
    }
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Controls {
    pub(super) heater: Output,
    pub(super) fan: Output,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Output {
    pub(super) on: bool,
    /// `auto` or `manual`.
    pub(super) mode: String,
    pub(super) reason: String,
    /// Unix seconds.
    pub(super) until: Option<f64>,
    /// `None` in the answer to a wish.
    pub(super) enabled: Option<bool>,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Safety {
    pub(super) heat_allowed: bool,
    pub(super) reason: Option<String>,
    pub(super) faults: Vec<String>,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Database {
    /// As `outbox` shows them.
    pub(super) sinks: Vec<Value>,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Journal {
    pub(super) disk_error: Option<String>,
    pub(super) waiting_for_clock: bool,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    pub(super) problems: Vec<String>,
    pub(super) restart_needed: Vec<String>,
}

/// An event of the log.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    /// Unix seconds.
    pub(super) timestamp: Option<f64>,
    pub(super) r#box: Option<String>,
    pub(super) severity: String,
    pub(super) message: String,
}
