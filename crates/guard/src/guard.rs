//! What the guard does with what it hears: the judge says what each line must be, the outputs make it so, the memory keeps why not.

use crate::clock::Nanos;
use crate::judge::Judge;
use crate::latch::Memory;
use crate::limits::RelayFile;
use crate::lines::{LineSpec, Lines, Role};
use crate::outputs::Outputs;
use crate::protocol::{Claim, Claimed, ClaimedLine, LineReport, MAX_LINES, Question, Report};

pub(crate) struct Guard<L: Lines> {
    pub(crate) judge: Judge,
    // Before `memory`: dropped first, so that no line waits for the disk.
    pub(crate) outputs: Outputs<L>,
    pub(crate) memory: Memory,
    /// Which pins may be claimed as what.
    pub(crate) file: RelayFile,
    /// Whether this conversation has claimed its lines.
    pub(crate) claimed: bool,
    /// The newest sequence heard in it.
    pub(crate) newest: Option<u32>,
    /// Which lines its last lease asked for.
    pub(crate) asked: [bool; MAX_LINES],
    /// A lease ran out while nobody listened here: what is in the queue is older than it says.
    pub(crate) overslept: bool,
}

impl<L: Lines> Guard<L> {
    /// Judges, makes the lines so, and only then remembers.
    pub(crate) fn turn(&mut self, now: Nanos) -> [LineReport; MAX_LINES] {
        let mut reports = self.judge.assess(now);
        self.outputs.apply(&mut self.judge, &mut reports);
        for (index, report) in reports.iter().enumerate() {
            let Some(line) = self.outputs.held(index) else { continue };
            if let Some(latch) = report.latch {
                self.memory.latch(&line.name, latch);
            }
            if self.asked[index] && line.role == Role::Heater && self.outputs.are_real() {
                self.memory.heating(&line.name);
            }
        }
        self.memory.save();
        reports
    }

    /// Does what `message` asks for and writes the answer into `answer`.
    pub(crate) fn hear<'a>(&mut self, now: Nanos, message: &[u8], answer: &'a mut [u8]) -> &'a [u8] {
        let mut answered = 0;
        match Question::decode(message) {
            Ok((sequence, question)) if self.is_newer(sequence) => {
                answered = sequence;
                match question {
                    Question::Claim(claim) => return self.claim(now, &claim).encode(answer),
                    // Answered, not granted.
                    Question::Lease(_) if !self.claimed || self.overslept => {}
                    Question::Lease(lease) => {
                        self.judge.lease(now, &lease);
                        self.asked = lease.lines.map(|want| want.active);
                    }
                    Question::Reset => {
                        self.judge.reset();
                        self.memory.reset();
                    }
                }
            }
            _ => self.judge.end_lease(now),
        }
        let lines = self.turn(now);
        Report { sequence: answered, lines: if self.claimed { lines } else { Default::default() } }.encode(answer)
    }

    /// Whether a sequence is newer (wrapping) than all before it. If not, its message is a replay, and as good as garbled.
    fn is_newer(&mut self, sequence: u32) -> bool {
        let is_newer = self.newest.is_none_or(|newest| sequence.wrapping_sub(newest).cast_signed() > 0);
        if is_newer {
            self.newest = Some(sequence);
        }
        is_newer
    }

    /// The conversation is over: everything is inactive, and stays held. A daemon that asked for heat to the end did not mean to go;
    /// unless the guard itself ends (`orderly`).
    pub(crate) fn end(&mut self, now: Nanos, orderly: bool) {
        self.judge.end_lease(now);
        self.turn(now);
        for index in 0..MAX_LINES {
            if let Some(line) = self.outputs.held(index) {
                self.memory.ended(&line.name, now, self.asked[index] && !orderly);
                self.judge.hold(index, Some(line.role), self.memory.latch_of(line));
            }
        }
        (self.claimed, self.newest, self.asked) = (false, None, [false; MAX_LINES]);
        self.memory.save();
    }

    /// Everything inactive; then what is not claimed as it is held is let go, and what is not held is taken.
    fn claim(&mut self, now: Nanos, claim: &Claim) -> Claimed {
        self.judge.end_lease(now);
        self.turn(now);
        self.asked = [false; MAX_LINES];
        for (index, wanted) in claim.lines.iter().enumerate() {
            if let Some(held) = self.outputs.held(index)
                && Some(held) != wanted.as_ref()
            {
                self.memory.release(&held.name);
                self.outputs.release(index);
                self.judge.hold(index, None, None);
            }
        }
        let lines = std::array::from_fn(|index| {
            let Some(line) = &claim.lines[index] else { return ClaimedLine::default() };
            let problem = self.take(index, line).err();
            ClaimedLine { held: problem.is_none(), problem: problem.unwrap_or_default() }
        });
        self.claimed = true;
        self.turn(now);
        Claimed { sequence: claim.sequence, lines }
    }

    fn take(&mut self, index: usize, line: &LineSpec) -> Result<(), String> {
        if self.outputs.held(index).is_some() {
            return Ok(());
        }
        if self.file.pins.as_ref().is_some_and(|pins| !pins.contains(&line.gpio)) {
            return Err(format!("GPIO{} is not among the pins that relay.toml allows", line.gpio));
        }
        if line.role != Role::Heater && self.file.heater_pins.as_ref().is_some_and(|pins| pins.contains(&line.gpio)) {
            return Err(format!("GPIO{} is a heater in relay.toml", line.gpio));
        }
        if (0..MAX_LINES).any(|other| self.outputs.held(other).is_some_and(|other| other.name == line.name)) {
            return Err("another output has the same name".to_owned());
        }
        if !self.memory.claim(line) {
            return Err("too many outputs of other names are latched: reset them first".to_owned());
        }
        if let Err(error) = self.outputs.claim(index, line) {
            self.memory.release(&line.name);
            return Err(error.to_string());
        }
        self.judge.on_pin(index, line.gpio);
        self.judge.hold(index, Some(line.role), self.memory.latch_of(line));
        Ok(())
    }
}
