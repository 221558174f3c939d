//! The JSON that leaves the daemon. Times are Unix seconds; what is not known is null.

use filamentbox_core::command::OutputKind;
use filamentbox_core::control::Mode;
use filamentbox_core::event::Event;
use filamentbox_core::sample::{FIELD_NAMES, Point};
use filamentbox_core::snapshot::{BoxSnapshot, OutputSnapshot};
use filamentbox_core::time::Clock;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::journal::{Account, Letter};
use crate::runtime::sink_view::SinkView;

#[derive(Serialize)]
pub(super) struct Controls {
    pub(super) heater: Output,
    pub(super) fan: Output,
}

#[derive(Serialize)]
pub(super) struct Output {
    /// Whether the line is active, as the relay guard reports it.
    on: bool,
    /// The manual wish, null while automatic.
    manual: Option<bool>,
    mode: &'static str,
    reason: String,
    /// When a manual override ends by itself.
    until: Option<f64>,
    enabled: bool,
}

#[derive(Serialize)]
pub(super) struct Safety {
    heat_allowed: bool,
    reason: Option<String>,
    faults: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Backend {
    r#type: &'static str,
    connected: Option<bool>,
    /// Points that have not been sent.
    backlog_points: u64,
    /// Points that the server has accepted and may still lose; they count as waiting.
    unconfirmed_points: u64,
    oldest_unsent: Option<f64>,
    last_write_time: Option<f64>,
    consecutive_failures: u32,
    last_error: Option<String>,
    totals: Totals,
}

#[derive(Serialize)]
struct Totals {
    sampled: u64,
    delivered: u64,
    waiting: u64,
    dead_letter: u64,
    superseded: u64,
    evicted: u64,
}

#[derive(Serialize)]
pub(super) struct LoggedEvent {
    id: u64,
    timestamp: Option<f64>,
    r#box: Option<String>,
    kind: &'static str,
    severity: &'static str,
    message: String,
}

/// The last reading with its age; every field null before the first.
pub(super) fn sensor(snapshot: &BoxSnapshot, clock: Clock) -> Map<String, Value> {
    let mut fields = Map::new();
    let of_the_sensor = |name: &&str| !name.ends_with("_on");
    for name in FIELD_NAMES.into_iter().filter(of_the_sensor).chain(["timestamp", "age"]) {
        fields.insert(name.to_owned(), Value::Null);
    }
    if let Some(reading) = snapshot.reading {
        let wall = reading.wall.or_else(|| clock.wall_at(reading.taken_at));
        let at = wall.unwrap_or(filamentbox_core::time::UnixTime::from_millis(0));
        let point = Point {
            box_name: snapshot.name.clone(),
            at,
            measurement: reading.measurement,
            heater_on: false,
            fan_on: false,
        };
        let wanted = point.fields().filter(|field| of_the_sensor(&field.name));
        fields.extend(wanted.map(|field| (field.name.to_owned(), json!(field.value()))));
        fields.insert("timestamp".to_owned(), json!(wall.map(|wall| wall.seconds())));
        fields.insert("age".to_owned(), json!(clock.now.since(reading.taken_at).as_secs_f64()));
    }
    fields.insert("error".to_owned(), json!(snapshot.no_data.as_ref().map(ToString::to_string)));
    fields
}

pub(super) fn controls(snapshot: &BoxSnapshot, clock: Clock) -> Controls {
    Controls { heater: output(&snapshot.heater, clock), fan: output(&snapshot.fan, clock) }
}

pub(super) fn output(output: &OutputSnapshot, clock: Clock) -> Output {
    let (manual, mode) = match output.mode {
        Mode::Auto => (None, "auto"),
        Mode::Manual { on, .. } => (Some(on), "manual"),
    };
    let until =
        output.mode.until().zip(clock.wall).map(|(until, wall)| wall.seconds() + until.since(clock.now).as_secs_f64());
    Output { on: output.on, manual, mode, reason: output.reason.clone(), until, enabled: output.enabled }
}

pub(super) fn safety(snapshot: &BoxSnapshot) -> Safety {
    Safety {
        heat_allowed: snapshot.heater.enabled && snapshot.heat_inhibited.is_none(),
        reason: snapshot.heat_inhibited.clone(),
        faults: snapshot.faults.clone(),
    }
}

pub(super) fn backend(view: &SinkView, account: &Account) -> Backend {
    let status = view.status();
    Backend {
        r#type: view.name,
        connected: status.connected,
        backlog_points: account.waiting.saturating_sub(status.unconfirmed),
        unconfirmed_points: status.unconfirmed,
        oldest_unsent: account.oldest.map(|oldest| oldest.seconds()),
        last_write_time: status.last_write.map(|at| at.seconds()),
        consecutive_failures: status.consecutive_failures,
        last_error: status.last_error,
        totals: Totals {
            sampled: account.sampled,
            delivered: account.delivered,
            waiting: account.waiting,
            dead_letter: account.dead_letter,
            superseded: account.superseded,
            evicted: account.evicted,
        },
    }
}

pub(super) fn letter(letter: Letter) -> Value {
    let fields: Map<String, Value> =
        letter.point.fields().map(|field| (field.name.to_owned(), json!(field.value()))).collect();
    json!({
        "id": letter.id,
        "backend": letter.sink,
        "box": letter.point.box_name.as_str(),
        "timestamp": letter.point.at.seconds(),
        "fields": fields,
        "reason": letter.reason,
        "refused_at": letter.refused_at.map(|at| at.seconds()),
        "retry": letter.again,
    })
}

pub(super) fn event(id: u64, event: Event) -> LoggedEvent {
    LoggedEvent {
        id,
        timestamp: event.at.map(|at| at.seconds()),
        r#box: event.box_name.map(|name| name.to_string()),
        kind: event.kind.name(),
        severity: event.severity.name(),
        message: event.text,
    }
}

/// The output that a path names.
pub(super) fn output_kind(name: &str) -> Option<OutputKind> {
    OutputKind::ALL.into_iter().find(|kind| kind.name() == name)
}
