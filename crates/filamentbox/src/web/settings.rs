//! Settings over HTTP: each as the original shows it. A secret is never returned, only whether it is set.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use filamentbox_core::config::{KeySpec, Kind, Value as Parsed};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::extract::{Named, Sent, present};
use super::routes::{Refusal, bad_request};
use super::{Daemon, dto};
use crate::runtime::reloading::{NotChanged, Settings, View};
use crate::settings::Change;

/// The settings' thread answers within milliseconds, unless another process holds the store.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// Shown instead of a secret.
const MASK: &str = "********";

/// The part of the daemon's status that is about settings.
pub(super) fn status(settings: &Settings) -> dto::SettingsStatus {
    let view = settings.view();
    dto::SettingsStatus { problems: view.problems.clone(), restart_needed: view.restart_needed.clone() }
}

/// One key: its value, and what it may be.
#[utoipa::path(get, path = "/api/config/{key}", tag = "Settings", operation_id = "setting",
    params(("key" = String, Path, description = "The dotted key", example = "safety.max_temp_c")),
    responses(
        (status = 200, description = "The key", body = dto::ShownSetting),
        (status = 404, description = "There is no such key", body = dto::Refused)))]
pub(super) async fn show(State(daemon): State<Daemon>, Named(key): Named) -> Result<Json<dto::ShownSetting>, Refusal> {
    let spec = daemon.settings.registry.find(&key).ok_or_else(|| unknown(&daemon.settings, &key))?;
    let described = describe(spec, &daemon.settings.view(), &key);
    Ok(Json(dto::ShownSetting { key, described }))
}

/// Every key that begins with the section's name, by key.
#[utoipa::path(get, path = "/api/config/section/{section}", tag = "Settings", operation_id = "section",
    params(("section" = String, Path, description = "The beginning of keys, without the last dot", example = "safety")),
    responses(
        (status = 200, description = "The keys", body = BTreeMap<String, dto::DescribedSetting>),
        (status = 404, description = "There is no such section", body = dto::Refused)))]
pub(super) async fn section(
    State(daemon): State<Daemon>,
    Named(section): Named,
) -> Result<Json<BTreeMap<String, dto::DescribedSetting>>, Refusal> {
    let view = daemon.settings.view();
    let registry = &daemon.settings.registry;
    let is_in = |key: &str| key.strip_prefix(section.as_str()).is_some_and(|rest| rest.starts_with('.'));
    let keys = view.set.settings.iter().map(|(key, _)| key).filter(|key| is_in(key));
    let described: BTreeMap<String, dto::DescribedSetting> =
        keys.filter_map(|key| Some((key.to_owned(), describe(registry.find(key)?, &view, key)))).collect();
    if described.is_empty() && !registry.specs().iter().any(|spec| is_in(spec.key)) {
        return Err(Refusal(StatusCode::NOT_FOUND, format!("there is no section {section:?}")));
    }
    Ok(Json(described))
}

/// A new value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewValue {
    /// A text, number, true, false, a list of texts, or null: not set here any more.
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = dto::new_value, required)]
    value: Option<Value>,
}

/// Sets a key, and makes the daemon go by it.
#[utoipa::path(put, path = "/api/config/{key}", tag = "Settings", operation_id = "set",
    params(("key" = String, Path, description = "The dotted key", example = "safety.max_temp_c")),
    request_body = NewValue,
    responses(
        (status = 200, description = "What is set now", body = dto::SettingChanged),
        (status = 400, description = "The value is not allowed, by itself or together with others", body = dto::NotSet),
        (status = 404, description = "There is no such key", body = dto::NotSet),
        (status = 503, description = "It cannot be kept now", body = dto::NotSet)))]
pub(super) async fn change(State(daemon): State<Daemon>, key: Result<Named, Refusal>, body: Sent) -> Response {
    match try_change(&daemon, key, &body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(Refusal(status, error)) => (status, Json(dto::NotSet { error, valid: false })).into_response(),
    }
}

