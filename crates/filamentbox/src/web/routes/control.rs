//! `/api/controls/OUTPUT` and `/api/safety/reset`: what people ask of a box.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use filamentbox_core::command::{Command, Wish};
use filamentbox_core::sample::BoxName;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Asked, BoxQuery, Refusal, bad_request};
use crate::runtime::control::ControlInput;
use crate::web::{Daemon, dto};

/// Control answers within a quarter of a second; without an answer after so long something is wrong.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// A reset may have to start the guard anew.
const RESET_MAX: Duration = Duration::from_secs(8);

pub(super) async fn control(
    State(daemon): State<Daemon>,
    Path(output): Path<String>,
    Asked(query): Asked<BoxQuery>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let output = dto::output_kind(&output)
        .ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("there is no output {output:?}")))?;
    let wish = wish(&body)?;
    let name = query.r#box.as_deref().unwrap_or("main");
    let box_name = BoxName::new(name).ok_or_else(|| bad_request(format!("{name:?} is not a box's name")))?;
    let (answer, answered) = oneshot::channel();
    let command = Command { box_name, output, wish };
    daemon.control.try_send(ControlInput::Command(command, answer)).map_err(|_| busy())?;
    let answer = tokio::time::timeout(ANSWER_MAX, answered).await.map_err(|_| busy())?.map_err(|_| busy())?;
    let state = answer.map_err(|refused| bad_request(refused.to_string()))?;
    let clock = daemon.clocks.read();
    let shown = serde_json::to_value(dto::output(&state, clock)).unwrap_or_default();
    Ok(Json(json!({
        "success": true,
        "state": shown["manual"],
        "on": shown["on"],
        "mode": shown["mode"],
        "reason": shown["reason"],
        "until": shown["until"],
    })))
}

/// Faults and latches are over, says a person; answered with the faults that are still there.
pub(super) async fn reset(State(daemon): State<Daemon>) -> Result<Json<Value>, Refusal> {
    let (answer, answered) = oneshot::channel();
    daemon.control.try_send(ControlInput::Reset(answer)).map_err(|_| busy())?;
    let answer = tokio::time::timeout(RESET_MAX, answered).await.map_err(|_| busy())?.map_err(|_| busy())?;
    answer.map_err(|lost| Refusal(StatusCode::SERVICE_UNAVAILABLE, lost.to_string()))?;
    let faults: Vec<String> = daemon.snapshots.borrow().iter().flat_map(|snapshot| snapshot.faults.clone()).collect();
    Ok(Json(json!({ "success": true, "faults": faults })))
}

fn busy() -> Refusal {
    Refusal(StatusCode::SERVICE_UNAVAILABLE, "control does not answer; the relay guard releases the outputs".to_owned())
}

/// `{"state": true|false|null, "seconds": n?}`, and nothing else.
fn wish(body: &[u8]) -> Result<Wish, Refusal> {
    let body: Value =
        serde_json::from_slice(body).map_err(|error| bad_request(format!("the body is not JSON: {error}")))?;
    let fields = body.as_object().ok_or_else(|| bad_request("the body must be an object"))?;
    if let Some(unknown) = fields.keys().find(|key| !matches!(key.as_str(), "state" | "seconds")) {
        return Err(bad_request(format!("unknown field {unknown:?}; allowed: state, seconds")));
    }
    let hold = match fields.get("seconds") {
        None | Some(Value::Null) => None,
        Some(seconds) => {
            let allowed = seconds.as_f64().filter(|seconds| (1.0..=31_536_000.0).contains(seconds));
            let seconds = allowed.ok_or_else(|| bad_request("'seconds' must be a number from 1 to 31536000"))?;
            Some(Duration::from_secs_f64(seconds))
        }
    };
    match (fields.get("state"), hold) {
        (None, _) => Err(bad_request("Missing 'state' in request body")),
        (Some(Value::Bool(true)), hold) => Ok(Wish::On { hold }),
        (Some(Value::Bool(false)), hold) => Ok(Wish::Off { hold }),
        (Some(Value::Null), None) => Ok(Wish::Auto),
        (Some(Value::Null), Some(_)) => {
            Err(bad_request("'seconds' goes with true or false, not with null (automatic)"))
        }
        (Some(_), _) => Err(bad_request("'state' must be true, false or null")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Result<Wish, &str>) {
        let wished = wish(body.as_bytes()).map_err(|Refusal(_, problem)| problem);
        match (wished, expected) {
            (Ok(wish), Ok(expected)) => assert_eq!(wish, expected),
            (Err(problem), Err(word)) => assert!(problem.contains(word), "{word:?} is not in {problem:?}"),
            (wished, expected) => panic!("{body}: {wished:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_wish_is_exactly_what_the_contract_says() {
        check(r#"{"state":true}"#, Ok(Wish::On { hold: None }));
        check(r#"{"state":false,"seconds":60}"#, Ok(Wish::Off { hold: Some(Duration::from_secs(60)) }));
        check(r#"{"state":null}"#, Ok(Wish::Auto));
        check(r#"{}"#, Err("Missing 'state'"));
        check(r#"{"state":"banana"}"#, Err("true, false or null"));
        check(r#"{"state":1}"#, Err("true, false or null"));
        check(r#"{"state":true,"seconds":0.5}"#, Err("from 1"));
        check(r#"{"state":true,"seconds":"60"}"#, Err("from 1"));
        check(r#"{"state":null,"seconds":60}"#, Err("goes with true or false"));
        check(r#"{"state":true,"force":true}"#, Err("unknown field"));
        check("[true]", Err("an object"));
        check("state=true", Err("not JSON"));
    }
}
