//! The journal, its bounds, and retries.

use crate::config::{KeySpec, Kind};

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "queue.max_size",
        Kind::Integer { min: 100, max: 100_000 },
        "10000",
        "points",
        "Points held in memory before a block seals; overflow drops the oldest, counted.",
    ),
    KeySpec::new(
        "retry.backoff_base",
        Kind::Number { min: 0.1, max: 3600.0 },
        "1",
        "s",
        "Delay after a backend's first failure; it doubles with each further one, with up to 10 % jitter.",
    ),
    KeySpec::new(
        "retry.backoff_max",
        Kind::Number { min: 1.0, max: 86_400.0 },
        "300",
        "s",
        "Longest delay between two tries.",
    ),
    KeySpec::new(
        "retry.alert_threshold",
        Kind::Integer { min: 1, max: 1000 },
        "5",
        "failures",
        "So many failures in a row raise the alarm: once per episode, and once more on recovery.",
    ),
    KeySpec::new(
        "retry.persist_on_alert",
        Kind::Bool,
        "true",
        "",
        "Accepted from the original and always true: everything is kept from the first failure on.",
    )
    .reserved(),
    KeySpec::new(
        "persistence.db_path",
        Kind::Text { max_bytes: 1024 },
        "journal.db",
        "",
        "The journal's file; a relative path lies in the data folder.",
    )
    .at_start(),
    KeySpec::new(
        "persistence.max_batches",
        Kind::Integer { min: 100, max: 10_000_000 },
        "50000",
        "blocks",
        "Sealed blocks kept at most; beyond it the oldest go, counted.",
    ),
    KeySpec::new(
        "persistence.max_age_days",
        Kind::Number { min: 1.0, max: 3650.0 },
        "365",
        "days",
        "A sample waits for a backend so long at most; then that backend goes on behind it, and it counts as evicted.",
    ),
    KeySpec::new(
        "persistence.durability",
        Kind::Choice(&["each", "minute", "ram"]),
        "minute",
        "",
        "When a sample reaches the disk. each: before it counts as taken. minute: within 60 s, or within 10 minutes while every backend has it. ram: at stop, when a backend is a minute behind, or when queue.max_size samples wait. A crash of the program alone loses no sample in any of them (docs/ARCHITECTURE.md, journal). With ram, events of normal work (a heater that switches) reach the disk once a day and at stop; warnings and errors as otherwise.",
    ),
    KeySpec::new(
        "history.retention_days",
        Kind::Number { min: 1.0, max: 3650.0 },
        "7",
        "days",
        "Raw samples are kept so long; 1-minute rollups 90 days, 1-hour rollups five years.",
    ),
    KeySpec::new(
        "history.max_mb",
        Kind::Integer { min: 8, max: 65_536 },
        "64",
        "MB",
        "The journal's size at most. When it is four fifths full of samples that wait for a backend, the oldest of them are thinned to one a minute; beyond the limit the oldest go. Both are counted.",
    ),
];
