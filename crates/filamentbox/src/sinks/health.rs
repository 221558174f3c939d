//! What `database test` says of a backend: one line, from what the sink found out.

use super::SinkError;
use super::http::Answer;
use crate::runtime::clock::wall;

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// It is so.
    Yes,
    /// It is not so, for this reason.
    No(String),
    /// It could not be found out, because something before it failed or the server does not say.
    Unknown,
}

/// How a backend is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// The server answers.
    pub reachable: Finding,
    /// It knows the user or the token. Also `Yes` when it asks for none.
    pub authenticated: Finding,
    /// The user may write where the settings say.
    pub may_write: Finding,
    /// The server's name and version in its own words.
    pub version: Option<String>,
    /// The server's clock minus ours, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
}

impl Health {
    /// Nothing is known yet.
    pub fn unknown() -> Self {
        Self {
            reachable: Finding::Unknown,
            authenticated: Finding::Unknown,
            may_write: Finding::Unknown,
            version: None,
            clock_ahead_ms: None,
        }
    }

    /// What the head of an answer shows.
    pub(super) fn of_answer(answer: &Answer) -> Self {
        let clock_ahead_ms = wall().and_then(|now| answer.clock_ahead_ms(now));
        Self { clock_ahead_ms, ..Self::unknown() }
    }

    /// What a write (of nothing) that ended with `written` shows. A 401 is about who, every other refusal about where.
    pub fn of_write(mut self, written: &Result<(), SinkError>) -> Self {
        (self.reachable, self.authenticated, self.may_write) = match written {
            Ok(()) => (Finding::Yes, Finding::Yes, Finding::Yes),
            Err(SinkError::Retry { reason, .. }) => (Finding::No(reason.clone()), Finding::Unknown, Finding::Unknown),
            Err(SinkError::Misconfigured { reason }) if reason.contains("answered 401") => {
                (Finding::Yes, Finding::No(reason.clone()), Finding::Unknown)
            }
            Err(refused) => (Finding::Yes, Finding::Yes, Finding::No(refused.to_string())),
        };
        self
    }

    /// Whether points can be delivered.
    pub fn is_good(&self) -> bool {
        self.may_write == Finding::Yes
    }
}
