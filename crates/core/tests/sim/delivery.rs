//! Delivery to one backend in simulated time: a queue of numbered points, the delivery machine, and a server that fails in every
//! way a server can. What is asserted: nothing is lost, nothing changes its order, nobody is asked within a back-off, each
//! episode has one alarm, and after an outage the backlog arrives within the longest back-off.

use std::collections::VecDeque;
use std::time::Duration;

use filamentbox_core::config::RetryConfig;
use filamentbox_core::delivery::{Alert, Backlog, Delivery, Failure, Next, Policy};
use filamentbox_core::time::Monotonic;

use crate::dice::Dice;
use crate::hazards::seconds;

/// A request is given up after so long.
const TIMEOUT: Duration = seconds(10);
/// A healthy server answers within this.
const ANSWER: Duration = Duration::from_millis(40);
const BACKOFF_MAX: Duration = seconds(300);
/// The longest back-off with all its jitter.
const LONGEST_PAUSE: Duration = seconds(330);
const FLUSH: Duration = seconds(60);
const THRESHOLD: u32 = 5;

/// How the server is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Server {
    Up,
    /// Takes the points, and answers after so many seconds; after [`TIMEOUT`] nobody listens any more.
    Slow(u64),
    /// Takes the points; its answer is lost.
    Mute,
    /// Nobody there.
    Down,
    /// Asks for so many seconds of patience.
    Busy(u64),
    /// 4xx: these points, or this password.
    Refuses,
    Misconfigured,
}

struct World {
    now: Monotonic,
    dice: Dice,
    delivery: Delivery,
    policy: Policy,
    /// Moments of the points that wait; the first has the number `delivered`.
    waiting: VecDeque<Monotonic>,
    sampled: u64,
    delivered: u64,
    next_sample: Monotonic,
    server: Server,
    /// What the server has, by number: a re-send changes nothing.
    stored: u64,
    resent: u64,
    /// When each request began.
    requests: Vec<Monotonic>,
    failures: u32,
    not_before: Monotonic,
    raised: bool,
    alerts: Vec<Alert>,
    /// Since when nothing was wrong and nothing was overdue.
    calm_since: Option<Monotonic>,
}

