//! Cursors and their accounts: where each sink is in the sequence, and what became of every sample before that place.
//!
//! Next to its cursor a sink may have *islands*: ranges further on that are settled already, because after an outage the newest samples
//! go first. When the cursor reaches an island, it jumps to the island's end.
//!
//! **Invariant.** For each sink, at any moment:
//! `sampled = delivered + waiting + dead_letter + superseded + evicted`.

use std::cmp::Reverse;
use std::ops::Range;

/// Islands of one sink: one an outage that began while the backlog of another was still draining. Beyond it, the newest samples wait
/// their turn.
const ISLANDS_MAX: usize = 8;

/// What became of the samples of a range.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Settled {
    /// Accepted by the server.
    pub(super) delivered: u64,
    /// Refused by it for good.
    pub(super) dead_letter: u64,
    /// Not sent because a later one took their place.
    pub(super) superseded: u64,
}

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
    /// Lost: pushed out by a limit, or by damage on disk; or dropped by a person.
    pub(super) evicted: u64,
    /// Refused by the server for good, and in the table of dead letters.
    pub(super) dead_letter: u64,
    /// Not sent because the server only takes the latest, and a later one was sent.
    pub(super) superseded: u64,
    /// Of `evicted`, so many have numbers ahead of the cursor: holes that it will meet. All of them.
    pub(super) holes_ahead: u64,
    /// The revision of the file that `holes_ahead` is right for; another one means that they must be counted again.
    pub(super) revision: u64,
    /// Settled ranges ahead of the cursor, in order, apart from each other. One may be empty: it marks where a range begins.
    pub(super) islands: Vec<Range<u64>>,
}

impl Cursor {
    /// A sink seen for the first time, which begins at `start`.
    pub(super) fn new(sink: &str, start: u64) -> Self {
        Self {
            sink: sink.to_owned(),
            next: start,
            start,
            unnumbered: 0,
            delivered: 0,
            evicted: 0,
            dead_letter: 0,
            superseded: 0,
            holes_ahead: 0,
            revision: 0,
            islands: Vec::new(),
        }
    }

    /// The numbers as text, for files: next, start, unnumbered, delivered, evicted, dead letter, superseded, holes ahead, revision, and
    /// the islands as `from-to`.
    pub(super) fn numbers(&self) -> String {
        let Self {
            sink: _,
            next,
            start,
            unnumbered,
            delivered,
            evicted,
            dead_letter,
            superseded,
            holes_ahead,
            revision,
            islands,
        } = self;
        let mut text = format!(
            "{next} {start} {unnumbered} {delivered} {evicted} {dead_letter} {superseded} {holes_ahead} {revision}"
        );
        for island in islands {
            text.push_str(&format!(" {}-{}", island.start, island.end));
        }
        text
    }

    /// The inverse of [`Cursor::numbers`]; `None` when the numbers cannot be true.
    pub(super) fn parse(sink: &str, numbers: &str) -> Option<Self> {
        let words: Vec<&str> = numbers.split(' ').collect();
        let (plain, islands) = words.split_at_checked(9)?;
        let plain: Vec<u64> = plain.iter().map(|word| word.parse()).collect::<Result<_, _>>().ok()?;
        let [next, start, unnumbered, delivered, evicted, dead_letter, superseded, holes_ahead, revision] = plain[..]
        else {
            return None;
        };
        let island = |word: &&str| {
            let (from, to) = word.split_once('-')?;
            Some(from.parse().ok()?..to.parse().ok()?)
        };
        let islands = islands.iter().map(island).collect::<Option<_>>()?;
        let cursor = Self {
            sink: sink.to_owned(),
            next,
            start,
            unnumbered,
            delivered,
            evicted,
            dead_letter,
            superseded,
            holes_ahead,
            revision,
            islands,
        };
        cursor.is_balanced().then_some(cursor)
    }

