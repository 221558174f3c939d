//! Prometheus Pushgateway: `PUT /metrics/job/JOB/instance/INSTANCE[/NAME/VALUE...]`, the text format.
//!
//! What to know of this server (1.5.1):
//! - It has one value a series, without history, and refuses time stamps: Prometheus stores the value with the time at which it
//!   scrapes the gateway. So only the newest point goes there, and the time of the reading goes with it as a metric.
//! - A `PUT` replaces a whole *group* (what has the same path). So each request has the newest point of every box.
//! - The group's labels replace those of the same name in the body; a tag with such a name is refused here.
//! - A value with a slash, or an empty one, cannot stand in the path but as base64 (its README, "URL"). Neither can a
//!   value of dots, which a client or a proxy takes for a folder. `%2F` does not help.
//! - It keeps a group until somebody deletes it, though the sender has been gone for a year. `delete_on_stop` deletes it.
//! - 400: a metric has another type in another group; the reason says so.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use filamentbox_core::config::{ConfigError, KeySpec, Kind, Settings};
use filamentbox_core::sample::{BoxName, Point};
use reqwest::{Method, Url};

use super::http::{self, Answer, Http, classify};
use super::{Finding, Health, History, Labels, Sink, SinkError, SinkKind, Tested, Written};
use crate::exposition::{self, CONTENT_TYPE, Exposition, MetricType, Names, Row};

const NAME: &str = "prometheus";
const TITLE: &str = "Prometheus Pushgateway";
const URL: &str = "database.prometheus.url";
const JOB: &str = "database.prometheus.job";
const INSTANCE: &str = "database.prometheus.instance";
const GROUPING: &str = "database.prometheus.grouping.NAME";
const USERNAME: &str = "database.prometheus.username";
const PASSWORD: &str = "database.prometheus.password";
const DELETE_ON_STOP: &str = "database.prometheus.delete_on_stop";

/// The metric that tells when a box was measured.
const TIME_METRIC: &str = "filamentbox_sample_timestamp_seconds";
/// The path of a group that nobody uses: it is made and deleted to see whether that is allowed.
const TEST_GROUP: &str = "metrics/job/filamentbox_test";
/// An answer is a few hundred bytes; the status page with all flags takes about two thousand.
const ANSWER_MAX: usize = 16 * 1024;
const LABEL_VALUE_MAX: usize = 255;

/// Prometheus Pushgateway.
pub const KIND: SinkKind = SinkKind {
    name: NAME,
    title: TITLE,
    keys: KEYS,
    history: History::LatestOnly,
    settle: std::time::Duration::ZERO,
    open,
};

const KEYS: &[KeySpec] = &[
    KeySpec::new(URL, Kind::Url, "http://localhost:9091", "", "The Pushgateway's address."),
    KeySpec::new(JOB, Kind::Text { max_bytes: LABEL_VALUE_MAX }, "filamentbox", "", "The label job of the group."),
    KeySpec::new(
        INSTANCE,
        Kind::Text { max_bytes: LABEL_VALUE_MAX },
        "",
        "",
        "The label instance of the group; empty: this machine's name.",
    ),
    KeySpec::new(
        GROUPING,
        Kind::Text { max_bytes: LABEL_VALUE_MAX },
        "",
        "",
        "A further label of the group, for example database.prometheus.grouping.site = attic.",
    ),
    KeySpec::new(
        USERNAME,
        Kind::Text { max_bytes: 255 },
        "",
        "",
        "User name; empty for a gateway without Basic authentication.",
    ),
    KeySpec::new(PASSWORD, Kind::Secret, "", "", "The user's password."),
    KeySpec::new(
        DELETE_ON_STOP,
        Kind::Bool,
        "false",
        "",
        "Deletes the group when the daemon stops in good order, so that no old values stay behind.",
    ),
    http::ca_file("database.prometheus.ca_file"),
];

struct Pushgateway {
    http: Http,
    names: Names,
    group_url: Url,
    test_url: Url,
    status_url: Url,
    delete_on_stop: bool,
    /// Because a request replaces the points of all boxes.
    newest: BTreeMap<BoxName, Point>,
}

fn open(settings: &Settings, labels: &Labels) -> Result<Box<dyn Sink>, ConfigError> {
    let grouping = grouping(settings)?;
    let mut path = "metrics".to_owned();
    for (name, value) in &grouping {
        path.push_str(&path_part(name, value));
    }
    let taken: Vec<&str> = grouping.iter().map(|(name, _)| name.as_str()).collect();
    Ok(Box::new(Pushgateway {
        http: Http::open(settings, NAME, http::basic(settings, USERNAME, PASSWORD)?)?,
        names: Names::new(TITLE, labels, &taken)?,
        group_url: http::endpoint(settings, URL, &path)?,
        test_url: http::endpoint(settings, URL, TEST_GROUP)?,
        status_url: http::endpoint(settings, URL, "api/v1/status")?,
        delete_on_stop: settings.switch(DELETE_ON_STOP),
        newest: BTreeMap::new(),
    }))
}

