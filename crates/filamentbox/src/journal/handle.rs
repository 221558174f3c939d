//! The network thread's side of the journal.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use filamentbox_core::event::Event;
use filamentbox_core::sample::{BoxName, Point};
use filamentbox_core::time::UnixTime;
use tokio::sync::{Notify, mpsc, oneshot};

use super::intake::Gate;
use super::requests::{Reply, Request, Selection};
use super::{Account, Batch, Gone, Resolution, Rollup, Statistics};

/// Chunks of an export that wait for a slow reader.
const CHUNKS_AHEAD: usize = 1;

/// Asks the journal's thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) gate: Gate,
    pub(super) notifies: Arc<HashMap<String, Arc<Notify>>>,
}

impl Handle {
    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.gate.requests.send(request(reply)).map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// The oldest points that `sink` does not have, `max` at most, sealed or still open. With `after`, those from that number on:
    /// for a sink that has sent what lies before it and has not acknowledged it yet.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn read(&self, sink: &str, after: Option<u64>, max: usize) -> Result<Batch, Gone> {
        let sink = sink.to_owned();
        self.ask(|reply| Request::Read { sink, after, max, reply }).await
    }

    /// `sink` is done with everything before `through`: `delivered` points arrived, the others were refused for good. Once this
    /// returns, a crash of the program does not make the sink send them again.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn acknowledge(&self, sink: &str, through: u64, delivered: u64) -> Result<(), Gone> {
        let sink = sink.to_owned();
        self.ask(|reply| Request::Settle { sink, through, delivered, reply }).await
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
        self.ask(|reply| Request::Events { limit, reply }).await
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
        let mut chunk = self.chunk(0, &selection).await?;
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let handle = self.clone();
        tokio::spawn(async move {
            loop {
                // The reader going away is its right.
                if !chunk.points.is_empty() && sender.send(Ok(chunk.points)).await.is_err() {
                    return;
                }
                let Some(next) = chunk.next else { return };
                chunk = match handle.chunk(next, &selection).await {
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

    async fn chunk(&self, from: u64, selection: &Selection) -> Result<super::requests::Chunk, Gone> {
        let selection = selection.clone();
        self.ask(|reply| Request::Chunk { from, selection, reply }).await
    }

    /// The rollups of a box that begin in `range`, oldest first, 5000 at most. The last hour or so is not rolled up yet.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn rollups(
        &self,
        resolution: Resolution,
        range: Range<UnixTime>,
        box_name: BoxName,
    ) -> Result<Vec<Rollup>, Gone> {
        self.ask(|reply| Request::Rollups { resolution, range, box_name, reply }).await
    }

    /// Takes an event, without waiting. An event of severity `Error` is on disk at once, others with the next block.
    pub fn event(&self, event: Event) {
        self.gate.event(event);
    }

    /// Fires when a whole batch waits for `sink`, again after each acknowledgement that leaves one. Never for a sink that is not
    /// configured.
    pub fn notified(&self, sink: &str) -> Arc<Notify> {
        self.notifies.get(sink).cloned().unwrap_or_default()
    }

    /// Seals what is open, writes the cursors, and closes the file. Afterwards everything here answers [`Gone`].
    pub async fn stop(&self) {
        // Gone already is as good.
        let _ = self.ask(|reply| Request::Stop { reply }).await;
    }
}
