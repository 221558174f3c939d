//! VictoriaMetrics: `POST /write`, single node or (with a tenant) the `vminsert` of a cluster.
//!
//! A field becomes the series `MEASUREMENT_FIELD` with the tags as labels. What to know of this server (1.79.5):
//! - It answers 204 to lines that it cannot read or that lie outside its retention or more than two days in the future, and
//!   only counts them (`vm_rows_invalid_total`, `vm_rows_ignored_total`). So a 204 says "arrived", not "stored"; a batch that is not
//!   there after a second sending either is given up, counted as dead letters, and said.
//! - It answers 204 before the points reach its disk. After SIGKILL the accepted points of the last 1 to 10 s were gone in 46 of
//!   48 trials: with a point every 0.25 s, those of the last 1, 4, 5, 5, 6, 7, 8 and 9 s; of a series whose only points were
//!   written up to 7 s before, all. After SIGTERM nothing is gone. So a point counts as delivered when it is still there after
//!   15 s (`SETTLE`); until then the cursor waits, and what a killed server has lost is sent again.
//! - It stores a point that is sent twice, twice; both have the same time and value. So before anything is sent again, the server
//!   is asked what it has (`/api/v1/export`), and only the rest is sent. Where it cannot be asked (a cluster's `vminsert`, a user
//!   who may only write), an accepted point counts as delivered, and `-dedup.minScrapeInterval=1ms` on the server hides copies.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use filamentbox_core::config::{ConfigError, KeySpec, Kind, Settings};
use filamentbox_core::sample::Point;
use filamentbox_core::time::{Monotonic, UnixTime};
use reqwest::Url;
use serde::Deserialize;

use super::http::{self, Answer, Http, classify};
use super::line_protocol::{Backslash, Encoder};
use super::{
    Absent, Asked, Body, Finding, Health, History, Labels, Lines, Sink, SinkError, SinkKind, Tested, Written, times_of,
};
use crate::runtime::clock::boottime;

const NAME: &str = "victoriametrics";
const TITLE: &str = "VictoriaMetrics";
const URL: &str = "database.victoriametrics.url";
const USERNAME: &str = "database.victoriametrics.username";
const PASSWORD: &str = "database.victoriametrics.password";
const TOKEN: &str = "database.victoriametrics.token";
const TENANT: &str = "database.victoriametrics.tenant";

/// VictoriaMetrics.
pub const KIND: SinkKind =
    SinkKind { name: NAME, title: TITLE, keys: KEYS, history: History::AnyOrder, settle: SETTLE, open };

/// In-memory parts reach the disk within 5 s of becoming parts; the longest loss that was measured was 10 s.
const SETTLE: Duration = Duration::from_secs(15);
/// The field by which points are found again: every point has it.
const FOUND_BY: &str = "temperature_c";
/// An answer about 10 000 points takes 300 kB; one longer than this is of somebody else's data too.
const EXPORT_MAX: usize = 4 * 1024 * 1024;
/// Of an answer that should be empty, and of a refusal, so much is read.
const EMPTY_MAX: usize = 1024;
/// What has just arrived is made visible once in this time. Nothing is asked for sooner than 3 s after it was sent.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

const KEYS: &[KeySpec] = &[
    KeySpec::new(URL, Kind::Url, "http://localhost:8428", "", "The server's address; with a tenant, that of vminsert."),
    KeySpec::new(
        USERNAME,
        Kind::Text { max_bytes: 255 },
        "",
        "",
        "User name; empty for a server without Basic authentication.",
    ),
    KeySpec::new(PASSWORD, Kind::Secret, "", "", "The user's password."),
    KeySpec::new(TOKEN, Kind::Secret, "", "", "Bearer token (vmauth), instead of user name and password."),
    KeySpec::new(
        TENANT,
        Kind::Text { max_bytes: 21 },
        "",
        "",
        "Tenant in a cluster, ACCOUNT or ACCOUNT:PROJECT; empty for a single node.",
    ),
    http::ca_file("database.victoriametrics.ca_file"),
    http::gzip("database.victoriametrics.gzip"),
];

struct VictoriaMetrics {
    http: Http,
    lines: Lines,
    labels: Labels,
    write_url: Url,
    /// Where the server says what it has; not in a cluster, where another program does.
    read_urls: Option<ReadUrls>,
    /// When what had arrived was last made visible.
    flushed_at: Option<Monotonic>,
}

struct ReadUrls {
    /// Makes what has just arrived visible.
    force_flush: Url,
    export: Url,
}

