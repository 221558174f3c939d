//! A box: its air, its outputs, its safety.

use filamentbox_core::command::OutputKind;
use filamentbox_core::control::Mode;
use filamentbox_core::sample::Point;
use filamentbox_core::snapshot::{BoxSnapshot, OutputSnapshot};
use filamentbox_core::time::{Clock, UnixTime};
use serde::Serialize;
use utoipa::ToSchema;

/// The last good reading, however old; every field is null before the first.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Sensor {
    /// Air temperature, °C.
    temperature_c: Option<f64>,
    /// The same in °F.
    temperature_f: Option<f64>,
    /// Relative humidity, %.
    humidity: Option<f64>,
    /// Air pressure, hPa; null where the sensor does not measure it.
    pressure: Option<f64>,
    /// Dew point, °C; null at 0 % humidity, where there is none.
    dew_point_c: Option<f64>,
    /// Water in the air, g/m³.
    absolute_humidity: Option<f64>,
    /// When it was read, Unix seconds; null while the wall clock is not known.
    timestamp: Option<f64>,
    /// How long ago that was, s.
    age: Option<f64>,
    /// Why the latest attempt to read gave nothing; null if it did not fail.
    error: Option<String>,
}

/// Heater and fan.
#[derive(Serialize, ToSchema)]
pub(crate) struct Controls {
    pub(crate) heater: Output,
    pub(crate) fan: Output,
}

/// Heater or fan.
#[derive(Serialize, ToSchema)]
pub(crate) struct Output {
    /// Whether the line is active, as the relay guard reports it.
    on: bool,
    /// The manual wish, null while automatic.
    manual: Option<bool>,
    /// Who decides.
    mode: ModeName,
    /// Why it is as it is.
    reason: String,
    /// When a manual override ends by itself, Unix seconds; null where there is none, or it has no end.
    until: Option<f64>,
    /// Whether the box has it.
    enabled: bool,
}

/// Who decides whether an output is on: its controller, or a person.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModeName {
    Auto,
    Manual,
}

/// An output after it was switched.
#[derive(Serialize, ToSchema)]
pub(crate) struct Switched {
    /// Always true; a refusal has another status.
    success: bool,
    /// The manual wish, null while automatic.
    state: Option<bool>,
    /// Whether the line is active, as the relay guard reports it.
    on: bool,
    /// Who decides.
    mode: ModeName,
    /// Why it is as it is.
    reason: String,
    /// When the override ends by itself, Unix seconds.
    until: Option<f64>,
}

impl From<Output> for Switched {
    fn from(output: Output) -> Self {
        let Output { on, manual, mode, reason, until, enabled: _ } = output;
        Self { success: true, state: manual, on, mode, reason, until }
    }
}

/// Whether heat is possible.
#[derive(Serialize, ToSchema)]
pub(crate) struct Safety {
    heat_allowed: bool,
    /// Why heat is refused at this moment; null if it is not.
    reason: Option<String>,
    /// Faults that a person has to see to.
    faults: Vec<String>,
}

/// The last reading with its age; every field null before the first.
pub(crate) fn sensor(snapshot: &BoxSnapshot, clock: Clock) -> Sensor {
    let error = snapshot.no_data.as_ref().map(ToString::to_string);
    let Some(reading) = snapshot.reading else { return Sensor { error, ..Sensor::default() } };
    let wall = reading.wall.or_else(|| clock.wall_at(reading.taken_at));
    let point = Point {
        box_name: snapshot.name.clone(),
        at: wall.unwrap_or(UnixTime::from_millis(0)),
        measurement: reading.measurement,
        heater_on: false,
        fan_on: false,
    };
    let value = |name: &str| point.fields().find(|field| field.name == name).map(|field| field.value());
    Sensor {
        temperature_c: value("temperature_c"),
        temperature_f: value("temperature_f"),
        humidity: value("humidity"),
        pressure: value("pressure"),
        dew_point_c: value("dew_point_c"),
        absolute_humidity: value("absolute_humidity"),
        timestamp: wall.map(UnixTime::seconds),
        age: Some(clock.now.since(reading.taken_at).as_secs_f64()),
        error,
    }
}

pub(crate) fn controls(snapshot: &BoxSnapshot, clock: Clock) -> Controls {
    Controls { heater: output(&snapshot.heater, clock), fan: output(&snapshot.fan, clock) }
}

pub(crate) fn output(output: &OutputSnapshot, clock: Clock) -> Output {
    let (manual, mode) = match output.mode {
        Mode::Auto => (None, ModeName::Auto),
        Mode::Manual { on, .. } => (Some(on), ModeName::Manual),
    };
    let until =
        output.mode.until().zip(clock.wall).map(|(until, wall)| wall.seconds() + until.since(clock.now).as_secs_f64());
    Output { on: output.on, manual, mode, reason: output.reason.clone(), until, enabled: output.enabled }
}

pub(crate) fn safety(snapshot: &BoxSnapshot) -> Safety {
    Safety {
        heat_allowed: snapshot.heater.enabled && snapshot.heat_inhibited.is_none(),
        reason: snapshot.heat_inhibited.clone(),
        faults: snapshot.faults.clone(),
    }
}

/// The output that a path names.
pub(crate) fn output_kind(name: &str) -> Option<OutputKind> {
    OutputKind::ALL.into_iter().find(|kind| kind.name() == name)
}

#[cfg(test)]
mod tests {
    use filamentbox_core::sample::FIELD_NAMES;

    use super::*;

    #[test]
    fn a_reading_shows_every_field_that_a_point_has() {
        let shown = serde_json::to_value(Sensor::default()).expect("serializable");
        for name in FIELD_NAMES.into_iter().filter(|name| !name.ends_with("_on")) {
            assert!(shown.get(name).is_some_and(serde_json::Value::is_null), "{name}");
        }
    }
}
