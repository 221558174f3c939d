//! `config import`: what files hold becomes changes of the store, all of them or none.
//!
//! A file a kind of source (`toml.rs`, `original/`): each only reads and says what it found; checking, telling and storing is done here,
//! for all files together.

mod toml;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use super::{Usage, change};
use crate::cli::ImportArgs;
use crate::settings::{Change, Places};

/// A setting that a file holds.
pub(super) struct Entry {
    /// The dotted key, in our dialect.
    pub(super) key: String,
    /// Its text, as it goes into the store.
    pub(super) text: String,
    /// Where it was found: `FILE:LINE`, or as near as the format lets us say.
    pub(super) place: String,
}

/// What one file holds.
#[derive(Default)]
pub(super) struct Findings {
    /// In the order of the file; a later one of the same key wins.
    pub(super) entries: Vec<Entry>,
    /// One line each for a person: what became of things that are no setting here, with their place.
    pub(super) notes: Vec<String>,
    /// What is wrong, with its place. Any of them, and nothing is imported.
    pub(super) problems: Vec<String>,
}

/// Reads one file by its kind.
fn read(path: &Path) -> Result<Findings> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => toml::read(path),
        _ => Err(Usage(format!("{}: not a kind of file that is known; allowed: NAME.toml", path.display())).into()),
    }
}

pub(super) fn import(args: &ImportArgs, places: Places) -> Result<ExitCode> {
    let mut all = Findings::default();
    for path in &args.paths {
        let found = read(path)?;
        all.entries.extend(found.entries);
        all.notes.extend(found.notes);
        all.problems.extend(found.problems);
    }
    let changes: Vec<_> =
        all.entries.into_iter().map(|Entry { key, text, .. }| Change { key, text: Some(text) }).collect();
    change::change(&changes, places)
}
