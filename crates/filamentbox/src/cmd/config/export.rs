//! `config export`: the store as TOML that `config import` takes in again.
//!
//! What comes from the environment or from Vault is not exported: it is not the store's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use filamentbox_core::config::{KeySpec, Kind, Registry};
use toml_writer::{ToTomlKey as _, ToTomlValue as _};

use super::{Installation, complain, import, say};
use crate::cli::ExportSettingsArgs;
use crate::settings::Access;

pub(super) fn export(args: &ExportSettingsArgs, installation: &Installation) -> Result<ExitCode> {
    let sources = installation.open(Access::Existing, false)?;
    let stored = sources.stored()?;
    if stored.is_empty() {
        complain(format_args!("the store {} holds nothing", installation.places.store.display()));
    }
    let (page, secrets) = page(&sources.registry, &stored, args.with_secrets);
    say(page.trim_end());
    match (args.with_secrets, secrets) {
        (_, 0) => {}
        (true, _) => complain(format_args!("{secrets} secret(s) stand there in plain text: let nobody else read them")),
        (false, _) => complain(format_args!("{secrets} secret(s) are left out; --with-secrets exports them too")),
    }
    Ok(ExitCode::SUCCESS)
}

/// The TOML text of `stored`, and how many secrets there are.
pub(super) fn page(registry: &Registry, stored: &[(String, String)], with_secrets: bool) -> (String, usize) {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    let mut secrets = 0;
    for (key, text) in stored {
        let spec = registry.find(key);
        // A key that is not known may be a secret.
        let is_secret = spec.is_none_or(KeySpec::is_secret);
        secrets += usize::from(is_secret);
        let (section, name) = split(spec, key);
        let lines = sections.entry(section).or_default();
        let name = name.to_toml_key();
        let unit = spec.map_or("", |spec| spec.unit);
        let comment = if unit.is_empty() { String::new() } else { format!("  # {unit}") };
        let _ = if is_secret && !with_secrets {
            writeln!(lines, "# {name} = ...  # a secret")
        } else {
            writeln!(lines, "{name} = {}{comment}", value(spec, text))
        };
    }
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!("# Settings of FilamentBox {version}; `filamentbox config import FILE` takes them in.\n");
    for (section, lines) in sections {
        let path: Vec<_> = section.split('.').map(|part| part.to_toml_key()).collect();
        // What is not known stands before every section, where a name with dots is in nobody's way.
        let _ = if section.is_empty() {
            write!(page, "\n# This version does not know:\n{lines}")
        } else {
            write!(page, "\n[{}]\n{lines}", path.join("."))
        };
    }
    (page, secrets)
}

/// The section in which a key stands, and its name there.
fn split<'a>(spec: Option<&'static KeySpec>, key: &'a str) -> (&'a str, &'a str) {
    let Some(spec) = spec else { return ("", key) };
    // A family's names may have dots themselves.
    let section = spec.key.rfind('.').unwrap_or(0);
    (&key[..section], key[section..].trim_start_matches('.'))
}

/// Without quotes where that is read back as the same text.
fn value(spec: Option<&KeySpec>, text: &str) -> String {
    let is_bare = spec.is_some_and(|spec| matches!(spec.kind, Kind::Number { .. } | Kind::Integer { .. } | Kind::Bool));
    if is_bare && import::toml::is_read_as(text, text) { text.to_owned() } else { text.to_toml_value() }
}
