//! One batch to the server: what it has already is left out, what it refuses is found, and the journal learns what became of it.

use filamentbox_core::delivery::bisection::{Bisection, Order};
use filamentbox_core::event::Severity;
use filamentbox_core::sample::Point;
use tracing::{debug, warn};

use super::track::{Doubt, Unconfirmed};
use super::{Delivering, LETTERS_EPISODE};
use crate::journal::{Batch, Chosen, Gone, Verdict};
use crate::runtime::clock::boottime;
use crate::sinks::{History, SinkError};

/// Dead letters that are sent again in one go.
const LETTERS_AT_ONCE: u64 = 100;

/// What became of a batch.
struct Written {
    /// So many of its points, from the front, are decided.
    decided: usize,
    /// Those that were refused.
    refused: Vec<(Point, String)>,
    /// Why the rest is not decided.
    failure: Option<SinkError>,
    /// The newest that was written: by it will be seen whether they stay.
    last: Option<Point>,
}

impl Delivering {
    /// Sends the oldest waiting points of a track, from number `start` on. `false` when nothing could be sent now.
    pub(super) async fn send(&mut self, index: usize, start: u64, max: usize) -> Result<bool, Gone> {
        if self.parts.history == History::LatestOnly {
            return self.send_latest().await;
        }
        let from = self.tracks[index].position();
        let (name, journal) = (self.parts.view.name, self.parts.journal.clone());
        let ahead = self.tracks[index].ahead.take();
        let Batch { points, range } =
            match ahead.filter(|batch| batch.range.start == start && batch.points.len() <= max) {
                Some(batch) => batch,
                None => journal.read(name, from, max).await?,
            };
        if points.is_empty() {
            // What waits has no time yet: the wall clock is not known. Or there was only a hole.
            return Ok(from.unwrap_or(range.start) != range.start);
        }
        let now = self.parts.clocks.read().now;
        let count = points.len();
        // After a full batch there is likely another one: the journal reads it while the server works.
        let next = async {
            match count == max {
                true => journal.read(name, Some(range.end), max).await.ok().filter(|batch| !batch.points.is_empty()),
                false => None,
            }
        };
        let (written, ahead) = tokio::join!(self.write(index, points, range.end), next);
        self.tracks[index].ahead = ahead;
        let decided = range.start..range.start + written.decided as u64;
        debug!(backend = self.parts.view.name, points = written.decided, "accepted");
        if written.decided > 0 {
            // After a full batch there may be more that is overdue.
            self.tracks[index].last_sent = (count < max && written.decided == count).then_some(now);
            let delivered = (written.decided - written.refused.len()) as u64;
            self.announce_letters(&written.refused);
            let refused = written.refused;
            match written.last.filter(|_| !self.parts.settle.is_zero()) {
                None => {
                    let verdict = Verdict { delivered, superseded: 0, refused };
                    self.parts.journal.settle(self.parts.view.name, decided, verdict).await?;
                }
                Some(last) => self.tracks[index].unconfirmed.push_back(Unconfirmed {
                    range: decided,
                    delivered,
                    refused,
                    last,
                    sent_at: boottime(),
                }),
            }
        }
        match written.failure {
            None => self.succeed(),
            Some(failure) => {
                if self.asks() {
                    self.tracks[index].doubt_before(range.end);
                }
                self.fail(&failure);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes those of `points` (the batch that ends at `end`) that the server does not have.
    async fn write(&mut self, index: usize, points: Vec<Point>, end: u64) -> Written {
        // The indices of those that are written.
        let mut missing: Vec<usize> = (0..points.len()).collect();
        if self.tracks[index].doubt != Doubt::None {
            match self.parts.sink.held(&points).await {
                Ok(held) => {
                    let held = held.unwrap_or_default();
                    missing.retain(|index| held.get(*index) != Some(&true));
                    self.tracks[index].doubt_asked(end, missing.len() < points.len());
                }
                Err(failure) => {
                    return Written { decided: 0, refused: Vec::new(), failure: Some(failure), last: None };
                }
            }
        }
        let to_write: Vec<Point> = match missing.len() == points.len() {
            true => Vec::new(),
            false => missing.iter().map(|index| points[*index].clone()).collect(),
        };
        let to_write = if missing.len() == points.len() { &points } else { &to_write };
        let (bisection, mut failure) = self.divide(to_write).await;
        if bisection.largest() < self.largest {
            self.largest = bisection.largest();
        }
        let outcome = bisection.outcome();
        if let Some(reason) = outcome.hopeless.filter(|_| failure.is_none()) {
            failure = Some(SinkError::Rejected { reason, lasting: false });
        }
        let decided = missing.get(outcome.decided).copied().unwrap_or(points.len());
        // Without one that was written, the last of all shows whether they stay.
        let is_refused = |at: usize| outcome.refused.iter().any(|refused| refused.index == at);
        let written = (0..outcome.decided).rev().find(|at| !is_refused(*at)).map(|at| &to_write[at]);
        let last = written.or(points[..decided].last().filter(|_| missing.len() < points.len())).cloned();
        let refused = outcome.refused.into_iter().map(|refused| (to_write[refused.index].clone(), refused.reason));
        Written { decided, refused: refused.collect(), failure, last }
    }

    /// Sends `points` in as few requests as it takes to know which ones the server refuses.
    async fn divide(&mut self, points: &[Point]) -> (Bisection, Option<SinkError>) {
        let order = if self.parts.history == History::AnyOrder { Order::Any } else { Order::OldestFirst };
        let mut bisection = Bisection::new(points.len(), order);
        while let Some(range) = bisection.next_request() {
            match self.parts.sink.write(&points[range]).await {
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
        let Batch { points, range } = self.parts.journal.newest(name).await?;
        let newest = points.iter().map(|point| point.at).max();
        let oldest_allowed = self.parts.clocks.read().wall.map(|wall| wall.before(self.parts.latest_max_age));
        if newest.is_none() || newest < oldest_allowed {
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
        for letter in &letters {
            let refused = match self.parts.sink.write(std::slice::from_ref(&letter.point)).await {
                Ok(()) => None,
                Err(failure @ (SinkError::Retry { .. } | SinkError::Misconfigured { .. })) => {
                    self.fail(&failure);
                    return Ok(false);
                }
                Err(refused) => Some(refused.to_string()),
            };
            self.parts.journal.letter_sent(letter.id, name, refused).await?;
        }
        Ok(!letters.is_empty())
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
