//! A double of InfluxDB 2.7's write API, after its source (`http/write_handler.go`, `http/points/points_parser.go`,
//! `models/points.go`, `kit/transport/http/error_handler.go`) and published answers of 2.7.12. One bucket; a field's type
//! holds for the whole bucket, not for a shard.

use std::collections::BTreeSet;

use influxdb_line_protocol::parse_lines;
use serde_json::json;

use super::double::{Double, Reply, Request, Service};
use super::influxdb_store::{Incoming, PointStore, millis};
use super::{Server, Stored, TOKEN};

/// InfluxDB 2 with one organisation and one bucket, in this process.
pub(crate) struct InfluxV2Double {
    double: Double<InfluxV2>,
}

pub(crate) struct InfluxV2 {
    store: PointStore,
    /// Points before this time are older than the bucket's retention. Milliseconds.
    pub(crate) kept_from_ms: i64,
    /// 2.7.12 has other words for points that are too old.
    pub(crate) has_old_words: bool,
    /// A body over this is refused.
    pub(crate) body_max: usize,
    /// Requests whose body was compressed.
    pub(crate) gzip_requests: usize,
}

impl InfluxV2Double {
    pub(crate) const ORG: &'static str = "my house";
    pub(crate) const BUCKET: &'static str = "filament/boxes";
    /// A token that may only read.
    pub(crate) const READ_TOKEN: &'static str = "re4d-only==";

    /// What it keeps and how it is set.
    pub(crate) fn service(&self) -> std::sync::MutexGuard<'_, InfluxV2> {
        self.double.service()
    }

    /// Stores these lines (times in milliseconds) as another client would.
    pub(crate) fn preload(&self, lines: &str) {
        let reply = self.service().store_lines(lines, 1_000_000);
        assert_eq!(reply.status, 204, "{}", reply.body);
    }

    /// How often the point of this time was stored.
    pub(crate) fn times_stored(&self, ms: i64) -> usize {
        self.service().store.times_stored(ms)
    }
}

impl Server for InfluxV2Double {
    fn start() -> Option<Self> {
        let service = InfluxV2 {
            store: PointStore::default(),
            kept_from_ms: i64::MIN,
            has_old_words: false,
            body_max: usize::MAX,
            gzip_requests: 0,
        };
        Some(Self { double: Double::start(service) })
    }

    fn url(&self) -> String {
        self.double.url()
    }

    fn settings(&self) -> Vec<(String, String)> {
        let pairs = [
            ("database.type", "influxdb_v2"),
            ("database.influxdb_v2.url", &self.url()),
            ("database.influxdb_v2.org", Self::ORG),
            ("database.influxdb_v2.bucket", Self::BUCKET),
            ("database.influxdb_v2.token", TOKEN),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    fn all_points(&self) -> Vec<(String, Stored)> {
        self.service().store.all()
    }

    fn kill(&mut self) {
        self.double.down();
    }

    fn terminate(&mut self) {
        self.double.down();
    }

    fn restart(&mut self) {
        self.double.up();
    }
}

impl Service for InfluxV2 {
    fn answer(&mut self, request: &Request) -> Reply {
        let mut reply = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/health" | "/ping") => Reply::new(200, ""),
            ("POST", "/api/v2/write") => self.write(request),
            _ => refusal("not found", "path not found"),
        };
        reply.headers.push(("X-Influxdb-Build", "OSS".to_owned()));
        reply.headers.push(("X-Influxdb-Version", "v2.7.12".to_owned()));
        reply
    }
}

impl InfluxV2 {
    /// The order of the checks is that of `handleWrite`.
    fn write(&mut self, request: &Request) -> Reply {
        let token = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Token ").or_else(|| value.strip_prefix("Bearer ")));
        let may_write = match token {
            Some(TOKEN) => true,
            Some(InfluxV2Double::READ_TOKEN) => false,
            _ => return refusal("unauthorized", "unauthorized access"),
        };
        let unit_ns = match request.parameter("precision") {
            None | Some("" | "ns") => 1,
            Some("us") => 1_000,
            Some("ms") => 1_000_000,
            Some("s") => 1_000_000_000,
            Some(_) => return refusal("invalid", "invalid precision; valid precision units are ns, us, ms, and s"),
        };
        match request.parameter("org") {
            Some(InfluxV2Double::ORG) => {}
            other => {
                let name = other.unwrap_or_default();
                return refusal("not found", &format!("organization name \"{name}\" not found"));
            }
        }
        match request.parameter("bucket") {
            Some(InfluxV2Double::BUCKET) => {}
            other => return refusal("not found", &format!("bucket \"{}\" not found", other.unwrap_or_default())),
        }
        if !may_write {
            return refusal("forbidden", "insufficient permissions for write");
        }
        let body = match request.plain_body() {
            Ok(body) => body,
            Err(error) => return refusal("invalid", &format!("unable to read data: {error}")),
        };
        self.gzip_requests += usize::from(request.header("content-encoding") == Some("gzip"));
        if body.len() > self.body_max {
            return refusal("request too large", "unable to read data: points batch is too large");
        }
        self.store_lines(&String::from_utf8_lossy(&body), unit_ns)
    }

