//! All layers of one installation together: what holds now, and changes that are checked as a whole.
//!
//! A file's name may come to stand for another file while this is open (a rotation, a backup that is put back): each access looks.

mod keys;
mod mending;

pub use mending::new_problems;

use std::cell::RefCell;

use filamentbox_core::config::{ConfigError, Registry};
use tracing::{info, warn};

use super::environment::Variable;
use super::key::{ALLOW_DEFAULT, Key, KeyError, KeySource};
use super::lock::Lock;
use super::places::Places;
use super::store::{Audited, Change, Store, StoreError};
use super::vault::{VaultError, VaultLayer, Watch};
use super::{Layers, Loaded, Survey, load, registry, survey};
use crate::runtime::crash_log_dir;
use crate::runtime::folder::{DataFolder, FolderError};

pub use keys::Located;

/// At every start.
const DEFAULT_KEY_WARNING: &str = "the settings are encrypted with the published default key, which protects nothing; give them one of their own with `filamentbox config key rotate`";

/// Why the settings are not known, or were not changed. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Some are refused: all of them, with what is allowed.
    #[error("{} problem(s) in the settings", .0.len())]
    Refused(Vec<ConfigError>),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
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
    #[error("there is a settings' store, {}, but no key for it: CONFIG_ENCRYPTION_KEY is not set, Vault has none (if VAULT_ADDR names one), and there is no {}; put the key there from a backup ({ALLOW_DEFAULT}=1 tries the published default key)", .0.store.display(), .0.key_file().display())]
    NoKey(Places),
    /// There was a store, and there is none now.
    #[error("the settings' store {} has disappeared; put it back from a backup, or start the daemon again to begin with the defaults", .0.store.display())]
    Gone(Places),
    /// There is nothing to rotate.
    #[error("there is no settings' store {} yet; the first start makes it, with a new key", .0.store.display())]
    NoStore(Places),
    /// A key that cannot be made new from here.
    #[error(
        "the key comes from {0}, where this command cannot change it: make a key with `filamentbox config key generate --print`, put it into a file with mode 600, give that with --new-key FILE, and then put the key where the old one is"
    )]
    KeptElsewhere(KeySource),
    /// A key that would not count, or would be in the way.
    #[error("{0}; no key was made (`--print` only shows a new one)")]
    HasKey(String),
}

