//! The original's `unsent_batches.db`: batches that it could not deliver, as JSON.
//!
//! Its points have no times (the server gave them theirs). What is known is when a batch was saved and how far its readings were apart,
//! so the times are counted backwards from there. A batch was saved when its delivery had failed several times, so they are late by
//! the length of those tries: seconds to a few minutes.

use std::path::Path;
use std::time::Duration;

use filamentbox_core::sample::{BoxName, Measurement, Point};
use filamentbox_core::time::UnixTime;
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};
use serde_json::Value;

use super::{Unreadable, database};

/// One saved batch.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// Its number in the file.
    pub id: i64,
    /// When it was saved, in seconds since 1970.
    pub saved_at_s: f64,
    /// Its points.
    pub json: String,
}

impl Batch {
    /// What tells it from every other batch, whatever file it is in: when it was saved, to the bit, and its content.
    pub fn identity(&self) -> Vec<u8> {
        let json = self.json.as_bytes();
        let mut identity = self.saved_at_s.to_bits().to_be_bytes().to_vec();
        identity.extend((json.len() as u64).to_be_bytes());
        identity.extend(crc32fast::hash(json).to_be_bytes());
        identity
    }
}

/// An open backlog.
pub struct Backlog {
    opened: database::Opened,
    /// SQL's name for when a batch was saved.
    saved_at: &'static str,
    /// How many batches there are.
    pub count: u64,
}

impl Backlog {
    /// Opens the file.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn open(path: &Path) -> Result<Self, Unreadable> {
        let opened = database::open(path, None)?;
        let columns = || {
            let mut statement = opened.connection.prepare("SELECT name FROM pragma_table_info('unsent_batches')")?;
            let columns: rusqlite::Result<Vec<String>> = statement.query_map([], |row| row.get(0))?.collect();
            let count =
                opened.connection.query_row("SELECT count(*) FROM unsent_batches", [], |row| row.get::<_, i64>(0))?;
            Ok((columns?, count.unsigned_abs()))
        };
        let (columns, count) = columns().map_err(|error: rusqlite::Error| damaged(&error))?;
        let has = |name: &str| columns.iter().any(|column| column == name);
        // Its description calls the column `timestamp`, its program `persisted_at`.
        let saved_at = match (has("persisted_at"), has("timestamp")) {
            _ if !has("batch_json") => return Err(Unreadable("it has no column batch_json".to_owned())),
            (true, _) => "persisted_at",
            (false, true) => "timestamp",
            (false, false) => return Err(Unreadable("it has no column persisted_at".to_owned())),
        };
        Ok(Self { opened, saved_at, count })
    }

    /// Every batch, oldest first.
    ///
    /// # Errors
    /// [`Unreadable`], or what `each` says.
    pub fn batches<E: From<Unreadable>>(&self, mut each: impl FnMut(Batch) -> Result<(), E>) -> Result<(), E> {
        let select = format!(
            "SELECT id, CAST({} AS REAL), CAST(batch_json AS TEXT) FROM unsent_batches ORDER BY id",
            self.saved_at
        );
        let mut statement = self.opened.connection.prepare(&select).map_err(|error| damaged(&error))?;
        let mut rows = statement.query([]).map_err(|error| damaged(&error))?;
        while let Some(row) = rows.next().map_err(|error| damaged(&error))? {
            let batch = || Ok(Batch { id: row.get(0)?, saved_at_s: row.get(1)?, json: row.get(2)? });
            each(batch().map_err(|error: rusqlite::Error| damaged(&error))?)?;
        }
        Ok(())
    }
}

fn damaged(error: &rusqlite::Error) -> Unreadable {
    Unreadable(format!("it is damaged: {error}"))
}

