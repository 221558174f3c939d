//! The encrypted store: a SQLCipher 4 file with the settings that people made, and a line for each change.
//!
//! The table `config` is the original's, so that its tool and others read it. Which key and which file is `sources`' part; how a file
//! comes into being whole is here and in `rotation`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use filamentbox_core::config::Registry;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use zeroize::Zeroizing;

use super::files;
use super::key::Key;
use super::places::{FileId, Places};
use super::rows;
use crate::runtime::clock::wall;
use crate::web::access::settings::to_be_stored;

/// Another program may be changing a setting.
const BUSY: Duration = Duration::from_secs(5);
/// Lines of the audit that are kept.
const AUDIT_MAX: u32 = 10_000;
/// Stands in the audit and the log instead of a secret.
const SECRET: &str = "(secret)";
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS config(key TEXT PRIMARY KEY, value TEXT NOT NULL, value_type TEXT NOT NULL, description TEXT, updated_at REAL NOT NULL);
    CREATE TABLE IF NOT EXISTS audit(id INTEGER PRIMARY KEY, at REAL NOT NULL, who TEXT NOT NULL, key TEXT NOT NULL, old TEXT, new TEXT);";

/// One change of one key.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The dotted key.
    pub key: String,
    /// Its new text; nothing unsets it.
    pub text: Option<String>,
}

/// A line of the audit. Secrets are not in it.
#[derive(Clone, PartialEq, Debug)]
pub struct Audited {
    /// When, in Unix seconds.
    pub at: f64,
    /// Who.
    pub who: String,
    /// The dotted key.
    pub key: String,
    /// The text before; nothing where it was not set.
    pub old: Option<String>,
    /// The text after; nothing where it was unset.
    pub new: Option<String>,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is no store under this key.
    #[error("the settings' store {} does not open with the key from {key}: it was made with another key, or its beginning is damaged; give the right key, or put store and key back from a backup; nothing was changed", path.display())]
    WrongKey {
        /// The file.
        path: PathBuf,
        /// Where the key came from.
        key: String,
    },
    /// It is there and is not what was written.
    #[error("the settings' store {} is damaged ({what}); put it back from a backup, or move it away to begin with the defaults; nothing was changed", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// It opens, but holds something else.
    #[error("{} has no table `config`, so it is not a store of settings; give another file with --config-db", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It can be read, but not changed.
    #[error("the settings' store {} cannot be changed: no permission to write there, or the disk is read-only; run this as its owner (`sudo`)", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be reached.
    #[error("the settings' store {} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// It does not hold what was expected: another process has changed it.
    #[error("the settings were changed by another program meanwhile; nothing was saved")]
    ChangedMeanwhile,
    /// Anything else.
    #[error("the settings' store {}: {reason}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: rusqlite::Error,
    },
}

impl StoreError {
    pub(super) fn of(path: &Path, reason: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match reason.sqlite_error_code() {
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, what: reason.to_string() }
            }
            _ => Self::Failed { path, reason },
        }
    }
}

/// The open store.
pub struct Store {
    path: PathBuf,
    id: FileId,
    key: Key,
    literal: Zeroizing<String>,
    connection: Connection,
}

