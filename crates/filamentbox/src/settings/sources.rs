//! All layers of one installation together: what holds now, and changes that are checked as a whole.

mod mending;

use std::path::PathBuf;

use filamentbox_core::config::{ConfigError, Registry};

use super::environment::Variable;
use super::key::{Key, KeyError};
use super::places::Places;
use super::store::{Change, Store, StoreError};
use super::{Layers, Loaded, Survey, load, registry, survey};

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
    /// Whether there is a store cannot be seen.
    #[error("the settings' store {}: {reason}", path.display())]
    Unseen {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
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
        let mut sources = Self { registry: registry(), places, simulate, variables, store: None };
        let path = &sources.places.store;
        let is_there = path.try_exists().map_err(|reason| SettingsError::Unseen { path: path.clone(), reason })?;
        if !is_there && access == Access::Existing {
            return Ok(sources);
        }
        let key_file = sources.places.key_file();
        let key = match Key::find(&sources.variables, &key_file)? {
            Some(key) => key,
            None if is_there => return Err(SettingsError::NoKey(sources.places)),
            None => Key::generate(&key_file)?,
        };
        sources.store = Some(Store::open(&sources.places.store, &key, !is_there)?);
        Ok(sources)
    }

    /// What holds now.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(&self) -> Result<Loaded, SettingsError> {
        self.check(&self.stored()?)
    }

    /// The store's texts as they are, allowed or not, by key.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn stored(&self) -> Result<Vec<(String, String)>, SettingsError> {
        Ok(self.store.as_ref().map_or(Ok(Vec::new()), Store::values)?)
    }

    /// Looks at everything as it would be if the store held `stored`.
    pub fn survey(&self, stored: &[(String, String)]) -> Survey {
        survey(&self.registry, self.layers(stored))
    }

    /// Like [`Self::change`], but only if the store still holds `expected`, as [`Self::stored`] gave it.
    ///
    /// # Errors
    /// [`StoreError::ChangedMeanwhile`], and as [`Self::change`]; nothing is changed then.
    ///
    /// # Panics
    /// As [`Self::change`].
    pub fn change_from(
        &mut self,
        expected: &[(String, String)],
        changes: &[Change],
        who: &str,
    ) -> Result<Loaded, SettingsError> {
        let Some(mut store) = self.store.take() else { panic!("a change without a store: a defect") };
        let changed = store.change_from(Some(expected), changes, who, |stored| self.check(stored));
        self.store = Some(store);
        changed
    }

    /// Makes `changes` in the store, if everything is allowed together with them; `who` stands in the audit.
    ///
    /// # Errors
    /// [`SettingsError`]; nothing is changed then.
    ///
    /// # Panics
    /// When opened with [`Access::Existing`] and there was no store, which is a defect of the caller.
    pub fn change(&mut self, changes: &[Change], who: &str) -> Result<Loaded, SettingsError> {
        let Some(mut store) = self.store.take() else { panic!("a change without a store: a defect") };
        let changed = store.change(changes, who, |stored| self.check(stored));
        self.store = Some(store);
        changed
    }

    fn check(&self, stored: &[(String, String)]) -> Result<Loaded, SettingsError> {
        load(&self.registry, self.layers(stored)).map_err(SettingsError::Refused)
    }

    fn layers(&self, stored: &[(String, String)]) -> Layers {
        Layers { simulate: self.simulate, variables: self.variables.clone(), stored: stored.to_vec() }
    }
}
