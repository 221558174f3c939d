//! The interface as an OpenAPI document, made from the routes and the types of their answers. A route says what it answers itself; what the
//! layers around it may answer instead is added here, by the group's right.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, HttpMethod, Ref, RefOr, Required, Response, ResponseBuilder, SecurityRequirement};
use utoipa_axum::router::OpenApiRouter;

use super::access::{Right, session_cookie};
use super::{Daemon, routes};

/// The refusals of the layers around a route.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("400", "BadRequest", "The path, the query or the body is not understood"),
    ("401", "LogInFirst", "Who asks has to log in first, or to bring a token"),
    ("403", "Forbidden", "Who asks may not do this, or it does not come from our own page"),
    ("413", "TooLong", "The body is longer than 64 kB"),
    ("415", "NotJson", "The content type is not application/json"),
    ("421", "WrongHost", "The Host header does not name this box"),
    ("429", "TooOften", "Too many requests; Retry-After says how many seconds to wait"),
];

/// The document, once.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().into());

/// `GET /api/openapi.json`
#[utoipa::path(get, path = "/api/openapi.json", tag = "Service", operation_id = "openapi",
    responses((status = 200, description = "This document", body = Object)))]
pub(super) async fn show() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

/// The document as text, the same for the same program.
pub fn document() -> String {
    let mut document = routes::groups().into_openapi();
    document.info.title = "FilamentBox".to_owned();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.info.description = Some(DESCRIPTION.to_owned());
    let components = document.components.get_or_insert_default();
    for (_, name, description) in REFUSALS {
        components.responses.insert((*name).to_owned(), RefOr::T(refusal(description)));
    }
    for (name, scheme) in schemes() {
        components.add_security_scheme(name, scheme);
    }
    let mut document = serde_json::to_value(document).unwrap_or_default();
    require_all_fields(&mut document);
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text + "\n"
}

const DESCRIPTION: &str = "Times are Unix seconds with a fraction; what is not known is null. Every refusal is {\"error\": what is wrong, \
what is allowed, what to do}. Fields are never renamed or removed; new ones may come.";

/// The methods that a path takes, where `method` is none of them: an asker who may not come in is told that rather than why.
pub(super) fn other_methods(method: &Method, path: &str) -> Option<String> {
    let fits = |(template, _): &&(Vec<String>, Vec<String>)| {
        let given: Vec<&str> = path.split('/').collect();
        let is_same =
            |(wanted, given): (&String, &&str)| wanted == given || (wanted.starts_with('{') && !given.is_empty());
        template.len() == given.len() && template.iter().zip(&given).all(is_same)
    };
    let mut methods: Vec<&str> =
        METHODS.iter().filter(fits).flat_map(|(_, methods)| methods).map(String::as_str).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    (!methods.is_empty() && !methods.contains(&method.as_str())).then(|| methods.join(","))
}

/// The parts of each path with the methods that it takes.
static METHODS: LazyLock<Vec<(Vec<String>, Vec<String>)>> = LazyLock::new(|| {
    let mut document = routes::groups().into_openapi();
    let methods = |item: &mut PathItem| -> Vec<String> {
        let names = [
            (item.get.is_some(), "GET"),
            (item.put.is_some(), "PUT"),
            (item.post.is_some(), "POST"),
            (item.delete.is_some(), "DELETE"),
        ];
        names.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name.to_owned()).collect()
    };
    let paths = document.paths.paths.iter_mut();
    paths.map(|(path, item)| (path.split('/').map(str::to_owned).collect(), methods(item))).collect()
});

/// A schema as it is written in the document.
///
/// # Panics
/// When it is none: a unit test makes the document.
pub(super) fn schema(written: Value) -> RefOr<Schema> {
    serde_json::from_value(written).expect("a schema")
}

fn refusal(description: &str) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content("application/json", Content::new(Some(Ref::from_schema_name("Refused"))))
        .build()
}

/// Adds to every route of a group what the layers around it may answer.
pub(super) fn group(mut routes: OpenApiRouter<Daemon>, right: Option<Right>) -> OpenApiRouter<Daemon> {
    for item in routes.get_openapi_mut().paths.paths.values_mut() {
        for (method, operation) in operations(item) {
            complete(method, operation, right);
        }
    }
    routes
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let PathItem { get, put, post, delete, .. } = item;
    let all = [(HttpMethod::Get, get), (HttpMethod::Put, put), (HttpMethod::Post, post), (HttpMethod::Delete, delete)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn complete(method: HttpMethod, operation: &mut Operation, right: Option<Right>) {
    let changes = method != HttpMethod::Get;
    let has_parameters = operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty());
    if changes {
        operation.parameters.get_or_insert_default().push(RefOr::T(our_header()));
    }
    operation.security = Some(security(right));
    let has_body = operation.request_body.is_some();
    let has_input = has_body || has_parameters;
    for (status, name, _) in REFUSALS {
        let is_possible = match *status {
            "400" => has_input,
            "401" => right.is_some(),
            "403" => right.is_some() || changes,
            "413" => has_body,
            "415" => changes,
            _ => true,
        };
        if is_possible {
            let shared = RefOr::Ref(Ref::from_response_name(*name));
            operation.responses.responses.entry((*status).to_owned()).or_insert(shared);
        }
    }
}

/// What a page of somebody else's cannot send.
fn our_header() -> Parameter {
    ParameterBuilder::new()
        .name("X-FilamentBox")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some("Says that the request does not come from a page of somebody else's"))
        .schema(Some(schema(json!({ "type": "string", "enum": ["1"] }))))
        .build()
}

