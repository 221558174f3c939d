//! The output lines themselves, behind one small trait, and the lines of a simulation. A kind of hardware is one more implementor
//! here; polarity, names and limits are no concern of it except that it knows which level *inactive* is.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::protocol::MAX_LINES;

/// A line could not be driven or read. The guard makes it inactive, if it still can, and never uses it again.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// No line of this index is held.
    #[error("no output line {0}")]
    NoSuchLine(usize),
    /// The operating system refused.
    #[error("output line: {0}")]
    Io(#[from] io::Error),
}

/// Output lines by index, each inactive when the implementor is made. Neither method may allocate or wait.
pub trait Lines {
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
}
