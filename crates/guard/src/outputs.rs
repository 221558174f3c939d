//! The lines as the loop holds them: set, read back, latched when they do not obey, traced, and inactive whichever way the loop ends.

use crate::judge::Judge;
use crate::lines::{LineError, Lines};
use crate::protocol::{LineReport, MAX_LINES, Verdict};
use crate::trace::Trace;

/// Whether to set a line that was last set to the same. In a turn it is not, so that reading it back shows who else moves it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    OnChange,
    Always,
}

/// Owns the lines. Dropping it, also while a panic unwinds, makes every line inactive.
pub(crate) struct Outputs<L: Lines> {
    lines: L,
    count: usize,
    /// What each line was last set to; `None` before the first time.
    held: [Option<bool>; MAX_LINES],
    pub(crate) trace: Option<Trace>,
}

impl<L: Lines> Outputs<L> {
    /// Takes over `count` lines, which are inactive; the first [`Outputs::apply`] drives them so.
    pub(crate) fn new(lines: L, count: usize) -> Self {
        Self { lines, count: count.min(MAX_LINES), held: [None; MAX_LINES], trace: None }
    }

    /// Makes the lines what `reports` says and corrects `reports` to what they then are. A line that does not obey is made inactive
    /// and latched.
    pub(crate) fn apply(&mut self, judge: &mut Judge, reports: &mut [LineReport; MAX_LINES]) {
        for (index, report) in reports.iter_mut().enumerate().take(self.count) {
            if !matches!(self.drive(index, report.active, Set::OnChange), Ok(is) if is == report.active) {
                judge.line_fault(index);
                let after = self.drive(index, false, Set::Always);
                *report = LineReport { active: !matches!(after, Ok(false)), verdict: Verdict::LineFault };
            }
        }
        self.flush();
    }

    /// Sets line `index`, and says what it then is.
    fn drive(&mut self, index: usize, active: bool, set: Set) -> Result<bool, LineError> {
        if set == Set::Always || self.held[index] != Some(active) {
            self.lines.set(index, active)?;
            if self.held[index] != Some(active) {
                self.held[index] = Some(active);
                if let Some(trace) = &mut self.trace {
                    trace.note(index, active);
                }
            }
        }
        self.lines.read_back(index)
    }

    fn flush(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.flush();
        }
    }
}

impl<L: Lines> Drop for Outputs<L> {
    fn drop(&mut self) {
        for index in 0..self.count {
            // Nobody is left to be told of a failure; what stands behind the guard takes over.
            let _ = self.drive(index, false, Set::Always);
        }
        self.flush();
    }
}
