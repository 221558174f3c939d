//! The backends, and the points that they refuse.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::journal::{self, Account};
use crate::runtime::sink_view::SinkView;

/// Every backend that points are delivered to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Backends {
    pub(crate) sinks: Vec<Backend>,
}

/// A backend and what is still to be delivered to it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Backend {
    /// Its word in `database.type`.
    r#type: &'static str,
    /// Null before the first attempt.
    connected: Option<bool>,
    /// Points that have not been sent.
    backlog_points: u64,
    /// Points that the server has accepted and may still lose; they count as waiting.
    unconfirmed_points: u64,
    /// When the oldest point that waits was measured, Unix seconds.
    oldest_unsent: Option<f64>,
    /// When points were accepted last, Unix seconds.
    last_write_time: Option<f64>,
    /// Failed attempts since the last that worked.
    consecutive_failures: u32,
    last_error: Option<String>,
    totals: Totals,
}

/// Points by what became of them: `sampled = delivered + superseded + evicted + waiting + dead_letter`.
#[derive(Serialize, ToSchema)]
struct Totals {
    sampled: u64,
    delivered: u64,
    waiting: u64,
    dead_letter: u64,
    superseded: u64,
    evicted: u64,
}

/// The points that backends refuse for good, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Letters {
    pub(crate) deadletters: Vec<Letter>,
}

/// A point that a backend refuses for good.
#[derive(Serialize, ToSchema)]
pub(crate) struct Letter {
    id: u64,
    /// The backend that refuses it.
    backend: String,
    r#box: String,
    /// When it was measured, Unix seconds.
    timestamp: f64,
    /// The point's fields by name.
    fields: BTreeMap<&'static str, f64>,
    /// What the backend said.
    reason: String,
    /// When it said so, Unix seconds.
    refused_at: Option<f64>,
    /// Whether it is to be sent again.
    retry: bool,
}

/// Dead letters that were marked for another try, or dropped.
#[derive(Serialize, ToSchema)]
pub(crate) struct LettersChanged {
    /// Always true; a refusal has another status.
    pub(crate) success: bool,
    /// How many.
    pub(crate) count: u64,
}

/// How each backend is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tests {
    /// Those in `database.type`.
    pub(crate) results: Vec<Tested>,
}

/// How a backend is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tested {
    /// Its word in `database.type`.
    pub(crate) r#type: &'static str,
    /// Whether points would be delivered.
    pub(crate) ok: bool,
    /// What was found out; for people.
    pub(crate) line: String,
}

pub(crate) fn backend(view: &SinkView, account: &Account) -> Backend {
    let status = view.status();
    Backend {
        r#type: view.name,
        connected: status.connected,
        backlog_points: account.waiting.saturating_sub(status.unconfirmed),
        unconfirmed_points: status.unconfirmed,
        oldest_unsent: account.oldest.map(|oldest| oldest.seconds()),
        last_write_time: status.last_write.map(|at| at.seconds()),
        consecutive_failures: status.consecutive_failures,
        last_error: status.last_error,
        totals: Totals {
            sampled: account.sampled,
            delivered: account.delivered,
            waiting: account.waiting,
            dead_letter: account.dead_letter,
            superseded: account.superseded,
            evicted: account.evicted,
        },
    }
}

pub(crate) fn letter(letter: journal::Letter) -> Letter {
    Letter {
        id: letter.id,
        backend: letter.sink,
        r#box: letter.point.box_name.to_string(),
        timestamp: letter.point.at.seconds(),
        fields: letter.point.fields().map(|field| (field.name, field.value())).collect(),
        reason: letter.reason,
        refused_at: letter.refused_at.map(|at| at.seconds()),
        retry: letter.again,
    }
}
