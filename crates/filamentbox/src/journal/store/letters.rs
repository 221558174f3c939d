//! The table of dead letters: points that a server refuses for good, with its reason, until a person decides.

use filamentbox_core::sample::Point;
use filamentbox_core::time::UnixTime;
use rusqlite::{Row, Transaction, params};

use super::{Store, int, uint};
use crate::journal::codec;

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS dead_letter (
        id INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, point BLOB NOT NULL, reason TEXT NOT NULL,
        refused_ms INTEGER, again INTEGER NOT NULL);
";

/// A dead letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// Its number, for commands.
    pub id: u64,
    /// The backend that refused it.
    pub sink: String,
    /// The point.
    pub point: Point,
    /// What the server said.
    pub reason: String,
    /// When, if the wall clock was known.
    pub refused_at: Option<UnixTime>,
    /// A person wants it to be sent again.
    pub again: bool,
}

/// A dead letter that is not in the table yet.
#[derive(Clone, Debug)]
pub(in crate::journal) struct NewLetter {
    pub(in crate::journal) sink: String,
    pub(in crate::journal) point: Point,
    pub(in crate::journal) reason: String,
    pub(in crate::journal) refused_at: Option<UnixTime>,
}

impl NewLetter {
    pub(super) fn insert(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut statement = transaction.prepare_cached(
            "INSERT INTO dead_letter (sink, point, reason, refused_ms, again) VALUES (?, ?, ?, ?, 0)",
        )?;
        let point = codec::encode(0, std::slice::from_ref(&self.point));
        let refused_ms = self.refused_at.map(UnixTime::millis);
        statement.execute(params![self.sink, point, self.reason, refused_ms]).map(drop)
    }
}

/// Which dead letters.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Chosen {
    /// Those of one backend; `None` for all.
    pub sink: Option<String>,
    /// The one with this number; `None` for all.
    pub id: Option<u64>,
}

const CHOSEN: &str = "(?1 IS NULL OR sink = ?1) AND (?2 IS NULL OR id = ?2)";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Option<Letter>> {
    let point =
        codec::decode(0, row.get_ref(2)?.as_blob().unwrap_or_default()).ok().and_then(|mut points| points.pop());
    let Some(point) = point else { return Ok(None) };
    Ok(Some(Letter {
        id: uint(row.get(0)?),
        sink: row.get(1)?,
        point,
        reason: row.get(3)?,
        refused_at: row.get::<_, Option<i64>>(4)?.map(UnixTime::from_millis),
        again: row.get(5)?,
    }))
}

impl Store {
    /// Dead letters, oldest first, `limit` at most; with `again`, only those that are to be sent again. A damaged one is left out.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn letters(
        &self,
        chosen: &Chosen,
        again: bool,
        limit: u64,
    ) -> rusqlite::Result<Vec<Letter>> {
        let sql = format!(
            "SELECT id, sink, point, reason, refused_ms, again FROM dead_letter WHERE {CHOSEN} AND again >= ?3
             ORDER BY id LIMIT ?4"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![chosen.sink, chosen.id.map(int), again, int(limit)], from_row)?;
        rows.filter_map(Result::transpose).collect()
    }

    /// How many there are.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn letter_count(&self) -> rusqlite::Result<u64> {
        self.connection.prepare_cached("SELECT count(*) FROM dead_letter")?.query_row([], |row| row.get(0).map(uint))
    }

    /// The backends of the oldest `count` dead letters, and the number of the last of them.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn oldest_letters(&self, count: u64) -> rusqlite::Result<Vec<(u64, String)>> {
        let mut statement = self.connection.prepare_cached("SELECT id, sink FROM dead_letter ORDER BY id LIMIT ?1")?;
        statement.query_map([int(count)], |row| Ok((uint(row.get(0)?), row.get(1)?)))?.collect()
    }

    /// The backends with dead letters that are to be sent again.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn sinks_to_send_again(&self) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.connection.prepare("SELECT DISTINCT sink FROM dead_letter WHERE again = 1")?;
        statement.query_map([], |row| row.get(0))?.collect()
    }

    /// Marks dead letters as to be sent again. Says how many.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn send_letters_again(&mut self, chosen: &Chosen) -> rusqlite::Result<u64> {
        let sql = format!("UPDATE dead_letter SET again = 1 WHERE {CHOSEN}");
        Ok(self.connection.execute(&sql, params![chosen.sink, chosen.id.map(int)])? as u64)
    }

    /// The backends of the chosen dead letters, one entry a letter, with the numbers.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn chosen_letters(&self, chosen: &Chosen) -> rusqlite::Result<Vec<(u64, String)>> {
        let mut statement = self.connection.prepare(&format!("SELECT id, sink FROM dead_letter WHERE {CHOSEN}"))?;
        let row = |row: &Row<'_>| Ok((uint(row.get(0)?), row.get(1)?));
        statement.query_map(params![chosen.sink, chosen.id.map(int)], row)?.collect()
    }

    /// A dead letter was refused again: it stays, with the new reason.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn keep_letter(&mut self, id: u64, reason: &str) -> rusqlite::Result<()> {
        let mut statement =
            self.connection.prepare_cached("UPDATE dead_letter SET again = 0, reason = ?2 WHERE id = ?1")?;
        statement.execute(params![int(id), reason]).map(drop)
    }
}

pub(super) fn forget(transaction: &Transaction<'_>, id: u64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM dead_letter WHERE id = ?1")?.execute([int(id)]).map(drop)
}
