//! InfluxDB 3 (Core, Enterprise): `POST /api/v3/write_lp` with a token.
//!
//! Database and table are created by the first write. Writing a point again overwrites it (same tags and time; without
//! `no_sync` the server answers once the points are in its write-ahead log).
//!
//! It stores the lines it can and names the others: 400 "partial write of line protocol occurred", with the number and the
//! error of each ([`SinkError::Partial`]). A list that cannot be right, or that has every line, counts as a refusal of the
//! whole request, as it then says nothing about single points. Read in `influxdb3_server/src/http.rs` and
//! `influxdb3_write/src/write_buffer/`:
//! - A field keeps the type of its first write, for ever; a line with another type is refused.
//! - 422 "would exceed": Core has 5 databases, 2000 tables, 500 columns a table. The server must change first.
//! - 413 over 10 MiB, before and after decompression; the first versions answered 500 "max request size".
//! - An empty body is 400 "incoming write was empty", after the database has been created. So `test` sends a line without
//!   fields with `accept_partial=false`, which is refused before anything is created.
//!
//! Not here: InfluxDB Cloud (Serverless, Dedicated), which has the write API of [`super::influxdb_v2`].

use std::collections::BTreeMap;
use std::time::Duration;

use filamentbox_core::config::{ConfigError, KeySpec, Kind, Settings};
use filamentbox_core::sample::Point;
use reqwest::Url;
use serde::Deserialize;

use super::http::{self, Answer, Auth, Http, classify};
use super::line_protocol::{Backslash, Encoder};
use super::{Body, Health, History, Labels, Lines, Sink, SinkError, SinkKind, Tested, Written};

const NAME: &str = "influxdb_v3";
const TITLE: &str = "InfluxDB 3";
const URL: &str = "database.influxdb_v3.url";
const DATABASE: &str = "database.influxdb_v3.database";
const TOKEN: &str = "database.influxdb_v3.token";

/// InfluxDB 3.
pub const KIND: SinkKind =
    SinkKind { name: NAME, title: TITLE, keys: KEYS, history: History::AnyOrder, settle: Duration::ZERO, open };

const KEYS: &[KeySpec] = &[
    KeySpec::new(URL, Kind::Url, "http://localhost:8181", "", "The server's address."),
    KeySpec::new(
        DATABASE,
        Kind::Text { max_bytes: DATABASE_MAX },
        "",
        "",
        "The database's name; required. Letters, digits, - and _, the first a letter or digit. It is created by the first write.",
    )
    .required(),
    KeySpec::new(
        TOKEN,
        Kind::Secret,
        "",
        "",
        "A token that may write to the database; empty for a server that was started without authentication.",
    ),
    http::ca_file("database.influxdb_v3.ca_file"),
    http::gzip("database.influxdb_v3.gzip"),
];

/// Long enough for everybody; the server takes more.
const DATABASE_MAX: usize = 255;
/// A refused line takes up to 250 bytes in the answer; a request has up to 5000 by default. When an answer is longer, the refused
/// lines are found by dividing.
const ANSWER_MAX: usize = 2 * 1024 * 1024;
/// What a refusal of the database's name has in it.
const NAME_REFUSED: [&str; 3] = ["db name", "database or rp name", "namespace name"];

struct InfluxDbV3 {
    http: Http,
    lines: Lines,
    write_url: Url,
    test_url: Url,
    ping_url: Url,
}

