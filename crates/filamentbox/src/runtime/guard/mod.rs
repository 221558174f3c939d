//! The daemon's end of the relay guard: asks for outputs, and learns what they are. `start` reaches or starts the guard, `words` is
//! the translation between its vocabulary and core's.

mod pulse;
mod start;
mod words;

use std::time::Duration;

use filamentbox_core::chamber::{Held, HeldOutput, Seen, Wanted};
use filamentbox_core::command::OutputKind;
use filamentbox_core::time::Monotonic;
use filamentbox_guard::{LineReport, LineSpec, Link, LinkError, MAX_LINES, NO_SAMPLE, Report, Verdict, Want};

pub use pulse::pulse;
pub use start::{Plan, STATE_DIR, Slot, service, slots};

use super::clock::boottime;
use start::GuardProcess;

/// A lease is renewed this often while an output is wanted: five times within its 2.5 s.
pub const RENEWAL: Duration = Duration::from_millis(500);
/// The guard answers in microseconds; so long means that the machine is busy.
const ANSWER: Duration = Duration::from_millis(250);
/// Opening lines, and the start of a child, may take longer.
const CLAIM_ANSWER: Duration = Duration::from_secs(10);
/// So many answers missing in a row (under the lease's 2.5 s) mean that the guard hangs.
const MISSED_ANSWERS_MAX: u32 = 3;
/// A line that could not be had is asked for again after so long.
const CLAIM_AGAIN: Duration = Duration::from_secs(30);
/// A heater and a fan for each box.
pub const BOXES_MAX: usize = MAX_LINES / 2;

/// The guard does not do its work any more: what its lines are is not known, and none may be wanted on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the relay guard {0}")]
pub struct GuardLost(String);

impl GuardLost {
    fn because(why: impl std::fmt::Display) -> Self {
        Self(why.to_string())
    }

    fn from_link(error: LinkError, plan: &Plan) -> Self {
        match error {
            LinkError::Lost if plan.service.is_some() => Self::because("has closed the conversation"),
            LinkError::Lost => Self::because("has ended; its outputs are released"),
            LinkError::NoAnswer => Self::because("does not answer"),
            LinkError::Garbled => {
                Self::because("speaks another language; daemon and guard are not of the same release")
            }
        }
    }
}

/// A guard at work for this daemon.
pub struct GuardLink {
    plan: Plan,
    link: Link,
    /// The guard's process, if this daemon has started it.
    process: Option<GuardProcess>,
    /// Why each slot's line could not be had, by slot.
    problems: Vec<Option<String>>,
    claimed_at: Monotonic,
    /// Answers missing in a row.
    missed: u32,
    last: Vec<Held>,
}

impl GuardLink {
    /// Starts or reaches the guard, and claims the lines.
    ///
    /// # Errors
    /// [`GuardLost`] when there is no guard. A line that cannot be had is no error: see [`Self::problems`].
    pub fn start(plan: &Plan) -> Result<Self, GuardLost> {
        let (link, process) = start::reach(plan)?;
        let mut guard = Self {
            problems: vec![None; plan.slots.len()],
            last: vec![Held::default(); plan.boxes],
            plan: plan.clone(),
            link,
            process,
            claimed_at: boottime(),
            missed: 0,
        };
        match guard.claim() {
            Ok(()) => Ok(guard),
            Err(lost) => {
                guard.end();
                Err(lost)
            }
        }
    }

    /// Asks for the lines; everything is inactive meanwhile.
    fn claim(&mut self) -> Result<(), GuardLost> {
        let specs: Vec<LineSpec> = self.plan.slots.iter().map(|slot| slot.line.clone()).collect();
        self.claimed_at = boottime();
        let claimed = self.link.claim(&specs, CLAIM_ANSWER).map_err(|error| GuardLost::from_link(error, &self.plan))?;
        self.problems = claimed.into_iter().map(Result::err).collect();
        Ok(())
    }

    /// What is wrong with lines that could not be had: a sentence each.
    pub fn problems(&self) -> impl Iterator<Item = (usize, String)> {
        let slots = self.plan.slots.iter().zip(&self.problems);
        slots.filter_map(|(slot, problem)| {
            let problem = problem.as_ref()?;
            Some((
                slot.box_index,
                format!("the {} on {} is not available: {problem}", slot.output.name(), slot.place()),
            ))
        })
    }

    /// When lines that could not be had are asked for again. Not while one is active: a claim makes all inactive for a moment.
    pub fn claim_again_at(&self) -> Option<Monotonic> {
        let idle = !self.last.iter().any(|held| held.heater.active || held.fan.active);
        (idle && self.problems.iter().any(Option::is_some)).then(|| self.claimed_at + CLAIM_AGAIN)
    }

