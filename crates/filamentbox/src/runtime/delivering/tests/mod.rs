//! Delivery as a whole, in a world of its own: the real task and the real journal, a server of any temper, and a clock that goes as
//! fast as the machine can.

mod chance;
mod scenarios;
mod server;

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use filamentbox_core::config::{Durability, RetryConfig};
use filamentbox_core::delivery::Policy;
use filamentbox_core::sample::{BoxName, Point, Sample};
use filamentbox_core::time::UnixTime;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::sleep;

use self::server::{FakeSink, Key, Nature, Server, key};
use super::{Delivering, Parts, Phase};
use crate::alerts::Alerts;
use crate::journal::testing::{Noise, START_MS, Threadless, measurement};
use crate::journal::{Account, Chosen, Letter, Options};
use crate::runtime::clock::{Clocks, paused};
use crate::runtime::sink_view::SinkView;
use crate::sinks::History;

const NAME: &str = "fake";
/// From one reading of a box to the next.
const INTERVAL: Duration = Duration::from_secs(5);
/// Longest drive of simulated time, far beyond any schedule.
const HORIZON: Duration = Duration::from_secs(1_000_000_000);
/// So long may an orderly stop take.
const LAST_SEND: Duration = Duration::from_secs(3);

/// What a world is made of.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    nature: Nature,
    policy: Policy,
    durability: Durability,
    queue_max_size: usize,
    max_batches: u64,
    boxes: usize,
}

impl Plan {
    fn new(seed: u64, nature: Nature) -> Self {
        let retry = RetryConfig {
            backoff_base: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            alert_threshold: 5,
        };
        let policy = Policy { batch_size: 20, flush_interval: Duration::from_secs(30), retry };
        let durability = Durability::Minute;
        Self { seed, nature, policy, durability, queue_max_size: 10_000, max_batches: 50_000, boxes: 1 }
    }

    fn latest_max_age(&self) -> Duration {
        INTERVAL + self.policy.flush_interval + Duration::from_secs(60)
    }
}

/// Runs `story` on a clock that does not wait.
fn simulate<F: Future>(story: impl FnOnce() -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        paused::follow();
        story().await
    })
}

/// A daemon's delivery and what surrounds it.
struct World {
    plan: Plan,
    clocks: Arc<Clocks>,
    server: Arc<Mutex<Server>>,
    journal: Option<Threadless>,
    task: Option<Pin<Box<dyn Future<Output = ()>>>>,
    phase: watch::Sender<Phase>,
    /// Every sample that was taken.
    taken: BTreeMap<Key, Point>,
    noise: Noise,
    /// Both on tmpfs, so that no disk is waited for.
    disk: TempDir,
    shm: TempDir,
}

impl World {
    fn new(plan: Plan) -> Self {
        let clocks = Arc::new(Clocks::scaled(1.0, UnixTime::from_millis(START_MS), HORIZON));
        let wall = clocks.clone();
        let server = Server::new(plan.nature, plan.seed, move || wall.read().wall.unwrap().millis());
        server.lock().unwrap().latest_max_age = plan.latest_max_age();
        let folder = || tempfile::tempdir_in("/dev/shm").expect("/dev/shm is a tmpfs on every Linux");
        let mut world = Self {
            plan,
            clocks,
            server,
            journal: None,
            task: None,
            phase: watch::channel(Phase::Running).0,
            taken: BTreeMap::new(),
            noise: Noise::new(),
            disk: folder(),
            shm: folder(),
        };
        world.start();
        world
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap()
    }

    /// The daemon starts.
    fn start(&mut self) {
        let plan = &self.plan;
        let journal = Threadless::open(Options {
            path: self.disk.path().join("journal.db"),
            crash_log_dir: Some(self.shm.path().to_owned()),
            durability: plan.durability,
            queue_max_size: plan.queue_max_size,
            max_batches: plan.max_batches,
            retention: Duration::from_secs(7 * 86_400),
            max_bytes: 64 << 20,
            max_age: Duration::from_secs(365 * 86_400),
            sinks: vec![NAME.to_owned()],
            batch_size: plan.policy.batch_size as u64,
            clocks: self.clocks.clone(),
            alerts: Alerts::default(),
        });
        self.phase = watch::channel(Phase::Running).0;
        let task = Delivering::new(Parts {
            view: SinkView::new(NAME),
            sink: Box::new(FakeSink::new(self.server.clone())),
            settle: plan.nature.settle(),
            history: plan.nature.history,
            latest_max_age: plan.latest_max_age(),
            journal: journal.handle.clone(),
            clocks: self.clocks.clone(),
            policy: plan.policy,
            alerts: Alerts::default(),
            phase: self.phase.subscribe(),
        });
        self.task = Some(Box::pin(task.run()));
        self.journal = Some(journal);
    }

    /// The process is killed.
    fn kill(&mut self) {
        self.task = None;
        self.journal = None;
    }

    /// An orderly stop.
    async fn stop(&mut self) {
        self.phase.send_replace(Phase::Flushing);
        self.pass_at_most(LAST_SEND).await;
        self.task = None;
        let mut journal = self.journal.take().unwrap();
        journal.ask(|handle| async move { handle.stop().await }).await;
    }