impl World {
    fn new(seed: u64, batch_size: usize) -> Self {
        let retry = RetryConfig { backoff_base: seconds(1), backoff_max: BACKOFF_MAX, alert_threshold: THRESHOLD };
        let policy = Policy { batch_size, flush_interval: FLUSH, retry };
        let now = Monotonic::from_nanos(7_000_000_000);
        Self {
            now,
            dice: Dice::new(seed),
            delivery: Delivery::new(policy),
            policy,
            waiting: VecDeque::new(),
            sampled: 0,
            delivered: 0,
            next_sample: now,
            server: Server::Up,
            stored: 0,
            resent: 0,
            requests: Vec::new(),
            failures: 0,
            not_before: now,
            raised: false,
            alerts: Vec::new(),
            calm_since: Some(now),
        }
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            let backlog = Backlog { waiting: self.waiting.len() as u64, oldest: self.waiting.front().copied() };
            let wake = match self.delivery.poll(self.now, backlog, false) {
                Next::Send { max } => {
                    self.send(max);
                    continue;
                }
                Next::WaitUntil(at) => {
                    assert!(at > self.now, "it waits for the past");
                    at
                }
                Next::Idle => {
                    assert!(self.waiting.is_empty(), "it rests on a backlog");
                    end
                }
            };
            self.pass_to(wake.min(self.next_sample).min(end));
        }
    }

    /// Samples go on being taken, whatever the delivery does.
    fn pass_to(&mut self, moment: Monotonic) {
        while self.next_sample <= moment {
            self.waiting.push_back(self.next_sample);
            self.sampled += 1;
            self.next_sample = self.next_sample + seconds(5);
        }
        self.now = moment;
        assert_eq!(self.sampled, self.delivered + self.waiting.len() as u64, "accepted = delivered + waiting");
    }

    fn send(&mut self, max: usize) {
        assert!(self.now >= self.not_before, "a request within the back-off");
        let count = self.waiting.len().min(max) as u64;
        assert!(count > 0 && count <= self.policy.batch_size as u64, "{count} points");
        self.requests.push(self.now);
        let first = self.delivered;
        let (takes, answer) = match self.server {
            Server::Up => (true, Ok(ANSWER)),
            Server::Slow(answer) if seconds(answer) < TIMEOUT => (true, Ok(seconds(answer))),
            Server::Slow(_) | Server::Mute => (true, Err((TIMEOUT, Failure::Retry { after: None }))),
            Server::Down => (false, Err((ANSWER, Failure::Retry { after: None }))),
            Server::Busy(after) => (false, Err((ANSWER, Failure::Retry { after: Some(seconds(after)) }))),
            Server::Refuses => (false, Err((ANSWER, Failure::Rejected))),
            Server::Misconfigured => (false, Err((ANSWER, Failure::Misconfigured))),
        };
        if takes {
            self.store(first, count);
        }
        match answer {
            Ok(after) => {
                self.pass_to(self.now + after);
                self.succeed(count);
            }
            Err((after, failure)) => {
                self.pass_to(self.now + after);
                self.fail(failure);
            }
        }
    }

    /// The server takes points `first` to `first + count`: never one that comes before its predecessor, or with a gap.
    fn store(&mut self, first: u64, count: u64) {
        assert!(first <= self.stored, "a gap: {first} after {}", self.stored);
        self.resent += (self.stored - first).min(count);
        self.stored = self.stored.max(first + count);
    }

    fn succeed(&mut self, count: u64) {
        for _ in 0..count {
            let taken_at = self.waiting.pop_front().expect("was sent");
            let late = self.now.since(taken_at);
            let calm = self.calm_since.is_some_and(|since| since <= taken_at);
            assert!(!calm || late <= FLUSH, "all was well, and a point took {late:?}");
        }
        self.delivered += count;
        assert!(self.delivered <= self.stored, "counted as delivered without being there");
        let alert = self.delivery.succeeded();
        assert_eq!(alert, self.raised.then_some(Alert::Recovered));
        self.alerts.extend(alert);
        (self.failures, self.raised, self.not_before) = (0, false, self.now);
        if self.server != Server::Up {
            self.calm_since = None;
        } else if self.waiting.len() <= 1 {
            self.calm_since = self.calm_since.or(Some(self.now));
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.failures += 1;
        self.calm_since = None;
        let jitter = self.dice.unit();
        let alert = self.delivery.failed(self.now, &failure, jitter);
        assert_eq!(alert, (self.failures == THRESHOLD).then_some(Alert::Raised), "failure {}", self.failures);
        self.raised |= alert.is_some();
        self.alerts.extend(alert);
        let doubled = seconds(1).saturating_mul(2u32.saturating_pow(self.failures - 1)).min(BACKOFF_MAX);
        let asked = match failure {
            Failure::Retry { after } => after.unwrap_or_default().min(BACKOFF_MAX),
            Failure::Rejected | Failure::Misconfigured => seconds(30),
        };
        self.not_before = self.now + doubled.max(asked);
    }
}

const HOUR: Duration = seconds(3600);

impl World {
    /// The server is so for `duration`.
    fn server(&mut self, server: Server, duration: Duration) -> &mut Self {
        self.server = server;
        if server != Server::Up {
            self.calm_since = None;
        }
        self.run(duration);
        self
    }

    /// The server works again: everything arrives, the first of it within the longest back-off.
    fn recover(&mut self) {
        let (before, backlog) = (self.delivered, self.waiting.len() as u64);
        self.server(Server::Up, LONGEST_PAUSE + ANSWER);
        assert!(backlog == 0 || self.delivered > before, "nothing within the longest back-off");
        let requests = u32::try_from(backlog).expect("few") / self.policy.batch_size as u32;
        self.run(requests * ANSWER);
        assert!(self.delivered >= before + backlog, "{} of {backlog}", self.delivered - before);
        self.run(HOUR);
        assert!(self.waiting.len() as u64 <= FLUSH.as_secs() / 5, "{} wait", self.waiting.len());
        assert_eq!(self.stored, self.delivered, "the server has each point, once");
        assert!(!self.raised);
    }
}

