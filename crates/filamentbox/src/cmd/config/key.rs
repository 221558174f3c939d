//! `config key ...`

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::super::refuse_settings;
use super::say;
use crate::cli::KeyCommand;
use crate::settings::{self, Access, Key, KeySource, Located, Places, SettingsError, Sources};

pub(super) fn key(command: &KeyCommand, places: Places) -> Result<ExitCode> {
    let outcome = match command {
        KeyCommand::Generate { print: true } => {
            say(Key::random(places.key_file())?.reveal());
            Ok(())
        }
        KeyCommand::Generate { print: false } => generate(places),
        KeyCommand::Rotate { new_key } => rotate(new_key.as_deref(), places)?,
        KeyCommand::ShowLocation { json } => show_location(places, *json),
    };
    outcome.map_or_else(refuse_settings, |()| Ok(ExitCode::SUCCESS))
}

fn generate(places: Places) -> Result<(), SettingsError> {
    let place = Sources::generate_key(places, settings::variables())?;
    say(format_args!(
        "A new key is in {place}. Keep a copy of it apart from the settings: nobody can read them without it."
    ));
    Ok(())
}

fn rotate(new_key: Option<&Path>, places: Places) -> Result<Result<(), SettingsError>> {
    let new = match new_key {
        Some(path) => Some(Key::read(path)?.with_context(|| format!("there is no file {}", path.display()))?),
        None => None,
    };
    // Nothing is made here: without a store there is nothing to rotate.
    let opened = Sources::open(places, Access::Existing, false, settings::variables());
    Ok(opened.and_then(|mut sources| sources.rotate(new)).map(|(old, place)| {
        say(format_args!("The settings have a new key, in {place}. The old one opens them no longer."));
        if let KeySource::Environment(name) = old {
            say(format_args!("Put the new key into {name} now: without it the daemon does not start again."));
        }
        say("Keep a copy of the new key apart from the settings; backups made before need the old one.");
    }))
}

fn show_location(places: Places, json: bool) -> Result<(), SettingsError> {
    let Located { key, is_raw, opens } = Sources::locate(places.clone(), settings::variables())?;
    let store = places.store.display();
    if json {
        let place = key.as_ref().map(|source| match source {
            KeySource::Environment(name) => json!({"kind": "environment", "variable": name}),
            KeySource::Vault => json!({"kind": "vault"}),
            KeySource::File(path) => json!({"kind": "file", "path": path}),
            KeySource::Default => json!({"kind": "default"}),
        });
        say(json!({"key": place, "raw": is_raw, "store": places.store, "exists": opens.is_some(), "opens": opens}));
        return Ok(());
    }
    match key {
        Some(source) => say(format_args!("key:   {source} ({})", if is_raw { "256-bit key" } else { "passphrase" })),
        None if opens.is_none() => {
            say(format_args!("key:   none yet; the first start makes {}", places.key_file().display()));
        }
        None => say(format_args!("key:   none; it would be {}", places.key_file().display())),
    }
    match opens {
        Some(true) => say(format_args!("store: {store} (opens with this key)")),
        Some(false) => say(format_args!("store: {store} (DOES NOT open with this key)")),
        None => say(format_args!("store: none yet; the first start makes {store}")),
    }
    Ok(())
}
