//! Settings as they are shown. A secret is never shown, only whether it is set.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type,
};

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
    /// As the original names it: `float`, `int`, `bool` or `str`.
    pub(crate) r#type: &'static str,
    /// What it may be: `number`, `integer`, `bool`, `choice` (one of `choices`), `choices` (some of them, joined by commas), `text`, `url`
    /// or `secret`.
    pub(crate) kind: &'static str,
    /// The same for people.
    pub(crate) allowed: String,
    /// The environment variable that sets it.
    pub(crate) variable: String,
    /// The longest text, in bytes; null for what is no text.
    pub(crate) max_bytes: Option<u64>,
    /// Whether the name is fixed and the value is checked, but this version does not act on it.
    pub(crate) reserved: bool,
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

/// Every key.
#[derive(Serialize, ToSchema)]
pub(crate) struct AllSettings {
    /// In the order of a form.
    pub(crate) sections: Vec<SettingsSection>,
}

/// Keys that belong together.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsSection {
    pub(crate) title: &'static str,
    /// What it is about.
    pub(crate) doc: &'static str,
    pub(crate) keys: Vec<ListedSetting>,
}

/// One key in a list of all.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedSetting {
    pub(crate) key: String,
    /// Whether the last part of the key, `NAME`, stands for any name. Members that are set follow, as keys of their own.
    pub(crate) family: bool,
    #[serde(flatten)]
    pub(crate) described: DescribedSetting,
}

/// A refusal to set keys: none was set.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotSetAll {
    /// Always false.
    pub(crate) success: bool,
    /// What is wrong, what is allowed, what to do; for people.
    pub(crate) error: String,
    /// The same key by key; empty where it is not about keys.
    pub(crate) problems: Vec<RefusedKey>,
}

/// What is wrong with a key.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedKey {
    /// The key, or keys that contradict each other, joined by `, `.
    pub(crate) key: String,
    /// What is wrong, and what is allowed; for people.
    pub(crate) error: String,
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

/// What keys can be set to.
pub(crate) fn new_values() -> Object {
    let values = AdditionalProperties::RefOr(new_value().into());
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::Object)).additional_properties(Some(values)).build()
}
