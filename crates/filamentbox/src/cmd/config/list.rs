//! `config list`

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::{Usage, load_settings, refuse_settings, say, shown};
use crate::cli::ListArgs;
use crate::settings::{self, Places};

pub(super) fn list(args: &ListArgs, places: Places) -> Result<ExitCode> {
    let registry = settings::registry();
    let loaded = match load_settings(places, args.simulate) {
        Ok(loaded) => loaded,
        Err(problem) => return refuse_settings(problem),
    };
    let prefix = args.prefix.as_deref().unwrap_or_default();
    let rows = loaded.settings.iter().filter(|(key, _)| key.starts_with(prefix));
    let rows: Vec<_> = rows
        .map(|(key, setting)| (key, shown(&registry, key, setting, args.reveal), setting.source.to_string()))
        .collect();
    if rows.is_empty() {
        return Err(
            Usage(format!("no key begins with {prefix:?}; `filamentbox config describe` shows all keys")).into()
        );
    }
    if args.json {
        let rows: Vec<_> =
            rows.iter().map(|(key, value, source)| json!({"key": key, "value": value, "source": source})).collect();
        say(serde_json::to_string_pretty(&rows)?);
        return Ok(ExitCode::SUCCESS);
    }
    let width = |column: fn(&(&str, String, String)) -> usize| rows.iter().map(column).max().unwrap_or(0);
    let (key_width, value_width) = (width(|row| row.0.len()), width(|row| row.1.chars().count()).min(40));
    for (key, value, source) in rows {
        say(format_args!("{key:key_width$}  {value:value_width$}  {source}"));
    }
    Ok(ExitCode::SUCCESS)
}
