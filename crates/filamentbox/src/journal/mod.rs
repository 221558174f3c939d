//! The journal: every sample in one numbered sequence, which is the queue to the backends, the spool of an outage and the history.
//!
//! ```text
//! control --Intake--> [open tail, in memory] --seal--> [blocks, in one SQLite file] --hourly--> rollups
//!                       |        cursor of sink B ^            ^ cursor of sink A
//!                       +-- crash log on tmpfs
//! ```
//! The sequence is the interface, not SQL: a sink reads from its cursor and acknowledges, and neither knows nor cares which part of
//! that is on disk. So an outage, a restart and normal running are the same path.
//!
//! **Invariants.** The control thread never waits here, whatever the disk does. Only the journal's thread ([`Worker`]) uses the
//! file. For each sink `sampled = delivered + waiting + dead_letter + superseded + evicted`, at any moment. What is sealed
//! survives a power cut; what is only open survives a crash of the program. Every queue here is bounded: the open tail and the
//! way to it by `queue.max_size`, the file by `history.max_mb` and `persistence.max_batches`.
//!
//! Not here: the lock on the data folder, when a sink sends (`core::delivery`), and charts.

mod adoption;
mod clerk;
mod codec;
mod configure;
mod crash;
mod disk;
mod file;
mod handle;
mod intake;
mod ledger;
mod letters;
mod limits;
mod recovery;
mod requests;
mod seal;
mod stamps;
mod store;
mod tail;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod unstamped;
mod waiting;
mod worker;

/// Files on a RAM disk, for others too.
pub(crate) mod ram {
    pub(crate) use super::crash::{Place, read_own, replace};
}

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use filamentbox_core::config::Durability;
use filamentbox_core::sample::Point;
use filamentbox_core::time::{Monotonic, UnixTime};

use crate::alerts::Alerts;
use crate::runtime::clock::Clocks;

pub use adoption::{Adoption, Stuck};
pub use codec::{Bucket, Extent};
pub use configure::Settings;
pub use file::{FileReport, newest, read_file};
pub use handle::Handle;
pub use intake::Intake;
pub use recovery::{Recovery, open};
pub use store::{Chosen, Letter, ROLLUPS_MAX, are_adopted};
pub use waiting::{Journal, Waiting};
pub use worker::Worker;

/// What a journal needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The journal's file.
    pub path: PathBuf,
    /// A folder on a tmpfs, such as `/dev/shm`; `None` for no crash log.
    pub crash_log_dir: Option<PathBuf>,
    /// When samples reach the disk.
    pub durability: Durability,
    /// Samples in memory at most.
    pub queue_max_size: usize,
    /// Sealed blocks in the file at most.
    pub max_batches: u64,
    /// Raw samples are kept so long.
    pub retention: Duration,
    /// The file's size at most.
    pub max_bytes: u64,
    /// A sample waits so long for a sink at most.
    pub max_age: Duration,
    /// The names of the configured sinks.
    pub sinks: Vec<String>,
    /// A sink is notified when so many points wait for it.
    pub batch_size: u64,
    /// The clocks.
    pub clocks: Arc<Clocks>,
    /// Who is told when the disk fails, and when it works again.
    pub alerts: Alerts,
}

impl Options {
    /// A journal in the file `path`.
    pub fn new(
        path: PathBuf,
        crash_log_dir: Option<PathBuf>,
        settings: Settings,
        clocks: Arc<Clocks>,
        alerts: Alerts,
    ) -> Self {
        let Settings { durability, queue_max_size, max_batches, retention, max_bytes, max_age, sinks, batch_size } =
            settings;
        Self {
            path,
            crash_log_dir,
            durability,
            queue_max_size,
            max_batches,
            retention,
            max_bytes,
            max_age,
            sinks,
            batch_size,
            clocks,
            alerts,
        }
    }

    /// Goes by other settings from now on.
    pub(super) fn set(&mut self, settings: Settings) {
        let options = self.clone();
        *self = Self::new(options.path, options.crash_log_dir, settings, options.clocks, options.alerts);
    }
}

