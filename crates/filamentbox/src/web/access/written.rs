//! What somebody does is written down, with who, from where and what came of it; and the one route that is open in part: a switch.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use filamentbox_core::event::Severity;
use serde_json::Value;

use super::audit::Actor;
use super::{Access, Caller, Right, Visitor};

/// The longest body of a switch is a few dozen bytes.
const SWITCH_MAX: usize = 4096;
/// The longest part of a path that is written down.
const PATH_MAX: usize = 120;

/// Who asks, in words.
pub fn who(caller: &Caller, visitor: Option<Visitor>) -> String {
    let at = visitor.map_or(String::new(), |visitor| format!(" at {}", visitor.address));
    match caller {
        Caller::Socket => "a command on this machine".to_owned(),
        Caller::Simulated => format!("a visitor{at}"),
        Caller::Session { .. } => format!("the page{at}"),
        Caller::Token { name, .. } => format!("the token {name}{at}"),
        Caller::Anonymous { .. } => format!("somebody not logged in{at}"),
    }
}

impl Access {
    /// Writes down that `caller` did `what`.
    pub fn write_down(&self, caller: &Caller, visitor: Option<Visitor>, severity: Severity, what: &str) {
        let actor = if matches!(caller, Caller::Anonymous { .. }) { Actor::Unknown } else { Actor::Known };
        self.audit().tell(actor, severity, format!("{}: {what}", who(caller, visitor)));
    }
}

/// Lets `request` do what it asks for, if `caller` has `right`; a change is written down, and so is one that is not allowed.
pub(super) async fn write_down(caller: Caller, right: Right, what: &str, request: Request, next: Next) -> Response {
    let access = request.extensions().get::<Access>().cloned();
    let visitor = request.extensions().get::<Visitor>().copied();
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
    let answer = match caller.check(right) {
        Ok(()) => next.run(request).await,
        Err(denied) => denied.into_response(),
    };
    if let Some(access) = access.filter(|_| is_change) {
        let outcome = outcome(answer.status());
        access.write_down(&caller, visitor, Severity::Info, &format!("{what}: {outcome}"));
    }
    answer
}

fn outcome(status: StatusCode) -> String {
    match status {
        status if status.is_success() => "done".to_owned(),
        StatusCode::UNAUTHORIZED => "refused, not logged in".to_owned(),
        StatusCode::FORBIDDEN => "refused, not allowed".to_owned(),
        status => format!("refused ({})", status.as_u16()),
    }
}

/// What a request asks for, in words: its method and the beginning of its path.
pub(super) fn asked(request: &Request) -> String {
    let path: String = request.uri().path().chars().take(PATH_MAX).collect();
    format!("{} {path}", request.method())
}

/// The layer of `POST /api/controls/OUTPUT`. Off is open to everybody who has passed [`super::protect`]; the heater on needs more than
/// everything else.
pub(in crate::web) async fn may_switch(request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().cloned();
    let caller = caller.unwrap_or(Caller::Anonymous { may_read: false, is_mistaken: false });
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let output = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, SWITCH_MAX).await else {
        let why = serde_json::json!({ "error": format!("the body is longer than {SWITCH_MAX} bytes") });
        return (StatusCode::PAYLOAD_TOO_LARGE, axum::Json(why)).into_response();
    };
    let (right, wish) = needed(&output, &body);
    let request = Request::from_parts(parts, Body::from(body));
    let known = filamentbox_core::command::OutputKind::ALL.into_iter().find(|kind| kind.name() == output);
    let what = format!("{} {wish}", known.map_or("an output", |kind| kind.name()));
    match right {
        Some(right) => write_down(caller, right, &what, request, next).await,
        None => {
            let (access, visitor) =
                (request.extensions().get::<Access>().cloned(), request.extensions().get::<Visitor>().copied());
            let answer = next.run(request).await;
            if let Some(access) = access {
                access.write_down(&caller, visitor, Severity::Info, &format!("{what}: {}", outcome(answer.status())));
            }
            answer
        }
    }
}

/// The right that a switch needs, and its wish in words. Off without an end needs none; with an end, automatic or on would follow.
fn needed(output: &str, body: &Bytes) -> (Option<Right>, &'static str) {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let has_end = body.get("seconds").is_some_and(|seconds| !seconds.is_null());
    match body.get("state") {
        Some(Value::Bool(false)) if !has_end => (None, "off"),
        Some(Value::Bool(false)) => (Some(Right::Control), "off for a time"),
        Some(Value::Bool(true)) if output == "heater" => (Some(Right::Heat), "on"),
        Some(Value::Bool(true)) => (Some(Right::Control), "on"),
        Some(Value::Null) => (Some(Right::Control), "automatic"),
        _ => (Some(Right::Control), "(not understood)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_off_without_an_end_is_open() {
        for (body, right) in [
            (r#"{"state":false}"#, None),
            (r#"{"state":false,"seconds":null}"#, None),
            (r#"{"state":true,"state":false}"#, None),
            (r#"{"state":false,"state":true}"#, Some(Right::Heat)),
            (r#"{"state":false,"seconds":1}"#, Some(Right::Control)),
            (r#"{"state":true}"#, Some(Right::Heat)),
            (r#"{"state":null}"#, Some(Right::Control)),
            (r#"{"state":"false"}"#, Some(Right::Control)),
            (r#"{"state":0}"#, Some(Right::Control)),
            ("{}", Some(Right::Control)),
            ("", Some(Right::Control)),
            ("[false]", Some(Right::Control)),
        ] {
            assert_eq!(needed("heater", &Bytes::from_static(body.as_bytes())).0, right, "{body}");
        }
        let on = Bytes::from_static(br#"{"state":true}"#);
        assert_eq!(needed("fan", &on).0, Some(Right::Control));
    }
}
