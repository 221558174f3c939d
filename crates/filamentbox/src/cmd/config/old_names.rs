//! Keys by the names that the Python original has for them: what a person types is put into ours, and told.

use anyhow::Result;
use filamentbox_core::config::ConfigError;

use super::{Installation, complain};
use crate::settings::dialects::{self, Meaning};
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

/// Whether any of `keys`, with its text, is in the original's words.
fn any_old<'a>(mut pairs: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> bool {
    let none = |_: &str| None;
    pairs.any(|(key, text)| match text {
        Some(text) => dialects::meaning(key, text, &none).is_some(),
        None => dialects::now_called(key, &none).is_some(),
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
    if !any_old(changes.iter().map(|change| (change.key.as_str(), change.text.as_deref()))) {
        return Ok(Ok(changes));
    }
    let present = present(installation)?;
    let given: Vec<_> = changes.iter().filter_map(|change| Some((change.key.clone(), change.text.clone()?))).collect();
    let others = |key: &str| {
        let here = given.iter().find(|(name, _)| name == key).map(|(_, text)| text.clone());
        here.or_else(|| present(key))
    };
    let (mut now, mut problems): (Vec<Change>, Vec<ConfigError>) = (Vec::new(), Vec::new());
    let is_ours = |key: &str| given.iter().any(|(name, _)| name == key);
    for Change { key, text } in changes {
        let meaning = match &text {
            Some(text) => dialects::meaning(&key, text, &others),
            None => dialects::now_called(&key, &others)
                .map(|keys| Meaning::Now(keys.into_iter().map(|key| (key, String::new())).collect())),
        };
        match meaning {
            None => now.push(Change { key, text }),
            Some(Meaning::Ignored(reason)) => complain(format_args!("{key} has no effect here: {reason}")),
            Some(Meaning::Refused(problem)) => problems.push(ConfigError { key, problem }),
            Some(Meaning::Now(settings)) => {
                for (new, new_text) in settings {
                    if new != key && is_ours(&new) {
                        complain(format_args!("{key} is called {new} now, and is not used, as that is given too"));
                        continue;
                    }
                    if new != key {
                        complain(format_args!("{key} is called {new} now"));
                    }
                    now.retain(|change| change.key != new);
                    now.push(Change { key: new, text: text.as_ref().map(|_| new_text) });
                }
            }
        }
    }
    Ok(if problems.is_empty() { Ok(now) } else { Err(problems) })
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
