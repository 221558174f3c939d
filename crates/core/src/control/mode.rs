//! Who decides about an output: its controller, or a person for a while.

use crate::time::Monotonic;

/// Who decides about an output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Its controller.
    Auto,
    /// A person.
    Manual {
        /// What was asked for.
        on: bool,
        /// When the override ends by itself; `None`: at `auto`.
        until: Option<Monotonic>,
    },
}

impl Mode {
    /// Whether a manual override has run out at `now`.
    pub fn has_ended(self, now: Monotonic) -> bool {
        matches!(self, Self::Manual { until: Some(until), .. } if until <= now)
    }

    /// When a manual override runs out by itself.
    pub fn until(self) -> Option<Monotonic> {
        match self {
            Self::Manual { until, .. } => until,
            Self::Auto => None,
        }
    }
}
