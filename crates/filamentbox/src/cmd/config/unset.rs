//! `config unset`

use std::process::ExitCode;

use anyhow::Result;

use super::change::{self, Purpose};
use super::{Installation, unknown};
use crate::cli::UnsetArgs;
use crate::settings::{Access, Change};

pub(super) fn unset(args: UnsetArgs, installation: &Installation) -> Result<ExitCode> {
    let sources = installation.open(Access::Existing, false)?;
    let stored = sources.stored()?;
    // A key that a later version has stored can be taken out by this one.
    let is_known = |key: &str| sources.registry.find(key).is_some() || stored.iter().any(|(known, _)| known == key);
    if let Some(key) = args.keys.iter().find(|key| !is_known(key)) {
        return Ok(unknown(&sources.registry, key));
    }
    drop(sources);
    let changes: Vec<_> = args.keys.into_iter().map(|key| Change { key, text: None }).collect();
    let changed = change::change(&changes, installation, Purpose::Change, "config unset")?;
    Ok(changed.map_or_else(|problems| change::refuse(&changes, &problems), |()| ExitCode::SUCCESS))
}
