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

/// Why the guard refuses a line (or does not), as a clause.
pub(super) fn reason(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotWanted => "not asked for",
        Verdict::Active => "On: asked for, and every limit of the relay guard holds",
        Verdict::NoLease => "the relay guard heard no valid request in time",
        Verdict::NoSample => "the relay guard was given no temperature for this heater",
        Verdict::StaleSample => "the temperature is too old to heat by",
        Verdict::TooHot => "the temperature is at the relay guard's cut-off, or may have reached it since it was read",
        Verdict::OnTooLong => "the heater was on for as long as the relay guard allows and has to rest",
        Verdict::Latched => "a fault has latched the output; it stays off until somebody resets it",
        Verdict::LineFault => "Fault: the output does not do what it is told; its relay may be in any state",
        Verdict::NoSuchLine => "The relay guard has no such output",
    }
}
