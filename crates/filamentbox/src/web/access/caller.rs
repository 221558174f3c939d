//! Who asks, and what they may.

use axum::Json;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::secrets::Digest;
use super::tokens::Scope;
use super::written::{asked, write_down};

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// Somebody who may open the Unix socket: everything is allowed.
    Socket,
    /// Somebody at the port of a simulated box: everything is allowed.
    Simulated,
    /// Somebody at the port who has said nothing about themselves.
    Anonymous {
        /// Reading needs no login (`webui.public_read`).
        may_read: bool,
        /// The credentials that were given are none.
        is_mistaken: bool,
    },
    /// Somebody who is logged in with a browser.
    Session {
        /// Of its cookie.
        id: Digest,
        /// The password was typed within the last minutes.
        is_confirmed: bool,
    },
    /// A program.
    Token {
        /// Its name in the settings.
        name: String,
        /// What it may.
        scope: Scope,
    },
}

/// What is asked for, from the least to the most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Right {
    /// To see.
    Read,
    /// To switch outputs, and to drop or repeat what a backend refused.
    Control,
    /// To switch the heater on by hand.
    Heat,
    /// To change settings.
    Configure,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Denied {
    /// Nobody is logged in, or no longer.
    LogIn {
        /// With credentials that are none.
        is_mistaken: bool,
    },
    /// The password must be typed again.
    Confirm,
    /// It is not the caller's to do.
    NotAllowed(&'static str),
}

impl Caller {
    /// Whether the caller has `right`.
    ///
    /// # Errors
    /// [`Denied`], which is also the answer.
    pub fn check(&self, right: Right) -> Result<(), Denied> {
        match (self, right) {
            (Self::Socket | Self::Simulated, _) => Ok(()),
            (Self::Anonymous { may_read: true, .. }, Right::Read) => Ok(()),
            (Self::Anonymous { is_mistaken, .. }, _) => Err(Denied::LogIn { is_mistaken: *is_mistaken }),
            (Self::Session { .. }, Right::Read | Right::Control) => Ok(()),
            (Self::Session { is_confirmed: true, .. }, _) => Ok(()),
            (Self::Session { .. }, _) => Err(Denied::Confirm),
            (Self::Token { .. }, Right::Read) => Ok(()),
            (Self::Token { scope: Scope::Control, .. }, Right::Control | Right::Heat) => Ok(()),
            (Self::Token { scope: Scope::Read, .. }, Right::Control | Right::Heat) => {
                Err(Denied::NotAllowed("this token may only read; a token with the scope control may switch"))
            }
            (Self::Token { .. }, Right::Configure) => {
                Err(Denied::NotAllowed("no token may change settings; log in on the page, or use `filamentbox config`"))
            }
        }
    }

    /// Whether the caller has `right`, for those who show it.
    pub fn may(&self, right: Right) -> bool {
        self.check(right).is_ok()
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::LogIn { is_mistaken: false } => (StatusCode::UNAUTHORIZED, json!({ "error": "log in first" })),
            Self::LogIn { is_mistaken: true } => (
                StatusCode::UNAUTHORIZED,
                json!({ "error": "log in again: this session has ended, or there is no such token" }),
            ),
            Self::Confirm => (
                StatusCode::FORBIDDEN,
                json!({ "error": "type the password again: this needs one typed within the last 5 minutes", "confirm": true }),
            ),
            Self::NotAllowed(why) => (StatusCode::FORBIDDEN, json!({ "error": why })),
        };
        (status, Json(body)).into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Denied;

    /// A request of unknown origin has no caller.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Denied> {
        parts.extensions.get::<Self>().cloned().ok_or(Denied::LogIn { is_mistaken: false })
    }
}

/// The layer of a group of routes that need a right (`from_fn_with_state(Right::Read, require)`). What changes something is written down.
pub(in crate::web) async fn require(State(right): State<Right>, request: Request, next: Next) -> Response {
    let nobody = Caller::Anonymous { may_read: false, is_mistaken: false };
    let caller = request.extensions().get::<Caller>().cloned().unwrap_or(nobody);
    let what = asked(&request);
    write_down(caller, right, &what, request, next).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHTS: [Right; 4] = [Right::Read, Right::Control, Right::Heat, Right::Configure];

    /// What `caller` may: `y`es, `l`og in first, `c`onfirm first, `n`o.
    #[track_caller]
    fn check(caller: &Caller, expected: &str) {
        let answer = |right| match caller.check(right) {
            Ok(()) => 'y',
            Err(Denied::LogIn { .. }) => 'l',
            Err(Denied::Confirm) => 'c',
            Err(Denied::NotAllowed(_)) => 'n',
        };
        assert_eq!(RIGHTS.map(answer).iter().collect::<String>(), expected, "{caller:?}");
    }

    #[test]
    fn who_may_read_control_heat_and_configure() {
        let anonymous = |may_read| Caller::Anonymous { may_read, is_mistaken: false };
        let session = |is_confirmed| Caller::Session { id: Digest::of("x"), is_confirmed };
        let token = |scope| Caller::Token { name: "x".to_owned(), scope };
        check(&Caller::Socket, "yyyy");
        check(&Caller::Simulated, "yyyy");
        check(&anonymous(false), "llll");
        check(&anonymous(true), "ylll");
        check(&session(true), "yyyy");
        check(&session(false), "yycc");
        check(&token(Scope::Read), "ynnn");
        check(&token(Scope::Control), "yyyn");
    }

    #[test]
    fn a_refusal_says_whether_the_password_helps() {
        let status = |denied: Denied| denied.into_response().status();
        assert_eq!(status(Denied::LogIn { is_mistaken: false }), StatusCode::UNAUTHORIZED);
        assert_eq!(status(Denied::LogIn { is_mistaken: true }), StatusCode::UNAUTHORIZED);
        assert_eq!(status(Denied::Confirm), StatusCode::FORBIDDEN);
        assert_eq!(status(Denied::NotAllowed("no")), StatusCode::FORBIDDEN);
    }
}
