//! `/api/status`, `/api/sensor`, `/api/controls`, `/healthz`: how the boxes are.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use filamentbox_core::snapshot::BoxSnapshot;

use super::database::backends;
use super::{BoxQuery, Refusal, snapshot, threads, within};
use crate::web::books::Books;
use crate::web::extract::Asked;
use crate::web::{Daemon, dto, settings};

/// The last good reading, with its age.
#[utoipa::path(get, path = "/api/sensor", tag = "State", params(BoxQuery), responses(
    (status = 200, description = "The reading; every field is null before the first", body = dto::Sensor),
    (status = 404, description = "There is no such box", body = dto::Refused)))]
pub(super) async fn sensor(
    State(daemon): State<Daemon>,
    Asked(query): Asked<BoxQuery>,
) -> Result<Json<dto::Sensor>, Refusal> {
    let snapshot = snapshot(&daemon, &query)?;
    Ok(Json(dto::sensor(&snapshot, daemon.clocks.read())))
}

/// Heater and fan: whether they are on, who decides, and why.
#[utoipa::path(get, path = "/api/controls", tag = "State", params(BoxQuery), responses(
    (status = 200, description = "Both outputs", body = dto::Controls),
    (status = 404, description = "There is no such box", body = dto::Refused)))]
pub(super) async fn controls(
    State(daemon): State<Daemon>,
    Asked(query): Asked<BoxQuery>,
) -> Result<Json<dto::Controls>, Refusal> {
    let snapshot = snapshot(&daemon, &query)?;
    Ok(Json(dto::controls(&snapshot, daemon.clocks.read())))
}

/// Everything at one moment.
#[utoipa::path(get, path = "/api/status", tag = "State", params(BoxQuery), responses(
    (status = 200, description = "The state", body = dto::Status),
    (status = 404, description = "There is no such box", body = dto::Refused),
    (status = 503, description = "The journal does not answer", body = dto::Refused)))]
pub(super) async fn status(
    State(daemon): State<Daemon>,
    Asked(query): Asked<BoxQuery>,
) -> Result<Json<dto::Status>, Refusal> {
    let snapshot = snapshot(&daemon, &query)?;
    let books = within(Books::ask(&daemon)).await?;
    Ok(Json(state_of(&daemon, &snapshot, &books)))
}

/// The state of a box with everything around it; what `books` says of the journal.
fn state_of(daemon: &Daemon, snapshot: &BoxSnapshot, books: &Books) -> dto::Status {
    let clock = daemon.clocks.read();
    let in_force = daemon.settings.view().in_force.clone();
    let config = in_force.config.boxes.iter().find(|config| config.name == snapshot.name);
    let boxes = daemon.snapshots.borrow().iter().map(|snapshot| snapshot.name.to_string()).collect();
    dto::Status {
        r#box: snapshot.name.to_string(),
        boxes,
        sensor_type: in_force.config.sensor_type.clone(),
        limits: config.map(Into::into),
        sensor: dto::sensor(snapshot, clock),
        controls: dto::controls(snapshot, clock),
        database: dto::Backends { sinks: backends(daemon, &books.accounts) },
        safety: dto::safety(snapshot),
        journal: books.statistics.clone().into(),
        settings: settings::status(&daemon.settings),
        web: daemon.page.borrow().shown(),
        simulated: daemon.simulated,
        version: env!("CARGO_PKG_VERSION"),
        uptime: clock.now.since(daemon.started).as_secs_f64(),
    }
}

/// The same with the threads, for those who listen to changes.
pub(in crate::web) fn whole_state(daemon: &Daemon, snapshot: &BoxSnapshot, books: &Books) -> dto::Streamed {
    dto::Streamed { status: state_of(daemon, snapshot, books), threads: threads::shown(daemon.clocks.read()) }
}

/// Whether everything is well, for a monitor.
#[utoipa::path(get, path = "/healthz", tag = "Service", responses(
    (status = 200, description = "All is well", body = String, content_type = "text/plain"),
    (status = 503, description = "What is wrong: the faults, or that the journal does not answer", body = String, content_type = "text/plain")))]
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
