//! `sensor scan` and `sensor read`: what is connected, and what it says, without a daemon.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use filamentbox_core::sample::Measurement;
use filamentbox_devices::sensors::{self, Detail, Found, OpenContext, SensorKind};
use serde_json::{Map, Value, json};

use crate::cli::{JsonArgs, SensorCommand};
use crate::runtime::{clock::boottime, hardware};
use crate::settings::{Loaded, Places};

/// A sensor may refuse a reading or two, a DHT most of all; then it is broken.
const ATTEMPTS: u32 = 3;

pub(super) fn sensor(command: &SensorCommand, places: Places) -> Result<ExitCode> {
    let loaded = match super::load_settings(places, false) {
        Ok(loaded) => loaded,
        Err(problem) => return super::refuse_settings(problem),
    };
    let context = hardware::context(Arc::new(boottime), None);
    match command {
        SensorCommand::Scan(args) => scan(args, &loaded, &context),
        SensorCommand::Read(args) => read(args, &loaded, &context),
    }
}

fn scan(args: &JsonArgs, loaded: &Loaded, context: &OpenContext) -> Result<ExitCode> {
    let found = sensors::scan(&loaded.settings, context);
    let chosen = sensors::choose(&loaded.settings, context).map(|kind| kind.name);
    if args.json {
        let found: Vec<Value> = found.iter().map(|(kind, found)| as_json(kind, found)).collect();
        let (chosen, problem) = (chosen.as_ref().ok(), chosen.as_ref().err().map(ToString::to_string));
        super::say(serde_json::to_string_pretty(&json!({ "found": found, "chosen": chosen, "problem": problem }))?);
        return Ok(ExitCode::SUCCESS);
    }
    for (kind, found) in &found {
        super::say(format_args!("{:<10} {:<24} {}", kind.name, found.place, found.chip));
        if let Some(problem) = &found.problem {
            super::say(format_args!("{:<10} not usable: {problem}", ""));
        }
    }
    let configured = loaded.settings.text(sensors::TYPE_KEY.key);
    match chosen {
        Ok(name) => super::say(format_args!("sensor.type = {configured}: uses {name}")),
        Err(problem) => super::say(format_args!("sensor.type = {configured}: {problem}")),
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(kind: &SensorKind, found: &Found) -> Value {
    json!({
        "type": kind.name,
        "place": found.place,
        "chip": found.chip,
        "usable": found.problem.is_none(),
        "problem": found.problem,
    })
}

fn read(args: &JsonArgs, loaded: &Loaded, context: &OpenContext) -> Result<ExitCode> {
    let mut sensor = sensors::open(&loaded.settings, context)?;
    let mut attempt = 1;
    let raw = loop {
        match sensor.read() {
            Ok(measurement) => break measurement,
            Err(problem) if attempt < ATTEMPTS => super::complain(format_args!("attempt {attempt}: {problem}")),
            Err(problem) => bail!("{}: {problem}", sensor.describe()),
        }
        attempt += 1;
    };
    let calibrated = raw.calibrated(loaded.config.temperature_offset_c, loaded.config.humidity_offset_pct)?;
    let details = sensor.details();
    if args.json {
        let named = |details: &[Detail]| -> Map<String, Value> {
            details.iter().map(|detail| (detail.name.clone(), json!(detail.value))).collect()
        };
        let reading: Map<String, Value> =
            rows(&calibrated).into_iter().map(|(name, value, _)| (name.to_owned(), json!(value))).collect();
        let all = json!({ "sensor": sensor.describe(), "reading": reading, "details": named(&details) });
        super::say(serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    super::say(sensor.describe());
    for (name, value, unit) in rows(&calibrated) {
        super::say(format_args!("  {name:<24} {value:.2} {unit}"));
    }
    if !details.is_empty() {
        super::say("as the sensor gave it, before calibration and rounding:");
    }
    for Detail { name, value } in details {
        super::say(format_args!("  {name:<24} {value}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(measurement: &Measurement) -> Vec<(&'static str, f64, &'static str)> {
    let mut rows = vec![
        ("temperature_c", measurement.temperature.degrees(), "°C"),
        ("humidity", measurement.humidity.percent(), "%"),
    ];
    rows.extend(measurement.pressure.map(|pressure| ("pressure", pressure.hectopascal(), "hPa")));
    rows
}
