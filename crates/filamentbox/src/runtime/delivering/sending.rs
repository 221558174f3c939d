//! One batch to the server: what it has already is left out, what it refuses is found, and the journal learns what became of it.

use std::ops::Range;

use filamentbox_core::delivery::bisection::{Bisection, Order};
use filamentbox_core::event::Severity;
use filamentbox_core::sample::Point;
use tracing::{debug, warn};

use super::track::{Ahead, Unconfirmed, VISIBLE};
use super::{Delivering, LETTERS_EPISODE};
use crate::journal::{Batch, Chosen, Gone, Letter, Verdict};
use crate::runtime::clock::boottime;
use crate::sinks::{Body, History, SinkError, times_of};

/// Dead letters that are sent again in one go.
const LETTERS_AT_ONCE: u64 = 100;
/// So many points are looked at together at least, even if each request has fewer: a bad one is only found beside a good one.
pub(super) const TOGETHER: usize = 16;
/// When all of them are refused, more are looked at, up to so many.
const TOGETHER_MAX: usize = 10_000;

/// What became of a batch.
struct Written {
    /// So many of its points, from the front, are decided.
    decided: usize,
    /// Something was sent.
    sent: bool,
    /// Something of it was accepted.
    took_some: bool,
    /// Those that were refused.
    refused: Vec<(Point, String)>,
    /// Why the rest is not decided.
    failure: Option<SinkError>,
    /// The oldest and the newest that were written: a server may keep the newer ones of a batch only.
    witnesses: Vec<Point>,
}

impl Written {
    fn nothing(sent: bool, failure: SinkError) -> Self {
        Self { decided: 0, sent, took_some: false, refused: Vec::new(), failure: Some(failure), witnesses: Vec::new() }
    }
}

/// What became of a dead letter that was sent again.
enum LetterSent {
    Delivered,
    Refused(String),
}

