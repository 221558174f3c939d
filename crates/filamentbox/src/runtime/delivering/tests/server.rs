//! A server of any temper, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use filamentbox_core::physics::SplitMix64;
use filamentbox_core::sample::Point;
use filamentbox_core::time::UnixTime;
use tokio::time::{Instant, sleep};

use crate::sinks::line_protocol::{Backslash, Encoder};
use crate::sinks::{Absent, Asked, Body, Health, History, Labels, Lines, Sink, SinkError, Tested, Written};

/// Chance with a seed.
pub(super) struct Dice(SplitMix64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    pub(super) fn chance(&mut self, of: f64) -> bool {
        self.0.next_unit() < of
    }

    pub(super) fn below(&mut self, count: u64) -> u64 {
        (self.0.next_unit() * count as f64) as u64
    }

    /// In milliseconds, long ones as likely as short ones.
    pub(super) fn milliseconds(&mut self, least: f64, most: f64) -> Duration {
        let power = self.0.next_unit();
        Duration::from_secs_f64(least.powf(1.0 - power) * most.powf(power) / 1000.0)
    }

    pub(super) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }
}

/// A point's identity.
pub(super) type Key = (String, i64);

pub(super) fn key(point: &Point) -> Key {
    (point.box_name.to_string(), point.at.millis())
}

/// What a kind of server does with points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Nature {
    pub(super) history: History,
    /// It keeps both copies of a point that is sent twice, and loses the last seconds when it is killed.
    pub(super) doubles: bool,
    /// It says what it has.
    pub(super) answers: bool,
    /// A refused request is stored but for the points at fault.
    pub(super) stores_the_others: bool,
}

impl Nature {
    pub(super) fn settle(self) -> Duration {
        Duration::from_secs(if self.doubles { 15 } else { 0 })
    }
}

/// How it treats every request for a while.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Mood {
    Healthy,
    Down,
    Overloaded,
    Misconfigured,
    /// Refuses whatever it is sent, as if the points were at fault.
    RefusesAll,
    /// Loses requests and answers, this part of each.
    Flaky(f64),
    /// Takes a request and never answers.
    Hangs,
}

/// Which points it does not take.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Taste {
    /// These.
    pub(super) bad: BTreeSet<Key>,
    /// One of so many, by its time.
    pub(super) bad_one_of: Option<u64>,
    /// It names them.
    pub(super) names_them: bool,
    /// Points in one request.
    pub(super) largest: Option<usize>,
    /// Points older than this are refused ...
    pub(super) keeps: Option<Duration>,
    /// ... or accepted and thrown away.
    pub(super) silently: bool,
}

struct Kept {
    point: Point,
    arrivals: u32,
    at: Instant,
}

/// A request on its way, and what becomes of it.
struct Transit {
    id: u64,
    arrives: Instant,
    points: Vec<Point>,
}

pub(super) struct Server {
    pub(super) nature: Nature,
    pub(super) taste: Taste,
    /// It takes so long for each request.
    pub(super) pace: Duration,
    dice: Dice,
    mood: Mood,
    /// The mood that is next, once a batch is through: nobody's mind changes in the middle of one.
    next_mood: Mood,
    last_request: Instant,
    down_until: Instant,
    stored: BTreeMap<Key, Kept>,
    newest: BTreeMap<String, i64>,
    transits: Vec<Transit>,
    results: BTreeMap<u64, Result<(), SinkError>>,
    last_id: u64,
    /// Points that were refused alone or by name, or thrown away.
    pub(super) refused: BTreeSet<Key>,
    /// Points that it has said it took, ...
    acknowledged: BTreeSet<Key>,
    /// ... and those that were gone after a crash.
    forgotten: BTreeSet<Key>,
    pub(super) requests: u64,
    /// Requests whose body was made while another one was under way.
    pub(super) made_ahead: u64,
    /// Points that came after a newer one, to a server that wants order.
    pub(super) out_of_order: u64,
    /// The wall clock at the runtime's start.
    wall: Box<dyn Fn() -> i64 + Send>,
    /// For one that takes the latest only: the oldest that may be sent.
    pub(super) latest_max_age: Duration,
}

