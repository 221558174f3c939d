//! `/api/threads/NAME/ACTION`: the original's way to start and stop its threads, which there is no need for here.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{Refusal, threads};
use crate::web::extract::NamedTwo;
use crate::web::{Daemon, dto};

/// What can be asked for.
const ACTIONS: [&str; 3] = ["restart", "start", "stop"];
/// Refused: the daemon starts a thread that has ended again by itself, and none can be stopped alone.
#[utoipa::path(post, path = "/api/threads/{name}/{action}", tag = "Control", operation_id = "change_thread",
    params(
        ("name" = String, Path, description = "A thread as in `GET /api/threads`"),
        ("action" = String, Path, description = "`restart`, `start` or `stop`")),
    responses(
        (status = 400, description = "What to do instead", body = dto::NotDone),
        (status = 404, description = "There is no such thread or action", body = dto::Refused)))]
pub(super) async fn change(State(daemon): State<Daemon>, NamedTwo(name, action): NamedTwo) -> Response {
    if !ACTIONS.contains(&action.as_str()) {
        let problem = format!("there is no action {action:?}; allowed: {}", ACTIONS.join(", "));
        return Refusal(StatusCode::NOT_FOUND, problem).into_response();
    }
    let threads = threads::shown(daemon.clocks.read());
    if !threads.contains_key(&name) {
        let known: Vec<&str> = threads.keys().map(String::as_str).collect();
        let problem = format!("there is no thread {name:?}; allowed: {}", known.join(", "));
        return Refusal(StatusCode::NOT_FOUND, problem).into_response();
    }
    let error = format!(
        "{name} is supervised: it is started again by itself when it ends, and none of the daemon's threads can be stopped alone; \
         restart the daemon instead (sudo systemctl restart filamentbox)"
    );
    (StatusCode::BAD_REQUEST, Json(dto::NotDone { success: false, error })).into_response()
}