    fn store_lines(&mut self, lines: &str, unit_ns: i64) -> Reply {
        let mut points = Vec::new();
        for line in lines.lines() {
            if is_never_found(line) {
                continue;
            }
            let line = as_in_3(line);
            for parsed in parse_lines(&line) {
                let point = parsed.as_ref().map(Incoming::of).map_err(ToString::to_string);
                let point = point.and_then(|point| {
                    let reserved =
                        ["time", "_field", "_measurement"].iter().find(|name| point.tags.contains_key(**name));
                    reserved.map_or(Ok(point), |name| Err(format!("cannot use reserved tag key \"{name}\"")))
                });
                match point {
                    Ok(point) => points.push(point),
                    // One bad line, and nothing is stored.
                    Err(error) => return refusal("invalid", &format!("unable to parse '{line}': {error}")),
                }
            }
        }
        let (mut too_old, mut conflicts) = (Vec::new(), Vec::new());
        for point in points {
            let ms = millis(point.timestamp.expect("ours have a time"), unit_ns);
            if ms < self.kept_from_ms {
                too_old.push(ms);
            } else if let Some(conflict) = self.conflict(&point) {
                conflicts.push(conflict);
            } else {
                self.store.insert(point, ms);
            }
        }
        // Conflicts hide points that are too old.
        match (conflicts.first(), too_old.len()) {
            (None, 0) => Reply::new(204, ""),
            (Some(first), _) => partial(&format!("{first} dropped={}", conflicts.len())),
            (None, dropped) if self.has_old_words => {
                partial(&format!("points beyond retention policy dropped={dropped}"))
            }
            (None, dropped) => {
                let ends: BTreeSet<i64> = too_old.into_iter().collect();
                let (oldest, newest) = (ends.first().expect("some"), ends.last().expect("some"));
                let why =
                    format!("dropped because it violates a Retention Policy Lower Bound at {}", self.kept_from_ms);
                partial(&format!(
                    "dropped {dropped} points outside retention policy of duration 72h0m0s - oldest point at {oldest} {why}, newest point at {newest} {why} dropped={dropped} for database: 610c26001281c704 for retention policy: autogen"
                ))
            }
        }
    }

    fn conflict(&mut self, point: &Incoming) -> Option<String> {
        point.fields.iter().find_map(|(name, value)| {
            let exists = self.store.kind_of(&point.measurement, name, value.kind());
            (exists != value.kind()).then(|| {
                format!(
                    "field type conflict: input field \"{name}\" on measurement \"{}\" is type {}, already exists as type {exists}",
                    point.measurement,
                    value.kind()
                )
            })
        })
    }
}

/// A backslash means itself to InfluxDB 2, unless something follows that needs one: the line in the language of 3, whose parser this is.
fn as_in_3(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        out.push(c);
        if c == '\\' {
            match rest.next_if(|next| matches!(next, ',' | ' ' | '=')) {
                Some(escaped) => out.push(escaped),
                None => out.push('\\'),
            }
        }
    }
    out
}

/// It takes such a measurement and never gives it back.
fn is_never_found(line: &str) -> bool {
    let end = line.char_indices().find(|(at, c)| matches!(c, ',' | ' ') && !line[..*at].ends_with('\\'));
    let measurement = &line[..end.map_or(line.len(), |(at, _)| at)];
    [r"\=", "\\\"", r"\\,", r"\\ "].iter().any(|escape| measurement.contains(escape))
}

fn partial(why: &str) -> Reply {
    refusal("unprocessable entity", &format!("failure writing points to database: partial write: {why}"))
}

fn refusal(code: &str, message: &str) -> Reply {
    let status = match code {
        "invalid" => 400,
        "unauthorized" => 401,
        "forbidden" => 403,
        "not found" => 404,
        "request too large" => 413,
        "unprocessable entity" => 422,
        other => panic!("no status for {other}"),
    };
    Reply::new(status, json!({ "code": code, "message": message }).to_string())
}
