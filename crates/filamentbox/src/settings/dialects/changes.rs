//! Changes by the original's names, as changes by ours.

use filamentbox_core::config::ConfigError;

use super::super::Change;
use super::{Meaning, Others, meaning, now_called};

/// Changes in our names, and what a person should know of the old ones.
#[derive(Default)]
pub struct Translated {
    /// What is to be changed.
    pub changes: Vec<Change>,
    /// What old names are called now: a line each.
    pub told: Vec<String>,
    /// Old names that have no effect here, and why.
    pub ignored: Vec<ConfigError>,
    /// What says nothing that can be understood.
    pub refused: Vec<ConfigError>,
}

/// Whether any change is in the original's words.
pub fn any_old(changes: &[Change]) -> bool {
    let none = |_: &str| None;
    changes.iter().any(|Change { key, text }| match text {
        Some(text) => meaning(key, text, &none).is_some(),
        None => now_called(key, &none).is_some(),
    })
}

/// `changes` in our names; `present` says what is set now, by any name.
pub fn translate_changes(changes: Vec<Change>, present: &Others<'_>) -> Translated {
    let given: Vec<_> = changes.iter().filter_map(|change| Some((change.key.clone(), change.text.clone()?))).collect();
    let others = |key: &str| {
        let here = given.iter().find(|(name, _)| name == key).map(|(_, text)| text.clone());
        here.or_else(|| present(key))
    };
    let is_ours = |key: &str| given.iter().any(|(name, _)| name == key);
    let mut translated = Translated::default();
    for Change { key, text } in changes {
        let meaning = match &text {
            Some(text) => meaning(&key, text, &others),
            None => now_called(&key, &others)
                .map(|keys| Meaning::Now(keys.into_iter().map(|key| (key, String::new())).collect())),
        };
        match meaning {
            None => translated.changes.push(Change { key, text }),
            Some(Meaning::Ignored(problem)) => translated.ignored.push(ConfigError { key, problem }),
            Some(Meaning::Refused(problem)) => translated.refused.push(ConfigError { key, problem }),
            Some(Meaning::Now(settings)) => {
                for (new, new_text) in settings {
                    if new != key && is_ours(&new) {
                        translated
                            .told
                            .push(format!("{key} is called {new} now, and is not used, as that is given too"));
                        continue;
                    }
                    if new != key {
                        translated.told.push(format!("{key} is called {new} now"));
                    }
                    translated.changes.retain(|change| change.key != new);
                    translated.changes.push(Change { key: new, text: text.as_ref().map(|_| new_text) });
                }
            }
        }
    }
    translated
}