/// What could be made of a batch.
#[derive(Clone, PartialEq, Debug)]
pub struct PointsOf {
    /// Its points, oldest first, with the times worked out.
    pub points: Vec<Point>,
    /// How many of them brought their own time.
    pub timed: usize,
    /// Why others, or all, were left out: how many, and why.
    pub left_out: Vec<(usize, &'static str)>,
    /// Tags that points have.
    pub tags: Vec<(String, String)>,
}

/// A time before this is a clock that was not set.
const EARLIEST_S: f64 = 1_420_070_400.0;

/// The points of `batch`, whose readings were `interval` apart. Nothing may lie after `now`.
pub fn points_of(batch: &Batch, interval: Duration, now: UnixTime) -> PointsOf {
    let mut found = PointsOf { points: Vec::new(), timed: 0, left_out: Vec::new(), tags: Vec::new() };
    let Ok(Value::Array(values)) = serde_json::from_str(&batch.json) else {
        found.leave_out(1, "a batch is no list of points");
        return found;
    };
    let saved_at = millis(batch.saved_at_s);
    let latest = now.millis().saturating_add(60_000);
    let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
    for (behind, value) in (0..values.len() as i64).rev().zip(&values) {
        let own = value.get("time").or_else(|| value.get("timestamp")).and_then(time_of);
        let counted = saved_at.map(|at| at.saturating_sub(interval_ms.saturating_mul(behind)));
        let Some(at) = own.or(counted).filter(|at| millis_are_plausible(*at) && *at <= latest) else {
            found.leave_out(1, "their time is before 2015 or in the future: a clock was wrong");
            continue;
        };
        let Some(measurement) = measurement_of(value.get("fields").unwrap_or(value)) else {
            found.leave_out(1, "temperature or humidity is missing, or no such value is possible");
            continue;
        };
        found.timed += usize::from(own.is_some());
        if let Some(Value::Object(tags)) = value.get("tags") {
            for (name, value) in tags {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let tag = (name.clone(), text);
                if !found.tags.contains(&tag) {
                    found.tags.push(tag);
                }
            }
        }
        let at = UnixTime::from_millis(at);
        found.points.push(Point { box_name: BoxName::main(), at, measurement, heater_on: false, fan_on: false });
    }
    found
}

impl PointsOf {
    fn leave_out(&mut self, count: usize, reason: &'static str) {
        match self.left_out.iter_mut().find(|(_, known)| *known == reason) {
            Some((known, _)) => *known += count,
            None => self.left_out.push((count, reason)),
        }
    }
}

fn millis(seconds: f64) -> Option<i64> {
    // In range, as it is compared before the cast.
    (seconds.is_finite() && (0.0..1e11).contains(&seconds)).then(|| (seconds * 1e3).round() as i64)
}

fn millis_are_plausible(millis: i64) -> bool {
    millis as f64 >= EARLIEST_S * 1e3
}

/// A point's own time: a text, or a number of whatever unit it must be to lie in our century.
fn time_of(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
        Value::Number(number) => {
            let number = number.as_f64()?;
            [1.0, 1e3, 1e6, 1e9].into_iter().find(|unit| number / unit < 1e11).and_then(|unit| millis(number / unit))
        }
        _ => None,
    }
}

fn measurement_of(fields: &Value) -> Option<Measurement> {
    let number = |name: &str| fields.get(name).and_then(Value::as_f64);
    let celsius = number("temperature_c").or_else(|| number("temperature_f").map(|f| (f - 32.0) * 5.0 / 9.0));
    Some(Measurement {
        temperature: Celsius::new(celsius?)?,
        humidity: RelativeHumidity::new(number("humidity")?)?,
        pressure: number("pressure").and_then(Hectopascal::new),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_millis(1_767_225_600_000);

    fn batch(saved_at_s: f64, json: &str) -> Batch {
        Batch { id: 1, saved_at_s, json: json.to_owned() }
    }

    /// Times in ms before the batch was saved, temperatures, and how many were left out.
    #[track_caller]
    fn check(json: &str, points: &[(i64, f64)], left_out: usize) {
        let saved_at_s = 1_767_000_000.5;
        let found = points_of(&batch(saved_at_s, json), Duration::from_millis(250), NOW);
        let made = found.points.iter();
        let made: Vec<_> =
            made.map(|p| (1_767_000_000_500 - p.at.millis(), p.measurement.temperature.degrees())).collect();
        assert_eq!(made, points, "{json}");
        assert_eq!(found.left_out.iter().map(|(count, _)| count).sum::<usize>(), left_out, "{:?}", found.left_out);
    }

    #[test]
    fn times_are_counted_backwards_and_gaps_stay() {
        let point = |c: f64| {
            format!(
                r#"{{"measurement":"environment","tags":{{"location":"x"}},"fields":{{"temperature_c":{c},"temperature_f":1.0,"humidity":40.0}}}}"#
            )
        };
        check(&format!("[{},{}]", point(20.0), point(21.5)), &[(250, 20.0), (0, 21.5)], 0);
        check(
            &format!(r#"[{},{{"fields":{{"humidity":1}}}},{}]"#, point(20.0), point(21.0)),
            &[(500, 20.0), (0, 21.0)],
            1,
        );
        check(r#"[{"temperature_f":68.0,"humidity":40}]"#, &[(0, 20.0)], 0);
        check(r#"[{"temperature_c":20,"humidity":140}]"#, &[], 1);
        check("{}", &[], 1);
        check("[]", &[], 0);
    }

    #[test]
    fn a_point_s_own_time_counts() {
        for time in ["1766999999", "1766999999000", "1766999999000000000", "\"2025-12-29T09:19:59Z\""] {
            check(&format!(r#"[{{"time":{time},"fields":{{"temperature_c":20,"humidity":40}}}}]"#), &[(1500, 20.0)], 0);
        }
    }

    #[test]
    fn a_clock_that_was_wrong_is_no_time() {
        let json = r#"[{"temperature_c":20,"humidity":40}]"#;
        for (saved_at_s, count) in
            [(0.0, 0), (3600.0, 0), (f64::NAN, 0), (1_767_225_600.0 + 61.0, 0), (1_767_225_600.0, 1)]
        {
            let found = points_of(&batch(saved_at_s, json), Duration::from_secs(1), NOW);
            assert_eq!(found.points.len(), count, "{saved_at_s}");
        }
    }
}
