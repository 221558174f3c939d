//! Cursors and their accounts: where each sink is in the sequence, and what became of every sample before that place.
//!
//! **Invariant.** For each sink, at any moment:
//! `sampled = delivered + waiting + dead_letter + superseded + evicted`.

use std::ops::Range;

/// One sink's place in the sequence and the books about what lies behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cursor {
    /// The sink's name.
    pub(super) sink: String,
    /// Everything before this number is settled; this one is next.
    pub(super) next: u64,
    /// The number the sink began at.
    pub(super) start: u64,
    /// Samples that were lost before they got a number, because the journal's thread was too slow to take them.
    pub(super) unnumbered: u64,
    /// Accepted by the server.
    pub(super) delivered: u64,
    /// Lost: pushed out by a limit, or by damage on disk.
    pub(super) evicted: u64,
    /// Refused by the server for good.
    pub(super) dead_letter: u64,
    /// Not sent because the server only takes the latest, and a later one was sent.
    pub(super) superseded: u64,
}

impl Cursor {
    /// A sink seen for the first time, which begins at `start`.
    pub(super) fn new(sink: &str, start: u64) -> Self {
        let sink = sink.to_owned();
        Self { sink, next: start, start, unnumbered: 0, delivered: 0, evicted: 0, dead_letter: 0, superseded: 0 }
    }

    /// The numbers as text, for files: next, start, unnumbered, delivered, evicted, dead letter, superseded.
    pub(super) fn numbers(&self) -> String {
        let Self { sink: _, next, start, unnumbered, delivered, evicted, dead_letter, superseded } = self;
        format!("{next} {start} {unnumbered} {delivered} {evicted} {dead_letter} {superseded}")
    }

    /// The inverse of [`Cursor::numbers`]; `None` when the numbers cannot be true.
    pub(super) fn parse(sink: &str, numbers: &str) -> Option<Self> {
        let numbers: Vec<u64> = numbers.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [next, start, unnumbered, delivered, evicted, dead_letter, superseded] = numbers[..] else { return None };
        let sink = sink.to_owned();
        let cursor = Self { sink, next, start, unnumbered, delivered, evicted, dead_letter, superseded };
        cursor.is_balanced().then_some(cursor)
    }

    /// Whether the numbers can be true.
    pub(super) fn is_balanced(&self) -> bool {
        let settled = [self.delivered, self.evicted, self.dead_letter, self.superseded];
        let settled = settled.into_iter().try_fold(0u64, u64::checked_add);
        let behind = self.next.checked_sub(self.start).and_then(|passed| passed.checked_add(self.unnumbered));
        settled.is_some() && settled == behind
    }
}

/// A cursor of a configured sink, with what only the running program knows.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) cursor: Cursor,
    /// Evicted since the sink last read: these may be on their way to the server all the same.
    in_flight_evicted: u64,
    /// Whether the sink is still to be told that a batch waits.
    pub(super) to_notify: bool,
    /// Where the cursor is on disk.
    saved: u64,
}

