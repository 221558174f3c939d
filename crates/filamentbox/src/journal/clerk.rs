//! The journal thread's answers.

use std::ops::Range;

use filamentbox_core::event::{Event, Severity};
use filamentbox_core::sample::Point;
use filamentbox_core::time::{Clock, Monotonic, UnixTime};

use super::ledger::{Cursor, Settled, length, overlap};
use super::requests::{Request, Selection};
use super::store::{Block, NewLetter, Position};
use super::worker::Worker;
use super::{Account, Batch, Chunk, Queue, Reach, Rolled, State, Statistics, Verdict};

/// Points in one chunk of an export.
const CHUNK_POINTS: usize = 1_000;
/// Blocks looked into for one chunk, so that an export that finds nothing does not hold up everybody.
const CHUNK_BLOCKS: usize = 64;

/// The newest point of a box is looked for among so many samples: each box has one among them, or has been silent for long.
const NEWEST_AMONG: u64 = 500;

/// What lies at one number of the sequence, or after it.
enum Found {
    /// A whole block.
    Sealed(Block, Vec<Point>),
    /// The open samples, from here on.
    Open(u64),
}

impl Worker {
    pub(super) fn serve(&mut self, request: Request) {
        if matches!(request, Request::Wake) {
            return;
        }
        let mut clock = self.take_in();
        if clock.wall.is_none() {
            // Somebody waits for it.
            clock = self.look_at_clock(true);
            self.stamp(&clock);
        }
        match request {
            Request::Wake => {}
            Request::Read { sink, from, max, reply } => answer(reply, self.read(&sink, from, max, &clock)),
            Request::Newest { sink, reply } => answer(reply, self.newest(&sink, &clock)),
            Request::Queue { sink, from, reply } => answer(reply, self.queue(&sink, from, &clock)),
            Request::Settle { sink, range, verdict, reply } => {
                answer(reply, self.settle(&sink, range, verdict, &clock));
            }
            Request::OpenIsland { sink, from, reply } => {
                let opened = self.ledger.open_island(&sink, from);
                self.write_cursor_file();
                answer(reply, Some(opened));
            }
            Request::Letters { chosen, again, limit, reply } => {
                answer(reply, self.disk.with(clock.now, |store| store.letters(&chosen, again, limit)));
            }
            Request::SendAgain { chosen, reply } => answer(reply, self.send_letters_again(&chosen, &clock)),
            Request::Drop { chosen, reply } => answer(reply, self.drop_letters(&chosen, &clock)),
            Request::SentAgain { id, sink, refused, reply } => {
                answer(reply, self.letter_sent(id, &sink, refused.as_deref(), &clock));
            }
            Request::Accounts { reply } => answer(reply, Some(self.accounts(&clock))),
            Request::Statistics { reply } => answer(reply, Some(self.statistics(&clock))),
            Request::Events { before, limit, reply } => answer(reply, Some(self.events(before, limit, &clock))),
            Request::Chunk { from, selection, reply } => answer(reply, self.chunk(from, &selection, &clock)),
            Request::Rollups { resolution, range, box_name, reply } => {
                let rolled = self.disk.with(clock.now, |store| {
                    Ok(Rolled { rollups: store.rollups(resolution, &range, &box_name)?, end: store.rolled_end()? })
                });
                answer(reply, rolled);
            }
            Request::Reach { box_name, reply } => {
                let reach = self.disk.with(clock.now, |store| {
                    Ok(Reach {
                        rolled_end: store.rolled_end()?,
                        samples_since: store.raw_since()?,
                        minutes_since: store.minutes_since(&box_name)?,
                    })
                });
                answer(reply, reach);
            }
            Request::Configure { settings, reply } => {
                self.configure(&settings, &clock);
                answer(reply, Some(()));
            }
            Request::Stop { reply } => {
                self.finish();
                answer(reply, Some(()));
            }
        }
    }

