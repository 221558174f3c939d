//! The lines as the loop holds them: claimed, set, read back, latched when they do not obey, traced, and inactive whichever way the
//! loop ends.

use crate::judge::Judge;
use crate::lines::{LineError, LineSpec, Lines};
use crate::protocol::{Latch, LineReport, MAX_LINES, Verdict};
use crate::trace::Trace;

/// A line that is held.
struct Held {
    spec: LineSpec,
    /// What it was last set to; `None` before the first time.
    last_set: Option<bool>,
}

/// Owns the lines. Dropping it, also while a panic unwinds, makes every line inactive and then lets go of it.
pub(crate) struct Outputs<L: Lines> {
    lines: L,
    held: [Option<Held>; MAX_LINES],
    trace: Option<Trace>,
}

impl<L: Lines> Outputs<L> {
    pub(crate) fn new(lines: L, trace: Option<Trace>) -> Self {
        Self { lines, held: Default::default(), trace }
    }

    /// See [`Lines::are_real`].
    pub(crate) fn are_real(&self) -> bool {
        self.lines.are_real()
    }

    /// Takes a line, inactive; the next [`Outputs::apply`] drives it so.
    pub(crate) fn claim(&mut self, index: usize, spec: &LineSpec) -> Result<(), LineError> {
        self.lines.claim(index, spec)?;
        self.held[index] = Some(Held { spec: spec.clone(), last_set: None });
        Ok(())
    }

    /// Makes line `index` inactive, then lets go of it.
    pub(crate) fn release(&mut self, index: usize) {
        if self.held[index].is_some() {
            // If it cannot be made inactive any more, holding it does not help.
            let _ = self.set(index, false);
            self.flush();
            self.lines.release(index);
            self.held[index] = None;
        }
    }

    /// The line that is held as `index`.
    pub(crate) fn held(&self, index: usize) -> Option<&LineSpec> {
        self.held[index].as_ref().map(|held| &held.spec)
    }

    /// Makes the lines what `reports` says and corrects `reports` to what they then are. A line that does not obey is made inactive
    /// and latched.
    pub(crate) fn apply(&mut self, judge: &mut Judge, reports: &mut [LineReport; MAX_LINES]) {
        for (index, report) in reports.iter_mut().enumerate() {
            let Some(held) = &self.held[index] else { continue };
            // One that should stay as it was is only read back, to see who else moves it.
            let set = if held.last_set == Some(report.active) { Ok(()) } else { self.set(index, report.active) };
            if !matches!(set.and_then(|()| self.lines.read_back(index)), Ok(is) if is == report.active) {
                judge.latch(index, Latch::LineFault);
                let is = self.set(index, false).and_then(|()| self.lines.read_back(index));
                let active = !matches!(is, Ok(false));
                *report = LineReport { active, verdict: Verdict::LineFault, latch: judge.latch_of(index) };
            }
        }
        self.flush();
    }

    fn set(&mut self, index: usize, active: bool) -> Result<(), LineError> {
        let held = self.held[index].as_mut().ok_or(LineError::NoSuchLine(index))?;
        self.lines.set(index, active)?;
        if held.last_set.replace(active) != Some(active)
            && let Some(trace) = &mut self.trace
        {
            trace.note(index, active);
        }
        Ok(())
    }

    /// Writes the trace, once every line is as it must be.
    fn flush(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.flush(&self.held.each_ref().map(|held| held.as_ref().map_or("", |held| &held.spec.name)));
        }
    }
}

impl<L: Lines> Drop for Outputs<L> {
    fn drop(&mut self) {
        for index in 0..MAX_LINES {
            // Nobody is left to be told of a failure; what stands behind the guard takes over.
            let _ = self.set(index, false);
        }
        self.flush();
        (0..MAX_LINES).for_each(|index| self.lines.release(index));
    }
}
