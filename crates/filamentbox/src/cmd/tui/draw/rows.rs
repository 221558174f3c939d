//! The lines of each part, as many as there could be.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::super::model::Model;
use super::super::state::{Output, Picture};
use super::{NARROW, Row};
use crate::cmd::screen::text::{Tone, fit, width, wrap};
use crate::cmd::status::backend_line;

/// Before what is said about an output or about safety.
const INDENT: usize = 13;
const INDENT_NARROW: usize = 4;
/// What is said about an output takes so many lines at most.
const REASON_LINES: usize = 3;
/// An older event is shown with its day.
const TODAY: f64 = 20.0 * 3600.0;

/// Who, which box, for how long.
pub(super) fn title(model: &Model, columns: usize) -> String {
    let mut parts =
        vec![if columns < NARROW { "FilamentBox".to_owned() } else { format!("FilamentBox on {}", model.host) }];
    if let Some((at, of)) = model.place() {
        parts.push(format!("box {} ({at} of {of})", model.box_name));
    }
    if let Some(seen) = &model.seen {
        if seen.picture.simulated {
            parts.push("SIMULATED".to_owned());
        }
        if columns >= NARROW {
            parts.push(format!("version {}, up {}", seen.picture.version, roughly(seen.picture.uptime)));
        }
    }
    format!(" {}", parts.join("  "))
}

/// The keys that work.
pub(super) fn hints(has_boxes: bool, columns: usize) -> Vec<String> {
    let mut hints = if columns < NARROW {
        vec!["H/h/^H heat", "F/f/^F fan", "R Q"]
    } else {
        vec!["H/h/^H heater on/off/auto", "F/f/^F fan on/off/auto", "R refresh", "Q quit"]
    };
    if has_boxes {
        hints.insert(2, "Tab box");
    }
    let gap = if columns < NARROW { " " } else { "  " };
    vec![format!(" {}", hints.join(gap))]
}

/// What needs a person, or makes the picture doubtful.
pub(super) fn attention(model: &Model, now: Duration, columns: usize) -> Vec<Row> {
    let mut lines = Vec::new();
    if let Some((since, why)) = &model.away {
        let age = model.seen.as_ref().map(|seen| now.saturating_sub(seen.at));
        let old = age.map_or(String::new(), |age| format!("; this picture is {} old", lasting(age.as_secs_f64())));
        let since = lasting(now.saturating_sub(*since).as_secs_f64());
        lines.push(format!("NO DAEMON for {since}{old}; it is asked again and again"));
        lines.push(format!("    {why}"));
    }
    let Some(picture) = model.seen.as_ref().map(|seen| &seen.picture) else { return warnings(&lines, columns) };
    for fault in &picture.safety.faults {
        lines.push(format!("FAULT    {fault}"));
    }
    if !picture.safety.faults.is_empty() {
        lines.push("    look at the box, mend it, then run: filamentbox reset".to_owned());
    }
    if let Some(problem) = &picture.sensor.error {
        lines.push(format!("NO READING NOW    {problem}"));
    }
    if let Some(problem) = &picture.journal.disk_error {
        lines.push(format!("DISK    {problem}; samples stay in memory"));
    }
    for problem in &picture.settings.problems {
        lines.push(format!("SETTINGS not taken, the last good ones hold    {problem}"));
    }
    if picture.journal.waiting_for_clock {
        lines.push("CLOCK not set yet    samples are kept, and get their times when it is".to_owned());
    }
    if !picture.settings.restart_needed.is_empty() {
        let keys = picture.settings.restart_needed.join(", ");
        lines.push(format!("RESTART needed for    {keys}"));
    }
    warnings(&lines, columns)
}

fn warnings(lines: &[String], columns: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in lines {
        let indent = if line.starts_with(' ') { INDENT_NARROW } else { 0 };
        for part in wrap(line.trim_start(), columns - indent) {
            rows.push(vec![(format!("{}{part}", " ".repeat(indent)), Tone::Warn)]);
        }
    }
    rows
}

