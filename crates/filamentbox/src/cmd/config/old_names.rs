//! Keys by the names that the Python original has for them: what a person types is put into ours, and told.

use anyhow::Result;
use filamentbox_core::config::ConfigError;

use super::{Installation, complain};
use crate::settings::dialects;
use crate::settings::{Access, Change};

/// What the settings are now, by any name: old ones are in no list of ours, and stand for themselves.
fn present(installation: &Installation) -> Result<impl Fn(&str) -> Option<String>> {
    let sources = installation.open(Access::Existing, false)?;
    let stored = sources.stored()?;
    let settings = sources.survey(&stored).settings;
    Ok(move |key: &str| {
        let given = settings.get(key).filter(|setting| setting.source != filamentbox_core::config::Source::Default);
        let stored = || stored.iter().find(|(known, _)| known == key).map(|(_, text)| text.clone());
        given.map(|setting| setting.text.expose().to_owned()).or_else(stored)
    })
}

/// `changes` in our names; or what is wrong with the old ones.
///
/// # Errors
/// The settings cannot be read, on which the meaning of some names depends.
pub(super) fn translate(
    changes: Vec<Change>,
    installation: &Installation,
) -> Result<Result<Vec<Change>, Vec<ConfigError>>> {
    if !dialects::any_old(&changes) {
        return Ok(Ok(changes));
    }
    let present = present(installation)?;
    let translated = dialects::translate_changes(changes, &present);
    translated.told.iter().for_each(complain);
    translated
        .ignored
        .iter()
        .for_each(|ConfigError { key, problem }| complain(format_args!("{key} has no effect here: {problem}")));
    Ok(if translated.refused.is_empty() { Ok(translated.changes) } else { Err(translated.refused) })
}

/// What `key` is called here, if it is an old name for one key; told to the person.
///
/// # Errors
/// As [`translate`].
pub(super) fn current(key: &str, installation: &Installation) -> Result<Option<String>> {
    if dialects::now_called(key, &|_| None).is_none() {
        return Ok(None);
    }
    let present = present(installation)?;
    let Some(now) = dialects::now_called(key, &present).and_then(|keys| keys.into_iter().next()) else {
        return Ok(None);
    };
    complain(format_args!("{key} is called {now} now"));
    Ok(Some(now))
}
