//! Every kind of sensor. A new one is one file beside this one and one line here.

use super::{SensorKind, aht20, bme280, dht, iio, sht, sim};

/// Every kind of sensor, in the order in which `auto` looks for them.
pub const SENSORS: &[SensorKind] =
    &[bme280::BME280, iio::IIO, sht::SHT4X, sht::SHT3X, aht20::AHT20, dht::DHT22, dht::DHT11, sim::SIMULATED];
