//! `config list|get|describe`

use std::process::ExitCode;

use anyhow::{Result, bail};
use filamentbox_core::config::{Registry, Setting};
use serde_json::json;

use crate::cli::ConfigCommand;
use crate::settings::{self, Loaded, Places, reference};

/// Shown instead of a secret.
const MASK: &str = "********";

pub(super) fn config(command: ConfigCommand, places: Places) -> Result<ExitCode> {
    let registry = settings::registry();
    match command {
        ConfigCommand::List { prefix, json, reveal, simulate } => {
            let loaded = match super::load_settings(places, simulate) {
                Ok(loaded) => loaded,
                Err(problem) => return super::refuse_settings(problem),
            };
            list(&registry, &loaded, prefix.as_deref().unwrap_or_default(), json, reveal)
        }
        ConfigCommand::Get { key, reveal } => get(&registry, places, &key, reveal),
        ConfigCommand::Describe { markdown: true, .. } => {
            super::say(reference::markdown(&registry).trim_end());
            Ok(ExitCode::SUCCESS)
        }
        ConfigCommand::Describe { key, .. } => describe(&registry, key.as_deref().unwrap_or_default()),
    }
}

fn list(registry: &Registry, loaded: &Loaded, prefix: &str, json: bool, reveal: bool) -> Result<ExitCode> {
    let rows = loaded.settings.iter().filter(|(key, _)| key.starts_with(prefix));
    let rows: Vec<_> =
        rows.map(|(key, setting)| (key, shown(registry, key, setting, reveal), setting.source.to_string())).collect();
    if rows.is_empty() {
        return Err(super::Usage(format!(
            "no key begins with {prefix:?}; `filamentbox config describe` shows all keys"
        ))
        .into());
    }
    if json {
        let rows: Vec<_> =
            rows.iter().map(|(key, value, source)| json!({"key": key, "value": value, "source": source})).collect();
        super::say(serde_json::to_string_pretty(&rows)?);
        return Ok(ExitCode::SUCCESS);
    }
    let width = |column: fn(&(&str, String, String)) -> usize| rows.iter().map(column).max().unwrap_or(0);
    let (key_width, value_width) = (width(|row| row.0.len()), width(|row| row.1.chars().count()).min(40));
    for (key, value, source) in rows {
        super::say(format_args!("{key:key_width$}  {value:value_width$}  {source}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn get(registry: &Registry, places: Places, key: &str, reveal: bool) -> Result<ExitCode> {
    if registry.find(key).is_none() {
        let hint = registry.nearest(key).map_or(String::new(), |near| format!("; did you mean {near}?"));
        super::complain(format_args!("{key}: unknown key{hint} (`filamentbox config list` shows all keys)"));
        return Ok(ExitCode::from(super::USAGE));
    }
    let loaded = match super::load_settings(places, false) {
        Ok(loaded) => loaded,
        Err(problem) => return super::refuse_settings(problem),
    };
    match loaded.settings.get(key) {
        Some(setting) => super::say(shown(registry, key, setting, reveal)),
        None => bail!("{key} is not set"),
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(registry: &Registry, key: &str, setting: &Setting, reveal: bool) -> String {
    let secret = registry.find(key).is_none_or(|spec| spec.is_secret());
    if secret && !reveal && !setting.text.is_empty() { MASK.to_owned() } else { setting.text.expose().to_owned() }
}

fn describe(registry: &Registry, prefix: &str) -> Result<ExitCode> {
    let exact = registry.find(prefix);
    let specs: Vec<_> = match exact {
        Some(spec) => vec![spec],
        None => registry.specs().iter().copied().filter(|spec| spec.key.starts_with(prefix)).collect(),
    };
    if specs.is_empty() {
        let hint = registry.nearest(prefix).map_or(String::new(), |near| format!("; did you mean {near}?"));
        super::complain(format_args!("{prefix}: unknown key{hint}"));
        return Ok(ExitCode::from(super::USAGE));
    }
    for spec in specs {
        super::say(reference::describe(spec));
    }
    Ok(ExitCode::SUCCESS)
}
