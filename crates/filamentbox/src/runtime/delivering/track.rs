//! One stretch of the sequence on its way to a backend, in order: what was sent, and what the server may have of it.
//!
//! A backend has one track from its cursor on, and after an outage a second one, the *live lane*, for the newest samples.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use filamentbox_core::sample::Point;
use filamentbox_core::time::Monotonic;

use crate::journal::Batch;
use crate::runtime::clock::boottime;

/// What has just arrived at a server is not found at once (VictoriaMetrics: within a second, in one of ten trials more). So long
/// after a doubt arises, the server is asked.
const VISIBLE: Duration = Duration::from_secs(3);

/// Up to where in the sequence the server may already have samples of a track that are not settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doubt {
    /// Nowhere.
    None,
    /// An earlier run may have sent some, in order: doubt ends with the first batch of which the server has nothing.
    SinceStart,
    /// Everything before this sequence number may be there, with gaps.
    Before(u64),
}

/// A batch that the server has accepted and may still lose.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    pub(super) range: Range<u64>,
    /// How many of its points were accepted; the others are dead letters.
    pub(super) delivered: u64,
    pub(super) refused: Vec<(Point, String)>,
    /// By this one it will be seen whether they stay.
    pub(super) last: Point,
    pub(super) sent_at: Monotonic,
}

/// A track.
#[derive(Debug)]
pub(super) struct Track {
    /// Where a live lane begins; `None` for the track that begins at the cursor.
    pub(super) begin: Option<u64>,
    /// Read while the last request was under way.
    pub(super) ahead: Option<Batch>,
    /// Oldest first.
    pub(super) unconfirmed: VecDeque<Unconfirmed>,
    pub(super) doubt: Doubt,
    /// Since when, in real time.
    doubt_since: Monotonic,
    /// When everything that waited was sent; `None` when that is not known.
    pub(super) last_sent: Option<Monotonic>,
    /// What lies before this was accepted, not there later, and is being sent again. A second loss, with no failure in between that
    /// would explain it, means that the server does not want it.
    pub(super) lost_before: Option<u64>,
}

impl Track {
    /// A track that begins at the cursor (`None`), or a lane.
    pub(super) fn new(begin: Option<u64>, doubt: Doubt) -> Self {
        Self {
            begin,
            ahead: None,
            unconfirmed: VecDeque::new(),
            doubt,
            doubt_since: boottime(),
            last_sent: None,
            lost_before: None,
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
        self.doubt = match self.doubt {
            Doubt::None => Doubt::Before(end),
            Doubt::Before(known) => Doubt::Before(known.max(end)),
            Doubt::SinceStart => Doubt::SinceStart,
        };
        self.doubt_since = boottime();
    }

    /// A batch that ends at `end` was asked for, and the server had `any` of it.
    pub(super) fn doubt_asked(&mut self, end: u64, any: bool) {
        let over = match self.doubt {
            Doubt::Before(doubtful) => end >= doubtful,
            Doubt::SinceStart | Doubt::None => !any,
        };
        if over {
            self.doubt = Doubt::None;
        }
    }

    /// How long until the server can say what it has; zero while nothing is in doubt.
    pub(super) fn until_answerable(&self) -> Duration {
        match self.doubt {
            Doubt::None => Duration::ZERO,
            Doubt::SinceStart | Doubt::Before(_) => (self.doubt_since + VISIBLE).since(boottime()),
        }
    }

    /// The server has lost what it had accepted.
    pub(super) fn start_again(&mut self) {
        self.lost_before = self.unconfirmed.front().map(|batch| batch.range.end);
        let end = self.unconfirmed.back().map_or(0, |batch| batch.range.end);
        self.doubt_before(end);
        self.unconfirmed.clear();
        self.last_sent = None;
    }
}
