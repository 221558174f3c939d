//! Samples and rollups merged into a chart's points. Pure: in exact numbers, each sample once, in any order.
//!
//! Not here: what is read from the journal (`chart`), and the JSON (`routes/history`).

use crate::journal::Bucket;

/// A gap is where nothing was measured for so many times the usual distance of two points.
const GAP_STEPS: i64 = 3;

/// Equal stretches of time, in ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Grid {
    start: i64,
    width: i64,
    cells: usize,
}

impl Grid {
    /// Over `from..to`, which is not empty, with `cells` at most (1 or more). The width is a multiple of `unit`, so that no rollup of that
    /// length lies in two cells; and cells begin at multiples of the width where there are two or more, so that a chart that moves on does
    /// not change its shape.
    pub(super) fn new(from: i64, to: i64, cells: usize, unit: i64) -> Self {
        let range = to - from;
        let width = |range: i64, cells: usize| {
            let cells = i64::try_from(cells).unwrap_or(i64::MAX).max(1);
            ceil(ceil(range, cells), unit).max(1) * unit
        };
        let (start, width) = match cells {
            0 | 1 => {
                let start = floor_to(from, unit);
                (start, width(to - start, 1))
            }
            // One more begins before `from`.
            _ => {
                let width = width(range, cells - 1);
                (floor_to(from, width), width)
            }
        };
        Self { start, width, cells: cells.max(1) }
    }

    fn cell(&self, at: i64) -> Option<usize> {
        usize::try_from((at - self.start).div_euclid(self.width)).ok().filter(|cell| *cell < self.cells)
    }
}

/// The smallest number that is not below `a / b`.
fn ceil(a: i64, b: i64) -> i64 {
    a.div_euclid(b) + i64::from(a.rem_euclid(b) > 0)
}

/// The multiple of `unit` at or before `at`.
pub(super) fn floor_to(at: i64, unit: i64) -> i64 {
    at.div_euclid(unit) * unit
}

/// The multiple of `unit` at or after `at`.
pub(super) fn ceil_to(at: i64, unit: i64) -> i64 {
    ceil(at, unit) * unit
}

/// One point of a chart: its beginning in ms, and what was measured; `None` marks a gap.
pub(super) type Row = (i64, Option<Bucket>);

/// A chart's points as they come together.
pub(super) struct Series {
    grid: Grid,
    cells: Vec<Bucket>,
    /// The single samples, while they are few enough to be shown as they are.
    singles: Option<Vec<(i64, Bucket)>>,
    /// What lies at least between two measurements, in ms.
    step: i64,
}

impl Series {
    /// On a grid; with `single`, samples are kept as they are while there is a cell for each.
    pub(super) fn new(grid: Grid, single: bool, step: i64) -> Self {
        Self { grid, cells: Vec::new(), singles: single.then(Vec::new), step }
    }

    /// Adds samples that were taken at `at`, or in the stretch that begins there. What lies outside of the grid is left out.
    pub(super) fn add(&mut self, at: i64, samples: &Bucket) {
        let Some(cell) = self.grid.cell(at).filter(|_| samples.count() > 0) else { return };
        if let Some(singles) = &mut self.singles {
            singles.push((at, *samples));
            if singles.len() <= self.grid.cells {
                return;
            }
            // Too many: from now on they are merged.
            for (at, samples) in self.singles.take().unwrap_or_default() {
                self.add(at, &samples);
            }
            return;
        }
        if self.cells.is_empty() {
            self.cells = vec![Bucket::default(); self.grid.cells];
        }
        self.cells[cell].merge(samples);
    }

    /// The length of a point in ms; 0 for single samples.
    pub(super) fn width(&self) -> i64 {
        if self.singles.is_some() { 0 } else { self.grid.width }
    }

