//! A new key for the store, so that a kill or a power cut at any moment leaves a store and its key.
//!
//! 1. The new key is written to `.config_key.new`.
//! 2. A copy of the store under the new key is made, and checked: `config.db.new`.
//! 3. The copy takes the store's name: from here on the new key counts.
//! 4. `.config_key.new` becomes `.config_key`, or goes to Vault.
//!
//! Who opens the store tries the key in force, then `.config_key.new`: one of them is right. The fourth step is not done here but by
//! `Sources::settle`, which everyone does who opens the store for writing: so the next one takes up where a rotation was broken off.
//! The caller holds the lock throughout.

use std::fs::File;
use std::io;
use std::path::Path;

use rusqlite::Connection;
use zeroize::Zeroizing;

use super::files;
use super::key::{Key, KeySource};
use super::places::Places;
use super::sources::SettingsError;
use super::store::{Store, StoreError, connect};

/// Removes the copy that a rotation did not finish, or a store that was not made whole.
///
/// # Errors
/// When a file cannot be removed.
pub(super) fn remove_copy(places: &Places) -> Result<(), StoreError> {
    let new = places.new_store();
    let removed = files::remove(&new).and_then(|()| files::remove(&Places::journal_of(&new)));
    removed.map_err(|reason| StoreError::Unusable { path: places.store.clone(), reason })
}

/// Makes `new` the store's key, up to the third step. `store` is closed; it counts no longer.
///
/// # Errors
/// When a step fails: then the old key counts.
pub(super) fn rotate(places: &Places, store: Store, new: &Key) -> Result<(), SettingsError> {
    // The environment's new key is kept where the person keeps it.
    if !matches!(store.key().source, KeySource::Environment(_)) {
        new.write(&places.new_key_file())?;
    }
    let target = std::fs::canonicalize(&places.store);
    let target = target.map_err(|reason| StoreError::Unusable { path: places.store.clone(), reason })?;
    Ok(replace_store(places, store, &target, new)?)
}

fn replace_store(places: &Places, store: Store, target: &Path, new: &Key) -> Result<(), StoreError> {
    let path = store.path().to_owned();
    let failed = |reason| StoreError::of(&path, reason);
    let unusable = |reason| StoreError::Unusable { path: path.clone(), reason };
    // Nobody else changes it, and there is no journal of it that could be taken for the copy's.
    store.connection().execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE;").map_err(failed)?;
    store.check()?;
    let original = File::open(&path).map_err(unusable)?;
    let copy = places.new_store();
    copy_to(&original, &copy).map_err(unusable)?;
    rekey(&copy, store.literal(), &new.literals()[0]).map_err(failed)?;
    check(&store, &copy, new)?;
    File::open(&copy).and_then(|copy| copy.sync_all()).map_err(unusable)?;
    files::replace(&copy, target).map_err(unusable)?;
    drop(store);
    // Closing it earlier would have ended SQLite's lock, which is the process's and not the file's.
    drop(original);
    Ok(())
}

fn copy_to(mut original: &File, copy: &Path) -> io::Result<()> {
    let mut file = files::create(copy)?;
    io::copy(&mut original, &mut file).map(drop)
}

fn rekey(copy: &Path, old: &str, new: &str) -> rusqlite::Result<()> {
    let connection = connect(copy, old)?;
    // A copy that is broken off counts for nothing: it needs no journal on the disk.
    connection.execute_batch("PRAGMA journal_mode = MEMORY;")?;
    connection.execute_batch(&Zeroizing::new(format!("PRAGMA rekey = {new};")))?;
    connection.close().map_err(|(_, error)| error)
}

/// Whether the copy opens with the new key, is sound, and holds the same.
fn check(store: &Store, copy: &Path, new: &Key) -> Result<(), StoreError> {
    let wrong = |what: &str| StoreError::Damaged { path: copy.to_owned(), what: what.to_owned() };
    let copied = Store::open(copy, store.id(), new)?.ok_or_else(|| wrong("it does not open with the new key"))?;
    copied.check()?;
    let is_same = rows(store.connection()).and_then(|old| Ok(old == rows(copied.connection())?));
    if is_same.map_err(|reason| StoreError::of(copy, reason))? { Ok(()) } else { Err(wrong("it holds something else")) }
}

/// Everything that people put in.
fn rows(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare("SELECT key, value FROM config ORDER BY key")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
