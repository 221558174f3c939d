//! All layers of one installation together: what holds now, and changes that are checked as a whole.

use filamentbox_core::config::{ConfigError, Registry};

use super::environment::Variable;
use super::key::{Key, KeyError};
use super::places::Places;
use super::store::{Change, Store, StoreError};
use super::vault::{Secret, VaultError, VaultLayer, Watch};
use super::{Layers, Loaded, load, registry};
use crate::runtime::crash_log_dir;

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
    /// Vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// There is a store and no key for it.
    #[error("there is a store of settings, {}, but no key for it: not in the environment, not in Vault (if VAULT_ADDR names one), and {} is missing", .0.store.display(), .0.key_file().display())]
    NoKey(Places),
}

/// Whether a store may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading what is on this machine: Vault is not asked, only what was kept of it counts. For what must not wait.
    Offline,
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
    vault: Option<VaultLayer>,
    /// Whether this process keeps what Vault says in the store.
    may_keep: bool,
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
        let (is_online, may_keep) = (access != Access::Offline, access == Access::Create);
        let vault = VaultLayer::open(&variables, crash_log_dir().as_deref(), places.store_dir(), is_online)?;
        let mut sources = Self { registry: registry(), places, simulate, variables, store: None, vault, may_keep };
        let is_there = sources.places.store.exists();
        if is_there || access == Access::Create {
            let key = sources.key(is_there)?;
            sources.store = Some(Store::open(&sources.places.store, &key, !is_there)?);
        }
        if let Some(vault) = &mut sources.vault {
            vault.read::<SettingsError>(sources.store.as_ref())?;
        }
        Ok(sources)
    }

    /// The store's key: the environment's, else Vault's, else the file's. For a new store it is made if there is none: in Vault, where that is
    /// named, else in the file.
    fn key(&mut self, is_there: bool) -> Result<Key, SettingsError> {
        if let Some(key) = Key::of_environment(&self.variables) {
            return Ok(key);
        }
        let file = self.places.key_file();
        let Some(vault) = &mut self.vault else {
            return match Key::read(&file)? {
                Some(key) => Ok(key),
                None if is_there => Err(SettingsError::NoKey(self.places.clone())),
                None => Ok(Key::generate(&file)?),
            };
        };
        match vault.key() {
            Ok(Some(key)) => Ok(Key::of_vault(key)),
            Ok(None) => match Key::read(&file)? {
                Some(key) => Ok(key),
                None if is_there => Err(SettingsError::NoKey(self.places.clone())),
                None => {
                    let unusable = |reason| KeyError::Unusable { path: "/dev/urandom".into(), reason };
                    let random = Key::random_text().map_err(unusable)?;
                    Ok(Key::of_vault(vault.make_key(&Secret::from(random))?))
                }
            },
            // A new store under the file's key would not open with the one that Vault may have.
            Err(problem) if !is_there => Err(problem.into()),
            Err(problem) => match Key::read(&file)? {
                Some(key) => {
                    if problem != VaultError::NotAsked {
                        vault.notice(format!("{problem}; the key is the one in {}", file.display()));
                    }
                    Ok(key)
                }
                None => Err(problem.into()),
            },
        }
    }

    /// What holds now.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(&self) -> Result<Loaded, SettingsError> {
        let stored = self.store.as_ref().map_or(Ok(Vec::new()), Store::values)?;
        let mut loaded = self.check(&stored)?;
        if let Err(problem) = self.keep_vault() {
            loaded.warnings.push(format!("the settings from Vault cannot be kept for a start without it: {problem}"));
        }
        Ok(loaded)
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

    /// What a person should know of the places themselves: one line each.
    pub fn notices(&self) -> &[String] {
        self.vault.as_ref().map_or(&[], VaultLayer::notices)
    }

    /// What asks Vault from now on, for a thread of its own beside a running daemon; `None` where there is no Vault, and from the second
    /// time on.
    pub fn watch_vault(&mut self) -> Option<Watch> {
        self.vault.as_mut().and_then(VaultLayer::watch)
    }

    /// Vault's settings are these now, as the [`Watch`] said: [`Self::load`] takes them from here on, also when they are refused. Whether
    /// they are others than before.
    pub fn set_vault(&mut self, values: Vec<(String, String)>) -> bool {
        self.vault.as_mut().is_some_and(|vault| vault.set(values))
    }

    /// What Vault says was accepted: a start without Vault goes by it.
    fn keep_vault(&self) -> Result<(), StoreError> {
        match (&self.vault, &self.store) {
            (Some(vault), Some(store)) if self.may_keep => vault.keep_values(store),
            _ => Ok(()),
        }
    }

    fn check(&self, stored: &[(String, String)]) -> Result<Loaded, SettingsError> {
        let vault = self.vault.as_ref();
        let layers = Layers {
            simulate: self.simulate,
            variables: self.variables.clone(),
            vault: vault.map(|vault| vault.values().to_vec()).unwrap_or_default(),
            stored: stored.to_vec(),
        };
        let mut loaded = load(&self.registry, layers).map_err(SettingsError::Refused)?;
        loaded.warnings.extend(self.notices().iter().cloned());
        Ok(loaded)
    }
}