    /// Asks again for lines that could not be had. Returns whether one of them can be had now.
    ///
    /// # Errors
    /// [`GuardLost`].
    pub fn claim_again(&mut self) -> Result<bool, GuardLost> {
        let before = self.problems.iter().flatten().count();
        self.claim()?;
        Ok(self.problems.iter().flatten().count() < before)
    }

    /// Forgets every latch, in the guard's file too.
    ///
    /// # Errors
    /// [`GuardLost`].
    pub fn reset(&mut self) -> Result<(), GuardLost> {
        let report = self.link.reset(ANSWER);
        self.take(report).map(drop)
    }

    /// How this daemon's child has ended, if it has.
    pub fn ended(&mut self) -> Option<GuardLost> {
        let status = self.process.as_mut()?.ended()?;
        Some(GuardLost::because(format_args!("has ended ({status}); its outputs are released")))
    }

    /// Ends the conversation: the guard makes its lines inactive, and a child ends.
    pub fn end(self) {
        let Self { plan, link, process, .. } = self;
        drop(link);
        if let Some(process) = process {
            process.finish(start::END, &plan);
        }
    }

    /// Ends a guard that cannot be trusted any more. Whatever state it is in, a child's lines are inactive then; those of a service are
    /// its unit's business.
    pub fn kill(self) {
        if let Some(process) = self.process {
            process.finish(Duration::ZERO, &self.plan);
        }
    }

    /// Whether the last lease was not answered: what the lines are is not known until it is sent again.
    pub fn is_unanswered(&self) -> bool {
        self.missed > 0
    }

    /// Sends a lease for `wanted` (a box each) and returns what the lines are now.
    ///
    /// # Errors
    /// [`GuardLost`] when the guard has ended or hangs. A single missing answer is no error: the last known state is returned.
    pub fn exchange(&mut self, wanted: &[Wanted], now: Monotonic) -> Result<Vec<Held>, GuardLost> {
        let mut wants = [Want::default(); MAX_LINES];
        for (want, slot) in wants.iter_mut().zip(&self.plan.slots) {
            let Some(wanted) = wanted.get(slot.box_index) else { continue };
            *want = match slot.output {
                OutputKind::Heater => heater_want(wanted, now),
                OutputKind::Fan => Want { active: wanted.fan, sample_age_ms: NO_SAMPLE, ..Want::default() },
            };
        }
        let report = self.link.exchange(&wants, ANSWER);
        self.take(report)
    }

    fn take(&mut self, report: Result<Report, LinkError>) -> Result<Vec<Held>, GuardLost> {
        match report {
            Ok(report) => {
                self.missed = 0;
                let mut all = vec![Held::default(); self.plan.boxes];
                for ((slot, problem), line) in self.plan.slots.iter().zip(&self.problems).zip(&report.lines) {
                    let held = held(line, problem.as_deref());
                    match slot.output {
                        OutputKind::Heater => all[slot.box_index].heater = held,
                        OutputKind::Fan => all[slot.box_index].fan = held,
                    }
                }
                self.last = all;
            }
            Err(LinkError::Lost) => return Err(GuardLost::from_link(LinkError::Lost, &self.plan)),
            Err(LinkError::NoAnswer | LinkError::Garbled) => {
                self.missed += 1;
                if self.missed >= MISSED_ANSWERS_MAX {
                    return Err(GuardLost::because(match self.process {
                        Some(_) => "does not answer; it is killed and its outputs are released",
                        None => "does not answer; its own watchdog ends it",
                    }));
                }
            }
        }
        Ok(self.last.clone())
    }
}

fn heater_want(wanted: &Wanted, now: Monotonic) -> Want {
    let permitted = wanted.heat.map(|permit| Seen { temperature: permit.temperature(), taken_at: permit.taken_at() });
    let want = Want { active: permitted.is_some(), latch: wanted.latch.map(words::to_guard), ..Want::default() };
    match permitted.or(wanted.seen) {
        None => Want { sample_age_ms: NO_SAMPLE, ..want },
        Some(seen) => Want {
            temperature_milli_c: seen.temperature.centi() * 10,
            // Rounded up: on the safe side.
            sample_age_ms: u32::try_from(now.since(seen.taken_at).as_nanos().div_ceil(1_000_000)).unwrap_or(NO_SAMPLE),
            ..want
        },
    }
}

fn held(line: &LineReport, problem: Option<&str>) -> HeldOutput {
    let refusal = match (line.verdict, problem) {
        (Verdict::NotWanted | Verdict::Active, _) => None,
        (_, Some(problem)) => Some(problem.to_owned()),
        (refused, None) => Some(words::reason(refused).to_owned()),
    };
    HeldOutput { active: line.active, refusal, latched: line.latch.map(words::from_guard) }
}
