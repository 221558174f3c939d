//! The output lines themselves, behind one small trait, and the lines of a simulation; those of a board are in `gpio.rs`. Limits,
//! leases and latches are no concern of a line.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::gpio::FindError;
use crate::protocol::MAX_LINES;

/// Bytes of the longest [`LineSpec::name`].
pub const LINE_NAME_MAX: usize = 40;

/// What hangs on a line, and so which limits hold for it. The numbers are part of the protocol; 0 is "no line".
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Needs a young sample under the cut-off, and rests.
    Heater = 1,
    /// Needs a lease, nothing more: moving air is the safe side.
    Fan = 2,
}

/// One output line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineSpec {
    /// How the trace calls it, and, beside the pin, what a latch is remembered by: 1 to [`LINE_NAME_MAX`] visible ASCII characters.
    pub name: String,
    /// What hangs on it.
    pub role: Role,
    /// The number of the pin in Raspberry Pi's ("BCM") counting.
    pub gpio: u32,
    /// Whether the line is active while the pin is low.
    pub active_low: bool,
}

impl LineSpec {
    /// Whether the name is one.
    #[must_use]
    pub fn has_valid_name(&self) -> bool {
        (1..=LINE_NAME_MAX).contains(&self.name.len()) && self.name.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

/// A line could not be claimed, driven or read. One that is held the guard makes inactive, if it still can, and latches.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// No line of this index is held.
    #[error("no output line {0}")]
    NoSuchLine(usize),
    /// There is no such pin.
    #[error(transparent)]
    NotFound(#[from] FindError),
    /// Somebody else holds the pin: a second guard, or another program.
    #[error("GPIO{gpio} is held by {consumer}")]
    Busy {
        /// BCM number.
        gpio: u32,
        /// What the holder calls itself.
        consumer: String,
    },
    /// The operating system refused.
    #[error("output line: {0}")]
    Io(#[from] io::Error),
}

/// Output lines by index. Only [`Lines::claim`] may allocate or wait.
pub trait Lines {
    /// Whether these are pins of a board. Then somebody else can move one that is held, so that it has to be looked at also while nothing
    /// is asked; and a daemon that dies heating again and again is a danger, not a test.
    fn are_real(&self) -> bool;

    /// Takes line `index`, inactive from the first moment. It was not held before.
    ///
    /// # Errors
    /// [`LineError`]; the line then is not held.
    fn claim(&mut self, index: usize, spec: &LineSpec) -> Result<(), LineError>;

    /// Lets go of line `index`, which has been made inactive before.
    fn release(&mut self, index: usize);

    /// Makes line `index` active (its relay energised) or inactive.
    ///
    /// # Errors
    /// [`LineError`]; the line may then be in either state.
    fn set(&mut self, index: usize, active: bool) -> Result<(), LineError>;

    /// What line `index` really is, asked of the hardware.
    ///
    /// # Errors
    /// [`LineError`].
    fn read_back(&mut self, index: usize) -> Result<bool, LineError>;
}

/// Lines that exist in memory only. They are gone with the process, which is as good as inactive.
#[derive(Debug, Default)]
pub struct SimulatedLines(Arc<[AtomicBool; MAX_LINES]>);

/// Shows what [`SimulatedLines`] are, from another thread and after their end.
#[derive(Clone, Debug)]
pub struct SimulatedView(Arc<[AtomicBool; MAX_LINES]>);

impl SimulatedLines {
    /// All inactive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A look at these lines from outside.
    #[must_use]
    pub fn view(&self) -> SimulatedView {
        SimulatedView(Arc::clone(&self.0))
    }

    fn line(&self, index: usize) -> Result<&AtomicBool, LineError> {
        self.0.get(index).ok_or(LineError::NoSuchLine(index))
    }
}

impl SimulatedView {
    /// Whether line `index` is active; a line that does not exist is not.
    #[must_use]
    pub fn is_active(&self, index: usize) -> bool {
        self.0.get(index).is_some_and(|line| line.load(Ordering::SeqCst))
    }
}

impl Lines for SimulatedLines {
    fn are_real(&self) -> bool {
        false
    }

    fn claim(&mut self, index: usize, _spec: &LineSpec) -> Result<(), LineError> {
        self.set(index, false)
    }

    fn release(&mut self, _index: usize) {}

    fn set(&mut self, index: usize, active: bool) -> Result<(), LineError> {
        self.line(index)?.store(active, Ordering::SeqCst);
        Ok(())
    }

    fn read_back(&mut self, index: usize) -> Result<bool, LineError> {
        Ok(self.line(index)?.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_lines_are_what_they_were_set_to() {
        let mut lines = SimulatedLines::new();
        let view = lines.view();
        let mut check = |index, active| {
            lines.set(index, active).unwrap();
            assert_eq!(lines.read_back(index).unwrap(), active);
            assert_eq!(view.is_active(index), active);
        };
        check(0, true);
        check(0, false);
        check(MAX_LINES - 1, true);
        assert!(matches!(lines.set(MAX_LINES, true), Err(LineError::NoSuchLine(MAX_LINES))));
        assert!(matches!(lines.read_back(MAX_LINES), Err(LineError::NoSuchLine(MAX_LINES))));
        assert!(!view.is_active(MAX_LINES));
    }

    #[test]
    fn a_name_is_short_and_visible() {
        let check = |name: &str, valid: bool| {
            let spec = LineSpec { name: name.into(), role: Role::Heater, gpio: 16, active_low: false };
            assert_eq!(spec.has_valid_name(), valid, "{name:?}");
        };
        check("heater", true);
        check("box-2.fan", true);
        check(&"x".repeat(LINE_NAME_MAX), true);
        check(&"x".repeat(LINE_NAME_MAX + 1), false);
        check("", false);
        check("exhaust fan", false);
        check("fan\n", false);
        check("L\u{fc}fter", false);
    }
}
