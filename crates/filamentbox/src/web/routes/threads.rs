//! `/api/threads`: the threads that the daemon consists of. They are supervised: nobody has to start one again.

use axum::Json;
use axum::extract::State;
use filamentbox_core::time::Clock;
use serde_json::{Map, Value, json};

use crate::runtime::clock::boottime;
use crate::runtime::supervisor::{self, ThreadState};
use crate::web::Daemon;

/// The original's threads, and how the names begin of those that do their work.
const ORIGINAL: [(&str, &str); 4] = [
    ("data_collector", "sensor-"),
    ("database_writer", "net"),
    ("heating_control", "control"),
    ("humidity_control", "control"),
];

pub(super) async fn threads(State(daemon): State<Daemon>) -> Json<Value> {
    Json(shown(daemon.clocks.read()))
}

/// Every thread by its name, then the original's.
pub(super) fn shown(clock: Clock) -> Value {
    let threads = supervisor::threads();
    let mut shown: Map<String, Value> =
        threads.iter().map(|thread| (thread.name.clone(), described(thread, clock))).collect();
    for (name, prefix) in ORIGINAL {
        let mut works = threads.iter().filter(|thread| thread.name.starts_with(prefix));
        let is_running = works.any(|thread| thread.is_running);
        shown.insert(name.to_owned(), json!({ "running": is_running, "exists": true, "restartable": false }));
    }
    Value::Object(shown)
}

fn described(thread: &ThreadState, clock: Clock) -> Value {
    let age = boottime().since(thread.last_progress);
    json!({
        "running": thread.is_running,
        "restarts": thread.restarts,
        "last_progress": clock.wall.map(|wall| wall.before(age).seconds()),
        "exists": true,
        "restartable": false,
    })
}
