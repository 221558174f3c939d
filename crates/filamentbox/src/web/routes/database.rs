//! `/api/database`: the backends, and the points that they refuse.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, bad_request, within};
use crate::journal::{Account, Chosen};
use crate::web::{Daemon, dto};

/// Dead letters in one answer at most; the journal keeps no more.
const LETTERS_MAX: u64 = 1000;

pub(super) fn backends(daemon: &Daemon, accounts: &[Account]) -> Vec<dto::Backend> {
    let account = |name| accounts.iter().find(|account| account.sink == name);
    let shown = daemon.shown.borrow().clone();
    shown.sinks.iter().filter_map(|view| Some(dto::backend(view, account(view.name)?))).collect()
}

pub(super) async fn database(State(daemon): State<Daemon>) -> Result<Json<Value>, Refusal> {
    let accounts = within(daemon.journal.accounts()).await?;
    Ok(Json(json!({ "sinks": backends(&daemon, &accounts) })))
}

pub(super) async fn letters(State(daemon): State<Daemon>) -> Result<Json<Value>, Refusal> {
    let letters = within(daemon.journal.letters(Chosen::default(), false, LETTERS_MAX)).await?;
    let letters: Vec<_> = letters.into_iter().map(dto::letter).collect();
    Ok(Json(json!({ "deadletters": letters })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChosenLetters {
    backend: Option<String>,
    id: Option<u64>,
}

/// `{"backend": ..?, "id": ..?}`: neither means all.
pub(super) async fn change_letters(
    State(daemon): State<Daemon>,
    Path(action): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let chosen: ChosenLetters = serde_json::from_slice(&body)
        .map_err(|error| bad_request(format!("the body is not {{\"backend\": .., \"id\": ..}}: {error}")))?;
    let chosen = Chosen { sink: chosen.backend, id: chosen.id };
    let count = match action.as_str() {
        "retry" => within(daemon.journal.send_letters_again(chosen)).await?,
        "drop" => within(daemon.journal.drop_letters(chosen)).await?,
        _ => return Err(Refusal(StatusCode::NOT_FOUND, "there is only retry and drop".to_owned())),
    };
    Ok(Json(json!({ "success": true, "count": count })))
}
