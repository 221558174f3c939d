//! Changes by hand: also of settings in which something is wrong already, so that they can be mended one by one.

use filamentbox_core::config::ConfigError;

use super::super::{Change, Examined};
use super::{SettingsError, Sources};

impl Sources {
    /// What holds now, also where something is wrong.
    ///
    /// # Errors
    /// [`SettingsError`], but not `Refused`.
    pub fn examine(&self) -> Result<Examined, SettingsError> {
        Ok(self.examine_with(&self.stored()?))
    }

    /// What would hold after `changes`; nothing is changed.
    ///
    /// # Errors
    /// As [`Self::mend`].
    pub fn examine_changed(&self, changes: &[Change]) -> Result<Examined, SettingsError> {
        let mut stored = self.stored()?;
        let before = self.examine_with(&stored);
        for Change { key, text } in changes {
            stored.retain(|(known, _)| known != key);
            stored.extend(text.iter().map(|text| (key.clone(), text.clone())));
        }
        accept(&before, self.examine_with(&stored), changes)
    }

    /// Makes `changes` in the store, all or none, if they bring no problem that was not there before; `who` stands in the audit.
    ///
    /// # Errors
    /// [`SettingsError`], with every new problem; nothing is changed then.
    ///
    /// # Panics
    /// As [`Self::change`].
    pub fn mend(&mut self, changes: &[Change], who: &str) -> Result<Examined, SettingsError> {
        let before = self.examine()?;
        let Some(mut store) = self.store.take() else { panic!("a change without a store: a defect") };
        let changed = store.change(changes, who, |stored| accept(&before, self.examine_with(stored), changes));
        self.store = Some(store);
        changed
    }
}

/// `after`, if its problems were all there before and are not about what was set now. A refused value's own contradictions count as
/// there: they show when it is unset.
fn accept(before: &Examined, after: Examined, changes: &[Change]) -> Result<Examined, SettingsError> {
    let is_set = |key: &str| changes.iter().any(|change| change.key == key && change.text.is_some());
    let is_new = |problem: &ConfigError| {
        let mut old = before.further.iter().chain(before.refused.iter().map(|(_, refused)| refused));
        problem.key.split(", ").any(is_set) || !old.any(|old| old == problem)
    };
    let new: Vec<_> = after.problems().into_iter().filter(is_new).collect();
    if new.is_empty() { Ok(after) } else { Err(SettingsError::Refused(new)) }
}
