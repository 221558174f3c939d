//! Which time stamps were given: none is given twice, whatever the wall clock does, because a backend would overwrite the older point.
//!
//! Normally time goes on, and one comparison tells that a stamp is new. After a step back it is looked for among the latest ones, in
//! memory, and for what lies further back in the journal's file. (A clock that is more than a day behind what is stored is not
//! believed, and the file keeps a day at least.)

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use filamentbox_core::sample::BoxName;

/// So many stamps are remembered at least.
const RECENT_MIN: usize = 4096;
/// The file is asked for so many milliseconds at once.
const WINDOW_MS: i64 = 3_600_000;

/// A time in ms since 1970, and the box whose sample has it.
pub(super) type Stamp = (i64, BoxName);
/// Asks the file for the stamps of a time range; `None` when it cannot be read.
pub(super) type Sealed<'a> = dyn FnMut(Range<i64>) -> Option<Vec<Stamp>> + 'a;

/// The stamps that were given.
#[derive(Debug)]
pub(super) struct Stamps {
    /// The latest, in the order in which they were given.
    recent: VecDeque<Stamp>,
    /// Every stamp above this that was given is in `recent`.
    covered: i64,
    /// The newest of each box, where it is above `covered`.
    newest: BTreeMap<BoxName, i64>,
    /// Sorted: the stamps of this range that are not in `recent`.
    window: Range<i64>,
    in_window: Vec<Stamp>,
}

impl Stamps {
    /// After those of the file, of which the newest is `newest`.
    pub(super) fn after(newest: Option<i64>) -> Self {
        Self {
            recent: VecDeque::new(),
            covered: newest.unwrap_or(i64::MIN),
            newest: BTreeMap::new(),
            window: 0..0,
            in_window: Vec::new(),
        }
    }

    /// The newest of all; `None` when none was given.
    pub(super) fn newest(&self) -> Option<i64> {
        self.newest.values().copied().chain([self.covered]).max().filter(|newest| *newest != i64::MIN)
    }

    /// Gives `wanted`, or the next one that is free in that box. `keep` of the latest are to be remembered. `None` when the file had to
    /// be asked and did not answer.
    pub(super) fn give(
        &mut self,
        wanted: i64,
        box_name: &BoxName,
        keep: usize,
        sealed: &mut Sealed<'_>,
    ) -> Option<i64> {
        let mut stamp = (wanted, box_name.clone());
        if wanted <= self.newest.get(box_name).copied().unwrap_or(i64::MIN).max(self.covered) {
            while self.is_given(&stamp, sealed)? {
                stamp.0 += 1;
            }
        }
        let given = stamp.0;
        self.record(stamp, keep);
        Some(given)
    }

    fn record(&mut self, stamp: Stamp, keep: usize) {
        let newest = self.newest.entry(stamp.1.clone()).or_insert(stamp.0);
        *newest = stamp.0.max(*newest);
        self.recent.push_back(stamp);
        while self.recent.len() > RECENT_MIN.max(keep) {
            let Some(oldest) = self.recent.pop_front() else { return };
            self.covered = self.covered.max(oldest.0);
            if self.window.contains(&oldest.0)
                && let Err(place) = self.in_window.binary_search(&oldest)
            {
                self.in_window.insert(place, oldest);
            }
        }
    }

    /// These stamps were not used after all: nobody has seen them. The latest first.
    pub(super) fn take_back(&mut self, stamps: impl Iterator<Item = Stamp>) {
        for stamp in stamps {
            if let Some(place) = self.recent.iter().rposition(|given| *given == stamp) {
                self.recent.remove(place);
            }
        }
        self.newest.clear();
        for (millis, box_name) in &self.recent {
            let newest = self.newest.entry(box_name.clone()).or_insert(*millis);
            *newest = (*newest).max(*millis);
        }
    }

    fn is_given(&mut self, stamp: &Stamp, sealed: &mut Sealed<'_>) -> Option<bool> {
        if self.recent.contains(stamp) {
            return Some(true);
        }
        if stamp.0 > self.covered {
            return Some(false);
        }
        if !self.window.contains(&stamp.0) {
            let window = stamp.0..stamp.0.saturating_add(WINDOW_MS);
            self.in_window = sealed(window.clone())?;
            self.in_window.sort_unstable();
            self.window = window;
        }
        Some(self.in_window.binary_search(stamp).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never(_: Range<i64>) -> Option<Vec<Stamp>> {
        panic!("the file is not needed");
    }

    fn give(stamps: &mut Stamps, wanted: i64, sealed: &mut Sealed<'_>) -> Option<i64> {
        stamps.give(wanted, &BoxName::main(), 0, sealed)
    }

    #[test]
    fn time_that_goes_on_needs_no_look() {
        let mut stamps = Stamps::after(Some(50));
        assert_eq!(stamps.newest(), Some(50));
        for wanted in 51..10_000 {
            assert_eq!(give(&mut stamps, wanted, &mut never), Some(wanted));
            let left = BoxName::new("left").unwrap();
            assert_eq!(stamps.give(wanted, &left, 0, &mut never), Some(wanted), "of another box");
        }
    }

    #[test]
    fn a_step_back_finds_what_was_given_in_memory_and_in_the_file() {
        let mut stamps = Stamps::after(Some(1_000_000));
        let mut asked = 0;
        let mut file = |range: Range<i64>| {
            asked += 1;
            let all = [7_000, 5_000, 5_001].into_iter().filter(|stamp| range.contains(stamp));
            Some(all.map(|stamp| (stamp, BoxName::main())).collect())
        };
        for (wanted, given) in [(5_000, 5_002), (5_002, 5_003), (6_000, 6_000), (7_000, 7_001), (7_000, 7_002)] {
            assert_eq!(give(&mut stamps, wanted, &mut file), Some(given));
        }
        assert_eq!(asked, 1, "a window at a time");
        assert_eq!(give(&mut stamps, 1_000_001, &mut never), Some(1_000_001));
        assert_eq!(give(&mut stamps, 0, &mut |_| None), None, "who cannot tell gives none");
        // What falls out of memory is still known.
        for wanted in 2_000_000..2_005_000 {
            give(&mut stamps, wanted, &mut never);
        }
        assert_eq!(give(&mut stamps, 6_000, &mut never), Some(6_001));
    }

    #[test]
    fn what_is_taken_back_is_free_again() {
        let mut stamps = Stamps::after(None);
        for wanted in [10, 20, 900] {
            give(&mut stamps, wanted, &mut never);
        }
        stamps.take_back([900, 20].map(|stamp| (stamp, BoxName::main())).into_iter());
        assert_eq!(stamps.newest(), Some(10));
        assert_eq!(give(&mut stamps, 20, &mut never), Some(20));
        assert_eq!(Stamps::after(None).newest(), None);
    }
}
