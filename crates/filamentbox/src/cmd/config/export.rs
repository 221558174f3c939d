//! `config export`: the store as TOML that `config import` takes in again.
//!
//! What comes from the environment or from Vault is not exported: it is not the store's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use filamentbox_core::config::{KeySpec, Kind, Registry};
use toml_writer::{ToTomlKey as _, ToTomlValue as _, TomlStringBuilder};

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

/// The TOML text of `stored`, and how many secrets there are. What is not known is a comment: an import would refuse it.
fn page(registry: &Registry, stored: &[(String, String)], with_secrets: bool) -> (String, usize) {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    let mut unknown = String::new();
    let mut secrets = 0;
    for (key, text) in stored {
        let spec = registry.find(key);
        // A key that is not known may be a secret.
        let is_hidden = spec.is_none_or(KeySpec::is_secret) && !with_secrets;
        secrets += usize::from(spec.is_none_or(KeySpec::is_secret));
        let Some(spec) = spec else {
            let text =
                if is_hidden { "...".to_owned() } else { TomlStringBuilder::new(text).as_basic().to_toml_value() };
            let _ = writeln!(unknown, "# {} = {text}", key.to_toml_key());
            continue;
        };
        let (section, name) = split(spec, key);
        let (lines, name) = (sections.entry(section).or_default(), name.to_toml_key());
        let comment = if spec.unit.is_empty() { String::new() } else { format!("  # {}", spec.unit) };
        let _ = if is_hidden {
            writeln!(lines, "# {name} = ...  # a secret")
        } else {
            writeln!(lines, "{name} = {}{comment}", value(spec, text))
        };
    }
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!("# Settings of FilamentBox {version}; `filamentbox config import FILE` takes them in.\n");
    if !unknown.is_empty() {
        let _ = write!(page, "\n# This version does not know:\n{unknown}");
    }
    for (section, lines) in sections {
        let path: Vec<_> = section.split('.').map(|part| part.to_toml_key()).collect();
        let _ = write!(page, "\n[{}]\n{lines}", path.join("."));
    }
    (page, secrets)
}

/// The section in which a key stands, and its name there. A family's names may have dots themselves.
fn split<'a>(spec: &KeySpec, key: &'a str) -> (&'a str, &'a str) {
    spec.key.rfind('.').map_or(("", key), |dot| (&key[..dot], &key[dot + 1..]))
}

/// Without quotes where that is read back as the same text.
fn value(spec: &KeySpec, text: &str) -> String {
    let is_bare = matches!(spec.kind, Kind::Number { .. } | Kind::Integer { .. } | Kind::Bool);
    if is_bare && import::toml::is_read_as(text, text) { text.to_owned() } else { text.to_toml_value() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::settings::registry;

    /// What an import of the export of `stored` takes in.
    fn round_trip(stored: &[(String, String)]) -> BTreeMap<String, String> {
        let (page, _) = page(&registry(), stored, true);
        let found = import::toml::read(Path::new("page"), &page);
        assert!(found.problems.is_empty(), "{:?} in:\n{page}", found.problems);
        let count = found.entries.len();
        let read: BTreeMap<_, _> = found.entries.into_iter().map(|entry| (entry.key, entry.text)).collect();
        assert_eq!(read.len(), count, "each key once in:\n{page}");
        read
    }

    /// Every key, families under odd names too.
    fn key() -> impl Strategy<Value = String> {
        let specs = registry();
        let keys: Vec<_> = specs.specs().iter().map(|spec| spec.key).collect();
        let odd = prop_oneof![any::<String>(), Just(".".to_owned()), "[a.\"' =#\\[\\]]{1,6}"];
        (prop::sample::select(keys), odd).prop_map(|(key, name)| match key.strip_suffix("NAME") {
            Some(family) => format!("{family}{name}"),
            None => key.to_owned(),
        })
    }

    fn text() -> impl Strategy<Value = String> {
        let number = prop_oneof!["-?[0-9]{1,4}", "[+-]?[0-9]{0,3}\\.[0-9]{0,3}", "[0-9_xeE+ ]{1,6}"];
        prop_oneof![any::<String>(), number, Just("true".to_owned()), Just("yes".to_owned()), Just("inf".to_owned())]
    }

    proptest! {
        #[test]
        fn an_export_is_read_back_as_it_was(stored in prop::collection::btree_map(key(), text(), 0..12)) {
            let list: Vec<_> = stored.clone().into_iter().collect();
            let known = registry();
            let expected: BTreeMap<_, _> = stored.into_iter().filter(|(key, _)| known.find(key).is_some()).collect();
            prop_assert_eq!(round_trip(&list), expected);
        }
    }

    #[test]
    fn sections_units_and_secrets() {
        let stored = [
            ("data_collection.tags.Shelf 2", "oben"),
            ("database.influxdb_v2.token", "hunter2"),
            ("database.type", "influxdb_v2"),
            ("heating_control.enabled", "true"),
            ("heating_control.max_temp_c", "45.0"),
            ("later.key", "hunter3"),
        ];
        let stored: Vec<_> = stored.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let (page, secrets) = page(&registry(), &stored, false);
        let expected = r#"
# This version does not know:
# "later.key" = ...

[data_collection.tags]
"Shelf 2" = "oben"

[database]
type = "influxdb_v2"

[database.influxdb_v2]
# token = ...  # a secret

[heating_control]
enabled = true
max_temp_c = 45.0  # °C
"#;
        assert_eq!(page.split_once('\n').map(|(_, rest)| rest), Some(expected));
        assert_eq!(secrets, 2);
    }
}
