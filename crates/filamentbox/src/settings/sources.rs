//! All layers of one installation together: what holds now, and changes that are checked as a whole.
//!
//! A file's name may come to stand for another file while this is open (a rotation, a backup that is put back): each access looks.

use std::cell::RefCell;

use filamentbox_core::config::{ConfigError, Registry};
use tracing::info;

use super::environment::Variable;
use super::files;
use super::key::{ALLOW_DEFAULT, Key, KeyError, KeySource};
use super::lock::Lock;
use super::places::Places;
use super::rotation;
use super::store::{Audited, Change, Store, StoreError};
use super::{Layers, Loaded, load, registry};
use crate::runtime::folder::{DataFolder, FolderError};

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
    /// There is a store and no key for it.
    #[error("there is a settings' store, {}, but no key for it: CONFIG_ENCRYPTION_KEY is not set, and there is no {}; put the key there from a backup ({ALLOW_DEFAULT}=1 tries the published default key)", .0.store.display(), .0.key_file().display())]
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
    /// Reading: where there is no store, it counts as empty.
    Existing,
    /// The store and its key are made if they are missing, what was broken off is finished, and every page is checked.
    Create,
}

/// Where the store and the key in force are; never the key.
pub struct Located {
    /// The key's place; nothing where there is none yet.
    pub key: Option<KeySource>,
    /// Whether the key is taken as it is, and not derived from a passphrase.
    pub is_raw: bool,
    /// Whether the store is there, and then whether it opens with the key.
    pub opens: Option<bool>,
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
        let sources = Self { registry: registry(), places, simulate, variables, store: RefCell::new(None) };
        match access {
            Access::Existing => drop(sources.read()?),
            Access::Create => {
                drop(sources.write()?);
                sources.store.borrow().as_ref().map_or(Ok(()), Store::check)?;
            }
        }
        Ok(sources)
    }

    /// What holds now.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(&self) -> Result<Loaded, SettingsError> {
        let lock = self.read()?;
        let stored = self.store.borrow().as_ref().map_or(Ok(Vec::new()), Store::values)?;
        drop(lock);
        let mut loaded = self.check(&stored)?;
        if self.store.borrow().as_ref().is_some_and(|store| store.key().source == KeySource::Default) {
            loaded.warnings.push(DEFAULT_KEY_WARNING.to_owned());
        }
        Ok(loaded)
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

    /// Gives the store a new key: `new`, or a random one. Returns the old key's place and the new one's.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn rotate(&mut self, new: Option<Key>) -> Result<(KeySource, KeySource), SettingsError> {
        if self.places.store_id().map_err(|reason| self.unusable(reason))?.is_none() {
            return Err(SettingsError::NoStore(self.places.clone()));
        }
        let _lock = self.write()?;
        let mut slot = self.store.borrow_mut();
        let store = slot.take().ok_or_else(|| SettingsError::NoStore(self.places.clone()))?;
        let old = store.key().source.clone();
        let (new, place) = match (new, &old) {
            (None, KeySource::Environment(_)) => {
                *slot = Some(store);
                return Err(SettingsError::KeptElsewhere(old));
            }
            (Some(new), KeySource::Environment(_)) => {
                let place = new.source.clone();
                (new, place)
            }
            (Some(new), _) => (new, KeySource::File(self.places.key_file())),
            (None, _) => (Key::random(self.places.key_file())?, KeySource::File(self.places.key_file())),
        };
        rotation::rotate(&self.places, store, &new)?;
        Ok((old, place))
    }

    /// Makes a key for a new installation.
    ///
    /// # Errors
    /// [`SettingsError::HasKey`] where there is a key or a store already, and when the file cannot be made.
    pub fn generate_key(places: &Places, variables: &[Variable]) -> Result<(), SettingsError> {
        DataFolder::make(places.store_dir())?;
        let unusable = |reason| StoreError::Unusable { path: places.store.clone(), reason };
        let _lock = Lock::exclusive(&places.lock_file()).map_err(unusable)?;
        if places.store_id().map_err(unusable)?.is_some() {
            let words = format!(
                "there is a settings' store already, {}; `filamentbox config key rotate` makes its key new",
                places.store.display()
            );
            return Err(SettingsError::HasKey(words));
        }
        match Key::find(variables, places)?.map(|key| key.source) {
            None | Some(KeySource::Default) => {}
            Some(source) => return Err(SettingsError::HasKey(format!("there is a key already: {source}"))),
        }
        rotation::tidy(places, None)?;
        place_new_key(places).map(drop)
    }

    /// Where store and key are.
    ///
    /// # Errors
    /// When there is a key that cannot be used, or the folder cannot be looked into.
    pub fn locate(places: &Places, variables: &[Variable]) -> Result<Located, SettingsError> {
        let unusable = |reason| StoreError::Unusable { path: places.store.clone(), reason };
        let _lock = Lock::shared(&places.lock_file()).map_err(unusable)?;
        let is_there = places.store_id().map_err(unusable)?.is_some();
        let (key, opens) = match open_store(places, variables) {
            Ok(Some(store)) => (Some(store.key().clone()), Some(true)),
            Ok(None) => (Key::find(variables, places)?, None),
            Err(SettingsError::Store(_) | SettingsError::NoKey(_)) => {
                (Key::find(variables, places)?, is_there.then_some(false))
            }
            Err(error) => return Err(error),
        };
        Ok(Located { is_raw: key.as_ref().is_some_and(Key::is_raw), key: key.map(|key| key.source), opens })
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
        let lock = Lock::exclusive(&self.places.lock_file()).map_err(|reason| match reason.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::ReadOnly { path: self.places.store.clone() }
            }
            _ => self.unusable(reason),
        })?;
        self.follow()?;
        rotation::tidy(&self.places, self.store.borrow().as_ref())?;
        if self.store.borrow().is_none() {
            let key = match Key::find(&self.variables, &self.places)? {
                Some(key) => key,
                None => place_new_key(&self.places)?,
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
                let opened = open_store(&self.places, &self.variables)?;
                if open.is_some() {
                    info!(path = %self.places.store.display(), "the settings' store was replaced, and is open again");
                }
                *self.store.borrow_mut() = opened;
                Ok(())
            }
        }
    }

    fn check(&self, stored: &[(String, String)]) -> Result<Loaded, SettingsError> {
        let layers = Layers { simulate: self.simulate, variables: self.variables.clone(), stored: stored.to_vec() };
        load(&self.registry, layers).map_err(SettingsError::Refused)
    }

    fn unusable(&self, reason: std::io::Error) -> StoreError {
        StoreError::Unusable { path: self.places.store.clone(), reason }
    }
}

