//! The task of one backend: from its cursor in the journal to the server, at its own pace.
//!
//! Where a server may lose accepted points when it is killed (`SinkKind::settle`), accepted batches stay *unconfirmed* for a
//! while: the cursor waits until the server still has them then. And where it would keep both copies of a re-sent point, it is
//! asked first what it has, whenever that is in doubt: after a start, after a request without an answer, after a loss.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use filamentbox_core::config::Config;
use filamentbox_core::delivery::{Alert, Backlog, Delivery, Next, Policy};
use filamentbox_core::event::{Event, EventKind, Severity};
use filamentbox_core::sample::Point;
use filamentbox_core::time::Monotonic;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{debug, error, info, warn};

use super::clock::{Clocks, boottime};
use super::sink_view::SinkView;
use crate::alerts::{AlertEvent, Alerts};
use crate::journal::{Account, Gone, Handle};
use crate::sinks::{Sink, SinkError};

/// While samples wait whose time is not known yet (a Pi before NTP), they are looked at this often.
const UNKNOWN_TIME_PAUSE: Duration = Duration::from_secs(1);

/// What has just arrived at a server is not found at once (VictoriaMetrics: within a second, in one of ten trials more). So long
/// after a doubt arises, the server is asked.
const VISIBLE: Duration = Duration::from_secs(3);

/// How the runtime stops, as seen by its tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Normal working.
    Running,
    /// Send what waits, once, then end.
    Flushing,
}

/// A backend's task.
pub struct Delivering {
    /// What is shown of it.
    pub view: SinkView,
    /// The backend.
    pub sink: Box<dyn Sink>,
    /// How long an accepted batch stays unconfirmed, in real time.
    pub settle: Duration,
    /// The journal.
    pub journal: Handle,
    /// The clocks.
    pub clocks: Arc<Clocks>,
    /// Batching, retries, alarm.
    pub delivery: Delivery,
    /// Who is told when it fails for long, and when it works again.
    pub alerts: Alerts,
    /// The way the daemon goes.
    pub phase: watch::Receiver<Phase>,
    /// Batches that the server has accepted and may still lose.
    pub unconfirmed: VecDeque<Unconfirmed>,
    /// What the server may already have.
    pub doubt: Doubt,
    /// Since when, in real time.
    pub doubt_since: Monotonic,
    /// When everything that waited was sent; `None` when that is not known.
    pub last_sent: Option<Monotonic>,
    /// What lies before this was accepted, not there later, and is being sent again. A second loss, with no failure in between that
    /// would explain it, means that the server does not want it.
    pub lost_before: Option<u64>,
}

/// A batch that the server has accepted.
pub struct Unconfirmed {
    through: u64,
    count: u64,
    last: Point,
    sent_at: Monotonic,
}

/// Up to where in the sequence the server may already have samples behind the cursor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// Nowhere.
    None,
    /// An earlier run may have sent some, in order: doubt ends with the first batch of which the server has nothing.
    SinceStart,
    /// Everything before this sequence number may be there, with gaps.
    Before(u64),
}

/// The policy that the settings ask for.
pub fn policy(config: &Config) -> Policy {
    Policy { batch_size: config.batch_size, flush_interval: config.flush_interval, retry: config.retry }
}

impl Delivering {
    /// Delivers until the journal is gone or, after [`Phase::Flushing`], until nothing waits or a try fails.
    pub async fn run(mut self) {
        // The journal ends last of all; without it there is nothing left to do here.
        let (Ok(()) | Err(Gone)) = self.deliver().await;
    }

