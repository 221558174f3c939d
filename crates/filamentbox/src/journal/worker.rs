//! The journal's thread: takes in, seals, answers, tidies up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use filamentbox_core::event::{Event, EventKind, Severity};
use filamentbox_core::sample::Point;
use filamentbox_core::time::{Clock, Monotonic};

use super::codec::POINTS_MAX;
use super::crash::{CursorFile, Place};
use super::disk::{Disk, News, Turn};
use super::handle::Notifies;
use super::intake::{Item, Shared};
use super::ledger::{Cursor, Ledger};
use super::limits::{Episode, Limits};
use super::requests::Request;
use super::seal::{Open, Rule};
use super::store::{Commit, NewLetter, PendingEvent, Position, Sealed, Unstamped};
use super::tail::Tail;
use crate::alerts::{Alert, Alerts};
use crate::runtime::clock::Clocks;
use crate::runtime::supervisor::progress;

/// Events in memory at most, while the disk fails; then the oldest go.
pub(super) const EVENTS_PENDING_MAX: usize = 1_000;
/// Cursors that have moved far are on disk after this time.
const CURSOR_PATIENCE: Duration = Duration::from_secs(60);
/// "Far": so many sealed samples would be sent again after a power cut. A commit for fewer is not worth its wear. After a crash of
/// the program nothing is sent again; without a crash log, every sample counts.
const CURSOR_FAR: u64 = 1_000;

/// Owns the file and the open samples. Its own state is whole between any two steps, so that [`Worker::run`] can be called again
/// after a panic.
#[derive(Debug)]
pub struct Worker {
    pub(super) rule: Rule,
    pub(super) limits: Limits,
    pub(super) batch_size: u64,
    pub(super) clocks: Arc<Clocks>,
    pub(super) alerts: Alerts,
    pub(super) shared: Arc<Shared>,
    pub(super) notifies: Notifies,
    /// `None` once stopped, as are the requests.
    pub(super) items: Option<Receiver<Item>>,
    pub(super) requests: Option<Receiver<Request>>,
    pub(super) disk: Disk,
    pub(super) tail: Tail,
    pub(super) ledger: Ledger,
    /// The cursors of sinks that have gone and are not on disk yet.
    pub(super) retired: Vec<Cursor>,
    /// Sinks whose place is not known yet, as the disk fails.
    pub(super) awaited: Vec<String>,
    /// Samples that the crash log has room for.
    pub(super) crash_slots: Option<u64>,
    pub(super) crash: Option<(Place, CursorFile)>,
    /// Oldest first, not yet on disk.
    pub(super) events: Vec<PendingEvent>,
    pub(super) next_event: u64,
    /// Dead letters that are not on disk yet.
    pub(super) letters: Vec<NewLetter>,
    /// The numbers of those that the next commit removes.
    pub(super) forgotten: Vec<u64>,
    /// The backends that have dead letters to send again.
    pub(super) sends_again: BTreeSet<String>,
    /// An error is among the events.
    pub(super) urgent: bool,
    pub(super) drained_at: Monotonic,
    pub(super) committed_at: Monotonic,
    /// Of [`Shared::dropped`], so many are accounted for.
    pub(super) dropped_seen: u64,
    /// Samples lost since the start, other than by dropping.
    pub(super) evicted: u64,
    pub(super) losing: Episode,
    /// Samples before this number are thinned, as a person has been told; until every sink has passed it.
    pub(super) thinning_told: Option<u64>,
    /// The file is not what it was: the cursors' holes are to be counted anew.
    pub(super) recount: bool,
    pub(super) room: super::limits::Room,
    pub(super) tidying: super::limits::Tidying,
    pub(super) reference: super::limits::Reference,
    /// When the newest sample since the last turn was taken.
    pub(super) newest_taken: Option<Monotonic>,
    /// Samples on disk without stamps, by number.
    pub(super) unstamped: Vec<Unstamped>,
    /// There are more of them to be stamped now.
    pub(super) stamping: bool,
    /// It was told that samples have lost their time for ever.
    pub(super) reported_lost_time: bool,
    /// The wall clock less the time since boot, when it was last known.
    pub(super) offset_ms: Option<i64>,
    /// Set while `run` runs.
    pub(super) running: bool,
}

