//! Prometheus remote write 1.0 (prometheus.io, "Prometheus Remote-Write Specification"): for Prometheus itself, Mimir, Thanos,
//! Cortex, Grafana Cloud and whatever else takes it.
//!
//! What to know of these servers (Prometheus 2.42 was tried, the others by their documents and issues):
//! - A sample must be newer than what its series has; the same sample as the last one is accepted and not stored again. The
//!   whole server also refuses what is an hour or more older than its newest sample of any series ("out of bounds"), unless
//!   `out_of_order_time_window` is set: then it takes points in any order as far back as that, and a re-send changes nothing.
//! - Prometheus refuses a request as a whole. Mimir, Cortex and Thanos store the good samples of a request that they refuse.
//! - So a request that was stored and whose answer was lost is refused when it comes again. [`Sink::held`] tells what is there, where
//!   the server also answers queries, at the address that belongs to the one for writing (`read_url`).
//! - A sample older than the window is answered with 500 "too old sample" (2.42), which does not mean that a retry could help;
//!   Thanos answers 409 to everything that is about time.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use filamentbox_core::config::{ConfigError, KeySpec, Kind, Settings};
use filamentbox_core::sample::Point;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::http::{self, Answer, Http, classify, reason};
use super::{Asked, Health, History, Labels, Sink, SinkError, SinkKind, Tested, Written};
use crate::exposition::{self, METRICS, Names};

const NAME: &str = "prometheus_remote_write";
const TITLE: &str = "Prometheus remote write";
const URL: &str = "database.prometheus_remote_write.url";
const USERNAME: &str = "database.prometheus_remote_write.username";
const PASSWORD: &str = "database.prometheus_remote_write.password";
const TOKEN: &str = "database.prometheus_remote_write.token";
const TENANT: &str = "database.prometheus_remote_write.tenant";

/// Where Prometheus itself takes it.
const WRITE_PATH: &str = "/api/v1/write";
/// How the addresses for writing end, and with what in its place the server answers queries; Thanos has another program for them.
const READ_PATHS: [(&str, &str); 3] = [
    (WRITE_PATH, "/api/v1/"),
    // Grafana Cloud, and Cortex of old.
    ("/api/prom/push", "/api/prom/api/v1/"),
    // Mimir and Cortex, with their default prefix.
    ("/api/v1/push", "/prometheus/api/v1/"),
];
/// An answer about 10 000 points takes 350 kB; one longer than this is of somebody else's data too.
const QUERY_MAX: usize = 4 * 1024 * 1024;
const ANSWER_MAX: usize = 16 * 1024;
/// What the servers say when it is about the time of a sample, in lower case. The second forms are Mimir's ids (grafana.com, "Grafana
/// Mimir runbooks").
const ABOUT_TIME: [&str; 9] = [
    "out of order",
    "out-of-order",
    "out of bounds",
    "duplicate sample",
    "duplicate-timestamp",
    "too old",
    "too-old",
    "too far in",
    "too-far-in",
];

/// Prometheus remote write.
pub const KIND: SinkKind =
    SinkKind { name: NAME, title: TITLE, keys: KEYS, history: History::InOrder, settle: Duration::ZERO, open };

const KEYS: &[KeySpec] = &[
    KeySpec::new(
        URL,
        Kind::Url,
        "http://localhost:9090/api/v1/write",
        "",
        "The full address for remote write, for example http://mimir:8080/api/v1/push; without a path, that of Prometheus is taken.",
    ),
    KeySpec::new(
        USERNAME,
        Kind::Text { max_bytes: 255 },
        "",
        "",
        "User name; empty for a server without Basic authentication.",
    ),
    KeySpec::new(PASSWORD, Kind::Secret, "", "", "The user's password."),
    KeySpec::new(TOKEN, Kind::Secret, "", "", "Bearer token, instead of user name and password."),
    KeySpec::new(
        TENANT,
        Kind::Text { max_bytes: 150 },
        "",
        "",
        "Tenant of Mimir or Cortex (header X-Scope-OrgID); empty for none.",
    ),
    http::ca_file("database.prometheus_remote_write.ca_file"),
];

struct RemoteWrite {
    http: Http,
    names: Names,
    write_url: Url,
    /// Below it the server answers queries.
    read_url: Option<Url>,
    tenant: String,
}

