//! A route that panics ends its request and its connection, and nothing else.

use std::any::Any;

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::error;

use super::body::refuse;

/// `app`, whose panics are answers.
pub fn catching(app: Router) -> Router {
    app.layer(CatchPanicLayer::custom(answer))
}

fn answer(panic: Box<dyn Any + Send>) -> Response<Body> {
    error!("a request failed by a defect of the program: {}", message(&*panic));
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "a defect of the program; its log says more. Control is not concerned")
}

/// What a panic said.
pub(super) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