impl Worker {
    /// The body of the journal's thread; returns after [`super::Handle::stop`]. Makes progress at least once a minute or two.
    /// After a panic it can be called again and goes on.
    pub fn run(&mut self) {
        if std::mem::replace(&mut self.running, true) {
            self.disk.forget_connection();
            self.record(Severity::Error, "the journal's thread failed and was started again".to_owned());
        }
        while self.requests.is_some() {
            progress();
            let wait = self.turn();
            match self.requests.as_ref().map(|requests| requests.recv_timeout(wait)) {
                Some(Ok(request)) => self.serve(request),
                Some(Err(RecvTimeoutError::Timeout)) | None => {}
                Some(Err(RecvTimeoutError::Disconnected)) => self.finish(),
            }
        }
        self.running = false;
    }

    /// Does what is due, and says how long nothing will be.
    pub(super) fn turn(&mut self) -> Duration {
        loop {
            self.shared.waking.store(false, Ordering::SeqCst);
            let clock = self.take_in();
            self.keep(&clock);
            self.tell_sinks();
            if let Some(newest) = self.newest_taken.take() {
                self.clocks.stored(newest);
            }
            let wake_at = self.wake_at();
            self.shared.wake_at.store(wake_at, Ordering::SeqCst);
            // What came before the new mark was set did not see it.
            if self.shared.next.load(Ordering::SeqCst) < wake_at {
                return self.clocks.real_until(self.deadline(clock.now));
            }
        }
    }

    /// Empties the channel, gives samples their wall times, and counts what was lost on the way.
    pub(super) fn take_in(&mut self) -> Clock {
        let clock = self.look_at_clock(false);
        while let Some(Ok(item)) = self.items.as_ref().map(|items| items.try_recv()) {
            self.shared.queued.fetch_sub(1, Ordering::SeqCst);
            match item {
                Item::Sample(sample) => {
                    self.newest_taken = Some(sample.taken_at);
                    self.tail.push(sample);
                }
                Item::Event(event) => self.record_event(event, clock),
            }
        }
        self.drained_at = clock.now;
        self.stamp(&clock);
        let dropped = self.shared.dropped.load(Ordering::SeqCst);
        let lost = dropped - self.dropped_seen;
        if lost > 0 {
            self.dropped_seen = dropped;
            self.ledger.lose_unnumbered(lost);
            self.report_loss(clock.now, "the journal's thread was stuck, and samples were dropped");
        }
        self.report_news();
        clock
    }

    /// Seals, persists and tidies up, as far as it is due and the disk plays along.
    fn keep(&mut self, clock: &Clock) {
        if self.disk.is_ready(clock.now) && self.due(clock.now).is_some_and(|due| due <= clock.now) {
            self.commit(clock, false);
        }
        self.push_out_excess(clock.now);
        self.stamping = self.stamp_blocks(clock);
        self.give_up_unstamped(clock);
        self.let_sinks_in(clock);
        if self.recount && self.disk.is_ready(clock.now) {
            self.count_holes(clock);
        }
        if self.disk.is_ready(clock.now) && self.tidying.due <= clock.now {
            self.tidy_up(clock);
        }
        self.report_news();
    }

    /// The next turn commits, whatever the rule says.
    pub(super) fn commit_soon(&mut self) {
        self.urgent = true;
    }

    /// When to commit next.
    fn due(&self, now: Monotonic) -> Option<Monotonic> {
        if let Some(retry_at) = self.disk.retry_at() {
            return Some(retry_at);
        }
        if self.urgent || !self.letters.is_empty() || self.tail.must_seal() {
            return Some(now);
        }
        let seal = self.rule.due(self.open(now)).map(|due| now + due);
        let events =
            self.events.iter().map(|pending| pending.received + self.rule.event_patience(pending.event.severity)).min();
        let far = if self.crash.is_some() { CURSOR_FAR } else { 1 };
        let cursors = (self.ledger.unsaved(self.tail.first()) >= far).then(|| self.committed_at + CURSOR_PATIENCE);
        [seal, events, cursors].into_iter().flatten().min()
    }

