//! `POST /api/database/test`: how each backend would be with settings that are not saved yet.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::change::{ALLOWED_CHANGES, ANSWER_MAX, Given, Refused, changes};
use crate::runtime::reloading::NotChanged;
use crate::sinks::probe::{Probed, probe};
use crate::web::extract::Sent;
use crate::web::routes::Refusal;
use crate::web::{Daemon, dto};

/// A person waits: a server that says nothing for so long does not work.
const PROBE_MAX: Duration = Duration::from_secs(8);
/// Each holds connections open for a while: one at a time, whoever asks.
static PROBING: Semaphore = Semaphore::const_new(1);

/// Settings that are not saved yet.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    /// As in `POST /api/config`; without them what is set now is tried.
    #[serde(default)]
    #[schema(schema_with = dto::new_values, required = false)]
    changes: Given,
}

/// Looks whether each backend is reachable, knows us and lets us write, as if these changes were saved. Stores nothing, here or there.
#[utoipa::path(post, path = "/api/database/test", tag = "Backends", operation_id = "test_backends",
    request_body = Trial,
    responses(
        (status = 200, description = "Every backend in `database.type`", body = dto::Tests),
        (status = 400, description = "A value is not allowed, by itself or together with others", body = dto::NotSetAll),
        (status = 404, description = "There is no such key", body = dto::NotSetAll),
        (status = 429, description = "Another test runs", body = dto::Refused, headers(("Retry-After" = u64, description = "Seconds to wait"))),
        (status = 503, description = "The settings are not known now", body = dto::Refused)))]
pub(crate) async fn test(State(daemon): State<Daemon>, body: Sent) -> Response {
    let given = body.object(ALLOWED_CHANGES).map_err(Refused::whole);
    let given = given.map(|Trial { changes }| changes);
    let changes = match given.and_then(|given| changes(&daemon.settings, given)) {
        Ok(changes) => changes,
        Err(refused) => return refused.into_response(),
    };
    let cannot = |problem: String| Refusal(StatusCode::SERVICE_UNAVAILABLE, problem).into_response();
    let Ok(_alone) = PROBING.try_acquire() else {
        let wait = [(RETRY_AFTER, PROBE_MAX.as_secs().to_string())];
        let runs = "another test runs; try again when it has ended".to_owned();
        return (wait, Refusal(StatusCode::TOO_MANY_REQUESTS, runs)).into_response();
    };
    let loaded = match tokio::time::timeout(ANSWER_MAX, daemon.settings.survey(changes)).await {
        Ok(Ok(loaded)) => loaded,
        Ok(Err(refused @ NotChanged::Refused(_))) => return Refused::from(refused).into_response(),
        Ok(Err(NotChanged::Failed(problem))) => return cannot(problem),
        Err(_) => return cannot("the settings' thread is busy".to_owned()),
    };
    let tested = |probed: &Probed| dto::Tested { r#type: probed.name, ok: probed.is_good(), line: probed.line() };
    match probe(&loaded.settings, &loaded.config, PROBE_MAX).await {
        Ok(probed) => Json(dto::Tests { results: probed.iter().map(tested).collect() }).into_response(),
        Err(problem) => cannot(problem.to_string()),
    }
}
