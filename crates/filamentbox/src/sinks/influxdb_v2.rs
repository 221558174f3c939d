//! InfluxDB 2.x: `POST /api/v2/write` with a token.
//!
//! Organisation and bucket must exist; a token that may only write cannot create them. Writing a point again overwrites it
//! (same series and time). The server answers 204 once the points are in its write-ahead log.
//!
//! What it refuses (read in `http/write_handler.go`, `http/points/points_parser.go` and
//! `kit/transport/http/error_handler.go`; errors are `{"code": .., "message": ..}`):
//! - It looks at the token (401), then at organisation and bucket (404), then at the right to write (403), then at the
//!   body. So an empty body shows all of it: 204, up to 2.0.8 400 "writing requires points".
//! - 400: a line cannot be parsed. Nothing of the request is stored.
//! - 422 "failure writing points to database: partial write: ..": points older than the bucket's retention ("points beyond
//!   retention policy dropped=N"; since 2.7.12 "dropped N points outside retention policy of duration .."), or with a field
//!   that has another type in their shard. The others of the request are stored; which ones, it does not say. The first
//!   versions (2.0) answered 500.
//! - A conflict of types hides points that are too old: they are only told of when nothing else was refused.
//! - 413 "points batch is too large": InfluxDB Cloud, and proxies; the server itself has no limit.
//!
//! Not here: the write API of InfluxDB 1.8 and 3 that looks like this one.

use std::time::Duration;

use filamentbox_core::config::{ConfigError, KeySpec, Kind, Settings};
use filamentbox_core::sample::Point;
use reqwest::Url;

use super::http::{self, Answer, Auth, Http, classify};
use super::influxdb_v1::is_too_old;
use super::line_protocol::{Backslash, Encoder};
use super::{Body, Health, History, Labels, Lines, Sink, SinkError, SinkKind, Tested, Written};

const NAME: &str = "influxdb_v2";
const TITLE: &str = "InfluxDB 2";
const URL: &str = "database.influxdb_v2.url";
const ORG: &str = "database.influxdb_v2.org";
const BUCKET: &str = "database.influxdb_v2.bucket";
const TOKEN: &str = "database.influxdb_v2.token";

/// InfluxDB 2.x.
pub const KIND: SinkKind =
    SinkKind { name: NAME, title: TITLE, keys: KEYS, history: History::AnyOrder, settle: Duration::ZERO, open };

const TEXT: Kind = Kind::Text { max_bytes: 255 };
const KEYS: &[KeySpec] = &[
    KeySpec::new(URL, Kind::Url, "http://localhost:8086", "", "The server's address."),
    KeySpec::new(ORG, TEXT, "", "", "The organisation's name or ID; required.").required(),
    KeySpec::new(BUCKET, TEXT, "", "", "The bucket's name or ID; required. It must exist.").required(),
    KeySpec::new(TOKEN, Kind::Secret, "", "", "An API token that may write to the bucket; required.").required(),
    http::ca_file("database.influxdb_v2.ca_file"),
    http::gzip("database.influxdb_v2.gzip"),
];

struct InfluxDbV2 {
    http: Http,
    lines: Lines,
    write_url: Url,
    org: String,
    bucket: String,
}

fn open(settings: &Settings, labels: &Labels) -> Result<Box<dyn Sink>, ConfigError> {
    for (key, what) in [(ORG, "organisation"), (BUCKET, "bucket")] {
        if settings.text(key).is_empty() {
            let problem =
                format!("an empty name is not allowed with database.type influxdb_v2; give the {what}'s name or ID");
            return Err(ConfigError { key: key.to_owned(), problem });
        }
    }
    let (org, bucket) = (settings.text(ORG).to_owned(), settings.text(BUCKET).to_owned());
    let auth = http::token(settings, TOKEN)?.map_or(Auth::Nobody, |token| Auth::Token { token });
    let mut write_url = http::endpoint(settings, URL, "api/v2/write")?;
    write_url.query_pairs_mut().append_pair("org", &org).append_pair("bucket", &bucket).append_pair("precision", "ms");
    let http = Http::open(settings, NAME, auth)?;
    Ok(Box::new(InfluxDbV2 {
        lines: Lines::new(Encoder::new(TITLE, labels, Backslash::Literal)?, &http),
        http,
        write_url,
        org,
        bucket,
    }))
}

