//! A double of InfluxDB 3 Core's write API, after its source (`influxdb3_server/src/http.rs`,
//! `influxdb3_write/src/write_buffer/`). It reads lines with the parser that the server has. Not here: Basic
//! authentication, which we never send.

use std::collections::{BTreeMap, BTreeSet};

use influxdb_line_protocol::parse_lines;
use serde_json::{Value as Json, json};

use super::double::{Double, Reply, Request, Service};
use super::influxdb_store::{Incoming, PointStore, millis};
use super::{Server, Stored, TOKEN};

/// InfluxDB 3, in this process.
pub(crate) struct InfluxV3Double {
    double: Double<InfluxV3>,
}

pub(crate) struct InfluxV3 {
    databases: BTreeMap<String, PointStore>,
    /// It refuses the points of these times (milliseconds), whatever they are.
    pub(crate) refused_ms: BTreeSet<i64>,
    /// A body over this, compressed or not, is refused.
    pub(crate) body_max: usize,
    /// Columns a table may have.
    pub(crate) columns_max: usize,
    /// Requests whose body was compressed.
    pub(crate) gzip_requests: usize,
}

const DATABASES_MAX: usize = 5;

impl InfluxV3Double {
    pub(crate) const DATABASE: &'static str = "filament-boxes";
    /// A token that may only read (Enterprise).
    pub(crate) const READ_TOKEN: &'static str = "apiv3_re4d-only";

    /// What it keeps and how it is set.
    pub(crate) fn service(&self) -> std::sync::MutexGuard<'_, InfluxV3> {
        self.double.service()
    }

    /// Stores these lines (times in milliseconds) as another client would.
    pub(crate) fn preload(&self, database: &str, lines: &str) {
        let reply = self.service().store_lines(database, lines, Some(1_000_000), false);
        assert_eq!(reply.status, 204, "{}", reply.body);
    }

    /// The databases that exist.
    pub(crate) fn databases(&self) -> Vec<String> {
        self.service().databases.keys().cloned().collect()
    }

    /// How often the point of this time was stored.
    pub(crate) fn times_stored(&self, ms: i64) -> usize {
        self.service().databases.get(Self::DATABASE).map_or(0, |store| store.times_stored(ms))
    }
}

impl Server for InfluxV3Double {
    fn start() -> Option<Self> {
        let service = InfluxV3 {
            databases: BTreeMap::new(),
            refused_ms: BTreeSet::new(),
            body_max: 10 * 1024 * 1024,
            columns_max: 500,
            gzip_requests: 0,
        };
        Some(Self { double: Double::start(service) })
    }

    fn url(&self) -> String {
        self.double.url()
    }

    fn settings(&self) -> Vec<(String, String)> {
        let pairs = [
            ("database.type", "influxdb_v3"),
            ("database.influxdb_v3.url", &self.url()),
            ("database.influxdb_v3.database", Self::DATABASE),
            ("database.influxdb_v3.token", TOKEN),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    fn all_points(&self) -> Vec<(String, Stored)> {
        self.service().databases.get(Self::DATABASE).map_or_else(Vec::new, PointStore::all)
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

impl Service for InfluxV3 {
    fn answer(&mut self, request: &Request) -> Reply {
        // Every path asks for the token, /health and /ping too.
        let may_write = match authenticated(request) {
            Ok(may_write) => may_write,
            Err(reply) => return reply,
        };
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/ping") => {
                let mut reply = Reply::new(200, json!({ "version": "3.4.1", "revision": "5c1e2b3" }).to_string());
                reply.headers.push(("X-Influxdb-Build", "Core".to_owned()));
                reply.headers.push(("X-Influxdb-Version", "3.4.1".to_owned()));
                reply
            }
            ("GET", "/health") => Reply::new(200, "OK"),
            ("POST", "/api/v3/write_lp") if may_write => self.write(request).unwrap_or_else(|refusal| refusal),
            ("POST", "/api/v3/write_lp") => error(403, "the request was not authorized"),
            _ => Reply::new(404, "not found"),
        }
    }
}

/// Whether the token may write, or why there is none.
fn authenticated(request: &Request) -> Result<bool, Reply> {
    let header = request.header("authorization").ok_or_else(|| error(401, "the request was not authenticated"))?;
    let words: Vec<&str> = header.split(' ').collect();
    let token = match words[..] {
        ["Bearer" | "Token", token] => token,
        _ => {
            return Err(error(
                400,
                "Authorization header was malformed, the request was not in the form of 'Authorization: <auth-scheme> <token>', supported auth-schemes are Bearer, Token and Basic",
            ));
        }
    };
    match token {
        TOKEN => Ok(true),
        InfluxV3Double::READ_TOKEN => Ok(false),
        _ => Err(error(401, "the request was not authenticated")),
    }
}

impl InfluxV3 {
    fn write(&mut self, request: &Request) -> Result<Reply, Reply> {
        let text = |body: &str| Reply::new(400, body);
        let database = request.parameter("db").ok_or_else(|| text("missing query parameter 'db'"))?;
        let unit_ns = match request.parameter("precision").unwrap_or("auto") {
            "auto" => None,
            "nanosecond" | "ns" | "n" => Some(1),
            "microsecond" | "us" | "u" => Some(1_000),
            "millisecond" | "ms" => Some(1_000_000),
            "second" | "s" => Some(1_000_000_000),
            other => return Err(text(&format!("serde error: unknown variant `{other}`"))),
        };
        let flag = |name: &str, default: bool| match request.parameter(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(text("serde error: provided string was not `true` or `false`")),
        };
        let accept_partial = flag("accept_partial", true)?;
        assert!(!flag("no_sync", false)?, "without it an answer means nothing");
        if !database.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(error(400, "db name did not start with a number or letter"));
        }
        if !database.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_')) {
            return Err(error(
                400,
                "invalid character in database or rp name: must be ASCII, containing only letters, numbers, underscores, or hyphens",
            ));
        }
        let too_large = || error(413, &format!("max request size ({} bytes) exceeded", self.body_max));
        if request.body.len() > self.body_max {
            return Err(too_large());
        }
        let body = request.plain_body().map_err(|error| text(&error))?;
        if body.len() > self.body_max {
            return Err(too_large());
        }
        self.gzip_requests += usize::from(request.header("content-encoding") == Some("gzip"));
        let body = String::from_utf8(body).map_err(|_| text("body content is not valid utf8"))?;
        Ok(self.store_lines(database, &body, unit_ns, accept_partial))
    }