    /// The block that holds number `seq` or the next one, or else the open samples. A damaged block is removed on the way: what was
    /// in it is a hole in the sequence. `None` when the file cannot be read.
    fn find(&mut self, seq: u64, clock: &Clock) -> Option<Found> {
        let mut seq = seq;
        while seq < self.tail.first() {
            match self.disk.with(clock.now, |store| store.block_from(seq))? {
                None => break,
                Some(Block { at, points: Ok(points) }) => {
                    return Some(Found::Sealed(Block { at, points: Ok(Vec::new()) }, points));
                }
                Some(Block { at, points: Err(_) }) => {
                    seq = self.remove_damaged(at, clock)?;
                }
            }
        }
        Some(Found::Open(seq.max(self.tail.first())))
    }

    /// Says where it ended: what it says itself may be damaged too.
    fn remove_damaged(&mut self, at: Position, clock: &Clock) -> Option<u64> {
        let following = self.disk.with(clock.now, |store| store.first_after(at.first))?;
        let at = Position { end: at.end.min(following.unwrap_or(self.tail.first())), ..at };
        let samples = at.end - at.first;
        let mut ledger = self.ledger.clone();
        ledger.lose(&(at.first..at.end));
        self.change_blocks(&[at], &[], None, ledger, clock)?;
        self.evicted += samples;
        tracing::error!(first = at.first, samples, "a block of the journal is damaged and was removed");
        self.record(Severity::Error, format!("a block of the journal is damaged; its {samples} samples are lost"));
        Some(at.end)
    }

    fn read(&mut self, sink: &str, from: Option<u64>, max: usize, clock: &Clock) -> Option<Batch> {
        let cursor = self.ledger.get(sink)?;
        let next = cursor.next;
        let free = cursor.unsettled(from.unwrap_or(next), self.tail.stamped_end().max(next));
        let mut start = free.start;
        if start == next {
            self.ledger.begin_read(sink);
        }
        let mut points: Vec<Point> = Vec::new();
        let end = free.end.min(self.readable_end(start)).max(start);
        let mut through = start;
        while points.len() < max && through < end {
            let (first, found) = match self.find(through, clock)? {
                Found::Sealed(block, found) => (block.at.first, found),
                Found::Open(first) => (first, self.tail.points_from(first).take(max - points.len()).collect()),
            };
            let first = first.min(end);
            if first > through {
                // A batch has no hole in it. One that was sent and is not settled must be, before a hole behind it is skipped.
                if !points.is_empty() || from.is_some_and(|from| from > next && !self.is_island_end(sink, from)) {
                    break;
                }
                self.ledger.skip_hole(sink, through..first);
                self.write_cursor_file();
                (start, through) = (first, first);
                continue;
            }
            let skip = usize::try_from(through - first).ok()?;
            let before = points.len();
            let room = (max - before).min(usize::try_from(end - through).unwrap_or(usize::MAX));
            points.extend(found.into_iter().skip(skip).take(room));
            through += (points.len() - before) as u64;
        }
        self.tail.give(through);
        if points.is_empty() && through > free.start {
            // There was a hole up to what is settled already, and more may wait behind that.
            return self.read(sink, from.map(|_| through), max, clock);
        }
        if through > start {
            self.ledger.note_read(sink, &(start..through));
        }
        Some(Batch { points, range: start..through })
    }

    fn is_island_end(&self, sink: &str, seq: u64) -> bool {
        self.ledger.get(sink).is_some_and(|cursor| cursor.islands.iter().any(|island| island.end == seq))
    }

    /// The newest point of each box; what waits goes with it.
    fn newest(&mut self, sink: &str, clock: &Clock) -> Option<Batch> {
        let next = self.ledger.get(sink)?.next;
        let range = next..self.readable_end(next).max(next);
        let mut candidates: Vec<Point> = Vec::new();
        let mut through = range.end.saturating_sub(NEWEST_AMONG).max(range.start);
        while through < range.end {
            match self.find(through, clock)? {
                Found::Sealed(block, points) => {
                    let skip = usize::try_from(through.saturating_sub(block.at.first)).ok()?;
                    candidates.extend(points.into_iter().skip(skip));
                    through = block.at.end;
                }
                Found::Open(first) => {
                    let open = usize::try_from(range.end.saturating_sub(first)).ok()?;
                    candidates.extend(self.tail.points_from(first).take(open));
                    through = range.end;
                }
            }
        }
        self.tail.give(range.end);
        let mut points: Vec<Point> = Vec::new();
        for point in candidates {
            match points.iter_mut().find(|known| known.box_name == point.box_name) {
                Some(known) => *known = point,
                None => points.push(point),
            }
        }
        Some(Batch { points, range })
    }

