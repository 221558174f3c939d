//! `config get`

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::{load_settings, refuse_settings, say, shown, unknown};
use crate::cli::GetArgs;
use crate::settings::{self, Places};

pub(super) fn get(args: &GetArgs, places: Places) -> Result<ExitCode> {
    let registry = settings::registry();
    let key = args.key.as_str();
    if registry.find(key).is_none() {
        return Ok(unknown(&registry, key));
    }
    let loaded = match load_settings(places, false) {
        Ok(loaded) => loaded,
        Err(problem) => return refuse_settings(problem),
    };
    match loaded.settings.get(key) {
        Some(setting) => say(shown(&registry, key, setting, args.reveal)),
        None => bail!("{key} is not set"),
    }
    Ok(ExitCode::SUCCESS)
}
