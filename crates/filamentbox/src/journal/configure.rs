//! Settings that change while the journal is at work: limits, durability, and which sinks there are.
//!
//! A sink that comes begins where a restart would have put it: at its old cursor, or with the oldest sample. A sink that goes leaves its
//! cursor behind; it holds nothing back any more.

use filamentbox_core::config::{Config, Durability};
use filamentbox_core::time::Clock;

use super::ledger::Cursor;
use super::limits::Limits;
use super::seal::Rule;
use super::worker::Worker;

/// What can change while the journal is at work.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// When samples reach the disk.
    pub durability: Durability,
    /// Samples in memory at most.
    pub queue_max_size: usize,
    /// Sealed blocks in the file at most.
    pub max_batches: u64,
    /// Raw samples are kept so long.
    pub retention: std::time::Duration,
    /// The file's size at most.
    pub max_bytes: u64,
    /// A sample waits so long for a sink at most.
    pub max_age: std::time::Duration,
    /// The names of the configured sinks.
    pub sinks: Vec<String>,
    /// A sink is notified when so many points wait for it.
    pub batch_size: u64,
}

impl Settings {
    /// What the settings ask for.
    pub fn of(config: &Config) -> Self {
        Self {
            durability: config.durability,
            queue_max_size: config.queue_max_size,
            max_batches: config.max_batches,
            retention: config.retention,
            max_bytes: config.history_max_mb * 1_000_000,
            max_age: config.max_age,
            sinks: config.backends.clone(),
            batch_size: config.batch_size as u64,
        }
    }
}

/// The sealing rule. `slots` is what the crash log has room for: with `ram` no more may be open, and it is as large as it was made.
pub(super) fn rule(durability: Durability, queue_max: usize, has_sinks: bool, slots: Option<u64>) -> Rule {
    let covered = slots.map_or(usize::MAX, |slots| usize::try_from(slots / 3 * 2).unwrap_or(usize::MAX));
    let open_max = if durability == Durability::Ram { queue_max.min(covered.max(1)) } else { queue_max };
    Rule { durability, has_sinks, queue_max, open_max }
}

impl Worker {
    /// Goes by other settings from now on.
    pub(super) fn configure(&mut self, settings: &Settings, clock: &Clock) {
        let queue_max = settings.queue_max_size.max(1);
        self.shared.set_queue_max(queue_max);
        self.limits = Limits {
            max_blocks: settings.max_batches,
            max_bytes: settings.max_bytes,
            retention: settings.retention,
            max_age: settings.max_age,
        };
        self.batch_size = settings.batch_size.max(1);
        self.let_sinks_go(&settings.sinks);
        self.awaited = settings.sinks.iter().filter(|sink| self.ledger.get(sink).is_none()).cloned().collect();
        self.rule = rule(settings.durability, queue_max, !settings.sinks.is_empty(), self.crash_slots);
        self.let_sinks_in(clock);
        if self.disk.is_ready(clock.now) && self.commit(clock, false) {
            self.enforce_caps(clock);
        }
        self.write_cursor_file();
        self.tidying.due = clock.now;
    }

    fn let_sinks_go(&mut self, sinks: &[String]) {
        for cursor in self.ledger.keep(sinks) {
            self.retired.retain(|known| known.sink != cursor.sink);
            self.retired.push(cursor);
        }
    }

    /// The sinks that are awaited, once the file says where they were.
    pub(super) fn let_sinks_in(&mut self, clock: &Clock) {
        if self.awaited.is_empty() || !self.disk.is_ready(clock.now) {
            return;
        }
        let found = self.disk.with(clock.now, |store| {
            let oldest = store.oldest()?.map(|oldest| oldest.first);
            Ok((store.cursors()?, oldest, store.sinks_to_send_again()?))
        });
        let Some((stored, oldest, sends_again)) = found else { return };
        for sink in std::mem::take(&mut self.awaited) {
            let known = self.retired.iter().chain(&stored);
            let known = known.filter(|cursor| cursor.sink == sink && cursor.end() <= self.tail.end());
            let cursor = known.max_by_key(|cursor| cursor.age()).cloned();
            let begin = oldest.unwrap_or(self.tail.first());
            self.ledger.add(cursor.unwrap_or_else(|| Cursor::new(&sink, begin)));
            self.retired.retain(|cursor| cursor.sink != sink);
        }
        self.sends_again.extend(sends_again);
        self.recount_unseen(clock);
        self.write_cursor_file();
    }

    /// While a sink was away samples may have gone that it did not have.
    fn recount_unseen(&mut self, clock: &Clock) {
        let range = self.ledger.slowest().unwrap_or(u64::MAX)..self.tail.first();
        let counted = self.disk.with(clock.now, |store| Ok((store.present(&range)?, store.revision())));
        match counted {
            Some((present, revision)) => drop(self.ledger.recount(range.end, &present, revision)),
            None => self.recount = true,
        }
    }
}
