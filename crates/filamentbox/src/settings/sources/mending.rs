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

    /// Makes `changes` in the store, all or none, if they bring no problem that was not there before; `who` stands in the audit. A
    /// store is made if there is none.
    ///
    /// # Errors
    /// [`SettingsError`], with every new problem; nothing is changed then.
    pub fn mend(&mut self, changes: &[Change], who: &str) -> Result<Survey, SettingsError> {
        let _lock = self.write()?;
        let mut slot = self.store.borrow_mut();
        let store = slot.as_mut().ok_or_else(|| SettingsError::NoStore(self.places.clone()))?;
        let before = self.survey(&store.values()?);
        store.change(&self.registry, changes, who, |stored| accept(&before, self.survey(stored), changes))
    }

    /// Like [`Self::mend`], but only if the store still holds `expected`, as [`Self::stored`] gave it.
    ///
    /// # Errors
    /// [`StoreError::ChangedMeanwhile`](super::super::StoreError::ChangedMeanwhile), and as [`Self::mend`]; nothing is changed then.
    pub fn mend_from(
        &mut self,
        expected: &[(String, String)],
        changes: &[Change],
        who: &str,
    ) -> Result<Survey, SettingsError> {
        let _lock = self.write()?;
        let mut slot = self.store.borrow_mut();
        let store = slot.as_mut().ok_or_else(|| SettingsError::NoStore(self.places.clone()))?;
        let before = self.survey(expected);
        let accept = |stored: &[(String, String)]| accept(&before, self.survey(stored), changes);
        store.change_from(&self.registry, Some(expected), changes, who, accept)
    }
}

fn accept(before: &Survey, after: Survey, changes: &[Change]) -> Result<Survey, SettingsError> {
    let new = new_problems(before, &after, changes);
    if new.is_empty() { Ok(after) } else { Err(SettingsError::Refused(new)) }
}

/// The problems of `after` that keep `changes` from being made: that were not there before, or are about what is set now. A refused
/// text's own contradictions count as there: they show when it is unset.
pub fn new_problems(before: &Survey, after: &Survey, changes: &[Change]) -> Vec<ConfigError> {
    let is_set = |key: &str| changes.iter().any(|change| change.key == key && change.text.is_some());
    let is_new = |problem: &&ConfigError| {
        let mut old = before.further.iter().chain(&before.problems);
        problem.key.split(", ").any(is_set) || !old.any(|old| old == *problem)
    };
    after.problems.iter().filter(is_new).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::{Layers, registry, survey};
    use super::*;

    /// Whether a store with `before` takes `changes`, and how many problems are told: new ones, or those that remain.
    #[track_caller]
    fn check(before: &[(&str, &str)], changes: &[(&str, Option<&str>)], expected: Result<usize, usize>) {
        let survey =
            |stored: &[(String, String)]| survey(&registry(), Layers { stored: stored.to_vec(), ..Layers::default() });
        let mut stored: Vec<_> = before.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let earlier = survey(&stored);
        let changes: Vec<_> = changes
            .iter()
            .map(|(key, text)| Change { key: (*key).to_owned(), text: text.map(str::to_owned) })
            .collect();
        for Change { key, text } in &changes {
            stored.retain(|(known, _)| known != key);
            stored.extend(text.iter().map(|text| (key.clone(), text.clone())));
        }
        let told = match accept(&earlier, survey(&stored), &changes) {
            Ok(after) => Ok(after.problems.len()),
            Err(SettingsError::Refused(new)) => Err(new.len()),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(told, expected, "{before:?}");
    }

    const MIN: &str = "heating_control.min_temp_c";
    const MAX: &str = "heating_control.max_temp_c";
    const CUT_OFF: &str = "safety.max_temp_c";

    #[test]
    fn a_right_store_stays_right() {
        check(&[], &[(MAX, Some("25"))], Ok(0));
        check(&[], &[(MAX, Some("19")), ("later.key", Some("1"))], Err(2));
        check(&[(MIN, "43"), (MAX, "45")], &[(MAX, None)], Err(1));
        check(&[(MIN, "43"), (MAX, "45")], &[(MAX, None), (MIN, None)], Ok(0));
    }

    #[test]
    fn a_wrong_store_becomes_better_step_by_step() {
        let wrong = [("later.key", "1"), (CUT_OFF, "200"), ("queue.max_size", "1")];
        check(&wrong, &[("later.key", None)], Ok(2));
        check(&wrong, &[(CUT_OFF, Some("65"))], Ok(2));
        check(&wrong, &[("sensor.i2c_bus", Some("2"))], Ok(3));
        check(&wrong, &[("sensor.i2c_bus", Some("two"))], Err(1));
    }

    #[test]
    fn what_is_set_must_be_right_itself() {
        check(&[("later.key", "1")], &[("later.key", Some("1"))], Err(1));
        check(&[("later.key", "1")], &[("later.key", Some("2"))], Err(1));
        check(&[(MIN, "43")], &[(MIN, Some("42"))], Err(1));
        check(&[(MIN, "43")], &[(MAX, Some("22"))], Err(1));
    }

    #[test]
    fn a_refused_text_can_go_although_others_do_not_fit_without_it() {
        check(&[(CUT_OFF, "200"), (MAX, "75")], &[(CUT_OFF, None)], Ok(1));
        check(&[(CUT_OFF, "200"), (MAX, "75")], &[(CUT_OFF, Some("79"))], Err(1));
    }

    #[test]
    fn a_contradiction_hides_no_other_problem() {
        check(&[(MIN, "43"), ("database.type", "influxdb_v1")], &[(MAX, Some("45"))], Ok(1));
        check(&[(MIN, "43")], &[("database.type", Some("influxdb_v1"))], Err(1));
    }
}
