//! Changes by hand: also of settings in which something is wrong already, so that they can be mended one by one.

use filamentbox_core::config::ConfigError;

use super::super::{Change, Survey};
use super::{SettingsError, Sources};

impl Sources {
    /// What would hold after `changes`; nothing is changed.
    ///
    /// # Errors
    /// As [`Self::mend`].
    pub fn survey_changed(&self, changes: &[Change]) -> Result<Survey, SettingsError> {
        let mut stored = self.stored()?;
        let before = self.survey(&stored);
        for Change { key, text } in changes {
            stored.retain(|(known, _)| known != key);
            stored.extend(text.iter().map(|text| (key.clone(), text.clone())));
        }
        accept(&before, self.survey(&stored), changes)
    }

    /// Makes `changes` in the store, all or none, if they bring no problem that was not there before; `who` stands in the audit.
    ///
    /// # Errors
    /// [`SettingsError`], with every new problem; nothing is changed then.
    ///
    /// # Panics
    /// As [`Self::change`].
    pub fn mend(&mut self, changes: &[Change], who: &str) -> Result<Survey, SettingsError> {
        let before = self.survey(&self.stored()?);
        let Some(mut store) = self.store.take() else { panic!("a change without a store: a defect") };
        let changed = store.change(changes, who, |stored| accept(&before, self.survey(stored), changes));
        self.store = Some(store);
        changed
    }
}

/// `after`, if its problems were all there before and are not about what was set now. A refused text's own contradictions count as
/// there: they show when it is unset.
fn accept(before: &Survey, after: Survey, changes: &[Change]) -> Result<Survey, SettingsError> {
    let is_set = |key: &str| changes.iter().any(|change| change.key == key && change.text.is_some());
    let is_new = |problem: &&ConfigError| {
        let mut old = before.further.iter().chain(&before.problems);
        problem.key.split(", ").any(is_set) || !old.any(|old| old == *problem)
    };
    let new: Vec<_> = after.problems.iter().filter(is_new).cloned().collect();
    if new.is_empty() { Ok(after) } else { Err(SettingsError::Refused(new)) }
}
