//! The encrypted store: a SQLCipher 4 file with the settings that people made, and a line for each change.
//!
//! The table `config` is the original's: a JSON value a key, so that other software reads it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::key::Key;
use crate::runtime::clock::wall;

/// Another process may be changing a setting.
const BUSY: Duration = Duration::from_secs(5);
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

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is no store under this key.
    #[error("{} cannot be opened with this key: it is another key's, or the file is damaged", path.display())]
    WrongKey {
        /// The file.
        path: PathBuf,
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

/// The open store.
pub struct Store {
    path: PathBuf,
    connection: Connection,
}

impl Store {
    /// Opens the file; makes it when `create` says so.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is changed then.
    pub fn open(path: &Path, key: &Key, create: bool) -> Result<Self, StoreError> {
        let failed = |reason| StoreError::Failed { path: path.to_owned(), reason };
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
        for literal in key.literals() {
            let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
            connection.busy_timeout(BUSY).map_err(failed)?;
            // SQLCipher would tell stderr of a wrong key, at once and in its own words.
            connection.execute_batch("PRAGMA cipher_log_level = NONE;").map_err(failed)?;
            connection.execute_batch(&format!("PRAGMA key = {};", *literal)).map_err(failed)?;
            match connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0)) {
                Ok(_) => {
                    connection.execute_batch(SCHEMA).map_err(failed)?;
                    return Ok(Self { path: path.to_owned(), connection });
                }
                Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(StoreError::WrongKey { path: path.to_owned() })
    }

    /// Every stored key with its text, by key.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub fn values(&self) -> Result<Vec<(String, String)>, StoreError> {
        values(&self.connection).map_err(|reason| self.failed(reason))
    }

    /// Makes `changes`, all or none, once `check` has accepted the values that result. No other process changes the store meanwhile.
    ///
    /// # Errors
    /// `check`'s, or the store's; nothing is changed then.
    pub fn change<T, E: From<StoreError>>(
        &mut self,
        changes: &[Change],
        who: &str,
        check: impl FnOnce(&[(String, String)]) -> Result<T, E>,
    ) -> Result<T, E> {
        self.change_from(None, changes, who, check)
    }

    /// Like [`Self::change`], but only if the store holds the values `expected`, where they are given.
    ///
    /// # Errors
    /// [`StoreError::ChangedMeanwhile`], `check`'s, or the store's; nothing is changed then.
    pub fn change_from<T, E: From<StoreError>>(
        &mut self,
        expected: Option<&[(String, String)]>,
        changes: &[Change],
        who: &str,
        check: impl FnOnce(&[(String, String)]) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = self.path.clone();
        let failed = |reason| E::from(StoreError::Failed { path: path.clone(), reason });
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        if let Some(expected) = expected
            && values(&transaction).map_err(&failed)? != expected
        {
            return Err(StoreError::ChangedMeanwhile.into());
        }
        let at = wall().map_or(0.0, |wall| wall.millis() as f64 / 1e3);
        for Change { key, text } in changes {
            let old: Option<String> =
                transaction.query_row("SELECT value FROM config WHERE key = ?1", [key], |row| row.get(0)).ok();
            let new = text.as_ref().map(|text| serde_json::Value::from(text.as_str()).to_string());
            match &new {
                Some(value) => transaction.execute(
                    "INSERT INTO config(key, value, value_type, updated_at) VALUES(?1, ?2, 'str', ?3)
                     ON CONFLICT(key) DO UPDATE SET value = excluded.value, value_type = excluded.value_type, updated_at = excluded.updated_at",
                    (key, value, at),
                ),
                None => transaction.execute("DELETE FROM config WHERE key = ?1", [key]),
            }
            .map_err(&failed)?;
            let audit = "INSERT INTO audit(at, who, key, old, new) VALUES(?1, ?2, ?3, ?4, ?5)";
            transaction.execute(audit, (at, who, key, old, new)).map_err(&failed)?;
        }
        let checked = check(&values(&transaction).map_err(&failed)?)?;
        transaction.commit().map_err(&failed)?;
        Ok(checked)
    }

    fn failed(&self, reason: rusqlite::Error) -> StoreError {
        StoreError::Failed { path: self.path.clone(), reason }
    }
}

fn values(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM config ORDER BY key")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| row.map(|(key, json)| (key, text(&json)))).collect()
}

/// A JSON text's content; anything else as it is written.
fn text(json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(serde_json::Value::String(text)) => text,
        _ => json.to_owned(),
    }
}
