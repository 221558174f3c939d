//! A journal whose file cannot be opened when the daemon starts (the disk is full, read-only or fails): the daemon works all the same,
//! and the samples wait in memory until the file can be opened.
//!
//! They have no numbers until then, because those go on where the file ends. So no backend gets them before, and neither does the crash
//! log: a crash of the program, or a stop before the disk works, loses them. At most `queue.max_size` are held; then the oldest go,
//! counted. Who asks what waits is told of these samples alone.
//!
//! Not here: a disk that fails later, which is `disk`.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use filamentbox_core::event::{Event, EventKind, Severity};
use filamentbox_core::sample::{Point, Sample};
use filamentbox_core::time::{Clock, Monotonic};

use super::intake::{Intake, Item, Way};
use super::recovery::{Held, Recovery, assemble};
use super::requests::{Request, Selection};
use super::worker::{EVENTS_PENDING_MAX, Worker};
use super::{Account, Chunk, Handle, OpenError, Options, Reach, Rolled, State, Statistics, open};
use crate::alerts::{Alert, AlertEvent};
use crate::runtime::supervisor::progress;

/// Delay after the first failure; it doubles.
const BACK_OFF_BASE: Duration = Duration::from_secs(1);
/// Longest delay: a person who has made room sees it used within a minute.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// The journal's thread, with a file or without.
#[derive(Debug)]
pub enum Journal {
    /// The file is open, or was.
    Working(Box<Worker>),
    /// It could not be opened yet.
    Waiting(Box<Waiting>),
}

impl Journal {
    /// Opens the journal; or, when the disk does not let it, one that waits for it. Says why.
    ///
    /// # Errors
    /// What no waiting mends: the file belongs to a later version, or to another program.
    pub fn start(options: Options) -> Result<(Intake, Handle, Self, Result<Recovery, OpenError>), OpenError> {
        match open(options.clone()) {
            Ok((intake, handle, worker, recovery)) => {
                Ok((intake, handle, Self::Working(Box::new(worker)), Ok(recovery)))
            }
            Err(error @ OpenError::Unavailable { .. }) => {
                let waiting = Waiting::new(options, &error);
                let (intake, handle) = waiting.way.ends();
                Ok((intake, handle, Self::Waiting(Box::new(waiting)), Err(error)))
            }
            Err(error) => Err(error),
        }
    }

    /// The body of the journal's thread, as [`Worker::run`].
    pub fn run(&mut self) {
        if let Self::Waiting(waiting) = self {
            match waiting.run() {
                Some(worker) => *self = Self::Working(Box::new(worker)),
                None => return,
            }
        }
        if let Self::Working(worker) = self {
            worker.run();
        }
    }
}

/// What waits for the file.
#[derive(Debug)]
pub struct Waiting {
    options: Options,
    way: Way,
    held: Held,
    /// Oldest first, with the moments at which they came.
    events: VecDeque<(Event, Monotonic)>,
    /// What backends ask; it is answered when there are numbers.
    unanswered: Vec<Request>,
    since: Monotonic,
    reason: String,
    failures: u32,
    retry_at: Monotonic,
}

impl Waiting {
    fn new(options: Options, error: &OpenError) -> Self {
        let now = options.clocks.read().now;
        let mut waiting = Self {
            way: Way::new(&options),
            options,
            held: Held::default(),
            events: VecDeque::new(),
            unanswered: Vec::new(),
            since: now,
            reason: String::new(),
            failures: 0,
            retry_at: now,
        };
        waiting.fail(now, error);
        waiting.alert(AlertEvent::JournalFailing);
        let text = format!("{error}; samples are held in memory until it can");
        tracing::error!("{text}");
        waiting.record(Severity::Error, text);
        waiting
    }

