//! Where points are delivered. [`SINKS`] lists every backend; a further one is one file here and one line there.
//!
//! A [`Sink`] turns points into one request and the answer into `Ok` or a [`SinkError`]; it keeps nothing. When to send, how
//! long to wait and when to raise the alarm is `filamentbox_core::delivery`; which part of a refused request is at fault is found
//! by `filamentbox_core::delivery::bisection`; what waits is the journal's.
//! Delivery is at least once. A point's identity is (series, time of reading), so what is sent again overwrites itself.

mod health;
pub(crate) mod http;
pub mod influxdb_v1;
pub mod influxdb_v2;
pub mod influxdb_v3;
pub mod line_protocol;
mod lines;
pub mod probe;
pub mod prometheus;
pub mod prometheus_remote_write;
mod secrets;
pub mod timescaledb;
pub(crate) mod tls;
pub mod victoriametrics;

pub use health::{Finding, Health};
pub use lines::{Body, Lines};
pub(crate) use secrets::Secrets;
pub(crate) use tls::no_tls;

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::time::Duration;

use filamentbox_core::config::{Config, ConfigError, KeySpec, Kind, Settings};
use filamentbox_core::delivery::Failure;
use filamentbox_core::sample::Point;
use filamentbox_core::time::UnixTime;

/// Why points were not accepted, by what to do next. None of them loses a point.
///
/// A reason is for people: it has the server's own words, cut to 300 characters, and never a password or token.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SinkError {
    /// It may work later: network, overload, a server in trouble.
    #[error("{reason}")]
    Retry {
        /// What happened.
        reason: String,
        /// The server asked for this delay.
        after: Option<Duration>,
    },
    /// The server will not take one or several of these points; which, it does not say. The others may be stored or not.
    #[error("{reason}")]
    Rejected {
        /// What the server said.
        reason: String,
        /// It is about the time of the points (older than the server keeps, out of order), which nothing will change: no sign is
        /// needed that the server takes points at all.
        lasting: bool,
    },
    /// The server has stored all of these points but some.
    #[error("{reason}")]
    Partial {
        /// What the server said.
        reason: String,
        /// Those it refused: the index in the request, and why.
        rejected: Vec<(usize, String)>,
    },
    /// The request is too large for the server.
    #[error("{reason}")]
    TooLarge {
        /// What the server said.
        reason: String,
    },
    /// The settings, or those of the server, must change first.
    #[error("{reason}")]
    Misconfigured {
        /// What to change.
        reason: String,
    },
}

impl SinkError {
    /// What `filamentbox_core::delivery` needs to know of it.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Retry { after, .. } => Failure::Retry { after: *after },
            Self::Rejected { .. } | Self::Partial { .. } | Self::TooLarge { .. } => Failure::Rejected,
            Self::Misconfigured { .. } => Failure::Misconfigured,
        }
    }
}

/// What [`Sink::write`] returns. It may be dropped at any moment; the points may then have arrived or not.
pub type Written<'a> = Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>>;

/// What [`Sink::held`] returns: for each point whether the server has it, or `None` when it cannot be asked.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<bool>>, SinkError>> + Send + 'a>>;

/// What [`Sink::has_none`] returns.
pub type Absent<'a> = Pin<Box<dyn Future<Output = Result<bool, SinkError>> + Send + 'a>>;

/// What [`Sink::test`] returns.
pub type Tested<'a> = Pin<Box<dyn Future<Output = Health> + Send + 'a>>;

/// From the oldest to the newest of `points`; `None` without points.
pub fn times_of(points: &[Point]) -> Option<RangeInclusive<UnixTime>> {
    let times = || points.iter().map(|point| point.at);
    Some(times().min()?..=times().max()?)
}

/// An open backend.
pub trait Sink: Send + Sync {
    /// Delivers `points`, in one request; `Ok` when the server has accepted all of them.
    fn write<'a>(&'a mut self, points: &'a [Point]) -> Written<'a>;

    /// What makes the bodies of requests, where it can do so before their turn has come: then [`Self::write_body`] is given what it made.
    fn lines(&self) -> Option<&Lines> {
        None
    }

    /// Like [`Self::write`], with the body that [`Self::lines`] has made of these very points.
    fn write_body<'a>(&'a mut self, points: &'a [Point], body: Body) -> Written<'a> {
        let _ = body;
        self.write(points)
    }

    /// Looks whether it could deliver, without storing or changing anything: for `database test`.
    fn test(&mut self) -> Tested<'_>;

    /// Host and port of the server, where a connection shows that it is there. `None` where it shows nothing (a proxy in between).
    fn address(&self) -> Option<(String, u16)> {
        None
    }

    /// Which of `points` the server has. Asked where a re-send would not overwrite, or an accepted point may be lost.
    fn held<'a>(&'a mut self, points: &'a [Point]) -> Asked<'a> {
        let _ = points;
        Box::pin(async { Ok(None) })
    }

    /// Whether the server certainly has no point of ours in a stretch of time: then [`Self::held`] need not be asked batch by batch. `false`
    /// when it has some, or does not say.
    fn has_none(&mut self, times: RangeInclusive<UnixTime>) -> Absent<'_> {
        let _ = times;
        Box::pin(async { Ok(false) })
    }

    /// The daemon stops in good order, and everything that could be sent has been.
    fn close(&mut self) -> Written<'_> {
        Box::pin(async { Ok(()) })
    }
}