fn open(settings: &Settings, labels: &Labels) -> Result<Box<dyn Sink>, ConfigError> {
    let auth = http::basic_or_token(settings, USERNAME, PASSWORD, TOKEN)?;
    let tenant = settings.text(TENANT);
    if !tenant.is_empty() && !is_tenant(tenant) {
        let problem = format!(
            "{tenant:?} is not allowed; allowed: ACCOUNT or ACCOUNT:PROJECT, each a number from 0 to {}",
            u32::MAX
        );
        return Err(ConfigError { key: TENANT.to_owned(), problem });
    }
    let path = if tenant.is_empty() { "write".to_owned() } else { format!("insert/{tenant}/influx/write") };
    let mut write_url = http::endpoint(settings, URL, &path)?;
    write_url.query_pairs_mut().append_pair("precision", "ms");
    let read_urls = match tenant.is_empty() {
        true => Some(ReadUrls {
            force_flush: http::endpoint(settings, URL, "internal/force_flush")?,
            export: http::endpoint(settings, URL, "api/v1/export")?,
        }),
        false => None,
    };
    let http = Http::open(settings, NAME, auth)?;
    Ok(Box::new(VictoriaMetrics {
        lines: Lines::new(Encoder::new(TITLE, labels, Backslash::Doubled)?, &http),
        http,
        labels: labels.clone(),
        write_url,
        read_urls,
        flushed_at: None,
    }))
}

/// The form of docs.victoriametrics.com, "Cluster version", "Multitenancy".
fn is_tenant(text: &str) -> bool {
    let is_number = |part: &str| part.bytes().all(|c| c.is_ascii_digit()) && part.parse::<u32>().is_ok();
    match text.split_once(':') {
        Some((account, project)) => is_number(account) && is_number(project),
        None => is_number(text),
    }
}

impl Sink for VictoriaMetrics {
    fn address(&self) -> Option<(String, u16)> {
        self.http.address()
    }

    fn write<'a>(&'a mut self, points: &'a [Point]) -> Written<'a> {
        Box::pin(async { self.deliver(self.lines.body(points).await).await })
    }

    fn lines(&self) -> Option<&Lines> {
        Some(&self.lines)
    }

    fn write_body<'a>(&'a mut self, _: &'a [Point], body: Body) -> Written<'a> {
        Box::pin(self.deliver(body))
    }

    fn held<'a>(&'a mut self, points: &'a [Point]) -> Asked<'a> {
        Box::pin(self.look_up(points))
    }

    fn has_none(&mut self, times: RangeInclusive<UnixTime>) -> Absent<'_> {
        Box::pin(async move {
            let answer = self.export(&times, EMPTY_MAX).await?;
            Ok(answer.is_some_and(|answer| answer.body.is_empty()))
        })
    }

    fn test(&mut self) -> Tested<'_> {
        Box::pin(async {
            let answer = match self.http.post(self.write_url.clone(), Vec::new()).await {
                Ok(answer) => answer,
                Err(error) => return Health::unknown().of_write(&Err(error)),
            };
            let written = verdict(&answer);
            match written {
                Err(SinkError::Misconfigured { reason }) if is_unknown_to_vmauth(&answer) => {
                    Health { reachable: Finding::Yes, authenticated: Finding::No(reason), ..Health::of_answer(&answer) }
                }
                written => Health::of_answer(&answer).of_write(&written),
            }
        })
    }
}

/// What an answer means. vmauth answers 400 to a token or a user that it does not know (1.79.5, "cannot find the provided auth token").
fn verdict(answer: &Answer) -> Result<(), SinkError> {
    if is_unknown_to_vmauth(answer) {
        let reason = format!("{} (check the token, or user name and password)", http::reason(TITLE, answer));
        return Err(SinkError::Misconfigured { reason });
    }
    classify(TITLE, answer)
}

fn is_unknown_to_vmauth(answer: &Answer) -> bool {
    answer.status == 400 && answer.body.starts_with("cannot find the provided auth token")
}

/// A line of `/api/v1/export`.
#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    timestamps: Vec<i64>,
}

impl VictoriaMetrics {
    async fn deliver(&self, body: Body) -> Result<(), SinkError> {
        verdict(&self.http.post(self.write_url.clone(), body).await?)
    }

