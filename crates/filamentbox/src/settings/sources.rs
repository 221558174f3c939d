//! All layers of one installation together: what holds now, and changes that are checked as a whole.

use std::os::unix::fs::MetadataExt as _;

use filamentbox_core::config::{ConfigError, Registry};

use super::environment::Variable;
use super::key::{Key, KeyError};
use super::places::Places;
use super::store::{Change, Store, StoreError};
use super::{Layers, Loaded, load, registry};

/// Why the settings are not known, or were not changed. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Some are refused: all of them, with what is allowed.
    #[error("{} problem(s) in the settings", .0.len())]
    Refused(Vec<ConfigError>),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is a store and no key for it.
    #[error("there is a store of settings, {}, but no key for it: not in the environment, and {} is missing", .0.store.display(), .0.key_file().display())]
    NoKey(Places),
}

/// Whether a store may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading: where there is no store, it counts as empty.
    Existing,
    /// The store and its key are made if they are missing.
    Create,
}

/// Every place that settings come from.
pub struct Sources {
    /// The keys.
    pub registry: Registry,
    /// The files.
    pub places: Places,
    simulate: bool,
    variables: Vec<Variable>,
    store: Option<Store>,
    /// Which file the open store is: device and number.
    identity: Option<(u64, u64)>,
}

impl Sources {
    /// Opens the store, where there is one.
    ///
    /// # Errors
    /// [`SettingsError`]: a store that is there and cannot be read never counts as empty.
    pub fn open(
        places: Places,
        access: Access,
        simulate: bool,
        variables: Vec<Variable>,
    ) -> Result<Self, SettingsError> {
        let mut sources = Self { registry: registry(), places, simulate, variables, store: None, identity: None };
        let is_there = sources.places.store.exists();
        if !is_there && access == Access::Existing {
            return Ok(sources);
        }
        sources.open_store(!is_there)?;
        Ok(sources)
    }

    fn open_store(&mut self, create: bool) -> Result<(), SettingsError> {
        let key_file = self.places.key_file();
        let key = match Key::find(&self.variables, &key_file)? {
            Some(key) => key,
            None if create => Key::generate(&key_file)?,
            None => return Err(SettingsError::NoKey(self.places.clone())),
        };
        self.store = Some(Store::open(&self.places.store, &key, create)?);
        self.identity = self.identity_now();
        Ok(())
    }

    fn identity_now(&self) -> Option<(u64, u64)> {
        self.places.store.metadata().ok().map(|found| (found.dev(), found.ino()))
    }

    /// Another file has taken the store's place: a backup that was put back, or one with another key.
    fn follow_file(&mut self) -> Result<(), SettingsError> {
        if self.store.is_some() && self.identity_now() == self.identity { Ok(()) } else { self.open_store(false) }
    }

    /// What holds now, for whoever keeps these sources open: a store whose file or key was replaced meanwhile is opened anew.
    ///
    /// # Errors
    /// [`SettingsError`]; a store that has gone does not count as empty.
    pub fn reload(&mut self) -> Result<Loaded, SettingsError> {
        self.follow_file()?;
        match self.load() {
            Err(SettingsError::Store(_)) => {
                self.open_store(false)?;
                self.load()
            }
            loaded => loaded,
        }
    }

    /// Who changed `key` in the store last, by its audit.
    pub fn last_changed_by(&self, key: &str) -> Option<String> {
        self.store.as_ref().and_then(|store| store.last_changed_by(key))
    }

    /// What holds now.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(&self) -> Result<Loaded, SettingsError> {
        let stored = self.store.as_ref().map_or(Ok(Vec::new()), Store::values)?;
        self.check(&stored)
    }

    /// Makes `changes` in the store, if everything is allowed together with them; `who` stands in the audit.
    ///
    /// # Errors
    /// [`SettingsError`]; nothing is changed then.
    ///
    /// # Panics
    /// When opened with [`Access::Existing`] and there was no store, which is a defect of the caller.
    pub fn change(&mut self, changes: &[Change], who: &str) -> Result<Loaded, SettingsError> {
        if self.store.is_some() {
            self.follow_file()?;
        }
        let Some(mut store) = self.store.take() else { panic!("a change without a store: a defect") };
        let changed = store.change(changes, who, |stored| self.check(stored));
        self.store = Some(store);
        changed
    }

    fn check(&self, stored: &[(String, String)]) -> Result<Loaded, SettingsError> {
        let layers = Layers { simulate: self.simulate, variables: self.variables.clone(), stored: stored.to_vec() };
        load(&self.registry, layers).map_err(SettingsError::Refused)
    }
}
