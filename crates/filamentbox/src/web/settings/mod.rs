//! Settings over HTTP: each as the original shows it. A secret is never returned, only whether it is set. The original's names of keys are
//! understood too.

pub(super) mod change;
mod describe;
pub(super) mod sections;
pub(super) mod trial;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use filamentbox_core::config::{KeySpec, Source};

use super::extract::Named;
use super::routes::Refusal;
use super::{Daemon, dto};
use crate::runtime::reloading::{Settings, View};
use crate::settings::dialects;
use describe::describe;

/// No key is longer: nothing similar is looked for.
const HINT_MAX: usize = 128;

/// The part of the daemon's status that is about settings.
pub(super) fn status(settings: &Settings) -> dto::SettingsStatus {
    let view = settings.view();
    dto::SettingsStatus { problems: view.problems.clone(), restart_needed: view.restart_needed.clone() }
}

/// One key: its value, and what it may be.
#[utoipa::path(get, path = "/api/config/{key}", tag = "Settings", operation_id = "setting",
    params(("key" = String, Path, description = "The dotted key, for example safety.max_temp_c")),
    responses(
        (status = 200, description = "The key", body = dto::ShownSetting),
        (status = 404, description = "There is no such key", body = dto::Refused)))]
pub(super) async fn show(State(daemon): State<Daemon>, Named(key): Named) -> Result<Json<dto::ShownSetting>, Refusal> {
    let view = daemon.settings.view();
    let (spec, now) = find(&daemon.settings, &view, &key)?;
    let described = describe(spec, &view, &now);
    Ok(Json(dto::ShownSetting { key, described }))
}

/// Every key that begins with the section's name, by key.
#[utoipa::path(get, path = "/api/config/section/{section}", tag = "Settings", operation_id = "section",
    params(("section" = String, Path, description = "The beginning of keys, without the last dot, for example safety")),
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

/// The key, by our name or the original's, and what we call it.
fn find(settings: &Settings, view: &View, key: &str) -> Result<(&'static KeySpec, String), Refusal> {
    if let Some(spec) = settings.registry.find(key) {
        return Ok((spec, key.to_owned()));
    }
    let now = dialects::now_called(key, &present(view)).and_then(|keys| keys.into_iter().next());
    let found = now.and_then(|now| Some((settings.registry.find(&now)?, now)));
    found.ok_or_else(|| unknown(settings, key))
}

/// What is set now to anything but the default.
fn present(view: &View) -> impl Fn(&str) -> Option<String> {
    |key| {
        let setting = view.set.settings.get(key).filter(|setting| setting.source != Source::Default);
        setting.map(|setting| setting.text.expose().to_owned())
    }
}

fn unknown(settings: &Settings, key: &str) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("unknown key {key:?}{}", hint(settings, key)))
}

/// Which key is near.
fn hint(settings: &Settings, key: &str) -> String {
    let near = if key.len() > HINT_MAX { None } else { settings.registry.nearest(key) };
    near.map_or(String::new(), |near| format!("; did you mean {near}?"))
}
