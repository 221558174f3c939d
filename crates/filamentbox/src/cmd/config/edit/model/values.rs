//! The settings as they were read, and what a person has changed since: nothing is saved here.

use std::collections::{BTreeMap, BTreeSet};

use filamentbox_core::config::{ConfigError, KeySpec, Registry, Setting, Source, Value};
use zeroize::Zeroizing;

use super::super::super::MASK;
use crate::settings::{Change, Survey, new_problems};

/// What everything would be if the store held these texts.
pub(in super::super) type Look = Box<dyn Fn(&[(String, String)]) -> Survey>;

/// Stored and changed texts. There is no Debug: secrets are among them.
pub(in super::super) struct Values {
    pub(in super::super) registry: Registry,
    look: Look,
    stored: Vec<(String, String)>,
    /// Nothing instead of a text takes the key out of the store.
    pending: BTreeMap<String, Option<Zeroizing<String>>>,
    /// Without the pending changes.
    before: Survey,
    /// With them.
    pub(in super::super) now: Survey,
}

impl Values {
    pub(in super::super) fn new(registry: Registry, stored: Vec<(String, String)>, look: Look) -> Self {
        let (before, now) = (look(&stored), look(&stored));
        Self { registry, look, stored, pending: BTreeMap::new(), before, now }
    }

    /// What was read from the store.
    pub(in super::super) fn stored_all(&self) -> &[(String, String)] {
        &self.stored
    }

    pub(in super::super) fn stored(&self, key: &str) -> Option<&str> {
        self.stored.iter().find(|(known, _)| known == key).map(|(_, text)| text.as_str())
    }

    /// The text that would be in the store.
    pub(in super::super) fn own(&self, key: &str) -> Option<&str> {
        match self.pending.get(key) {
            Some(pending) => pending.as_ref().map(|text| text.as_str()),
            None => self.stored(key),
        }
    }

    /// Whether anything that begins so would be in the store.
    pub(in super::super) fn has_own(&self, prefix: &str) -> bool {
        let mut keys = self.stored.iter().map(|(key, _)| key.as_str()).chain(self.changed());
        keys.any(|key| key.starts_with(prefix) && self.own(key).is_some())
    }

    pub(in super::super) fn is_pending(&self, key: &str) -> bool {
        self.pending.contains_key(key)
    }

    pub(in super::super) fn is_secret(&self, key: &str) -> bool {
        self.registry.find(key).is_none_or(KeySpec::is_secret)
    }

    /// What holds, the pending changes included.
    pub(in super::super) fn setting(&self, key: &str) -> Option<&Setting> {
        self.now.settings.get(key)
    }

    pub(in super::super) fn text(&self, key: &str) -> &str {
        self.setting(key).map_or("", |setting| setting.text.expose())
    }

    pub(in super::super) fn is_on(&self, key: &str) -> bool {
        self.setting(key).is_some_and(|setting| setting.value == Value::Bool(true))
    }

    /// The source that holds for `key` whatever the store says.
    pub(in super::super) fn overruled_by(&self, key: &str) -> Option<Source> {
        let source = self.setting(key)?.source;
        matches!(source, Source::Environment | Source::Vault | Source::Simulate).then_some(source)
    }

    /// What holds for `key`, for the screen.
    pub(in super::super) fn shown(&self, key: &str) -> String {
        // A refused text is what a person has to see, not the default that stands in for it.
        let refused =
            self.own(key).filter(|text| self.overruled_by(key).is_none() && self.refusal(key, text).is_some());
        self.as_shown(key, refused.unwrap_or(self.text(key)))
    }

    /// `text` of `key` for the screen: masked where it is secret, with its unit.
    pub(in super::super) fn as_shown(&self, key: &str, text: &str) -> String {
        let unit = self.registry.find(key).map_or("", |spec| spec.unit);
        match text {
            "" => "(empty)".to_owned(),
            _ if self.is_secret(key) => MASK.to_owned(),
            _ if unit.is_empty() => text.to_owned(),
            _ => format!("{text} {unit}"),
        }
    }

    /// Why `text` is not allowed for `key`.
    pub(in super::super) fn refusal(&self, key: &str, text: &str) -> Option<String> {
        match self.registry.find(key) {
            Some(spec) => spec.parse(text).err(),
            None => Some("this version knows no such setting".to_owned()),
        }
    }

    /// Sets `key`, to be saved later.
    pub(in super::super) fn set(&mut self, key: &str, text: &str) {
        let default = self.registry.find(key).filter(|spec| !spec.is_family()).map(|spec| spec.default);
        let before = self.stored(key).or(default);
        let is_as_before = before.is_some_and(|before| self.is_same(key, before, text));
        if is_as_before {
            self.pending.remove(key);
        } else {
            self.pending.insert(key.to_owned(), Some(Zeroizing::new(text.to_owned())));
        }
        self.look_again();
    }

