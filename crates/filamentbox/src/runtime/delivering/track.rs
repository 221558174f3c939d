//! One stretch of the sequence on its way to a backend, in order: what was sent, and what the server may have of it.
//!
//! A backend has one track from its cursor on, and after an outage a second one, the *live lane*, for the newest samples.

use std::collections::VecDeque;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use filamentbox_core::sample::Point;
use filamentbox_core::time::{Monotonic, UnixTime};

use crate::journal::Batch;
use crate::runtime::clock::boottime;
use crate::sinks::Body;

/// What has just arrived at a server is not found at once (VictoriaMetrics: within a second, in one of ten trials more). So long
/// after a doubt arises, the server is asked.
pub(super) const VISIBLE: Duration = Duration::from_secs(3);

/// Where a server has nothing of a batch, it is asked for the time of so many batches after it: a question costs it as much as a batch.
const LOOK_AHEAD: i64 = 64;
/// By this it grows and shrinks, with the answers.
const LOOK_AHEAD_FACTOR: i64 = 4;
const LOOK_AHEAD_MAX: i64 = 4096;

/// A batch that the server has accepted and may still lose.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    pub(super) range: Range<u64>,
    /// How many of its points were accepted; the others are dead letters.
    pub(super) delivered: u64,
    pub(super) refused: Vec<(Point, String)>,
    /// By these it will be seen whether they stay: the oldest and the newest that were written.
    pub(super) witnesses: Vec<Point>,
    pub(super) sent_at: Monotonic,
}

/// A batch that was made ready while the request before it was under way.
#[derive(Debug)]
pub(super) struct Ahead {
    pub(super) batch: Batch,
    /// The body of a request with all of its points.
    pub(super) body: Option<Body>,
}

/// A track.
#[derive(Debug)]
pub(super) struct Track {
    /// Where a live lane begins; `None` for the track that begins at the cursor.
    pub(super) begin: Option<u64>,
    /// All of these numbers was refused, when so many requests had been accepted (of any track): it may be the fault of bad points that
    /// are alone between two settled stretches, which shows when the server takes others and refuses these again.
    pub(super) refused: Option<(Range<u64>, u64)>,
    /// Made ready while the last request was under way.
    pub(super) ahead: Option<Ahead>,
    /// Oldest first.
    pub(super) unconfirmed: VecDeque<Unconfirmed>,
    /// The server may already have samples before this sequence number that are not settled, with gaps.
    pub(super) doubt: Option<u64>,
    /// Since when, in real time.
    doubt_since: Monotonic,
    /// Of this stretch of time the server had nothing when the doubt arose.
    absent: Option<RangeInclusive<UnixTime>>,
    /// The next such stretch that is asked for at once, in batches.
    look_ahead: i64,
    /// When everything that waited was sent; `None` when that is not known.
    pub(super) last_sent: Option<Monotonic>,
    /// So often in a row a batch was accepted and not there later, with no failure in between that would explain it.
    pub(super) losses: u32,
}

impl Track {
    /// A track that begins at the cursor (`None`), or a lane.
    pub(super) fn new(begin: Option<u64>, doubt: Option<u64>) -> Self {
        Self {
            begin,
            refused: None,
            ahead: None,
            unconfirmed: VecDeque::new(),
            doubt,
            doubt_since: boottime(),
            absent: None,
            look_ahead: LOOK_AHEAD,
            last_sent: None,
            losses: 0,
        }
    }

    /// Where to go on; `None` for the cursor.
    pub(super) fn position(&self) -> Option<u64> {
        self.unconfirmed.back().map(|batch| batch.range.end).or(self.begin)
    }

    /// Samples that have been accepted and may still be lost.
    pub(super) fn unconfirmed_count(&self) -> u64 {
        self.unconfirmed.iter().map(|batch| batch.range.end - batch.range.start).sum()
    }

    /// More is in doubt; what was in doubt already stays so.
    pub(super) fn doubt_before(&mut self, end: u64) {
        self.doubt = self.doubt.max(Some(end));
        self.doubt_since = boottime();
        self.absent = None;
    }

    /// The server was asked for everything before `end`.
    pub(super) fn asked_before(&mut self, end: u64) {
        self.doubt = self.doubt.filter(|doubt| *doubt > end);
    }

    /// Which time is asked for at once after a batch of these times, of which the server has nothing.
    pub(super) fn times_after(&self, batch: &RangeInclusive<UnixTime>) -> RangeInclusive<UnixTime> {
        let (oldest, newest) = (batch.start().millis(), batch.end().millis());
        let span_ms = newest.saturating_sub(oldest).saturating_mul(self.look_ahead);
        *batch.end()..=UnixTime::from_millis(newest.saturating_add(span_ms))
    }

    /// The server has nothing of `times`, or has something: then a shorter stretch is asked for next, and a longer one otherwise. (The
    /// server has what a live lane has sent, so near the end of a backlog only short ones are empty.)
    pub(super) fn has_none(&mut self, times: RangeInclusive<UnixTime>, none: bool) {
        if none {
            self.absent = Some(times);
            self.look_ahead = (self.look_ahead * LOOK_AHEAD_FACTOR).min(LOOK_AHEAD_MAX);
        } else {
            self.look_ahead = (self.look_ahead / LOOK_AHEAD_FACTOR).max(1);
        }
    }

    /// Whether the server may have some of `points`.
    pub(super) fn is_in_doubt(&self, points: &[Point]) -> bool {
        let lacks = |point: &Point| self.absent.as_ref().is_some_and(|times| times.contains(&point.at));
        self.doubt.is_some() && !points.iter().all(lacks)
    }

    /// How long until the server can say what it has; zero while nothing is in doubt.
    pub(super) fn until_answerable(&self) -> Duration {
        self.doubt.map_or(Duration::ZERO, |_| (self.doubt_since + VISIBLE).since(boottime()))
    }

    /// The server has lost what it had accepted.
    pub(super) fn start_again(&mut self) {
        let end = self.unconfirmed.back().map_or(0, |batch| batch.range.end);
        self.doubt_before(end);
        self.unconfirmed.clear();
        self.last_sent = None;
    }
}
