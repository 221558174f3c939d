//! The routes, a file a subject. Each answers from values and channels; none can delay control.
//!
//! A route is in one of the groups of [`router`], which say what right it needs: a route that is forgotten there is nowhere.

mod access;
mod control;
mod database;
mod events;
mod history;
mod notifications;
mod state;
mod stream;
mod supervised;
mod threads;

use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use filamentbox_core::snapshot::BoxSnapshot;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Right, may_switch, require};
use super::{Daemon, assets, dto, metrics, openapi, settings};
use crate::journal::Gone;

pub(super) use state::whole_state;

/// The longest body of a request; the longest sensible one is a form of settings with a certificate.
pub(super) const BODY_MAX: usize = 64 * 1024;
/// The largest whole number that every program can write in JSON; no number of an event or a letter comes near it.
const NUMBER_MAX: u64 = (1 << 53) - 1;
/// The journal answers in milliseconds; while its disk hangs, people are told so.
const JOURNAL_MAX: Duration = Duration::from_secs(3);

/// A refusal, as `{"error": ...}`.
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(dto::Refused { error: self.1 })).into_response()
    }
}

impl From<Gone> for Refusal {
    fn from(_: Gone) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, "the journal does not answer".to_owned())
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
    let (routes, _) = groups().split_for_parts();
    let access = daemon.access.clone();
    routes
        .merge(assets::router())
        .fallback(async || Refusal(StatusCode::NOT_FOUND, "there is nothing at this path".to_owned()))
        .method_not_allowed_fallback(async || {
            Refusal(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method".to_owned())
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(Extension(access))
        .with_state(daemon)
}

/// The routes with what [`openapi`] says of them.
pub(super) fn groups() -> OpenApiRouter<Daemon> {
    // Off is open to everybody, and nothing else is: a layer of its own looks.
    let switch = OpenApiRouter::default().routes(routes!(control::control)).route_layer(from_fn(may_switch));
    // What a request without any right may ask; such a route looks at the caller itself.
    let open = OpenApiRouter::default()
        .merge(switch)
        .merge(access::open())
        .routes(routes!(state::health))
        .routes(routes!(openapi::show));
    let read = OpenApiRouter::default()
        .routes(routes!(state::status))
        .routes(routes!(state::sensor))
        .routes(routes!(state::controls))
        .routes(routes!(database::database))
        .routes(routes!(database::letters))
        .routes(routes!(events::events))
        .routes(routes!(history::export))
        .merge(limited(routes!(history::chart), history::Readers::new()))
        .merge(limited(routes!(stream::stream), stream::Streams::new()))
        .routes(routes!(threads::threads))
        .routes(routes!(notifications::notifications))
        .routes(routes!(settings::show))
        .routes(routes!(settings::section))
        .routes(routes!(settings::sections::all))
        .routes(routes!(metrics::metrics))
        .route_layer(from_fn_with_state(Right::Read, require));
    let control = OpenApiRouter::default()
        .routes(routes!(control::reset))
        .routes(routes!(database::change_letters))
        .routes(routes!(supervised::change))
        .routes(routes!(notifications::forget))
        .route_layer(from_fn_with_state(Right::Control, require));
    let configure = OpenApiRouter::default()
        .routes(routes!(settings::change::change))
        .routes(routes!(settings::change::change_all))
        .routes(routes!(settings::trial::test))
        .merge(access::configure())
        .route_layer(from_fn_with_state(Right::Configure, require));
    openapi::group(open, None)
        .merge(openapi::group(read, Some(Right::Read)))
        .merge(openapi::group(control, Some(Right::Control)))
        .merge(openapi::group(configure, Some(Right::Configure)))
}

/// A route with what only so many may use at a time.
fn limited<T: Clone + Send + Sync + 'static>(
    routes: utoipa_axum::router::UtoipaMethodRouter<Daemon>,
    limit: T,
) -> OpenApiRouter<Daemon> {
    OpenApiRouter::default().routes(routes).layer(Extension(limit))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct BoxQuery {
    /// The box; a default installation has one, `main`.
    #[param(pattern = "^[a-z0-9_-]{1,32}$", example = "main")]
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