/// What a server that is asked has stored becomes visible after this time.
const LAG: Duration = Duration::from_millis(1500);
/// A batch's requests follow each other within this time.
const BETWEEN_BATCHES: Duration = Duration::from_secs(1);

fn retry(reason: &str, after: Option<Duration>) -> SinkError {
    SinkError::Retry { reason: reason.to_owned(), after }
}

impl Server {
    pub(super) fn new(nature: Nature, seed: u64, wall: impl Fn() -> i64 + Send + 'static) -> Arc<Mutex<Self>> {
        let now = Instant::now();
        Arc::new(Mutex::new(Self {
            nature,
            taste: Taste::default(),
            pace: Duration::ZERO,
            dice: Dice::new(seed ^ 0x5e4e4),
            mood: Mood::Healthy,
            next_mood: Mood::Healthy,
            last_request: now,
            down_until: now,
            stored: BTreeMap::new(),
            newest: BTreeMap::new(),
            transits: Vec::new(),
            results: BTreeMap::new(),
            last_id: 0,
            refused: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            requests: 0,
            made_ahead: 0,
            out_of_order: 0,
            wall: Box::new(wall),
            latest_max_age: Duration::MAX,
        }))
    }

    pub(super) fn set_mood(&mut self, mood: Mood) {
        self.next_mood = mood;
    }

    /// Killed and started again after `outage`: what it accepted in the last `lost` is gone, if its nature is like that.
    pub(super) fn crash(&mut self, lost: Duration, outage: Duration) {
        self.arrive();
        let now = Instant::now();
        self.transits.clear();
        self.down_until = now + outage;
        if self.nature.doubles {
            let gone = self.stored.extract_if(.., |_, kept| now - kept.at <= lost);
            self.forgotten.extend(gone.map(|(key, _)| key));
        }
    }

    /// Whether nobody can know that this point is gone: it was taken, the sender was told so, it was lost, and the server cannot be asked.
    pub(super) fn has_lost_unseen(&self, key: &Key) -> bool {
        !self.nature.answers && self.forgotten.contains(key) && self.acknowledged.contains(key)
    }

    pub(super) fn has(&self, key: &Key) -> Option<&Point> {
        self.stored.get(key).map(|kept| &kept.point)
    }

    pub(super) fn stored_count(&self) -> usize {
        self.stored.len()
    }

    pub(super) fn most_arrivals(&self) -> u32 {
        self.stored.values().map(|kept| kept.arrivals).max().unwrap_or(0)
    }

    /// The time of the newest point it ever had.
    pub(super) fn newest(&self) -> Option<i64> {
        self.newest.values().copied().max()
    }

    fn is_bad(&self, point: &Point) -> bool {
        let mixed = (point.at.millis() as u64 / 1000).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        self.taste.bad.contains(&key(point)) || self.taste.bad_one_of.is_some_and(|of| mixed.is_multiple_of(of))
    }

    fn is_too_old(&self, point: &Point) -> bool {
        let age = (self.wall)() - point.at.millis();
        self.taste.keeps.is_some_and(|keeps| age > keeps.as_millis() as i64)
    }

    /// What has reached it by now.
    fn arrive(&mut self) {
        let now = Instant::now();
        let (due, rest) = std::mem::take(&mut self.transits).into_iter().partition(|transit| transit.arrives <= now);
        self.transits = rest;
        let mut due: Vec<Transit> = due;
        due.sort_by_key(|transit| (transit.arrives, transit.id));
        for Transit { id, points, arrives } in due {
            let result = if self.down_until > arrives { Err(retry("down", None)) } else { self.take(&points, arrives) };
            self.results.insert(id, result);
        }
    }