    fn open(&self, now: Monotonic) -> Open {
        let (first, end) = (self.tail.first(), self.tail.end());
        let age = |seq: u64| if seq < end { self.tail.taken_at(seq).map(|taken_at| now.since(taken_at)) } else { None };
        Open {
            count: usize::try_from(end - first).unwrap_or(usize::MAX),
            oldest: age(first),
            undelivered: self.ledger.slowest().and_then(|slowest| age(slowest.max(first))),
        }
    }

    fn deadline(&self, now: Monotonic) -> Monotonic {
        let looked = self.drained_at + self.rule.patience();
        if self.stamping {
            return now;
        }
        let tidy = if self.disk.retry_at().is_some() { looked } else { self.tidying.due };
        [Some(looked), Some(tidy), self.due(now)].into_iter().flatten().min().unwrap_or(looked)
    }

    /// The number at which the intake must wake this thread: a batch is full for some sink, or the channel is half full.
    fn wake_at(&self) -> u64 {
        let end = self.tail.end();
        if self.rule.durability == filamentbox_core::config::Durability::Each || self.clocks.is_scaled() {
            return end + 1;
        }
        let batches = self.ledger.cursors().map(|cursor| cursor.next + self.batch_size).filter(|full| *full > end);
        batches.min().unwrap_or(u64::MAX).min(end + (self.rule.open_max as u64 / 2).max(1))
    }

    fn tell_sinks(&mut self) {
        let ends: Vec<u64> = self.ledger.cursors().map(|cursor| self.readable_end(cursor.next)).collect();
        for (entry, end) in self.ledger.entries_mut().zip(ends) {
            let waiting = entry.cursor.waiting(end.max(entry.cursor.next));
            if entry.to_notify && waiting >= self.batch_size.max(1) {
                entry.to_notify = false;
                self.notifies.of(&entry.cursor.sink).notify_one();
            }
        }
    }

    /// Writes everything that is not on disk, in one transaction.
    pub(super) fn commit(&mut self, clock: &Clock, clean: bool) -> bool {
        for event in &mut self.events {
            event.event.at = event.event.at.or_else(|| clock.wall_at(event.received));
        }
        let (first, end) = (self.tail.first(), self.tail.end());
        let (stamped, held) = self.tail.to_seal();
        let held_from = first + stamped.len() as u64;
        let (blocks, unstamped) = (in_blocks(first, &stamped), in_blocks(held_from, &held));
        let commit = Commit {
            blocks: &blocks,
            unstamped: &unstamped,
            boot: self.clocks.boot(),
            cursors: self.ledger.cursors().chain(&self.retired).collect(),
            events: &self.events,
            letters: &self.letters,
            forget_letters: &self.forgotten,
            adopted: &[],
            next: self.tail.end(),
            now: clock.wall,
            clean,
        };
        if !self.disk.commit(clock.now, &commit) {
            return false;
        }
        self.tail.forget_before(end);
        self.note_unstamped(held_from..end);
        self.events.clear();
        self.letters.clear();
        self.retired.clear();
        self.forgotten.clear();
        self.urgent = false;
        self.ledger.mark_saved();
        self.committed_at = clock.now;
        self.enforce_caps(clock);
        true
    }

    /// Makes room in memory: the disk fails, or the wall clock is not known.
    fn push_out_excess(&mut self, now: Monotonic) {
        let excess = self.tail.len().saturating_sub(self.rule.queue_max) as u64;
        if excess == 0 {
            return;
        }
        let from = self.tail.first();
        self.tail.forget_before(from + excess);
        // What is sealed waits on: there is a hole behind it.
        self.ledger.lose(&(from..from + excess));
        self.evicted += excess;
        self.write_cursor_file();
        self.report_loss(now, "the memory for samples is full, and the oldest were lost");
    }

