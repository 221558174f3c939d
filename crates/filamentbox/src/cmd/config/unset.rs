//! `config unset`

use std::process::ExitCode;

use anyhow::Result;

use super::change;
use crate::cli::UnsetArgs;
use crate::settings::{Change, Places};

pub(super) fn unset(args: UnsetArgs, places: Places) -> Result<ExitCode> {
    let changes: Vec<_> = args.keys.into_iter().map(|key| Change { key, text: None }).collect();
    change::change(&changes, places)
}
