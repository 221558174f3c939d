//! The original's databases, opened without changing a byte of them or a file beside them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::Unreadable;

/// The original may be writing.
const BUSY: Duration = Duration::from_secs(5);

/// An open database of the original's.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// Where the copy is; it goes with this value.
    _copy: Option<TempDir>,
}

/// Opens `path` to be read. `key` is SQL for `PRAGMA key`.
///
/// # Errors
/// It cannot be read at all. Whether it is a database under this key shows with the first question.
pub(super) fn open(path: &Path, key: Option<&str>) -> Result<Opened, Unreadable> {
    let failed = |error: &dyn std::fmt::Display| Unreadable(format!("it cannot be read: {error}"));
    let logs = ["-journal", "-wal"].map(|extension| beside(path, extension));
    let (target, copy) = if logs.iter().any(|log| log.exists()) {
        // It was not closed, or is in use: bringing it into order would write beside it.
        let folder = TempDir::new().map_err(|error| failed(&error))?;
        let target = folder.path().join("copy.db");
        std::fs::copy(path, &target).map_err(|error| failed(&error))?;
        for (log, extension) in logs.iter().zip(["-journal", "-wal"]).filter(|(log, _)| log.exists()) {
            std::fs::copy(log, beside(&target, extension)).map_err(|error| failed(&error))?;
        }
        (target, Some(folder))
    } else {
        (path.to_owned(), None)
    };
    let flags = if copy.is_some() { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let connection = Connection::open_with_flags(target, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let connection = connection.map_err(|error| failed(&error))?;
    connection.busy_timeout(BUSY).map_err(|error| failed(&error))?;
    if let Some(key) = key {
        connection.execute_batch(&format!("PRAGMA key = {key};")).map_err(|error| failed(&error))?;
    }
    Ok(Opened { connection, _copy: copy })
}

/// The tables of a plain database.
pub(super) fn tables(path: &Path) -> Result<Vec<String>, Unreadable> {
    let opened = open(path, None)?;
    let names = || {
        let mut statement = opened.connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
    };
    names().map_err(|error| Unreadable(format!("it is a damaged database: {error}")))
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(extension);
    PathBuf::from(name)
}