    fn take(&mut self, points: &[Point], at: Instant) -> Result<(), SinkError> {
        self.requests += 1;
        let rejected = |reason: &str, lasting| SinkError::Rejected { reason: reason.to_owned(), lasting };
        if self.mood == Mood::RefusesAll {
            return Err(rejected("no", false));
        }
        if self.taste.largest.is_some_and(|largest| points.len() > largest) {
            return Err(SinkError::TooLarge { reason: "too large".to_owned() });
        }
        let mut faults: Vec<(usize, String)> = Vec::new();
        let mut lasting = true;
        let mut newest = self.newest.clone();
        for (index, point) in points.iter().enumerate() {
            let last = newest.get(point.box_name.as_str()).copied().unwrap_or(i64::MIN);
            let late = match self.nature.history {
                History::InOrder => point.at.millis() < last,
                History::AnyOrder | History::LatestOnly => false,
            };
            if late {
                self.out_of_order += 1;
                faults.push((index, "out of order".to_owned()));
            } else if self.is_bad(point) {
                lasting = false;
                faults.push((index, "bad".to_owned()));
            } else if self.is_too_old(point) {
                if self.taste.silently {
                    self.refused.insert(key(point));
                } else {
                    faults.push((index, "too old".to_owned()));
                }
            } else {
                newest.insert(point.box_name.to_string(), last.max(point.at.millis()));
            }
        }
        let names = self.taste.names_them;
        if faults.is_empty() || names || self.nature.stores_the_others {
            self.newest = newest;
            let stored = points.iter().enumerate().filter(|(at, _)| faults.iter().all(|(fault, _)| fault != at));
            let stored: Vec<Point> = stored.map(|(_, point)| point.clone()).collect();
            stored.into_iter().for_each(|point| self.store(point, at));
        }
        if faults.is_empty() {
            return Ok(());
        }
        if names || points.len() == 1 {
            self.refused.extend(faults.iter().map(|(index, _)| key(&points[*index])));
        }
        match names {
            true => Err(SinkError::Partial { reason: "partial".to_owned(), rejected: faults }),
            false => Err(rejected(&faults[0].1, lasting)),
        }
    }

    fn store(&mut self, point: Point, at: Instant) {
        if self.taste.silently && self.is_too_old(&point) {
            return;
        }
        if self.nature.history == History::LatestOnly {
            let name = point.box_name.as_str();
            let same_box = self.stored.values().filter(|kept| kept.point.box_name.as_str() == name);
            assert!(
                same_box.map(|kept| kept.point.at).max() <= Some(point.at),
                "an older point came after a newer one"
            );
            let age = (self.wall)() - point.at.millis();
            // It was on its way for a while.
            let most = self.latest_max_age.as_millis() as i64 + 3_000;
            assert!(age <= most, "a point of {age} ms ago was sent as if it were now");
        }
        if let Some(kept) = self.stored.get_mut(&key(&point)) {
            assert_eq!(kept.point, point, "two values at one time");
            kept.arrivals += 1;
        } else {
            self.stored.insert(key(&point), Kept { point, arrivals: 1, at });
        }
    }

    fn begin(&mut self, points: Option<&[Point]>) -> Fate {
        self.arrive();
        let now = Instant::now();
        if now - self.last_request > BETWEEN_BATCHES {
            self.mood = self.next_mood;
        }
        self.last_request = now;
        if self.down_until > now {
            return Fate::Error(retry("no connection", None));
        }
        let lost = match self.mood {
            Mood::Down => return Fate::Error(retry("no connection", None)),
            Mood::Hangs => return Fate::Hang,
            Mood::Overloaded => {
                let after = self.dice.chance(0.5).then(|| Duration::from_secs(1 + self.dice.below(60)));
                return Fate::Error(retry("429", after));
            }
            Mood::Misconfigured => return Fate::Error(SinkError::Misconfigured { reason: "401".to_owned() }),
            Mood::Flaky(part) => part,
            Mood::Healthy | Mood::RefusesAll => 0.0,
        };
        if self.dice.chance(lost) {
            return Fate::Error(retry("the request was lost", None));
        }
        let there = self.pace + self.dice.milliseconds(1.0, 200.0);
        let back = self.dice.milliseconds(1.0, 200.0);
        let answer = !self.dice.chance(lost);
        self.last_id += 1;
        let id = self.last_id;
        if let Some(points) = points {
            self.transits.push(Transit { id, arrives: now + there, points: points.to_vec() });
        }
        Fate::Goes { id, time: there + back, answer }
    }

    fn result(&mut self, id: u64) -> Result<(), SinkError> {
        self.arrive();
        self.results.remove(&id).unwrap_or_else(|| Err(retry("the connection broke", None)))
    }

