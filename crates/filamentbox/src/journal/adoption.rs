//! Points of another program enter the sequence: what the Python original could not deliver becomes history here, and goes to every
//! backend once. For when no daemon runs.
//!
//! They get the next numbers, like every sample, and keep the times that they bring; one that a sample of their box has already
//! becomes the next free millisecond. What was taken in is remembered by an identity that the caller chooses, in the same transaction, so
//! that a second time changes nothing.

use std::sync::atomic::Ordering;

use filamentbox_core::event::Severity;
use filamentbox_core::sample::Point;
use filamentbox_core::time::UnixTime;

use super::store::Commit;
use super::worker::{Worker, in_blocks};
use super::{OpenError, Options, open};

/// So many points are written in one transaction at least: a commit for each batch of the original's would wear the card.
const POINTS_AT_ONCE: usize = 4096;

/// The disk failed. What was taken in before stays, and is known the next time.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the journal cannot be written: {0}")]
pub struct Stuck(String);

/// An open journal that takes in points of another program.
pub struct Adoption {
    worker: Worker,
    waiting: Vec<(Vec<u8>, Vec<Point>)>,
    /// Points that were written.
    points: u64,
}

impl Adoption {
    /// Opens the journal as the daemon would. The caller holds the lock on the data folder.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let (_, handle, worker, recovery) = open(options)?;
        // The daemon's next start finds everything in order, and would not tell them.
        recovery.events().into_iter().for_each(|event| handle.event(event));
        Ok(Self { worker, waiting: Vec::new(), points: 0 })
    }

    /// Takes in the points of one batch, unless it was taken in before: then it says `false`.
    ///
    /// # Errors
    /// [`Stuck`].
    pub fn add(&mut self, identity: Vec<u8>, points: Vec<Point>) -> Result<bool, Stuck> {
        let now = self.worker.clocks.read().now;
        let is_known = self.worker.disk.with(now, |store| store.is_adopted(&identity)).ok_or_else(|| self.stuck())?;
        if is_known || self.waiting.iter().any(|(waiting, _)| *waiting == identity) {
            return Ok(false);
        }
        self.waiting.push((identity, points));
        if self.waiting.iter().map(|(_, points)| points.len()).sum::<usize>() >= POINTS_AT_ONCE {
            self.write()?;
        }
        Ok(true)
    }

    /// Writes the rest, and `event` into the event log. Says how many points were written in all.
    ///
    /// # Errors
    /// [`Stuck`].
    pub fn finish(mut self, event: impl FnOnce(u64) -> String) -> Result<u64, Stuck> {
        self.write()?;
        if self.points > 0 {
            self.worker.record(Severity::Info, event(self.points));
        }
        self.worker.finish();
        if self.worker.disk.error().is_some() { Err(self.stuck()) } else { Ok(self.points) }
    }

    fn write(&mut self) -> Result<(), Stuck> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let (identities, points): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let points: Vec<Point> = points.into_iter().flatten().collect();
        self.worker.adopt(&identities, points).map(|count| self.points += count).ok_or_else(|| self.stuck())
    }

    fn stuck(&self) -> Stuck {
        Stuck(self.worker.disk.error().unwrap_or("its samples cannot be put in order").to_owned())
    }
}

impl Worker {
    /// One transaction; `None` when the disk failed, and nothing has changed then.
    fn adopt(&mut self, identities: &[Vec<u8>], mut points: Vec<Point>) -> Option<u64> {
        let clock = self.take_in();
        // What a crashed daemon left open comes first.
        if self.tail.len() > 0 && !self.commit(&clock, false) {
            return None;
        }
        let Self { tail, disk, .. } = self;
        for point in &mut points {
            let mut sealed = |range| disk.with(clock.now, |store| store.stamps(&range));
            let at = tail.stamps().give(point.at.millis(), &point.box_name, 0, &mut sealed)?;
            point.at = UnixTime::from_millis(at);
        }
        let (first, count) = (self.tail.end(), points.len() as u64);
        let blocks = in_blocks(first, &points);
        let commit = Commit {
            blocks: &blocks,
            adopted: identities,
            cursors: self.ledger.cursors().collect(),
            next: first + count,
            now: clock.wall,
            ..Commit::default()
        };
        if !self.disk.commit(clock.now, &commit) {
            return None;
        }
        self.ledger.mark_saved();
        self.tail.skip_to(first + count);
        self.shared.next.store(first + count, Ordering::SeqCst);
        self.enforce_caps(&clock);
        Some(count)
    }
}
