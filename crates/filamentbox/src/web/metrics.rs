//! `GET /metrics`: the boxes and the deliveries for a Prometheus that scrapes.
//!
//! A reading is shown for [`FRESH`]; afterwards only its age is, so that no dead sensor looks like steady air. The readings have the
//! names and labels that the other two ways to Prometheus give them; the rest begins with `filamentbox_`.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use filamentbox_core::sample::{Field, Point};
use filamentbox_core::snapshot::BoxSnapshot;
use filamentbox_core::time::{Clock, UnixTime};

use super::Daemon;
use super::routes::within;
use crate::exposition::{self, Exposition, MetricType, Row};
use crate::journal::{Account, Statistics};
use crate::runtime::sink_view::{SinkStatus, SinkView};

/// Prometheus takes a value for as long as well when nothing newer comes.
const FRESH: Duration = Duration::from_secs(300);

/// Everything for a Prometheus that scrapes.
#[utoipa::path(get, path = "/metrics", tag = "Service", responses(
    (status = 200, description = "Prometheus text", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(daemon): State<Daemon>) -> impl IntoResponse {
    let mut text = Exposition::default();
    boxes(&mut text, &daemon);
    text.metric("filamentbox_build_info", MetricType::Gauge, "The version that runs; always 1.");
    text.sample("filamentbox_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1, 0);
    // The boxes are shown whatever the disk does.
    let (statistics, accounts) = tokio::join!(within(daemon.journal.statistics()), within(daemon.journal.accounts()));
    journal(&mut text, statistics.ok().as_ref());
    if let Ok(accounts) = accounts {
        let shown = daemon.shown.borrow().clone();
        backends(&mut text, &shown.sinks, &accounts);
    }
    ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], text.into_bytes())
}

fn boxes(text: &mut Exposition, daemon: &Daemon) {
    let clock = daemon.clocks.read();
    let snapshots = daemon.snapshots.borrow().clone();
    let shown = daemon.shown.borrow().clone();
    let names = &shown.names;
    let rows: Vec<Row<'_>> = snapshots
        .iter()
        .map(|snapshot| Row { labels: names.labels_of(snapshot.name.as_str()), fields: fields(snapshot, clock) })
        .collect();
    text.rows(names, &rows);
    let age = format!("{}_sample_age_seconds", names.prefix());
    text.metric(&age, MetricType::Gauge, "Time since the last reading.");
    for (snapshot, row) in snapshots.iter().zip(&rows) {
        if let Some(reading) = snapshot.reading {
            text.sample(&age, &row.labels, whole(clock.now.since(reading.taken_at).as_millis()), 3);
        }
    }
    text.metric("filamentbox_faults", MetricType::Gauge, "Faults that a person has to see to.");
    for (snapshot, row) in snapshots.iter().zip(&rows) {
        text.sample("filamentbox_faults", &row.labels, whole(snapshot.faults.len()), 0);
    }
}

/// The outputs as they are, and the reading while it is fresh.
fn fields(snapshot: &BoxSnapshot, clock: Clock) -> Vec<Field> {
    let fresh = snapshot.reading.filter(|reading| clock.now.since(reading.taken_at) <= FRESH);
    let point = fresh.map(|reading| Point {
        box_name: snapshot.name.clone(),
        at: UnixTime::from_millis(0),
        measurement: reading.measurement,
        heater_on: snapshot.heater.on,
        fan_on: snapshot.fan.on,
    });
    let output = |name, on: bool| Field { name, digits: on.into(), decimals: 0 };
    let outputs = [output("heater_on", snapshot.heater.on), output("fan_on", snapshot.fan.on)];
    let measured = point.iter().flat_map(Point::fields).filter(|field| !field.name.ends_with("_on"));
    measured.chain(outputs).collect()
}

fn journal(text: &mut Exposition, statistics: Option<&Statistics>) {
    let mut one = |name: &str, kind, help, value| {
        text.metric(name, kind, help);
        text.sample(name, &[], value, 0);
    };
    let works = statistics.is_some_and(|statistics| statistics.disk_error.is_none());
    one("filamentbox_journal_up", MetricType::Gauge, "Whether the journal answers and its disk works.", works.into());
    let Some(statistics) = statistics else { return };
    let bytes = whole(statistics.file_bytes);
    one("filamentbox_journal_bytes", MetricType::Gauge, "Size of the journal's file.", bytes);
    let help = "Samples that reached the journal, since its file was made.";
    one("filamentbox_journal_samples_total", MetricType::Counter, help, whole(statistics.sampled));
    let help = "Samples that the journal could not take in time, since the start.";
    one("filamentbox_journal_dropped_samples_total", MetricType::Counter, help, whole(statistics.dropped));
}

/// A metric of a backend, and how it is read; `None` where it is not known.
struct OfBackend {
    name: &'static str,
    kind: MetricType,
    help: &'static str,
    /// Digits, and how many of them stand behind the point.
    value: fn(&Account, &SinkStatus) -> Option<(i64, u8)>,
}

