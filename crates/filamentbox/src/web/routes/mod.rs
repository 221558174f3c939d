//! The routes, a file a subject. Each answers from values and channels; none can delay control.
//!
//! A route is in one of the groups of [`router`], which say what right it needs: a route that is forgotten there is nowhere.

mod control;
mod database;
mod events;
mod history;
mod state;
mod stream;
mod threads;

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Query};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use filamentbox_core::snapshot::BoxSnapshot;
use serde::Deserialize;
use serde_json::json;

use super::access::{Right, require};
use super::{Daemon, metrics, settings};
use crate::journal::Gone;

pub(super) use state::whole_state;

/// The longest body of a request; the longest sensible one is a form of settings with a certificate.
const BODY_MAX: usize = 64 * 1024;
/// The journal answers in milliseconds; while its disk hangs, people are told so.
const JOURNAL_MAX: Duration = Duration::from_secs(3);

/// A refusal, as `{"error": ...}`.
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<Gone> for Refusal {
    fn from(_: Gone) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, "the journal does not answer".to_owned())
    }
}

/// A query that was understood; one that was not is refused like everything else.
struct Asked<T>(T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> axum::extract::FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, Refusal> {
        let Query(query) =
            Query::from_request_parts(parts, state).await.map_err(|rejected| bad_request(rejected.body_text()))?;
        Ok(Self(query))
    }
}

/// The journal's answer, unless it takes too long.
pub(super) async fn within<T>(answer: impl Future<Output = Result<T, Gone>>) -> Result<T, Gone> {
    tokio::time::timeout(JOURNAL_MAX, answer).await.unwrap_or(Err(Gone))
}

pub(super) fn bad_request(problem: impl Into<String>) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, problem.into())
}

/// All routes, for a [`super::access::Caller`] that the server has put into the request's extensions.
pub fn router(daemon: Daemon) -> Router {
    // What a request without any right may ask; such a route looks at the caller itself.
    let open =
        Router::new().route("/healthz", get(state::health)).route("/api/controls/{output}", post(control::control));
    let read = Router::new()
        .route("/api/status", get(state::status))
        .route("/api/sensor", get(state::sensor))
        .route("/api/controls", get(state::controls))
        .route("/api/database", get(database::database))
        .route("/api/database/deadletters", get(database::letters))
        .route("/api/events", get(events::events))
        .route("/api/history", get(history::chart).layer(Extension(history::Readers::new())))
        .route("/api/history/export", get(history::export))
        .route("/api/stream", get(stream::stream).layer(Extension(stream::Streams::new())))
        .route("/api/threads", get(threads::threads))
        .route("/api/config/{key}", get(settings::show))
        .route("/api/config/section/{section}", get(settings::section))
        .route("/metrics", get(metrics::metrics))
        .route_layer(from_fn_with_state(Right::Read, require));
    let control = Router::new()
        .route("/api/safety/reset", post(control::reset))
        .route("/api/database/deadletters/{action}", post(database::change_letters))
        .route_layer(from_fn_with_state(Right::Control, require));
    let configure = Router::new()
        .route("/api/config/{key}", put(settings::change))
        .route_layer(from_fn_with_state(Right::Configure, require));
    open.merge(read)
        .merge(control)
        .merge(configure)
        .fallback(async || Refusal(StatusCode::NOT_FOUND, "there is nothing at this path".to_owned()))
        .method_not_allowed_fallback(async || {
            Refusal(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method".to_owned())
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(daemon)
}

#[derive(Deserialize)]
struct BoxQuery {
    r#box: Option<String>,
}

fn snapshot(daemon: &Daemon, query: &BoxQuery) -> Result<BoxSnapshot, Refusal> {
    let snapshots = daemon.snapshots.borrow().clone();
    let wanted = query.r#box.as_deref();
    let found = snapshots.iter().find(|snapshot| wanted.is_none_or(|name| snapshot.name.as_str() == name));
    found
        .cloned()
        .ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("there is no box {:?}", wanted.unwrap_or_default())))
}