fn open(settings: &Settings, labels: &Labels) -> Result<Box<dyn Sink>, ConfigError> {
    let auth = http::basic_or_token(settings, USERNAME, PASSWORD, TOKEN)?;
    let tenant = settings.text(TENANT).to_owned();
    if !tenant.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        let problem = format!("{tenant:?} is not allowed; allowed: letters, digits and signs of ASCII");
        return Err(ConfigError { key: TENANT.to_owned(), problem });
    }
    let mut write_url = http::endpoint(settings, URL, "")?;
    let path = match write_url.path().trim_end_matches('/') {
        "" => WRITE_PATH.to_owned(),
        path => path.to_owned(),
    };
    write_url.set_path(&path);
    Ok(Box::new(RemoteWrite {
        http: Http::open(settings, NAME, auth)?,
        names: Names::new(TITLE, &with_target(labels), &[])?,
        read_url: read_url(&write_url),
        write_url,
        tenant,
    }))
}

/// The labels, with the two that Prometheus gives what it scrapes; a tag of that name has priority.
fn with_target(labels: &Labels) -> Labels {
    let mut labels = labels.clone();
    for (name, value) in [("job", exposition::JOB.to_owned()), ("instance", exposition::instance())] {
        if labels.tags.iter().all(|(other, _)| other != name) {
            labels.tags.push((name.to_owned(), value));
        }
    }
    labels
}

/// Where the server that takes points at `write_url` answers queries.
fn read_url(write_url: &Url) -> Option<Url> {
    let (base, read) =
        READ_PATHS.iter().find_map(|(write, read)| Some((write_url.path().strip_suffix(write)?, read)))?;
    let mut url = write_url.clone();
    url.set_path(&format!("{base}{read}"));
    Some(url)
}

impl Sink for RemoteWrite {
    fn address(&self) -> Option<(String, u16)> {
        self.http.address()
    }

    fn write<'a>(&'a mut self, points: &'a [Point]) -> Written<'a> {
        Box::pin(async move {
            let refused = match verdict(&self.post(points).await?) {
                Err(refused @ SinkError::Rejected { lasting: true, .. }) => refused,
                verdict => return verdict,
            };
            // Mimir stores the good ones of what it refuses: when they come again, they are late. So is what came in a request
            // whose answer was lost. What is there is no loss.
            match self.look_up(points).await {
                Ok(Some(held)) if !held.contains(&false) => Ok(()),
                _ => Err(refused),
            }
        })
    }

    fn held<'a>(&'a mut self, points: &'a [Point]) -> Asked<'a> {
        Box::pin(self.look_up(points))
    }

    /// A request without series is allowed and changes nothing.
    fn test(&mut self) -> Tested<'_> {
        Box::pin(async {
            let health = match self.post(&[]).await {
                Ok(answer) => Health::of_answer(&answer).of_write(&verdict(&answer)),
                Err(error) => return Health::unknown().of_write(&Err(error)),
            };
            Health { version: self.version().await.map(|version| self.http.redact(&version)), ..health }
        })
    }
}

/// What an answer means for the points of the request.
fn verdict(answer: &Answer) -> Result<(), SinkError> {
    let words = answer.body.to_ascii_lowercase();
    let is_about_time = ABOUT_TIME.iter().any(|text| words.contains(text));
    match answer.status {
        409 => Err(SinkError::Rejected { reason: reason(TITLE, answer), lasting: true }),
        400 | 422 | 500 if is_about_time => Err(SinkError::Rejected { reason: reason(TITLE, answer), lasting: true }),
        404 if words.contains("remote write receiver") || words.contains("remote-write-receiver") => {
            let reason = format!("{} (start it with --web.enable-remote-write-receiver)", reason(TITLE, answer));
            Err(SinkError::Misconfigured { reason })
        }
        _ => classify(TITLE, answer),
    }
}

/// What a query answers.
#[derive(Deserialize)]
struct Found {
    data: Matrix,
}

#[derive(Deserialize)]
struct Matrix {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    /// Unix seconds with milliseconds, and the value as text.
    values: Vec<(f64, String)>,
}

impl RemoteWrite {
    async fn post(&self, points: &[Point]) -> Result<Answer, SinkError> {
        let body = compressed(&request(&self.names, points))?;
        let request = self
            .request(Method::POST, self.write_url.clone())
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(body);
        self.http.send(request, ANSWER_MAX).await
    }

    fn request(&self, method: Method, url: Url) -> reqwest::RequestBuilder {
        let request = self.http.request(method, url);
        if self.tenant.is_empty() { request } else { request.header("x-scope-orgid", &self.tenant) }
    }

