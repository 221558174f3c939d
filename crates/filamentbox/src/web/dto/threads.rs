//! The threads of the daemon.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::Status;

/// The threads by name, and by the names that the Python original had for those who do the same.
pub(crate) type Threads = BTreeMap<String, Thread>;

/// A thread. It is supervised: nobody has to start it again.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct Thread {
    /// Whether it runs.
    pub(crate) running: bool,
    /// How often it failed and was started again.
    pub(crate) restarts: u32,
    /// When it last had something to do, Unix seconds; null while the wall clock is not known.
    pub(crate) last_progress: Option<f64>,
    /// Whether there is such a thread.
    pub(crate) exists: bool,
    /// Always false: the daemon does it itself.
    pub(crate) restartable: bool,
}

/// The whole state, with the threads: what every event of the stream holds.
#[derive(Serialize, ToSchema)]
pub(crate) struct Streamed {
    #[serde(flatten)]
    pub(crate) status: Status,
    /// By name.
    pub(crate) threads: Threads,
}
