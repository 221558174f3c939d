//! `/api/threads/NAME/ACTION`: the original's way to start and stop its threads, which there is no need for here.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Refusal;
use crate::web::dto;
use crate::web::extract::NamedTwo;

/// What can be asked for.
const ACTIONS: [&str; 3] = ["restart", "start", "stop"];
/// The original's threads.
const ORIGINAL: [&str; 4] = ["data_collector", "database_writer", "heating_control", "humidity_control"];

/// Refused: the daemon starts a thread that has ended again by itself, and none can be stopped alone.
#[utoipa::path(post, path = "/api/threads/{name}/{action}", tag = "Control", operation_id = "change_thread",
    params(
        ("name" = String, Path, description = "A thread of the original: `data_collector`, `database_writer`, `heating_control` or `humidity_control`"),
        ("action" = String, Path, description = "`restart`, `start` or `stop`")),
    responses(
        (status = 400, description = "What to do instead", body = dto::NotDone),
        (status = 404, description = "There is no such thread or action", body = dto::Refused)))]
pub(super) async fn change(NamedTwo(name, action): NamedTwo) -> Response {
    if !ACTIONS.contains(&action.as_str()) {
        let problem = format!("there is no action {action:?}; allowed: {}", ACTIONS.join(", "));
        return Refusal(StatusCode::NOT_FOUND, problem).into_response();
    }
    if !ORIGINAL.contains(&name.as_str()) {
        let problem = format!("there is no thread {name:?}; allowed: {}", ORIGINAL.join(", "));
        return Refusal(StatusCode::NOT_FOUND, problem).into_response();
    }
    let error = format!(
        "{name} is supervised: it is started again by itself when it ends, and none of the daemon's threads can be stopped alone; \
         restart the daemon instead (sudo systemctl restart filamentbox)"
    );
    (StatusCode::BAD_REQUEST, Json(dto::NotDone { success: false, error })).into_response()
}
