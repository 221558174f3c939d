//! The open tail: the newest samples of the sequence, in memory, not yet in a block.

use std::collections::VecDeque;
use std::time::Duration;

use filamentbox_core::sample::{Point, Sample};
use filamentbox_core::time::{Clock, Monotonic, UnixTime};

use super::stamps::{Sealed, Stamps};

/// A stamp that is further off than this is wrong: the clock was set since.
const STEP: Duration = Duration::from_secs(1);

/// The samples numbered [`Tail::first`] to [`Tail::end`], the latter not included.
///
/// **Invariant.** What a sink was given keeps its stamp for ever, also after a crash: it is in the crash log, or sealed.
#[derive(Debug)]
pub(super) struct Tail {
    first: u64,
    samples: VecDeque<Sample>,
    /// So many from the front have a stamp: a wall time that no other sample has. The others are held: no sink gets them.
    stamped: usize,
    /// Sinks were given what lies before this number.
    given: u64,
    /// From this number on, stamps are other than the crash log says: no sink gets them before they are sealed.
    unlogged: Option<u64>,
    stamps: Stamps,
}

impl Tail {
    pub(super) fn new(first: u64, stamps: Stamps) -> Self {
        Self { first, samples: VecDeque::new(), stamped: 0, given: first, unlogged: None, stamps }
    }

    /// The number of the oldest open sample, or of the next one when none is open.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next sample gets.
    pub(super) fn end(&self) -> u64 {
        self.first + self.samples.len() as u64
    }

    /// Where the samples end that sinks may have: their stamps are known and stay.
    pub(super) fn stamped_end(&self) -> u64 {
        self.unlogged.unwrap_or(u64::MAX).min(self.first + self.stamped as u64)
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Samples without a stamp.
    pub(super) fn held(&self) -> usize {
        self.samples.len() - self.stamped
    }

    /// Whether there are samples that sinks get only when they are sealed.
    pub(super) fn must_seal(&self) -> bool {
        self.unlogged.is_some()
    }

    /// The newest stamp ever given.
    pub(super) fn newest(&self) -> Option<UnixTime> {
        self.stamps.newest().map(UnixTime::from_millis)
    }

    /// The stamps that were given.
    pub(super) fn stamps(&mut self) -> &mut Stamps {
        &mut self.stamps
    }

    /// Appends the sample with the number [`Tail::end`]. It is held until [`Tail::stamp`].
    pub(super) fn push(&mut self, sample: Sample) {
        self.samples.push_back(sample);
    }

    /// Appends a sample of the crash log, in the order of the sequence. Sinks may have been given it with the time that it has there,
    /// unless an older one has that.
    pub(super) fn push_recovered(&mut self, mut sample: Sample, sealed: &mut Sealed<'_>) {
        if self.held() == 0
            && let Some(wall) = sample.wall
            && let Some(stamp) = self.stamps.give(wall.millis(), &sample.box_name, self.stamped + 1, sealed)
        {
            sample.wall = Some(UnixTime::from_millis(stamp));
            self.stamped += 1;
            self.given = self.end() + 1;
        }
        self.samples.push_back(sample);
    }

    /// Gives held samples their stamps, once the wall clock is known: the time each was taken with, unless the clock was set since, or
    /// was not known then.
    pub(super) fn stamp(&mut self, clock: &Clock, sealed: &mut Sealed<'_>) {
        while let Some(sample) = self.samples.get_mut(self.stamped) {
            let Some(at) = clock.wall_at(sample.taken_at) else { return };
            let is_near = |wall: &UnixTime| wall.millis().abs_diff(at.millis()) <= STEP.as_millis() as u64;
            let wanted = sample.wall.filter(is_near).unwrap_or(at);
            let Some(stamp) = self.stamps.give(wanted.millis(), &sample.box_name, self.stamped + 1, sealed) else {
                return;
            };
            let stamp = Some(UnixTime::from_millis(stamp));
            if sample.wall != stamp {
                sample.wall = stamp;
                self.unlogged.get_or_insert(self.first + self.stamped as u64);
            }
            self.stamped += 1;
        }
    }

    /// The wall clock was set: samples that no sink was given are to be stamped anew. Says how many.
    pub(super) fn unstamp(&mut self) -> usize {
        let keep = self.index(self.given).unwrap_or(0).min(self.stamped);
        let count = self.stamped - keep;
        let stamps = self.samples.range(keep..self.stamped).rev();
        self.stamps.take_back(stamps.filter_map(|sample| Some((sample.wall?.millis(), sample.box_name.clone()))));
        self.stamped = keep;
        count
    }

    /// A sink was given what lies before `seq`.
    pub(super) fn give(&mut self, seq: u64) {
        self.given = self.given.max(seq);
    }

    /// When the sample with the number `seq` was taken; `None` when it is not open.
    pub(super) fn taken_at(&self, seq: u64) -> Option<Monotonic> {
        self.samples.get(self.index(seq)?).map(|sample| sample.taken_at)
    }

    /// The points from `seq` on that sinks may have, oldest first.
    pub(super) fn points_from(&self, seq: u64) -> impl Iterator<Item = Point> {
        let end = usize::try_from(self.stamped_end().saturating_sub(self.first)).unwrap_or(0);
        let start = self.index(seq.max(self.first)).unwrap_or(end).min(end);
        self.samples.range(start..end).filter_map(|sample| Some(sample.point_at(sample.wall?)))
    }

    /// The open samples as points to be sealed, oldest first: the stamped ones, and after them the held ones with the time since boot in
    /// place of the wall time.
    pub(super) fn to_seal(&self) -> (Vec<Point>, Vec<Point>) {
        let stamped = self.samples.range(..self.stamped).filter_map(|sample| Some(sample.point_at(sample.wall?)));
        let held = self.samples.range(self.stamped..).map(|sample| sample.point_at(since_boot(sample.taken_at)));
        (stamped.collect(), held.collect())
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
        self.unlogged =
            self.unlogged.map(|seq| seq.max(self.first)).filter(|seq| *seq < self.first + self.stamped as u64);
        if self.samples.is_empty() {
            // An outage may have grown it to megabytes.
            self.samples.shrink_to(64);
        }
    }

    /// The numbers before `seq` were given to what is on disk already. Nothing is open.
    pub(super) fn skip_to(&mut self, seq: u64) {
        debug_assert!(self.samples.is_empty() && seq >= self.first, "numbers are given once");
        self.first = seq;
        self.given = self.given.max(seq);
    }

    fn index(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.first)?).ok()
    }
}