async fn try_change(daemon: &Daemon, key: Result<Named, Refusal>, body: &Sent) -> Result<dto::SettingChanged, Refusal> {
    let settings = &daemon.settings;
    let Named(key) = key?;
    let spec = settings.registry.find(&key).ok_or_else(|| unknown(settings, &key))?;
    let NewValue { value } = body.object(ALLOWED)?;
    let value = value.ok_or_else(|| bad_request(format!("'value' is missing; allowed: {ALLOWED}")))?;
    apply(settings, vec![Change { key: key.clone(), text: text(&value)? }]).await?;
    let described = describe(spec, &settings.view(), &key);
    Ok(dto::SettingChanged {
        success: true,
        valid: true,
        value: described.value,
        source: described.source,
        restart_needed: described.restart_needed,
    })
}

async fn apply(settings: &Settings, changes: Vec<Change>) -> Result<(), Refusal> {
    let changed = tokio::time::timeout(ANSWER_MAX, settings.change(changes, "api")).await;
    let failed = |problem: &str| Refusal(StatusCode::SERVICE_UNAVAILABLE, problem.to_owned());
    match changed {
        Ok(Ok(())) => Ok(()),
        Ok(Err(refused @ NotChanged::Refused(_))) => Err(bad_request(refused.to_string())),
        Ok(Err(NotChanged::Failed(problem))) => Err(failed(&problem)),
        Err(_) => Err(failed("the settings' thread is busy; look again whether the change was made")),
    }
}

fn unknown(settings: &Settings, key: &str) -> Refusal {
    let hint = settings.registry.nearest(key).map_or(String::new(), |near| format!("; did you mean {near}?"));
    Refusal(StatusCode::NOT_FOUND, format!("unknown key {key:?}{hint}"))
}

/// What a new value may be.
const ALLOWED: &str = "{\"value\": a text, number, true, false, a list of texts, or null to unset}";

/// The text of a new value, as the settings have it; `None` for `null`.
fn text(value: &Value) -> Result<Option<String>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(switch) => Ok(Some(switch.to_string())),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            Ok(Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")))
        }
        _ => Err(bad_request(format!("the value is not understood; allowed: {ALLOWED}"))),
    }
}

fn describe(spec: &KeySpec, view: &View, key: &str) -> dto::DescribedSetting {
    let setting = view.set.settings.get(key);
    let (kind, choices, min, max) = match spec.kind {
        Kind::Number { min, max } => ("float", None, json!(min), json!(max)),
        Kind::Integer { min, max } => ("int", None, json!(min), json!(max)),
        Kind::Bool => ("bool", None, Value::Null, Value::Null),
        Kind::Choice(words) | Kind::Choices(words) => ("str", Some(words), Value::Null, Value::Null),
        Kind::Text { .. } | Kind::Url | Kind::Secret => ("str", None, Value::Null, Value::Null),
    };
    dto::DescribedSetting {
        value: setting.map_or(Value::Null, |setting| parsed(&setting.value)),
        set: setting.is_some_and(|setting| !setting.text.is_empty()),
        source: setting.map(|setting| setting.source.to_string()),
        r#type: kind,
        unit: spec.unit,
        description: spec.doc,
        example: default(spec),
        default: default(spec),
        required: spec.required,
        choices,
        min,
        max,
        at_start: spec.at_start,
        restart_needed: view.restart_needed.iter().any(|waits| waits == key),
    }
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
        let body = Sent(body.to_owned().into());
        let found = body.object::<NewValue>(ALLOWED).ok().and_then(|new| text(&new.value?).ok());
        assert_eq!(found, expected.map(|text| text.map(str::to_owned)));
    }

    #[test]
    fn a_value_may_come_in_its_own_type_or_as_text() {
        check(r#"{"value":"a b"}"#, Some(Some("a b")));
        check(r#"{"value":22.5}"#, Some(Some("22.5")));
        check(r#"{"value":7}"#, Some(Some("7")));
        check(r#"{"value":true}"#, Some(Some("true")));
        check(r#"{"value":["a","b"]}"#, Some(Some("a,b")));
        check(r#"{"value":null}"#, Some(None));
        for bad in [
            r#"{}"#,
            r#"{"value":{}}"#,
            r#"{"value":1,"x":2}"#,
            r#"{"value":1,"value":2}"#,
            r#"[1]"#,
            "x",
            r#"{"value":[1]}"#,
        ] {
            check(bad, None);
        }
    }
}
