//! Rollups: lowest, mean and highest of each minute and each hour, for charts of months and years.
//!
//! A mark in the sequence says how far the blocks are rolled up. In passing, small blocks that follow each other are merged into
//! full ones: a block of a minute takes twice the bytes a sample.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use filamentbox_core::sample::{BoxName, Point};
use filamentbox_core::time::UnixTime;
use rusqlite::{OptionalExtension, Transaction, params};

use super::unstamped::STAMPED;
use super::{Block, Sealed, Store, Totals, int, mark, set_mark, uint};
use crate::journal::Resolution;
use crate::journal::codec::{Bucket, POINTS_MAX, decode_group, encode_group};

/// Blocks rolled up in one transaction.
const BLOCKS_AT_ONCE: usize = 64;
/// Rows removed in one transaction.
const ROWS_AT_ONCE: i64 = 2_000;
const DAY: Duration = Duration::from_secs(86_400);
const MINUTES_KEPT: Duration = Duration::from_secs(90 * DAY.as_secs());
const HOURS_KEPT: Duration = Duration::from_secs(5 * 365 * DAY.as_secs() + 86_400);
/// What a rollup takes in the file, measured, with some air.
const ROLLUP_BYTES: u64 = 20;
/// Rollups in one answer at most: about a millisecond's work for the journal's thread.
pub const ROLLUPS_MAX: usize = 5_000;

impl Resolution {
    pub(super) const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    /// The length of one rollup.
    pub const fn seconds(self) -> u32 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    /// The length of what is stored together: an hour of minutes, a day of hours.
    const fn group_seconds(self) -> i64 {
        match self {
            Self::Minute => 3600,
            Self::Hour => 86_400,
        }
    }

    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Minute => "rollup_minute",
            Self::Hour => "rollup_hour",
        }
    }
}

/// How long rollups are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::journal) struct Kept {
    minutes: Duration,
    hours: Duration,
}

impl Kept {
    /// 90 days of minutes and five years of hours, or less when the file must be small: minutes take at most half of it, hours a
    /// quarter.
    pub(in crate::journal) fn within(max_bytes: u64, boxes: u64) -> Self {
        let rows = max_bytes / ROLLUP_BYTES / boxes.max(1);
        Self {
            minutes: MINUTES_KEPT.min(Duration::from_secs(rows / 2 * 60)),
            hours: HOURS_KEPT.min(Duration::from_secs(rows / 4 * 3600)),
        }
    }
}

/// One row: the buckets of an hour or a day of one box, by their place in it.
type Group = BTreeMap<u8, Bucket>;
/// By resolution, beginning and box.
type Groups = BTreeMap<(Resolution, i64, BoxName), Group>;

fn add(groups: &mut Groups, point: &Point) {
    for resolution in Resolution::ALL {
        let second = point.at.millis().div_euclid(1000);
        let start = second.div_euclid(resolution.group_seconds()) * resolution.group_seconds();
        // Below 60.
        let place = ((second - start) / i64::from(resolution.seconds())) as u8;
        let group = groups.entry((resolution, start, point.box_name.clone())).or_default();
        group.entry(place).or_default().merge(&Bucket::of(point));
    }
}

/// What a group's bytes belong to, so that they are not taken for another's.
pub(super) fn group_key(resolution: Resolution, start: i64) -> u64 {
    start.cast_unsigned() ^ u64::from(resolution.seconds()) << 48
}

fn write(transaction: &Transaction<'_>, groups: Groups) -> rusqlite::Result<()> {
    for ((resolution, start, box_name), mut group) in groups {
        let (key, table) = (group_key(resolution, start), resolution.table());
        let select = format!("SELECT data FROM {table} WHERE start_s = ?1 AND box = ?2");
        let mut statement = transaction.prepare_cached(&select)?;
        let old: Option<Vec<u8>> =
            statement.query_row(params![start, box_name.as_str()], |row| row.get(0)).optional()?;
        // Of a damaged group, what is new now is all there is.
        for (place, bucket) in old.and_then(|old| decode_group(key, &old).ok()).unwrap_or_default() {
            group.entry(place).or_default().merge(&bucket);
        }
        let buckets: Vec<(u8, Bucket)> = group.into_iter().collect();
        let mut statement =
            transaction.prepare_cached(&format!("INSERT OR REPLACE INTO {table} VALUES (?1, ?2, ?3)"))?;
        statement.execute(params![start, box_name.as_str(), encode_group(key, &buckets)])?;
    }
    Ok(())
}

/// Merges small neighbours into full blocks and a rest, which is merged the next time.
#[derive(Default)]
struct Merging {
    first: u64,
    parts: Vec<u64>,
    points: Vec<Point>,
    /// Done: which blocks go, and which come instead.
    gone: Vec<u64>,
    merged: Vec<Sealed>,
}

impl Merging {
    fn add(&mut self, block: &Block, points: &[Point]) {
        let follows = self.first + self.points.len() as u64 == block.at.first;
        if !follows || points.len() >= POINTS_MAX {
            self.finish();
        }
        if points.len() < POINTS_MAX {
            if self.parts.is_empty() {
                self.first = block.at.first;
            }
            self.parts.push(block.at.first);
            self.points.extend_from_slice(points);
        }
    }

    fn finish(&mut self) {
        if self.parts.len() > 1 {
            self.gone.append(&mut self.parts);
            let mut first = self.first;
            for points in self.points.chunks(POINTS_MAX) {
                self.merged.push(Sealed::new(first, points));
                first += points.len() as u64;
            }
        }
        self.parts.clear();
        self.points.clear();
    }
}

impl Store {
    /// Everything before this number is rolled up.
    fn rolled(&self) -> rusqlite::Result<u64> {
        Ok(uint(self.mark(mark::ROLLED)?.unwrap_or(0)))
    }