/// A moment since boot, where a block that is not stamped has its times: in ms, rounded.
fn since_boot(moment: Monotonic) -> UnixTime {
    UnixTime::from_millis(i64::try_from((moment.nanos() + 500_000) / 1_000_000).unwrap_or(i64::MAX))
}

/// The inverse of [`since_boot`].
pub(super) fn moment_since_boot(time: UnixTime) -> Monotonic {
    Monotonic::from_nanos(u64::try_from(time.millis()).unwrap_or(0).saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use filamentbox_core::sample::BoxName;

    use super::*;
    use crate::journal::testing::{Noise, measurement};

    /// The wall clock is 100 s ahead of the time since boot.
    fn sample(second: u64, wall: Option<i64>) -> Sample {
        Sample {
            box_name: BoxName::main(),
            taken_at: at(second),
            wall: wall.map(UnixTime::from_millis),
            measurement: measurement(second, 1000, &mut Noise::new()),
            heater_on: false,
            fan_on: false,
        }
    }

    fn at(second: u64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs(second)
    }

    fn stamp(tail: &mut Tail, second: u64, wall: Option<i64>) {
        let clock = Clock { now: at(second), wall: wall.map(UnixTime::from_millis) };
        tail.stamp(&clock, &mut |_| Some(Vec::new()));
    }

    fn times(tail: &Tail) -> Vec<i64> {
        tail.to_seal().0.iter().map(|point| point.at.millis()).collect()
    }

    #[test]
    fn samples_before_the_clock_is_known_are_held_and_stamped_later() {
        let mut tail = Tail::new(5, Stamps::after(None));
        tail.push(sample(10, None));
        tail.push(sample(11, Some(111_000)));
        stamp(&mut tail, 12, None);
        assert_eq!((tail.stamped_end(), tail.end(), tail.held()), (5, 7, 2));
        let held: Vec<i64> = tail.to_seal().1.iter().map(|point| point.at.millis()).collect();
        assert_eq!(held, [10_000, 11_000]);
        stamp(&mut tail, 12, Some(112_000));
        assert_eq!(times(&tail), [110_000, 111_000]);
        assert!(tail.must_seal() && tail.points_from(0).count() == 0, "the crash log has no time for the first");
        tail.forget_before(6);
        assert!(!tail.must_seal() || tail.points_from(0).count() == 0);
        tail.forget_before(7);
        assert!(!tail.must_seal());
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_time_twice() {
        let mut tail = Tail::new(0, Stamps::after(None));
        for (second, wall) in [(1, 1_000), (2, 2_000), (1, 1_000), (1, 1_001), (2, 2_000), (3, 3_000)] {
            tail.push(sample(second, Some(wall)));
            stamp(&mut tail, second, Some(wall));
        }
        assert_eq!(times(&tail), [1000, 2000, 1001, 1002, 2001, 3000]);
        assert_eq!(tail.points_from(0).count(), 2, "the others are in the crash log with another time");
    }

    #[test]
    fn after_a_step_what_no_sink_has_is_stamped_anew() {
        let mut tail = Tail::new(0, Stamps::after(None));
        for second in 1..=3 {
            tail.push(sample(second, Some(second as i64 * 1000)));
        }
        stamp(&mut tail, 3, Some(3_000));
        tail.give(1);
        assert_eq!(tail.unstamp(), 2);
        tail.push(sample(4, Some(4_000)));
        // A reading of just before the step comes in after it.
        stamp(&mut tail, 4, Some(104_000));
        assert_eq!(times(&tail), [1_000, 102_000, 103_000, 104_000]);
        assert_eq!((tail.stamped_end(), tail.newest()), (1, Some(UnixTime::from_millis(104_000))));
        tail.forget_before(4);
        tail.push(sample(5, Some(105_999)));
        stamp(&mut tail, 5, Some(105_000));
        assert_eq!((times(&tail), tail.stamped_end()), (vec![105_999], 5), "less than a second is none");
    }

    #[test]
    fn what_was_recovered_keeps_its_time() {
        let mut tail = Tail::new(3, Stamps::after(None));
        tail.push_recovered(sample(1, Some(5_000)), &mut |_| Some(Vec::new()));
        tail.push_recovered(sample(2, None), &mut |_| Some(Vec::new()));
        assert_eq!((tail.stamped_end(), tail.held()), (4, 1));
        assert_eq!(tail.unstamp(), 0);
        stamp(&mut tail, 2, Some(102_000));
        assert_eq!(times(&tail), [5_000, 102_000]);
        assert_eq!(tail.stamped_end(), 4);
    }
}