/// The cursors of all configured sinks.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    pub(super) fn new(cursors: Vec<Cursor>) -> Self {
        let entry = |cursor: Cursor| Entry { saved: cursor.next, cursor, in_flight_evicted: 0, to_notify: true };
        Self { entries: cursors.into_iter().map(entry).collect() }
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    pub(super) fn cursors(&self) -> impl Iterator<Item = &Cursor> {
        self.entries.iter().map(|entry| &entry.cursor)
    }

    pub(super) fn get(&self, sink: &str) -> Option<&Cursor> {
        self.cursors().find(|cursor| cursor.sink == sink)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What every sink has lies before this number; `None` without sinks.
    pub(super) fn slowest(&self) -> Option<u64> {
        self.cursors().map(|cursor| cursor.next).min()
    }

    /// The cursors are on disk as they are.
    pub(super) fn mark_saved(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.saved = entry.cursor.next);
    }

    /// So many sealed samples, those before `sealed_end`, would be sent again if the power failed now.
    pub(super) fn unsaved(&self, sealed_end: u64) -> u64 {
        let unsaved = |entry: &Entry| entry.cursor.next.min(sealed_end).saturating_sub(entry.saved);
        self.entries.iter().map(unsaved).max().unwrap_or(0)
    }

    fn entry(&mut self, sink: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.cursor.sink == sink)
    }

    /// The sink asks for what follows its cursor.
    pub(super) fn begin_read(&mut self, sink: &str) {
        if let Some(entry) = self.entry(sink) {
            entry.in_flight_evicted = 0;
        }
    }

    /// The sink is done with everything before `through`, of which the server accepted `delivered`.
    pub(super) fn settle(&mut self, sink: &str, through: u64, delivered: u64) {
        let Some(entry) = self.entry(sink) else { return };
        let cursor = &mut entry.cursor;
        let passed = through.saturating_sub(cursor.next);
        cursor.next += passed;
        let delivered_now = delivered.min(passed);
        // Points that were evicted while they were on their way, and arrived after all.
        let arrived = (delivered - delivered_now).min(entry.in_flight_evicted);
        cursor.evicted -= arrived;
        entry.in_flight_evicted -= arrived;
        cursor.delivered += delivered_now + arrived;
        cursor.dead_letter += passed - delivered_now;
        entry.to_notify = true;
    }

    /// Everything before `seq` is gone: who did not have it, has lost it. Returns the largest number of samples a sink lost.
    pub(super) fn evict_before(&mut self, seq: u64) -> u64 {
        let lost = self.entries.iter_mut().map(|entry| {
            let lost = seq.saturating_sub(entry.cursor.next);
            entry.cursor.next += lost;
            entry.cursor.evicted += lost;
            entry.in_flight_evicted += lost;
            lost
        });
        lost.max().unwrap_or(0)
    }

    /// Nobody will ever know when the samples of `range` were taken: for the sinks that have come to them they are dead letters. Says
    /// whether a cursor moved.
    pub(super) fn give_up(&mut self, range: &Range<u64>) -> bool {
        let mut moved = false;
        for entry in self.entries.iter_mut().filter(|entry| range.contains(&entry.cursor.next)) {
            entry.cursor.dead_letter += range.end - entry.cursor.next;
            entry.cursor.next = range.end;
            moved = true;
        }
        moved
    }

    /// A hole in the sequence before `seq`, found when `sink` came to it.
    pub(super) fn skip_hole(&mut self, sink: &str, seq: u64) {
        if let Some(entry) = self.entry(sink) {
            let lost = seq.saturating_sub(entry.cursor.next);
            entry.cursor.next += lost;
            entry.cursor.evicted += lost;
        }
    }

    /// `count` samples were lost before they got a number.
    pub(super) fn lose_unnumbered(&mut self, count: u64) {
        for entry in &mut self.entries {
            entry.cursor.unnumbered += count;
            entry.cursor.evicted += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_arrives_after_its_eviction_is_delivered() {
        let mut ledger = Ledger::new(vec![Cursor::new("a", 0)]);
        ledger.begin_read("a");
        assert_eq!(ledger.evict_before(60), 60);
        ledger.settle("a", 100, 100);
        let cursor = ledger.get("a").unwrap();
        assert_eq!((cursor.next, cursor.delivered, cursor.evicted), (100, 100, 0));
        ledger.settle("a", 90, 90);
        let cursor = ledger.get("a").unwrap();
        assert_eq!((cursor.next, cursor.delivered, cursor.evicted), (100, 100, 0), "a second time changes nothing");
    }

    #[test]
    fn cursors_come_back_from_text_or_not_at_all() {
        let mut ledger = Ledger::new(vec![Cursor::new("a", 3)]);
        ledger.settle("a", 10, 4);
        ledger.evict_before(12);
        ledger.lose_unnumbered(5);
        let cursor = ledger.get("a").unwrap();
        assert_eq!(cursor.numbers(), "12 3 5 4 7 3 0");
        assert_eq!(Cursor::parse("a", &cursor.numbers()).as_ref(), Some(cursor));
        for bad in ["", "12 3 5 4 7 0", "13 3 5 4 7 0 3", "12 3 5 4 7 0 3 1", "a b", "1 3 0 0 0 0 0"] {
            assert_eq!(Cursor::parse("a", bad), None, "{bad:?}");
        }
    }

    proptest! {
        /// Whatever happens in whatever order, with whatever numbers.
        #[test]
        fn the_books_always_balance(steps in prop::collection::vec((0..6u8, 0..50u64, 0..60u64, any::<bool>()), 0..60)) {
            let mut ledger = Ledger::new(vec![Cursor::new("a", 7), Cursor::new("b", 20)]);
            for (what, ahead, count, first) in steps {
                let sink = if first { "a" } else { "b" };
                let place = (ledger.get(sink).unwrap().next + ahead).saturating_sub(10);
                match what {
                    0 => ledger.begin_read(sink),
                    1 => ledger.settle(sink, place, count),
                    3 => { ledger.evict_before(place); }
                    4 => ledger.skip_hole(sink, place),
                    _ => ledger.lose_unnumbered(count),
                }
                for cursor in ledger.cursors() {
                    prop_assert!(cursor.is_balanced(), "{:?}", cursor);
                }
            }
        }
    }
}
