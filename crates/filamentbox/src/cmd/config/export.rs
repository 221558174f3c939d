//! `config export`

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::ExportSettingsArgs;
use crate::settings::Places;

pub(super) fn export(_args: &ExportSettingsArgs, _places: Places) -> Result<ExitCode> {
    bail!("not in this version")
}