impl Store {
    /// Opens the file, which must be there; nothing when it is another key's.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is changed then.
    pub(super) fn open(path: &Path, id: FileId, key: &Key) -> Result<Option<Self>, StoreError> {
        let failed = |reason| StoreError::of(path, reason);
        let unusable = |reason| StoreError::Unusable { path: path.to_owned(), reason };
        rustix::fs::access(path, rustix::fs::Access::READ_OK).map_err(|reason| unusable(reason.into()))?;
        if std::fs::metadata(path).map_err(unusable)?.len() == 0 {
            // SQLite would take it for a new one, and every setting for unset.
            return Err(StoreError::Damaged { path: path.to_owned(), what: "it is empty".to_owned() });
        }
        for literal in key.literals() {
            let connection = connect(path, &literal).map_err(failed)?;
            let tables = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'config'";
            match connection.query_row(tables, [], |row| row.get::<_, i64>(0)) {
                Ok(0) => return Err(StoreError::Foreign { path: path.to_owned() }),
                Ok(_) => {
                    // Another program may have left it with a write-ahead log, which does not go well with read-only disks and copies.
                    // While others have it open this fails, and does no harm.
                    drop(connection.pragma_update(None, "journal_mode", "DELETE"));
                    // A change that was promised survives a power cut.
                    connection.pragma_update(None, "synchronous", "EXTRA").map_err(failed)?;
                    return Ok(Some(Self { path: path.to_owned(), id, key: key.clone(), literal, connection }));
                }
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(None)
    }

    /// Makes an empty store. No other process sees it before it is whole; the caller holds the lock.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn create(places: &Places, key: &Key) -> Result<(), StoreError> {
        let (new, path) = (places.new_store(), &places.store);
        let unusable = |reason| StoreError::Unusable { path: path.clone(), reason };
        // What belonged to a store that is no longer there would be rolled back into this one.
        files::remove(&Places::journal_of(path)).map_err(unusable)?;
        let file = files::create(&new).map_err(unusable)?;
        let made = connect(&new, &key.literals()[0]).and_then(|connection| {
            // One commit, and nothing to roll back: a crash before the name is given leaves nothing that counts.
            connection.execute_batch(&format!("PRAGMA journal_mode = MEMORY; BEGIN;{SCHEMA} COMMIT;"))?;
            connection.close().map_err(|(_, error)| error)
        });
        made.map_err(|reason| StoreError::of(path, reason))?;
        file.sync_all().and_then(|()| files::place(&new, path)).map_err(unusable)
    }

    /// Which file this is.
    pub(super) fn id(&self) -> FileId {
        self.id
    }

    /// The key that opened it.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The form in which the key opened it.
    pub(super) fn literal(&self) -> &str {
        &self.literal
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Reads every page and compares it with its checksum.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let damaged = |what: String| StoreError::Damaged { path: self.path.clone(), what };
        for (pragma, is_fine) in [("cipher_integrity_check", ""), ("quick_check(1)", "ok")] {
            let mut statement =
                self.connection.prepare(&format!("PRAGMA {pragma}")).map_err(|e| damaged(e.to_string()))?;
            let mut rows = statement.query([]).map_err(|error| damaged(error.to_string()))?;
            while let Some(row) = rows.next().map_err(|error| damaged(error.to_string()))? {
                let found: String = row.get(0).map_err(|error| damaged(error.to_string()))?;
                if found != is_fine {
                    return Err(damaged(found));
                }
            }
        }
        Ok(())
    }

    /// Every stored key with its text, by key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn values(&self) -> Result<Vec<(String, String)>, StoreError> {
        let rows = read(&self.connection).map_err(|reason| self.failed(reason))?;
        Ok(rows::settings(&rows))
    }

    /// Makes `changes`, all or none, once `check` has accepted the values that result. No other program changes the store meanwhile.
    ///
    /// # Errors
    /// `check`'s, or the store's; nothing is changed then.
    pub fn change<T, E: From<StoreError>>(
        &mut self,
        registry: &Registry,
        changes: &[Change],
        who: &str,
        check: impl FnOnce(&[(String, String)]) -> Result<T, E>,
    ) -> Result<T, E> {
        self.change_from(registry, None, changes, who, check)
    }

    /// Like [`Self::change`], but only if the store holds the values `expected`, where they are given.
    ///
    /// # Errors
    /// [`StoreError::ChangedMeanwhile`], `check`'s, or the store's; nothing is changed then.
    pub fn change_from<T, E: From<StoreError>>(
        &mut self,
        registry: &Registry,
        expected: Option<&[(String, String)]>,
        changes: &[Change],
        who: &str,
        check: impl FnOnce(&[(String, String)]) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = self.path.clone();
        let failed = |reason| E::from(StoreError::of(&path, reason));
        // The password is never in the store, only its hash.
        let changes: Vec<Change> = changes
            .iter()
            .map(to_be_stored)
            .collect::<Result<_, _>>()
            .map_err(|problem| StoreError::Unusable { path: path.clone(), reason: std::io::Error::other(problem) })?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        if let Some(expected) = expected
            && rows::settings(&read(&transaction).map_err(failed)?) != expected
        {
            return Err(StoreError::ChangedMeanwhile.into());
        }
        let at = wall().map_or(0.0, |wall| wall.millis() as f64 / 1e3);
        let mut lines = Vec::new();
        for change in &changes {
            lines.extend(apply(&transaction, registry, change, who, at).map_err(failed)?);
        }
        let checked = check(&rows::settings(&read(&transaction).map_err(failed)?))?;
        if lines.is_empty() {
            return Ok(checked);
        }
        write_audit(&transaction, &lines).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(checked)
    }