/// Opens the store, if there is one, with the key in force, or with that of a rotation that was broken off.
fn open_store(places: &Places, variables: &[Variable]) -> Result<Option<Store>, SettingsError> {
    let id = places.store_id().map_err(|reason| StoreError::Unusable { path: places.store.clone(), reason })?;
    let Some(id) = id else { return Ok(None) };
    let key = Key::find(variables, places)?;
    if let Some(key) = &key
        && let Some(store) = Store::open(&places.store, id, key)?
    {
        return Ok(Some(store));
    }
    // Half a key, of a rotation that did not come further, is none.
    if let Ok(Some(new)) = Key::read(&places.new_key_file())
        && let Some(store) = Store::open(&places.store, id, &new)?
    {
        return Ok(Some(store));
    }
    Err(match key {
        None => SettingsError::NoKey(places.clone()),
        Some(key) => StoreError::WrongKey { path: places.store.clone(), key: key.source.to_string() }.into(),
    })
}

/// Makes a random key in its place, where there must be none. The caller holds the lock.
fn place_new_key(places: &Places) -> Result<Key, SettingsError> {
    let (new, path) = (places.new_key_file(), places.key_file());
    let key = Key::random(path.clone())?;
    key.write(&new)?;
    files::place(&new, &path).map_err(|reason| KeyError::Unusable { path, reason })?;
    Ok(key)
}

#[cfg(test)]
mod tests;
