//! The open tail: the newest samples of the sequence, in memory, not yet in a block.

use std::collections::VecDeque;

use filamentbox_core::sample::{Point, Sample};
use filamentbox_core::time::{Clock, Monotonic, UnixTime};

/// The samples numbered [`Tail::first`] to [`Tail::end`], the latter not included.
#[derive(Debug)]
pub(super) struct Tail {
    first: u64,
    samples: VecDeque<Sample>,
    /// So many from the front have a wall time. What follows the first one without is held: neither sealed nor delivered, so
    /// that the sequence stays in order.
    stamped: usize,
    /// The latest time stamps, in the order of the sequence: a wall clock that was set back must not give one of them again.
    given: VecDeque<i64>,
    newest_given: Option<i64>,
}

/// So many time stamps are remembered: at a reading every 5 s, the clock may be set back by five hours.
const GIVEN_MAX: usize = 4096;

impl Tail {
    pub(super) fn new(first: u64) -> Self {
        Self { first, samples: VecDeque::new(), stamped: 0, given: VecDeque::new(), newest_given: None }
    }

    /// The number of the oldest open sample, or of the next one when none is open.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next sample gets.
    pub(super) fn end(&self) -> u64 {
        self.first + self.samples.len() as u64
    }

    /// Where the samples end whose wall time is known.
    pub(super) fn stamped_end(&self) -> u64 {
        self.first + self.stamped as u64
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Samples that wait for the wall clock, or behind one that does.
    pub(super) fn held(&self) -> usize {
        self.samples.len() - self.stamped
    }

    /// Appends the sample with the number [`Tail::end`].
    pub(super) fn push(&mut self, sample: Sample) {
        self.samples.push_back(sample);
        self.advance();
    }

    /// Gives samples without a wall time the one they had, once it is known. It then stays: what was delivered under one time
    /// is never delivered again under another.
    pub(super) fn stamp(&mut self, clock: &Clock) {
        if clock.wall.is_none() || self.held() == 0 {
            return;
        }
        for sample in self.samples.range_mut(self.stamped..) {
            sample.wall = sample.wall.or_else(|| clock.wall_at(sample.taken_at));
        }
        self.advance();
    }

    fn advance(&mut self) {
        while let Some((sample, wall)) = self.samples.get_mut(self.stamped).and_then(|s| s.wall.map(|wall| (s, wall))) {
            // Normally time goes on, and one look tells.
            let goes_on = self.newest_given.is_none_or(|newest| newest < wall.millis());
            let millis = if goes_on { wall.millis() } else { unused(wall.millis(), &self.given) };
            self.newest_given = self.newest_given.max(Some(millis));
            sample.wall = Some(UnixTime::from_millis(millis));
            self.given.push_back(millis);
            if self.given.len() > GIVEN_MAX {
                self.given.pop_front();
            }
            self.stamped += 1;
        }
    }

    /// When the sample with the number `seq` was taken; `None` when it is not open.
    pub(super) fn taken_at(&self, seq: u64) -> Option<Monotonic> {
        self.samples.get(self.index(seq)?).map(|sample| sample.taken_at)
    }

    /// The stamped points from `seq` on, oldest first.
    pub(super) fn points_from(&self, seq: u64) -> impl Iterator<Item = Point> {
        let start = self.index(seq.max(self.first)).unwrap_or(self.stamped).min(self.stamped);
        self.samples.range(start..self.stamped).filter_map(|sample| Some(sample.point_at(sample.wall?)))
    }

    /// Every open sample with its number.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u64, &Sample)> {
        (self.first..).zip(&self.samples)
    }

    /// Forgets what lies before `seq`: it is sealed, or had to go.
    pub(super) fn forget_before(&mut self, seq: u64) {
        let count = usize::try_from(seq.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.samples.len());
        self.samples.drain(..count);
        self.first += count as u64;
        self.stamped = self.stamped.saturating_sub(count);
        // A sample that held others back may be gone.
        self.advance();
        if self.samples.is_empty() {
            // An outage may have grown it to megabytes.
            self.samples.shrink_to(64);
        }
    }

    fn index(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.first)?).ok()
    }
}

/// The first time stamp from `millis` on that was not given yet.
fn unused(mut millis: i64, given: &VecDeque<i64>) -> i64 {
    while given.contains(&millis) {
        millis += 1;
    }
    millis
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use filamentbox_core::sample::BoxName;
    use filamentbox_core::time::UnixTime;

    use super::*;
    use crate::journal::testing::{Noise, measurement};

    fn sample(second: u64, wall: Option<i64>) -> Sample {
        Sample {
            box_name: BoxName::main(),
            taken_at: Monotonic::ZERO + Duration::from_secs(second),
            wall: wall.map(UnixTime::from_millis),
            measurement: measurement(second, 1000, &mut Noise::new()),
            heater_on: false,
            fan_on: false,
        }
    }

    #[test]
    fn samples_before_the_clock_is_known_are_held_and_stamped_later() {
        let mut tail = Tail::new(5);
        tail.push(sample(10, None));
        tail.push(sample(11, Some(111_000)));
        assert_eq!((tail.stamped_end(), tail.end(), tail.held()), (5, 7, 2));
        let now = Monotonic::ZERO + Duration::from_secs(12);
        tail.stamp(&Clock { now, wall: None });
        assert_eq!(tail.points_from(0).count(), 0);
        tail.stamp(&Clock { now, wall: Some(UnixTime::from_millis(112_000)) });
        let times: Vec<i64> = tail.points_from(0).map(|point| point.at.millis()).collect();
        assert_eq!(times, [110_000, 111_000]);
        tail.stamp(&Clock { now, wall: Some(UnixTime::from_millis(500_000)) });
        assert_eq!(tail.points_from(5).next().map(|point| point.at.millis()), Some(110_000), "a stamp stays");
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_time_twice() {
        let mut tail = Tail::new(0);
        for (second, wall) in [1000, 2000, 1000, 1001, 2000, 3000].into_iter().enumerate() {
            tail.push(sample(second as u64, Some(wall)));
        }
        let times: Vec<i64> = tail.points_from(0).map(|point| point.at.millis()).collect();
        assert_eq!(times, [1000, 2000, 1001, 1002, 2001, 3000]);
    }

    #[test]
    fn forgetting_what_held_others_back_frees_them() {
        let mut tail = Tail::new(0);
        tail.push(sample(1, Some(1)));
        tail.push(sample(2, None));
        tail.push(sample(3, Some(3)));
        assert_eq!((tail.stamped_end(), tail.points_from(1).count()), (1, 0));
        tail.forget_before(2);
        assert_eq!((tail.first(), tail.stamped_end(), tail.end()), (2, 3, 3));
        tail.forget_before(9);
        assert_eq!((tail.first(), tail.end(), tail.len()), (3, 3, 0));
    }
}
