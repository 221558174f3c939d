//! The way in: from the control thread, which must never wait.
//!
//! A sample goes into a channel that nobody listens to; the journal's thread empties it when it wakes up for another reason, or when
//! [`Shared::wake_at`] is reached. A wake-up for every sample would cost more than the rest of the journal.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};

use filamentbox_core::event::{Event, EventKind, Severity};
use filamentbox_core::sample::Sample;

use super::crash::SampleLog;
use super::handle::Notifies;
use super::requests::Request;
use super::worker::Worker;
use super::{Handle, Options};

/// What goes through the channel.
#[derive(Debug)]
pub(super) enum Item {
    Sample(Sample),
    Event(Event),
}

/// What the threads share besides the channels.
#[derive(Debug)]
pub(super) struct Shared {
    /// The number that the next sample gets.
    pub(super) next: AtomicU64,
    /// The journal's thread wants to be woken when [`Shared::next`] gets here.
    pub(super) wake_at: AtomicU64,
    /// A wake-up is on its way.
    pub(super) waking: AtomicBool,
    /// Items in the channel. The channel itself has no bound, and so needs no memory before it is needed.
    pub(super) queued: AtomicUsize,
    /// Samples lost because the channel was full.
    pub(super) dropped: AtomicU64,
    /// Set once the numbers are right: while the file cannot be opened they count from 0.
    crash_log: OnceLock<SampleLog>,
    queue_max: AtomicUsize,
}

impl Shared {
    fn new(queue_max: usize) -> Self {
        Self {
            next: AtomicU64::new(0),
            wake_at: AtomicU64::new(0),
            waking: AtomicBool::new(false),
            queued: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            crash_log: OnceLock::new(),
            queue_max: AtomicUsize::new(queue_max.max(1)),
        }
    }

    fn queue_max(&self) -> usize {
        self.queue_max.load(Ordering::SeqCst)
    }

    pub(super) fn set_queue_max(&self, queue_max: usize) {
        self.queue_max.store(queue_max, Ordering::SeqCst);
    }
}

/// The sending side of everything, for one thread each.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) shared: Arc<Shared>,
    pub(super) items: Sender<Item>,
    pub(super) requests: Sender<Request>,
}

impl Gate {
    /// Whether `item` found room.
    fn put(&self, item: Item) -> bool {
        if self.shared.queued.fetch_add(1, Ordering::SeqCst) >= self.shared.queue_max()
            || self.items.send(item).is_err()
        {
            self.shared.queued.fetch_sub(1, Ordering::SeqCst);
            return false;
        }
        // Events fill the channel too.
        if self.shared.queued.load(Ordering::SeqCst) >= self.shared.queue_max() / 2 {
            self.wake();
        }
        true
    }

    /// An event that finds no room is lost: then thousands are waiting already.
    pub(super) fn event(&self, event: Event) {
        let urgent = event.severity == Severity::Error;
        if self.put(Item::Event(event)) && urgent {
            self.wake();
        }
    }

    fn wake(&self) {
        if !self.shared.waking.swap(true, Ordering::SeqCst) {
            // Without a receiver, the journal is stopped.
            let _ = self.requests.send(Request::Wake);
        }
    }
}

/// Both ends of the way into the journal, before its thread has the one.
#[derive(Debug)]
pub(super) struct Way {
    gate: Gate,
    pub(super) shared: Arc<Shared>,
    pub(super) notifies: Notifies,
    /// `None` once connected, as are the requests.
    pub(super) items: Option<Receiver<Item>>,
    pub(super) requests: Option<Receiver<Request>>,
}

impl Way {
    pub(super) fn new(options: &Options) -> Self {
        let shared = Arc::new(Shared::new(options.queue_max_size));
        let (item_sender, items) = channel();
        let (request_sender, requests) = channel();
        let gate = Gate { shared: shared.clone(), items: item_sender, requests: request_sender };
        Self { gate, shared, notifies: Notifies::default(), items: Some(items), requests: Some(requests) }
    }

    /// The other ends.
    pub(super) fn ends(&self) -> (Intake, Handle) {
        let gate = self.gate.clone();
        let intake = Intake { gate: gate.clone(), crash_log_failing: false };
        (intake, Handle { gate, notifies: self.notifies.clone() })
    }

    /// From now on `worker` is at the journal's end. Its samples are all that came out of the channel so far, `taken`, and what it
    /// opened.
    pub(super) fn connect(&mut self, worker: &mut Worker, crash_log: Option<SampleLog>, taken: u64) {
        (worker.items, worker.requests) = (self.items.take(), self.requests.take());
        // Samples may be on their way just now: their numbers move with those of all others.
        self.shared.next.fetch_add(worker.tail.end().wrapping_sub(taken), Ordering::SeqCst);
        self.shared.wake_at.store(0, Ordering::SeqCst);
        if let Some(log) = crash_log {
            // It is set once.
            let _ = self.shared.crash_log.set(log);
        }
    }
}

/// The control thread's side of the journal. Nothing here ever blocks.
#[derive(Debug)]
pub struct Intake {
    pub(super) gate: Gate,
    /// Whether the last write to the crash log failed.
    pub(super) crash_log_failing: bool,
}

impl Intake {
    /// Takes a sample. When the journal's thread has been stuck for `queue.max_size` samples, the sample is dropped and counted.
    pub fn sample(&mut self, sample: Sample) {
        let shared = &self.gate.shared;
        if shared.queued.load(Ordering::SeqCst) >= shared.queue_max() {
            shared.dropped.fetch_add(1, Ordering::SeqCst);
            return;
        }
        // Where there is a log, the numbers are right, and only this thread counts.
        let log = shared.crash_log.get();
        let seq = shared.next.load(Ordering::SeqCst);
        let logged = log.map(|log| log.write(seq, &sample));
        if !self.gate.put(Item::Sample(sample)) {
            self.gate.shared.dropped.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let next = self.gate.shared.next.fetch_add(1, Ordering::SeqCst) + 1;
        if next >= self.gate.shared.wake_at.load(Ordering::SeqCst) {
            self.gate.wake();
        }
        match logged {
            Some(Err(error)) if !self.crash_log_failing => {
                self.crash_log_failing = true;
                let text = format!(
                    "the crash log cannot be written: {error}; a crash of the program would now lose the open samples"
                );
                self.event(Event {
                    at: None,
                    box_name: None,
                    kind: EventKind::Daemon,
                    severity: Severity::Warning,
                    text,
                });
            }
            Some(Ok(())) => self.crash_log_failing = false,
            _ => {}
        }
    }

    /// Takes an event. An event of severity [`Severity::Error`] is on disk at once, others with the next block.
    pub fn event(&mut self, event: Event) {
        self.gate.event(event);
    }
}
