//! The fields of a chart's points: a column for each.

use filamentbox_core::sample::FIELD_NAMES;
use filamentbox_core::units::{absolute_humidity_g_m3, dew_point_c};

use super::dto::Columns;
use super::series::Row;
use crate::journal::{Bucket, Extent};

/// A field of a chart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Field(pub(crate) &'static str);

impl Field {
    /// The field of this name, if there is one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        FIELD_NAMES.into_iter().find(|known| *known == name).map(Self)
    }

    /// Every field.
    pub(crate) fn all() -> Vec<Self> {
        FIELD_NAMES.into_iter().map(Self).collect()
    }

    pub(super) fn columns(self, rows: &[Row]) -> Columns {
        let column =
            |value: fn(&Bucket) -> Option<f64>| rows.iter().map(|(_, row)| row.as_ref().and_then(value)).collect();
        let spread = |[mean, min, max]: [fn(&Bucket) -> Option<f64>; 3]| Columns {
            mean: column(mean),
            min: Some(column(min)),
            max: Some(column(max)),
        };
        let mean = |mean| Columns { mean: column(mean), min: None, max: None };
        match self.0 {
            "temperature_c" => spread([
                |row| rounded(row.temperature.mean()? / 100.0, 3),
                |row| hundredths(row.temperature, row.temperature.low),
                |row| hundredths(row.temperature, row.temperature.high),
            ]),
            "temperature_f" => spread([
                |row| rounded(row.temperature.mean()? * 0.018 + 32.0, 3),
                |row| fahrenheit(row.temperature, row.temperature.low),
                |row| fahrenheit(row.temperature, row.temperature.high),
            ]),
            "humidity" => spread([
                |row| rounded(row.humidity.mean()? / 100.0, 3),
                |row| hundredths(row.humidity, row.humidity.low),
                |row| hundredths(row.humidity, row.humidity.high),
            ]),
            "pressure" => spread([
                |row| rounded(row.pressure.mean()? / 100.0, 3),
                |row| hundredths(row.pressure, row.pressure.low),
                |row| hundredths(row.pressure, row.pressure.high),
            ]),
            "dew_point_c" => {
                mean(|row| rounded(dew_point_c(row.temperature.mean()? / 100.0, row.humidity.mean()? / 100.0)?, 2))
            }
            "absolute_humidity" => mean(|row| {
                rounded(absolute_humidity_g_m3(row.temperature.mean()? / 100.0, row.humidity.mean()? / 100.0), 3)
            }),
            "heater_on" => mean(|row| share(row.heater_on, row.count())),
            _ => mean(|row| share(row.fan_on, row.count())),
        }
    }
}

fn hundredths(of: Extent, value: i64) -> Option<f64> {
    (of.count > 0).then_some(value as f64 / 100.0)
}

/// Of hundredths of a degree Celsius: exact.
fn fahrenheit(of: Extent, value: i64) -> Option<f64> {
    (of.count > 0).then_some((value * 18 + 32_000) as f64 / 1000.0)
}

fn share(on: i64, count: i64) -> Option<f64> {
    rounded((count > 0).then_some(on as f64 / count as f64)?, 4)
}

/// Shorter in JSON; a sensor is not that exact.
fn rounded(value: f64, decimals: i32) -> Option<f64> {
    let scale = 10f64.powi(decimals);
    Some((value * scale).round() / scale)
}