    /// The newest `limit` changes, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn audit(&self, limit: u32) -> Result<Vec<Audited>, StoreError> {
        read_audit(&self.connection, limit).map_err(|reason| self.failed(reason))
    }

    /// Who changed `key` last, by the audit.
    pub fn last_changed_by(&self, key: &str) -> Option<String> {
        let last = "SELECT who FROM audit WHERE key = ?1 ORDER BY id DESC LIMIT 1";
        self.connection.query_row(last, [key], |row| row.get(0)).ok()
    }

    /// What went wrong: often a damaged page, of which SQLite says little.
    pub(super) fn failed(&self, reason: rusqlite::Error) -> StoreError {
        match StoreError::of(&self.path, reason) {
            StoreError::Failed { path, reason } => self.check().err().unwrap_or(StoreError::Failed { path, reason }),
            known => known,
        }
    }
}

/// A connection to an existing file, under a key that is not tried yet.
pub(super) fn connect(path: &Path, literal: &str) -> rusqlite::Result<Connection> {
    // SQLite opens it for reading only where writing is not allowed.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // SQLCipher would write about a wrong key on stderr; the caller does.
    connection.execute_batch("PRAGMA cipher_log_level = NONE;")?;
    connection.execute_batch(&Zeroizing::new(format!("PRAGMA key = {literal};")))?;
    Ok(connection)
}

fn read(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM config ORDER BY key")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Makes one change; returns its line, or nothing when all is as it was.
fn apply(
    transaction: &Transaction<'_>,
    registry: &Registry,
    Change { key, text }: &Change,
    who: &str,
    at: f64,
) -> rusqlite::Result<Option<Audited>> {
    // A name in an object cannot be changed alone: the object becomes a row a name.
    for (object, json) in read(transaction)?.into_iter().filter(|(row, _)| is_within(key, row)) {
        let Some(members) = rows::members(&object, &json) else { continue };
        transaction.execute("DELETE FROM config WHERE key = ?1", [&object])?;
        for (name, text) in members {
            write(transaction, registry, &name, &text, at, "DO NOTHING")?;
        }
    }
    let rows = read(transaction)?;
    let old = rows::settings(&rows).into_iter().find(|(known, _)| known == key).map(|(_, text)| text);
    match text {
        Some(text) => write(
            transaction,
            registry,
            key,
            text,
            at,
            "DO UPDATE SET value = excluded.value, value_type = excluded.value_type, updated_at = excluded.updated_at",
        )?,
        None => drop(transaction.execute("DELETE FROM config WHERE key = ?1", [key])?),
    }
    let new = rows::settings(&read(transaction)?).into_iter().find(|(known, _)| known == key).map(|(_, text)| text);
    if old == new {
        return Ok(None);
    }
    let is_secret = registry.find(key).is_none_or(|spec| spec.is_secret());
    let shown = |text: Option<String>| text.map(|text| if is_secret { SECRET.to_owned() } else { text });
    Ok(Some(Audited { at, who: who.to_owned(), key: key.clone(), old: shown(old), new: shown(new) }))
}

fn is_within(key: &str, object: &str) -> bool {
    key.strip_prefix(object).is_some_and(|rest| rest.starts_with('.'))
}

fn write(
    transaction: &Transaction<'_>,
    registry: &Registry,
    key: &str,
    text: &str,
    at: f64,
    on_conflict: &str,
) -> rusqlite::Result<()> {
    let (value, value_type) = rows::encoded(registry, key, text);
    let statement = format!(
        "INSERT INTO config(key, value, value_type, updated_at) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(key) {on_conflict}"
    );
    transaction.execute(&statement, (key, value, value_type, at)).map(drop)
}

fn write_audit(transaction: &Transaction<'_>, lines: &[Audited]) -> rusqlite::Result<()> {
    // A store of the original has none.
    transaction.execute_batch(SCHEMA)?;
    for Audited { at, who, key, old, new } in lines {
        let statement = "INSERT INTO audit(at, who, key, old, new) VALUES(?1, ?2, ?3, ?4, ?5)";
        transaction.execute(statement, (at, who, key, old, new))?;
    }
    let too_old = "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1";
    transaction.execute(too_old, [AUDIT_MAX]).map(drop)
}

fn read_audit(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<Audited>> {
    if !connection.table_exists(None, "audit")? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT at, who, key, old, new FROM audit ORDER BY id DESC LIMIT ?1")?;
    let lines = statement.query_map([limit], |row| {
        Ok(Audited { at: row.get(0)?, who: row.get(1)?, key: row.get(2)?, old: row.get(3)?, new: row.get(4)? })
    })?;
    lines.collect()
}
