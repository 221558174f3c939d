//! `/api/status`, `/api/sensor`, `/api/controls`, `/healthz`: how the boxes are.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::database::backends;
use super::{Asked, BoxQuery, Refusal, snapshot, within};
use crate::journal::Gone;
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
    let clock = daemon.clocks.read();
    Ok(Json(json!({
        "box": snapshot.name.as_str(),
        "sensor": dto::sensor(&snapshot, clock),
        "controls": dto::controls(&snapshot, clock),
        "database": { "sinks": backends(&daemon).await? },
        "safety": dto::safety(&snapshot),
        "journal": journal(&daemon).await?,
        "settings": settings::status(&daemon.settings),
        "web": daemon.page.borrow().shown(),
        "simulated": daemon.simulated,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime": clock.now.since(daemon.started).as_secs_f64(),
    })))
}

async fn journal(daemon: &Daemon) -> Result<Value, Gone> {
    let statistics = within(daemon.journal.statistics()).await?;
    Ok(json!({
        "samples": statistics.sampled,
        "open": statistics.open,
        "dropped": statistics.dropped,
        "file_bytes": statistics.file_bytes,
        "disk_error": statistics.disk_error,
        "waiting_for_clock": statistics.waits_for_clock,
    }))
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
