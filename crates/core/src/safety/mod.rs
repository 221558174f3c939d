//! What stands above every controller and every person: no [`Permit`], no heat.

mod interlock;
mod latch;
mod on_time;
mod permit;

pub use interlock::{Inhibit, Interlock};
pub use latch::LatchReason;
pub use on_time::{OnTime, REST};
pub use permit::Permit;
