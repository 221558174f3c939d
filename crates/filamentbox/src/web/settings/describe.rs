//! A key as it is shown: its value, and everything that a form needs.

use filamentbox_core::config::{KeySpec, Kind, SECRET_MAX, Standing, URL_MAX, Value as Parsed};
use serde_json::{Value, json};

use crate::runtime::reloading::View;
use crate::settings::variable_name;
use crate::web::dto;

/// Shown instead of a secret.
const MASK: &str = "********";

/// A key as `view` has it; a family stands for itself by its own name.
pub(super) fn describe(spec: &KeySpec, view: &View, key: &str) -> dto::DescribedSetting {
    let setting = view.set.settings.get(key);
    let (original, kind) = match spec.kind {
        Kind::Number { .. } => ("float", "number"),
        Kind::Integer { .. } => ("int", "integer"),
        Kind::Bool => ("bool", "bool"),
        Kind::Choice(_) => ("str", "choice"),
        Kind::Choices(_) => ("str", "choices"),
        Kind::Text { .. } => ("str", "text"),
        Kind::Url => ("str", "url"),
        Kind::Secret => ("str", "secret"),
    };
    let (min, max) = match spec.kind {
        Kind::Number { min, max } => (json!(min), json!(max)),
        Kind::Integer { min, max } => (json!(min), json!(max)),
        _ => (Value::Null, Value::Null),
    };
    let choices = match spec.kind {
        Kind::Choice(words) | Kind::Choices(words) => Some(words),
        _ => None,
    };
    let max_bytes = match spec.kind {
        Kind::Text { max_bytes } => Some(max_bytes as u64),
        Kind::Url => Some(URL_MAX as u64),
        Kind::Secret => Some(SECRET_MAX as u64),
        _ => None,
    };
    dto::DescribedSetting {
        value: setting.map_or(Value::Null, |setting| parsed(&setting.value)),
        set: setting.is_some_and(|setting| !setting.text.is_empty()),
        source: setting.map(|setting| setting.source.to_string()),
        r#type: original,
        kind,
        allowed: spec.allowed(),
        variable: variable_name(key),
        max_bytes,
        reserved: spec.standing == Standing::Reserved,
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