/// Why the journal cannot be used at all.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk, the folder or the file's permissions.
    #[error("the journal {} cannot be used: {reason}", path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A later version of the program wrote it. Nothing was changed.
    #[error(
        "the journal {} has format {found}, which this version does not know; install the version that wrote it, or move the file away",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// An SQLite file of another program. Nothing was changed.
    #[error("{} is not a journal but another program's database; set persistence.db_path to another file", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// The journal does not answer: it was stopped, is being restarted, cannot read its file now, or knows no such sink. Whatever was
/// asked can be asked again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the journal does not answer")]
pub struct Gone;

/// The oldest points that a sink does not have.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// Oldest first. Empty when nothing waits, or all that waits was taken before the wall clock was known.
    pub points: Vec<Point>,
    /// Their numbers, for [`Handle::settle`].
    pub range: Range<u64>,
}

/// What waits for a sink from some place on, up to what is settled already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Queue {
    /// The numbers of what waits.
    pub range: Range<u64>,
    /// When the oldest of it was taken; the boot itself for a point from before it. `None` when that is not known.
    pub oldest_taken: Option<Monotonic>,
    /// Where the newest stretch begins that is settled, or reserved, ahead of the cursor.
    pub island: Option<u64>,
    /// The number that the next sample gets.
    pub end: u64,
    /// A person wants dead letters to be sent again.
    pub letters_again: bool,
}

/// What became of the points of a batch.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Verdict {
    /// So many were accepted.
    pub delivered: u64,
    /// So many were not sent, because a later one took their place.
    pub superseded: u64,
    /// These were refused for good: the point, and why.
    pub refused: Vec<(Point, String)>,
}

/// What became of every sample, as one sink sees it: `sampled = delivered + waiting + dead_letter + superseded + evicted`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The sink's name.
    pub sink: String,
    /// Samples since the sink was first configured, and the history there was then.
    pub sampled: u64,
    /// Accepted by the server.
    pub delivered: u64,
    /// Still to be sent.
    pub waiting: u64,
    /// Refused by the server for good, and kept as dead letters.
    pub dead_letter: u64,
    /// Not sent because a later point took their place.
    pub superseded: u64,
    /// Lost to a limit or to damage, or dropped by a person.
    pub evicted: u64,
    /// The time of the oldest that waits; `None` when nothing waits or the wall clock is not known.
    pub oldest: Option<UnixTime>,
    /// The same as a moment since boot; for a point from before the boot, the boot itself.
    pub oldest_taken: Option<Monotonic>,
}

/// How the journal is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// All is well.
    Working,
    /// The disk fails; samples are held in memory, up to `queue.max_size`.
    Failing,
    /// Samples wait for the wall clock to be known.
    WaitingForClock,
}

/// Totals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statistics {
    /// How the journal is.
    pub state: State,
    /// Samples that got a number since the file was made.
    pub sampled: u64,
    /// Samples in blocks, now.
    pub sealed: u64,
    /// Samples in memory only, now.
    pub open: u64,
    /// Samples since the start that were lost because the journal's thread did not take them in time.
    pub dropped: u64,
    /// Samples since the start that were removed although a sink did not have them, or the disk had not.
    pub evicted: u64,
    /// The file's size. SQLite's write-ahead log comes on top, up to 1 MiB.
    pub file_bytes: u64,
    /// Blocks in the file.
    pub blocks: u64,
    /// Samples wait for the wall clock to be known, whatever the disk does.
    pub waits_for_clock: bool,
    /// What the disk says, while it fails.
    pub disk_error: Option<String>,
}

/// The length of a rollup.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Resolution {
    /// Kept 90 days.
    Minute,
    /// Kept five years.
    Hour,
}

/// Rollups, and what they do not hold yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rolled {
    /// The beginning of each with its samples, oldest first.
    pub rollups: Vec<(UnixTime, Bucket)>,
    /// The samples from this number on are in no rollup yet, all others are.
    pub end: u64,
}

/// How far back the history of a box goes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Reach {
    /// The samples from this number on are in no rollup yet, all others are.
    pub rolled_end: u64,
    /// Single samples, of whichever box; `None` when there is none on disk.
    pub samples_since: Option<UnixTime>,
    /// Minutes; `None` when there is none.
    pub minutes_since: Option<UnixTime>,
}

/// Some samples of a time range, in the order of the sequence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// Them.
    pub points: Vec<Point>,
    /// The number to go on with; `None` when that was all.
    pub next: Option<u64>,
    /// Blocks that were read for it.
    pub blocks: u64,
}
