//! Samples on disk that have no time yet: written while the wall clock was not known, stamped when it is.

use std::time::Duration;

use filamentbox_core::event::Severity;
use filamentbox_core::sample::Point;
use filamentbox_core::time::{Clock, UnixTime};

use super::stamps::Stamp;
use super::store::{Block, Sealed, Unstamped};
use super::tail::moment_since_boot;
use super::worker::Worker;

/// Blocks stamped in one transaction: some 3000 samples, so that requests are answered between two of them, and fewer than the latest
/// stamps that are remembered.
const BLOCKS_AT_ONCE: u64 = 8;
/// A change of the wall clock against the time since boot by more than this is a step. A clock that is only corrected bends both.
const STEP_MS: u64 = 1_000;

impl Worker {
    /// Where the samples end that a sink may have, from number `seq` on.
    pub(super) fn readable_end(&self, seq: u64) -> u64 {
        let held = self.unstamped.iter().find(|held| held.range.end > seq);
        held.map_or(u64::MAX, |held| held.range.start).min(self.tail.stamped_end())
    }

    /// When the sample with the number `seq` was taken, if it is on disk without a stamp: then, nothing that is known.
    pub(super) fn is_unstamped(&self, seq: u64) -> bool {
        self.unstamped.iter().any(|held| held.range.contains(&seq))
    }

    /// Looks whether the wall clock is known by now, and whether it was set: then samples that no sink was given are stamped anew.
    pub(super) fn look_at_clock(&mut self, asked: bool) -> Clock {
        let newest = self.tail.newest();
        self.clocks.look(newest, asked);
        let mut clock = self.clocks.read();
        let now_ms = i64::try_from(clock.now.nanos() / 1_000_000).unwrap_or(i64::MAX);
        let offset_ms = clock.wall.map(|wall| wall.millis().saturating_sub(now_ms));
        if let (Some(before), Some(after)) = (self.offset_ms, offset_ms)
            && before.abs_diff(after) > STEP_MS
        {
            self.clocks.stepped(newest);
            let count = self.tail.unstamp();
            clock = self.clocks.read();
            self.report_step(after.saturating_sub(before), count, &clock);
        }
        self.offset_ms = offset_ms.or(self.offset_ms);
        clock
    }

    fn report_step(&mut self, ahead_ms: i64, count: usize, clock: &Clock) {
        let direction = if ahead_ms > 0 { "forward" } else { "back" };
        let by = duration_text(Duration::from_millis(ahead_ms.unsigned_abs()));
        let then = match (count, clock.wall) {
            (_, None) => "it now shows a time that cannot be right, and samples wait until it is set again".to_owned(),
            (0, Some(_)) => "samples from before keep their times".to_owned(),
            (1, Some(_)) => "1 sample that no backend had got its right time".to_owned(),
            (count, Some(_)) => format!("{count} samples that no backend had got their right times"),
        };
        let text = format!("the clock was set {direction} by {by}; {then}");
        tracing::warn!("{text}");
        self.record(Severity::Warning, text);
    }

    /// Gives open samples their stamps, if the wall clock is known.
    pub(super) fn stamp(&mut self, clock: &Clock) {
        let (tail, disk) = (&mut self.tail, &mut self.disk);
        tail.stamp(clock, &mut |range| disk.with(clock.now, |store| store.stamps(&range)));
    }

    /// Stamps some of the blocks on disk, once the wall clock is known. Says whether there are more.
    pub(super) fn stamp_blocks(&mut self, clock: &Clock) -> bool {
        let Some(at) = self.unstamped.iter().position(|held| held.is_ours) else { return false };
        if clock.wall.is_none() || !self.disk.is_ready(clock.now) {
            return false;
        }
        let range = self.unstamped[at].range.clone();
        let read = |store: &mut super::store::Store| store.unstamped_blocks(&range, BLOCKS_AT_ONCE);
        let Some(blocks) = self.disk.with(clock.now, read) else { return false };
        let mut end = blocks.last().map_or(range.end, |block| block.at.end);
        if blocks.len() < BLOCKS_AT_ONCE as usize {
            end = range.end;
        }
        let mut given: Vec<Stamp> = Vec::new();
        let stamped = self.stamped_blocks(blocks, clock, &mut given);
        let written = stamped.and_then(|blocks| self.disk.with(clock.now, |store| store.restamp(&blocks)));
        if written.is_none() {
            self.tail.stamps().take_back(given.into_iter().rev());
            return false;
        }
        self.unstamped[at].range.start = end;
        self.unstamped.retain(|held| !held.range.is_empty());
        if !self.unstamped.iter().any(|held| held.is_ours) {
            self.record(
                Severity::Info,
                "the clock is known; the samples that waited for it have got their times".to_owned(),
            );
            return false;
        }
        true
    }