/// Nothing, as on the Unix socket and at a simulated box; or a token, or a login. A program cannot change settings.
fn security(right: Option<Right>) -> Vec<SecurityRequirement> {
    let with = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    let nothing = SecurityRequirement::default();
    match right {
        None => vec![nothing],
        Some(Right::Configure) => vec![nothing, with("login")],
        Some(Right::Read | Right::Control | Right::Heat) => vec![nothing, with("token"), with("login")],
    }
}

/// How somebody shows who they are.
fn schemes() -> [(&'static str, SecurityScheme); 2] {
    let token =
        "A token of `filamentbox config token create`; with the scope `read` it sees, with `control` it switches too";
    let login = "The cookie of POST /api/login (over HTTPS its name begins with `__Host-`)";
    [
        (
            "token",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(token)).build()),
        ),
        ("login", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(session_cookie(false), login)))),
    ]
}

/// What the daemon answers has all its fields, null or not: only a request may leave some out.
fn require_all_fields(document: &mut Value) {
    let mut answered = BTreeSet::new();
    let mut found = Vec::new();
    for operation in document["paths"].as_object().into_iter().flat_map(|paths| paths.values()) {
        for operation in operation.as_object().into_iter().flat_map(|methods| methods.values()) {
            schemas_of(&operation["responses"], &mut found);
        }
    }
    while let Some(name) = found.pop() {
        if answered.insert(name.clone()) {
            schemas_of(&document["components"]["schemas"][&name], &mut found);
        }
    }
    for name in answered {
        require(&mut document["components"]["schemas"][&name]);
    }
}

fn schemas_of(part: &Value, found: &mut Vec<String>) {
    match part {
        Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(Value::as_str);
            found.extend(reference.and_then(|text| text.strip_prefix("#/components/schemas/")).map(str::to_owned));
            fields.values().for_each(|field| schemas_of(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| schemas_of(item, found)),
        _ => {}
    }
}

/// Fields that an answer may lack have `"x-may-lack": true`; of a list it stands at its items.
fn require(schema: &mut Value) {
    let may_lack = |field: &Value| field["x-may-lack"] == true || field["items"]["x-may-lack"] == true;
    if let Some(fields) = schema["properties"].as_object() {
        let names: Vec<&String> = fields.iter().filter(|(_, field)| !may_lack(field)).map(|(name, _)| name).collect();
        schema["required"] = json!(names);
    }
    for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        require(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let committed = std::fs::read_to_string(path).expect("docs/openapi.json");
        assert!(committed == document(), "docs/openapi.json is out of date: run 'make docs'");
    }

    #[test]
    fn a_path_knows_its_methods() {
        let other = |method, path| other_methods(&method, path);
        assert_eq!(other(Method::PUT, "/api/status").as_deref(), Some("GET,HEAD"));
        assert_eq!(other(Method::POST, "/api/config/safety.max_temp_c").as_deref(), Some("GET,PUT,HEAD"));
        assert_eq!(other(Method::PUT, "/api/config/safety.max_temp_c"), None);
        assert_eq!(other(Method::GET, "/api/safety/reset").as_deref(), Some("POST"));
        assert_eq!(other(Method::HEAD, "/api/status"), None);
        assert_eq!(other(Method::PUT, "/api/config/"), None);
        assert_eq!(other(Method::PUT, "/nowhere"), None);
    }

    #[test]
    fn every_operation_has_its_own_name_and_says_what_it_answers() {
        let document: Value = serde_json::from_str(&document()).expect("JSON");
        let mut names = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                let name = operation["operationId"].as_str().unwrap_or_default();
                assert!(!name.is_empty() && names.insert(name.to_owned()), "{method} {path}: {name:?}");
                let mut answers = operation["responses"].as_object().expect("responses").values();
                // Those of the layers around it are references.
                let is_own = |answer: &Value| answer["content"].is_object();
                assert!(answers.any(is_own), "{method} {path} does not say what it answers");
            }
        }
    }
}