impl Sink for InfluxDbV2 {
    fn address(&self) -> Option<(String, u16)> {
        self.http.address()
    }

    fn write<'a>(&'a mut self, points: &'a [Point]) -> Written<'a> {
        Box::pin(async { self.verdict(&self.post(self.lines.body(points).await).await?) })
    }

    fn lines(&self) -> Option<&Lines> {
        Some(&self.lines)
    }

    fn write_body<'a>(&'a mut self, _: &'a [Point], body: Body) -> Written<'a> {
        Box::pin(async { self.verdict(&self.post(body).await?) })
    }

    fn test(&mut self) -> Tested<'_> {
        Box::pin(async {
            let answer = match self.post(Vec::new()).await {
                Ok(answer) => answer,
                Err(error) => return Health::unknown().of_write(&Err(error)),
            };
            let version = answer
                .header("x-influxdb-version")
                .map(|version| self.http.redact(&format!("InfluxDB {}", version.trim_start_matches('v'))));
            Health { version, ..Health::of_answer(&answer).of_write(&self.verdict(&answer)) }
        })
    }
}

impl InfluxDbV2 {
    async fn post(&self, body: impl Into<Body>) -> Result<Answer, SinkError> {
        self.http.post(self.write_url.clone(), body).await
    }

    /// What an answer means.
    fn verdict(&self, answer: &Answer) -> Result<(), SinkError> {
        let (org, bucket) = (&self.org, &self.bucket);
        let body = answer.body.as_str();
        match (classify(TITLE, answer), answer.status) {
            // Its way of taking nothing, up to 2.0.8.
            (Err(_), 400) if body.contains("writing requires points") => Ok(()),
            (Err(SinkError::Misconfigured { reason }), 403) => {
                let advice = format!("give the token the right to write to the bucket {bucket:?}, or change {TOKEN}");
                Err(SinkError::Misconfigured { reason: format!("{reason} ({advice})") })
            }
            (Err(SinkError::Misconfigured { reason }), 404) => {
                let advice = format!(
                    "the organisation {org:?} must exist, and the bucket {bucket:?} in it: create them, or change {ORG} or {BUCKET}"
                );
                Err(SinkError::Misconfigured { reason: format!("{reason} ({advice})") })
            }
            (Err(SinkError::Retry { reason, .. }), 500) if body.contains("partial write:") => {
                Err(SinkError::Rejected { reason, lasting: is_too_old(body) })
            }
            (Err(SinkError::Rejected { reason, .. }), _) => {
                Err(SinkError::Rejected { reason, lasting: is_too_old(body) })
            }
            (other, _) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{labels, settings};
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_at_once() {
        let error = |values: &[(&str, &str)]| open(&settings(values), &labels()).err().map(|error| error.key);
        assert_eq!(error(&[(BUCKET, "b"), (TOKEN, "t")]).as_deref(), Some(ORG));
        assert_eq!(error(&[(ORG, "o"), (TOKEN, "t")]).as_deref(), Some(BUCKET));
        assert_eq!(error(&[(ORG, "o"), (BUCKET, "b"), (TOKEN, "a b")]).as_deref(), Some(TOKEN));
        assert_eq!(error(&[(ORG, "o"), (BUCKET, "b"), (TOKEN, "t")]), None);
        assert_eq!(error(&[(ORG, "o"), (BUCKET, "b"), (URL, "https://db.example/influx/")]), None);
    }
}
