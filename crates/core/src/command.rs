//! What people ask of a box, and what it answers: the state that resulted and why, never just "done".

use std::time::Duration;

use crate::sample::BoxName;

/// Which output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OutputKind {
    /// The heater.
    Heater,
    /// The fan.
    Fan,
}

impl OutputKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Heater, Self::Fan];

    /// The output's name in commands, events and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heater => "heater",
            Self::Fan => "fan",
        }
    }
}

/// What is wished for an output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// On by hand, for so long.
    On {
        /// `None`: as long as is allowed.
        hold: Option<Duration>,
    },
    /// Off by hand, for so long.
    Off {
        /// `None`: until `auto`.
        hold: Option<Duration>,
    },
    /// Back to the controller.
    Auto,
}

/// One override.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// The box.
    pub box_name: BoxName,
    /// The output.
    pub output: OutputKind,
    /// The wish.
    pub wish: Wish,
}

/// A command that changed nothing, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommandError {
    /// No such box.
    #[error("there is no box {0:?}")]
    NoSuchBox(String),
    /// The output is not configured.
    #[error("this box has no {output}: {key} is false")]
    NotEnabled {
        /// The output's name.
        output: &'static str,
        /// The key that enables it.
        key: &'static str,
    },
    /// Longer than an override may last.
    #[error("{asked} s is not allowed; a manual heater ON lasts at most {allowed} s (safety.override_max)")]
    TooLong {
        /// Seconds asked for.
        asked: u64,
        /// Seconds allowed.
        allowed: u64,
    },
}
