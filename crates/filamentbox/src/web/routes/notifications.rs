//! `/api/notifications`: the latest events, as the Python original's page shows them. Nothing is kept here but where a person last said that
//! all is read; that ends with the daemon.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Refusal, bad_request, within};
use crate::web::extract::Asked;
use crate::web::{Daemon, dto};

/// As many as the original keeps.
const NOTIFICATIONS_MAX: usize = 50;

/// The number after the newest event that was hidden: one for the daemon, whoever asks it from wherever.
static HIDDEN: AtomicU64 = AtomicU64::new(0);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct NotificationsQuery {
    /// At most so many.
    #[param(minimum = 1, maximum = 50, default = 50)]
    limit: Option<usize>,
}

/// What a person should have noticed lately, newest first.
#[utoipa::path(get, path = "/api/notifications", tag = "State", params(NotificationsQuery), responses(
    (status = 200, description = "The latest events that were not hidden", body = dto::Notifications),
    (status = 503, description = "The journal does not answer", body = dto::Refused)))]
pub(super) async fn notifications(
    State(daemon): State<Daemon>,
    Asked(query): Asked<NotificationsQuery>,
) -> Result<Json<dto::Notifications>, Refusal> {
    let limit = query.limit.unwrap_or(NOTIFICATIONS_MAX);
    if !(1..=NOTIFICATIONS_MAX).contains(&limit) {
        return Err(bad_request(format!("limit must be a number from 1 to {NOTIFICATIONS_MAX}")));
    }
    let events = within(daemon.journal.events(limit)).await?;
    let hidden = HIDDEN.load(Ordering::Relaxed);
    let shown = events.into_iter().filter(|(id, _)| *id >= hidden);
    Ok(Json(dto::Notifications { notifications: shown.map(|(_, event)| dto::notification(event)).collect() }))
}

/// Hides all that there is now, until the daemon's next start. The event log keeps them.
#[utoipa::path(delete, path = "/api/notifications", tag = "State", operation_id = "forget_notifications", responses(
    (status = 200, description = "They are hidden", body = dto::Forgotten),
    (status = 503, description = "The journal does not answer", body = dto::Refused)))]
pub(super) async fn forget(State(daemon): State<Daemon>) -> Result<Json<dto::Forgotten>, Refusal> {
    if let Some((newest, _)) = within(daemon.journal.events(1)).await?.first() {
        HIDDEN.fetch_max(newest + 1, Ordering::Relaxed);
    }
    Ok(Json(dto::Forgotten { message: "All notifications cleared", success: true }))
}