    /// Whether the numbers can be true.
    pub(super) fn is_balanced(&self) -> bool {
        let settled = [self.delivered, self.evicted, self.dead_letter, self.superseded];
        let settled = settled.into_iter().try_fold(0u64, u64::checked_add);
        let mut place = self.next;
        for island in &self.islands {
            if island.start < place || island.end < island.start {
                return false;
            }
            place = island.end;
        }
        let known = [self.unnumbered, self.holes_ahead, self.on_islands()];
        let passed = self.next.checked_sub(self.start);
        let passed = known.into_iter().try_fold(passed, |sum, more| Some(sum?.checked_add(more))).flatten();
        settled.is_some() && settled == passed && self.holes_ahead <= self.evicted && self.islands.len() <= ISLANDS_MAX
    }

    /// Samples on islands.
    fn on_islands(&self) -> u64 {
        self.islands.iter().map(|island| island.end - island.start).sum()
    }

    /// Samples that wait, when the next one gets the number `end`.
    pub(super) fn waiting(&self, end: u64) -> u64 {
        (end - self.next).saturating_sub(self.on_islands()).saturating_sub(self.holes_ahead)
    }

    /// The first unsettled range at or after `from` (or the cursor): up to the next island or `end`.
    pub(super) fn unsettled(&self, from: u64, end: u64) -> Range<u64> {
        let mut from = from.max(self.next);
        for island in &self.islands {
            if island.start > from {
                // A lane may have been opened among samples that have no time yet.
                return from..island.start.min(end).max(from);
            }
            from = from.max(island.end);
        }
        from..end.max(from)
    }

    /// The unsettled parts of `range`, in order.
    pub(super) fn unsettled_in(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut parts = Vec::new();
        let mut from = range.start;
        while from < range.end {
            let free = self.unsettled(from, range.end);
            let part = free.start..free.end.min(range.end);
            from = free.end.max(from + 1);
            if !part.is_empty() {
                parts.push(part);
            }
        }
        parts
    }

    /// Moves the cursor to `to` at least, and over the islands it reaches. Says how many unsettled numbers it passed.
    fn advance(&mut self, to: u64) -> u64 {
        let mut passed = 0;
        while self.next < to {
            let free = self.unsettled(self.next, to);
            let end = free.end.min(to);
            passed += end.saturating_sub(free.start);
            self.next = end.max(free.start).max(self.next);
            self.absorb();
        }
        self.absorb();
        passed
    }

    /// Islands that the cursor has reached are behind it.
    fn absorb(&mut self) {
        while let Some(island) = self.islands.first().filter(|island| island.start <= self.next) {
            self.next = self.next.max(island.end);
            self.islands.remove(0);
        }
    }

    /// Counts `passed` samples as `settled` says, and what it does not say as dead letters. Returns what was too much.
    fn count(&mut self, passed: u64, settled: Settled) -> Settled {
        let superseded = settled.superseded.min(passed);
        let delivered = settled.delivered.min(passed - superseded);
        let dead_letter = passed - superseded - delivered;
        self.superseded += superseded;
        self.delivered += delivered;
        self.dead_letter += dead_letter;
        Settled {
            delivered: settled.delivered - delivered,
            dead_letter: settled.dead_letter.saturating_sub(dead_letter),
            superseded: 0,
        }
    }

    /// Of two states of one cursor, the later one is greater: nothing is ever unsettled, and dead letters leave the table only while
    /// nothing else changes.
    pub(super) fn age(&self) -> (u64, u64, Reverse<u64>) {
        (self.settled(), self.unnumbered, Reverse(self.dead_letter))
    }

    fn settled(&self) -> u64 {
        self.next + self.on_islands()
    }

    /// Nothing from this number on is settled.
    pub(super) fn end(&self) -> u64 {
        self.islands.last().map_or(self.next, |island| island.end)
    }

    /// The cursor, or an island, has passed `passed` numbers without a sample. Says how many of them nobody knew of.
    fn pass_holes(&mut self, passed: u64) -> u64 {
        let known = passed.min(self.holes_ahead);
        self.holes_ahead -= known;
        self.evicted += passed - known;
        passed - known
    }
}

