//! The backends one by one: a contract for all of them, and what is special about each.

mod contract;
mod http;
mod influxdb_v1;
mod influxdb_v2;
mod influxdb_v3;
mod prometheus;
mod prometheus_remote_write;
mod proxy;
mod timescaledb;
mod victoriametrics;

use std::collections::BTreeMap;

use crate::support::{
    InfluxServer, InfluxV2Double, InfluxV3Double, PostgresServer, PrometheusServer, PushgatewayServer, Server, Stored,
    VictoriaServer,
};
use filamentbox::sinks::{self, History, Labels, SINKS, Sink, SinkKind};
use filamentbox_core::config::{Layer, Registry, Settings, Source};
use filamentbox_core::sample::{BoxName, Measurement, Point};
use filamentbox_core::time::UnixTime;
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};

const START_MS: i64 = 1_700_000_000_123;

/// The server of a backend, a real one where it can be installed; a further backend needs one here.
pub(super) fn start(kind: &SinkKind) -> Option<Box<dyn Server>> {
    fn boxed<S: Server + 'static>(server: Option<S>) -> Option<Box<dyn Server>> {
        server.map(|server| Box::new(server) as Box<dyn Server>)
    }
    match kind.name {
        "influxdb_v1" => boxed(InfluxServer::start()),
        "influxdb_v2" => boxed(InfluxV2Double::start()),
        "influxdb_v3" => boxed(InfluxV3Double::start()),
        "prometheus" => boxed(PushgatewayServer::start()),
        "prometheus_remote_write" => boxed(PrometheusServer::start()),
        "timescaledb" => boxed(PostgresServer::start()),
        "victoriametrics" => boxed(VictoriaServer::start()),
        other => panic!("no test server for {other}"),
    }
}

pub(super) fn settings(values: &[(String, String)], changes: &[(&str, &str)]) -> Settings {
    let mut values: BTreeMap<String, String> = values.iter().cloned().collect();
    values.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let layer = Layer { source: Source::Environment, values: values.into_iter().collect() };
    Registry::new(sinks::keys()).resolve(&[layer]).expect("allowed settings")
}

pub(super) fn labels(tags: &[(&str, &str)], tag_box: bool) -> Labels {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Labels { measurement: "environment".to_owned(), tags, tag_box }
}

pub(super) fn open(kind: &SinkKind, settings: &Settings) -> Box<dyn Sink> {
    (kind.open)(settings, &labels(&[], false)).expect("opens")
}

/// The settings for `kind` at `url`, with nothing but what it requires.
pub(super) fn bare_settings(kind: &SinkKind, url: &str, changes: &[(&str, &str)]) -> Settings {
    let value = |key: &str| match key.rsplit('.').next() {
        Some("url") => Some(url.to_owned()),
        Some("database" | "org" | "bucket") => Some("filament".to_owned()),
        _ => None,
    };
    let values: Vec<_> = kind.keys.iter().filter_map(|spec| Some((spec.key.to_owned(), value(spec.key)?))).collect();
    settings(&values, changes)
}

pub(super) fn point(index: i64) -> Point {
    let small = |number: i64| i32::try_from(number).expect("small");
    let (centi, humidity) = (small(index * 7 % 20_000 - 300), small(index * 11 % 10_001));
    let pressure = (index % 3 != 0).then(|| Hectopascal::from_pascal(95_001 + centi)).flatten();
    Point {
        box_name: BoxName::main(),
        at: UnixTime::from_millis(START_MS + index * 4_999),
        measurement: Measurement {
            temperature: Celsius::from_centi(centi).expect("in range"),
            humidity: RelativeHumidity::from_centi(humidity).expect("in range"),
            pressure,
        },
        heater_on: index % 2 == 0,
        fan_on: index % 5 == 0,
    }
}

pub(super) fn points(indices: std::ops::Range<i64>) -> Vec<Point> {
    indices.map(point).collect()
}

pub(super) fn stored(point: &Point, tags: &[(&str, &str)]) -> Stored {
    Stored {
        ms: point.at.millis(),
        fields: point.fields().map(|field| (field.name.to_owned(), field.value())).collect(),
        tags: tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

/// Those of `points` (of one box) that are sent to this kind of backend, and those that are there afterwards.
pub(super) fn taken<'a>(kind: &SinkKind, points: &'a [Point]) -> &'a [Point] {
    match kind.history {
        History::AnyOrder | History::InOrder => points,
        History::LatestOnly => &points[points.len().saturating_sub(1)..],
    }
}

/// How a kind of backend calls a measurement or tag.
pub(super) fn called(kind: &SinkKind, name: &str) -> String {
    if !kind.name.starts_with("prometheus") {
        return name.to_owned();
    }
    let digit = name.chars().next().is_none_or(|c| c.is_ascii_digit());
    let valid = name.chars().map(|c| if c.is_ascii_digit() || c.is_ascii_alphabetic() { c } else { '_' });
    digit.then_some('_').into_iter().chain(valid).collect()
}

#[track_caller]
pub(super) fn assert_same<T: PartialEq + std::fmt::Debug>(got: &[T], expected: &[T], what: &str) {
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!(got, expected, "{what}");
    }
    assert_eq!(got.len(), expected.len(), "{what}");
}

pub(super) fn all_stored(points: &[Point]) -> Vec<Stored> {
    points.iter().map(|point| stored(point, &[])).collect()
}

/// The backends that speak HTTP, for the faults that [`crate::support::FaultServer`] can play.
pub(super) fn http_kinds() -> impl Iterator<Item = &'static SinkKind> {
    SINKS.iter().filter(|kind| kind.keys.iter().any(|spec| spec.key.ends_with(".url")))
}
