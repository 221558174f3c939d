//! InfluxDB 1.x: `POST /write` with Basic authentication.
//!
//! A database that does not exist is created, when the user may. Writing a point again overwrites it (same series and time).
//! The server answers 204 once the points are in its write-ahead log: after SIGKILL, 0 to 10 s after the answer, none was gone in
//! 22 trials (1.6.7).
//!
//! A point older than the retention policy is refused with 400 and "partial write" while the others of its request are stored; so are
//! points whose field has another type in the database. Which ones, it does not say.
//!
//! Not here: `/api/v2/write` and tokens, which 1.6 does not know.

use std::time::Duration;

use filamentbox_core::config::{ConfigError, KeySpec, Kind, Settings};
use filamentbox_core::sample::Point;
use reqwest::Url;

use super::http::{self, Answer, Http, classify};
use super::line_protocol::{Backslash, Encoder};
use super::{Body, Health, History, Labels, Lines, Sink, SinkError, SinkKind, Tested, Written};

const NAME: &str = "influxdb_v1";
const TITLE: &str = "InfluxDB 1.x";
const URL: &str = "database.influxdb_v1.url";
const DATABASE: &str = "database.influxdb_v1.database";
const USERNAME: &str = "database.influxdb_v1.username";
const PASSWORD: &str = "database.influxdb_v1.password";
const RETENTION_POLICY: &str = "database.influxdb_v1.retention_policy";

/// InfluxDB 1.x.
pub const KIND: SinkKind =
    SinkKind { name: NAME, title: TITLE, keys: KEYS, history: History::AnyOrder, settle: Duration::ZERO, open };

const TEXT: Kind = Kind::Text { max_bytes: 255 };
const KEYS: &[KeySpec] = &[
    KeySpec::new(URL, Kind::Url, "http://localhost:8086", "", "The server's address."),
    KeySpec::new(
        DATABASE,
        TEXT,
        "",
        "",
        "The database's name; required. It is created when it does not exist and the user may create it.",
    )
    .required(),
    KeySpec::new(USERNAME, TEXT, "", "", "User name; empty for a server without authentication."),
    KeySpec::new(PASSWORD, Kind::Secret, "", "", "The user's password."),
    KeySpec::new(
        RETENTION_POLICY,
        TEXT,
        "",
        "",
        "The retention policy to write to; empty for the database's default one.",
    ),
    http::ca_file("database.influxdb_v1.ca_file"),
    http::gzip("database.influxdb_v1.gzip"),
];

struct InfluxDbV1 {
    http: Http,
    lines: Lines,
    write_url: Url,
    create_url: Url,
    database: String,
    retention_policy: String,
    /// How creating the database ended. It is tried once an episode: until the next accepted write.
    creation: Option<String>,
}

fn open(settings: &Settings, labels: &Labels) -> Result<Box<dyn Sink>, ConfigError> {
    let database = settings.text(DATABASE).to_owned();
    if database.is_empty() {
        let problem =
            "an empty name is not allowed with database.type influxdb_v1; give the database's name".to_owned();
        return Err(ConfigError { key: DATABASE.to_owned(), problem });
    }
    let retention_policy = settings.text(RETENTION_POLICY).to_owned();
    let auth = http::basic(settings, USERNAME, PASSWORD)?;
    let mut write_url = http::endpoint(settings, URL, "write")?;
    write_url.query_pairs_mut().append_pair("db", &database).append_pair("precision", "ms");
    if !retention_policy.is_empty() {
        write_url.query_pairs_mut().append_pair("rp", &retention_policy);
    }
    let mut create_url = http::endpoint(settings, URL, "query")?;
    create_url.query_pairs_mut().append_pair("q", &format!("CREATE DATABASE {}", quoted(&database)));
    let http = Http::open(settings, NAME, auth)?;
    Ok(Box::new(InfluxDbV1 {
        lines: Lines::new(Encoder::new(TITLE, labels, Backslash::Literal)?, &http),
        http,
        write_url,
        create_url,
        database,
        retention_policy,
        creation: None,
    }))
}

impl Sink for InfluxDbV1 {
    fn address(&self) -> Option<(String, u16)> {
        self.http.address()
    }

    fn write<'a>(&'a mut self, points: &'a [Point]) -> Written<'a> {
        Box::pin(async { self.deliver(points, self.lines.body(points).await).await })
    }

    fn lines(&self) -> Option<&Lines> {
        Some(&self.lines)
    }

    fn write_body<'a>(&'a mut self, points: &'a [Point], body: Body) -> Written<'a> {
        Box::pin(self.deliver(points, body))
    }