/// What a backend does with points of the past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum History {
    /// It takes them in any order.
    AnyOrder,
    /// It takes them as long as nothing newer of the same series is there.
    InOrder,
    /// It has one value a series, and whatever arrives becomes it: only the newest point may be sent.
    LatestOnly,
}

/// How points are named and tagged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Labels {
    /// The measurement's name.
    pub measurement: String,
    /// Tags of every point: name and value.
    pub tags: Vec<(String, String)>,
    /// Adds the tag `box`, its value the name of the point's box: when there is more than one.
    pub tag_box: bool,
}

/// Opens a backend, or says which setting makes that impossible.
pub type Open = fn(&Settings, &Labels) -> Result<Box<dyn Sink>, ConfigError>;

/// A kind of backend.
pub struct SinkKind {
    /// Its word in `database.type`.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Its settings.
    pub keys: &'static [KeySpec],
    /// What it does with points of the past.
    pub history: History,
    /// An accepted point can still be lost for so long, if the server is killed. Until then it does not count as delivered, and
    /// then it is asked for. Zero where "accepted" means "stored" and a re-send overwrites.
    pub settle: Duration,
    /// Opens it. Contacts nobody: a server that is down is found out by the first write.
    pub open: Open,
}

/// Every kind of backend.
pub const SINKS: &[SinkKind] = &[
    influxdb_v1::KIND,
    influxdb_v2::KIND,
    influxdb_v3::KIND,
    prometheus::KIND,
    prometheus_remote_write::KIND,
    timescaledb::KIND,
    victoriametrics::KIND,
];

const NAMES: [&str; SINKS.len() + 1] = {
    let mut names = ["none"; SINKS.len() + 1];
    let mut i = 0;
    while i < SINKS.len() {
        names[i + 1] = SINKS[i].name;
        i += 1;
    }
    names
};

/// The key that chooses backends.
pub const TYPE_KEY: KeySpec = KeySpec::new(
    "database.type",
    Kind::Choices(&NAMES),
    "none",
    "",
    "Where points are delivered. Several backends run side by side, each at its own pace.",
);

/// [`TYPE_KEY`] and the keys of every backend.
pub fn keys() -> impl Iterator<Item = &'static KeySpec> {
    std::iter::once(&TYPE_KEY).chain(SINKS.iter().flat_map(|kind| kind.keys))
}

/// The kind of backend with this name.
pub fn find(name: &str) -> Option<&'static SinkKind> {
    SINKS.iter().find(|kind| kind.name == name)
}

impl Labels {
    /// The labels that the settings ask for.
    pub fn of(config: &Config) -> Self {
        Self { measurement: config.measurement.clone(), tags: config.tags.clone(), tag_box: config.boxes.len() > 1 }
    }
}

/// What keeps the configured backends from being opened: all of it.
pub fn check(settings: &Settings, config: &Config) -> Vec<ConfigError> {
    let labels = Labels::of(config);
    let chosen = config.backends.iter().filter_map(|name| find(name));
    chosen.flat_map(|kind| check_one(kind, settings, &labels)).collect()
}

/// Every key that must be set and is not; else what opening it finds first. (A server behind a proxy may need no token, so a secret is
/// never demanded.)
fn check_one(kind: &SinkKind, settings: &Settings, labels: &Labels) -> Vec<ConfigError> {
    let is_missing = |spec: &&KeySpec| spec.required && !spec.is_secret() && settings.text(spec.key).is_empty();
    let missing: Vec<ConfigError> = kind.keys.iter().filter(is_missing).map(|spec| missing(kind, spec)).collect();
    if missing.is_empty() { (kind.open)(settings, labels).err().into_iter().collect() } else { missing }
}

fn missing(kind: &SinkKind, spec: &KeySpec) -> ConfigError {
    let problem = format!("is not set, and database.type {} needs it: {}", kind.name, spec.doc);
    ConfigError { key: spec.key.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use filamentbox_core::config::{Layer, Registry, Source};

    use super::*;

    /// The settings of a registry that has these sinks' keys.
    pub(super) fn settings(values: &[(&str, &str)]) -> Settings {
        let values = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Registry::new(keys()).resolve(&[Layer { source: Source::Environment, values }]).expect("allowed")
    }

    pub(super) fn labels() -> Labels {
        Labels { measurement: "environment".to_owned(), tags: Vec::new(), tag_box: false }
    }

    #[test]
    fn every_kind_is_a_choice_and_brings_its_own_keys() {
        for kind in SINKS {
            assert_eq!(TYPE_KEY.parse(kind.name), TYPE_KEY.parse(&kind.name.to_uppercase()));
            assert!(TYPE_KEY.parse(kind.name).is_ok() && find(kind.name).is_some(), "{}", kind.name);
            let prefix = format!("database.{}.", kind.name);
            assert!(kind.keys.iter().all(|spec| spec.key.starts_with(&prefix)), "{}", kind.name);
        }
        assert!(TYPE_KEY.parse("none").is_ok() && TYPE_KEY.parse("banana").is_err());
    }

    #[test]
    fn every_default_is_allowed() {
        settings(&[]);
    }
}