/// How many numbers of `parts` are in `present`.
pub(super) fn overlap(parts: &[Range<u64>], present: &[Range<u64>]) -> u64 {
    let common = |a: &Range<u64>, b: &Range<u64>| a.end.min(b.end).saturating_sub(a.start.max(b.start));
    parts.iter().map(|part| present.iter().map(|range| common(part, range)).sum::<u64>()).sum()
}

/// How many numbers there are in `parts`.
pub(super) fn length(parts: &[Range<u64>]) -> u64 {
    parts.iter().map(|part| part.end - part.start).sum()
}

fn touch(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

/// A cursor of a configured sink, with what only the running program knows.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) cursor: Cursor,
    /// Evicted since the sink last read: these may be on their way to the server all the same.
    in_flight_evicted: u64,
    /// Whether the sink is still to be told that a batch waits.
    pub(super) to_notify: bool,
    /// So many numbers are settled on disk: where the cursor is, and what is on islands.
    saved: u64,
    /// Where the cursor is on disk.
    saved_next: u64,
    /// What the sink has read and not settled: these numbers must keep their samples.
    in_flight: Vec<Range<u64>>,
}

impl Entry {
    fn settled(&self) -> u64 {
        self.cursor.settled()
    }
}

/// The cursors of all configured sinks.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    pub(super) fn new(cursors: Vec<Cursor>) -> Self {
        let entry = |cursor: Cursor| Entry {
            saved: 0,
            saved_next: 0,
            cursor,
            in_flight_evicted: 0,
            in_flight: Vec::new(),
            to_notify: true,
        };
        let mut ledger = Self { entries: cursors.into_iter().map(entry).collect() };
        ledger.mark_saved();
        ledger
    }

    /// Only `sinks` stay; returns the cursors of the others.
    pub(super) fn keep(&mut self, sinks: &[String]) -> Vec<Cursor> {
        let (stay, go) =
            std::mem::take(&mut self.entries).into_iter().partition(|entry| sinks.contains(&entry.cursor.sink));
        self.entries = stay;
        go.into_iter().map(|entry: Entry| entry.cursor).collect()
    }

    /// A sink comes, with a cursor that is on disk or need not be.
    pub(super) fn add(&mut self, cursor: Cursor) {
        self.entries.extend(Self::new(vec![cursor]).entries);
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
        for entry in &mut self.entries {
            (entry.saved, entry.saved_next) = (entry.settled(), entry.cursor.next);
        }
    }

    /// What every sink has, also after a power cut, lies before this number; `None` without sinks.
    pub(super) fn slowest_saved(&self) -> Option<u64> {
        self.entries.iter().map(|entry| entry.saved_next).min()
    }

    /// The cursors are right for this revision of the file.
    pub(super) fn set_revision(&mut self, revision: u64) {
        self.entries.iter_mut().for_each(|entry| entry.cursor.revision = revision);
    }

    /// So many sealed samples, those before `sealed_end`, would be sent again if the power failed now.
    pub(super) fn unsaved(&self, sealed_end: u64) -> u64 {
        let unsaved = |entry: &Entry| entry.settled().min(sealed_end).saturating_sub(entry.saved);
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

    /// The sink has been given the samples of `range`.
    pub(super) fn note_read(&mut self, sink: &str, range: &Range<u64>) {
        let Some(Entry { cursor, in_flight, .. }) = self.entry(sink) else { return };
        in_flight.retain(|range| !cursor.unsettled_in(range.clone()).is_empty());
        match in_flight.iter_mut().find(|known| (known.start..=known.end).contains(&range.start)) {
            Some(known) => known.end = known.end.max(range.end),
            None => in_flight.push(range.clone()),
        }
    }

    /// The sink is done with `range`: at its cursor, at the end of an island, or where it opened one. `holes` of its unsettled numbers
    /// are without a sample. Returns how many of the dead letters count: the others belong to nothing known, or were settled before.
    pub(super) fn settle(&mut self, sink: &str, range: Range<u64>, settled: Settled, holes: u64) -> u64 {
        let Some(entry) = self.entry(sink) else { return 0 };
        entry.to_notify = true;
        let cursor = &mut entry.cursor;
        let dead_letters = cursor.dead_letter;
        if range.start > cursor.next {
            if let Some(at) = cursor.islands.iter().position(|island| island.end == range.start) {
                let limit = cursor.islands.get(at + 1).map_or(u64::MAX, |next| next.start);
                let end = range.end.clamp(range.start, limit);
                cursor.islands[at].end = end;
                let holes = holes.min(end - range.start).min(cursor.holes_ahead);
                cursor.holes_ahead -= holes;
                cursor.count(end - range.start - holes, settled);
            }
            // What belongs to nothing known is sent again.
            return cursor.dead_letter - dead_letters;
        }
        let passed = cursor.advance(range.end);
        let holes = holes.min(passed).min(cursor.holes_ahead);
        cursor.holes_ahead -= holes;
        let too_many = cursor.count(passed - holes, settled);
        // Points that were evicted while they were on their way, and arrived, or were refused, after all.
        for (count, is) in
            [(too_many.delivered, &mut cursor.delivered), (too_many.dead_letter, &mut cursor.dead_letter)]
        {
            let behind = cursor.evicted - cursor.holes_ahead;
            let after_all = count.min(entry.in_flight_evicted).min(behind);
            cursor.evicted -= after_all;
            *is += after_all;
            entry.in_flight_evicted -= after_all;
        }
        cursor.dead_letter - dead_letters
    }

    /// The sink goes on at `from`, ahead of its cursor, and will come back for what lies between. Says whether it may.
    pub(super) fn open_island(&mut self, sink: &str, from: u64) -> bool {
        let Some(cursor) = self.entry(sink).map(|entry| &mut entry.cursor) else { return false };
        let last = cursor.islands.last().map_or(cursor.next, |island| island.end);
        let may = from > last && cursor.islands.len() < ISLANDS_MAX;
        if may {
            cursor.islands.push(from..from);
        }
        may
    }

    /// Nobody gets anything from before `seq` any more; `present` is where there were samples. Returns the largest number of samples
    /// that a sink lost.
    pub(super) fn evict_before(&mut self, seq: u64, present: &[Range<u64>]) -> u64 {
        let lost = self.entries.iter_mut().map(|Entry { cursor, in_flight_evicted, .. }| {
            let lost = overlap(&cursor.unsettled_in(cursor.next..seq), present);
            let passed = cursor.advance(seq);
            cursor.evicted += lost;
            cursor.pass_holes(passed - lost);
            *in_flight_evicted += lost;
            lost
        });
        lost.max().unwrap_or(0)
    }

    /// The samples of `gone` are no longer there. Returns the largest number that a sink lost.
    pub(super) fn lose(&mut self, gone: &Range<u64>) -> u64 {
        let lost = self.entries.iter_mut().map(|Entry { cursor, in_flight_evicted, .. }| {
            let lost = length(&cursor.unsettled_in(gone.clone()));
            cursor.evicted += lost;
            if gone.start <= cursor.next {
                cursor.advance(gone.end);
            } else {
                cursor.holes_ahead += lost;
            }
            *in_flight_evicted += lost;
            lost
        });
        lost.max().unwrap_or(0)
    }

    /// Whether samples of `range` may get other numbers of it: each sink has all of it or nothing, and none is on its way.
    pub(super) fn may_thin(&self, range: &Range<u64>) -> bool {
        self.entries.iter().all(|Entry { cursor, in_flight, .. }| {
            let waits = cursor.next <= range.start
                && !cursor.islands.iter().any(|island| touch(island, range))
                && !in_flight.iter().any(|read| touch(read, range));
            waits || cursor.unsettled_in(range.clone()).is_empty()
        })
    }

    /// `lost` samples of `range`, which [`Ledger::may_thin`], are gone, and the others have moved to its end. Returns the largest number
    /// that a sink lost.
    pub(super) fn thin(&mut self, range: &Range<u64>, lost: u64) -> u64 {
        let mut most = 0;
        for Entry { cursor, .. } in &mut self.entries {
            if !cursor.unsettled_in(range.clone()).is_empty() {
                cursor.evicted += lost;
                cursor.holes_ahead += lost;
                most = lost;
            }
        }
        most
    }

    /// Counts the holes ahead anew: before `end`, the samples are where `present` says. Returns the largest number of samples that a sink
    /// has lost by that.
    pub(super) fn recount(&mut self, end: u64, present: &[Range<u64>], revision: u64) -> u64 {
        let lost = self.entries.iter_mut().map(|Entry { cursor, .. }| {
            let parts = cursor.unsettled_in(cursor.next..end);
            let (holes, known) = (length(&parts) - overlap(&parts, present), cursor.holes_ahead);
            cursor.evicted = cursor.evicted - known + holes;
            cursor.holes_ahead = holes;
            cursor.revision = revision;
            holes.saturating_sub(known)
        });
        lost.max().unwrap_or(0)
    }

    /// A hole in the sequence, `range`, found when `sink` came to it.
    pub(super) fn skip_hole(&mut self, sink: &str, range: Range<u64>) {
        let Some(entry) = self.entry(sink) else { return };
        let cursor = &mut entry.cursor;
        let passed = if range.start <= cursor.next {
            cursor.advance(range.end)
        } else if let Some(island) = cursor.islands.iter_mut().find(|island| island.end == range.start) {
            island.end = range.end;
            range.end - range.start
        } else {
            return;
        };
        cursor.pass_holes(passed);
    }

    /// Nobody will ever know when the samples of `range` were taken: for the sinks that have come to them they are dead letters. Says
    /// whether a cursor moved.
    pub(super) fn give_up(&mut self, range: &Range<u64>) -> bool {
        let mut moved = false;
        for entry in self.entries.iter_mut().filter(|entry| range.contains(&entry.cursor.next)) {
            let passed = entry.cursor.advance(range.end);
            entry.cursor.count(passed, Settled::default());
            moved = true;
        }
        moved
    }

    /// `count` samples were lost before they got a number.
    pub(super) fn lose_unnumbered(&mut self, count: u64) {
        for entry in &mut self.entries {
            entry.cursor.unnumbered += count;
            entry.cursor.evicted += count;
        }
    }

    /// `count` dead letters of `sink` are no longer in the table: delivered after all, or gone for good.
    pub(super) fn take_letters(&mut self, sink: &str, count: u64, delivered: bool) {
        let Some(cursor) = self.entry(sink).map(|entry| &mut entry.cursor) else { return };
        let count = count.min(cursor.dead_letter);
        cursor.dead_letter -= count;
        *(if delivered { &mut cursor.delivered } else { &mut cursor.evicted }) += count;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn delivered(delivered: u64) -> Settled {
        Settled { delivered, ..Settled::default() }
    }

    #[test]
    fn what_arrives_after_its_eviction_is_delivered() {
        let mut ledger = Ledger::new(vec![Cursor::new("a", 0)]);
        ledger.begin_read("a");
        assert_eq!(ledger.evict_before(60, std::slice::from_ref(&(0..200))), 60);
        ledger.settle("a", 0..100, delivered(100), 0);
        let cursor = ledger.get("a").unwrap();
        assert_eq!((cursor.next, cursor.delivered, cursor.evicted), (100, 100, 0));
        ledger.settle("a", 0..90, delivered(90), 0);
        let cursor = ledger.get("a").unwrap();
        assert_eq!((cursor.next, cursor.delivered, cursor.evicted), (100, 100, 0), "a second time changes nothing");
    }

    #[test]
    fn cursors_come_back_from_text_or_not_at_all() {
        let mut ledger = Ledger::new(vec![Cursor::new("a", 3)]);
        ledger.settle("a", 3..10, delivered(4), 0);
        ledger.evict_before(12, std::slice::from_ref(&(0..12)));
        ledger.lose_unnumbered(5);
        assert!(ledger.open_island("a", 20) && !ledger.open_island("a", 20));
        ledger.settle("a", 20..25, delivered(5), 0);
        let cursor = ledger.get("a").unwrap();
        assert_eq!(cursor.numbers(), "12 3 5 9 7 3 0 0 0 20-25");
        assert_eq!(Cursor::parse("a", &cursor.numbers()).as_ref(), Some(cursor));
        for bad in [
            "",
            "12 3 5 4 7 3 0",
            "13 3 5 4 7 3 0 0",
            "12 3 5 9 7 3 0 0 0",
            "12 3 5 9 7 3 0 0 0 20-26",
            "12 3 5 9 7 3 0 0 0 11-16",
            "12 3 5 9 7 3 0 0 0 25-20",
            "12 3 5 9 7 3 0 0 0 20-25 x",
            "a b",
            "1 3 0 0 0 0 0 0 0",
        ] {
            assert_eq!(Cursor::parse("a", bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_newest_go_first_and_the_cursor_jumps_over_them() {
        let mut ledger = Ledger::new(vec![Cursor::new("a", 0)]);
        assert!(ledger.open_island("a", 100));
        ledger.settle("a", 100..150, delivered(50), 0);
        ledger.settle("a", 0..40, delivered(40), 0);
        let cursor = ledger.get("a").unwrap().clone();
        assert_eq!((cursor.next, cursor.waiting(200), cursor.delivered), (40, 110, 90));
        assert_eq!(cursor.unsettled(0, 200), 40..100);
        assert_eq!(cursor.unsettled(100, 200), 150..200);
        assert_eq!(cursor.unsettled(170, 200), 170..200);
        ledger.settle("a", 40..100, Settled { delivered: 58, dead_letter: 2, superseded: 0 }, 0);
        let cursor = ledger.get("a").unwrap();
        assert_eq!((cursor.next, cursor.waiting(200), cursor.delivered, cursor.dead_letter), (150, 50, 148, 2));
        assert_eq!(cursor.islands, []);
    }

    /// A lane may begin among samples that have no time yet: nothing beyond `end` can be read.
    #[test]
    fn nothing_is_unsettled_beyond_the_end() {
        let mut ledger = Ledger::new(vec![Cursor::new("a", 0)]);
        assert!(ledger.open_island("a", 100));
        assert_eq!(ledger.get("a").unwrap().unsettled(0, 60), 0..60);
        assert_eq!(ledger.get("a").unwrap().unsettled(70, 60), 70..70);
    }

    #[test]
    fn dead_letters_count_only_where_their_range_does() {
        let mut ledger = Ledger::new(vec![Cursor::new("a", 0)]);
        let settled = Settled { delivered: 6, dead_letter: 4, superseded: 0 };
        assert_eq!(ledger.settle("a", 10..20, settled, 0), 0, "ahead of the cursor, and no lane begins there");
        assert_eq!(ledger.evict_before(5, std::slice::from_ref(&(0..5))), 5);
        assert_eq!(ledger.settle("a", 0..10, settled, 0), 4, "refused after their eviction all the same");
        let cursor = ledger.get("a").unwrap();
        assert_eq!((cursor.delivered, cursor.dead_letter, cursor.evicted), (6, 4, 0));
        assert_eq!(ledger.settle("a", 0..10, settled, 0), 0, "a second time changes nothing");
    }

    #[test]
    fn the_later_of_two_states_is_known() {
        let mut ledger = Ledger::new(vec![Cursor::new("a", 0)]);
        let mut states = vec![ledger.get("a").unwrap().clone()];
        let mut keep = |ledger: &Ledger| states.push(ledger.get("a").unwrap().clone());
        assert!(ledger.open_island("a", 50));
        ledger.settle("a", 50..60, Settled { delivered: 8, dead_letter: 2, superseded: 0 }, 0);
        keep(&ledger);
        ledger.take_letters("a", 1, true);
        keep(&ledger);
        ledger.lose_unnumbered(3);
        keep(&ledger);
        ledger.settle("a", 0..10, delivered(10), 0);
        keep(&ledger);
        assert!(states.windows(2).all(|pair| pair[0].age() < pair[1].age()), "{states:?}");
        assert_eq!(states.last().unwrap().end(), 60);
    }

    #[test]
    fn an_eviction_takes_what_lies_between_islands() {
        let mut ledger = Ledger::new(vec![Cursor::new("a", 0)]);
        assert!(ledger.open_island("a", 10));
        ledger.settle("a", 10..20, delivered(10), 0);
        assert_eq!(ledger.evict_before(15, std::slice::from_ref(&(0..30))), 10);
        let cursor = ledger.get("a").unwrap();
        assert_eq!((cursor.next, cursor.evicted, cursor.delivered, cursor.waiting(30)), (20, 10, 10, 10));
    }

    #[test]
    fn letters_leave_the_table_one_way_or_the_other() {
        let mut ledger = Ledger::new(vec![Cursor::new("a", 0)]);
        ledger.settle("a", 0..10, Settled { delivered: 5, dead_letter: 5, superseded: 0 }, 0);
        ledger.take_letters("a", 2, true);
        ledger.take_letters("a", 9, false);
        let cursor = ledger.get("a").unwrap();
        assert_eq!((cursor.delivered, cursor.dead_letter, cursor.evicted), (7, 0, 3));
    }

    proptest! {
        /// Whatever happens in whatever order, with whatever numbers.
        #[test]
        fn the_books_always_balance(
            steps in prop::collection::vec((0..11u8, 0..50u64, 0..60u64, any::<bool>()), 0..80),
        ) {
            let mut ledger = Ledger::new(vec![Cursor::new("a", 7), Cursor::new("b", 20)]);
            for (what, ahead, count, first) in steps {
                let sink = if first { "a" } else { "b" };
                let cursor = ledger.get(sink).unwrap();
                let place = (cursor.next + ahead).saturating_sub(10);
                let lane = cursor.islands.last().map_or(place, |island| island.end);
                let settled = Settled { delivered: count, dead_letter: count / 7, superseded: count / 5 };
                match what {
                    0 => ledger.begin_read(sink),
                    1 => { ledger.settle(sink, cursor.next..place.max(cursor.next), settled, count % 3); }
                    2 => { ledger.settle(sink, lane..lane + ahead, settled, count % 3); }
                    3 => { ledger.evict_before(place, &[0..count * 2, count * 2 + 5..200]); }
                    4 => ledger.skip_hole(sink, lane..lane + ahead % 5),
                    5 => { ledger.open_island(sink, place); }
                    6 => ledger.take_letters(sink, count % 3, first),
                    7 => { ledger.lose(&(place..place + count)); }
                    8 => {
                        let range = place..place + count;
                        ledger.note_read(sink, &(lane..lane + ahead));
                        if ledger.may_thin(&range) {
                            ledger.thin(&range, count / 2);
                        }
                    }
                    9 => { ledger.recount(place + 50, &[0..place, place + ahead..1000], count); }
                    _ => ledger.lose_unnumbered(count),
                }
                for cursor in ledger.cursors() {
                    prop_assert!(cursor.is_balanced(), "{:?}", cursor);
                    prop_assert_eq!(Cursor::parse(&cursor.sink, &cursor.numbers()), Some(cursor.clone()));
                    let end = cursor.islands.last().map_or(cursor.next, |island| island.end) + 9;
                    let all = cursor.delivered + cursor.dead_letter + cursor.superseded + cursor.evicted;
                    if cursor.holes_ahead <= length(&cursor.unsettled_in(cursor.next..end)) {
                        prop_assert_eq!(end - cursor.start + cursor.unnumbered, all + cursor.waiting(end));
                    }
                }
            }
        }
    }
}