fn open(settings: &Settings, labels: &Labels) -> Result<Box<dyn Sink>, ConfigError> {
    let database = settings.text(DATABASE);
    if !is_database(database) {
        let problem = format!(
            "{database:?} is not allowed; allowed: 1 to {DATABASE_MAX} letters (a to z), digits, - and _, the first a letter or digit"
        );
        return Err(ConfigError { key: DATABASE.to_owned(), problem });
    }
    let auth = http::token(settings, TOKEN)?.map_or(Auth::Nobody, |token| Auth::Bearer { token });
    let write_url = |accept_partial| -> Result<Url, ConfigError> {
        let mut url = http::endpoint(settings, URL, "api/v3/write_lp")?;
        url.query_pairs_mut()
            .append_pair("db", database)
            .append_pair("precision", "millisecond")
            .append_pair("accept_partial", accept_partial)
            .append_pair("no_sync", "false");
        Ok(url)
    };
    let http = Http::open(settings, NAME, auth)?;
    Ok(Box::new(InfluxDbV3 {
        lines: Lines::new(Encoder::new(TITLE, labels, Backslash::DoubledNotLast)?, &http),
        http,
        write_url: write_url("true")?,
        test_url: write_url("false")?,
        ping_url: http::endpoint(settings, URL, "ping")?,
    }))
}

fn is_database(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= DATABASE_MAX
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
}

impl Sink for InfluxDbV3 {
    fn address(&self) -> Option<(String, u16)> {
        self.http.address()
    }

    fn write<'a>(&'a mut self, points: &'a [Point]) -> Written<'a> {
        Box::pin(async {
            match points.is_empty() {
                true => Ok(()),
                false => self.deliver(points, self.lines.body(points).await).await,
            }
        })
    }

    fn lines(&self) -> Option<&Lines> {
        Some(&self.lines)
    }

    fn write_body<'a>(&'a mut self, points: &'a [Point], body: Body) -> Written<'a> {
        Box::pin(self.deliver(points, body))
    }

    fn test(&mut self) -> Tested<'_> {
        Box::pin(async {
            let answer = match self.http.post(self.test_url.clone(), b"filamentbox_test".to_vec()).await {
                Ok(answer) => answer,
                Err(error) => return Health::unknown().of_write(&Err(error)),
            };
            let is_refused_for_its_lines =
                answer.status == 400 && ["parsing", "was empty"].iter().any(|words| answer.body.contains(words));
            let written = if is_refused_for_its_lines { Ok(()) } else { verdict(&answer, 1) };
            // Only this tells the version; a server that does not answer it may still be fine.
            let ping = self.http.get(self.ping_url.clone(), 1024).await.ok();
            let version = ping
                .and_then(|ping| Some(self.http.redact(&format!("InfluxDB {}", ping.header("x-influxdb-version")?))));
            Health { version, ..Health::of_answer(&answer).of_write(&written) }
        })
    }
}

impl InfluxDbV3 {
    async fn deliver(&self, points: &[Point], body: Body) -> Result<(), SinkError> {
        let answer = self.http.post_reading(self.write_url.clone(), body, ANSWER_MAX).await?;
        verdict(&answer, points.len())
    }
}

/// What an answer to a request of `lines` lines means.
fn verdict(answer: &Answer, lines: usize) -> Result<(), SinkError> {
    let body = answer.body.as_str();
    match (classify(TITLE, answer), answer.status) {
        (Err(SinkError::Misconfigured { reason }), 403) => {
            let advice = format!("give the token the right to write to the database, or change {TOKEN}");
            Err(SinkError::Misconfigured { reason: format!("{reason} ({advice})") })
        }
        (Err(SinkError::Retry { reason, .. }), 500) if body.contains("max request size") => {
            Err(SinkError::TooLarge { reason })
        }
        (Err(error), 400 | 500) if NAME_REFUSED.iter().any(|words| body.contains(words)) => {
            Err(SinkError::Misconfigured { reason: format!("{error} (change {DATABASE})") })
        }
        (Err(error), 400) if body.contains("Authorization header was malformed") => {
            Err(SinkError::Misconfigured { reason: format!("{error} (check {TOKEN})") })
        }
        (Err(error), 422) if body.contains("would exceed") => {
            let advice = "the server has reached one of its limits: delete databases, tables or columns there, or raise the limit";
            Err(SinkError::Misconfigured { reason: format!("{error} ({advice})") })
        }
        (Err(SinkError::Rejected { reason, .. }), 400) => Err(match refused_lines(body, lines) {
            Some(rejected) => SinkError::Partial { reason, rejected },
            None => SinkError::Rejected { reason, lasting: false },
        }),
        (other, _) => other,
    }
}