impl Delivering {
    /// Sends the oldest of what waits for a track, `waiting`. `false` when nothing could be sent now.
    pub(super) async fn send(&mut self, index: usize, waiting: Range<u64>, max: usize) -> Result<bool, Gone> {
        if self.parts.history == History::LatestOnly {
            return self.send_latest().await;
        }
        let largest = max.min(self.largest);
        let max = max.max(self.together);
        let (name, journal) = (self.parts.view.name, self.parts.journal.clone());
        let ahead = self.tracks[index].ahead.take();
        // A lane may have been opened in the midst of it since.
        let is_next = |batch: &Batch| {
            batch.range.start == waiting.start && batch.range.end <= waiting.end && batch.points.len() <= max
        };
        let Ahead { batch: Batch { points, range }, body } = match ahead.filter(|ahead| is_next(&ahead.batch)) {
            Some(ahead) => ahead,
            None => Ahead { batch: journal.read(name, Some(waiting.start), max).await?, body: None },
        };
        if points.is_empty() {
            // What waits has no time yet: the wall clock is not known. Or there was only a hole.
            return Ok(range.start > waiting.start);
        }
        let now = self.parts.clocks.read().now;
        let count = points.len();
        // One that is divided is not sent as a whole.
        let lines = self.parts.sink.lines().filter(|_| largest >= max).cloned();
        // After a full batch there is likely another one: it is made ready while the server works.
        let next = async {
            if count < max {
                return None;
            }
            let batch = journal.read(name, Some(range.end), max).await.ok().filter(|batch| !batch.points.is_empty())?;
            let body = match lines {
                Some(lines) => Some(lines.body(&batch.points).await),
                None => None,
            };
            Some(Ahead { batch, body })
        };
        let (written, ahead) = tokio::join!(self.write(index, points, body, range.end, largest), next);
        self.tracks[index].ahead = ahead;
        let decided = range.start..range.start + written.decided as u64;
        debug!(backend = self.parts.view.name, points = written.decided, "accepted");
        if written.decided > 0 {
            // After a full batch there may be more that is overdue.
            self.tracks[index].last_sent = (count < max && written.decided == count).then_some(now);
            let delivered = (written.decided - written.refused.len()) as u64;
            self.announce_letters(&written.refused);
            let refused = written.refused;
            let witnesses = written.witnesses;
            // What was sent before is settled before.
            if self.parts.settle.is_zero() || witnesses.is_empty() && self.tracks[index].unconfirmed.is_empty() {
                let verdict = Verdict { delivered, superseded: 0, refused };
                self.parts.journal.settle(self.parts.view.name, decided, verdict).await?;
            } else {
                let sent_at = boottime();
                let batch = Unconfirmed { range: decided, delivered, refused, witnesses, sent_at };
                self.tracks[index].unconfirmed.push_back(batch);
            }
        }
        match written.failure {
            None => {
                self.together = TOGETHER;
                self.accepted += u64::from(written.took_some);
                self.succeed();
            }
            Some(failure) => {
                if self.asks() && written.sent {
                    self.tracks[index].doubt_before(range.end);
                }
                if matches!(failure, SinkError::Rejected { .. }) {
                    self.tracks[index].refused = Some((range, self.accepted));
                    if index > 0 {
                        // Whether the server takes points at all shows where more of them wait.
                        return Ok(false);
                    }
                }
                self.fail(&failure);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes those of `points` (the batch that ends at `end`) that the server does not have. `body` is that of all of them.
    async fn write(
        &mut self,
        index: usize,
        points: Vec<Point>,
        body: Option<Body>,
        end: u64,
        largest: usize,
    ) -> Written {
        // The indices of those that are written.
        let missing = match self.missing(index, &points, end).await {
            Ok(missing) => missing,
            Err(failure) => return Written::nothing(false, failure),
        };
        let to_write: Vec<Point> = match missing.len() == points.len() {
            true => Vec::new(),
            false => missing.iter().map(|index| points[*index].clone()).collect(),
        };
        let (to_write, body) = if missing.len() == points.len() { (&points, body) } else { (&to_write, None) };
        let refused = self.tracks[index].refused.take();
        let start = end - points.len() as u64;
        // What is looked at together grows while all of it is refused, and shrinks when others are accepted.
        let has_refused_these = |range: &Range<u64>| range.start <= start && end <= range.end;
        let takes_others =
            refused.is_some_and(|(range, accepted)| has_refused_these(&range) && self.accepted > accepted);
        let (bisection, mut failure) = self.divide(to_write, body, largest, takes_others).await;
        if bisection.largest() < largest {
            self.largest = bisection.largest();
        }
        let mut outcome = bisection.outcome();
        // A request that was refused may be there in part, and in order that part is refused when it comes again.
        if self.parts.history == History::InOrder && !outcome.refused.is_empty() {
            let refused: Vec<Point> = outcome.refused.iter().map(|refused| to_write[refused.index].clone()).collect();
            match self.parts.sink.held(&refused).await {
                Ok(held) => {
                    let mut held = held.unwrap_or_default().into_iter();
                    outcome.refused.retain(|_| held.next() != Some(true));
                }
                Err(failure) => {
                    return Written::nothing(true, failure);
                }
            }
        }
        if let Some(reason) = outcome.hopeless.filter(|_| failure.is_none()) {
            self.together = (points.len() * 4).clamp(TOGETHER, TOGETHER_MAX);
            failure = Some(SinkError::Rejected { reason, lasting: false });
        }
        let decided = missing.get(outcome.decided).copied().unwrap_or(points.len());
        let is_refused = |at: usize| outcome.refused.iter().any(|refused| refused.index == at);
        let mut written = (0..outcome.decided).filter(|at| !is_refused(*at)).map(|at| &to_write[at]);
        let oldest = written.next();
        let took_some = oldest.is_some();
        let mut witnesses: Vec<Point> = oldest.into_iter().chain(written.next_back()).cloned().collect();
        if witnesses.is_empty() && missing.len() < points.len() {
            // Without one that was written, the last that was there already shows whether they stay.
            let there = (0..decided).rev().find(|at| missing.binary_search(at).is_err());
            witnesses.extend(there.map(|at| points[at].clone()));
        }
        let refused = outcome.refused.into_iter().map(|refused| (to_write[refused.index].clone(), refused.reason));
        Written { decided, sent: true, took_some, refused: refused.collect(), failure, witnesses }
    }

    /// The indices of those of `points` that the server does not have, as far as it says.
    async fn missing(&mut self, index: usize, points: &[Point], end: u64) -> Result<Vec<usize>, SinkError> {
        let mut missing: Vec<usize> = (0..points.len()).collect();
        if self.tracks[index].is_in_doubt(points) {
            let held = self.parts.sink.held(points).await?;
            let says = held.is_some();
            let held = held.unwrap_or_default();
            missing.retain(|index| held.get(*index) != Some(&true));
            let is_more_in_doubt = self.tracks[index].doubt.is_some_and(|doubt| doubt > end);
            if says && missing.len() == points.len() && is_more_in_doubt {
                self.look_ahead(index, points).await?;
            }
        }
        self.tracks[index].asked_before(end);
        Ok(missing)
    }

    /// The server has nothing of a batch, so it may have nothing of those after it: asked once for many, which costs no more than for one.
    async fn look_ahead(&mut self, index: usize, points: &[Point]) -> Result<(), SinkError> {
        let Some(times) = times_of(points) else { return Ok(()) };
        let ahead = self.tracks[index].times_after(&times);
        let none = self.parts.sink.has_none(ahead.clone()).await?;
        self.tracks[index].has_none(ahead, none);
        Ok(())
    }

    /// Sends `points` in as few requests as it takes to know which ones the server refuses; `body` is that of all of them. With
    /// `takes_others`, the server has shown since their last refusal that it takes points.
    async fn divide(
        &mut self,
        points: &[Point],
        mut body: Option<Body>,
        largest: usize,
        takes_others: bool,
    ) -> (Bisection, Option<SinkError>) {
        let order = if self.parts.history == History::AnyOrder { Order::Any } else { Order::OldestFirst };
        let mut bisection = Bisection::new(points.len(), order).limited(largest);
        if takes_others {
            bisection.takes_others();
        }
        while let Some(range) = bisection.next_request() {
            let written = match body.take() {
                Some(body) if range.len() == points.len() => self.parts.sink.write_body(points, body),
                _ => self.parts.sink.write(&points[range]),
            };
            match written.await {
                Ok(()) => bisection.accepted(),
                Err(SinkError::Rejected { reason, lasting }) => bisection.rejected(&reason, lasting),
                Err(SinkError::Partial { rejected, .. }) => bisection.partly(rejected),
                Err(SinkError::TooLarge { reason }) => bisection.too_large(&reason),
                Err(failure @ (SinkError::Retry { .. } | SinkError::Misconfigured { .. })) => {
                    return (bisection, Some(failure));
                }
            }
        }
        (bisection, None)
    }

    /// For a backend that has one value a series: the newest point of each box, unless it is no longer "now".
    async fn send_latest(&mut self) -> Result<bool, Gone> {
        let name = self.parts.view.name;
        let Batch { mut points, range } = self.parts.journal.newest(name).await?;
        let oldest_allowed = self.parts.clocks.read().wall.map(|wall| wall.before(self.parts.latest_max_age));
        // A box may be silent while the others are not.
        points.retain(|point| Some(point.at) >= oldest_allowed);
        if points.is_empty() {
            return Ok(false);
        }
        match self.parts.sink.write(&points).await {
            Ok(()) => {
                let delivered = points.len() as u64;
                let superseded = range.end - range.start - delivered;
                let verdict = Verdict { delivered, superseded, refused: Vec::new() };
                self.parts.journal.settle(name, range, verdict).await?;
                self.succeed();
                Ok(true)
            }
            Err(failure) => {
                self.fail(&failure);
                Ok(false)
            }
        }
    }

    /// Sends dead letters again, as a person wishes. `false` when nothing could be sent now.
    pub(super) async fn send_letters(&mut self) -> Result<bool, Gone> {
        let name = self.parts.view.name;
        let chosen = Chosen { sink: Some(name.to_owned()), id: None };
        let letters = self.parts.journal.letters(chosen, true, LETTERS_AT_ONCE).await?;
        let mut any = false;
        for letter in &letters {
            let refused = match self.send_letter(letter).await {
                Ok(None) => continue,
                Ok(Some(LetterSent::Delivered)) => None,
                Ok(Some(LetterSent::Refused(reason))) => Some(reason),
                Err(failure) => {
                    self.fail(&failure);
                    return Ok(false);
                }
            };
            any = true;
            self.letters_sent.remove(&letter.id);
            self.parts.journal.letter_sent(letter.id, name, refused).await?;
        }
        Ok(any)
    }

    /// Sends a dead letter again, or sees what became of it. `None` when that will be seen later.
    async fn send_letter(&mut self, letter: &Letter) -> Result<Option<LetterSent>, SinkError> {
        let point = std::slice::from_ref(&letter.point);
        let sent = self.letters_sent.get(&letter.id).copied();
        if sent.is_some_and(|(sent_at, _)| sent_at + self.parts.settle.max(VISIBLE) > boottime()) {
            return Ok(None);
        }
        if self.asks() {
            match self.parts.sink.held(point).await?.as_deref() {
                Some([true]) if sent.is_some() || self.parts.settle.is_zero() => {
                    return Ok(Some(LetterSent::Delivered));
                }
                // It may have arrived just now.
                Some([true]) => {
                    self.letters_sent.insert(letter.id, (boottime(), true));
                    return Ok(None);
                }
                None if sent.is_some_and(|(_, accepted)| accepted) => return Ok(Some(LetterSent::Delivered)),
                Some(_) if sent.is_some_and(|(_, accepted)| accepted) => {
                    return Ok(Some(LetterSent::Refused("accepted and not kept".to_owned())));
                }
                _ => {}
            }
        }
        match self.parts.sink.write(point).await {
            Ok(()) if self.parts.settle.is_zero() => Ok(Some(LetterSent::Delivered)),
            Ok(()) => {
                self.letters_sent.insert(letter.id, (boottime(), true));
                Ok(None)
            }
            Err(failure @ (SinkError::Retry { .. } | SinkError::Misconfigured { .. })) => {
                if self.asks() {
                    self.letters_sent.insert(letter.id, (boottime(), false));
                }
                Err(failure)
            }
            Err(refused) => Ok(Some(LetterSent::Refused(refused.to_string()))),
        }
    }

    /// Once an episode, not once a point.
    fn announce_letters(&mut self, refused: &[(Point, String)]) {
        let Some((first, reason)) = refused.first() else { return };
        let now = self.parts.clocks.read().now;
        if self.letters_told.replace(now).is_some_and(|told| now.since(told) < LETTERS_EPISODE) {
            return;
        }
        let name = self.parts.view.name;
        let text = format!(
            "{name} refuses {} points for good, the first of {}: {reason}; `filamentbox outbox deadletter list` shows them",
            refused.len(),
            first.at
        );
        warn!("{text}");
        self.event(Severity::Warning, text);
    }
}