/// Readings, outputs and safety.
pub(super) fn state(model: &Model, now: Duration, columns: usize, is_roomy: bool) -> Vec<Row> {
    let Some(seen) = &model.seen else {
        return vec![vec![(format!("asking about box {} ..", model.box_name), Tone::Dim)]];
    };
    let elapsed = now.saturating_sub(seen.at).as_secs_f64();
    let picture = &seen.picture;
    let mut rows = readings(picture, elapsed, columns);
    if is_roomy {
        rows.push(Row::new());
    }
    let clock = picture.sensor.said_at().unwrap_or_else(wall) + elapsed;
    rows.extend(output("Heater", &picture.controls.heater, clock, columns));
    rows.extend(output("Fan", &picture.controls.fan, clock, columns));
    let safety = &picture.safety;
    let (tone, text) = match (&safety.reason, safety.heat_allowed, safety.faults.is_empty()) {
        (Some(reason), ..) => (Tone::Warn, format!("NO HEAT: {reason}")),
        (None, true, _) => (Tone::Good, "heat is allowed".to_owned()),
        (None, false, true) => (Tone::Plain, "there is no heater that could be switched".to_owned()),
        (None, false, false) => (Tone::Warn, "NO HEAT while there is a fault".to_owned()),
    };
    rows.extend(labelled("Safety", ("", tone), &text, columns));
    rows
}

/// This machine's clock, in Unix seconds; only where the daemon's is not known.
fn wall() -> f64 {
    Timestamp::now().as_millisecond() as f64 / 1000.0
}

fn readings(picture: &Picture, elapsed: f64, columns: usize) -> Vec<Row> {
    let sensor = &picture.sensor;
    let known = |value: Option<f64>, digits: usize, unit: &str| {
        value.map_or("?".to_owned(), |value| format!("{value:.digits$} {unit}"))
    };
    let age = sensor.age.map_or("none yet".to_owned(), |age| format!("{} ago", lasting(age + elapsed)));
    let mut cells = vec![
        ("Temperature", known(sensor.temperature_c, 2, "°C")),
        ("Humidity", known(sensor.humidity, 2, "%")),
        ("Water in air", known(sensor.absolute_humidity, 2, "g/m³")),
        ("Dew point", known(sensor.dew_point_c, 1, "°C")),
        ("Last reading", age),
    ];
    if columns < NARROW {
        let values: Vec<String> = cells.into_iter().map(|(_, value)| value).collect();
        return vec![
            vec![(values[..3].join("  "), Tone::Heading)],
            vec![(format!("dew point {}, read {}", values[3], values[4]), Tone::Plain)],
        ];
    }
    if let Some(pressure) = sensor.pressure {
        cells.insert(4, ("Pressure", format!("{pressure:.0} hPa")));
    }
    let room = columns / cells.len();
    let padded = |text: &str| format!("{}{}", text, " ".repeat(room.saturating_sub(width(text))));
    vec![
        cells.iter().map(|(name, _)| (padded(name), Tone::Dim)).collect(),
        cells.iter().map(|(_, value)| (padded(value), Tone::Heading)).collect(),
    ]
}

/// An output, at the time that the daemon's `clock` shows.
fn output(name: &str, output: &Output, clock: f64, columns: usize) -> Vec<Row> {
    let (state, tone) = match (output.on, output.enabled) {
        (true, _) => ("ON", Tone::Changed),
        (false, Some(false)) => ("none", Tone::Dim),
        (false, _) => ("off", Tone::Heading),
    };
    let who = match (output.mode.as_str(), output.until) {
        ("manual", Some(until)) => {
            format!("by hand, {} left, until {}", lasting((until - clock).max(0.0)), time_of_day(until, clock))
        }
        ("manual", None) => "by hand, until it is set to automatic".to_owned(),
        _ => "automatic".to_owned(),
    };
    labelled(name, (state, tone), &format!("{who}: {}", output.reason), columns)
}