/// The answer to a partial write.
#[derive(Deserialize)]
struct PartialWrite {
    error: String,
    data: Vec<RefusedLine>,
}

#[derive(Deserialize)]
struct RefusedLine {
    error_message: String,
    line_number: usize,
}

/// The indices of the refused lines among `lines`, ascending, each with its reason; `None` when the answer says nothing about single
/// lines, or cannot be right.
fn refused_lines(body: &str, lines: usize) -> Option<Vec<(usize, String)>> {
    let answer: PartialWrite = serde_json::from_str(body).ok()?;
    let count = answer.data.len();
    if !answer.error.starts_with("partial write") || count == 0 || count >= lines {
        return None;
    }
    let mut refused = BTreeMap::new();
    for line in answer.data {
        let index = line.line_number.checked_sub(1).filter(|index| *index < lines)?;
        refused.insert(index, http::tidy(&line.error_message));
    }
    (refused.len() == count).then(|| refused.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{labels, settings};
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_at_once() {
        let error = |values: &[(&str, &str)]| open(&settings(values), &labels()).err().map(|error| error.key);
        assert_eq!(error(&[]).as_deref(), Some(DATABASE));
        assert_eq!(error(&[(DATABASE, "d"), (TOKEN, "a b")]).as_deref(), Some(TOKEN));
        assert_eq!(error(&[(DATABASE, "d"), (TOKEN, "apiv3_x-y")]), None);
        assert_eq!(error(&[(DATABASE, "d"), (URL, "https://db.example/influx/")]), None);
    }

    #[test]
    fn databases_are_named_as_the_server_allows() {
        let longest = "d".repeat(255);
        for good in ["filament", "1-A_b", &longest] {
            assert!(is_database(good), "{good}");
        }
        let too_long = "d".repeat(256);
        for bad in ["", "_a", "-a", "a b", "a.b", "a/b", "höhle", &too_long] {
            assert!(!is_database(bad), "{bad}");
        }
    }

    #[test]
    fn a_list_of_refused_lines_is_believed_only_when_it_can_be_right() {
        let body = |numbers: &[&str]| {
            let lines: Vec<String> = numbers
                .iter()
                .map(|n| format!(r#"{{"error_message":"why {n}","line_number":{n},"original_line":"m f=1"}}"#))
                .collect();
            format!(r#"{{"error":"partial write of line protocol occurred","data":[{}]}}"#, lines.join(","))
        };
        let indices = |body: &str| refused_lines(body, 4).map(|refused| refused.iter().map(|(i, _)| *i).collect());
        assert_eq!(indices(&body(&["2"])), Some(vec![1]));
        assert_eq!(indices(&body(&["4", "1", "2"])), Some(vec![0, 1, 3]), "one fewer than all");
        assert_eq!(refused_lines(&body(&["3"]), 4), Some(vec![(2, "why 3".to_owned())]));
        for numbers in [
            &[][..],
            &["0"],
            &["5"],
            &["2", "2"],
            &["1", "2", "3", "4"],
            &["-1"],
            &["1.5"],
            &["null"],
            &["\"1\""],
            &["18446744073709551616"],
        ] {
            assert_eq!(indices(&body(numbers)), None::<Vec<usize>>, "{numbers:?}");
        }
        let whole = body(&["1", "2"]);
        for wrong in [
            "",
            "partial write of line protocol occurred",
            &whole[..whole.len() - 1],
            &whole.replace("partial write of", "no"),
            &whole.replace("line_number", "line"),
            r#"{"error":"partial write of line protocol occurred","data":null}"#,
            r#"{"error":"line protocol parsing error","data":{"error_message":"e","line_number":1,"original_line":""}}"#,
        ] {
            assert_eq!(indices(wrong), None::<Vec<usize>>, "{wrong}");
        }
    }
}
