//! Changing settings: one key as the original does it, or many, all or none.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use filamentbox_core::config::ConfigError;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use utoipa::ToSchema;

use super::describe::describe;
use super::{find, hint, present as set_now};
use crate::runtime::reloading::{NotChanged, Settings};
use crate::settings::{Change, dialects};
use crate::web::extract::{Named, Sent, present};
use crate::web::routes::{Refusal, bad_request};
use crate::web::{Daemon, dto};

/// The settings' thread answers within milliseconds, unless another process holds the store.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(8);
/// Changes at once: more than there are keys.
const CHANGES_MAX: usize = 500;
/// Unknown keys that are told: more say nothing more, and each is compared with every key.
const UNKNOWN_TOLD: usize = 20;
/// What a new value may be.
const ALLOWED: &str = "{\"value\": a text, number, true, false, a list of texts, or null to unset}";
/// What changes may be.
pub(super) const ALLOWED_CHANGES: &str =
    "{\"changes\": {KEY: a text, number, true, false, a list of texts, or null to unset, ..}}";

/// A new value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewValue {
    /// A text, number, true, false, a list of texts, or null: not set here any more.
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = dto::new_value, required)]
    value: Option<Value>,
}

/// Sets a key, and makes the daemon go by it.
#[utoipa::path(put, path = "/api/config/{key}", tag = "Settings", operation_id = "set",
    params(("key" = String, Path, description = "The dotted key, for example safety.max_temp_c")),
    request_body = NewValue,
    responses(
        (status = 200, description = "What is set now", body = dto::SettingChanged),
        (status = 400, description = "The value is not allowed, by itself or together with others", body = dto::NotSet),
        (status = 404, description = "There is no such key", body = dto::NotSet),
        (status = 503, description = "It cannot be kept now", body = dto::NotSet)))]
pub(crate) async fn change(State(daemon): State<Daemon>, key: Result<Named, Refusal>, body: Sent) -> Response {
    match try_change(&daemon, key, &body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(Refusal(status, error)) => (status, Json(dto::NotSet { error, valid: false })).into_response(),
    }
}

async fn try_change(daemon: &Daemon, key: Result<Named, Refusal>, body: &Sent) -> Result<dto::SettingChanged, Refusal> {
    let settings = &daemon.settings;
    let Named(key) = key?;
    let (spec, now) = find(settings, &settings.view(), &key)?;
    let NewValue { value } = body.object(ALLOWED)?;
    let value = value.ok_or_else(|| bad_request(format!("'value' is missing; allowed: {ALLOWED}")))?;
    let text = text(&value).ok_or_else(|| bad_request(format!("the value is not understood; allowed: {ALLOWED}")))?;
    let changes = in_our_names(settings, vec![Change { key, text }]).map_err(of_one)?;
    apply(settings, changes).await.map_err(of_one)?;
    let described = describe(spec, &settings.view(), &now);
    Ok(dto::SettingChanged {
        success: true,
        valid: true,
        value: described.value,
        source: described.source,
        restart_needed: described.restart_needed,
    })
}

/// Changes of settings by key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewValues {
    /// By key a text, number, true, false, a list of texts, or null: not set here any more.
    #[schema(schema_with = dto::new_values)]
    changes: Given,
}

/// Changes as they were written. A key that is there twice is refused: which of the two is meant nobody knows.
#[derive(Default)]
pub(crate) struct Given(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of keys and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
                let mut given = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if given.contains_key(&key) {
                        return Err(serde::de::Error::custom(format_args!("duplicate key {key:?}")));
                    }
                    given.insert(key, value);
                }
                Ok(Given(given))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// Changes settings, all or none, and makes the daemon go by them.
#[utoipa::path(post, path = "/api/config", tag = "Settings", operation_id = "set_all",
    request_body = NewValues,
    responses(
        (status = 200, description = "All were made", body = dto::Done),
        (status = 400, description = "A value is not allowed, by itself or together with others; nothing was changed", body = dto::NotSetAll),
        (status = 404, description = "There is no such key; nothing was changed", body = dto::NotSetAll),
        (status = 503, description = "It cannot be kept now", body = dto::NotSetAll)))]
pub(crate) async fn change_all(State(daemon): State<Daemon>, body: Sent) -> Response {
    match try_change_all(&daemon.settings, &body).await {
        Ok(()) => Json(dto::Done { success: true }).into_response(),
        Err(refused) => refused.into_response(),
    }
}

