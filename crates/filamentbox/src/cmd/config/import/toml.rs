//! TOML, nested or with dotted keys.

use std::path::Path;

use anyhow::{Result, bail};

use super::Findings;

pub(super) fn read(_path: &Path) -> Result<Findings> {
    bail!("not in this version")
}
