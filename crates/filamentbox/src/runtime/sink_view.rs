//! What a backend's task says of itself, for those who show it.

use std::sync::Arc;

use filamentbox_core::time::UnixTime;
use tokio::sync::watch;

use crate::alerts::{Alert, AlertEvent};

/// A backend's state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SinkStatus {
    /// Whether the last try succeeded; `None` before the first.
    pub connected: Option<bool>,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// When the server last took points.
    pub last_write: Option<UnixTime>,
    /// The last failure's reason, until the next success.
    pub last_error: Option<String>,
    /// Points that the server has accepted and may still lose.
    pub unconfirmed: u64,
    /// Points that wait to be sent, as of the last look.
    pub waiting: u64,
    /// An alarm was raised and is not over.
    pub is_alarmed: bool,
    /// When the first of the consecutive failures was.
    pub failing_since: Option<UnixTime>,
}

/// A backend's name and the status its task keeps.
#[derive(Clone, Debug)]
pub struct SinkView {
    /// Its type string.
    pub name: &'static str,
    status: Arc<watch::Sender<SinkStatus>>,
}

impl SinkView {
    /// A backend that has not been tried yet.
    pub fn new(name: &'static str) -> Self {
        Self { name, status: Arc::default() }
    }

    /// The status now.
    pub fn status(&self) -> SinkStatus {
        self.status.borrow().clone()
    }

    /// An alert about the episode of failures that the status shows; call it before the status forgets it.
    pub fn alert(&self, event: AlertEvent, timestamp: Option<UnixTime>) -> Alert {
        let status = self.status();
        Alert {
            event,
            backend: Some(self.name),
            failures: status.consecutive_failures,
            reason: status.last_error.unwrap_or_default(),
            backlog_points: status.waiting,
            since: status.failing_since,
            timestamp,
        }
    }

    /// Changes the status.
    pub fn change(&self, change: impl FnOnce(&mut SinkStatus)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }

    /// Tells of every change; never closed while this view is there.
    pub fn changes(&self) -> watch::Receiver<SinkStatus> {
        self.status.subscribe()
    }
}
