//! Sealed blocks: written once, read by number or by time, removed from the front.

use filamentbox_core::sample::Point;
use filamentbox_core::time::UnixTime;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::unstamped::{self, STAMPED};
use super::{Store, Totals, int, uint};
use crate::journal::codec::{self, Damaged};

/// A block, ready to be written.
#[derive(Debug)]
pub(in crate::journal) struct Sealed {
    first: u64,
    count: u64,
    /// Earliest and latest time in the block. The wall clock may have stepped, so these need not be the first and last point's.
    first_ms: i64,
    last_ms: i64,
    data: Vec<u8>,
}

impl Sealed {
    /// The block of 1 to [`codec::POINTS_MAX`] points that are numbered from `first` on.
    pub(in crate::journal) fn new(first: u64, points: &[Point]) -> Self {
        let times = || points.iter().map(|point| point.at.millis());
        Self {
            first,
            count: points.len() as u64,
            first_ms: times().min().unwrap_or(0),
            last_ms: times().max().unwrap_or(0),
            data: codec::encode(first, points),
        }
    }

    pub(in crate::journal) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn newest(&self) -> UnixTime {
        UnixTime::from_millis(self.last_ms)
    }

    pub(super) fn insert(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut statement = transaction.prepare_cached("INSERT INTO block VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let Self { first, count, first_ms, last_ms, data } = self;
        statement.execute(params![int(*first), int(*count), first_ms, last_ms, data]).map(drop)
    }
}

/// Where a block is in the sequence: `first` to `end`, the latter not included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::journal) struct Position {
    pub(in crate::journal) first: u64,
    pub(in crate::journal) end: u64,
}

/// A block that was read.
#[derive(Debug)]
pub(in crate::journal) struct Block {
    pub(in crate::journal) at: Position,
    pub(in crate::journal) points: Result<Vec<Point>, Damaged>,
}

impl Block {
    /// From the columns `first_seq, count, data`.
    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (first, count) = (uint(row.get(0)?), uint(row.get(1)?));
        let data = row.get_ref(2)?.as_blob().unwrap_or_default();
        let points = codec::decode(first, data)
            .and_then(|points| if points.len() as u64 == count { Ok(points) } else { Err(Damaged) });
        Ok(Self { at: Position { first, end: first.saturating_add(count) }, points })
    }
}

impl Store {
    /// The block that holds number `seq`, or else the next one.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn block_from(&self, seq: u64) -> rusqlite::Result<Option<Block>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT first_seq, count, data FROM block
             WHERE first_seq >= coalesce((SELECT max(first_seq) FROM block WHERE first_seq <= ?1), 0)
             AND first_seq + count > ?1 ORDER BY first_seq LIMIT 1",
        )?;
        statement.query_row([int(seq)], Block::from_row).optional()
    }

    /// The block whose last sample has the number before `seq`.
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn block_ending_at(&self, seq: u64) -> rusqlite::Result<Option<Block>> {
        let Some(last) = seq.checked_sub(1) else { return Ok(None) };
        Ok(self.block_from(last)?.filter(|block| block.at.end == seq && block.at.first < seq))
    }

    /// The next stamped block from number `seq` on that may hold points of this time: `from` to `to`, the latter not included.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn block_in_time(
        &self,
        seq: u64,
        from: UnixTime,
        to: UnixTime,
    ) -> rusqlite::Result<Option<Block>> {
        let select = format!(
            "SELECT first_seq, count, data FROM block
             WHERE first_seq >= coalesce((SELECT max(first_seq) FROM block WHERE first_seq <= ?1), 0)
             AND first_seq + count > ?1 AND last_ms >= ?2 AND first_ms < ?3 AND {STAMPED} ORDER BY first_seq LIMIT 1"
        );
        let mut statement = self.connection.prepare_cached(&select)?;
        statement.query_row([int(seq), from.millis(), to.millis()], Block::from_row).optional()
    }

    /// The oldest block.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn oldest(&self) -> rusqlite::Result<Option<Position>> {
        let mut statement =
            self.connection.prepare_cached("SELECT first_seq, count FROM block ORDER BY first_seq LIMIT 1")?;
        let position = |row: &Row<'_>| {
            let (first, count) = (uint(row.get(0)?), uint(row.get(1)?));
            Ok(Position { first, end: first.saturating_add(count) })
        };
        statement.query_row([], position).optional()
    }

    /// Where the blocks end: the number after the newest sealed sample.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn sealed_end(&self) -> rusqlite::Result<u64> {
        let mut statement =
            self.connection.prepare_cached("SELECT first_seq + count FROM block ORDER BY first_seq DESC LIMIT 1")?;
        Ok(statement.query_row([], |row| row.get(0).map(uint)).optional()?.unwrap_or(0))
    }

    /// Removes the oldest `count` blocks. Says where the last of them ended and how many samples went.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn remove_oldest(&mut self, count: u64) -> rusqlite::Result<(u64, u64)> {
        let oldest = "SELECT first_seq FROM block ORDER BY first_seq LIMIT ?1";
        self.remove(&format!("first_seq IN ({oldest})"), &[int(count)])
    }

    /// Removes at most `limit` blocks that are older than `time` and end at or before number `seq`. Says how many blocks went.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn remove_expired(&mut self, time: UnixTime, seq: u64, limit: u64) -> rusqlite::Result<u64> {
        let before = self.totals.blocks;
        let expired = format!(
            "SELECT first_seq FROM block WHERE last_ms < ?1 AND first_seq + count <= ?2 AND {STAMPED} LIMIT ?3"
        );
        self.remove(&format!("first_seq IN ({expired})"), &[time.millis(), int(seq), int(limit)])?;
        Ok(before - self.totals.blocks)
    }

    /// Removes a block that cannot be read.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn remove_damaged(&mut self, first: u64) -> rusqlite::Result<()> {
        self.remove("first_seq = ?1", &[int(first)]).map(drop)
    }

    pub(super) fn remove(&mut self, which: &str, values: &[i64]) -> rusqlite::Result<(u64, u64)> {
        let (mut end, mut blocks, mut samples) = (0, 0, 0);
        let transaction = self.connection.transaction()?;
        {
            let sql = format!("DELETE FROM block WHERE {which} RETURNING first_seq, count");
            let mut statement = transaction.prepare_cached(&sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                let (first, count) = (uint(row.get(0)?), uint(row.get(1)?));
                (end, blocks, samples) = (end.max(first.saturating_add(count)), blocks + 1, samples + count);
            }
        }
        if blocks == 0 {
            // Nothing to write.
            return Ok((end, samples));
        }
        let totals = Totals {
            blocks: self.totals.blocks.saturating_sub(blocks),
            samples: self.totals.samples.saturating_sub(samples),
        };
        unstamped::sweep(&transaction)?;
        totals.write(&transaction)?;
        transaction.commit()?;
        self.totals = totals;
        Ok((end, samples))
    }
}