    async fn deliver(&mut self) -> Result<(), Gone> {
        let full_batch = self.journal.notified(self.view.name);
        loop {
            let flushing = *self.phase.borrow_and_update() == Phase::Flushing;
            self.confirm().await?;
            let account = self.account().await?;
            let now = self.clocks.read().now;
            let until_answerable = self.until_answerable();
            let wait = match self.delivery.poll(now, self.backlog(&account), flushing) {
                Next::Send { max } if until_answerable.is_zero() && self.send(max).await? => continue,
                _ if flushing => return Ok(()),
                Next::Send { .. } if !until_answerable.is_zero() => until_answerable,
                Next::Send { .. } => {
                    let retry_at = self.delivery.retry_at().filter(|moment| *moment > now);
                    self.clocks.real_until(retry_at.unwrap_or(now + UNKNOWN_TIME_PAUSE))
                }
                // A sample taken from now on is due after the longest wait at the earliest.
                Next::Idle => self.clocks.real_until(now + self.delivery.longest_wait()),
                Next::WaitUntil(moment) => self.clocks.real_until(moment),
            };
            let pausing = self.delivery.consecutive_failures() > 0 || !until_answerable.is_zero();
            let wait = wait.min(self.until_confirmation());
            tokio::select! {
                () = sleep(wait) => {}
                () = full_batch.notified(), if !pausing => {}
                changed = self.phase.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }

    async fn account(&self) -> Result<Account, Gone> {
        let accounts = self.journal.accounts().await?;
        accounts.into_iter().find(|account| account.sink == self.view.name).ok_or(Gone)
    }

    /// What waits to be sent: unconfirmed points wait for something else.
    fn backlog(&self, account: &Account) -> Backlog {
        let unconfirmed: u64 = self.unconfirmed.iter().map(|batch| batch.count).sum();
        let waiting = account.waiting.saturating_sub(unconfirmed);
        self.view.change(|status| (status.unconfirmed, status.waiting) = (unconfirmed, waiting));
        // Everything taken before the last accepted request went with it, or with those before it.
        let oldest = if self.unconfirmed.is_empty() { account.oldest_taken } else { self.last_sent };
        Backlog { waiting, oldest }
    }

    /// Sends the oldest waiting points. `false` when nothing could be sent now.
    async fn send(&mut self, max: usize) -> Result<bool, Gone> {
        let after = self.unconfirmed.back().map(|batch| batch.through);
        let batch = self.journal.read(self.view.name, after, max).await?;
        if batch.points.is_empty() {
            // What waits has no time yet: the wall clock is not known.
            return Ok(false);
        }
        let now = self.clocks.read().now;
        let count = batch.points.len() as u64;
        let last = match self.write(batch.points, batch.through).await {
            Ok(last) => last,
            Err(failure) => {
                if self.settle > Duration::ZERO {
                    self.doubt_before(batch.through);
                }
                self.fail(&failure);
                return Ok(false);
            }
        };
        debug!(backend = self.view.name, points = count, "accepted");
        // After a full batch there may be more that is overdue.
        self.last_sent = (count < max as u64).then_some(now);
        let Some(last) = last.filter(|_| self.settle > Duration::ZERO) else {
            self.journal.acknowledge(self.view.name, batch.through, count).await?;
            self.succeed();
            return Ok(true);
        };
        self.unconfirmed.push_back(Unconfirmed { through: batch.through, count, last, sent_at: boottime() });
        self.succeed();
        Ok(true)
    }

    /// Writes those of `points` that the server does not have. Returns the one by which it will be seen whether they stay: the last
    /// that was written, or the last of all when none had to be.
    async fn write(&mut self, mut points: Vec<Point>, through: u64) -> Result<Option<Point>, SinkError> {
        let mut last = points.last().cloned();
        if self.doubt != Doubt::None {
            let held = self.sink.held(&points).await?.unwrap_or_default();
            let any = held.contains(&true);
            if any {
                let mut held = held.into_iter();
                points.retain(|_| !held.next().unwrap_or(false));
            }
            let over = match self.doubt {
                Doubt::Before(end) => through >= end,
                Doubt::SinceStart | Doubt::None => !any,
            };
            if !points.is_empty() {
                self.sink.write(&points).await?;
                last = points.pop();
            }
            if over {
                self.doubt = Doubt::None;
            }
            return Ok(last);
        }
        self.sink.write(&points).await?;
        Ok(last)
    }

    /// More is in doubt; what was in doubt already stays so.
    fn doubt_before(&mut self, end: u64) {
        self.doubt = match self.doubt {
            Doubt::None => Doubt::Before(end),
            Doubt::Before(known) => Doubt::Before(known.max(end)),
            Doubt::SinceStart => Doubt::SinceStart,
        };
        self.doubt_since = boottime();
    }

    /// How long until the server can say what it has; zero while nothing is in doubt.
    fn until_answerable(&self) -> Duration {
        match self.doubt {
            Doubt::None => Duration::ZERO,
            Doubt::SinceStart | Doubt::Before(_) => (self.doubt_since + VISIBLE).since(boottime()),
        }
    }

    fn until_confirmation(&self) -> Duration {
        let oldest = self.unconfirmed.front().filter(|_| self.delivery.consecutive_failures() == 0);
        oldest.map_or(Duration::MAX, |batch| (batch.sent_at + self.settle).since(boottime()))
    }

    /// Asks for each batch whose time has come, oldest first, and moves the cursor behind it, or goes back to the cursor. (Each,
    /// because a server that was killed and started again between two batches has lost the first and has the second.)
    async fn confirm(&mut self) -> Result<(), Gone> {
        let backing_off = self.delivery.retry_at().is_some_and(|moment| moment > self.clocks.read().now);
        while let Some(batch) = self.unconfirmed.front().filter(|batch| batch.sent_at + self.settle <= boottime()) {
            if backing_off {
                break;
            }
            let mut delivered = batch.count;
            match self.sink.held(std::slice::from_ref(&batch.last)).await {
                Ok(None) => {}
                Ok(Some(held)) if held.contains(&true) => {}
                Ok(Some(_)) if self.lost_before.is_some_and(|end| batch.through <= end) => {
                    delivered = 0;
                    let text = format!(
                        "{} accepts points and does not keep them: {} of them, up to {}; outside its retention, or ahead of its clock?",
                        self.view.name, batch.count, batch.last.at
                    );
                    error!("{text}");
                    self.event(Severity::Error, text);
                }
                Ok(Some(_)) => {
                    warn!(backend = self.view.name, "has lost points that it had accepted; they are sent again");
                    self.lost_before = Some(batch.through);
                    let end = self.unconfirmed.back().map_or(0, |batch| batch.through);
                    self.doubt_before(end);
                    self.unconfirmed.clear();
                    self.last_sent = None;
                    break;
                }
                Err(failure) => {
                    self.fail(&failure);
                    break;
                }
            }
            if let Some(batch) = self.unconfirmed.pop_front() {
                self.journal.acknowledge(self.view.name, batch.through, delivered).await?;
            }
            if self.delivery.consecutive_failures() > 0 {
                self.succeed();
            }
        }
        Ok(())
    }

    fn succeed(&mut self) {
        let failures = self.delivery.consecutive_failures();
        let alert = self.delivery.succeeded();
        if failures > 0 {
            info!(backend = self.view.name, failures, "delivers again");
        }
        let wall = self.clocks.read().wall;
        if alert == Some(Alert::Recovered) {
            self.event(Severity::Info, format!("{} delivers again", self.view.name));
            self.alerts.raise(self.view.alert(AlertEvent::BackendRecovered, wall));
        }
        self.view.change(|status| {
            status.connected = Some(true);
            status.consecutive_failures = 0;
            status.last_write = wall;
            status.last_error = None;
            status.failing_since = None;
        });
    }

    fn fail(&mut self, failure: &SinkError) {
        self.lost_before = None;
        let clock = self.clocks.read();
        let now = clock.now;
        let alert = self.delivery.failed(now, &failure.failure(), jitter(now));
        let failures = self.delivery.consecutive_failures();
        let name = self.view.name;
        // A line for the first failure of an episode, and one when it becomes an alarm.
        if failures == 1 {
            warn!(backend = name, "cannot deliver: {failure}; every point is kept and sent later");
        }
        if alert == Some(Alert::Raised) {
            error!(backend = name, failures, "still cannot deliver: {failure}; every point is kept and sent later");
            self.event(Severity::Error, format!("{name} has failed {failures} times: {failure}; points are kept"));
        }
        self.view.change(|status| {
            status.connected = Some(false);
            status.consecutive_failures = failures;
            status.last_error = Some(failure.to_string());
            status.failing_since = if failures == 1 { clock.wall } else { status.failing_since };
        });
        if alert == Some(Alert::Raised) {
            self.alerts.raise(self.view.alert(AlertEvent::BackendFailing, clock.wall));
        }
    }

    fn event(&self, severity: Severity, text: String) {
        let at = self.clocks.read().wall;
        self.journal.event(Event { at, box_name: None, kind: EventKind::Backend, severity, text });
    }
}

/// Spreads the retries of several backends: the clock's last digits are random enough.
fn jitter(now: Monotonic) -> f64 {
    f64::from(u32::try_from(now.nanos() % 1_000_003).unwrap_or(0)) / 1_000_003.0
}
