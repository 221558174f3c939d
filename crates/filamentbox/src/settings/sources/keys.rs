//! The store's key: which one is in force, a first one, a new one.

use super::super::files;
use super::super::key::{Key, KeyError, KeySource};
use super::super::lock::Lock;
use super::super::places::Places;
use super::super::rotation;
use super::super::vault::{VaultError, VaultLayer};
use super::{Access, DataFolder, SettingsError, Sources, Variable};

/// Where the store and the key in force are; never the key.
pub struct Located {
    /// The key's place; nothing where there is none yet.
    pub key: Option<KeySource>,
    /// Whether the key is taken as it is, and not derived from a passphrase.
    pub is_raw: bool,
    /// Whether the store is there, and then whether it opens with the key.
    pub opens: Option<bool>,
}

impl Sources {
    /// Gives the store a new key: `new`, or a random one. Returns the old key's place and the new one's.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn rotate(&mut self, new: Option<Key>) -> Result<(KeySource, KeySource), SettingsError> {
        if self.places.store_id().map_err(|reason| self.unusable(reason))?.is_none() {
            return Err(SettingsError::NoStore(self.places.clone()));
        }
        let _lock = self.write()?;
        // A new key that could not be put into Vault yet would be in the way.
        self.settle()?;
        let no_store = || SettingsError::NoStore(self.places.clone());
        let old = self.find_key(true)?.ok_or_else(no_store)?.source;
        let (new, place) = match (new, &old) {
            (None, KeySource::Environment(_)) => return Err(SettingsError::KeptElsewhere(old)),
            (Some(new), KeySource::Environment(_)) => {
                let place = new.source.clone();
                (new, place)
            }
            (new, _) => {
                let path = self.places.key_file();
                let place = if old == KeySource::Vault { old.clone() } else { KeySource::File(path.clone()) };
                (new.map_or_else(|| Key::random(path), Ok)?, place)
            }
        };
        let store = self.store.borrow_mut().take().ok_or_else(no_store)?;
        let rotated = rotation::rotate(&self.places, store, &new);
        if rotated.is_err() {
            drop(self.follow().and_then(|()| self.settle()));
        }
        rotated?;
        if !matches!(old, KeySource::Environment(_)) {
            self.follow()?;
            self.settle()?;
        }
        Ok((old, place))
    }

    /// Makes a key for a new installation, in Vault where that is named, else in the file; returns its place.
    ///
    /// # Errors
    /// [`SettingsError::HasKey`] where there is a key or a store already, and when it cannot be made.
    pub fn generate_key(places: Places, variables: Vec<Variable>) -> Result<KeySource, SettingsError> {
        DataFolder::make(places.store_dir())?;
        let sources = Self::closed(places, Access::Existing, false, variables)?;
        let _lock = Lock::exclusive(&sources.places.lock_file()).map_err(|reason| sources.unusable(reason))?;
        let is_there = sources.places.store_id().map_err(|reason| sources.unusable(reason))?.is_some();
        if is_there {
            let words = format!(
                "there is a settings' store already, {}; `filamentbox config key rotate` makes its key new",
                sources.places.store.display()
            );
            return Err(SettingsError::HasKey(words));
        }
        match sources.find_key(is_there)?.map(|key| key.source) {
            None | Some(KeySource::Default) => {}
            Some(source) => return Err(SettingsError::HasKey(format!("there is a key already, in {source}"))),
        }
        sources.settle()?;
        sources.make_key().map(|key| key.source)
    }

    /// Where store and key are.
    ///
    /// # Errors
    /// When there is a key that cannot be used, or the folder cannot be looked into.
    pub fn locate(places: Places, variables: Vec<Variable>) -> Result<Located, SettingsError> {
        let sources = Self::closed(places, Access::Existing, false, variables)?;
        let _lock = Lock::shared(&sources.places.lock_file()).map_err(|reason| sources.unusable(reason))?;
        let is_there = sources.places.store_id().map_err(|reason| sources.unusable(reason))?.is_some();
        let (key, opens) = match sources.open_store() {
            Ok(Some(store)) => (Some(store.key().clone()), Some(true)),
            Ok(None) => (sources.find_key(is_there)?, None),
            Err(SettingsError::Store(_) | SettingsError::NoKey(_)) => {
                (sources.find_key(is_there)?, is_there.then_some(false))
            }
            Err(error) => return Err(error),
        };
        Ok(Located { is_raw: key.as_ref().is_some_and(Key::is_raw), key: key.map(|key| key.source), opens })
    }

    /// The key in force, if there is one: the environment's, else Vault's, else the file's, else, where it is allowed, the published one.
    pub(super) fn find_key(&self, is_there: bool) -> Result<Option<Key>, SettingsError> {
        if let Some(key) = Key::of_environment(&self.variables)? {
            return Ok(Some(key));
        }
        let file = self.places.key_file();
        if let Some(vault) = self.vault.borrow_mut().as_mut() {
            match vault.key() {
                Ok(Some(key)) => return Ok(Some(Key::of_vault(key))),
                Ok(None) => {}
                // A new store under the file's key would not open with the one that Vault may have.
                Err(problem) if !is_there => return Err(problem.into()),
                Err(problem) => {
                    let Some(key) = Key::read(&file)? else { return Err(problem.into()) };
                    if problem != VaultError::NotAsked {
                        vault.notice(format!("{problem}; the key is the one in {}", file.display()));
                    }
                    return Ok(Some(key));
                }
            }
        }
        Ok(Key::read(&file)?.or_else(|| Key::default(&self.variables)))
    }

    /// Makes a random key where there must be none: in Vault, where that is named, else in the file. The caller holds the lock.
    pub(super) fn make_key(&self) -> Result<Key, SettingsError> {
        let path = self.places.key_file();
        let key = Key::random(path.clone())?;
        if let Some(vault) = self.vault.borrow_mut().as_mut() {
            return Ok(Key::of_vault(vault.make_key(&key.secret())?));
        }
        let new = self.places.new_key_file();
        key.write(&new)?;
        files::place(&new, &path).map_err(|reason| KeyError::Unusable { path, reason })?;
        Ok(key)
    }

    /// Finishes or takes back what was broken off, so that only the store and its key are left. The caller holds the lock for writing.
    ///
    /// A key is removed only where another one is known to open the store.
    pub(super) fn settle(&self) -> Result<(), SettingsError> {
        rotation::remove_copy(&self.places)?;
        let (new, path) = (self.places.new_key_file(), self.places.key_file());
        let unusable = |reason| KeyError::Unusable { path: new.clone(), reason };
        let pending = match Key::read(&new) {
            Ok(None) => return Ok(()),
            Ok(pending) => pending,
            // Half a key, of a rotation that did not come further.
            Err(KeyError::NoKey { .. }) => None,
            Err(problem) => return Err(problem.into()),
        };
        let store = self.store.borrow();
        let Some(store) = store.as_ref() else { return Ok(files::remove(&new).map_err(unusable)?) };
        let opens = |key: &Option<Key>| key.as_ref().is_some_and(|key| key.reveal() == store.key().reveal());
        // Not by the place from which the store's key was read: another process may have finished that rotation, and begun the next.
        if !opens(&pending) {
            if !opens(&self.find_key(true)?) {
                return Err(SettingsError::NoKey(self.places.clone()));
            }
            return Ok(files::remove(&new).map_err(unusable)?);
        }
        let mut vault = self.vault.borrow_mut();
        // Only Vault itself can say whether the key is there.
        let is_in_vault = vault.as_mut().map_or(Ok(None), VaultLayer::key)?.is_some();
        match vault.as_mut().filter(|_| is_in_vault) {
            Some(vault) => {
                vault.replace_key(&store.key().secret())?;
                files::remove(&new).map_err(unusable)?;
            }
            None => files::replace(&new, &path).map_err(unusable)?,
        }
        Ok(())
    }
}
