//! The file, opened to be read and nothing else.

use std::ops::{ControlFlow, Range};
use std::path::Path;

use filamentbox_core::sample::Point;
use filamentbox_core::time::UnixTime;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{Block, OLDEST_VERSION, SCHEMA_VERSION, mark, uint, unavailable, unstamped};
use crate::journal::OpenError;
use crate::journal::codec::Damaged;

/// A connection that cannot write.
pub(in crate::journal) struct Reading {
    connection: Connection,
    /// Which blocks can be read, in SQL.
    stamped: &'static str,
}

impl Reading {
    /// Opens a file that is there.
    ///
    /// # Errors
    /// It is not there, not readable, or not a journal of this version.
    pub(in crate::journal) fn open(path: &Path) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags)
            .and_then(|connection| version(&connection).map(|v| (connection, v)));
        let (connection, version) = match opened {
            Ok(opened) => opened,
            // A file in write-ahead mode, in a folder that we may not write to: without a log beside it, it is whole as it is.
            Err(_) if path.is_file() && !has_log(path) => {
                let flags = flags | OpenFlags::SQLITE_OPEN_URI;
                Connection::open_with_flags(immutable(path), flags)
                    .and_then(|connection| version(&connection).map(|v| (connection, v)))
                    .map_err(|error| unavailable(path, &error))?
            }
            Err(error) => return Err(unavailable(path, &error)),
        };
        match version {
            OLDEST_VERSION..=SCHEMA_VERSION => {
                let is_there = unstamped::exists(&connection).map_err(|error| unavailable(path, &error))?;
                Ok(Self { connection, stamped: if is_there { unstamped::STAMPED } else { "true" } })
            }
            newer if newer > SCHEMA_VERSION => Err(OpenError::NewerSchema { path: path.to_owned(), found: newer }),
            _ => Err(OpenError::Foreign { path: path.to_owned() }),
        }
    }

    /// The blocks that may hold points of `range`, in the order of the sequence, until `each` has enough.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn blocks(
        &self,
        range: &Range<UnixTime>,
        mut each: impl FnMut(Result<Vec<Point>, Damaged>) -> ControlFlow<()>,
    ) -> rusqlite::Result<()> {
        let select = format!(
            "SELECT first_seq, count, data FROM block WHERE last_ms >= ?1 AND first_ms < ?2 AND {} ORDER BY first_seq",
            self.stamped
        );
        let mut statement = self.connection.prepare(&select)?;
        let mut rows = statement.query(params![range.start.millis(), range.end.millis()])?;
        while let Some(row) = rows.next()? {
            if each(Block::from_row(row)?.points).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The time of the newest sealed sample.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn newest(&self) -> rusqlite::Result<Option<UnixTime>> {
        let newest = format!("SELECT max(last_ms) FROM block WHERE {}", self.stamped);
        let newest: Option<i64> = self.connection.query_row(&newest, [], |row| row.get(0))?;
        Ok(newest.map(UnixTime::from_millis))
    }

    /// The journal's id, and the number after the newest sealed sample.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn id_and_end(&self) -> rusqlite::Result<(u64, u64)> {
        let id: Option<i64> = self
            .connection
            .query_row("SELECT value FROM state WHERE name = ?1", [mark::JOURNAL_ID], |row| row.get(0))
            .optional()?;
        let end =
            self.connection.query_row("SELECT coalesce(max(first_seq + count), 0) FROM block", [], |row| row.get(0))?;
        Ok((id.unwrap_or(0).cast_unsigned(), uint(end)))
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

/// As a URI, which is the only way to say that nobody changes the file.
pub(super) fn immutable(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(byte);
    let escaped: String = bytes
        .iter()
        .map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") })
        .collect();
    format!("file:{escaped}?immutable=1")
}
