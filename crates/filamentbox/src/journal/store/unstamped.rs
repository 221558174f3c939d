//! Blocks that are not stamped: their samples were taken while the wall clock was not known, and their times are milliseconds since
//! boot. A row in `unstamped` says so, and of which boot. They are kept and counted like all others, and read by nobody until they are
//! rewritten with wall times.

use std::ops::Range;

use filamentbox_core::time::UnixTime;
use rusqlite::{OptionalExtension, Transaction, params};

use super::{Block, Position, Sealed, Store, int, mark, set_mark, uint};
use crate::journal::stamps::Stamp;

/// Neighbouring blocks without stamps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::journal) struct Unstamped {
    /// Their numbers.
    pub(in crate::journal) range: Range<u64>,
    /// They are of this boot, and can be stamped when the clock is known.
    pub(in crate::journal) is_ours: bool,
}

/// Which blocks can be read.
pub(super) const STAMPED: &str = "first_seq NOT IN (SELECT first_seq FROM unstamped)";

/// Notes that `block` is not stamped.
pub(super) fn mark(transaction: &Transaction<'_>, block: &Sealed, boot: &str) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("INSERT OR REPLACE INTO unstamped VALUES (?1, ?2)")?;
    statement.execute(params![int(block.first()), boot]).map(drop)
}

/// Forgets the rows of blocks that are gone.
pub(super) fn sweep(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let sweep = "DELETE FROM unstamped WHERE first_seq NOT IN (SELECT first_seq FROM block)";
    transaction.prepare_cached(sweep)?.execute([]).map(drop)
}

/// Notes the newest stamp, when it is among `blocks`, and says which it is.
pub(super) fn write_newest(
    transaction: &Transaction<'_>,
    newest: Option<UnixTime>,
    blocks: &[Sealed],
) -> rusqlite::Result<Option<UnixTime>> {
    let now = blocks.iter().map(Sealed::newest).max().max(newest);
    if let Some(newest) = now.filter(|_| now != newest) {
        set_mark(transaction, mark::NEWEST, newest.millis())?;
    }
    Ok(now)
}

impl Store {
    /// The newest stamp of a sample that was ever sealed.
    pub(in crate::journal) fn newest(&self) -> Option<UnixTime> {
        self.newest
    }

    pub(super) fn find_newest(&self) -> rusqlite::Result<Option<UnixTime>> {
        if let Some(newest) = self.mark(mark::NEWEST)? {
            return Ok(Some(UnixTime::from_millis(newest)));
        }
        // A file of version 1, or one that was salvaged.
        let newest = format!("SELECT max(last_ms) FROM block WHERE {STAMPED}");
        let newest: Option<i64> = self.connection.query_row(&newest, [], |row| row.get(0))?;
        Ok(newest.map(UnixTime::from_millis))
    }

    /// All blocks without stamps, by number; `boot` is the name of this boot.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn unstamped(&self, boot: &str) -> rusqlite::Result<Vec<Unstamped>> {
        let mut statement = self
            .connection
            .prepare("SELECT first_seq, count, boot FROM unstamped JOIN block USING (first_seq) ORDER BY first_seq")?;
        let mut rows = statement.query([])?;
        let mut all: Vec<Unstamped> = Vec::new();
        while let Some(row) = rows.next()? {
            let (first, count, is_ours) = (uint(row.get(0)?), uint(row.get(1)?), row.get::<_, String>(2)? == boot);
            let end = first.saturating_add(count);
            match all.last_mut() {
                Some(last) if last.range.end == first && last.is_ours == is_ours => last.range.end = end,
                _ => all.push(Unstamped { range: first..end, is_ours }),
            }
        }
        Ok(all)
    }

    /// The first number that is not stamped.
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn first_unstamped(&self) -> rusqlite::Result<Option<u64>> {
        let mut statement = self.connection.prepare_cached("SELECT min(first_seq) FROM unstamped")?;
        statement.query_row([], |row| row.get::<_, Option<i64>>(0)).map(|first| first.map(uint))
    }

    /// At most `limit` whole blocks without stamps in `range`, by number. A damaged one is left out.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn unstamped_blocks(&self, range: &Range<u64>, limit: u64) -> rusqlite::Result<Vec<Block>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT first_seq, count, data FROM unstamped JOIN block USING (first_seq)
             WHERE first_seq >= ?1 AND first_seq < ?2 ORDER BY first_seq LIMIT ?3",
        )?;
        statement.query_map([int(range.start), int(range.end), int(limit)], Block::from_row)?.collect()
    }

    /// Writes blocks anew, with stamps: in one transaction with the end of their rows.
    ///
    /// # Errors
    /// SQLite's; nothing has changed then.
    pub(in crate::journal) fn restamp(&mut self, blocks: &[Sealed]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for block in blocks {
            transaction.prepare_cached("DELETE FROM block WHERE first_seq = ?1")?.execute([int(block.first())])?;
            transaction.prepare_cached("DELETE FROM unstamped WHERE first_seq = ?1")?.execute([int(block.first())])?;
            block.insert(&transaction)?;
        }
        let newest = write_newest(&transaction, self.newest, blocks)?;
        transaction.commit()?;
        self.newest = newest;
        Ok(())
    }

    /// The stamps in `range`, in ms since 1970. Reads the heads of all blocks: for when the clock was set back.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn stamps(&self, range: &Range<i64>) -> rusqlite::Result<Vec<Stamp>> {
        let select =
            format!("SELECT first_seq, count, data FROM block WHERE last_ms >= ?1 AND first_ms < ?2 AND {STAMPED}");
        let mut statement = self.connection.prepare_cached(&select)?;
        let mut rows = statement.query([range.start, range.end])?;
        let mut stamps = Vec::new();
        while let Some(row) = rows.next()? {
            let points = Block::from_row(row)?.points.unwrap_or_default();
            let within = points.into_iter().filter(|point| range.contains(&point.at.millis()));
            stamps.extend(within.map(|point| (point.at.millis(), point.box_name)));
        }
        Ok(stamps)
    }

    /// The blocks without stamps that lie in `range`.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn unstamped_positions(&self, range: &Range<u64>) -> rusqlite::Result<Vec<Position>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT first_seq, count FROM unstamped JOIN block USING (first_seq)
             WHERE first_seq >= ?1 AND first_seq < ?2 ORDER BY first_seq",
        )?;
        statement.query_map([int(range.start), int(range.end)], Position::from_row)?.collect()
    }
}

/// Whether a table `unstamped` is there at all: not in a file of version 1 that is only read.
pub(super) fn exists(connection: &rusqlite::Connection) -> rusqlite::Result<bool> {
    let table = "SELECT 1 FROM sqlite_schema WHERE name = 'unstamped'";
    connection.query_row(table, [], |_| Ok(())).optional().map(|found| found.is_some())
}
