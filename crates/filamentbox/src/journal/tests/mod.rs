//! The journal as its users see it: an intake, a handle, and a file that outlives them.

mod adoption;
mod books;
mod configure;
mod crashes;
mod damage;
mod growth;
mod queue;
mod thinning;
mod time;
mod waiting;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use filamentbox_core::config::Durability;
use filamentbox_core::sample::{BoxName, Point, Sample};
use filamentbox_core::time::{Monotonic, UnixTime};
use tempfile::TempDir;

use super::testing::{Noise, START_MS, measurement};
use super::{Account, Handle, Intake, OpenError, Options, Recovery, Worker, open};
use crate::alerts::Alerts;
use crate::runtime::clock::Clocks;

/// From one sample to the next.
const INTERVAL: Duration = Duration::from_secs(5);

/// A clock that stands still until it is moved, to the newest sample or by hand.
fn still_clocks() -> Arc<Clocks> {
    Arc::new(Clocks::scaled(1e12, UnixTime::from_millis(START_MS), Duration::ZERO).in_boot("one"))
}

/// A folder on disk and one on tmpfs, as far as the machine has one.
struct Folders {
    disk: TempDir,
    shm: TempDir,
}

impl Folders {
    fn new() -> Self {
        let shm = tempfile::tempdir_in("/dev/shm").expect("/dev/shm is a tmpfs on every Linux");
        Self { disk: tempfile::tempdir().unwrap(), shm }
    }

    fn options(&self) -> Options {
        Options {
            path: self.disk.path().join("journal.db"),
            crash_log_dir: Some(self.shm.path().to_owned()),
            durability: Durability::Minute,
            queue_max_size: 1000,
            max_batches: 50_000,
            retention: Duration::from_secs(7 * 86_400),
            max_bytes: 64 << 20,
            max_age: Duration::from_secs(365 * 86_400),
            sinks: vec!["a".to_owned()],
            batch_size: 5000,
            clocks: still_clocks(),
            alerts: Alerts::default(),
        }
    }

    fn crash_files(&self) -> usize {
        std::fs::read_dir(self.shm.path()).unwrap().count()
    }
}

/// A journal whose thread is the test itself.
struct Rig {
    intake: Intake,
    handle: Handle,
    worker: Worker,
    recovery: Recovery,
    clocks: Arc<Clocks>,
    noise: Noise,
    /// Samples made so far, and when the first was.
    made: u64,
    start: Monotonic,
    /// From one sample to the next.
    interval: Duration,
}

/// So many points were accepted, and the rest of the batch was not.
fn delivered_of(delivered: u64) -> super::Verdict {
    super::Verdict { delivered, ..super::Verdict::default() }
}

impl Rig {
    fn try_open(options: Options) -> Result<Self, OpenError> {
        let clocks = options.clocks.clone();
        let (intake, handle, worker, recovery) = open(options)?;
        let start = clocks.read().now;
        Ok(Self { intake, handle, worker, recovery, clocks, noise: Noise::new(), made: 0, start, interval: INTERVAL })
    }

    fn open(options: Options) -> Self {
        Self::try_open(options).expect("the journal opens")
    }

    fn sample(&mut self) -> Sample {
        let i = self.made;
        self.made += 1;
        let after = self.interval * u32::try_from(i).unwrap();
        let clock = self.clocks.read();
        let wall = clock.wall.unwrap().millis() + clock_difference(self.start + after, clock.now);
        Sample {
            box_name: BoxName::main(),
            taken_at: self.start + after,
            wall: Some(UnixTime::from_millis(wall)),
            measurement: measurement(i, 5_000, &mut self.noise),
            heater_on: i.is_multiple_of(7),
            fan_on: false,
        }
    }

    /// Takes samples, with the journal's thread awake after each.
    fn take(&mut self, count: u64) {
        for _ in 0..count {
            let sample = self.sample();
            self.clocks.stored(sample.taken_at);
            self.intake.sample(sample);
            self.worker.turn();
        }
    }

    /// Takes samples while the journal's thread sleeps.
    fn take_asleep(&mut self, count: u64) {
        for _ in 0..count {
            let sample = self.sample();
            self.intake.sample(sample);
        }
    }

