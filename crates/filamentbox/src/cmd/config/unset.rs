//! `config unset`

use std::process::ExitCode;

use anyhow::Result;

use super::change::{self, Purpose};
use super::{Installation, old_names, unknown};
use crate::cli::UnsetArgs;
use crate::settings::{Access, Change, dialects};

pub(super) fn unset(args: UnsetArgs, installation: &Installation) -> Result<ExitCode> {
    let sources = installation.open(Access::Existing, false)?;
    let stored = sources.stored()?;
    // A key that a later version has stored can be taken out by this one.
    let is_known = |key: &str| {
        sources.registry.find(key).is_some()
            || stored.iter().any(|(known, _)| known == key)
            || dialects::now_called(key, &|_| None).is_some()
    };
    if let Some(key) = args.keys.iter().find(|key| !is_known(key)) {
        return Ok(unknown(&sources.registry, key));
    }
    drop(sources);
    // An old name that is stored as such is taken out as such.
    let (as_named, other): (Vec<_>, Vec<_>) = args
        .keys
        .into_iter()
        .map(|key| Change { key, text: None })
        .partition(|change| stored.iter().any(|(known, _)| *known == change.key));
    let changes = match old_names::translate(other, installation)? {
        Ok(other) => [as_named, other].concat(),
        Err(problems) => return Ok(change::refuse(&as_named, &problems)),
    };
    let changed = change::change(&changes, installation, Purpose::Change, "config unset")?;
    Ok(changed.map_or_else(|problems| change::refuse(&changes, &problems), |()| ExitCode::SUCCESS))
}
