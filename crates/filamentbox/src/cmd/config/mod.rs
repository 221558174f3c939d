//! `config ...`: a file a subcommand.

mod audit;
mod change;
mod describe;
mod edit;
mod export;
mod get;
mod import;
mod installation;
mod key;
mod list;
mod old_names;
mod set;
mod token;
mod unset;

use std::process::ExitCode;

use anyhow::Result;
use filamentbox_core::config::{ConfigError, Registry};

use self::installation::Installation;
use super::{USAGE, Usage, complain, say};
use crate::cli::{ConfigArgs, ConfigCommand, OriginalArgs};
use crate::settings::Places;

/// Shown instead of a secret.
const MASK: &str = "********";

pub(super) fn config(args: ConfigArgs, places: Places) -> Result<ExitCode> {
    match args.command {
        Some(_) if args.original.any() => {
            Err(Usage("the original tool's flags stand alone, without a command".to_owned()).into())
        }
        None => original(args.original, places),
        Some(command) => run(command, Installation::new(places)),
    }
}

fn run(command: ConfigCommand, installation: Installation) -> Result<ExitCode> {
    match command {
        ConfigCommand::List(args) => list::list(&args, &installation),
        ConfigCommand::Get(args) => get::get(&args, &installation),
        ConfigCommand::Set(args) => set::set(args, &installation),
        ConfigCommand::Unset(args) => unset::unset(args, &installation),
        ConfigCommand::Edit => edit::edit(&installation),
        ConfigCommand::Describe(args) => describe::describe(&args),
        ConfigCommand::Export(args) => export::export(&args, &installation),
        ConfigCommand::Import(args) => import::import(&args, &installation),
        ConfigCommand::Token(command) => token::token(command, &installation),
        ConfigCommand::Key(command) => key::key(&command, installation.places),
        ConfigCommand::Audit(args) => audit::audit(&args, installation.places),
    }
}

/// The original tool's flags, each as the command that does it here.
fn original(args: OriginalArgs, mut places: Places) -> Result<ExitCode> {
    places.store = args.db.clone().unwrap_or(places.store);
    let mut installation = Installation::new(places);
    if let Some(key) = args.key.clone() {
        complain("every user of this machine can read a key on a command line; CONFIG_ENCRYPTION_KEY does the same");
        installation.use_key(key);
    }
    match args.command() {
        Some(command) => run(command, installation),
        None => Err(Usage("say what to do; `filamentbox config --help` lists it".to_owned()).into()),
    }
}

/// The text of a setting, masked where it is a secret. A key that is not known may be one.
fn shown(registry: &Registry, key: &str, text: &str, reveal: bool) -> String {
    let secret = registry.find(key).is_none_or(|spec| spec.is_secret());
    if secret && !reveal && !text.is_empty() { MASK.to_owned() } else { text.to_owned() }
}

/// The keys that a problem is about.
fn keys_of(problem: &ConfigError) -> impl Iterator<Item = &str> {
    problem.key.split(", ")
}

/// Says that there is no such key, and which is near.
fn unknown(registry: &Registry, key: &str) -> ExitCode {
    let hint = registry.nearest(key).map_or(String::new(), |near| format!("; did you mean {near}?"));
    complain(format_args!("{key}: unknown key{hint} (`filamentbox config list` shows all keys)"));
    ExitCode::from(USAGE)
}

/// Says all of `problems`, after what they are.
fn complain_of(what: &str, problems: &[ConfigError]) -> ExitCode {
    complain(format_args!("{what}: {} problem(s) in the settings:", problems.len()));
    problems.iter().for_each(|problem| complain(format_args!("  {problem}")));
    ExitCode::from(USAGE)
}
