//! The network thread's side of the journal.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use filamentbox_core::event::Event;
use filamentbox_core::sample::{BoxName, Point};
use filamentbox_core::time::UnixTime;
use tokio::sync::{Notify, mpsc, oneshot};

use super::intake::Gate;
use super::requests::{Reply, Request, Selection};
use super::{
    Account, Batch, Chosen, Chunk, Gone, Letter, Queue, Reach, Resolution, Rolled, Settings, Statistics, Verdict,
};

/// Chunks of an export that wait for a slow reader.
const CHUNKS_AHEAD: usize = 1;

/// How the journal's thread wakes the sinks' tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Notifies(Arc<Mutex<HashMap<String, Arc<Notify>>>>);

impl Notifies {
    pub(super) fn of(&self, sink: &str) -> Arc<Notify> {
        let mut notifies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notifies.entry(sink.to_owned()).or_default().clone()
    }
}

/// Asks the journal's thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) gate: Gate,
    pub(super) notifies: Notifies,
}

impl Handle {
    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.gate.requests.send(request(reply)).map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// The oldest points that `sink` does not have, `max` at most, sealed or still open. With `from`, those from that number on:
    /// for a sink that has sent what lies before it and has not settled it yet, or goes on ahead of its cursor.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn read(&self, sink: &str, from: Option<u64>, max: usize) -> Result<Batch, Gone> {
        let sink = sink.to_owned();
        self.ask(|reply| Request::Read { sink, from, max, reply }).await
    }

    /// The newest point of each box among those that `sink` does not have; the batch's range is all that waits.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn newest(&self, sink: &str) -> Result<Batch, Gone> {
        let sink = sink.to_owned();
        self.ask(|reply| Request::Newest { sink, reply }).await
    }

    /// What waits for `sink` at or after `from` (its cursor when `None`), up to the next stretch that is settled already.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn queue(&self, sink: &str, from: Option<u64>) -> Result<Queue, Gone> {
        let sink = sink.to_owned();
        self.ask(|reply| Request::Queue { sink, from, reply }).await
    }

    /// `sink` is done with the samples of `range`, which begins at its cursor or at the end of a stretch ahead of it. Once this returns, a
    /// crash of the program does not make the sink send them again, and refused points are on disk as dead letters (or in memory
    /// until the disk takes them: then a crash sends the batch again).
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn settle(&self, sink: &str, range: Range<u64>, verdict: Verdict) -> Result<(), Gone> {
        let sink = sink.to_owned();
        self.ask(|reply| Request::Settle { sink, range, verdict, reply }).await
    }

    /// `sink` goes on at `from`, ahead of its cursor, and will come back for what lies between. `false` when there are too many such
    /// stretches already, or nothing lies between.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn open_island(&self, sink: &str, from: u64) -> Result<bool, Gone> {
        let sink = sink.to_owned();
        self.ask(|reply| Request::OpenIsland { sink, from, reply }).await
    }

    /// Dead letters, oldest first, `limit` at most; with `again`, those that are to be sent again.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn letters(&self, chosen: Chosen, again: bool, limit: u64) -> Result<Vec<Letter>, Gone> {
        self.ask(|reply| Request::Letters { chosen, again, limit, reply }).await
    }

    /// Dead letters are to be sent again. Says how many.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn send_letters_again(&self, chosen: Chosen) -> Result<u64, Gone> {
        self.ask(|reply| Request::SendAgain { chosen, reply }).await
    }

    /// Dead letters are dropped for good, and counted as evicted. Says how many.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn drop_letters(&self, chosen: Chosen) -> Result<u64, Gone> {
        self.ask(|reply| Request::Drop { chosen, reply }).await
    }

    /// A dead letter was sent again and accepted, or `refused` once more.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn letter_sent(&self, id: u64, sink: &str, refused: Option<String>) -> Result<(), Gone> {
        let sink = sink.to_owned();
        self.ask(|reply| Request::SentAgain { id, sink, refused, reply }).await
    }

    /// The books of every configured sink.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn accounts(&self) -> Result<Vec<Account>, Gone> {
        self.ask(|reply| Request::Accounts { reply }).await
    }

    /// Totals, and how the disk is.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn statistics(&self) -> Result<Statistics, Gone> {
        self.ask(|reply| Request::Statistics { reply }).await
    }

    /// The newest `limit` events with their numbers, newest first.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn events(&self, limit: usize) -> Result<Vec<(u64, Event)>, Gone> {
        self.events_before(u64::MAX, limit).await
    }

    /// The newest `limit` events with numbers below `before`, newest first: the next page of [`Self::events`].
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn events_before(&self, before: u64, limit: usize) -> Result<Vec<(u64, Event)>, Gone> {
        self.ask(|reply| Request::Events { before, limit, reply }).await
    }

    /// The points of a time range in the order of the sequence, in chunks. The journal's thread serves one chunk after another, so a
    /// slow reader holds up nobody. The stream ends with an error when the journal is stopped meanwhile.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn export(
        &self,
        range: Range<UnixTime>,
        box_name: Option<BoxName>,
    ) -> Result<mpsc::Receiver<Result<Vec<Point>, Gone>>, Gone> {
        let selection = Selection { range, box_name };
        let mut chunk = self.chunk(0, selection.clone()).await?;
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let handle = self.clone();
        tokio::spawn(async move {
            loop {
                // The reader going away is its right.
                if !chunk.points.is_empty() && sender.send(Ok(chunk.points)).await.is_err() {
                    return;
                }
                let Some(next) = chunk.next else { return };
                chunk = match handle.chunk(next, selection.clone()).await {
                    Ok(chunk) => chunk,
                    Err(gone) => {
                        // The reader must not take a part for the whole.
                        let _ = sender.send(Err(gone)).await;
                        return;
                    }
                };
            }
        });
        Ok(receiver)
    }

    /// Some points of a time range, from this number of the sequence on.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn points(&self, from: u64, range: Range<UnixTime>, box_name: BoxName) -> Result<Chunk, Gone> {
        self.chunk(from, Selection { range, box_name: Some(box_name) }).await
    }

    async fn chunk(&self, from: u64, selection: Selection) -> Result<Chunk, Gone> {
        self.ask(|reply| Request::Chunk { from, selection, reply }).await
    }

    /// The rollups of a box that begin in `range`, oldest first, [`ROLLUPS_MAX`](super::ROLLUPS_MAX) at most. The last hour or so is not
    /// rolled up yet.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn rollups(
        &self,
        resolution: Resolution,
        range: Range<UnixTime>,
        box_name: BoxName,
    ) -> Result<Rolled, Gone> {
        self.ask(|reply| Request::Rollups { resolution, range, box_name, reply }).await
    }

    /// How far back the history of a box goes.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn reach(&self, box_name: BoxName) -> Result<Reach, Gone> {
        self.ask(|reply| Request::Reach { box_name, reply }).await
    }

    /// Goes by other settings from now on; the sinks' tasks that go have ended. A sink that comes has its place once this returns (while
    /// the disk fails: once it works again).
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn configure(&self, settings: Settings) -> Result<(), Gone> {
        let settings = Box::new(settings);
        self.ask(|reply| Request::Configure { settings, reply }).await
    }

    /// Takes an event, without waiting. An event of severity `Error` is on disk at once, others with the next block.
    pub fn event(&self, event: Event) {
        self.gate.event(event);
    }

    /// Fires when a whole batch waits for `sink`, again after each acknowledgement that leaves one. Never for a sink that is not
    /// configured. Also when dead letters are to be sent again.
    pub fn notified(&self, sink: &str) -> Arc<Notify> {
        self.notifies.of(sink)
    }

    /// Seals what is open, writes the cursors, and closes the file. Afterwards everything here answers [`Gone`].
    pub async fn stop(&self) {
        // Gone already is as good.
        let _ = self.ask(|reply| Request::Stop { reply }).await;
    }
}
