//! `history export`: from the running daemon (sealed and open samples), or, when none runs, from the journal's file.

use std::io::{BufWriter, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::{Context, Result};
use filamentbox_core::sample::BoxName;
use filamentbox_core::time::UnixTime;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Usage;
use crate::cli::{ExportArgs, Format};
use crate::client::{Client, ClientError};
use crate::journal;
use crate::runtime::clock::wall;
use crate::runtime::crash_log_dir;
use crate::settings::Places;
use crate::web::history;

pub(super) fn export(args: &ExportArgs, places: Places) -> Result<ExitCode> {
    let now = wall().unwrap_or(UnixTime::from_millis(0));
    let parsed = [("--from", &args.from), ("--to", &args.to)].map(|(flag, text)| match text {
        None => Ok(None),
        Some(text) => moment(text, now).map(Some).ok_or_else(|| {
            super::complain(format_args!("{flag} {text:?} is not allowed; allowed: Unix seconds, 2026-01-31, 2026-01-31T12:00:00Z, or an age such as 2h or 7d"));
        }),
    });
    let [Ok(from), Ok(to)] = parsed else { return Ok(ExitCode::from(super::USAGE)) };
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Usage("--from must lie before --to".to_owned()).into());
    }
    let box_name = match &args.box_name {
        None => None,
        Some(name) => Some(BoxName::new(name).ok_or_else(|| Usage(format!("--box {name:?} is not a box's name")))?),
    };
    let client = Client::new(&places.data_dir)?;
    match super::block_on(from_daemon(args.format, &client, from, to, box_name.as_ref())) {
        Err(problem) if matches!(problem.downcast_ref(), Some(ClientError::NoDaemon(_))) => {
            from_file(args.format, places, from, to, box_name)?;
        }
        other => other?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn from_daemon(
    format: Format,
    client: &Client,
    from: Option<UnixTime>,
    to: Option<UnixTime>,
    box_name: Option<&BoxName>,
) -> Result<()> {
    let format = match format {
        Format::Csv => "csv",
        Format::Jsonl => "jsonl",
    };
    let mut path = format!("/api/history/export?format={format}");
    for (name, moment) in [("from_ms", from), ("to_ms", to)] {
        if let Some(moment) = moment {
            path.push_str(&format!("&{name}={}", moment.millis()));
        }
    }
    if let Some(name) = box_name {
        path.push_str(&format!("&box={name}"));
    }
    let mut answer = client.stream(&path).await?;
    let mut output = Output::new();
    while let Some(chunk) = answer.chunk().await.map_err(ClientError::from)? {
        output.write(&chunk);
    }
    output.finish();
    Ok(())
}

fn from_file(
    format: Format,
    places: Places,
    from: Option<UnixTime>,
    to: Option<UnixTime>,
    box_name: Option<BoxName>,
) -> Result<()> {
    let data_dir = places.data_dir.clone();
    let name = super::load_settings(places, false)
        .map_or_else(|_| "journal.db".to_owned(), |loaded| loaded.config.journal_path);
    let path = data_dir.join(name);
    let format = match format {
        Format::Csv => history::Format::Csv,
        Format::Jsonl => history::Format::Jsonl,
    };
    let range = from.unwrap_or(UnixTime::from_millis(i64::MIN))..to.unwrap_or(UnixTime::from_millis(i64::MAX));
    let mut output = Output::new();
    let mut text = history::header(format);
    let report = journal::read_file(&path, crash_log_dir().as_deref(), range, box_name, |points| {
        history::write(format, &points, &mut text);
        output.write(text.as_bytes());
        text.clear();
        ControlFlow::Continue(())
    })
    .with_context(|| format!("no daemon runs on {}, and its journal cannot be read", data_dir.display()))?;
    output.write(text.as_bytes());
    output.finish();
    if report.damaged_blocks > 0 {
        super::complain(format_args!("{} damaged blocks were left out", report.damaged_blocks));
    }
    Ok(())
}

/// stdout, with the number of lines so far on a terminal's stderr when stdout goes elsewhere.
struct Output {
    out: BufWriter<std::io::Stdout>,
    lines: u64,
    progress: bool,
}

/// Progress is shown every so many lines.
const PROGRESS_LINES: u64 = 50_000;

impl Output {
    fn new() -> Self {
        let progress = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
        Self { out: BufWriter::new(std::io::stdout()), lines: 0, progress }
    }

    fn write(&mut self, bytes: &[u8]) {
        let before = self.lines / PROGRESS_LINES;
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        if let Err(problem) = self.out.write_all(bytes) {
            super::end_output(&problem);
        }
        if self.progress && self.lines / PROGRESS_LINES > before {
            let _ = write!(std::io::stderr(), "\r{} lines", self.lines);
        }
    }

    fn finish(mut self) {
        if let Err(problem) = self.out.flush() {
            super::end_output(&problem);
        }
        if self.progress {
            let _ = writeln!(std::io::stderr(), "\r{} lines", self.lines);
        }
    }
}

/// A moment as people write it.
fn moment(text: &str, now: UnixTime) -> Option<UnixTime> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let millis = (seconds * 1000.0).round();
        return (millis.abs() < 1e16).then(|| UnixTime::from_millis(millis as i64));
    }
    let zoned = |at: DateTime| at.to_zoned(TimeZone::system()).ok().map(|at| at.timestamp());
    let timestamp = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<Date>().ok().and_then(|date| zoned(date.at(0, 0, 0, 0))))
        .or_else(|| text.parse::<DateTime>().ok().and_then(zoned));
    if let Some(timestamp) = timestamp {
        return Some(UnixTime::from_millis(timestamp.as_millisecond()));
    }
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok()).map(|days| days.checked_mul(24));
    let age = match days {
        Some(hours) => SignedDuration::try_from_hours(hours?)?,
        None => text.parse::<SignedDuration>().ok()?,
    };
    let age = std::time::Duration::try_from(age).ok()?;
    Some(now.before(age))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_as_people_write_them() {
        let now = UnixTime::from_millis(1_000_000_000_000);
        for (text, millis) in [
            ("1700000000", 1_700_000_000_000),
            ("1700000000.123", 1_700_000_000_123),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000),
            ("2h", 999_992_800_000),
            ("7d", 999_395_200_000),
        ] {
            assert_eq!(moment(text, now), Some(UnixTime::from_millis(millis)), "{text}");
        }
        for text in ["", "yesterday", "-2h", "nan", "d", "2026-13-01"] {
            assert_eq!(moment(text, now), None, "{text}");
        }
    }
}