    async fn version(&self) -> Option<String> {
        let url = self.read_url.as_ref()?.join("status/buildinfo").ok()?;
        let answer = self.http.send(self.request(Method::GET, url), ANSWER_MAX).await.ok()?;
        let found: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
        let text = |path| found.pointer(path).and_then(serde_json::Value::as_str);
        Some(format!("{} {}", text("/data/application").unwrap_or("Prometheus"), text("/data/version")?))
    }

    /// Asks for the temperatures, which every point has.
    async fn look_up(&self, points: &[Point]) -> Result<Option<Vec<bool>>, SinkError> {
        let (Some(read_url), Some(from), Some(to)) =
            (&self.read_url, points.iter().map(|p| p.at).min(), points.iter().map(|p| p.at).max())
        else {
            return Ok(None);
        };
        let Ok(mut url) = read_url.join("query") else { return Ok(None) };
        // Whole seconds around the points.
        let (from, to) = (from.millis().div_euclid(1000) - 1, to.millis().div_euclid(1000) + 1);
        url.query_pairs_mut()
            .append_pair("query", &format!("{}[{}s]", self.selector(), to - from))
            .append_pair("time", &to.to_string());
        let answer = self.http.send(self.request(Method::GET, url), QUERY_MAX).await?;
        match classify(TITLE, &answer) {
            Ok(()) => {}
            Err(failure @ SinkError::Retry { .. }) => return Err(failure),
            Err(_) => return Ok(None),
        }
        let Ok(found) = serde_json::from_str::<Found>(&answer.body) else { return Ok(None) };
        let mut times: HashSet<(&str, i64)> = HashSet::new();
        for series in &found.data.result {
            let box_name = series.metric.get("box").map_or("", String::as_str);
            // Milliseconds are exact in a float for 285 000 years.
            times.extend(series.values.iter().map(|(at, _)| (box_name, (at * 1000.0).round() as i64)));
        }
        let held = |point: &Point| {
            let labels = self.names.labels(point);
            let box_name = labels.iter().find(|(name, _)| *name == "box").map_or("", |(_, value)| value);
            times.contains(&(box_name, point.at.millis()))
        };
        Ok(Some(points.iter().map(held).collect()))
    }

    /// Our series of temperatures; the labels that a server adds do not matter.
    fn selector(&self) -> String {
        let name = self.names.metrics().next().map_or("", |(_, name)| name);
        // The strings of the query language are those of Go, and JSON's are a subset of them.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let labels = self.names.labels_of("");
        let tags = labels.iter().filter(|(_, value)| !value.is_empty());
        tags.fold(format!("{{__name__={}", quoted(name)), |text, (name, value)| {
            format!("{text},{name}={}", quoted(value))
        }) + "}"
    }
}

fn compressed(body: &[u8]) -> Result<Vec<u8>, SinkError> {
    // Fails beyond 4 GiB, which no batch comes near.
    snap::raw::Encoder::new().compress_vec(body).map_err(|error| SinkError::TooLarge { reason: error.to_string() })
}

/// A `WriteRequest` (prometheus/prompb/remote.proto and types.proto): one series a box and metric, its samples in order.
fn request(names: &Names, points: &[Point]) -> Vec<u8> {
    let mut boxes: BTreeMap<&str, Vec<&Point>> = BTreeMap::new();
    for point in points {
        boxes.entry(point.box_name.as_str()).or_default().push(point);
    }
    let mut request = Vec::new();
    for points in boxes.values_mut() {
        points.sort_by_key(|point| point.at);
        let mut samples: [Vec<u8>; METRICS.len()] = Default::default();
        for point in points.iter() {
            for field in point.fields() {
                if let Some(index) = METRICS.iter().position(|metric| metric.field == field.name) {
                    push_sample(&mut samples[index], field.value(), point.at.millis());
                }
            }
        }
        let Some(point) = points.first() else { continue };
        for ((_, name), samples) in names.metrics().zip(&samples).filter(|(_, samples)| !samples.is_empty()) {
            let mut labels = names.labels(point);
            labels.push(("__name__", name));
            labels.sort_unstable();
            let mut series = Vec::new();
            for (name, value) in labels {
                push_label(&mut series, name, value);
            }
            series.extend_from_slice(samples);
            push_bytes(&mut request, 1, &series);
        }
    }
    request
}

