//! `/api/status`, `/api/sensor`, `/api/controls`, `/healthz`: how the boxes are.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use filamentbox_core::snapshot::BoxSnapshot;
use serde_json::{Value, json};

use super::database::backends;
use super::{Asked, BoxQuery, Refusal, snapshot, threads, within};
use crate::journal::Statistics;
use crate::web::books::Books;
use crate::web::{Daemon, dto, settings};

pub(super) async fn sensor(
    State(daemon): State<Daemon>,
    Asked(query): Asked<BoxQuery>,
) -> Result<Json<Value>, Refusal> {
    let snapshot = snapshot(&daemon, &query)?;
    Ok(Json(Value::Object(dto::sensor(&snapshot, daemon.clocks.read()))))
}

pub(super) async fn controls(
    State(daemon): State<Daemon>,
    Asked(query): Asked<BoxQuery>,
) -> Result<Json<dto::Controls>, Refusal> {
    let snapshot = snapshot(&daemon, &query)?;
    Ok(Json(dto::controls(&snapshot, daemon.clocks.read())))
}

pub(super) async fn status(
    State(daemon): State<Daemon>,
    Asked(query): Asked<BoxQuery>,
) -> Result<Json<Value>, Refusal> {
    let snapshot = snapshot(&daemon, &query)?;
    let books = within(Books::ask(&daemon)).await?;
    Ok(Json(state_of(&daemon, &snapshot, &books)))
}

/// The state of a box with everything around it, of which the journal's part is in `books`.
fn state_of(daemon: &Daemon, snapshot: &BoxSnapshot, books: &Books) -> Value {
    let clock = daemon.clocks.read();
    json!({
        "box": snapshot.name.as_str(),
        "sensor": dto::sensor(snapshot, clock),
        "controls": dto::controls(snapshot, clock),
        "database": { "sinks": backends(daemon, &books.accounts) },
        "safety": dto::safety(snapshot),
        "journal": journal(&books.statistics),
        "settings": settings::status(&daemon.settings),
        "simulated": daemon.simulated,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime": clock.now.since(daemon.started).as_secs_f64(),
    })
}

/// The same with the threads, for those who listen to changes.
pub(in crate::web) fn whole_state(daemon: &Daemon, snapshot: &BoxSnapshot, books: &Books) -> Value {
    let mut state = state_of(daemon, snapshot, books);
    state["threads"] = threads::shown(daemon.clocks.read());
    state
}

fn journal(statistics: &Statistics) -> Value {
    json!({
        "samples": statistics.sampled,
        "open": statistics.open,
        "dropped": statistics.dropped,
        "file_bytes": statistics.file_bytes,
        "disk_error": statistics.disk_error,
        "waiting_for_clock": statistics.waits_for_clock,
    })
}

pub(super) async fn health(State(daemon): State<Daemon>) -> Response {
    let faults: Vec<String> = daemon.snapshots.borrow().iter().flat_map(|snapshot| snapshot.faults.clone()).collect();
    let problem = if faults.is_empty() {
        within(daemon.journal.statistics()).await.err().map(|_| "the journal does not answer".to_owned())
    } else {
        Some(faults.join("; "))
    };
    match problem {
        None => (StatusCode::OK, "ok\n").into_response(),
        Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")).into_response(),
    }
}
