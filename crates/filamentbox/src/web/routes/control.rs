//! `/api/controls/OUTPUT` and `/api/safety/reset`: what people ask of a box.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use filamentbox_core::command::{Command, CommandError, Wish};
use filamentbox_core::sample::BoxName;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::{BoxQuery, Refusal, bad_request};
use crate::runtime::control::ControlInput;
use crate::web::extract::{Asked, Named, Sent, present};
use crate::web::openapi::schema;
use crate::web::{Daemon, dto};

/// Control answers within a quarter of a second; without an answer after so long something is wrong.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// A reset may have to start the guard anew.
const RESET_MAX: Duration = Duration::from_secs(8);
/// The shortest override: nobody sees a shorter one.
const SECONDS_MIN: f64 = 1.0;
/// The longest override, a year: who wants a longer one wants none.
const SECONDS_MAX: f64 = 31_536_000.0;
/// What a wish may be.
const ALLOWED: &str =
    "{\"state\": true, false or null, \"seconds\": a number from 1 to 31536000, if it is to end by itself}";

/// What is wished of an output.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wished {
    #[serde(default, deserialize_with = "present")]
    state: Option<Value>,
    seconds: Option<Value>,
}

/// Switches an output by hand, or hands it back to its controller. The interlock may refuse heat.
#[utoipa::path(post, path = "/api/controls/{output}", tag = "Control",
    params(("output" = String, Path, description = "`heater` or `fan`", pattern = "^(heater|fan)$"), BoxQuery),
    request_body = Wished,
    responses(
        (status = 200, description = "How the output is now", body = dto::Switched),
        (status = 401, description = "Log in first; off without `seconds` is open to everybody", body = dto::Refused),
        (status = 404, description = "There is no such output or box", body = dto::Refused),
        (status = 503, description = "Control does not answer; the relay guard releases the outputs", body = dto::Refused)))]
pub(super) async fn control(
    State(daemon): State<Daemon>,
    Named(output): Named,
    Asked(query): Asked<BoxQuery>,
    body: Sent,
) -> Result<Json<dto::Switched>, Refusal> {
    let output = dto::output_kind(&output)
        .ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("there is no output {output:?}")))?;
    let wish = wish(body.object(ALLOWED)?)?;
    let name = query.r#box.as_deref().unwrap_or("main");
    let box_name = BoxName::new(name).ok_or_else(|| bad_request(format!("{name:?} is not a box's name")))?;
    let (answer, answered) = oneshot::channel();
    let command = Command { box_name, output, wish };
    daemon.control.try_send(ControlInput::Command(command, answer)).map_err(|_| busy())?;
    let answer = tokio::time::timeout(ANSWER_MAX, answered).await.map_err(|_| busy())?.map_err(|_| busy())?;
    let state = answer.map_err(|refused| {
        let is_unknown = matches!(refused, CommandError::NoSuchBox(_));
        let status = if is_unknown { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        Refusal(status, refused.to_string())
    })?;
    Ok(Json(dto::output(&state, daemon.clocks.read()).into()))
}

/// Faults and latches are over, says a person; answered with the faults that are still there.
#[utoipa::path(post, path = "/api/safety/reset", tag = "Control", responses(
    (status = 200, description = "What is still wrong", body = dto::Faults),
    (status = 503, description = "Control or the relay guard does not answer", body = dto::Refused)))]
pub(super) async fn reset(State(daemon): State<Daemon>) -> Result<Json<dto::Faults>, Refusal> {
    let (answer, answered) = oneshot::channel();
    daemon.control.try_send(ControlInput::Reset(answer)).map_err(|_| busy())?;
    let answer = tokio::time::timeout(RESET_MAX, answered).await.map_err(|_| busy())?.map_err(|_| busy())?;
    answer.map_err(|lost| Refusal(StatusCode::SERVICE_UNAVAILABLE, lost.to_string()))?;
    let faults: Vec<String> = daemon.snapshots.borrow().iter().flat_map(|snapshot| snapshot.faults.clone()).collect();
    Ok(Json(dto::Faults { success: true, faults }))
}

fn busy() -> Refusal {
    Refusal(StatusCode::SERVICE_UNAVAILABLE, "control does not answer; the relay guard releases the outputs".to_owned())
}

fn wish(wished: Wished) -> Result<Wish, Refusal> {
    let hold = match wished.seconds {
        None => None,
        Some(seconds) => {
            let allowed = seconds.as_f64().filter(|seconds| (SECONDS_MIN..=SECONDS_MAX).contains(seconds));
            let seconds = allowed.ok_or_else(|| bad_request("'seconds' must be a number from 1 to 31536000"))?;
            Some(Duration::from_secs_f64(seconds))
        }
    };
    match (wished.state, hold) {
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

impl PartialSchema for Wished {
    fn schema() -> RefOr<Schema> {
        let by_hand = "For so long, s; afterwards its controller decides again. Without it the heater is on for `safety.override_max` at \
                       most, and everything else lasts until it is taken back.";
        schema(json!({
            "description": "What is wished of an output.",
            "oneOf": [
                {
                    "description": "On or off by hand.",
                    "type": "object",
                    "properties": {
                        "state": { "type": "boolean" },
                        "seconds": {
                            "description": by_hand, "type": ["number", "null"], "minimum": SECONDS_MIN, "maximum": SECONDS_MAX,
                        },
                    },
                    "required": ["state"],
                    "additionalProperties": false,
                },
                {
                    "description": "Back to its controller.",
                    "type": "object",
                    "properties": { "state": { "type": "null" }, "seconds": { "type": "null" } },
                    "required": ["state"],
                    "additionalProperties": false,
                },
            ],
        }))
    }
}

impl ToSchema for Wished {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Result<Wish, &str>) {
        let wished = Sent(body.to_owned().into()).object(ALLOWED).and_then(wish).map_err(|Refusal(_, problem)| problem);
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
        check(r#"{"state":false,"state":true}"#, Err("duplicate field"));
        check(r#"{"state":false,"seconds":null}"#, Ok(Wish::Off { hold: None }));
        check("[true]", Err("an object"));
        check("state=true", Err("not JSON"));
    }
}