    fn queue(&mut self, sink: &str, from: Option<u64>, clock: &Clock) -> Option<Queue> {
        let end = self.tail.end();
        let cursor = self.ledger.get(sink)?;
        let range = cursor.unsettled(from.unwrap_or(cursor.next), end);
        let island = cursor.islands.last().map(|island| island.start);
        let oldest_taken = if range.is_empty() { None } else { self.times_at(range.start, clock).1 };
        Some(Queue { range, oldest_taken, island, end, letters_again: self.sends_again.contains(sink) })
    }

    fn settle(&mut self, sink: &str, range: Range<u64>, verdict: Verdict, clock: &Clock) -> Option<()> {
        let range = range.start..range.end.min(self.tail.stamped_end());
        let holes = self.holes_in(sink, &range, clock)?;
        let Verdict { delivered, superseded, mut refused } = verdict;
        let settled = Settled { delivered, dead_letter: refused.len() as u64, superseded };
        let count = usize::try_from(self.ledger.settle(sink, range, settled, holes)).unwrap_or(usize::MAX);
        let refused = refused.split_off(refused.len().saturating_sub(count));
        let letter = |(point, reason)| NewLetter { sink: sink.to_owned(), point, reason, refused_at: clock.wall };
        self.keep_letters(refused.into_iter().map(letter).collect(), clock);
        self.write_cursor_file();
        Some(())
    }

