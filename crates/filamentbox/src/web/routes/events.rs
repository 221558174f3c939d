//! `/api/events`: what happened, newest first.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asked, Refusal, within};
use crate::web::{Daemon, dto};

/// Events in one answer at most.
const EVENTS_MAX: usize = 1000;

#[derive(Deserialize)]
pub(super) struct EventsQuery {
    limit: Option<usize>,
}

pub(super) async fn events(
    State(daemon): State<Daemon>,
    Asked(query): Asked<EventsQuery>,
) -> Result<Json<Value>, Refusal> {
    let events = within(daemon.journal.events(query.limit.unwrap_or(100).clamp(1, EVENTS_MAX))).await?;
    let events: Vec<_> = events.into_iter().map(|(id, event)| dto::event(id, event)).collect();
    Ok(Json(json!({ "events": events })))
}