/// In words: `sampled = delivered + superseded + evicted + waiting + dead_letter` at any moment. A dead letter may be retried, so it
/// is no counter.
const OF_BACKEND: [OfBackend; 6] = [
    OfBackend {
        name: "filamentbox_samples_sampled_total",
        kind: MetricType::Counter,
        help: "Samples that are to be delivered to a backend, each once.",
        value: |account, _| Some((whole(account.sampled), 0)),
    },
    OfBackend {
        name: "filamentbox_samples_waiting",
        kind: MetricType::Gauge,
        help: "Samples that wait for delivery.",
        value: |account, _| Some((whole(account.waiting), 0)),
    },
    OfBackend {
        name: "filamentbox_samples_dead_letter",
        kind: MetricType::Gauge,
        help: "Samples that the backend has refused for good.",
        value: |account, _| Some((whole(account.dead_letter), 0)),
    },
    OfBackend {
        name: "filamentbox_backend_up",
        kind: MetricType::Gauge,
        help: "Whether the last delivery succeeded; absent before the first.",
        value: |_, status| Some((status.connected?.into(), 0)),
    },
    OfBackend {
        name: "filamentbox_backend_failures",
        kind: MetricType::Gauge,
        help: "Failed deliveries since the last one that succeeded.",
        value: |_, status| Some((status.consecutive_failures.into(), 0)),
    },
    OfBackend {
        name: "filamentbox_backend_oldest_waiting_timestamp_seconds",
        kind: MetricType::Gauge,
        help: "When the oldest sample that waits was taken, in Unix seconds; absent while none waits.",
        value: |account, _| Some((account.oldest?.millis(), 3)),
    },
];

fn backends(text: &mut Exposition, views: &[SinkView], accounts: &[Account]) {
    let of = |view: &SinkView| accounts.iter().find(|account| account.sink == view.name);
    let backends: Vec<(&str, &Account, SinkStatus)> =
        views.iter().filter_map(|view| Some((view.name, of(view)?, view.status()))).collect();
    if backends.is_empty() {
        return;
    }
    let total = "filamentbox_samples_total";
    text.metric(total, MetricType::Counter, "Samples by what became of them in the end.");
    for (backend, account, _) in &backends {
        let outcomes =
            [("delivered", account.delivered), ("superseded", account.superseded), ("evicted", account.evicted)];
        for (outcome, count) in outcomes {
            text.sample(total, &[("backend", backend), ("outcome", outcome)], whole(count), 0);
        }
    }
    for metric in OF_BACKEND {
        let values =
            backends.iter().filter_map(|(backend, account, status)| Some((*backend, (metric.value)(account, status)?)));
        for (index, (backend, (digits, decimals))) in values.enumerate() {
            if index == 0 {
                text.metric(metric.name, metric.kind, metric.help);
            }
            text.sample(metric.name, &[("backend", backend)], digits, decimals);
        }
    }
}

/// A count as digits; one beyond 9 x 10^18 is as good as that.
fn whole(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use filamentbox_core::command::OutputKind;
    use filamentbox_core::control::Mode;
    use filamentbox_core::sample::{BoxName, Measurement};
    use filamentbox_core::snapshot::{OutputSnapshot, Reading};
    use filamentbox_core::time::Monotonic;
    use filamentbox_core::units::{Celsius, RelativeHumidity};

    use super::*;

    fn snapshot(reading: Option<Reading>) -> BoxSnapshot {
        let output = |output, on| OutputSnapshot { output, enabled: true, on, mode: Mode::Auto, reason: String::new() };
        BoxSnapshot {
            name: BoxName::main(),
            reading,
            no_data: None,
            heater: output(OutputKind::Heater, true),
            fan: output(OutputKind::Fan, false),
            heat_inhibited: None,
            faults: Vec::new(),
        }
    }

    #[test]
    fn a_stale_reading_is_left_out_and_the_outputs_never_are() {
        let at = |millis| Clock { now: Monotonic::from_nanos(0) + Duration::from_millis(millis), wall: None };
        let measurement = Measurement {
            temperature: Celsius::new(20.0).expect("in range"),
            humidity: RelativeHumidity::new(50.0).expect("in range"),
            pressure: None,
        };
        let reading = Some(Reading::at(at(0), measurement));
        let names = |reading, clock| -> Vec<&str> {
            fields(&snapshot(reading), clock).iter().map(|field| field.name).collect()
        };
        let all =
            ["temperature_c", "temperature_f", "humidity", "dew_point_c", "absolute_humidity", "heater_on", "fan_on"];
        assert_eq!(names(reading, at(300_000)), all);
        assert_eq!(names(reading, at(300_001)), ["heater_on", "fan_on"]);
        assert_eq!(names(None, at(0)), ["heater_on", "fan_on"]);
    }

    #[test]
    fn counts_have_no_end() {
        assert_eq!((whole(7_u64), whole(u64::MAX), whole(usize::MAX)), (7, i64::MAX, i64::MAX));
    }
}
