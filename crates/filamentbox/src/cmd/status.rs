//! `status`: the live state as a few lines, or as JSON, once or every second.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Result;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;

use crate::cli::StatusArgs;
use crate::client::{Client, ClientError};

/// From one look to the next with `--watch`.
const WATCH_PERIOD: Duration = Duration::from_secs(1);
/// Clears the screen and goes to its upper left corner (ECMA-48).
const CLEAR: &str = "\x1b[2J\x1b[H";

pub(super) async fn status(args: &StatusArgs, client: &Client) -> Result<()> {
    let terminal = std::io::stdout().is_terminal();
    let mut answered = false;
    loop {
        match client.get("/api/status").await {
            Ok(answer) => {
                answered = true;
                show(args, &answer, terminal)?;
            }
            // A watcher outlives a restart of the daemon.
            Err(problem @ ClientError::NoDaemon(_)) if args.watch && answered => super::complain(problem),
            Err(problem) => return Err(problem.into()),
        }
        if !args.watch {
            return Ok(());
        }
        tokio::time::sleep(WATCH_PERIOD).await;
    }
}

fn show(args: &StatusArgs, answer: &Value, terminal: bool) -> Result<()> {
    if args.json {
        let text = if args.watch { serde_json::to_string(answer) } else { serde_json::to_string_pretty(answer) };
        super::say(text?);
    } else if args.watch && terminal {
        super::say(format_args!("{CLEAR}{}\n(Ctrl-C ends this view)", page(answer)));
    } else if args.watch {
        super::say(line(answer));
    } else {
        super::say(page(answer));
    }
    Ok(())
}

/// The whole state, a fact a line.
fn page(answer: &Value) -> String {
    let mut page = String::new();
    let simulated = if answer["simulated"] == true { " (simulated box)" } else { "" };
    let version = answer["version"].as_str().unwrap_or_default();
    let uptime = Duration::from_secs_f64(answer["uptime"].as_f64().unwrap_or(0.0).max(0.0)).as_secs();
    let _ = writeln!(
        page,
        "filamentbox {version}{simulated}, up {} h {} min {} s",
        uptime / 3600,
        uptime / 60 % 60,
        uptime % 60
    );
    page.push_str(&page_lines(&answer["web"]));
    let _ = writeln!(page, "{}", reading(&answer["sensor"]));
    for output in ["heater", "fan"] {
        let _ = writeln!(page, "{}", output_line(output, &answer["controls"][output]));
    }
    for fault in answer["safety"]["faults"].as_array().into_iter().flatten() {
        let _ = writeln!(page, "FAULT    {}", fault.as_str().unwrap_or_default());
    }
    if answer["safety"]["faults"].as_array().is_some_and(|faults| !faults.is_empty()) {
        let _ = writeln!(page, "         look at the box, mend it, then: filamentbox reset");
    }
    if let Some(reason) = answer["safety"]["reason"].as_str() {
        let _ = writeln!(page, "heat is refused: {reason}");
    }
    page.push_str(&settings_lines(&answer["settings"]));
    let journal = &answer["journal"];
    let _ = write!(
        page,
        "journal  {} samples, {} kB on disk",
        journal["samples"],
        journal["file_bytes"].as_u64().unwrap_or(0) / 1000
    );
    if let Some(problem) = journal["disk_error"].as_str() {
        let _ = write!(page, "; DISK: {problem}");
    }
    if journal["waiting_for_clock"] == true {
        let _ = write!(page, "\n         waiting for the clock: samples are kept, and get their times when it is set");
    }
    for sink in answer["database"]["sinks"].as_array().into_iter().flatten() {
        let _ = write!(page, "\n{}", backend_line(sink));
    }
    page
}

/// Where the page in the browser is, and what is wrong with it.
fn page_lines(web: &Value) -> String {
    let url = web["url"].as_str().map(|url| format!("page     {url}\n"));
    let error = web["error"].as_str().map(|error| format!("PAGE     {error}\n"));
    url.into_iter().chain(error).collect()
}

/// What is wrong with the settings, and what waits.
fn settings_lines(settings: &Value) -> String {
    let mut lines = String::new();
    for problem in settings["problems"].as_array().into_iter().flatten() {
        let _ =
            writeln!(lines, "SETTINGS not taken, the last good ones hold: {}", problem.as_str().unwrap_or_default());
    }
    let waiting = settings["restart_needed"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let waiting: Vec<&str> = waiting.collect();
    if !waiting.is_empty() {
        let _ = writeln!(lines, "settings take effect at the next start: {}", waiting.join(", "));
    }
    lines
}

/// The state in one line, for a pipe.
fn line(answer: &Value) -> String {
    let output = |name: &str| if answer["controls"][name]["on"] == true { "on" } else { "off" };
    let (heater, fan) = (output("heater"), output("fan"));
    let backends = answer["database"]["sinks"].as_array().into_iter().flatten();
    let backends: String = backends.map(|sink| format!("  {}", backend_line(sink))).collect();
    format!("{}  heater {heater}  fan {fan}{backends}", reading(&answer["sensor"]))
}

fn reading(sensor: &Value) -> String {
    let number = |name: &str| sensor[name].as_f64();
    let (Some(temperature), Some(humidity)) = (number("temperature_c"), number("humidity")) else {
        return format!("no reading yet: {}", sensor["error"].as_str().unwrap_or("the sensor has just been asked"));
    };
    let at = number("timestamp").map_or("time unknown".to_owned(), moment);
    let mut text = format!("{at}  {temperature:.2} °C  {humidity:.2} %");
    if let Some(dew_point) = number("dew_point_c") {
        let _ = write!(text, "  dew point {dew_point:.1} °C");
    }
    if let Some(water) = number("absolute_humidity") {
        let _ = write!(text, "  {water:.2} g/m³");
    }
    let _ = write!(text, "  ({:.0} s ago)", number("age").unwrap_or(0.0));
    if let Some(problem) = sensor["error"].as_str() {
        let _ = write!(text, "  NO READING NOW: {problem}");
    }
    text
}

/// One output.
pub(super) fn output_line(name: &str, output: &Value) -> String {
    let on = if output["on"] == true { "ON " } else { "off" };
    let mode = output["mode"].as_str().unwrap_or_default();
    let until = output["until"].as_f64().map_or(String::new(), |until| format!(" until {}", moment(until)));
    format!("{name:7}  {on}  {mode}{until}: {}", output["reason"].as_str().unwrap_or_default())
}

/// One backend.
pub(super) fn backend_line(sink: &Value) -> String {
    let name = sink["type"].as_str().unwrap_or_default();
    let state = match (sink["connected"].as_bool(), sink["last_error"].as_str()) {
        (Some(true), _) => "ok".to_owned(),
        (None, _) => "not tried yet".to_owned(),
        (Some(false), error) => {
            format!("FAILING ({} times): {}", sink["consecutive_failures"], error.unwrap_or_default())
        }
    };
    let unconfirmed = match sink["unconfirmed_points"].as_u64() {
        Some(count @ 1..) => format!("{count} accepted and not yet confirmed, "),
        _ => String::new(),
    };
    format!(
        "{name}: {state}, {} delivered, {unconfirmed}{} waiting",
        sink["totals"]["delivered"], sink["backlog_points"]
    )
}

/// Unix seconds as local time.
pub(super) fn moment(seconds: f64) -> String {
    let timestamp = Timestamp::from_millisecond((seconds * 1000.0).round() as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    Zoned::new(timestamp, TimeZone::system()).strftime("%F %T").to_string()
}