    /// What the server has of our series in a stretch of time, at most `max` bytes of it. `None` when it does not say.
    async fn export(&mut self, times: &RangeInclusive<UnixTime>, max: usize) -> Result<Option<Answer>, SinkError> {
        let Some(urls) = &self.read_urls else { return Ok(None) };
        if self.flushed_at.is_none_or(|flushed_at| flushed_at + FLUSH_INTERVAL <= boottime()) {
            // Only makes the answer fresher; a server that forbids it shows new points a second later by itself.
            self.http.get(urls.force_flush.clone(), 0).await?;
            self.flushed_at = Some(boottime());
        }
        let mut url = urls.export.clone();
        url.query_pairs_mut()
            .append_pair("match[]", &self.selector())
            // Whole seconds around the range: the server reads these as floating point numbers.
            .append_pair("start", &(times.start().millis().div_euclid(1000) - 1).to_string())
            .append_pair("end", &(times.end().millis().div_euclid(1000) + 2).to_string());
        let answer = self.http.get(url, max).await?;
        match classify(TITLE, &answer) {
            Ok(()) => Ok(Some(answer)),
            Err(failure @ SinkError::Retry { .. }) => Err(failure),
            Err(_) => Ok(None),
        }
    }

    async fn look_up(&mut self, points: &[Point]) -> Result<Option<Vec<bool>>, SinkError> {
        let Some(times) = times_of(points) else { return Ok(None) };
        let answer = self.export(&times, EXPORT_MAX).await?.filter(|answer| answer.body.len() < EXPORT_MAX);
        let Some(answer) = answer else { return Ok(None) };
        let series: Result<Vec<Series>, _> = answer.body.lines().map(serde_json::from_str).collect();
        let Ok(series) = series else { return Ok(None) };
        let times_of = |box_name: &str| -> HashSet<i64> {
            let ours = self.metric(box_name);
            // A server may add labels of its own to every series.
            let exact = series.iter().any(|series| series.metric == ours);
            let is_ours = |metric: &BTreeMap<String, String>| match exact {
                true => *metric == ours,
                false => ours.iter().all(|(name, value)| metric.get(name) == Some(value)),
            };
            let found = series.iter().filter(|series| is_ours(&series.metric));
            found.flat_map(|series| series.timestamps.iter().copied()).collect()
        };
        let mut times: BTreeMap<&str, HashSet<i64>> = BTreeMap::new();
        let held = points.iter().map(|point| {
            let name = point.box_name.as_str();
            times.entry(name).or_insert_with(|| times_of(name)).contains(&point.at.millis())
        });
        Ok(Some(held.collect()))
    }

    /// The labels under which a box's points are found.
    fn metric(&self, box_name: &str) -> BTreeMap<String, String> {
        let mut metric: BTreeMap<String, String> = self.labels.tags.iter().cloned().collect();
        if self.labels.tag_box {
            metric.insert("box".to_owned(), box_name.to_owned());
        }
        metric.insert("__name__".to_owned(), format!("{}_{FOUND_BY}", self.labels.measurement));
        metric
    }

    /// Narrows the search to our series as far as the query language can name our tags; [`Self::metric`] does the rest.
    fn selector(&self) -> String {
        let is_plain = |name: &str| {
            name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
                && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        // The strings of the query language are those of Go, and JSON's are a subset of them.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut selector = format!("{{__name__={}", quoted(&format!("{}_{FOUND_BY}", self.labels.measurement)));
        for (name, value) in self.labels.tags.iter().filter(|(name, _)| is_plain(name)) {
            selector.push_str(&format!(",{name}={}", quoted(value)));
        }
        selector.push('}');
        selector
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{labels, settings};
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_at_once() {
        let error = |values: &[(&str, &str)]| open(&settings(values), &labels()).err().map(|error| error.key);
        assert_eq!(error(&[]), None);
        assert_eq!(error(&[(TOKEN, "t")]), None);
        assert_eq!(error(&[(USERNAME, "u"), (PASSWORD, "p")]), None);
        let both = format!("{TOKEN}, {USERNAME}");
        assert_eq!(error(&[(TOKEN, "t"), (USERNAME, "u")]), Some(both));
        assert_eq!(error(&[(TENANT, "x")]).as_deref(), Some(TENANT));
    }

    #[test]
    fn tenants_are_numbers() {
        for good in ["0", "42", "4294967295:0"] {
            assert!(is_tenant(good), "{good}");
        }
        for bad in ["", "a", "1:", ":1", "1:2:3", "-1", "+1", "4294967296", "../x"] {
            assert!(!is_tenant(bad), "{bad}");
        }
    }
}