    /// The sender hears of it.
    fn acknowledge(&mut self, points: &[Point], result: &Result<(), SinkError>) {
        let rejected = match result {
            Ok(()) => &[][..],
            Err(SinkError::Partial { rejected, .. }) => rejected,
            Err(_) => return,
        };
        let taken = points.iter().enumerate().filter(|(at, _)| rejected.iter().all(|(index, _)| index != at));
        self.acknowledged.extend(taken.map(|(_, point)| key(point)));
    }

    fn held(&mut self, points: &[Point]) -> Option<Vec<bool>> {
        let has = |point: &Point| self.stored.get(&key(point)).is_some_and(|kept| self.is_visible(kept));
        self.nature.answers.then(|| points.iter().map(has).collect())
    }

    fn is_visible(&self, kept: &Kept) -> bool {
        let lag = if self.nature.doubles { LAG } else { Duration::ZERO };
        Instant::now() - kept.at >= lag
    }

    fn has_none(&self, times: &RangeInclusive<UnixTime>) -> bool {
        let is_there = |kept: &Kept| times.contains(&kept.point.at) && self.is_visible(kept);
        self.nature.answers && !self.stored.values().any(is_there)
    }
}

enum Fate {
    Goes { id: u64, time: Duration, answer: bool },
    Error(SinkError),
    Hang,
}

/// A connection to it.
pub(super) struct FakeSink(Arc<Mutex<Server>>, Lines);

impl FakeSink {
    pub(super) fn new(server: Arc<Mutex<Server>>) -> Self {
        let labels = Labels { measurement: "fake".to_owned(), tags: Vec::new(), tag_box: true };
        Self(server, Lines::plain(Encoder::new("Fake", &labels, Backslash::Doubled).expect("allowed")))
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.0.lock().expect("no test thread has failed")
    }

    async fn deliver(&self, points: &[Point]) -> Result<(), SinkError> {
        assert!(!points.is_empty(), "an empty request");
        let fate = self.server().begin(Some(points));
        match fate {
            Fate::Hang => pending().await,
            Fate::Error(error) => {
                sleep(Duration::from_millis(2)).await;
                Err(error)
            }
            Fate::Goes { id, time, answer } => {
                sleep(time).await;
                let result = self.server().result(id);
                if !answer {
                    return Err(retry("the answer was lost", None));
                }
                self.server().acknowledge(points, &result);
                result
            }
        }
    }

    async fn look_ahead(&self, times: RangeInclusive<UnixTime>) -> Result<bool, SinkError> {
        let fate = self.server().begin(None);
        match fate {
            Fate::Hang => pending().await,
            Fate::Error(error) => Err(error),
            Fate::Goes { time, answer, .. } => {
                sleep(time).await;
                self.server().arrive();
                let has_none = self.server().has_none(&times);
                if answer { Ok(has_none) } else { Err(retry("the answer was lost", None)) }
            }
        }
    }

    async fn look_up(&self, points: &[Point]) -> Result<Option<Vec<bool>>, SinkError> {
        let fate = self.server().begin(None);
        match fate {
            Fate::Hang => pending().await,
            Fate::Error(error) => Err(error),
            Fate::Goes { time, answer, .. } => {
                sleep(time).await;
                self.server().arrive();
                let held = self.server().held(points);
                if answer { Ok(held) } else { Err(retry("the answer was lost", None)) }
            }
        }
    }
}

impl Sink for FakeSink {
    fn write<'a>(&'a mut self, points: &'a [Point]) -> Written<'a> {
        Box::pin(self.deliver(points))
    }

    fn lines(&self) -> Option<&Lines> {
        Some(&self.1)
    }

    fn write_body<'a>(&'a mut self, points: &'a [Point], body: Body) -> Written<'a> {
        Box::pin(async move {
            assert_eq!(body, self.1.body(points).await, "the body of other points");
            self.server().made_ahead += 1;
            self.deliver(points).await
        })
    }

    fn held<'a>(&'a mut self, points: &'a [Point]) -> Asked<'a> {
        Box::pin(self.look_up(points))
    }

    fn has_none(&mut self, times: RangeInclusive<UnixTime>) -> Absent<'_> {
        Box::pin(self.look_ahead(times))
    }

    fn test(&mut self) -> Tested<'_> {
        Box::pin(async { Health::unknown() })
    }
}
