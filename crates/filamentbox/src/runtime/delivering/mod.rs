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
#[cfg(test)]
mod tests;
mod track;

use std::collections::BTreeMap;
use std::ops::Range;
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
use self::track::Track;
use super::clock::{Clocks, boottime};
use super::sink_view::SinkView;
use crate::alerts::{AlertEvent, Alerts};
use crate::journal::{Gone, Handle, Queue, Verdict};
use crate::sinks::{History, Sink, SinkError};

/// While samples wait whose time is not known yet (a Pi before NTP), or only old ones for a backend that takes the latest, they are
/// looked at this often.
const UNKNOWN_TIME_PAUSE: Duration = Duration::from_secs(1);
/// The live lane opens when more than so many batches wait.
const LANE_BATCHES: u64 = 2;
/// A journal that waits for its disk answers later; at a stop, that is waited for no longer than this.
const BEGIN_PATIENCE: Duration = Duration::from_secs(1);
/// After so many losses of one batch in a row it is given up. More than two: a server may be killed twice, and nobody notice.
const LOSSES_MAX: u32 = 3;
/// Dead letters of one backend are announced once in this time.
const LETTERS_EPISODE: Duration = Duration::from_secs(3600);

/// How the runtime stops, as seen by its tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Normal working.
    Running,
    /// Send what waits, once, then end.
    Flushing,
    /// End after the request that is under way; what waits is another task's, or nobody's.
    Ending,
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
    /// Who is told when it fails for long, and when it works again.
    pub alerts: Alerts,
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
    /// So many points are looked at together at least.
    together: usize,
    /// Requests that were accepted.
    accepted: u64,
    /// Something was accepted since the start or the last failure.
    delivers: bool,
    /// When dead letters were last announced.
    letters_told: Option<Monotonic>,
    /// While the server may be down.
    probe: Option<Probe>,
    /// Dead letters that were sent again, by number: when, and whether the server said that it took them.
    letters_sent: BTreeMap<u64, (Monotonic, bool)>,
}

