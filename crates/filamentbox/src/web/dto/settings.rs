//! Settings as they are shown. A secret is never shown, only whether it is set.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};

/// What a person should know of the settings as a whole.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsStatus {
    /// Why what is set now was not accepted; the last good settings hold then.
    pub(crate) problems: Vec<String>,
    /// Keys whose new values wait for the next start.
    pub(crate) restart_needed: Vec<String>,
}

/// A key: its value, and everything that a form needs.
#[derive(Serialize, ToSchema)]
pub(crate) struct DescribedSetting {
    /// What is set: a number, a text (a list's is joined by commas), a switch; of a secret `********` or an empty text; null if there is no such member of a family.
    #[schema(schema_with = scalar)]
    pub(crate) value: Value,
    /// Whether it is set to anything.
    pub(crate) set: bool,
    /// Where the value comes from.
    pub(crate) source: Option<String>,
    /// `float`, `int`, `bool` or `str`.
    pub(crate) r#type: &'static str,
    /// The unit of a number, or an empty text.
    pub(crate) unit: &'static str,
    /// What it does.
    pub(crate) description: &'static str,
    /// The default, as the original names it.
    #[schema(schema_with = scalar)]
    pub(crate) example: Value,
    /// What holds where nothing is set.
    #[schema(schema_with = scalar)]
    pub(crate) default: Value,
    /// Whether its part of the program does not work while it is empty.
    pub(crate) required: bool,
    /// The words that are allowed; null where that is not all.
    pub(crate) choices: Option<&'static [&'static str]>,
    /// The smallest number; null for everything else.
    #[schema(schema_with = number)]
    pub(crate) min: Value,
    /// The largest number; null for everything else.
    #[schema(schema_with = number)]
    pub(crate) max: Value,
    /// Whether a new value waits for the daemon's next start.
    pub(crate) at_start: bool,
    /// Whether one waits now.
    pub(crate) restart_needed: bool,
}

/// One key.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShownSetting {
    pub(crate) key: String,
    #[serde(flatten)]
    pub(crate) described: DescribedSetting,
}

/// A key that was set.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingChanged {
    /// Always true; a refusal has another status.
    pub(crate) success: bool,
    /// Always true.
    pub(crate) valid: bool,
    /// What is set now.
    #[schema(schema_with = scalar)]
    pub(crate) value: Value,
    /// Where the value comes from.
    pub(crate) source: Option<String>,
    /// Whether it waits for the daemon's next start.
    pub(crate) restart_needed: bool,
}

fn scalar() -> Object {
    let types = vec![Type::Number, Type::String, Type::Boolean, Type::Null];
    ObjectBuilder::new().schema_type(SchemaType::Array(types)).build()
}

fn number() -> Object {
    ObjectBuilder::new().schema_type(SchemaType::Array(vec![Type::Number, Type::Null])).build()
}

/// What a key can be set to: a scalar, or a list of texts.
pub(crate) fn new_value() -> Schema {
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    AnyOfBuilder::new().item(scalar()).item(ArrayBuilder::new().items(text)).build().into()
}