    /// Rolls up the next blocks. Says whether there are more.
    ///
    /// # Errors
    /// SQLite's; nothing has changed then.
    pub(in crate::journal) fn roll_up(&mut self) -> rusqlite::Result<bool> {
        let from = self.rolled()?;
        let (mut groups, mut merging, mut rolled) = (Groups::new(), Merging::default(), from);
        if let Some(rest) = self.block_ending_at(from)?
            && let Ok(points) = &rest.points
        {
            merging.add(&rest, points);
        }
        // What is not stamped, and what follows it, waits.
        let end = self.first_unstamped()?.unwrap_or(u64::MAX);
        for _ in 0..BLOCKS_AT_ONCE {
            let Some(block) = self.block_from(rolled)?.filter(|block| block.at.first < end) else { break };
            if let Ok(points) = &block.points {
                // After a merge, the mark may lie within a block.
                let skip = usize::try_from(rolled.saturating_sub(block.at.first)).unwrap_or(usize::MAX);
                points.iter().skip(skip).for_each(|point| add(&mut groups, point));
                merging.add(&block, points);
            }
            // A damaged block is left for the reader that comes to it.
            rolled = block.at.end;
        }
        merging.finish();
        if rolled == from {
            return Ok(false);
        }
        let transaction = self.connection.transaction()?;
        write(&transaction, groups)?;
        for first in &merging.gone {
            transaction.prepare_cached("DELETE FROM block WHERE first_seq = ?1")?.execute([int(*first)])?;
        }
        for block in &merging.merged {
            block.insert(&transaction)?;
        }
        set_mark(&transaction, mark::ROLLED, int(rolled))?;
        let blocks = (self.totals.blocks + merging.merged.len() as u64).saturating_sub(merging.gone.len() as u64);
        let totals = Totals { blocks, ..self.totals };
        totals.write(&transaction)?;
        transaction.commit()?;
        self.totals = totals;
        Ok(rolled < self.sealed_end()?.min(end))
    }

    /// Where the rolled up part of the sequence ends.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn rolled_end(&self) -> rusqlite::Result<u64> {
        self.rolled()
    }

    /// When the oldest minute of a box begins that is kept.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn minutes_since(&self, box_name: &BoxName) -> rusqlite::Result<Option<UnixTime>> {
        let select = "SELECT start_s FROM rollup_minute WHERE box = ?1 ORDER BY start_s LIMIT 1";
        let start = |row: &rusqlite::Row<'_>| row.get(0).map(|s: i64| UnixTime::from_millis(s.saturating_mul(1000)));
        self.connection.prepare_cached(select)?.query_row([box_name.as_str()], start).optional()
    }

    /// When the oldest sealed sample was taken, whichever box it is of.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn raw_since(&self) -> rusqlite::Result<Option<UnixTime>> {
        let select = format!("SELECT first_ms FROM block WHERE {STAMPED} ORDER BY first_seq LIMIT 1");
        let first = |row: &rusqlite::Row<'_>| row.get(0).map(UnixTime::from_millis);
        self.connection.prepare_cached(&select)?.query_row([], first).optional()
    }

    /// How many boxes there are rollups of.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn boxes(&self) -> rusqlite::Result<u64> {
        let boxes = "SELECT count(DISTINCT box) FROM rollup_hour";
        self.connection.prepare_cached(boxes)?.query_row([], |row| row.get(0).map(uint))
    }

    /// Removes some rollups that are too old. Says whether there may be more.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn trim_rollups(&mut self, now: UnixTime, kept: Kept) -> rusqlite::Result<bool> {
        let mut removed = 0;
        for (resolution, kept) in [(Resolution::Minute, kept.minutes), (Resolution::Hour, kept.hours)] {
            let oldest_s = now.before(kept).millis().div_euclid(1000) - resolution.group_seconds();
            let table = resolution.table();
            let old = format!("SELECT start_s, box FROM {table} WHERE start_s < ?1 ORDER BY start_s LIMIT ?2");
            let delete = format!("DELETE FROM {table} WHERE (start_s, box) IN ({old})");
            removed = self.connection.prepare_cached(&delete)?.execute(params![oldest_s, ROWS_AT_ONCE])?.max(removed);
        }
        Ok(int(removed as u64) >= ROWS_AT_ONCE)
    }

    /// The rollups that begin in `range`, oldest first, 5000 at most.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn rollups(
        &self,
        resolution: Resolution,
        range: &Range<UnixTime>,
        box_name: &BoxName,
    ) -> rusqlite::Result<Vec<(UnixTime, Bucket)>> {
        let select = format!(
            "SELECT start_s, data FROM {} WHERE start_s > ?1 AND start_s < ?2 AND box = ?3 ORDER BY start_s",
            resolution.table()
        );
        let mut statement = self.connection.prepare_cached(&select)?;
        let (from, to) = (range.start.millis().div_euclid(1000), range.end.millis().div_euclid(1000).saturating_add(1));
        let mut rows =
            statement.query(params![from.saturating_sub(resolution.group_seconds()), to, box_name.as_str()])?;
        let mut rollups = Vec::new();
        while let Some(row) = rows.next()? {
            let start: i64 = row.get(0)?;
            let data = row.get_ref(1)?.as_blob().unwrap_or_default();
            for (place, bucket) in decode_group(group_key(resolution, start), data).unwrap_or_default() {
                let second = start + i64::from(place) * i64::from(resolution.seconds());
                let start = UnixTime::from_millis(second.saturating_mul(1000));
                if range.contains(&start) {
                    rollups.push((start, bucket));
                }
            }
            if rollups.len() >= ROLLUPS_MAX {
                break;
            }
        }
        rollups.truncate(ROLLUPS_MAX);
        Ok(rollups)
    }
}
