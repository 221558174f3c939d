//! What the Python original left behind, for `config import`: which files there are, what becomes of every name in them, told line by
//! line. Its points that wait: `waiting.rs`.

mod waiting;

use std::path::{Path, PathBuf};

use anyhow::Result;
use filamentbox_core::config::Registry;
use zeroize::Zeroizing;

use super::{Entry, Findings, Usage, say};
use crate::settings::import::{self, Difference, Fate, Kind, Line, Place, Plan, Source, StoreKey, Unreadable};

pub(super) use waiting::{Waiting, hold};

/// Variables with the key of the original's store.
const KEYS: [&str; 2] = ["CONFIG_ENCRYPTION_KEY", "FILAMENTBOX_CONFIG_KEY"];

/// The files of the original's among the paths.
#[derive(Default)]
pub(super) struct Original {
    /// With settings; the highest first.
    sources: Vec<Source>,
    /// Of undelivered points.
    pub(super) backlogs: Vec<PathBuf>,
}

/// What a path of the command line is.
pub(super) enum Recognised {
    /// Files of the original's: one, or those of its folder.
    Original(Vec<Place>),
    /// Perhaps TOML.
    Other,
}

/// Looks at a path.
///
/// # Errors
/// [`Usage`] when it cannot be anything that is imported.
pub(super) fn recognise(path: &Path) -> Result<Recognised> {
    let refuse = |problem: Unreadable| Usage(format!("{}: {problem}", path.display()));
    if path.is_dir() {
        let places = import::find_in(path).map_err(refuse)?;
        if places.is_empty() {
            let names = "filamentbox_config.db, .env, config.yaml, unsent_batches.db";
            return Err(
                Usage(format!("{}: nothing of the original's is in this folder ({names})", path.display())).into()
            );
        }
        return Ok(Recognised::Original(places));
    }
    let kind = import::recognise(path).map_err(refuse)?;
    Ok(match kind {
        Some(kind) => Recognised::Original(vec![Place { path: path.to_owned(), kind }]),
        None => Recognised::Other,
    })
}

impl Original {
    /// Reads the files at `places`.
    ///
    /// # Errors
    /// [`Usage`]: nothing is imported when one of them cannot be read.
    pub(super) fn read(places: Vec<Place>) -> Result<Self> {
        let mut unique: Vec<Place> = Vec::new();
        for place in places {
            if !unique.contains(&place) {
                unique.push(place);
            }
        }
        // Of one kind, what was named later counts for more.
        unique.reverse();
        unique.sort_by_key(|place| place.kind);
        let (backlogs, settings): (Vec<_>, Vec<_>) = unique.into_iter().partition(|place| place.kind == Kind::Backlog);
        let mut keys = keys_of_environment();
        let mut sources = Vec::new();
        // The store last: its key may be in an environment file.
        for Place { path, kind } in settings.into_iter().rev() {
            let source =
                import::read(&path, kind, &keys).map_err(|problem| Usage(format!("{}: {problem}", path.display())))?;
            let is_key = |name: &str| KEYS.contains(&name);
            let found = source.settings.iter().filter(|raw| kind == Kind::EnvFile && is_key(&raw.name));
            keys.extend(
                found.map(|raw| (format!("{} in {}", raw.name, path.display()), Zeroizing::new(raw.text.clone()))),
            );
            sources.insert(0, source);
        }
        Ok(Self { sources, backlogs: backlogs.into_iter().rev().map(|place| place.path).collect() })
    }

    /// What becomes of every name, told; the settings it comes to, and the refused values.
    pub(super) fn tell(&self, registry: &Registry) -> Findings {
        let plan = import::plan(registry, &self.sources);
        let mut findings = Findings::default();
        for (index, source) in self.sources.iter().enumerate() {
            let with = source.opened_with.as_ref().map_or(String::new(), |key| format!(", opened with {key}"));
            say(format_args!("{} ({}{with}):", source.path.display(), source.kind.title()));
            let lines: Vec<&Line> = plan.lines.iter().filter(|line| line.source == index).collect();
            if lines.is_empty() {
                say("  no settings");
            }
            for line in lines {
                say(format_args!("  {}", told(line)));
                if let Fate::Refused(problem) = &line.fate {
                    findings.problems.push(format!("{}: {}: {problem}", source.path.display(), line.name));
                }
            }
            self.mention_environment(source);
        }
        findings.entries = entries(plan);
        findings
    }

    /// The kinds of the files.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        self.sources.iter().map(|source| source.kind).collect()
    }

    /// The original read `.env` over its `config.yaml`, without being told.
    fn mention_environment(&self, source: &Source) {
        let beside = source.path.with_file_name(".env");
        let is_read = self.sources.iter().any(|source| source.kind == Kind::EnvFile);
        if source.kind == Kind::Yaml && !is_read && beside.is_file() {
            say(format_args!(
                "  beside it lies {}, which the original read over it; name it too, to import it",
                beside.display()
            ));
        }
    }
}

/// Where the original's defaults were others, and nothing is set.
pub(super) fn tell_differences(differences: &[Difference]) {
    if differences.is_empty() {
        return;
    }
    say("not set, and another default here (to have it as it was: `filamentbox config set KEY VALUE`):");
    for Difference { key, was, is } in differences {
        say(format_args!("  {key}: was {was}, is {is}"));
    }
}

fn keys_of_environment() -> Vec<StoreKey> {
    let key = |name: &&str| std::env::var(name).ok().filter(|key| !key.is_empty());
    KEYS.iter().filter_map(|name| Some((format!("{name} in the environment"), Zeroizing::new(key(name)?)))).collect()
}

fn entries(plan: Plan) -> Vec<Entry> {
    let place = |key: &str| plan.origins.iter().find(|(known, _)| known == key).map(|(_, place)| place.clone());
    let entry = |change: &crate::settings::Change| {
        Some(Entry { place: place(&change.key)?, key: change.key.clone(), text: change.text.clone()? })
    };
    plan.changes.iter().filter_map(entry).collect()
}

fn told(line: &Line) -> String {
    let name = &line.name;
    match &line.fate {
        Fate::Became(settings) => {
            let settings = settings.iter().map(|(key, text)| {
                let text = if text.is_empty() { "\"\"" } else { text };
                format!("{key} = {text}")
            });
            format!("{name} -> {}", settings.collect::<Vec<_>>().join(", "))
        }
        Fate::Ignored(reason) => format!("{name}: ignored; {reason}"),
        Fate::Overridden(by) => format!("{name}: not used; {by} counts for more"),
        Fate::Refused(problem) => format!("{name}: REFUSED; {problem}"),
    }
}
