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
pub use start::{Plan, STATE_DIR, Slot, is_simulated, service, slots};

use super::clock::boottime;
use start::GuardProcess;

/// A lease is renewed this often while an output is wanted: nearly five times within its 2.4 s.
pub const RENEWAL: Duration = Duration::from_millis(500);
/// While no real output is wanted, the guard is asked this often whether it is there, and what it has latched.
const IDLE_RENEWAL: Duration = Duration::from_secs(30);
/// The guard answers in microseconds; so long means that the machine is busy.
const ANSWER: Duration = Duration::from_millis(250);
/// The start of a child, and opening lines for the first time, may take longer. (With the child's end it fits into a reset.)
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Opening lines again, in a guard that is at work.
const CLAIM_ANSWER: Duration = Duration::from_secs(1);
/// So many answers missing in a row (under the lease's 2.4 s) mean that the guard hangs.
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

/// Lines of a box that could not be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unavailable {
    /// Which box.
    pub box_index: usize,
    /// Whether its heater is among them.
    pub no_heat: bool,
    /// Which, and why: a sentence.
    pub text: String,
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
        match guard.claim(FIRST_ANSWER) {
            Ok(()) => Ok(guard),
            Err(lost) => {
                // A child that does not like what it finds says why on the standard error it has from this daemon, and ends.
                let lost = match guard.process.as_mut().and_then(|process| process.wait(start::END)) {
                    Some(status) => {
                        GuardLost::because(format_args!("has ended at its start ({status}); the log says why"))
                    }
                    None => lost,
                };
                guard.end();
                Err(lost)
            }
        }
    }

    /// Asks for the lines; everything is inactive meanwhile.
    fn claim(&mut self, patience: Duration) -> Result<(), GuardLost> {
        let specs: Vec<LineSpec> = self.plan.slots.iter().map(|slot| slot.line.clone()).collect();
        self.claimed_at = boottime();
        let claimed = self.link.claim(&specs, patience).map_err(|error| GuardLost::from_link(error, &self.plan))?;
        self.problems = claimed.into_iter().map(Result::err).collect();
        Ok(())
    }

    /// What is wrong with lines that could not be had: one for each box and problem.
    pub fn problems(&self) -> Vec<Unavailable> {
        let mut groups: Vec<(usize, &str, Vec<&Slot>)> = Vec::new();
        for (slot, problem) in self.plan.slots.iter().zip(&self.problems) {
            let Some(problem) = problem else { continue };
            match groups.iter_mut().find(|(index, known, _)| (*index, *known) == (slot.box_index, problem)) {
                Some((_, _, slots)) => slots.push(slot),
                None => groups.push((slot.box_index, problem, vec![slot])),
            }
        }
        let sentence = |(box_index, problem, slots): (usize, &str, Vec<&Slot>)| {
            let lines: Vec<String> =
                slots.iter().map(|slot| format!("the {} on {}", slot.output.name(), slot.place())).collect();
            let verb = if lines.len() == 1 { "is" } else { "are" };
            Unavailable {
                box_index,
                no_heat: slots.iter().any(|slot| slot.output == OutputKind::Heater),
                text: format!("{} {verb} not available: {problem}", lines.join(" and ")),
            }
        };
        groups.into_iter().map(sentence).collect()
    }

    /// When lines that could not be had are asked for again. Not while a heater is on: a claim makes everything inactive for less than
    /// a millisecond, which no fan's relay notices.
    pub fn claim_again_at(&self) -> Option<Monotonic> {
        let idle = !self.last.iter().any(|held| held.heater.active);
        (idle && self.problems.iter().any(Option::is_some)).then(|| self.claimed_at + CLAIM_AGAIN)
    }

    /// Asks again for lines that could not be had.
    ///
    /// # Errors
    /// [`GuardLost`].
    pub fn claim_again(&mut self) -> Result<(), GuardLost> {
        self.claim(CLAIM_ANSWER)
    }

    /// Claims `slots` in place of the lines that are held. Everything is inactive meanwhile; what is not claimed again is let go.
    ///
    /// # Errors
    /// [`GuardLost`].
    pub fn claim_others(&mut self, slots: Vec<Slot>) -> Result<(), GuardLost> {
        let before = std::mem::replace(&mut self.plan.slots, slots);
        for held in &mut self.last {
            for output in [&mut held.heater, &mut held.fan] {
                (output.active, output.refusal) = (false, None);
            }
        }
        let claimed = self.claim(CLAIM_ANSWER);
        if claimed.is_err() {
            // Which of them it holds is not known.
            self.plan.slots.extend(before);
            self.problems = vec![None; self.plan.slots.len()];
        }
        claimed
    }

    /// Forgets every latch, in the guard's file too.
    ///
    /// # Errors
    /// [`GuardLost`].
    pub fn reset(&mut self) -> Result<(), GuardLost> {
        // An answer that is missing must not bring an old latch back.
        self.last.iter_mut().for_each(|held| held.heater.latched = None);
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
        let held = self.held_lines();
        let Self { plan, link, process, .. } = self;
        drop(link);
        if let Some(process) = process {
            process.finish(start::END, &held, plan.simulate);
        }
    }

    /// Ends a guard that cannot be trusted any more. Whatever state it is in, a child's lines are inactive then; those of a service are
    /// its unit's business.
    pub fn kill(self) {
        let held = self.held_lines();
        if let Some(process) = self.process {
            process.finish(Duration::ZERO, &held, self.plan.simulate);
        }
    }

    /// The lines that the guard holds, or may hold. What it said that it could not have, it has not touched.
    fn held_lines(&self) -> Vec<LineSpec> {
        let slots = self.plan.slots.iter().zip(&self.problems);
        slots.filter(|(_, problem)| problem.is_none()).map(|(slot, _)| slot.line.clone()).collect()
    }

    /// How long after the last lease the next one is due, though nothing is wanted.
    pub fn renewal(&self) -> Option<Duration> {
        let is_active = self.last.iter().any(|held| held.heater.active || held.fan.active);
        // Not known what the lines are, or known that one does not obey.
        let is_urgent = self.missed > 0 || is_active;
        if is_urgent { Some(RENEWAL) } else { (!self.plan.simulate).then_some(IDLE_RENEWAL) }
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
    let latched = line.latch.map(words::from_guard);
    let refusal = match (line.verdict, problem, latched) {
        (Verdict::NotWanted | Verdict::Active, _, _) => None,
        (_, Some(problem), _) => Some(problem.to_owned()),
        (Verdict::Latched, None, Some(reason)) => Some(format!("off until a reset: {reason}")),
        (refused, None, _) => Some(words::reason(refused).to_owned()),
    };
    HeldOutput { active: line.active, refusal, latched }
}
