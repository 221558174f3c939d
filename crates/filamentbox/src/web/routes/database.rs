//! `/api/database`: the backends, and the points that they refuse.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{NUMBER_MAX, Refusal, bad_request, within};
use crate::journal::{Account, Chosen};
use crate::web::extract::{Named, Sent, whole};
use crate::web::{Daemon, dto};

/// Dead letters in one answer at most; the journal keeps no more.
const LETTERS_MAX: u64 = 1000;

pub(super) fn backends(daemon: &Daemon, accounts: &[Account]) -> Vec<dto::Backend> {
    let account = |name| accounts.iter().find(|account| account.sink == name);
    let shown = daemon.shown.borrow().clone();
    shown.sinks.iter().filter_map(|view| Some(dto::backend(view, account(view.name)?))).collect()
}

/// Each backend: what it has, what waits, its last error.
#[utoipa::path(get, path = "/api/database", tag = "Backends", responses(
    (status = 200, description = "The backends", body = dto::Backends),
    (status = 503, description = "The journal does not answer", body = dto::Refused)))]
pub(super) async fn database(State(daemon): State<Daemon>) -> Result<Json<dto::Backends>, Refusal> {
    let accounts = within(daemon.journal.accounts()).await?;
    Ok(Json(dto::Backends { sinks: backends(&daemon, &accounts) }))
}

/// The points that backends refuse for good.
#[utoipa::path(get, path = "/api/database/deadletters", tag = "Backends", operation_id = "deadletters", responses(
    (status = 200, description = "The points, oldest first, 1000 at most", body = dto::Letters),
    (status = 503, description = "The journal does not answer", body = dto::Refused)))]
pub(super) async fn letters(State(daemon): State<Daemon>) -> Result<Json<dto::Letters>, Refusal> {
    let letters = within(daemon.journal.letters(Chosen::default(), false, LETTERS_MAX)).await?;
    Ok(Json(dto::Letters { deadletters: letters.into_iter().map(dto::letter).collect() }))
}

/// Which dead letters; an empty object means all.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChosenLetters {
    /// Those of this backend.
    backend: Option<String>,
    /// The one with this number.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    #[serde(default, deserialize_with = "whole")]
    id: Option<u64>,
}

/// Sends dead letters again, or drops them for good.
#[utoipa::path(post, path = "/api/database/deadletters/{action}", tag = "Backends", operation_id = "change_deadletters",
    params(("action" = String, Path, description = "`retry` or `drop`", pattern = "^(retry|drop)$")),
    request_body = ChosenLetters,
    responses(
        (status = 200, description = "How many it were", body = dto::LettersChanged),
        (status = 404, description = "There is no such action", body = dto::Refused),
        (status = 503, description = "The journal does not answer", body = dto::Refused)))]
pub(super) async fn change_letters(
    State(daemon): State<Daemon>,
    Named(action): Named,
    body: Sent,
) -> Result<Json<dto::LettersChanged>, Refusal> {
    if !matches!(action.as_str(), "retry" | "drop") {
        return Err(Refusal(StatusCode::NOT_FOUND, "there is only retry and drop".to_owned()));
    }
    let chosen: ChosenLetters = body.object("{\"backend\": a backend's word, \"id\": a number}, either or none")?;
    if chosen.id.is_some_and(|id| id > NUMBER_MAX) {
        return Err(bad_request(format!("id must be a number from 0 to {NUMBER_MAX}")));
    }
    let chosen = Chosen { sink: chosen.backend, id: chosen.id };
    let count = match action.as_str() {
        "retry" => within(daemon.journal.send_letters_again(chosen)).await?,
        _ => within(daemon.journal.drop_letters(chosen)).await?,
    };
    Ok(Json(dto::LettersChanged { success: true, count }))
}