/// The group's labels: job first, as the path demands.
fn grouping(settings: &Settings) -> Result<Vec<(String, String)>, ConfigError> {
    let job = settings.text(JOB).to_owned();
    if job.is_empty() {
        let problem = "an empty job is not allowed; allowed: a text of at least one character".to_owned();
        return Err(ConfigError { key: JOB.to_owned(), problem });
    }
    let instance = match settings.text(INSTANCE) {
        "" => exposition::instance(),
        text => text.to_owned(),
    };
    let mut labels = vec![("job".to_owned(), job), ("instance".to_owned(), instance)];
    let prefix = GROUPING.trim_end_matches("NAME");
    for (name, value) in settings.family(prefix) {
        if !exposition::is_label(name) || labels.iter().any(|(other, _)| other == name) {
            let problem = format!(
                "the name {name:?} is not allowed; allowed: letters, digits and _, no digit and not __ in front, and neither job nor instance"
            );
            return Err(ConfigError { key: format!("{prefix}{name}"), problem });
        }
        labels.push((name.to_owned(), value.to_owned()));
    }
    Ok(labels)
}

/// A label in the path of a group.
fn path_part(name: &str, value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    if value.is_empty() {
        format!("/{name}@base64/=")
    } else if value.chars().all(is_plain) && value.chars().any(|c| c != '.') {
        format!("/{name}/{value}")
    } else {
        format!("/{name}@base64/{}", URL_SAFE_NO_PAD.encode(value))
    }
}

impl Sink for Pushgateway {
    fn address(&self) -> Option<(String, u16)> {
        self.http.address()
    }

    fn write<'a>(&'a mut self, points: &'a [Point]) -> Written<'a> {
        Box::pin(async move {
            if points.is_empty() {
                return Ok(());
            }
            for point in points {
                if self.newest.get(&point.box_name).is_none_or(|known| known.at <= point.at) {
                    self.newest.insert(point.box_name.clone(), point.clone());
                }
            }
            let answer = self.put(self.group_url.clone(), self.body()).await?;
            classify(TITLE, &answer)
        })
    }

    /// Whether it may write is seen by making an empty group, which is deleted at once.
    fn test(&mut self) -> Tested<'_> {
        Box::pin(async {
            let status = match self.http.get(self.status_url.clone(), ANSWER_MAX).await {
                Ok(status) => status,
                Err(error) => return Health::unknown().of_write(&Err(error)),
            };
            let health = Health {
                version: version(&status).map(|version| self.http.redact(&version)),
                ..Health::of_answer(&status)
            };
            let made = match self.put(self.test_url.clone(), Vec::new()).await {
                Ok(answer) => classify(TITLE, &answer),
                Err(error) => Err(error),
            };
            let mut health = health.of_write(&made);
            if made.is_ok()
                && let Err(error) = self.delete(self.test_url.clone()).await
            {
                let url = &self.test_url;
                health.may_write = Finding::No(format!("{error}; an empty group stays behind: delete {url}"));
            }
            health
        })
    }

    fn close(&mut self) -> Written<'_> {
        Box::pin(async { if self.delete_on_stop { self.delete(self.group_url.clone()).await } else { Ok(()) } })
    }
}

impl Pushgateway {
    fn body(&self) -> Vec<u8> {
        let rows: Vec<Row<'_>> = self
            .newest
            .values()
            .map(|point| Row { labels: self.names.labels(point), fields: point.fields().collect() })
            .collect();
        let mut text = Exposition::default();
        text.rows(&self.names, &rows);
        text.metric(TIME_METRIC, MetricType::Gauge, "When the box was measured, in Unix seconds.");
        for (row, point) in rows.iter().zip(self.newest.values()) {
            text.sample(TIME_METRIC, &row.labels, point.at.millis(), 3);
        }
        text.into_bytes()
    }

    async fn put(&self, url: Url, body: Vec<u8>) -> Result<Answer, SinkError> {
        let request = self.http.request(Method::PUT, url).header("content-type", CONTENT_TYPE).body(body);
        self.http.send(request, ANSWER_MAX).await
    }

    async fn delete(&self, url: Url) -> Result<(), SinkError> {
        let answer = self.http.send(self.http.request(Method::DELETE, url), ANSWER_MAX).await?;
        classify(TITLE, &answer)
    }
}

fn version(status: &Answer) -> Option<String> {
    let status: serde_json::Value = serde_json::from_str(&status.body).ok()?;
    Some(format!("Pushgateway {}", status.pointer("/data/build_information/version")?.as_str()?))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{labels, settings};
    use super::*;

    #[test]
    fn what_cannot_stand_in_a_path_is_base64() {
        for (value, expected) in [
            ("pi-1.local", "/l/pi-1.local"),
            ("", "/l@base64/="),
            ("/", "/l@base64/Lw"),
            ("var/tmp", "/l@base64/dmFyL3RtcA"),
            ("..", "/l@base64/Li4"),
            ("a b", "/l@base64/YSBi"),
            ("??>", "/l@base64/Pz8-"),
            ("ü", "/l@base64/w7w"),
        ] {
            assert_eq!(path_part("l", value), expected, "{value:?}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_at_once() {
        let error = |values: &[(&str, &str)], tags: &[(&str, &str)]| {
            let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            open(&settings(values), &Labels { tags, ..labels() }).err().map(|error| error.key)
        };
        let grouping = |name: &str| format!("database.prometheus.grouping.{name}");
        assert_eq!(error(&[], &[("place", "attic")]), None);
        assert_eq!(error(&[(JOB, "")], &[]).as_deref(), Some(JOB));
        for bad in ["job", "instance", "a-b", "1", "__a", "ä"] {
            assert_eq!(error(&[(&grouping(bad), "x")], &[]), Some(grouping(bad)), "{bad}");
        }
        assert_eq!(error(&[(&grouping("site"), "")], &[]), None);
        for taken in ["job", "instance", "site"] {
            let key = error(&[(&grouping("site"), "x")], &[(taken, "x")]);
            assert_eq!(key, Some(format!("data_collection.tags.{taken}")));
        }
    }
}