/// Whether a store may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading what is on this machine: Vault is not asked, only what was kept of it counts. For what must not wait.
    Offline,
    /// Reading: where there is no store, it counts as empty.
    Existing,
    /// The store and its key are made if they are missing, what was broken off is finished, and every page is checked.
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
    store: RefCell<Option<Store>>,
    vault: RefCell<Option<VaultLayer>>,
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
        let sources = Self::closed(places, access, simulate, variables)?;
        if access == Access::Create {
            let _lock = sources.write()?;
            sources.store.borrow().as_ref().map_or(Ok(()), Store::check)?;
        }
        // Not under the lock that keeps readers away: the answer may take a while.
        let _lock = sources.read()?;
        if let Some(vault) = sources.vault.borrow_mut().as_mut() {
            vault.read::<SettingsError>(sources.store.borrow().as_ref())?;
        }
        Ok(sources)
    }

    fn closed(places: Places, access: Access, simulate: bool, variables: Vec<Variable>) -> Result<Self, SettingsError> {
        let (is_online, may_keep) = (access != Access::Offline, access == Access::Create);
        let vault = VaultLayer::open(&variables, crash_log_dir().as_deref(), places.store_dir(), is_online)?;
        let (store, vault) = (RefCell::new(None), RefCell::new(vault));
        Ok(Self { registry: registry(), places, simulate, variables, store, vault, may_keep })
    }

    /// What holds now.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(&self) -> Result<Loaded, SettingsError> {
        let _lock = self.read()?;
        let stored = self.store.borrow().as_ref().map_or(Ok(Vec::new()), Store::values)?;
        let mut loaded = self.check(&stored)?;
        if self.store.borrow().as_ref().is_some_and(|store| store.key().source == KeySource::Default) {
            loaded.warnings.push(DEFAULT_KEY_WARNING.to_owned());
        }
        if let Err(problem) = self.keep_vault() {
            loaded.warnings.push(format!("the settings from Vault cannot be kept for a start without it: {problem}"));
        }
        Ok(loaded)
    }

    /// The store's texts as they are, allowed or not, by key.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn stored(&self) -> Result<Vec<(String, String)>, SettingsError> {
        let _lock = self.read()?;
        Ok(self.store.borrow().as_ref().map_or(Ok(Vec::new()), Store::values)?)
    }

    /// Looks at everything as it would be if the store held `stored`.
    pub fn survey(&self, stored: &[(String, String)]) -> Survey {
        survey(&self.registry, self.layers(stored))
    }

    /// Makes `changes` in the store, if everything is allowed together with them; `who` stands in the audit. A store is made if there is
    /// none.
    ///
    /// # Errors
    /// [`SettingsError`]; nothing is changed then.
    pub fn change(&mut self, changes: &[Change], who: &str) -> Result<Loaded, SettingsError> {
        let _lock = self.write()?;
        let mut slot = self.store.borrow_mut();
        let store = slot.as_mut().ok_or_else(|| SettingsError::NoStore(self.places.clone()))?;
        store.change(&self.registry, changes, who, |stored| self.check(stored))
    }

    /// The newest `limit` changes, newest first.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn audit(&self, limit: u32) -> Result<Vec<Audited>, SettingsError> {
        let _lock = self.read()?;
        Ok(self.store.borrow().as_ref().map_or(Ok(Vec::new()), |store| store.audit(limit))?)
    }

    /// Who changed `key` in the store last.
    pub fn last_changed_by(&self, key: &str) -> Option<String> {
        self.store.borrow().as_ref().and_then(|store| store.last_changed_by(key))
    }

    /// What a person should know of the places themselves: one line each.
    pub fn notices(&self) -> Vec<String> {
        self.vault.borrow().as_ref().map_or_else(Vec::new, |vault| vault.notices().to_vec())
    }

    /// What asks Vault from now on, for a thread of its own beside a running daemon; `None` where there is no Vault.
    pub fn watch_vault(&self) -> Option<Watch> {
        self.vault.borrow().as_ref().map(VaultLayer::watch)
    }

    /// Vault's settings are these now, as the [`Watch`] said: [`Self::load`] takes them from here on, also when they are refused. Whether
    /// they are others than before.
    pub fn set_vault(&mut self, values: Vec<(String, String)>) -> bool {
        self.vault.get_mut().as_mut().is_some_and(|vault| vault.set(values))
    }

    /// What Vault says was accepted: a start without Vault goes by it.
    fn keep_vault(&self) -> Result<(), StoreError> {
        match (self.vault.borrow().as_ref(), self.store.borrow().as_ref()) {
            (Some(vault), Some(store)) if self.may_keep => vault.keep_values(store),
            _ => Ok(()),
        }
    }

    /// Takes the lock for reading, and opens the store if it is new.
    fn read(&self) -> Result<Lock, SettingsError> {
        let lock = Lock::shared(&self.places.lock_file()).map_err(|reason| self.unusable(reason))?;
        self.follow()?;
        Ok(lock)
    }

    /// Takes the lock for changing, finishes what was broken off, and opens the store; makes it where there is none.
    fn write(&self) -> Result<Lock, SettingsError> {
        DataFolder::make(self.places.store_dir())?;
        let may_write = rustix::fs::accessat(
            rustix::fs::CWD,
            self.places.store_dir(),
            rustix::fs::Access::WRITE_OK,
            rustix::fs::AtFlags::EACCESS,
        );
        may_write.map_err(|_| StoreError::ReadOnly { path: self.places.store.clone() })?;
        let lock = Lock::exclusive(&self.places.lock_file()).map_err(|reason| self.unusable(reason))?;
        self.follow()?;
        match self.settle() {
            // Until Vault has the new key, it stays beside the store.
            Err(SettingsError::Vault(problem)) => warn!("the new key cannot be put into Vault yet: {problem}"),
            outcome => outcome?,
        }
        if self.store.borrow().is_none() {
            let key = match self.find_key(false)? {
                Some(key) => key,
                None => self.make_key()?,
            };
            Store::create(&self.places, &key)?;
            info!(path = %self.places.store.display(), key = %key.source, "a store for the settings was made");
            self.follow()?;
        }
        Ok(lock)
    }

    /// Opens the file that is the store now, unless it is open. The caller holds the lock.
    fn follow(&self) -> Result<(), SettingsError> {
        let now = self.places.store_id().map_err(|reason| self.unusable(reason))?;
        let open = self.store.borrow().as_ref().map(Store::id);
        match (open, now) {
            (Some(_), None) => Err(SettingsError::Gone(self.places.clone())),
            (open, now) if open == now => Ok(()),
            _ => {
                let opened = self.open_store()?;
                if open.is_some() {
                    info!(path = %self.places.store.display(), "the settings' store was replaced, and is open again");
                }
                *self.store.borrow_mut() = opened;
                Ok(())
            }
        }
    }

    /// Opens the store, if there is one, with the key in force, or with that of a rotation that was broken off.
    fn open_store(&self) -> Result<Option<Store>, SettingsError> {
        let Some(id) = self.places.store_id().map_err(|reason| self.unusable(reason))? else { return Ok(None) };
        let path = &self.places.store;
        let key = self.find_key(true);
        if let Ok(Some(key)) = &key
            && let Some(store) = Store::open(path, id, key)?
        {
            return Ok(Some(store));
        }
        // Half a key, of a rotation that did not come further, is none.
        if let Ok(Some(new)) = Key::read(&self.places.new_key_file())
            && let Some(store) = Store::open(path, id, &new)?
        {
            return Ok(Some(store));
        }
        Err(match key? {
            None => SettingsError::NoKey(self.places.clone()),
            Some(key) => StoreError::WrongKey { path: path.clone(), key: key.source.to_string() }.into(),
        })
    }

    fn check(&self, stored: &[(String, String)]) -> Result<Loaded, SettingsError> {
        let mut loaded = load(&self.registry, self.layers(stored)).map_err(SettingsError::Refused)?;
        loaded.warnings.extend(self.notices());
        Ok(loaded)
    }

    fn layers(&self, stored: &[(String, String)]) -> Layers {
        Layers {
            simulate: self.simulate,
            variables: self.variables.clone(),
            vault: self.vault.borrow().as_ref().map_or_else(Vec::new, |vault| vault.values().to_vec()),
            stored: stored.to_vec(),
        }
    }

    fn unusable(&self, reason: std::io::Error) -> StoreError {
        StoreError::Unusable { path: self.places.store.clone(), reason }
    }
}

#[cfg(test)]
mod tests;
