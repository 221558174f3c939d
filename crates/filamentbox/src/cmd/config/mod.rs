//! `config ...`: a file a subcommand.

mod audit;
mod change;
mod describe;
mod export;
mod get;
mod import;
mod key;
mod list;
mod set;
mod unset;

use std::process::ExitCode;

use anyhow::Result;
use filamentbox_core::config::{Registry, Setting};

use super::{USAGE, Usage, complain, load_settings, refuse_settings, say};
use crate::cli::{ConfigArgs, ConfigCommand};
use crate::settings::Places;

/// Shown instead of a secret.
const MASK: &str = "********";

pub(super) fn config(args: ConfigArgs, places: Places) -> Result<ExitCode> {
    match args.command {
        Some(ConfigCommand::List(args)) => list::list(&args, places),
        Some(ConfigCommand::Get(args)) => get::get(&args, places),
        Some(ConfigCommand::Set(args)) => set::set(args, places),
        Some(ConfigCommand::Unset(args)) => unset::unset(args, places),
        Some(ConfigCommand::Describe(args)) => describe::describe(&args),
        Some(ConfigCommand::Export(args)) => export::export(&args, places),
        Some(ConfigCommand::Import(args)) => import::import(&args, places),
        Some(ConfigCommand::Key(command)) => key::key(&command, places),
        Some(ConfigCommand::Audit(args)) => audit::audit(&args, places),
        None => Err(Usage("say what to do; `filamentbox config --help` lists it".to_owned()).into()),
    }
}

/// The text of a setting, masked where it is a secret.
fn shown(registry: &Registry, key: &str, setting: &Setting, reveal: bool) -> String {
    let secret = registry.find(key).is_none_or(|spec| spec.is_secret());
    if secret && !reveal && !setting.text.is_empty() { MASK.to_owned() } else { setting.text.clone() }
}

/// Says that there is no such key, and which is near.
fn unknown(registry: &Registry, key: &str) -> ExitCode {
    let hint = registry.nearest(key).map_or(String::new(), |near| format!("; did you mean {near}?"));
    complain(format_args!("{key}: unknown key{hint} (`filamentbox config list` shows all keys)"));
    ExitCode::from(USAGE)
}
