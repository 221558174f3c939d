//! The right to heat, for a moment, on the strength of one reading.

use crate::time::Monotonic;
use crate::units::Celsius;

/// The right to energise a heater. Only the interlock makes one, from a fresh reading, and it expires by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permit {
    temperature: Celsius,
    taken_at: Monotonic,
    expires_at: Monotonic,
}

impl Permit {
    pub(super) fn new(temperature: Celsius, taken_at: Monotonic, expires_at: Monotonic) -> Self {
        Self { temperature, taken_at, expires_at }
    }

    /// The reading it rests on.
    pub fn temperature(&self) -> Celsius {
        self.temperature
    }

    /// When that was read.
    pub fn taken_at(&self) -> Monotonic {
        self.taken_at
    }

    /// The first moment at which it holds no more: the reading is too old by then, or its projection reaches the cut-off.
    pub fn expires_at(&self) -> Monotonic {
        self.expires_at
    }
}
