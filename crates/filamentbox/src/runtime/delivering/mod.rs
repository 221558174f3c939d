//! The task of one backend: from its cursor in the journal to the server, at its own pace.
//!
//! After an outage the newest samples go first, on a track of their own (the *live lane*), so that a dashboard is up to date while the
//! backlog drains. A refused request is divided until the points at fault are known; those become dead letters.
//!
//! Where a server may lose accepted points when it is killed (`SinkKind::settle`), accepted batches stay *unconfirmed* for a
//! while: the cursor waits until the server still has them then. And where it would keep both copies of a re-sent point, or refuses
//! the second, it is asked first what it has, whenever that is in doubt: after a start, after a request without an answer, after a
//! loss.

mod probe;
mod sending;
mod track;

use std::sync::Arc;
use std::time::Duration;

use filamentbox_core::config::Config;
use filamentbox_core::delivery::{Alert, Backlog, Delivery, Next, Policy};
use filamentbox_core::event::{Event, EventKind, Severity};
use filamentbox_core::time::Monotonic;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info, warn};

use self::probe::Probe;
use self::track::{Doubt, Track};
use super::clock::{Clocks, boottime};
use super::sink_view::SinkView;
use crate::journal::{Gone, Handle, Queue, Verdict};
use crate::sinks::{History, Sink, SinkError};

/// While samples wait whose time is not known yet (a Pi before NTP), or only old ones for a backend that takes the latest, they are
/// looked at this often.
const UNKNOWN_TIME_PAUSE: Duration = Duration::from_secs(1);
/// The live lane opens when more than so many batches wait.
const LANE_BATCHES: u64 = 2;
/// Dead letters of one backend are announced once in this time.
const LETTERS_EPISODE: Duration = Duration::from_secs(3600);

/// How the runtime stops, as seen by its tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Normal working.
    Running,
    /// Send what waits, once, then end.
    Flushing,
}

/// What a backend's task is given.
pub struct Parts {
    /// What is shown of it.
    pub view: SinkView,
    /// The backend.
    pub sink: Box<dyn Sink>,
    /// How long an accepted batch stays unconfirmed, in real time.
    pub settle: Duration,
    /// What the backend does with the past.
    pub history: History,
    /// For a backend that takes the latest only: an older point is not sent as if it were now.
    pub latest_max_age: Duration,
    /// The journal.
    pub journal: Handle,
    /// The clocks.
    pub clocks: Arc<Clocks>,
    /// Batching, retries, alarm.
    pub policy: Policy,
    /// The way the daemon goes.
    pub phase: watch::Receiver<Phase>,
}

/// A backend's task.
pub struct Delivering {
    parts: Parts,
    delivery: Delivery,
    /// The one from the cursor on, and the live lane if there is one.
    tracks: Vec<Track>,
    /// Points in one request at most, once a request was too large.
    largest: usize,
    /// Something was accepted since the start or the last failure.
    delivers: bool,
    /// When dead letters were last announced.
    letters_told: Option<Monotonic>,
    /// While the server may be down.
    probe: Option<Probe>,
}

/// What came of looking at one track.
enum Step {
    /// Something was sent; there may be more to do at once.
    Sent,
    /// Nothing to do for so long.
    Wait(Duration),
}

/// The policy that the settings ask for.
pub fn policy(config: &Config) -> Policy {
    Policy { batch_size: config.batch_size, flush_interval: config.flush_interval, retry: config.retry }
}

/// The oldest point that is "the latest": one that was taken in time, and has waited for its turn.
pub fn latest_max_age(config: &Config) -> Duration {
    config.read_interval + config.flush_interval + Duration::from_secs(60)
}

