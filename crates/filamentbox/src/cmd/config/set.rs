//! `config set`

use std::process::ExitCode;

use anyhow::Result;

use super::{Usage, change};
use crate::cli::SetArgs;
use crate::settings::{Change, Places};

pub(super) fn set(args: SetArgs, places: Places) -> Result<ExitCode> {
    let mut changes = Vec::new();
    let mut words = args.words.into_iter();
    while let Some(key) = words.next() {
        let Some(text) = words.next() else { return Err(Usage(format!("{key} needs a value")).into()) };
        changes.push(Change { key, text: Some(text) });
    }
    change::change(&changes, places)
}
