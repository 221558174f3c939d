//! `/api/threads`: the threads that the daemon consists of. They are supervised: nobody has to start one again.

use axum::Json;
use axum::extract::State;
use filamentbox_core::time::Clock;

use crate::runtime::clock::boottime;
use crate::runtime::supervisor::{self, ThreadState};
use crate::web::Daemon;
use crate::web::dto::{Thread, Threads};

/// The original's threads, and how the names begin of those that do their work.
const ORIGINAL: [(&str, &str); 4] = [
    ("data_collector", "sensor-"),
    ("database_writer", "net"),
    ("heating_control", "control"),
    ("humidity_control", "control"),
];

/// Each thread: whether it runs, how often it was started again, when it last had something to do.
#[utoipa::path(get, path = "/api/threads", tag = "Service", operation_id = "threads", responses(
    (status = 200, description = "The threads by name, and by those of the Python original", body = Threads)))]
pub(super) async fn threads(State(daemon): State<Daemon>) -> Json<Threads> {
    Json(shown(daemon.clocks.read()))
}

/// Every thread by its name, and by the original's.
pub(super) fn shown(clock: Clock) -> Threads {
    let threads = supervisor::threads();
    let original = ORIGINAL.into_iter().filter_map(|(name, prefix)| {
        let works = threads.iter().find(|thread| thread.name.starts_with(prefix))?;
        Some((name.to_owned(), described(works, clock)))
    });
    let own = threads.iter().map(|thread| (thread.name.clone(), described(thread, clock)));
    own.chain(original).collect()
}

fn described(thread: &ThreadState, clock: Clock) -> Thread {
    let age = boottime().since(thread.last_progress);
    Thread {
        running: thread.is_running,
        restarts: thread.restarts,
        last_progress: clock.wall.map(|wall| wall.before(age).seconds()),
        exists: true,
        restartable: false,
    }
}