impl Delivering {
    /// A task that has sent nothing yet.
    pub fn new(parts: Parts) -> Self {
        let mut policy = parts.policy;
        if policy.flush_interval > parts.settle * 2 {
            // Confirmed, too, within the interval: then the journal need not write what a backend is about to have.
            policy.flush_interval -= parts.settle;
        }
        let delivery = Delivery::new(policy);
        Self {
            parts,
            delivery,
            tracks: Vec::new(),
            largest: usize::MAX,
            delivers: false,
            letters_told: None,
            probe: None,
        }
    }

    /// Delivers until the journal is gone or, after [`Phase::Flushing`], until nothing waits or a try fails.
    pub async fn run(mut self) {
        // The journal ends last of all; without it there is nothing left to do here.
        let (Ok(()) | Err(Gone)) = self.deliver().await;
    }

    async fn deliver(&mut self) -> Result<(), Gone> {
        self.begin().await?;
        let work = self.parts.journal.notified(self.parts.view.name);
        loop {
            let flushing = *self.parts.phase.borrow_and_update() == Phase::Flushing;
            self.look_for_server().await;
            self.confirm().await?;
            let wait = match self.turn(flushing).await? {
                Step::Sent => continue,
                Step::Wait(_) if flushing => return self.end().await,
                Step::Wait(wait) => wait.min(self.until_confirmation()),
            };
            let doubtful = self.tracks.iter().any(|track| !track.until_answerable().is_zero());
            let pausing = self.delivery.consecutive_failures() > 0 || doubtful;
            let wait = self.probe.as_ref().map_or(wait, |probe| wait.min(probe.wait()));
            tokio::select! {
                () = sleep(wait) => {}
                () = work.notified(), if !pausing => {}
                changed = self.parts.phase.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }

    /// A server that was down and is back is tried at once.
    async fn look_for_server(&mut self) {
        let Some(probe) = &mut self.probe else { return };
        match probe.look().await {
            Some(false) => {}
            Some(true) => {
                self.probe = None;
                self.delivery.reachable_again();
            }
            None => self.probe = None,
        }
    }

    /// Takes up where the last run ended.
    async fn begin(&mut self) -> Result<(), Gone> {
        let doubt = if self.asks() { Doubt::SinceStart } else { Doubt::None };
        let queue = self.parts.journal.queue(self.parts.view.name, None).await?;
        self.tracks.push(Track::new(None, doubt));
        self.tracks.extend(queue.island.map(|begin| Track::new(Some(begin), doubt)));
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Gone> {
        if let Err(failure) = self.parts.sink.close().await {
            warn!(backend = self.parts.view.name, "{failure}");
        }
        Ok(())
    }

    /// Whether it is to be asked what it has, when that is in doubt.
    fn asks(&self) -> bool {
        !self.parts.settle.is_zero() || self.parts.history == History::InOrder
    }

    /// Looks at each track, the newest samples first.
    async fn turn(&mut self, flushing: bool) -> Result<Step, Gone> {
        let mut wait = Duration::MAX;
        for index in (0..self.tracks.len()).rev() {
            match self.step(index, flushing).await? {
                Step::Sent => return Ok(Step::Sent),
                Step::Wait(time) => wait = wait.min(time),
            }
        }
        let unconfirmed = self.tracks.iter().map(Track::unconfirmed_count).sum();
        self.parts.view.change(|status| status.unconfirmed = unconfirmed);
        Ok(Step::Wait(wait))
    }

    async fn step(&mut self, index: usize, flushing: bool) -> Result<Step, Gone> {
        let Some(track) = self.tracks.get(index) else { return Ok(Step::Wait(Duration::MAX)) };
        let queue = self.parts.journal.queue(self.parts.view.name, track.position()).await?;
        if self.keep_lane(index, &queue).await? {
            return Ok(Step::Sent);
        }
        let now = self.parts.clocks.read().now;
        let backing_off = self.delivery.retry_at().is_some_and(|moment| moment > now);
        if queue.letters_again && index == 0 && !backing_off && self.send_letters().await? {
            return Ok(Step::Sent);
        }
        let track = &self.tracks[index];
        let until_answerable = track.until_answerable();
        // Everything taken before the last accepted request went with it, or with those before it.
        let oldest = if track.unconfirmed.is_empty() { queue.oldest_taken } else { track.last_sent };
        let backlog = Backlog { waiting: queue.range.end - queue.range.start, oldest };
        let wait = match self.delivery.poll(now, backlog, flushing) {
            Next::Send { .. } if !until_answerable.is_zero() => until_answerable,
            Next::Send { max } if self.send(index, queue.range.start, max.min(self.largest)).await? => {
                return Ok(Step::Sent);
            }
            Next::Send { .. } => {
                let retry_at = self.delivery.retry_at().filter(|moment| *moment > now);
                self.parts.clocks.real_until(retry_at.unwrap_or(now + UNKNOWN_TIME_PAUSE))
            }
            // A sample taken from now on is due after the longest wait at the earliest.
            Next::Idle => self.parts.clocks.real_until(now + self.delivery.longest_wait()),
            Next::WaitUntil(moment) => self.parts.clocks.real_until(moment),
        };
        Ok(Step::Wait(wait))
    }

    /// Opens the live lane when much waits, moves it on when much waits behind it, and closes it when the cursor has reached it. Says
    /// whether it did.
    async fn keep_lane(&mut self, index: usize, queue: &Queue) -> Result<bool, Gone> {
        if index == 0 && queue.island.is_none() && self.tracks.len() > 1 {
            self.tracks.remove(0);
            self.tracks[0].begin = None;
            return Ok(true);
        }
        let batch = self.parts.policy.batch_size as u64;
        let is_last = index + 1 == self.tracks.len();
        let track = &self.tracks[index];
        let is_sure = track.doubt == Doubt::None && (index == 0 || track.unconfirmed.is_empty());
        let is_long = queue.range.end - queue.range.start > LANE_BATCHES * batch;
        if !(is_last && is_sure && is_long && self.delivers && self.parts.history == History::AnyOrder) {
            return Ok(false);
        }
        let begin = queue.end - batch;
        let opened = self.parts.journal.open_island(self.parts.view.name, begin).await?;
        if opened {
            self.tracks.truncate(1);
            self.tracks.push(Track::new(Some(begin), Doubt::None));
        }
        Ok(opened)
    }

    fn until_confirmation(&self) -> Duration {
        if self.delivery.consecutive_failures() > 0 {
            return Duration::MAX;
        }
        let oldest = self.tracks.iter().filter_map(|track| track.unconfirmed.front());
        let until = oldest.map(|batch| (batch.sent_at + self.parts.settle).since(boottime()));
        until.min().unwrap_or(Duration::MAX)
    }

    /// Asks for each batch whose time has come, oldest first, and settles it, or starts again. (Each, because a server that was killed
    /// and started again between two batches has lost the first and has the second.)
    async fn confirm(&mut self) -> Result<(), Gone> {
        for index in 0..self.tracks.len() {
            while self.confirm_one(index).await? {}
        }
        Ok(())
    }

    /// Whether a batch was confirmed or given up.
    async fn confirm_one(&mut self, index: usize) -> Result<bool, Gone> {
        let backing_off = self.delivery.retry_at().is_some_and(|moment| moment > self.parts.clocks.read().now);
        let track = &mut self.tracks[index];
        let is_due = |batch: &track::Unconfirmed| batch.sent_at + self.parts.settle <= boottime();
        let Some(batch) = track.unconfirmed.front().filter(|batch| is_due(batch) && !backing_off) else {
            return Ok(false);
        };
        match self.parts.sink.held(std::slice::from_ref(&batch.last)).await {
            Ok(None) => {}
            Ok(Some(held)) if held.contains(&true) => {}
            Ok(Some(_)) if track.lost_before.is_some_and(|end| batch.range.end <= end) => {
                return self.give_up(index).await.map(|()| true);
            }
            Ok(Some(_)) => {
                warn!(backend = self.parts.view.name, "has lost points that it had accepted; they are sent again");
                track.start_again();
                return Ok(false);
            }
            Err(failure) => {
                self.fail(&failure);
                return Ok(false);
            }
        }
        if let Some(batch) = track.unconfirmed.pop_front() {
            let verdict = Verdict { delivered: batch.delivered, superseded: 0, refused: batch.refused };
            self.parts.journal.settle(self.parts.view.name, batch.range, verdict).await?;
        }
        if self.delivery.consecutive_failures() > 0 {
            self.succeed();
        }
        Ok(true)
    }

    /// A server that twice did not keep a batch, without a failure that would explain it, does not want it.
    async fn give_up(&mut self, index: usize) -> Result<(), Gone> {
        let Some(batch) = self.tracks[index].unconfirmed.pop_front() else { return Ok(()) };
        let name = self.parts.view.name;
        let reason = "accepted and not kept: outside the server's retention, or ahead of its clock?";
        let text = format!(
            "{name} accepts points and does not keep them: {} of them, up to {}; outside its retention, or ahead of its clock?",
            batch.delivered, batch.last.at
        );
        error!("{text}");
        self.event(Severity::Error, text);
        let count = usize::try_from(batch.range.end - batch.range.start).unwrap_or(usize::MAX);
        let points = self.parts.journal.read(name, Some(batch.range.start), count).await?.points;
        let refused = points.into_iter().map(|point| (point, reason.to_owned())).collect();
        let verdict = Verdict { delivered: 0, superseded: 0, refused };
        self.parts.journal.settle(name, batch.range, verdict).await
    }

    fn succeed(&mut self) {
        let failures = self.delivery.consecutive_failures();
        let alert = self.delivery.succeeded();
        self.delivers = true;
        self.probe = None;
        if failures > 0 {
            info!(backend = self.parts.view.name, failures, "delivers again");
        }
        if alert == Some(Alert::Recovered) {
            self.event(Severity::Info, format!("{} delivers again", self.parts.view.name));
        }
        let wall = self.parts.clocks.read().wall;
        self.parts.view.change(|status| {
            status.connected = Some(true);
            status.consecutive_failures = 0;
            status.last_write = wall;
            status.last_error = None;
        });
    }

    fn fail(&mut self, failure: &SinkError) {
        self.delivers = false;
        // One outage, one probe; after a failure of another kind, a new one.
        if self.probe.is_none() && matches!(failure, SinkError::Retry { .. }) {
            self.probe = self.parts.sink.address().map(Probe::new);
        }
        self.tracks.iter_mut().for_each(|track| track.lost_before = None);
        let now = self.parts.clocks.read().now;
        let alert = self.delivery.failed(now, &failure.failure(), jitter(now));
        let failures = self.delivery.consecutive_failures();
        let name = self.parts.view.name;
        // A line for the first failure of an episode, and one when it becomes an alarm.
        if failures == 1 {
            warn!(backend = name, "cannot deliver: {failure}; every point is kept and sent later");
        }
        if alert == Some(Alert::Raised) {
            error!(backend = name, failures, "still cannot deliver: {failure}; every point is kept and sent later");
            self.event(Severity::Error, format!("{name} has failed {failures} times: {failure}; points are kept"));
        }
        self.parts.view.change(|status| {
            status.connected = Some(false);
            status.consecutive_failures = failures;
            status.last_error = Some(failure.to_string());
        });
    }

    fn event(&self, severity: Severity, text: String) {
        let at = self.parts.clocks.read().wall;
        self.parts.journal.event(Event { at, box_name: None, kind: EventKind::Backend, severity, text });
    }
}

/// Spreads the retries of several backends: the clock's last digits are random enough.
fn jitter(now: Monotonic) -> f64 {
    f64::from(u32::try_from(now.nanos() % 1_000_003).unwrap_or(0)) / 1_000_003.0
}