    /// The points in the order of time, with a row without samples in each gap.
    pub(super) fn rows(self) -> Vec<Row> {
        let width = self.width();
        let Self { grid, cells, singles, step } = self;
        let mut filled = singles.unwrap_or_default();
        filled.sort_by_key(|(at, _)| *at);
        let place = |(cell, samples): (usize, Bucket)| (grid.start + cell as i64 * grid.width, samples);
        filled.extend(cells.into_iter().enumerate().filter(|(_, samples)| samples.count() > 0).map(place));
        let mut distances: Vec<i64> = filled.windows(2).map(|two| two[1].0 - two[0].0).collect();
        distances.sort_unstable();
        let usual = distances.get(distances.len() / 2).copied().unwrap_or(0).max(width).max(step);
        let mut rows: Vec<Row> = Vec::with_capacity(filled.len());
        for (at, samples) in filled {
            if let Some((before, _)) = rows.last().filter(|(before, _)| at - before > GAP_STEPS * usual) {
                rows.push((before + width.max(step), None));
            }
            rows.push((at, Some(samples)));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Extent;
    use proptest::prelude::*;

    fn sample(value: i64) -> Bucket {
        let one = Extent { count: 1, sum: value, low: value, high: value };
        Bucket { temperature: one, humidity: one, heater_on: value.rem_euclid(2), ..Bucket::default() }
    }

    #[track_caller]
    fn check(grid: (i64, i64, usize, i64), start: i64, width: i64) {
        let made = Grid::new(grid.0, grid.1, grid.2, grid.3);
        assert_eq!((made.start, made.width), (start, width), "{grid:?}");
    }

    #[test]
    fn grids_are_multiples_of_their_unit() {
        check((0, 86_400_000, 500, 60_000), 0, 180_000);
        check((86_400_001, 2 * 86_400_000, 500, 60_000), 86_400_000, 180_000);
        check((90_000, 100_000, 1, 60_000), 60_000, 60_000);
        check((90_000, 180_001, 1, 60_000), 60_000, 180_000);
        check((-5, 5, 2, 1), -10, 10);
        check((0, 1, 2000, 1000), 0, 1000);
    }

    #[test]
    fn a_gap_is_one_row_without_samples() {
        let mut series = Series::new(Grid::new(0, 100_000, 100, 1000), false, 1000);
        for at in [0, 1000, 2000, 3000, 10_000, 11_000, 12_000] {
            series.add(at, &sample(at));
        }
        let rows: Vec<(i64, bool)> = series.rows().into_iter().map(|(at, samples)| (at, samples.is_some())).collect();
        let expected = [(0, true), (2000, true), (4000, false), (10_000, true), (12_000, true)];
        assert_eq!(rows, expected, "cells of 2 s");
    }

    #[test]
    fn few_samples_stay_as_they_are() {
        let mut series = Series::new(Grid::new(0, 100_000, 3, 1000), true, 5000);
        for at in [5001, 3, 10_007] {
            series.add(at, &sample(at));
        }
        assert_eq!(series.width(), 0);
        assert_eq!(series.rows(), [3, 5001, 10_007].map(|at| (at, Some(sample(at)))));
    }

    proptest! {
        /// Whatever comes in whatever order: every sample of the range once, none twice, none outside of its point, nothing lower or higher
        /// than the point says, and no more points than asked for.
        #[test]
        fn every_sample_counts_once(
            from in -10_000i64..10_000,
            range in 1i64..1_000_000,
            cells in 1usize..50,
            unit in prop::sample::select(vec![1i64, 1000, 60_000]),
            single: bool,
            samples in prop::collection::vec((-1_000_000i64..1_100_000, -4000i64..8000), 0..200),
        ) {
            let (from, to) = (floor_to(from, unit), ceil_to(from + range, unit));
            let within: Vec<_> = samples.iter().filter(|(at, _)| (from..to).contains(at)).collect();
            let mut series = Series::new(Grid::new(from, to, cells, unit), single, 1000);
            within.iter().for_each(|(at, value)| series.add(*at, &sample(*value)));
            let width = series.width();
            let rows = series.rows();
            prop_assert!(rows.windows(2).all(|two| two[0].0 <= two[1].0), "in order");
            let filled: Vec<_> = rows.iter().filter_map(|(at, samples)| Some((*at, (*samples)?))).collect();
            prop_assert!(filled.len() <= cells);
            prop_assert_eq!(filled.iter().map(|(_, bucket)| bucket.count()).sum::<i64>(), within.len() as i64);
            for (at, bucket) in &filled {
                let of: Vec<i64> =
                    within.iter().filter(|(t, _)| (*at..at + width.max(1)).contains(t)).map(|(_, value)| *value).collect();
                if width > 0 {
                    prop_assert_eq!(bucket.count(), of.len() as i64);
                    prop_assert_eq!(bucket.temperature.sum, of.iter().sum::<i64>());
                    prop_assert_eq!(Some(&bucket.temperature.low), of.iter().min());
                    prop_assert_eq!(Some(&bucket.temperature.high), of.iter().max());
                    prop_assert_eq!(bucket.heater_on, of.iter().filter(|value| value.rem_euclid(2) == 1).count() as i64);
                } else {
                    prop_assert!(of.contains(&bucket.temperature.low));
                }
            }
        }
    }
}
