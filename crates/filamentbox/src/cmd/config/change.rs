//! Changes of the store, as `set`, `unset` and `import` make them, and what a person is told about them.

use std::process::ExitCode;

use anyhow::Result;
use filamentbox_core::config::{ConfigError, Registry, Setting, Source};

use super::{Installation, complain, complain_of, keys_of, say, shown};
use crate::settings::{self, Access, Change, SettingsError, Survey};

/// Whether it is done, or only told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    Change,
    DryRun,
}

/// Makes all of `changes` or none, and tells what became of them; or gives back what is wrong with them. `command` is what asked.
///
/// # Errors
/// When the settings cannot be read or written.
pub(super) fn change(
    changes: &[Change],
    installation: &Installation,
    purpose: Purpose,
    command: &str,
) -> Result<Result<(), Vec<ConfigError>>> {
    let mut sources = installation.open(Access::Existing, false)?;
    let stored = sources.stored()?;
    let before = sources.survey(&stored);
    let stored = |key: &str| stored.iter().find(|(known, _)| known == key).map(|(_, text)| text.as_str());
    let real: Vec<_> = changes.iter().filter(|change| stored(&change.key) != change.text.as_deref()).cloned().collect();
    let mut after = sources.survey_changed(changes);
    if after.is_ok() && purpose == Purpose::Change && !real.is_empty() {
        after = sources.mend(&real, &who(command));
    }
    let after = match after {
        Ok(after) => after,
        Err(SettingsError::Refused(problems)) => return Ok(Err(problems)),
        Err(problem) => return Err(problem.into()),
    };
    for change in changes {
        let (registry, stored) = (&sources.registry, stored(&change.key));
        let told = Told { registry, change, before: &before, after: &after, stored };
        say(format_args!("{}: {}", change.key, told.text()));
    }
    if purpose == Purpose::DryRun {
        say("nothing was changed (--dry-run)");
    } else if !real.is_empty() {
        say(format_args!("stored in {}", installation.places.store.display()));
    }
    close(&real, installation, purpose, &after);
    Ok(Ok(()))
}

/// Says what is wrong with changes by hand.
pub(super) fn refuse(changes: &[Change], problems: &[ConfigError]) -> ExitCode {
    let is_changed = |key| changes.iter().any(|change| change.key == key);
    let code = complain_of("nothing was changed", problems);
    if !problems.iter().flat_map(keys_of).all(is_changed) {
        complain("settings that need each other change together: `filamentbox config set KEY VALUE KEY VALUE ...`");
    }
    code
}

/// Who stands in the audit.
pub(super) fn who(command: &str) -> String {
    let user = rustix::process::getuid().as_raw();
    let behind = std::env::var("SUDO_USER").ok().filter(|name| user == 0 && !name.is_empty());
    let behind = behind.map_or(String::new(), |name| format!(" for {name}"));
    format!("{command} by user {user}{behind}")
}

/// What became of one change.
struct Told<'a> {
    registry: &'a Registry,
    change: &'a Change,
    before: &'a Survey,
    after: &'a Survey,
    /// What the store had.
    stored: Option<&'a str>,
}

impl Told<'_> {
    fn text(&self) -> String {
        let key = self.change.key.as_str();
        let setting = self.after.settings.get(key);
        let winner = setting.filter(|setting| setting.source < Source::Store);
        match (&self.change.text, winner) {
            (Some(new), Some(winner)) => {
                format!(
                    "{} is stored, but {} holds: {}",
                    self.masked(new),
                    self.masked(winner.text.expose()),
                    wins(key, winner)
                )
            }
            (Some(new), None) if self.stored == Some(new) => format!("{} already", self.masked(new)),
            (Some(new), None) => format!("{} -> {}", self.old(), self.masked(new)),
            (None, Some(winner)) => format!(
                "{}; {} holds as before: {}",
                if self.stored.is_some() { "no longer stored" } else { "not in the store" },
                self.masked(winner.text.expose()),
                wins(key, winner)
            ),
            (None, None) if self.stored.is_none() => format!("not in the store; {} holds", self.with_source(setting)),
            (None, None) => format!("{} -> {}", self.old(), self.with_source(setting)),
        }
    }

    fn old(&self) -> String {
        match self.stored {
            Some(text) => format!("{} (store)", self.masked(text)),
            None => self.with_source(self.before.settings.get(&self.change.key)),
        }
    }

    fn with_source(&self, setting: Option<&Setting>) -> String {
        match setting {
            Some(setting) if !setting.text.is_empty() || setting.source != Source::Default => {
                format!("{} ({})", self.masked(setting.text.expose()), setting.source)
            }
            _ => "not set".to_owned(),
        }
    }

    fn masked(&self, text: &str) -> String {
        if text.is_empty() { "\"\"".to_owned() } else { shown(self.registry, &self.change.key, text, false) }
    }
}

/// What keeps the store's value from holding.
fn wins(key: &str, winner: &Setting) -> String {
    match winner.source {
        Source::Environment => format!("{} in the environment wins", settings::variable_name(key)),
        source => format!("{source} wins"),
    }
}

/// What a person should know besides, after `changes` were made.
fn close(changes: &[Change], installation: &Installation, purpose: Purpose, after: &Survey) {
    let is_about = |warning: &&String| changes.iter().any(|change| warning.contains(&change.key));
    let warnings = after.loaded.iter().flat_map(|loaded| &loaded.warnings);
    warnings.filter(is_about).for_each(complain);
    if !after.problems.is_empty() {
        complain_of("still to be mended, no daemon starts like this", &after.problems);
    } else if purpose == Purpose::Change && !changes.is_empty() && installation.is_running() {
        let registry = settings::registry();
        let waits = |change: &&Change| registry.find(&change.key).is_some_and(|spec| spec.at_start);
        let waiting: Vec<&str> = changes.iter().filter(waits).map(|change| change.key.as_str()).collect();
        if waiting.len() < changes.len() {
            say("the running daemon takes it within 2 s");
        }
        if !waiting.is_empty() {
            say(format_args!("{}: takes effect when the daemon starts again", waiting.join(", ")));
        }
    }
}