    /// Whether two texts of `key` mean the same: the store writes numbers and switches in its own way.
    fn is_same(&self, key: &str, one: &str, other: &str) -> bool {
        let parsed = |text| self.registry.find(key).and_then(|spec| spec.parse(text).ok());
        one == other || parsed(one).is_some_and(|one| parsed(other) == Some(one))
    }

    /// Takes `key` out of the store, later.
    pub(in super::super) fn unset(&mut self, key: &str) {
        if self.stored(key).is_some() {
            self.pending.insert(key.to_owned(), None);
        } else {
            self.pending.remove(key);
        }
        self.look_again();
    }

    /// Gives the text of one key to another.
    pub(in super::super) fn rename(&mut self, from: &str, to: &str) {
        let text = Zeroizing::new(self.own(from).unwrap_or_default().to_owned());
        self.unset(from);
        self.set(to, &text);
    }

    /// Forgets the change of `key`.
    pub(in super::super) fn undo(&mut self, key: &str) {
        self.pending.remove(key);
        self.look_again();
    }

    /// Forgets every change.
    pub(in super::super) fn discard(&mut self) {
        self.pending.clear();
        self.look_again();
    }

    /// The store was read again: changes that it has by now are no changes any more.
    pub(in super::super) fn reread(&mut self, stored: Vec<(String, String)>) {
        self.stored = stored;
        self.before = (self.look)(&self.stored);
        let pending = std::mem::take(&mut self.pending);
        let differs = |(key, text): &(String, Option<Zeroizing<String>>)| match (self.stored(key), text) {
            (Some(stored), Some(text)) => !self.is_same(key, stored, text),
            (stored, text) => stored.is_some() || text.is_some(),
        };
        self.pending = pending.into_iter().filter(differs).collect();
        self.look_again();
    }

    fn look_again(&mut self) {
        let keys: BTreeSet<&str> =
            self.stored.iter().map(|(key, _)| key.as_str()).chain(self.pending.keys().map(String::as_str)).collect();
        let own = keys.into_iter().filter_map(|key| Some((key.to_owned(), self.own(key)?.to_owned())));
        self.now = (self.look)(&own.collect::<Vec<_>>());
    }

    pub(in super::super) fn count(&self) -> usize {
        self.pending.len()
    }

    /// The keys that a person has changed.
    pub(in super::super) fn changed(&self) -> impl Iterator<Item = &str> {
        self.pending.keys().map(String::as_str)
    }

    /// What is to be saved.
    pub(in super::super) fn changes(&self) -> Vec<Change> {
        let change = |(key, text): (&String, &Option<Zeroizing<String>>)| Change {
            key: key.clone(),
            text: text.as_ref().map(|text| text.to_string()),
        };
        self.pending.iter().map(change).collect()
    }

    /// A pending change for the screen: old and new.
    pub(in super::super) fn old_and_new(&self, key: &str) -> (String, String) {
        let default = self.registry.find(key).filter(|spec| !spec.is_family() && !spec.default.is_empty());
        let unset = default.map_or("(not set)".to_owned(), |spec| self.as_shown(key, spec.default));
        let shown = |text: Option<&str>| text.map_or(unset.clone(), |text| self.as_shown(key, text));
        let (old, new) = (shown(self.stored(key)), shown(self.own(key)));
        let is_changed_secret = self.is_secret(key) && old == new;
        (old, if is_changed_secret { format!("{new} (another one)") } else { new })
    }

    /// What keeps the changes from being saved: problems that they bring, or do not mend although they are about them.
    pub(in super::super) fn obstacles(&self) -> Vec<ConfigError> {
        new_problems(&self.before, &self.now, &self.changes())
    }

    /// The keys whose text in the store is not allowed, or that nobody knows: with what is wrong.
    pub(in super::super) fn invalid(&self) -> Vec<(String, String)> {
        let keys = self.stored.iter().map(|(key, _)| key.as_str());
        keys.filter_map(|key| Some((key.to_owned(), self.refusal(key, self.own(key)?)?))).collect()
    }

    /// What else is wrong: settings that contradict each other, or another source's.
    pub(in super::super) fn problems(&self) -> impl Iterator<Item = &ConfigError> {
        let invalid: Vec<String> = self.invalid().into_iter().map(|(key, _)| key).collect();
        self.now.problems.iter().filter(move |problem| !invalid.contains(&problem.key))
    }

    /// Whether `key` must not stay empty and is.
    pub(in super::super) fn is_missing(&self, spec: &KeySpec) -> bool {
        spec.required && self.text(spec.key).is_empty() && is_chosen(self, spec.key)
    }
}

/// Whether the part of the program that `key` belongs to is in use: for a backend's key, whether the backend is chosen.
pub(in super::super) fn is_chosen(values: &Values, key: &str) -> bool {
    let mut parts = key.split('.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("database"), Some(backend), Some(_)) => {
            values.now.settings.list("database.type").iter().any(|name| name == backend)
        }
        _ => true,
    }
}