    /// So many of the numbers of `range` that `sink` has not settled are without a sample. `None` for an unknown sink.
    fn holes_in(&mut self, sink: &str, range: &Range<u64>, clock: &Clock) -> Option<u64> {
        let cursor = self.ledger.get(sink)?;
        let parts = cursor.unsettled_in(range.start..range.end.min(self.tail.first()));
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return Some(0) };
        if cursor.holes_ahead == 0 {
            return Some(0);
        }
        let Some(present) = self.disk.with(clock.now, |store| store.present(&(first.start..last.end))) else {
            self.recount = true;
            return Some(0);
        };
        Some(length(&parts) - overlap(&parts, &present))
    }

    fn accounts(&mut self, clock: &Clock) -> Vec<Account> {
        let cursors: Vec<Cursor> = self.ledger.cursors().cloned().collect();
        let end = self.tail.end();
        let account = |cursor: Cursor| {
            let (oldest, oldest_taken) =
                if cursor.next < end { self.times_at(cursor.next, clock) } else { (None, None) };
            // That may have found a damaged block.
            let cursor = self.ledger.get(&cursor.sink).cloned().unwrap_or(cursor);
            Account {
                sampled: end - cursor.start + cursor.unnumbered,
                delivered: cursor.delivered,
                waiting: cursor.waiting(end),
                dead_letter: cursor.dead_letter,
                superseded: cursor.superseded,
                evicted: cursor.evicted,
                oldest,
                oldest_taken,
                sink: cursor.sink,
            }
        };
        cursors.into_iter().map(account).collect()
    }

    /// When the sample with the number `seq`, or the next after a hole, was taken.
    fn times_at(&mut self, seq: u64, clock: &Clock) -> (Option<UnixTime>, Option<Monotonic>) {
        if self.is_unstamped(seq) {
            // Due: there is nothing to wait for but the clock.
            return (None, None);
        }
        match self.find(seq, clock) {
            None => (None, None),
            Some(Found::Open(seq)) => {
                (self.tail.points_from(seq).next().map(|point| point.at), self.tail.taken_at(seq))
            }
            Some(Found::Sealed(block, _)) if self.is_unstamped(block.at.first) => (None, None),
            Some(Found::Sealed(block, points)) => {
                let index = usize::try_from(seq.saturating_sub(block.at.first)).unwrap_or(usize::MAX);
                let at = points.get(index).map(|point| point.at);
                (at, at.and_then(|at| boot_time_of(at, clock)))
            }
        }
    }

    fn statistics(&mut self, clock: &Clock) -> Statistics {
        let waits_for_clock = self.tail.held() > 0 || self.unstamped.iter().any(|held| held.is_ours);
        let state = if self.disk.error().is_some() {
            State::Failing
        } else if waits_for_clock {
            State::WaitingForClock
        } else {
            State::Working
        };
        let bytes = self.disk.with(clock.now, |store| store.bytes());
        Statistics {
            state,
            sampled: self.tail.end(),
            sealed: self.disk.store().map_or(0, |store| store.sample_count()),
            open: self.tail.len() as u64,
            dropped: self.dropped_seen,
            evicted: self.evicted,
            file_bytes: bytes.map_or(0, |(_, all)| all),
            blocks: self.disk.store().map_or(0, |store| store.block_count()),
            waits_for_clock,
            disk_error: self.disk.error().map(str::to_owned),
        }
    }

    fn events(&mut self, before: u64, limit: usize, clock: &Clock) -> Vec<(u64, Event)> {
        let pending = self.events.iter().rev().filter(|pending| pending.id < before).take(limit);
        let mut events: Vec<_> = pending.map(|pending| (pending.id, pending.event.clone())).collect();
        let left = limit - events.len();
        // While the disk fails, that it does is the event to show.
        events.extend(self.disk.with(clock.now, |store| store.events(before, left)).unwrap_or_default());
        events
    }

    fn chunk(&mut self, from: u64, selection: &Selection, clock: &Clock) -> Option<Chunk> {
        let mut points: Vec<Point> = Vec::new();
        let mut seq = from;
        for blocks in 0..CHUNK_BLOCKS as u64 {
            if points.len() >= CHUNK_POINTS {
                return Some(Chunk { points, next: Some(seq), blocks });
            }
            let range = &selection.range;
            let block = self.disk.with(clock.now, |store| store.block_in_time(seq, range.start, range.end))?;
            match block.filter(|block| block.at.first < self.tail.first()) {
                None => return Some(Chunk { blocks, ..self.chunk_of_tail(seq, points, selection) }),
                Some(Block { at, points: Ok(found) }) => {
                    let skip = usize::try_from(seq.saturating_sub(at.first)).ok()?;
                    points.extend(found.into_iter().skip(skip).filter(|point| selection.contains(point)));
                    seq = at.end;
                }
                Some(Block { at, points: Err(_) }) => {
                    seq = self.remove_damaged(at, clock)?;
                }
            }
        }
        Some(Chunk { points, next: Some(seq), blocks: CHUNK_BLOCKS as u64 })
    }

    fn chunk_of_tail(&self, seq: u64, mut points: Vec<Point>, selection: &Selection) -> Chunk {
        let first = seq.max(self.tail.first());
        let room = CHUNK_POINTS.saturating_sub(points.len()).max(1);
        let open = self.tail.points_from(first).take(room);
        points.extend(open.filter(|point| selection.contains(point)));
        let seq = first + room as u64;
        Chunk { points, next: (seq < self.tail.stamped_end()).then_some(seq), blocks: 0 }
    }
}

/// Sends the answer; without one, the asker learns that the journal does not answer. An asker that is gone does not matter.
fn answer<T>(reply: super::requests::Reply<T>, value: Option<T>) {
    if let Some(value) = value {
        let _ = reply.send(value);
    }
}

/// The moment since boot that had the wall time `at`: the boot itself for what lies before it. `None`, which means "due", for what
/// lies ahead: it was taken while the clock was wrong.
fn boot_time_of(at: UnixTime, clock: &Clock) -> Option<Monotonic> {
    let age_ms = u64::try_from(clock.wall?.millis().saturating_sub(at.millis())).ok()?;
    Some(Monotonic::from_nanos(clock.now.nanos().saturating_sub(age_ms.saturating_mul(1_000_000))))
}
