//! When the wall clock is believed.

use crate::config::{KeySpec, Kind};

pub(super) const KEYS: &[KeySpec] = &[KeySpec::new(
    "clock.require_sync",
    Kind::Choice(&["auto", "yes", "no"]),
    "auto",
    "",
    "Whether the clock must be proven right (set from the network since power-up, or in agreement with a clock chip) before samples get their times. auto: on a single-board computer such as a Pi, and wherever the clock shows a time before 2025 or more than a day before the newest sample. yes: everywhere. no: a plausible time is enough. Until then samples are kept, and get their times later.",
)];