    /// Changes the sealed part of the sequence, with the books in the same transaction. While dead letters wait for the disk the cursors
    /// do too, as they must not be ahead of them.
    pub(super) fn change_blocks(
        &mut self,
        gone: &[Position],
        come: &[Sealed],
        thinned: Option<u64>,
        mut ledger: Ledger,
        clock: &Clock,
    ) -> Option<()> {
        let with_cursors = self.letters.is_empty();
        self.disk.with(clock.now, |store| {
            ledger.set_revision(store.revision() + 1);
            let cursors: Vec<_> = ledger.cursors().filter(|_| with_cursors).collect();
            store.change(gone, come, thinned, &cursors)
        })?;
        self.ledger = ledger;
        if with_cursors {
            self.ledger.mark_saved();
        }
        self.write_cursor_file();
        Some(())
    }

    /// After the file was replaced, or when a cursor is not of its revision.
    fn count_holes(&mut self, clock: &Clock) {
        let range = self.ledger.slowest().unwrap_or(u64::MAX)..self.tail.first();
        let counted = self.disk.with(clock.now, |store| Ok((store.present(&range)?, store.revision())));
        let Some((present, revision)) = counted else { return };
        self.recount = false;
        self.evicted += self.ledger.recount(range.end, &present, revision);
        self.write_cursor_file();
    }

    /// The last act.
    pub(super) fn finish(&mut self) {
        let clock = self.take_in();
        self.report_news();
        self.disk.try_now();
        let written = self.commit(&clock, true);
        self.report_news();
        self.disk.close();
        if let Some((place, _)) = self.crash.take()
            && written
            && self.tail.len() == 0
        {
            place.remove();
        }
        if !written || self.tail.len() > 0 {
            tracing::warn!(samples = self.tail.len(), "stopped with samples that are not on disk");
        }
        self.requests = None;
        self.items = None;
    }

    /// The cursors moved: a crash from now on must not send again. But while dead letters wait for the disk, it must: they would be
    /// lost with the crash.
    pub(super) fn write_cursor_file(&mut self) {
        if !self.letters.is_empty() {
            return;
        }
        let Some((_, file)) = &mut self.crash else { return };
        if let Err(error) = file.write(self.ledger.cursors().chain(&self.retired)) {
            tracing::warn!(%error, "the crash log of the backends' places cannot be written");
        }
    }

    fn report_news(&mut self) {
        self.recount |= self.disk.take_replaced();
        for News { severity, text, turn } in self.disk.take_news() {
            self.record(severity, text);
            if let Some(turn) = turn {
                self.alert(turn);
            }
        }
    }

    /// Tells the hooks.
    fn alert(&self, turn: Turn) {
        let (clock, end) = (self.clocks.read(), self.tail.end());
        self.alerts.raise(Alert {
            event: turn.event,
            backend: None,
            failures: turn.failures,
            reason: turn.reason,
            backlog_points: self.ledger.cursors().map(|cursor| cursor.waiting(end)).max().unwrap_or(0),
            since: clock.wall_at(turn.since),
            timestamp: clock.wall,
        });
    }

    /// One event an episode, one line in the log.
    pub(super) fn report_loss(&mut self, now: Monotonic, text: &str) {
        if self.losing.begins(now) {
            tracing::error!("{text}");
            self.record(Severity::Error, text.to_owned());
        }
    }

    /// An event of the journal's own.
    pub(super) fn record(&mut self, severity: Severity, text: String) {
        let clock = self.clocks.read();
        self.record_event(Event { at: clock.wall, box_name: None, kind: EventKind::Daemon, severity, text }, clock);
    }

    fn record_event(&mut self, mut event: Event, clock: Clock) {
        event.at = event.at.or(clock.wall);
        self.take_event(event, clock.now);
    }

    /// Takes an event that came at the moment `received`.
    pub(super) fn take_event(&mut self, event: Event, received: Monotonic) {
        self.urgent |= event.severity == Severity::Error;
        if self.events.len() >= EVENTS_PENDING_MAX {
            self.events.remove(0);
        }
        self.events.push(PendingEvent { id: self.next_event, event, received });
        self.next_event += 1;
    }
}

/// The blocks of points that are numbered from `first` on.
pub(super) fn in_blocks(first: u64, points: &[Point]) -> Vec<Sealed> {
    let numbered = (first..).step_by(POINTS_MAX).zip(points.chunks(POINTS_MAX));
    numbered.map(|(first, points)| Sealed::new(first, points)).collect()
}
