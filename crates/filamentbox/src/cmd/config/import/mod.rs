//! `config import`: what files hold becomes changes of the store, all of them or none.
//!
//! A file a kind of source (`toml.rs`, `original/`): each only reads and says what it found; checking, telling and storing is done here,
//! for all files together.

pub(super) mod toml;

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use filamentbox_core::config::ConfigError;

use super::change::{self, Purpose};
use super::{Installation, USAGE, Usage, complain, keys_of, say};
use crate::cli::ImportArgs;
use crate::settings::Change;

/// In the place of a path: TOML from stdin.
const STDIN: &str = "-";
/// Settings of every key with the longest values stay far below.
const FILE_MAX: u64 = 1024 * 1024;

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

impl Findings {
    fn add(&mut self, other: Self) {
        for entry in other.entries {
            if let Some(earlier) = self.entries.iter().position(|known| known.key == entry.key) {
                let Entry { key, place, .. } = self.entries.remove(earlier);
                if place != entry.place {
                    self.notes.push(format!("{place}: {key}: the value at {} is taken instead", entry.place));
                }
            }
            self.entries.push(entry);
        }
        self.notes.extend(other.notes);
        self.problems.extend(other.problems);
    }
}

/// Reads one file by its kind.
fn read(path: &Path) -> Result<Findings> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        _ if path.as_os_str() == STDIN => Ok(toml::read(path, &text(std::io::stdin(), path)?)),
        Some("toml") => {
            let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
            Ok(toml::read(path, &text(file, path)?))
        }
        _ => Err(Usage(format!("{}: not a kind of file that is known; allowed: NAME.toml", path.display())).into()),
    }
}

fn text(file: impl std::io::Read, path: &Path) -> Result<String> {
    let mut text = String::new();
    file.take(FILE_MAX + 1).read_to_string(&mut text).with_context(|| path.display().to_string())?;
    if text.len() as u64 > FILE_MAX {
        return Err(Usage(format!("{}: more than {FILE_MAX} bytes are no settings", path.display())).into());
    }
    Ok(text)
}

pub(super) fn import(args: &ImportArgs, installation: &Installation) -> Result<ExitCode> {
    let mut found = Findings::default();
    for path in &args.paths {
        found.add(read(path)?);
    }
    found.notes.iter().for_each(say);
    if !found.problems.is_empty() {
        return Ok(refuse(&found.problems));
    }
    found.entries.sort_by(|a, b| a.key.cmp(&b.key));
    let change = |Entry { key, text, .. }: &Entry| Change { key: key.clone(), text: Some(text.clone()) };
    let changes: Vec<_> = found.entries.iter().map(change).collect();
    let purpose = if args.dry_run { Purpose::DryRun } else { Purpose::Change };
    match change::change(&changes, installation, purpose, "config import")? {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(problems) => Ok(refuse(&problems.iter().map(|problem| placed(&found, problem)).collect::<Vec<_>>())),
    }
}

/// A problem after the places of the keys that it is about.
fn placed(found: &Findings, problem: &ConfigError) -> String {
    let is_about = |entry: &&Entry| keys_of(problem).any(|key| key == entry.key);
    let places: Vec<_> = found.entries.iter().filter(is_about).map(|entry| entry.place.as_str()).collect();
    if places.is_empty() { problem.to_string() } else { format!("{}: {problem}", places.join(", ")) }
}

fn refuse(problems: &[String]) -> ExitCode {
    complain(format_args!("nothing was imported: {} problem(s):", problems.len()));
    problems.iter().for_each(|problem| complain(format_args!("  {problem}")));
    ExitCode::from(USAGE)
}
