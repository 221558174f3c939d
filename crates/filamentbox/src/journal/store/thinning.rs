//! Thinning: of the oldest samples of a backlog, the first of each minute stays, and each with other outputs than the one kept before it.
//!
//! The samples that stay keep their values and times and get the highest numbers of the range they came from, so that what is gone is a
//! hole in front of them. What was thinned is merged into full blocks: only so are pages of the file freed.

use std::ops::Range;

use filamentbox_core::sample::{BoxName, Point};
use filamentbox_core::time::UnixTime;

use super::{Block, Position, Sealed, Store, mark, uint};
use crate::journal::codec::POINTS_MAX;

/// Blocks looked at in one step.
const BLOCKS_AT_ONCE: usize = 64;
const MINUTE_MS: i64 = 60_000;

/// What one step does.
#[derive(Debug)]
pub(in crate::journal) struct Thinning {
    /// These blocks go.
    pub(in crate::journal) gone: Vec<Position>,
    /// These come instead.
    pub(in crate::journal) come: Vec<Sealed>,
    /// Of these numbers, so many samples are lost.
    pub(in crate::journal) losses: Vec<(Range<u64>, u64)>,
    /// Everything before this number is thinned then.
    pub(in crate::journal) through: u64,
    /// The latest time among what was looked at.
    pub(in crate::journal) newest: UnixTime,
}

/// What was kept last of each box: minute, heater, fan.
#[derive(Default)]
struct Kept(Vec<(BoxName, (i64, bool, bool))>);

impl Kept {
    /// Whether `point` is one to keep.
    fn take(&mut self, point: &Point) -> bool {
        let now = (point.at.millis().div_euclid(MINUTE_MS), point.heater_on, point.fan_on);
        match self.0.iter_mut().find(|(name, _)| *name == point.box_name) {
            Some((_, last)) => std::mem::replace(last, now) != now,
            None => {
                self.0.push((point.box_name.clone(), now));
                true
            }
        }
    }
}

/// Neighbouring blocks that become one.
#[derive(Default)]
struct Group {
    sources: Vec<Position>,
    samples: u64,
    kept: Vec<Point>,
}

impl Group {
    fn range_with(&self, at: Position) -> Range<u64> {
        self.sources.first().map_or(at.first, |first| first.first)..at.end
    }

    fn finish(&mut self, thinning: &mut Thinning) {
        let Self { sources, samples, kept } = std::mem::take(self);
        let (Some(first), Some(last)) = (sources.first(), sources.last()) else { return };
        let count = kept.len() as u64;
        if sources.len() == 1 && count == samples {
            return;
        }
        thinning.losses.push((first.first..last.end, samples - count));
        if count > 0 {
            thinning.come.push(Sealed::new(last.end - count, &kept));
        }
        thinning.gone.extend(sources);
    }
}

impl Store {
    /// Everything before this number is thinned, as far as it may be.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn thinned(&self) -> rusqlite::Result<u64> {
        Ok(uint(self.mark(mark::THINNED)?.unwrap_or(0)))
    }

    /// The next step, of what is rolled up, as far as `may` allows it. `None` when there is nothing left to thin.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn plan_thinning(
        &self,
        may: impl Fn(&Range<u64>) -> bool,
    ) -> rusqlite::Result<Option<Thinning>> {
        let (thinned, end) = (self.thinned()?, self.rolled_end()?);
        // The last block of the step before: it says what was kept last, and has room.
        let mut seq = self.block_ending_at(thinned)?.map_or(thinned, |block| block.at.first);
        let mut thinning = Thinning {
            gone: Vec::new(),
            come: Vec::new(),
            losses: Vec::new(),
            through: thinned,
            newest: UnixTime::from_millis(i64::MIN),
        };
        let (mut kept, mut group) = (Kept::default(), Group::default());
        for _ in 0..BLOCKS_AT_ONCE {
            let Some(Block { at, points }) = self.block_from(seq)?.filter(|block| block.at.end <= end) else { break };
            seq = at.end;
            let Ok(mut points) = points else {
                // It is left for the reader that comes to it.
                group.finish(&mut thinning);
                continue;
            };
            let samples = points.len() as u64;
            thinning.newest = points.iter().map(|point| point.at).fold(thinning.newest, UnixTime::max);
            points.retain(|point| kept.take(point));
            let fits = group.kept.len() + points.len() <= POINTS_MAX;
            if !(fits && may(&group.range_with(at))) {
                group.finish(&mut thinning);
            }
            if may(&(at.first..at.end)) {
                group.sources.push(at);
                group.samples += samples;
                group.kept.append(&mut points);
            }
        }
        group.finish(&mut thinning);
        thinning.through = seq.max(thinned);
        Ok((thinning.through > thinned).then_some(thinning))
    }
}
