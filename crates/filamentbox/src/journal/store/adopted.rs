//! Which batches of another program were taken in. The table is made with the first.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction};

use super::Store;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS adopted (identity BLOB PRIMARY KEY) WITHOUT ROWID";

pub(super) fn insert(transaction: &Transaction<'_>, identities: &[Vec<u8>]) -> rusqlite::Result<()> {
    if identities.is_empty() {
        return Ok(());
    }
    transaction.execute_batch(SCHEMA)?;
    let mut statement = transaction.prepare_cached("INSERT OR IGNORE INTO adopted VALUES (?1)")?;
    identities.iter().try_for_each(|identity| statement.execute([identity]).map(drop))
}

fn is_adopted(connection: &Connection, identity: &[u8]) -> rusqlite::Result<bool> {
    let table = "SELECT 1 FROM sqlite_schema WHERE name = 'adopted'";
    if connection.query_row(table, [], |_| Ok(())).optional()?.is_none() {
        return Ok(false);
    }
    let mut statement = connection.prepare_cached("SELECT 1 FROM adopted WHERE identity = ?1")?;
    Ok(statement.query_row([identity], |_| Ok(())).optional()?.is_some())
}

impl Store {
    /// Whether the batch was taken in.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn is_adopted(&self, identity: &[u8]) -> rusqlite::Result<bool> {
        is_adopted(&self.connection, identity)
    }
}

/// What the journal at `path` says of these batches, without opening it as a journal: no file is made or changed, whoever uses it.
/// Without a readable journal, none was taken in.
pub fn are_adopted(path: &Path, identities: &[Vec<u8>]) -> Vec<bool> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(super::reading::immutable(path), flags).ok();
    let ask = |identity: &Vec<u8>| connection.as_ref().is_some_and(|open| is_adopted(open, identity).unwrap_or(false));
    identities.iter().map(ask).collect()
}
