//! The guard's words and core's: neither crate knows the other.

use filamentbox_core::safety::LatchReason;
use filamentbox_guard::{Latch, Verdict};

pub(super) fn to_guard(reason: LatchReason) -> Latch {
    match reason {
        LatchReason::LineFault => Latch::LineFault,
        LatchReason::OverTemperature => Latch::OverTemperature,
        LatchReason::CrashLoop => Latch::CrashLoop,
        LatchReason::StateUnreadable => Latch::StateUnreadable,
        LatchReason::RelayStuck => Latch::RelayStuck,
        LatchReason::NotWarming => Latch::NotWarming,
        LatchReason::SensorFrozen => Latch::SensorFrozen,
    }
}

pub(super) fn from_guard(latch: Latch) -> LatchReason {
    let reason = LatchReason::ALL.into_iter().find(|reason| to_guard(*reason) == latch);
    reason.unwrap_or(LatchReason::LineFault)
}

/// Why the guard refuses a line, as a clause.
pub(super) fn reason(verdict: Verdict) -> String {
    verdict.reason().trim_start_matches("Off: ").trim_end_matches('.').to_owned()
}