async fn try_change_all(settings: &Settings, body: &Sent) -> Result<(), Refused> {
    let NewValues { changes: given } = body.object(ALLOWED_CHANGES).map_err(Refused::whole)?;
    let changes = changes(settings, given)?;
    if changes.is_empty() { Ok(()) } else { apply(settings, changes).await }
}

/// What is asked for, in our names.
pub(super) fn changes(settings: &Settings, Given(given): Given) -> Result<Vec<Change>, Refused> {
    if given.len() > CHANGES_MAX {
        let many = format!("{} changes are too many; allowed: {CHANGES_MAX} at once", given.len());
        return Err(Refused::whole(bad_request(many)));
    }
    let mut refused = Vec::new();
    let mut changes = Vec::new();
    for (key, value) in given {
        match text(&value) {
            Some(text) => changes.push(Change { key, text }),
            None => {
                refused.push(ConfigError { key, problem: format!("is not understood; allowed: {ALLOWED_CHANGES}") })
            }
        }
    }
    if !refused.is_empty() {
        return Err(Refused::keys(StatusCode::BAD_REQUEST, refused));
    }
    in_our_names(settings, changes)
}

/// `changes` by our names; every key is one that there is.
fn in_our_names(settings: &Settings, changes: Vec<Change>) -> Result<Vec<Change>, Refused> {
    let translated = dialects::translate_changes(changes, &set_now(&settings.view()));
    let ignored = translated.ignored.into_iter();
    let ignored = ignored
        .map(|ConfigError { key, problem }| ConfigError { key, problem: format!("has no effect here: {problem}") });
    let refused: Vec<ConfigError> = translated.refused.into_iter().chain(ignored).collect();
    if !refused.is_empty() {
        return Err(Refused::keys(StatusCode::BAD_REQUEST, refused));
    }
    let is_unknown = |change: &&Change| settings.registry.find(&change.key).is_none();
    let told = |Change { key, .. }: &Change| ConfigError {
        key: key.clone(),
        problem: format!("unknown key{}", hint(settings, key)),
    };
    let unknown = translated.changes.iter().filter(is_unknown).take(UNKNOWN_TOLD);
    let unknown: Vec<ConfigError> = unknown.map(told).collect();
    if unknown.is_empty() { Ok(translated.changes) } else { Err(Refused::keys(StatusCode::NOT_FOUND, unknown)) }
}

async fn apply(settings: &Settings, changes: Vec<Change>) -> Result<(), Refused> {
    let changed = tokio::time::timeout(ANSWER_MAX, settings.change(changes, "api")).await;
    changed.unwrap_or_else(|_| {
        let busy = "the settings' thread is busy; look again whether the change was made";
        Err(NotChanged::Failed(busy.to_owned()))
    })?;
    Ok(())
}

/// Why nothing was changed.
pub(crate) struct Refused {
    status: StatusCode,
    error: String,
    problems: Vec<ConfigError>,
}

impl Refused {
    pub(super) fn whole(Refusal(status, error): Refusal) -> Self {
        Self { status, error, problems: Vec::new() }
    }

    fn keys(status: StatusCode, problems: Vec<ConfigError>) -> Self {
        let error = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Self { status, error, problems }
    }
}

impl From<NotChanged> for Refused {
    fn from(problem: NotChanged) -> Self {
        match problem {
            NotChanged::Refused(problems) => Self::keys(StatusCode::BAD_REQUEST, problems),
            NotChanged::Failed(problem) => Self::whole(Refusal(StatusCode::SERVICE_UNAVAILABLE, problem)),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let problem = |ConfigError { key, problem }| dto::RefusedKey { key, error: problem };
        let problems = self.problems.into_iter().map(problem).collect();
        (self.status, Json(dto::NotSetAll { success: false, error: self.error, problems })).into_response()
    }
}

/// The same where it is about one key.
fn of_one(refused: Refused) -> Refusal {
    Refusal(refused.status, refused.error)
}

/// The text of a new value, as the settings have it; `Some(None)` for `null`, `None` where it is no value.
fn text(value: &Value) -> Option<Option<String>> {
    match value {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.clone())),
        Value::Number(number) => Some(Some(number.to_string())),
        Value::Bool(switch) => Some(Some(switch.to_string())),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            Some(Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")))
        }
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<Option<&str>>) {
        let body = Sent(body.to_owned().into());
        let found = body.object::<NewValue>(ALLOWED).ok().and_then(|new| text(&new.value?));
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