/// Field 1 of a `TimeSeries`: a `Label`, its name and value.
fn push_label(out: &mut Vec<u8>, name: &str, value: &str) {
    let mut label = Vec::with_capacity(name.len() + value.len() + 8);
    push_bytes(&mut label, 1, name.as_bytes());
    push_bytes(&mut label, 2, value.as_bytes());
    push_bytes(out, 1, &label);
}

/// Field 2 of a `TimeSeries`: a `Sample`, its value (a double, field 1) and its time in milliseconds (an int64, field 2).
fn push_sample(out: &mut Vec<u8>, value: f64, millis: i64) {
    let mut sample = Vec::with_capacity(20);
    sample.push(1 << 3 | 1);
    sample.extend_from_slice(&value.to_le_bytes());
    sample.push(2 << 3);
    push_varint(&mut sample, millis.cast_unsigned());
    push_bytes(out, 2, &sample);
}

/// A field of wire type 2: bytes with their length in front.
fn push_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::super::tests::{labels, settings};
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_at_once() {
        let error = |values: &[(&str, &str)]| open(&settings(values), &labels()).err().map(|error| error.key);
        assert_eq!(error(&[]), None);
        assert_eq!(error(&[(TOKEN, "t")]), None);
        assert_eq!(error(&[(TOKEN, "t"), (USERNAME, "u")]), Some(format!("{TOKEN}, {USERNAME}")));
        assert_eq!(error(&[(TENANT, "team a")]), None);
        assert_eq!(error(&[(TENANT, "ä")]).as_deref(), Some(TENANT));
    }

    #[test]
    fn queries_go_where_the_server_answers_them() {
        for (write, read) in [
            ("http://p:9090/api/v1/write", Some("http://p:9090/api/v1/")),
            ("http://p/prom/api/v1/write", Some("http://p/prom/api/v1/")),
            ("https://m/api/v1/push", Some("https://m/prometheus/api/v1/")),
            ("https://g.grafana.net/api/prom/push", Some("https://g.grafana.net/api/prom/api/v1/")),
            ("http://t:19291/api/v1/receive", None),
        ] {
            let url = read_url(&Url::parse(write).expect("an address"));
            assert_eq!(url.as_ref().map(Url::as_str), read, "{write}");
        }
    }

    #[test]
    fn what_is_about_time_lasts() {
        let verdict = |status, body: &str| {
            verdict(&Answer { status, retry_after: None, headers: HeaderMap::new(), body: body.to_owned() })
        };
        let mimir = "failed pushing to ingester: user=a: the sample has been rejected because";
        for (status, body) in [
            (400, "out of order sample\n"),
            (400, "duplicate sample for timestamp\n"),
            (400, "out of bounds\n"),
            (500, "too old sample\n"),
            (400, "user=a: sample timestamp out of order; last timestamp: 1, incoming timestamp: 0"),
            (400, &format!("{mimir} another sample with a more recent timestamp (err-mimir-sample-out-of-order)")),
            (400, &format!("{mimir} its timestamp is too old (err-mimir-sample-timestamp-too-old)")),
            (400, &format!("{mimir} of the same timestamp (err-mimir-sample-duplicate-timestamp)")),
            (400, "received a sample whose timestamp is too far in the future (err-mimir-too-far-in-future)"),
            (409, "store locally for endpoint 127.0.0.1:10901: conflict"),
        ] {
            assert!(matches!(verdict(status, body), Err(SinkError::Rejected { lasting: true, .. })), "{status} {body}");
        }
        assert!(matches!(verdict(400, "snappy: corrupt input"), Err(SinkError::Rejected { lasting: false, .. })));
        assert!(matches!(verdict(500, "no space left on device"), Err(SinkError::Retry { .. })));
        assert!(matches!(verdict(429, "too old"), Err(SinkError::Retry { .. })));
        let off = "remote write receiver needs to be enabled with --enable-feature=remote-write-receiver";
        let Err(SinkError::Misconfigured { reason }) = verdict(404, off) else { panic!("a setting of the server") };
        assert!(reason.contains("--web.enable-remote-write-receiver"), "{reason}");
    }

    /// The examples of protobuf.dev, "Encoding".
    #[test]
    fn varints_are_those_of_protocol_buffers() {
        for (number, expected) in
            [(0, &[0u8][..]), (1, &[1]), (127, &[127]), (128, &[0x80, 1]), (150, &[0x96, 1]), (u64::MAX, &[255; 9])]
        {
            let mut out = Vec::new();
            push_varint(&mut out, number);
            assert_eq!(out[..expected.len()], *expected, "{number}");
        }
    }
}
