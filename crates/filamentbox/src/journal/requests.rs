//! What the network's thread asks the journal's thread. The channel has no bound of its own: a request in it is a task that waits for
//! the answer.

use std::ops::Range;

use filamentbox_core::event::Event;
use filamentbox_core::sample::{BoxName, Point};
use filamentbox_core::time::UnixTime;
use tokio::sync::oneshot;

use super::{Account, Batch, Chosen, Chunk, Letter, Queue, Reach, Resolution, Rolled, Settings, Statistics, Verdict};

/// The way back. Dropped without an answer, it says [`super::Gone`].
pub(super) type Reply<T> = oneshot::Sender<T>;

#[derive(Debug)]
pub(super) enum Request {
    /// Look at what came in.
    Wake,
    Read {
        sink: String,
        from: Option<u64>,
        max: usize,
        reply: Reply<Batch>,
    },
    Newest {
        sink: String,
        reply: Reply<Batch>,
    },
    Queue {
        sink: String,
        from: Option<u64>,
        reply: Reply<Queue>,
    },
    Settle {
        sink: String,
        range: Range<u64>,
        verdict: Verdict,
        reply: Reply<()>,
    },
    OpenIsland {
        sink: String,
        from: u64,
        reply: Reply<bool>,
    },
    Letters {
        chosen: Chosen,
        again: bool,
        limit: u64,
        reply: Reply<Vec<Letter>>,
    },
    SendAgain {
        chosen: Chosen,
        reply: Reply<u64>,
    },
    Drop {
        chosen: Chosen,
        reply: Reply<u64>,
    },
    SentAgain {
        id: u64,
        sink: String,
        refused: Option<String>,
        reply: Reply<()>,
    },
    Accounts {
        reply: Reply<Vec<Account>>,
    },
    Statistics {
        reply: Reply<Statistics>,
    },
    Events {
        before: u64,
        limit: usize,
        reply: Reply<Vec<(u64, Event)>>,
    },
    Chunk {
        from: u64,
        selection: Selection,
        reply: Reply<Chunk>,
    },
    Rollups {
        resolution: Resolution,
        range: Range<UnixTime>,
        box_name: BoxName,
        reply: Reply<Rolled>,
    },
    Reach {
        box_name: BoxName,
        reply: Reply<Reach>,
    },
    Configure {
        settings: Box<Settings>,
        reply: Reply<()>,
    },
    Stop {
        reply: Reply<()>,
    },
}

/// Which points.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) range: Range<UnixTime>,
    pub(super) box_name: Option<BoxName>,
}

impl Selection {
    pub(super) fn contains(&self, point: &Point) -> bool {
        self.range.contains(&point.at) && self.box_name.as_ref().is_none_or(|name| *name == point.box_name)
    }
}