    /// The same samples with stamps. A damaged block is left for the reader that comes to it. `None` when the file cannot be read.
    fn stamped_blocks(&mut self, blocks: Vec<Block>, clock: &Clock, given: &mut Vec<Stamp>) -> Option<Vec<Sealed>> {
        let mut stamped = Vec::new();
        for Block { at, points } in blocks {
            let Ok(mut points) = points else { continue };
            for point in &mut points {
                self.stamp_point(point, clock, given)?;
            }
            stamped.push(Sealed::new(at.first, &points));
        }
        Some(stamped)
    }

    fn stamp_point(&mut self, point: &mut Point, clock: &Clock, given: &mut Vec<Stamp>) -> Option<()> {
        let wanted = clock.wall_at(moment_since_boot(point.at))?.millis();
        let disk = &mut self.disk;
        let sealed = &mut |range| disk.with(clock.now, |store| store.stamps(&range));
        let stamp = self.tail.stamps().give(wanted, &point.box_name, 0, sealed)?;
        given.push((stamp, point.box_name.clone()));
        point.at = UnixTime::from_millis(stamp);
        Some(())
    }

    /// Samples of an earlier boot that never knew the time can never get one: for each sink that comes to them they are dead letters
    /// ("time unknown"), and when all sinks have passed them they are removed.
    pub(super) fn give_up_unstamped(&mut self, clock: &Clock) {
        let given_up: Vec<Unstamped> = self.unstamped.iter().filter(|held| !held.is_ours).cloned().collect();
        let mut moved = false;
        for Unstamped { range, .. } in &given_up {
            moved |= self.ledger.give_up(range);
            if !self.reported_lost_time {
                let count: u64 = given_up.iter().map(|held| held.range.end - held.range.start).sum();
                self.reported_lost_time = true;
                let text = format!(
                    "{count} samples of an earlier boot cannot be kept: the clock was not known until the power went off, so nobody knows \
                     when they were taken"
                );
                tracing::error!("{text}");
                self.record(Severity::Error, text);
            }
            let is_passed = self.ledger.slowest().is_none_or(|slowest| slowest >= range.end);
            if is_passed && self.disk.is_ready(clock.now) {
                let gone = self.disk.with(clock.now, |store| store.unstamped_positions(range));
                let ledger = self.ledger.clone();
                if gone.is_some_and(|gone| self.change_blocks(&gone, &[], None, ledger, clock).is_some()) {
                    self.unstamped.retain(|held| held.range != *range);
                }
            }
        }
        if moved {
            self.write_cursor_file();
        }
    }

    /// Blocks without stamps were written: `range`.
    pub(super) fn note_unstamped(&mut self, range: std::ops::Range<u64>) {
        if range.is_empty() {
            return;
        }
        match self.unstamped.last_mut().filter(|last| last.is_ours && last.range.end == range.start) {
            Some(last) => last.range.end = range.end,
            None => self.unstamped.push(Unstamped { range, is_ours: true }),
        }
    }

    /// What lies before `seq` is gone.
    pub(super) fn forget_unstamped(&mut self, seq: u64) {
        for held in &mut self.unstamped {
            held.range.start = held.range.start.max(seq).min(held.range.end);
        }
        self.unstamped.retain(|held| !held.range.is_empty());
    }
}

/// Such as "3 h 2 min".
fn duration_text(duration: Duration) -> String {
    let seconds = (duration.as_millis() + 500) / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} days {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_words() {
        for (millis, text) in
            [(1_500, "2 s"), (61_000, "1 min 1 s"), (10_920_000, "3 h 2 min"), (3_456_000_000, "40 days 0 h")]
        {
            assert_eq!(duration_text(Duration::from_millis(millis)), text);
        }
    }
}