#[test]
fn healthy_server_gets_every_point_within_the_flush_interval() {
    let mut world = World::new(1, 5000);
    world.server(Server::Up, 24 * HOUR);
    // A batch every 55 s and what the 5 s grid of the samples adds to it.
    assert!((1400..=1600).contains(&world.requests.len()), "{}", world.requests.len());
    assert_eq!((world.resent, &world.alerts[..]), (0, &[][..]));
}

#[test]
fn outage_of_a_day_is_caught_up_with_in_consecutive_batches() {
    let mut world = World::new(2, 500);
    world.server(Server::Up, HOUR).server(Server::Down, 24 * HOUR);
    let asked = world.requests.len();
    world.recover();
    assert!(asked < 75 + 24 * 12 + 10, "{asked}: seldom, while nobody answers");
    assert!(world.sampled > 17_000);
    assert_eq!(world.alerts, [Alert::Raised, Alert::Recovered]);
}

#[test]
fn short_outage_raises_no_alarm() {
    let mut world = World::new(3, 5000);
    world.server(Server::Up, HOUR).server(Server::Down, seconds(65)).recover();
    assert_eq!((&world.alerts[..], world.resent), (&[][..], 0));
}

#[test]
fn lost_answers_send_again_and_store_once() {
    for server in [Server::Mute, Server::Slow(15)] {
        let mut world = World::new(4, 100);
        world.server(Server::Up, HOUR).server(server, HOUR).recover();
        assert!(world.resent > 100, "{}", world.resent);
        assert_eq!(world.alerts, [Alert::Raised, Alert::Recovered]);
    }
}

#[test]
fn slow_server_is_waited_for() {
    let mut world = World::new(5, 5000);
    world.server(Server::Slow(9), 3 * HOUR).recover();
    assert_eq!((world.resent, &world.alerts[..]), (0, &[][..]));
}

#[test]
fn refused_points_wait_until_somebody_changes_the_settings() {
    for server in [Server::Refuses, Server::Misconfigured] {
        let mut world = World::new(6, 100);
        world.server(Server::Up, HOUR).server(server, 6 * HOUR);
        assert!(world.requests.len() < 75 + 6 * 12 + 10, "{}", world.requests.len());
        world.recover();
        assert_eq!(world.alerts, [Alert::Raised, Alert::Recovered]);
    }
}

#[test]
fn server_that_asks_for_patience_gets_it() {
    let mut world = World::new(7, 5000);
    world.server(Server::Up, HOUR);
    let before = world.requests.len();
    world.server(Server::Busy(120), HOUR);
    let pauses = world.requests[before..].windows(2).map(|pair| pair[1].since(pair[0]));
    assert!(pauses.min().expect("several") >= seconds(120));
    world.recover();
}

/// Days of every kind of trouble in a row.
#[test]
fn random_troubles_lose_nothing() {
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let batch_size = dice.pick(&[1, 7, 100, 5000]);
        let mut world = World::new(seed, batch_size);
        for _ in 0..20 {
            let (slow, busy) = (1 + dice.below(20) as u64, dice.below(600) as u64);
            let servers = [
                Server::Up,
                Server::Slow(slow),
                Server::Mute,
                Server::Down,
                Server::Busy(busy),
                Server::Refuses,
                Server::Misconfigured,
            ];
            let server = dice.pick(&servers);
            world.server(server, Duration::from_secs_f64(7200.0_f64.powf(dice.unit())));
        }
        world.recover();
        let takes_turns = world.alerts.windows(2).all(|pair| pair[0] != pair[1]);
        assert!(takes_turns && world.alerts.first() != Some(&Alert::Recovered), "seed {seed}: {:?}", world.alerts);
    }
}
