//! Controllers wish; they know no pins, no limits and no clocks but the `now` they are given.

mod hysteresis;
mod mode;

pub use hysteresis::Hysteresis;
pub use mode::Mode;

use crate::sample::Measurement;

/// A controller's wish for its output, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Demand {
    /// Whether the output should be on.
    pub on: bool,
    /// One clause for a person, such as "19.80 °C is below 20 °C".
    pub reason: String,
}

/// Decides about one output from fresh readings alone.
pub trait Controller {
    /// The wish after `measurement`.
    fn decide(&mut self, measurement: &Measurement) -> Demand;

    /// Takes over an output that is `on` or off, as after a manual override: the state is kept until a reading says otherwise.
    fn resume(&mut self, on: bool);
}
