//! Who asks, and what they may. The server tells each request its [`Caller`]; each group of routes says which [`Right`] it needs.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::routes::Refusal;

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// Somebody who may open the Unix socket: everything is allowed.
    Socket,
    /// Somebody at the port of a simulated box: everything is allowed.
    Simulated,
}

/// What is asked for, from the least to the most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Right {
    /// To see.
    Read,
    /// To switch outputs, and to drop or repeat what a backend refused.
    Control,
    /// To change settings.
    Configure,
}

impl Caller {
    /// Whether the caller has `right`.
    pub fn may(&self, _right: Right) -> bool {
        match self {
            Self::Socket | Self::Simulated => true,
        }
    }
}

/// The layer of a group of routes that need a right (`from_fn_with_state(Right::Read, require)`). A request of unknown origin has none.
pub(super) async fn require(State(right): State<Right>, request: Request, next: Next) -> Response {
    match request.extensions().get::<Caller>() {
        Some(caller) if caller.may(right) => next.run(request).await,
        _ => Refusal(StatusCode::UNAUTHORIZED, "log in first".to_owned()).into_response(),
    }
}
