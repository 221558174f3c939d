//! Settings over HTTP: each as the original shows it. A secret is never returned, only whether it is set.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use filamentbox_core::config::{KeySpec, Kind, Value as Parsed};
use serde_json::{Map, Value, json};

use super::Daemon;
use super::routes::{Refusal, bad_request};
use crate::runtime::reloading::{NotChanged, Settings, View};
use crate::settings::Change;

/// The settings' thread answers within milliseconds, unless another process holds the store.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// Shown instead of a secret.
const MASK: &str = "********";

/// The part of the daemon's status that is about settings.
pub(super) fn status(settings: &Settings) -> Value {
    let view = settings.view();
    json!({ "problems": view.problems, "restart_needed": view.restart_needed })
}

/// `GET /api/config/KEY`
pub(super) async fn show(State(daemon): State<Daemon>, Path(key): Path<String>) -> Result<Json<Value>, Refusal> {
    let spec = daemon.settings.registry.find(&key).ok_or_else(|| unknown(&daemon.settings, &key))?;
    let view = daemon.settings.view();
    let mut described = describe(spec, &view, &key);
    described.insert("key".to_owned(), json!(key));
    Ok(Json(Value::Object(described)))
}

/// `GET /api/config/section/SECTION`: every key that begins so.
pub(super) async fn section(State(daemon): State<Daemon>, Path(section): Path<String>) -> Result<Json<Value>, Refusal> {
    let view = daemon.settings.view();
    let registry = &daemon.settings.registry;
    let is_in = |key: &str| key.strip_prefix(section.as_str()).is_some_and(|rest| rest.starts_with('.'));
    let keys = view.set.settings.iter().map(|(key, _)| key).filter(|key| is_in(key));
    let described = keys.filter_map(|key| {
        let spec = registry.find(key)?;
        let mut described = describe(spec, &view, key);
        described.insert("default".to_owned(), default(spec));
        Some((key.to_owned(), Value::Object(described)))
    });
    let described: Map<String, Value> = described.collect();
    if described.is_empty() && !registry.specs().iter().any(|spec| is_in(spec.key)) {
        return Err(Refusal(StatusCode::NOT_FOUND, format!("there is no section {section:?}")));
    }
    Ok(Json(Value::Object(described)))
}

/// `PUT /api/config/KEY` with `{"value": ..}`; `null` unsets.
pub(super) async fn change(State(daemon): State<Daemon>, Path(key): Path<String>, body: Bytes) -> Response {
    match try_change(&daemon, &key, &body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(Refusal(status, problem)) => (status, Json(json!({ "error": problem, "valid": false }))).into_response(),
    }
}

async fn try_change(daemon: &Daemon, key: &str, body: &[u8]) -> Result<Value, Refusal> {
    let settings = &daemon.settings;
    let spec = settings.registry.find(key).ok_or_else(|| unknown(settings, key))?;
    let text = text(body)?;
    let change = Change { key: key.to_owned(), text };
    let changed = tokio::time::timeout(ANSWER_MAX, settings.change(vec![change], "api")).await;
    let failed = |problem: &str| Refusal(StatusCode::SERVICE_UNAVAILABLE, problem.to_owned());
    match changed {
        Ok(Ok(())) => {}
        Ok(Err(refused @ NotChanged::Refused(_))) => return Err(bad_request(refused.to_string())),
        Ok(Err(NotChanged::Failed(problem))) => return Err(failed(&problem)),
        Err(_) => return Err(failed("the settings' thread is busy; look again whether the change was made")),
    }
    let view = settings.view();
    let described = describe(spec, &view, key);
    Ok(json!({
        "success": true,
        "valid": true,
        "value": described["value"],
        "source": described["source"],
        "restart_needed": described["restart_needed"],
    }))
}

fn unknown(settings: &Settings, key: &str) -> Refusal {
    let hint = settings.registry.nearest(key).map_or(String::new(), |near| format!("; did you mean {near}?"));
    Refusal(StatusCode::NOT_FOUND, format!("unknown key {key:?}{hint}"))
}

/// The text of `{"value": ..}`, as the settings have it; `None` for `null`.
fn text(body: &[u8]) -> Result<Option<String>, Refusal> {
    let allowed = "allowed: {\"value\": a text, number, true, false, a list of texts, or null to unset}";
    let body: Value =
        serde_json::from_slice(body).map_err(|_| bad_request(format!("the body is not JSON; {allowed}")))?;
    let fields = body.as_object().filter(|fields| fields.len() == 1);
    let value = fields.and_then(|fields| fields.get("value"));
    match value {
        Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Bool(switch)) => Ok(Some(switch.to_string())),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            Ok(Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")))
        }
        _ => Err(bad_request(format!("the body is not understood; {allowed}"))),
    }
}

fn describe(spec: &KeySpec, view: &View, key: &str) -> Map<String, Value> {
    let setting = view.set.settings.get(key);
    let (kind, choices, min, max) = match spec.kind {
        Kind::Number { min, max } => ("float", None, json!(min), json!(max)),
        Kind::Integer { min, max } => ("int", None, json!(min), json!(max)),
        Kind::Bool => ("bool", None, Value::Null, Value::Null),
        Kind::Choice(words) | Kind::Choices(words) => ("str", Some(words), Value::Null, Value::Null),
        Kind::Text { .. } | Kind::Url | Kind::Secret => ("str", None, Value::Null, Value::Null),
    };
    let fields = [
        ("value", setting.map_or(Value::Null, |setting| parsed(&setting.value))),
        ("set", json!(setting.is_some_and(|setting| !setting.text.is_empty()))),
        ("source", json!(setting.map(|setting| setting.source.to_string()))),
        ("type", json!(kind)),
        ("unit", json!(spec.unit)),
        ("description", json!(spec.doc)),
        ("example", default(spec)),
        ("required", json!(spec.required)),
        ("choices", json!(choices)),
        ("min", min),
        ("max", max),
        ("at_start", json!(spec.at_start)),
        ("restart_needed", json!(view.restart_needed.iter().any(|waits| waits == key))),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn default(spec: &KeySpec) -> Value {
    spec.parse(spec.default).map_or(Value::Null, |value| parsed(&value))
}

/// A value for people: a secret's is a mask.
fn parsed(value: &Parsed) -> Value {
    match value {
        Parsed::Number(number) => json!(number),
        Parsed::Integer(integer) => json!(integer),
        Parsed::Bool(switch) => json!(switch),
        Parsed::Text(text) => json!(text),
        Parsed::Secret(secret) => json!(if secret.is_empty() { "" } else { MASK }),
        Parsed::List(items) => json!(items.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<Option<&str>>) {
        let found = text(body.as_bytes()).ok();
        assert_eq!(found, expected.map(|text| text.map(str::to_owned)), "{body}");
    }

    #[test]
    fn a_value_may_come_in_its_own_type_or_as_text() {
        check(r#"{"value":"a b"}"#, Some(Some("a b")));
        check(r#"{"value":22.5}"#, Some(Some("22.5")));
        check(r#"{"value":7}"#, Some(Some("7")));
        check(r#"{"value":true}"#, Some(Some("true")));
        check(r#"{"value":["a","b"]}"#, Some(Some("a,b")));
        check(r#"{"value":null}"#, Some(None));
        for bad in [r#"{}"#, r#"{"value":{}}"#, r#"{"value":1,"x":2}"#, r#"[1]"#, "x", r#"{"value":[1]}"#] {
            check(bad, None);
        }
    }
}
