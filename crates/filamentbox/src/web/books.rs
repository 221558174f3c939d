//! What the journal says of itself and of what every backend has, asked for in one go.

use super::Daemon;
use crate::journal::{Account, Gone, State, Statistics};

/// What the journal says of itself, and of what every backend has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Books {
    pub(super) accounts: Vec<Account>,
    pub(super) statistics: Statistics,
}

impl Books {
    /// Asks the journal, for as long as it takes.
    ///
    /// # Errors
    /// [`Gone`].
    pub(super) async fn ask(daemon: &Daemon) -> Result<Self, Gone> {
        Ok(Self { accounts: daemon.journal.accounts().await?, statistics: daemon.journal.statistics().await? })
    }

    /// Before the journal has ever answered.
    pub(super) fn unknown() -> Self {
        let statistics = Statistics {
            state: State::Failing,
            sampled: 0,
            sealed: 0,
            open: 0,
            dropped: 0,
            evicted: 0,
            file_bytes: 0,
            blocks: 0,
            waits_for_clock: false,
            disk_error: None,
        };
        Self { accounts: Vec::new(), statistics }
    }

    /// Whether a person would see the same, but for the counts that go with every sample.
    pub(super) fn looks_like(&self, other: &Self) -> bool {
        let account = |a: &Account| (a.sink.clone(), a.delivered, a.dead_letter, a.superseded, a.evicted);
        let statistics = |s: &Statistics| (s.state, s.dropped, s.evicted, s.waits_for_clock, s.disk_error.clone());
        self.accounts.iter().map(account).eq(other.accounts.iter().map(account))
            && statistics(&self.statistics) == statistics(&other.statistics)
    }
}