    /// Moves the clock on, and lets the journal's thread do what is due then.
    fn pass(&mut self, time: Duration) {
        self.clocks.stored(self.clocks.read().now + time);
        self.worker.turn();
        // Tidying up goes in steps, with requests between them.
        for _ in 0..1000 {
            if self.worker.tidying.due > self.clocks.read().now {
                return;
            }
            self.worker.turn();
        }
    }

    /// Asks, with the journal's thread awake.
    fn ask<F: Future>(&mut self, question: impl FnOnce(Handle) -> F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut asking = Box::pin(question(self.handle.clone()));
        let worker = &mut self.worker;
        runtime.block_on(std::future::poll_fn(|context| {
            if let Poll::Ready(answer) = asking.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            while let Some(Ok(request)) = worker.requests.as_ref().map(|requests| requests.try_recv()) {
                worker.serve(request);
                worker.turn();
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    fn read(&mut self, sink: &'static str, max: usize) -> super::Batch {
        self.ask(|handle| async move { handle.read(sink, None, max).await }).expect("the journal answers")
    }

    fn acknowledge(&mut self, sink: &'static str, through: u64, delivered: u64) {
        self.ask(|handle| async move { handle.settle(sink, 0..through, delivered_of(delivered)).await })
            .expect("the journal answers");
    }

    /// Reads and acknowledges everything, and returns it.
    fn deliver_all(&mut self, sink: &'static str) -> Vec<Point> {
        let mut all = Vec::new();
        loop {
            let batch = self.read(sink, 300);
            if batch.points.is_empty() {
                return all;
            }
            self.acknowledge(sink, batch.range.end, batch.points.len() as u64);
            all.extend(batch.points);
        }
    }

    /// Like [`Rig::deliver_all`], past reads that fail because the file is found damaged and replaced.
    fn deliver_patiently(&mut self, sink: &'static str) -> Vec<Point> {
        let mut all = Vec::new();
        for _ in 0..100 {
            match self.ask(|handle| async move { handle.read(sink, None, 300).await }) {
                Err(_) => self.pass(Duration::from_secs(61)),
                Ok(batch) if batch.points.is_empty() => return all,
                Ok(batch) => {
                    self.acknowledge(sink, batch.range.end, batch.points.len() as u64);
                    all.extend(batch.points);
                }
            }
        }
        panic!("the journal does not recover");
    }

    /// The account of a sink, after checking that it balances.
    fn account(&mut self, sink: &'static str) -> Account {
        let accounts = self.ask(|handle| async move { handle.accounts().await }).expect("the journal answers");
        let account = accounts.into_iter().find(|account| account.sink == sink).expect("a configured sink");
        let Account { sampled, delivered, waiting, dead_letter, superseded, evicted, .. } = account;
        assert_eq!(sampled, delivered + waiting + dead_letter + superseded + evicted, "{account:?}");
        account
    }

    fn statistics(&mut self) -> super::Statistics {
        self.ask(|handle| async move { handle.statistics().await }).expect("the journal answers")
    }

    fn event_texts(&mut self) -> Vec<String> {
        let events = self.ask(|handle| async move { handle.events(1000).await }).expect("the journal answers");
        events.into_iter().map(|(_, event)| event.text).collect()
    }

    fn stop(mut self) {
        self.ask(|handle| async move { handle.stop().await });
    }

    /// As if the process had been killed.
    fn crash(self) {
        drop(self);
    }

    fn wakes(&self) -> usize {
        let waiting = self.worker.requests.as_ref().unwrap().try_iter().count();
        self.worker.shared.waking.store(false, Ordering::SeqCst);
        waiting
    }
}

fn clock_difference(later: Monotonic, earlier: Monotonic) -> i64 {
    let ahead = i64::try_from(later.since(earlier).as_millis()).unwrap();
    ahead - i64::try_from(earlier.since(later).as_millis()).unwrap()
}

fn times(points: &[Point]) -> Vec<i64> {
    points.iter().map(|point| point.at.millis()).collect()
}

fn assert_in_step(points: &[Point]) {
    let times = times(points);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 5_000), "a gap or a repetition");
}

fn bytes_of(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