    /// 1.6 answers an empty write with 204, after it has checked user and database.
    fn test(&mut self) -> Tested<'_> {
        Box::pin(async {
            let answer = match self.post(Vec::new()).await {
                Ok(answer) => answer,
                Err(error) => return Health::unknown().of_write(&Err(error)),
            };
            let written = if is_database_missing(&answer) {
                Err(SinkError::Misconfigured {
                    reason: format!(
                        "the database {} does not exist yet; the first write creates it, if the user may",
                        self.database
                    ),
                })
            } else {
                self.verdict(&answer)
            };
            let version =
                answer.header("x-influxdb-version").map(|version| self.http.redact(&format!("InfluxDB {version}")));
            Health { version, ..Health::of_answer(&answer).of_write(&written) }
        })
    }
}

impl InfluxDbV1 {
    async fn deliver(&mut self, points: &[Point], body: Body) -> Result<(), SinkError> {
        let mut answer = self.post(body).await?;
        if is_database_missing(&answer) && self.creation.is_none() {
            self.creation = Some(self.create_database().await?);
            answer = self.post(self.lines.body(points).await).await?;
        }
        if is_database_missing(&answer) {
            return Err(self.database_missing());
        }
        self.verdict(&answer)?;
        self.creation = None;
        Ok(())
    }

    /// What an answer means, but for a missing database.
    fn verdict(&self, answer: &Answer) -> Result<(), SinkError> {
        // 1.6 answers 500 here, which would otherwise look like a server in trouble.
        if !self.retention_policy.is_empty()
            && answer.status >= 400
            && answer.body.contains("retention policy not found")
        {
            let reason = format!(
                "the database {:?} has no retention policy {:?}: create it, or change {RETENTION_POLICY}",
                self.database, self.retention_policy
            );
            return Err(SinkError::Misconfigured { reason });
        }
        classify(TITLE, answer).map_err(|error| match error {
            SinkError::Rejected { reason, .. } => SinkError::Rejected { reason, lasting: is_too_old(&answer.body) },
            other => other,
        })
    }

    async fn post(&self, body: impl Into<Body>) -> Result<Answer, SinkError> {
        self.http.post(self.write_url.clone(), body).await
    }

    /// How it ended, in words; an error when that is not known.
    async fn create_database(&self) -> Result<String, SinkError> {
        let answer = self.http.post(self.create_url.clone(), Vec::new()).await?;
        match classify(TITLE, &answer) {
            Err(retry @ SinkError::Retry { .. }) => Err(retry),
            Err(refused) => Ok(format!("could not be created: {refused}")),
            // A statement's own error comes with 200.
            Ok(()) if answer.body.contains("\"error\"") => {
                Ok(format!("could not be created: {}", self.http.redact(&http::words(&answer.body))))
            }
            Ok(()) => Ok("was created and is not there".to_owned()),
        }
    }

    fn database_missing(&self) -> SinkError {
        let name = quoted(&self.database);
        let creation = self.creation.as_deref().unwrap_or("is not there");
        let reason = format!(
            "the database {name} does not exist (it {creation}); run CREATE DATABASE {name} as an administrator, or change {DATABASE}"
        );
        SinkError::Misconfigured { reason }
    }
}

fn is_database_missing(answer: &Answer) -> bool {
    answer.status == 404 && answer.body.contains("database not found")
}

/// Whether an answer is about points that are older than the server keeps them, in the words of InfluxDB 1.x and 2.x up to 2.7.11,
/// or in those since 2.7.12.
pub(super) fn is_too_old(answer: &str) -> bool {
    answer.contains("beyond retention policy") || answer.contains("outside retention policy")
}

/// An InfluxQL identifier (docs.influxdata.com/influxdb/v1/query_language/spec, "Identifiers").
fn quoted(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{labels, settings};
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_at_once() {
        let error = |values: &[(&str, &str)]| open(&settings(values), &labels()).err().map(|error| error.key);
        assert_eq!(error(&[]).as_deref(), Some(DATABASE));
        assert_eq!(error(&[(DATABASE, "d"), (PASSWORD, "p")]).as_deref(), Some(USERNAME));
        assert_eq!(error(&[(DATABASE, "d"), (PASSWORD, "p"), (USERNAME, "a:b")]).as_deref(), Some(USERNAME));
        assert_eq!(error(&[(DATABASE, "d"), (PASSWORD, "p"), (USERNAME, "u")]), None);
        assert_eq!(error(&[(DATABASE, "d"), (URL, "https://db.example:8086/influx/")]), None);
    }

    #[test]
    fn identifiers_are_quoted() {
        assert_eq!(quoted(r#"a "b" \c"#), r#""a \"b\" \\c""#);
    }
}