    fn store_lines(&mut self, database: &str, lines: &str, unit_ns: Option<i64>, accept_partial: bool) -> Reply {
        let is_new = !self.databases.contains_key(database);
        if is_new && self.databases.len() == DATABASES_MAX {
            return error(422, &format!("Adding a new database would exceed limit of {DATABASES_MAX} databases"));
        }
        let mut accepted = Vec::new();
        let mut refused: Vec<Json> = Vec::new();
        let mut store = self.databases.remove(database).unwrap_or_default();
        let mut originals = lines.lines();
        for (index, parsed) in parse_lines(lines).enumerate() {
            let original = originals.next().unwrap_or_default();
            let point = parsed.as_ref().map(Incoming::of).map_err(ToString::to_string);
            match point.and_then(|point| self.checked(&mut store, point, unit_ns)) {
                Ok(point) => accepted.push(point),
                Err(message) => refused.push(json!({
                    "error_message": message,
                    "line_number": index + 1,
                    "original_line": original.chars().take(20).collect::<String>(),
                })),
            }
            if !accept_partial && !refused.is_empty() {
                if !is_new {
                    self.databases.insert(database.to_owned(), store);
                }
                let body = json!({ "error": "line protocol parsing error", "data": refused[0] });
                return Reply::new(400, body.to_string());
            }
        }
        let is_empty = accepted.is_empty() && refused.is_empty();
        for (point, ms) in accepted {
            store.insert(point, ms);
        }
        // Also by an empty write.
        self.databases.insert(database.to_owned(), store);
        if is_empty {
            return Reply::new(400, "incoming write was empty");
        }
        if refused.is_empty() {
            return Reply::new(204, "");
        }
        let is_limit = refused.iter().any(|line| line["error_message"].to_string().contains("would exceed"));
        let body = json!({ "error": "partial write of line protocol occurred", "data": refused });
        Reply::new(if is_limit { 422 } else { 400 }, body.to_string())
    }

    /// The point and its time in milliseconds, or why it is refused.
    fn checked(
        &self,
        store: &mut PointStore,
        point: Incoming,
        unit_ns: Option<i64>,
    ) -> Result<(Incoming, i64), String> {
        let timestamp = point.timestamp.expect("ours have a time");
        let ms = millis(timestamp, unit_ns.unwrap_or_else(|| guessed_unit(timestamp)));
        let tags = point.tags.keys().map(|name| (name, "tag"));
        let fields = point.fields.iter().map(|(name, value)| (name, value.kind()));
        let columns: Vec<(&String, &'static str)> = tags.chain(fields).collect();
        if columns.len() + 1 > self.columns_max {
            return Err(format!(
                "Update to schema would exceed number of columns per table limit of {} columns",
                self.columns_max
            ));
        }
        for (name, kind) in columns {
            if name == "time" {
                return Err("'time' is a reserved column".to_owned());
            }
            let exists = store.kind_of(&point.measurement, name, kind);
            if exists != kind {
                let column = |kind: &str| if kind == "tag" { kind.to_owned() } else { format!("field::{kind}") };
                return Err(format!(
                    "invalid column type for column '{name}', expected iox::column_type::{}, got iox::column_type::{}",
                    column(exists),
                    column(kind)
                ));
            }
        }
        if self.refused_ms.contains(&ms) {
            return Err("refused as the test wants it".to_owned());
        }
        Ok((point, ms))
    }
}

/// By size, as `precision=auto` does.
fn guessed_unit(timestamp: i64) -> i64 {
    match timestamp.unsigned_abs() / 1_000_000_000 {
        0..5 => 1_000_000_000,
        5..5_000 => 1_000_000,
        5_000..5_000_000 => 1_000,
        _ => 1,
    }
}

fn error(status: u16, message: &str) -> Reply {
    Reply::new(status, json!({ "error": message }).to_string())
}
