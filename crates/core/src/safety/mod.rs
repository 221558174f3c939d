//! What stands above every controller and every person: no [`Permit`], no heat.

mod fan;
mod inhibit;
mod interlock;
mod latch;
mod on_time;
mod permit;
mod plausibility;
mod range;
mod recovery;
mod trips;

pub use fan::FanRun;
pub use inhibit::Inhibit;
pub use interlock::Interlock;
pub use latch::LatchReason;
pub use on_time::{OnTime, REST};
pub use permit::Permit;
pub use plausibility::{Belief, Leap, Plausibility};
pub use range::{SENSOR_RANGE_MARGIN_C, is_seen_by};
pub use recovery::Recovery;
pub use trips::{Trip, Trips};