    /// Time goes on, without readings. Ends early when the task does.
    async fn pass_at_most(&mut self, time: Duration) {
        let mut end = Box::pin(sleep(time));
        let Self { journal, task, .. } = self;
        let (Some(journal), Some(running)) = (journal.as_mut(), task.as_mut()) else { return end.await };
        let ended = poll_fn(|context| match journal.poll(running.as_mut(), context) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending => end.as_mut().poll(context).map(|()| false),
        });
        if ended.await {
            assert_eq!(*self.phase.borrow(), Phase::Flushing, "the task ends at a stop only");
            self.task = None;
        }
    }

    /// Each box is read once, one second after the other, and the rest of the interval passes.
    async fn read(&mut self) {
        for number in 0..self.plan.boxes {
            let clock = self.clocks.read();
            let box_name = if number == 0 { BoxName::main() } else { BoxName::new("second").unwrap() };
            let sample = Sample {
                box_name,
                taken_at: clock.now,
                wall: clock.wall,
                measurement: measurement(self.taken.len() as u64, 5_000, &mut self.noise),
                heater_on: false,
                fan_on: false,
            };
            let point = sample.point_at(clock.wall.unwrap());
            assert_eq!(self.taken.insert(key(&point), point), None);
            let journal = self.journal.as_mut().expect("a daemon runs");
            journal.intake.sample(sample);
            journal.turn();
            self.pass_at_most(Duration::from_secs(1)).await;
        }
        self.pass_at_most(INTERVAL - Duration::from_secs(self.plan.boxes as u64)).await;
    }

    async fn readings(&mut self, count: u64) {
        for _ in 0..count {
            self.read().await;
        }
    }

    /// The account, after checking that it balances, and that the table of dead letters agrees with it.
    async fn account(&mut self) -> Account {
        let (accounts, letters) =
            self.journal
                .as_mut()
                .expect("a daemon runs")
                .ask(|handle| async move {
                    (handle.accounts().await, handle.letters(Chosen::default(), false, 10_000).await)
                })
                .await;
        let account = accounts.expect("it answers").remove(0);
        let Account { sampled, delivered, waiting, dead_letter, superseded, evicted, .. } = account;
        assert_eq!(sampled, delivered + waiting + dead_letter + superseded + evicted, "{account:?}");
        assert_eq!(sampled, self.taken.len() as u64, "{account:?}");
        assert_eq!(dead_letter, letters.expect("it answers").len() as u64, "{account:?}");
        account
    }

    async fn letters(&mut self) -> Vec<Letter> {
        let journal = self.journal.as_mut().expect("a daemon runs");
        journal.ask(|handle| async move { handle.letters(Chosen::default(), false, 10_000).await }).await.unwrap()
    }

    /// As a person wishes.
    async fn send_letters_again(&mut self) {
        let journal = self.journal.as_mut().expect("a daemon runs");
        journal.ask(|handle| async move { handle.send_letters_again(Chosen::default()).await }).await.unwrap();
    }

    /// Waits until nothing waits.
    async fn drain(&mut self) -> Account {
        for minutes in 1..3000 {
            let account = self.account().await;
            if account.waiting == 0 {
                return account;
            }
            self.pass_at_most(Duration::from_secs(60)).await;
            if minutes % 30 == 0 {
                // What waits may be bad altogether, which shows beside a good one.
                self.read().await;
            }
        }
        let taste = self.server().taste.clone();
        let requests = self.server().requests;
        panic!("something waits for ever: {:?}, {taste:?}, {requests} requests", self.account().await)
    }

    /// Nothing may be lost: what is not stored is a dead letter, or superseded, or evicted. Excused is only what the server has acknowledged,
    /// lost, and does not say.
    async fn assert_complete(&mut self) {
        let account = self.account().await;
        let letters: BTreeMap<Key, String> =
            self.letters().await.into_iter().map(|letter| (key(&letter.point), letter.reason)).collect();
        let server = self.server.lock().unwrap();
        let (mut missing, mut lost_unseen) = (0, 0);
        for (key, point) in &self.taken {
            match server.has(key) {
                Some(stored) => assert_eq!(stored, point),
                None if letters.contains_key(key) => {}
                None if server.has_lost_unseen(key) => lost_unseen += 1,
                None => missing += 1,
            }
        }
        assert!(missing <= account.superseded + account.evicted, "{missing} are missing without a trace: {account:?}");
        assert!(server.stored_count() <= self.taken.len(), "something is stored that was never read");
        if account.evicted == 0 && self.plan.nature.history == History::AnyOrder {
            assert_eq!(missing, 0, "{account:?}");
            // One that was stored, and refused when it came again.
            let both = letters.keys().filter(|key| server.has(key).is_some()).count();
            assert_eq!(account.delivered, (server.stored_count() + lost_unseen - both) as u64, "{account:?}");
        }
        for (key, reason) in &letters {
            let stored = server.has(key).is_some();
            let was_refused = server.refused.contains(key) || (stored && !self.plan.nature.answers);
            assert!(was_refused, "{key:?} is a dead letter without being refused: {reason}");
        }
        if self.plan.nature.answers {
            assert!(server.most_arrivals() <= 1 || !self.plan.nature.doubles, "stored twice");
        }
    }
}
