//! What a chart needs of the journal: single samples where they are few, rollups where they would be many, and at the right edge always the
//! samples that are in no rollup yet.
//!
//! **Bounds.** Besides the young end (an hour, as long as the disk works), samples are read only for a range that holds [`SAMPLES_MAX`] at
//! most. Everything is read in pieces that the journal answers in about a millisecond, and kept merged.

use std::ops::Range;

use filamentbox_core::sample::BoxName;
use filamentbox_core::time::UnixTime;

use super::series::{Grid, Row, Series, ceil_to, floor_to};
use crate::journal::{Bucket, Gone, Handle, ROLLUPS_MAX, Reach, Resolution};

/// A chart shows single samples of a range that holds so many at most: eight hours, one every 1.5 s.
const SAMPLES_MAX: i64 = 20_000;
/// Rollups are made once an hour; a chart that was read meanwhile is read anew, so that no sample is in it twice.
const TRIES: usize = 5;
/// In ms: what single samples are merged by.
const SECOND: i64 = 1000;

/// What is wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// In ms since 1970; not empty.
    pub(super) range: Range<i64>,
    /// Points at most.
    pub(super) points: usize,
    pub(super) box_name: BoxName,
    /// From one reading to the next, in ms.
    pub(super) interval: i64,
}

/// How much was read for a chart.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Read {
    pub(super) rollups: u64,
    /// Blocks of samples, unpacked.
    pub(super) blocks: u64,
    pub(super) samples: u64,
}

/// A chart.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) rows: Vec<Row>,
    /// The length of a point in ms; 0 for single samples.
    pub(super) width: i64,
    pub(super) read: Read,
}

impl Chart {
    /// Of nothing.
    pub(super) fn empty() -> Self {
        Self { rows: Vec::new(), width: 0, read: Read::default() }
    }
}

/// What a chart is made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Samples,
    Rollups(Resolution),
}

impl Source {
    /// In ms.
    const fn unit(self) -> i64 {
        match self {
            Self::Samples => SECOND,
            Self::Rollups(resolution) => resolution.seconds() as i64 * 1000,
        }
    }

    const fn coarser(self) -> Option<Self> {
        match self {
            Self::Samples => Some(Self::Rollups(Resolution::Minute)),
            Self::Rollups(Resolution::Minute) => Some(Self::Rollups(Resolution::Hour)),
            Self::Rollups(Resolution::Hour) => None,
        }
    }
}

/// Reads a chart.
///
/// # Errors
/// [`Gone`].
pub(super) async fn read(journal: &Handle, wanted: &Wanted) -> Result<Chart, Gone> {
    let mut source = finest(wanted);
    for _ in 0..TRIES {
        let reach = journal.reach(wanted.box_name.clone()).await?;
        // Of what is old there are only hours, or minutes. A chart has one kind, so that its points are alike.
        while let Some(coarser) = source.coarser()
            && !is_whole(journal, wanted, source, coarser, &reach).await?
        {
            source = coarser;
        }
        if let Some(chart) = read_from(journal, wanted, source, reach.rolled_end).await? {
            return Ok(chart);
        }
    }
    // The journal makes rollups faster than they can be read: only in simulated time.
    Err(Gone)
}

/// The source with just enough detail.
fn finest(wanted: &Wanted) -> Source {
    let range = wanted.range.end - wanted.range.start;
    let width = range / i64::try_from(wanted.points).unwrap_or(i64::MAX).max(1);
    if width >= Source::Rollups(Resolution::Hour).unit() {
        Source::Rollups(Resolution::Hour)
    } else if width >= Source::Rollups(Resolution::Minute).unit() || range / wanted.interval.max(1) > SAMPLES_MAX {
        Source::Rollups(Resolution::Minute)
    } else {
        Source::Samples
    }
}

/// Whether `source` has everything of the range that there is in the `coarser` one.
async fn is_whole(
    journal: &Handle,
    wanted: &Wanted,
    source: Source,
    coarser: Source,
    reach: &Reach,
) -> Result<bool, Gone> {
    let Source::Rollups(resolution) = coarser else { return Ok(true) };
    let since = match source {
        Source::Samples => reach.samples_since,
        Source::Rollups(_) => reach.minutes_since,
    };
    let end = since.map_or(wanted.range.end, |since| floor_to(since.millis(), coarser.unit()).min(wanted.range.end));
    let start = floor_to(wanted.range.start, coarser.unit());
    if start >= end {
        return Ok(true);
    }
    let older = journal.rollups(resolution, times(start..end), wanted.box_name.clone()).await?;
    Ok(older.rollups.is_empty())
}

/// `None` when the journal has made rollups meanwhile.
async fn read_from(journal: &Handle, wanted: &Wanted, source: Source, rolled_end: u64) -> Result<Option<Chart>, Gone> {
    let (unit, mut read) = (source.unit(), Read::default());
    let range = match source {
        Source::Samples => wanted.range.clone(),
        // Whole rollups.
        Source::Rollups(_) => floor_to(wanted.range.start, unit)..ceil_to(wanted.range.end, unit),
    };
    let grid = Grid::new(range.start, range.end, wanted.points, unit);
    let is_single = source == Source::Samples;
    let step = if is_single { wanted.interval } else { wanted.interval.max(unit) };
    let mut series = Series::new(grid, is_single, step);
    let mut from = 0;
    if let Source::Rollups(resolution) = source {
        let mut rest = range.clone();
        while rest.start < rest.end {
            let rolled = journal.rollups(resolution, times(rest.clone()), wanted.box_name.clone()).await?;
            if rolled.end != rolled_end {
                return Ok(None);
            }
            rolled.rollups.iter().for_each(|(start, samples)| series.add(start.millis(), samples));
            read.rollups += rolled.rollups.len() as u64;
            let last = rolled.rollups.last().filter(|_| rolled.rollups.len() >= ROLLUPS_MAX);
            rest.start = last.map_or(rest.end, |(start, _)| start.millis() + unit);
        }
        from = rolled_end;
    }
    let mut next = Some(from);
    while let Some(from) = next {
        let chunk = journal.points(from, times(range.clone()), wanted.box_name.clone()).await?;
        chunk.points.iter().for_each(|point| series.add(point.at.millis(), &Bucket::of(point)));
        read.samples += chunk.points.len() as u64;
        read.blocks += chunk.blocks;
        next = chunk.next;
    }
    Ok(Some(Chart { width: series.width(), rows: series.rows(), read }))
}

fn times(range: Range<i64>) -> Range<UnixTime> {
    UnixTime::from_millis(range.start)..UnixTime::from_millis(range.end)
}
