//! `/api/events`: what happened, newest first.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{NUMBER_MAX, Refusal, bad_request, within};
use crate::web::extract::Asked;
use crate::web::{Daemon, dto};

/// Events in one answer at most.
const EVENTS_MAX: usize = 1000;
/// Events in an answer to a query that does not say how many.
const EVENTS_DEFAULT: usize = 100;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Only events with numbers below this: the page after the one whose last event has this number.
    #[param(minimum = 0, maximum = 9007199254740991_i64)]
    before: Option<u64>,
}

/// What happened, newest first.
#[utoipa::path(get, path = "/api/events", tag = "State", params(EventsQuery), responses(
    (status = 200, description = "The events", body = dto::Events),
    (status = 503, description = "The journal does not answer", body = dto::Refused)))]
pub(super) async fn events(
    State(daemon): State<Daemon>,
    Asked(query): Asked<EventsQuery>,
) -> Result<Json<dto::Events>, Refusal> {
    let limit = query.limit.unwrap_or(EVENTS_DEFAULT);
    if !(1..=EVENTS_MAX).contains(&limit) {
        return Err(bad_request(format!("limit must be a number from 1 to {EVENTS_MAX}")));
    }
    let before = query.before.unwrap_or(NUMBER_MAX);
    if before > NUMBER_MAX {
        return Err(bad_request(format!("before must be a number from 0 to {NUMBER_MAX}")));
    }
    let events = within(daemon.journal.events_before(before, limit)).await?;
    let events = events.into_iter().map(|(id, event)| dto::event(id, event)).collect();
    Ok(Json(dto::Events { events }))
}