/// What came of looking at one track.
enum Step {
    /// Something was sent; there may be more to do at once.
    Sent,
    /// Nothing to do.
    Wait {
        /// For so long.
        time: Duration,
        /// Samples that wait to be sent all the same.
        left: u64,
    },
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
        let delivery = if parts.view.status().is_alarmed { delivery.raised() } else { delivery };
        Self {
            parts,
            delivery,
            tracks: Vec::new(),
            largest: usize::MAX,
            together: sending::TOGETHER,
            accepted: 0,
            delivers: false,
            letters_told: None,
            probe: None,
            letters_sent: BTreeMap::new(),
        }
    }

    /// Delivers until the journal is gone or, after [`Phase::Flushing`], until nothing waits or a try fails.
    pub async fn run(mut self) {
        // The journal ends last of all; without it there is nothing left to do here.
        let (Ok(()) | Err(Gone)) = self.deliver().await;
    }

    async fn deliver(&mut self) -> Result<(), Gone> {
        let mut phase = self.parts.phase.clone();
        let stopping = async {
            // The daemon being gone is a stop too.
            let _ = phase.wait_for(|phase| *phase == Phase::Flushing).await.map(drop);
            sleep(BEGIN_PATIENCE).await;
        };
        tokio::select! {
            begun = self.begin() => begun?,
            () = stopping => return self.end().await,
        }
        let work = self.parts.journal.notified(self.parts.view.name);
        loop {
            let phase = *self.parts.phase.borrow_and_update();
            if phase == Phase::Ending {
                return self.end().await;
            }
            let flushing = phase == Phase::Flushing;
            self.look_for_server().await;
            self.confirm().await?;
            let wait = match self.turn(flushing).await? {
                Step::Sent => continue,
                Step::Wait { .. } if flushing => return self.end().await,
                Step::Wait { time, .. } => time.min(self.until_confirmation()),
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
        let queue = self.parts.journal.queue(self.parts.view.name, None).await?;
        // An earlier run may have sent any of it.
        let doubt = self.asks().then_some(queue.end);
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
        let (mut wait, mut waiting) = (Duration::MAX, 0);
        for index in (0..self.tracks.len()).rev() {
            match self.step(index, flushing).await? {
                Step::Sent => return Ok(Step::Sent),
                Step::Wait { time, left } => (wait, waiting) = (wait.min(time), waiting + left),
            }
        }
        let unconfirmed = self.tracks.iter().map(Track::unconfirmed_count).sum();
        self.parts.view.change(|status| (status.unconfirmed, status.waiting) = (unconfirmed, waiting));
        Ok(Step::Wait { time: wait, left: waiting })
    }

    async fn step(&mut self, index: usize, flushing: bool) -> Result<Step, Gone> {
        let Some(track) = self.tracks.get(index) else {
            return Ok(Step::Wait { time: Duration::MAX, left: 0 });
        };
        let mut queue = self.parts.journal.queue(self.parts.view.name, track.position()).await?;
        let lane = self.tracks.get(index + 1).and_then(|lane| lane.begin);
        if lane.is_some_and(|begin| queue.range.start >= begin) {
            // All before the lane is sent; what follows is the lane's, sent or not.
            queue.range.end = queue.range.start;
        }
        if self.keep_lane(index, &queue).await? {
            return Ok(Step::Sent);
        }
        let is_refused =
            |(range, accepted): &(Range<u64>, u64)| range.end == queue.range.end && *accepted == self.accepted;
        if index > 0 && self.tracks[index].refused.as_ref().is_some_and(is_refused) {
            // The others go on meanwhile.
            let left = queue.range.end - queue.range.start;
            return Ok(Step::Wait { time: self.delivery.longest_wait(), left });
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
            Next::Send { max } if self.send(index, queue.range.clone(), max).await? => {
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
        Ok(Step::Wait { time: wait, left: backlog.waiting })
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
        let is_long = queue.range.end - queue.range.start > LANE_BATCHES * batch;
        if !(is_last && is_long && self.delivers && self.parts.history == History::AnyOrder) {
            return Ok(false);
        }
        let begin = queue.end - batch;
        let opened = self.parts.journal.open_island(self.parts.view.name, begin).await?;
        if opened {
            let doubt = self.tracks[index].doubt.filter(|end| *end > begin);
            // What the old lane has sent and not settled, the track from the cursor will come to.
            if let Some(old) = (index > 0).then(|| self.tracks.remove(index))
                && let Some(end) = old.unconfirmed.back().map(|batch| batch.range.end).max(old.doubt)
            {
                self.tracks[0].doubt_before(end.min(begin));
            }
            self.tracks.push(Track::new(Some(begin), doubt));
        }
        Ok(opened)
    }

    fn until_confirmation(&self) -> Duration {
        if self.delivery.consecutive_failures() > 0 {
            return Duration::MAX;
        }
        let oldest = self.tracks.iter().filter_map(|track| track.unconfirmed.front().map(|batch| batch.sent_at));
        let letters = self.letters_sent.values().map(|(sent_at, _)| *sent_at);
        let until = oldest.chain(letters).map(|sent_at| (sent_at + self.parts.settle).since(boottime()));
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
        let mut stays = Ok(true);
        for witness in &batch.witnesses {
            let held = self.parts.sink.held(std::slice::from_ref(witness)).await;
            stays = held.map(|held| held.is_none_or(|held| held.contains(&true)));
            if stays != Ok(true) {
                break;
            }
        }
        match stays {
            Ok(true) => {}
            Ok(false) if track.losses + 1 >= LOSSES_MAX => return self.give_up(index).await,
            Ok(false) => {
                track.losses += 1;
                warn!(backend = self.parts.view.name, "has lost points that it had accepted; they are sent again");
                track.start_again();
                return Ok(false);
            }
            Err(failure) => {
                self.fail(&failure);
                return Ok(false);
            }
        }
        track.losses = 0;
        if let Some(batch) = track.unconfirmed.pop_front() {
            let verdict = Verdict { delivered: batch.delivered, superseded: 0, refused: batch.refused };
            self.parts.journal.settle(self.parts.view.name, batch.range, verdict).await?;
        }
        if self.delivery.consecutive_failures() > 0 {
            self.succeed();
        }
        Ok(true)
    }

    /// A server that did not keep a batch again and again, without a failure that would explain it, does not want it: what it does not
    /// have of it becomes dead letters. Whether it could be asked.
    async fn give_up(&mut self, index: usize) -> Result<bool, Gone> {
        let name = self.parts.view.name;
        let Some(range) = self.tracks[index].unconfirmed.front().map(|batch| batch.range.clone()) else {
            return Ok(false);
        };
        let count = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let points = self.parts.journal.read(name, Some(range.start), count).await?.points;
        let held = match self.parts.sink.held(&points).await {
            Ok(held) => held.unwrap_or_default(),
            Err(failure) => {
                self.fail(&failure);
                return Ok(false);
            }
        };
        let Some(batch) = self.tracks[index].unconfirmed.pop_front() else { return Ok(false) };
        // The next one is sent once more before it is given up.
        self.tracks[index].losses = LOSSES_MAX - 2;
        let reason = "accepted and not kept: outside the server's retention, or ahead of its clock?";
        let text = format!(
            "{name} accepts points and does not keep them: {} in a row; outside its retention, or ahead of its clock?",
            points.len() - held.iter().filter(|held| **held).count(),
        );
        error!("{text}");
        self.event(Severity::Error, text);
        let is_missing = |at: usize| held.get(at) != Some(&true);
        let missing = points.into_iter().enumerate().filter(|(at, _)| is_missing(*at));
        let refused: Vec<_> = missing.map(|(_, point)| (point, reason.to_owned())).collect();
        let delivered = (count - refused.len()) as u64;
        let verdict = Verdict { delivered, superseded: 0, refused };
        self.parts.journal.settle(name, batch.range, verdict).await?;
        Ok(true)
    }

    fn succeed(&mut self) {
        let failures = self.delivery.consecutive_failures();
        let alert = self.delivery.succeeded();
        self.delivers = true;
        self.probe = None;
        if failures > 0 {
            info!(backend = self.parts.view.name, failures, "delivers again");
        }
        let wall = self.parts.clocks.read().wall;
        if alert == Some(Alert::Recovered) {
            self.event(Severity::Info, format!("{} delivers again", self.parts.view.name));
            self.parts.alerts.raise(self.parts.view.alert(AlertEvent::BackendRecovered, wall));
        }
        self.parts.view.change(|status| {
            status.connected = Some(true);
            status.consecutive_failures = 0;
            status.is_alarmed = false;
            status.last_write = wall;
            status.last_error = None;
            status.failing_since = None;
        });
    }

    fn fail(&mut self, failure: &SinkError) {
        self.delivers = false;
        // One outage, one probe; after a failure of another kind, a new one.
        if self.probe.is_none() && matches!(failure, SinkError::Retry { .. }) {
            self.probe = self.parts.sink.address().map(Probe::new);
        }
        self.tracks.iter_mut().for_each(|track| track.losses = 0);
        let clock = self.parts.clocks.read();
        let now = clock.now;
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
            status.is_alarmed |= alert == Some(Alert::Raised);
            status.consecutive_failures = failures;
            status.last_error = Some(failure.to_string());
            status.failing_since = if failures == 1 { clock.wall } else { status.failing_since };
        });
        if alert == Some(Alert::Raised) {
            self.parts.alerts.raise(self.parts.view.alert(AlertEvent::BackendFailing, clock.wall));
        }
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