/// A name, a word that stands out, and a text that may need several lines.
fn labelled(name: &str, (state, tone): (&str, Tone), text: &str, columns: usize) -> Vec<Row> {
    let is_narrow = columns < NARROW;
    let indent = if is_narrow { INDENT_NARROW } else { INDENT };
    let start = if is_narrow { format!("{name} ") } else { format!("{name:8}") };
    let state = if is_narrow && !state.is_empty() {
        format!("{state}, ")
    } else {
        format!("{state:w$}", w = if is_narrow { 0 } else { 5 })
    };
    let first = width(&start) + width(&state);
    // The first line begins further to the right than the others, where it is narrow.
    let lead = first.saturating_sub(indent);
    let mut lines = wrap(&format!("{}{text}", "\u{a0}".repeat(lead)), columns.saturating_sub(indent));
    if lines.len() > REASON_LINES {
        let rest = lines.split_off(REASON_LINES - 1).join(" ");
        lines.push(fit(&rest, columns.saturating_sub(indent)));
    }
    let said = if state.trim().is_empty() { tone } else { Tone::Plain };
    let mut rows: Vec<Row> = lines.iter().map(|line| vec![(format!("{}{line}", " ".repeat(indent)), said)]).collect();
    let text = lines[0].trim_start_matches('\u{a0}').to_owned();
    rows[0] = vec![(start, Tone::Plain), (state, tone), (text, said)];
    rows
}

/// Each backend, or what there is instead.
pub(super) fn backends(model: &Model, columns: usize) -> Vec<Row> {
    let Some(seen) = &model.seen else { return Vec::new() };
    let sinks = &seen.picture.database.sinks;
    if sinks.is_empty() {
        return vec![vec![(fit("no backend: the history stays in the journal", columns), Tone::Dim)]];
    }
    // What fails comes first: there may not be room for all.
    let (failing, others): (Vec<_>, Vec<_>) = sinks.iter().partition(|sink| sink["connected"] == false);
    let tone = |sink: &serde_json::Value| if sink["connected"] == false { Tone::Warn } else { Tone::Plain };
    failing.into_iter().chain(others).map(|sink| vec![(fit(&backend_line(sink), columns), tone(sink))]).collect()
}

/// The event log, newest first.
pub(super) fn events(model: &Model, now: Duration, columns: usize) -> Vec<Row> {
    let said = model
        .seen
        .as_ref()
        .and_then(|seen| seen.picture.sensor.said_at().map(|at| at + now.saturating_sub(seen.at).as_secs_f64()));
    let clock = said.unwrap_or_else(wall);
    let has_boxes = model.place().is_some();
    let row = |event: &super::super::state::Entry| {
        let at = event.timestamp.map_or("--:--:--".to_owned(), |at| time_of_day(at, clock));
        let (mark, tone) = match event.severity.as_str() {
            "error" => ("! ", Tone::Warn),
            "warning" => ("! ", Tone::Plain),
            _ => ("  ", Tone::Plain),
        };
        let place = event.r#box.as_ref().filter(|_| has_boxes).map_or(String::new(), |name| format!("{name}: "));
        vec![(fit(&format!("{at} {mark}{place}{}", event.message), columns), tone)]
    };
    model.events.iter().map(row).collect()
}

/// Above a part.
pub(super) fn heading(name: &str, columns: usize) -> Row {
    let rule = "─".repeat(columns.saturating_sub(width(name) + 4));
    vec![(format!("── {name} {rule}"), Tone::Dim)]
}

/// Unix seconds as local time, with the day if it is not near `clock`.
fn time_of_day(seconds: f64, clock: f64) -> String {
    let timestamp = Timestamp::from_millisecond((seconds * 1000.0).round() as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    let format = if (clock - seconds).abs() < TODAY { "%T" } else { "%m-%d %R" };
    Zoned::new(timestamp, TimeZone::system()).strftime(format).to_string()
}

/// Seconds as people say it who look once in a while.
fn roughly(seconds: f64) -> String {
    if seconds < 3600.0 { format!("{:.0} min", (seconds / 60.0).floor()) } else { lasting(seconds) }
}

/// Seconds as people say it.
pub(super) fn lasting(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}