    /// Waits until the file can be opened, and returns the worker that goes on; `None` after a stop.
    pub(super) fn run(&mut self) -> Option<Worker> {
        while self.way.requests.is_some() {
            progress();
            let now = self.take_in().now;
            if self.retry_at <= now
                && let Some(worker) = self.try_to_join(now)
            {
                return Some(worker);
            }
            let wait = self.options.clocks.real_until(self.retry_at);
            match self.way.requests.as_ref()?.recv_timeout(wait) {
                Ok(request) => {
                    if let Some(worker) = self.serve(request) {
                        return worker;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }

    /// Empties the channel, and keeps what there is room for.
    fn take_in(&mut self) -> Clock {
        let shared = self.way.shared.clone();
        shared.waking.store(false, Ordering::SeqCst);
        self.options.clocks.look(None, false);
        let clock = self.options.clocks.read();
        let mut newest = None;
        while let Some(Ok(item)) = self.way.items.as_ref().map(|items| items.try_recv()) {
            shared.queued.fetch_sub(1, Ordering::SeqCst);
            match item {
                Item::Sample(sample) => {
                    newest = Some(sample.taken_at);
                    self.held.samples.push_back(sample);
                }
                Item::Event(event) => self.keep_event(event, clock.now),
            }
        }
        let excess = self.held.samples.len().saturating_sub(self.options.queue_max_size.max(1));
        if excess > 0 {
            self.held.samples.drain(..excess);
            if self.held.evicted == 0 {
                let text = "the memory for samples is full, and the oldest were lost".to_owned();
                tracing::error!("{text}");
                self.record(Severity::Error, text);
            }
            self.held.evicted += excess as u64;
        }
        if let Some(newest) = newest {
            self.options.clocks.stored(newest);
        }
        // In simulated time each sample is waited for; in real time, a channel that is half full wakes this thread anyway.
        let wake_at = if self.options.clocks.is_scaled() { 0 } else { u64::MAX };
        shared.wake_at.store(wake_at, Ordering::SeqCst);
        clock
    }

    /// All samples that came out of the channel.
    fn taken(&self) -> u64 {
        self.held.evicted + self.held.samples.len() as u64
    }

    /// Opens the file, if that is possible now, and puts what waits behind what is in it.
    fn try_to_join(&mut self, now: Monotonic) -> Option<Worker> {
        let (mut worker, crash_log, recovery) = match assemble(&self.options, &self.way, &self.held) {
            Ok(opened) => opened,
            Err(error) => {
                self.fail(now, &error);
                return None;
            }
        };
        self.way.connect(&mut worker, crash_log, self.taken());
        tracing::info!(
            samples = self.held.samples.len(),
            "the journal could be opened; the samples from memory join it"
        );
        let text = format!("the journal could be opened; {} samples from memory join it", self.held.samples.len());
        self.alert(AlertEvent::JournalRecovered);
        for event in recovery.events() {
            self.keep_event(event, now);
        }
        self.record(Severity::Info, text);
        for (event, received) in self.events.drain(..) {
            worker.take_event(event, received);
        }
        self.held = Held::default();
        // What came between the opening and the connection is not in the crash log.
        worker.commit_soon();
        worker.turn();
        self.unanswered.drain(..).for_each(|request| worker.serve(request));
        Some(worker)
    }

    fn fail(&mut self, now: Monotonic, error: &OpenError) {
        self.reason = error.to_string();
        let back_off = BACK_OFF_BASE.saturating_mul(2u32.checked_pow(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now + back_off.min(BACK_OFF_MAX);
    }

    /// Answers from memory. `Some` when the wait is over: with a worker, or, after a stop, without one.
    fn serve(&mut self, request: Request) -> Option<Option<Worker>> {
        let clock = self.take_in();
        match request {
            Request::Wake => {}
            Request::Accounts { reply } => drop(reply.send(self.accounts(&clock))),
            Request::Statistics { reply } => drop(reply.send(self.statistics(&clock))),
            Request::Events { before, limit, reply } => drop(reply.send(self.newest_events(before, limit))),
            Request::Chunk { selection, reply, .. } => drop(reply.send(self.chunk(&selection, &clock))),
            Request::Rollups { reply, .. } => drop(reply.send(Rolled { rollups: Vec::new(), end: 0 })),
            Request::Reach { reply, .. } => drop(reply.send(Reach::default())),
            // Whoever asks for dead letters learns that the journal does not answer.
            Request::Letters { .. } | Request::SendAgain { .. } | Request::Drop { .. } | Request::SentAgain { .. } => {}
            Request::Configure { settings, reply } => {
                self.way.shared.set_queue_max(settings.queue_max_size.max(1));
                self.options.set(*settings);
                let _ = reply.send(());
            }
            Request::Read { .. }
            | Request::Newest { .. }
            | Request::Queue { .. }
            | Request::Settle { .. }
            | Request::OpenIsland { .. } => self.unanswered.push(request),
            Request::Stop { reply } => {
                if let Some(mut worker) = self.try_to_join(clock.now) {
                    worker.finish();
                } else {
                    tracing::warn!(samples = self.held.samples.len(), "stopped with samples that are not on disk");
                }
                self.way.requests = None;
                let _ = reply.send(());
                return Some(None);
            }
        }
        None
    }

    fn points(&self, clock: &Clock) -> impl Iterator<Item = Point> {
        let at = |sample: &Sample| sample.wall.or_else(|| clock.wall_at(sample.taken_at));
        self.held.samples.iter().filter_map(move |sample| Some(sample.point_at(at(sample)?)))
    }

    fn accounts(&self, clock: &Clock) -> Vec<Account> {
        let account = |sink: &String| Account {
            sink: sink.clone(),
            sampled: self.taken(),
            delivered: 0,
            waiting: self.held.samples.len() as u64,
            dead_letter: 0,
            superseded: 0,
            evicted: self.held.evicted,
            oldest: self.points(clock).next().map(|point| point.at),
            oldest_taken: self.held.samples.front().map(|sample| sample.taken_at),
        };
        self.options.sinks.iter().map(account).collect()
    }

    fn statistics(&self, clock: &Clock) -> Statistics {
        Statistics {
            state: State::Failing,
            sampled: self.taken(),
            sealed: 0,
            open: self.held.samples.len() as u64,
            dropped: self.way.shared.dropped.load(Ordering::SeqCst),
            evicted: self.held.evicted,
            file_bytes: 0,
            blocks: 0,
            waits_for_clock: clock.wall.is_none(),
            disk_error: Some(self.reason.clone()),
        }
    }

    fn newest_events(&self, before: u64, limit: usize) -> Vec<(u64, Event)> {
        let numbered = (0..before).zip(self.events.iter().map(|(event, _)| event.clone()));
        let mut events: Vec<_> = numbered.collect();
        events.reverse();
        events.truncate(limit);
        events
    }

    fn chunk(&self, selection: &Selection, clock: &Clock) -> Chunk {
        let points = self.points(clock).filter(|point| selection.contains(point)).collect();
        Chunk { points, next: None, blocks: 0 }
    }

    fn record(&mut self, severity: Severity, text: String) {
        let clock = self.options.clocks.read();
        let event = Event { at: clock.wall, box_name: None, kind: EventKind::Daemon, severity, text };
        self.keep_event(event, clock.now);
    }

    fn keep_event(&mut self, event: Event, now: Monotonic) {
        if self.events.len() >= EVENTS_PENDING_MAX {
            self.events.pop_front();
        }
        self.events.push_back((event, now));
    }

    fn alert(&self, event: AlertEvent) {
        let clock = self.options.clocks.read();
        self.options.alerts.raise(Alert {
            event,
            backend: None,
            failures: self.failures,
            reason: self.reason.clone(),
            backlog_points: self.held.samples.len() as u64,
            since: clock.wall_at(self.since),
            timestamp: clock.wall,
        });
    }
}
