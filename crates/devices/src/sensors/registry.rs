//! Every kind of sensor. A new one is one file beside this one and one line here.

use super::{SensorKind, bme280, sim};

/// Every kind of sensor, in the order in which `auto` looks for them.
pub const SENSORS: &[SensorKind] = &[bme280::BME280, sim::SIMULATED];
