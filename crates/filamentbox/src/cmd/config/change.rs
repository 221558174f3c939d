//! Changes of the store, as `set`, `unset` and `import` make them.

use std::process::ExitCode;

use anyhow::Result;

use super::{refuse_settings, say};
use crate::settings::{self, Access, Change, Places, Sources};

/// Makes all of `changes` or none.
pub(super) fn change(changes: &[Change], places: Places) -> Result<ExitCode> {
    let changed = Sources::open(places, Access::Create, false, settings::variables())
        .and_then(|mut sources| sources.change(changes, "command line"));
    match changed {
        Ok(_) => say(format_args!("{} setting(s) changed", changes.len())),
        Err(problem) => return refuse_settings(problem),
    }
    Ok(ExitCode::SUCCESS)
}
