//! `config import`: what files hold becomes changes of the store, all of them or none.
//!
//! A file a kind of source (`toml.rs`, `original/`): each only reads and says what it found; checking, telling and storing is done here,
//! for all files together.

mod original;
pub(super) mod toml;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use filamentbox_core::config::{Config, ConfigError};

use self::original::{Original, Recognised, Waiting};
use super::change::{self, Purpose};
use super::{Installation, USAGE, Usage, complain, keys_of, old_names, say};
use crate::cli::ImportArgs;
use crate::runtime::folder::DataFolder;
use crate::settings::import::Difference;
use crate::settings::{self, Access, Change, dialects};

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

/// The files by their kinds: TOML as it is named, the original's all together.
fn read(paths: &[PathBuf]) -> Result<(Findings, Original)> {
    let mut found = Findings::default();
    let mut places = Vec::new();
    for path in paths {
        if path.as_os_str() == STDIN {
            found.add(toml::read(path, &text(std::io::stdin(), path)?));
            continue;
        }
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        match if is_toml { Recognised::Other } else { original::recognise(path)? } {
            Recognised::Original(files) => places.extend(files),
            Recognised::Other => {
                let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
                found.add(toml::read(path, &text(file, path)?));
            }
        }
    }
    Ok((found, Original::read(places)?))
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
    let (toml, original) = read(&args.paths)?;
    let registry = settings::registry();
    let mut found = original.tell(&registry);
    found.add(toml);
    found.notes.iter().for_each(say);
    if !found.problems.is_empty() {
        if !args.skip_refused {
            return Ok(refuse(&found.problems));
        }
        left_out(&found.problems);
    }
    found.entries.sort_by(|a, b| a.key.cmp(&b.key));
    // Read, told and locked before anything is changed; stored when the settings are.
    let points = waiting(&original, &found, args, installation)?;
    if let Err(code) = store(&mut found, args, installation)? {
        return Ok(code);
    }
    let kinds = original.kinds();
    if kinds.is_empty() && points.is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    let sources = installation.open(Access::Existing, false)?;
    let settings = sources.survey(&sources.stored()?).settings;
    let mut differences = Difference::in_force(&registry, &settings, &kinds);
    differences.retain(|difference| !found.entries.iter().any(|entry| entry.key == difference.key));
    original::tell_differences(&differences);
    if let Some((_folder, waiting)) = points {
        let journal = installation.places.data_dir.join(settings.text("persistence.db_path"));
        let config = Config::examine(&settings).0;
        let count = waiting.iter().map(|waiting| waiting.take_in(&config, journal.clone())).sum::<Result<u64>>()?;
        say(format_args!("{count} points were taken into the journal"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The original's undelivered points, told; and the data folder, held so that no daemon starts before they are stored. `None` when there
/// are none to store.
fn waiting(
    original: &Original,
    found: &Findings,
    args: &ImportArgs,
    installation: &Installation,
) -> Result<Option<(DataFolder, Vec<Waiting>)>> {
    let Some(first) = original.backlogs.first() else { return Ok(None) };
    let folder = if args.dry_run { None } else { Some(original::hold(&installation.places.data_dir, first)?) };
    let sources = installation.open(Access::Existing, false)?;
    let settings = sources.survey(&sources.stored()?).settings;
    let interval = "data_collection.read_interval";
    let imported =
        found.entries.iter().find(|entry| entry.key == interval).and_then(|entry| entry.text.trim().parse().ok());
    let interval = Duration::from_secs_f64(imported.unwrap_or_else(|| settings.number(interval)));
    let journal = installation.places.data_dir.join(settings.text("persistence.db_path"));
    let waiting: Vec<_> = original.backlogs.iter().map(|path| Waiting::open(path, interval)).collect::<Result<_>>()?;
    waiting.iter().try_for_each(|waiting| waiting.tell(&journal))?;
    Ok(folder.map(|folder| (folder, waiting)))
}

/// Makes the changes, or says what is wrong with them. What is refused only together with others is left out where that was asked for.
fn store(found: &mut Findings, args: &ImportArgs, installation: &Installation) -> Result<Result<(), ExitCode>> {
    let purpose = if args.dry_run { Purpose::DryRun } else { Purpose::Change };
    loop {
        let change = |Entry { key, text, .. }: &Entry| Change { key: key.clone(), text: Some(text.clone()) };
        let changes = match old_names::translate(found.entries.iter().map(change).collect(), installation)? {
            Ok(changes) => changes,
            Err(problems) => {
                return Ok(Err(refuse(&problems.iter().map(|problem| placed(found, problem)).collect::<Vec<_>>())));
            }
        };
        let Err(problems) = change::change(&changes, installation, purpose, "config import")? else {
            return Ok(Ok(()));
        };
        let told: Vec<_> = problems.iter().map(|problem| placed(found, problem)).collect();
        let before = found.entries.len();
        if args.skip_refused {
            found.entries.retain(|entry| !problems.iter().flat_map(keys_of).any(|key| is_called(entry, key)));
        }
        if found.entries.len() == before {
            return Ok(Err(refuse(&told)));
        }
        left_out(&told);
    }
}

fn left_out(problems: &[String]) {
    complain(format_args!("{} setting(s) are left out (--skip-refused):", problems.len()));
    problems.iter().for_each(|problem| complain(format_args!("  {problem}")));
}

/// Whether the entry is `key`, by our name or an old one.
fn is_called(entry: &Entry, key: &str) -> bool {
    entry.key == key
        || dialects::now_called(&entry.key, &|_| None).is_some_and(|keys| keys.iter().any(|now| now == key))
}

/// A problem after the places of the keys that it is about.
fn placed(found: &Findings, problem: &ConfigError) -> String {
    let is_about = |entry: &&Entry| keys_of(problem).any(|key| is_called(entry, key));
    let places: Vec<_> = found.entries.iter().filter(is_about).map(|entry| entry.place.as_str()).collect();
    if places.is_empty() { problem.to_string() } else { format!("{}: {problem}", places.join(", ")) }
}

fn refuse(problems: &[String]) -> ExitCode {
    complain(format_args!("nothing was imported: {} problem(s):", problems.len()));
    problems.iter().for_each(|problem| complain(format_args!("  {problem}")));
    complain("correct them there, or import the rest with --skip-refused");
    ExitCode::from(USAGE)
}
