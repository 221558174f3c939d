//! The relay guard: its judge, the way to it, and the lines. Time comes from the world, nothing else differs from the real one.

use std::time::Duration;

use filamentbox_core::chamber::{Held, HeldOutput, Wanted};
use filamentbox_core::safety::LatchReason;
use filamentbox_core::time::Monotonic;
use filamentbox_guard::{Judge, Latch, Lease, Limits, LineReport, MAX_LINES, NO_SAMPLE, Nanos, Role, Verdict, Want};

use crate::dice::Dice;

/// What is wrong between daemon and guard.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum LinkFault {
    Well,
    /// The next so many messages are damaged on the way.
    Garbled(u32),
    /// The next so many messages never arrive.
    Lost(u32),
    /// The guard hears the next so many messages, but its answers come too late.
    Unanswered(u32),
    /// One in so many suffers one of the above.
    Poor(usize),
}

const ONCE: [LinkFault; 3] = [LinkFault::Garbled(1), LinkFault::Lost(1), LinkFault::Unanswered(1)];

/// What is wrong with the heater's line.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum LineFault {
    Well,
    /// It stays as it is, whatever it is set to.
    Deaf,
    /// It is active, whatever it is set to.
    StuckActive,
    /// Somebody else sets it active, once.
    Moved,
}

/// A guard whose lines others can move looks at them this often.
const LOOK: Duration = Duration::from_secs(1);

/// What the daemon's end learns.
pub(crate) enum Answer {
    Held(Held),
    Missed,
    Gone,
}

/// The last message that the guard took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) at: Monotonic,
    pub(crate) temperature_c: f64,
    pub(crate) age: Duration,
}

pub(crate) struct Relay {
    pub(crate) limits: Limits,
    /// `None` when the guard has died.
    judge: Option<Judge>,
    sequence: u32,
    /// What the guard has on disk: why heater and fan are latched.
    disk: [Option<Latch>; 2],
    /// What the lines are set to, which they may not be.
    set: [bool; 2],
    line_fault: LineFault,
    next_look: Option<Monotonic>,
    /// A lease that the guard should have latched the heater by, or a line that did not obey.
    pub(crate) latch_due: bool,
    pub(crate) fault: LinkFault,
    pub(crate) heater: bool,
    pub(crate) fan: bool,
    pub(crate) heard: Option<Heard>,
    /// Whether the latest message got through.
    pub(crate) in_touch: bool,
    /// Whether the latest message was answered in time.
    pub(crate) answers: bool,
}

impl Relay {
    pub(crate) fn new(limits: Limits) -> Self {
        let mut relay = Self {
            limits,
            judge: None,
            sequence: 0,
            disk: [None; 2],
            set: [false; 2],
            line_fault: LineFault::Well,
            next_look: None,
            latch_due: false,
            fault: LinkFault::Well,
            heater: false,
            fan: false,
            heard: None,
            in_touch: true,
            answers: true,
        };
        relay.start();
        relay
    }

    /// A new guard.
    pub(crate) fn start(&mut self) {
        let mut judge = Judge::new(self.limits);
        judge.hold(0, Some(Role::Heater), self.disk[0]);
        judge.hold(1, Some(Role::Fan), self.disk[1]);
        self.judge = Some(judge);
        if self.line_fault == LineFault::Moved {
            self.heater = false;
        }
        self.heard = None;
    }

    /// The guard dies; the kernel or `ExecStopPost=` releases its lines.
    pub(crate) fn die(&mut self) {
        self.judge = None;
        (self.heater, self.fan, self.heard) = (self.line_fault == LineFault::StuckActive, false, None);
        self.set = [false; 2];
    }

    /// From now on the heater's line is so.
    pub(crate) fn break_line(&mut self, now: Monotonic, fault: LineFault) {
        self.line_fault = fault;
        match fault {
            LineFault::Well => self.heater = self.set[0],
            LineFault::Deaf => {}
            LineFault::StuckActive | LineFault::Moved => self.heater = true,
        }
        self.next_look = (fault != LineFault::Well).then_some(now + LOOK);
    }

    /// Whether the heater's line is active and the guard wants it so.
    pub(crate) fn heats(&self) -> bool {
        self.heater && self.set[0]
    }

    /// Whether somebody set the line active, and the guard has not had the time to look.
    pub(crate) fn is_moved(&self, now: Monotonic) -> bool {
        self.is_alive()
            && self.heater
            && !self.set[0]
            && self.line_fault == LineFault::Moved
            && self.next_look.is_some_and(|at| at < now)
    }

    /// A person has looked. Returns whether the guard heard of it.
    pub(crate) fn reset(&mut self, now: Monotonic, dice: &mut Dice) -> bool {
        let heard = matches!(self.next_fault(dice), LinkFault::Well | LinkFault::Unanswered(_));
        let Some(judge) = self.judge.as_mut().filter(|_| heard) else { return false };
        judge.reset();
        (self.disk, self.latch_due) = ([None; 2], false);
        self.assess(now);
        true
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.judge.is_some()
    }

    /// The daemon's end of the socket has closed.
    pub(crate) fn silence(&mut self, now: Monotonic) {
        if let Some(judge) = &mut self.judge {
            judge.end_lease(nanos(now));
        }
        self.heard = None;
        self.assess(now);
    }

    /// When a line has to be judged though nothing was heard.
    pub(crate) fn next_check(&self, now: Monotonic) -> Option<Monotonic> {
        let judge = self.judge.as_ref()?;
        let at = judge.next_check(nanos(now)).map(|at| Monotonic::from_nanos(at.0));
        at.into_iter().chain(self.next_look).min()
    }

    /// Makes the lines what the judge says.
    pub(crate) fn assess(&mut self, now: Monotonic) -> Option<[LineReport; MAX_LINES]> {
        let mut reports = self.judge.as_mut()?.assess(nanos(now));
        self.next_look = self.next_look.filter(|_| self.line_fault != LineFault::Well).map(|_| now + LOOK);
        self.fan = reports[1].active;
        if self.set[0] != reports[0].active {
            self.drive(reports[0].active);
        }
        if self.heater != reports[0].active {
            self.judge.as_mut()?.latch(0, Latch::LineFault);
            self.latch_due = true;
            self.drive(false);
            let latch = self.judge.as_ref()?.latch_of(0);
            reports[0] = LineReport { active: self.heater, verdict: Verdict::LineFault, latch };
        }
        for (disk, report) in self.disk.iter_mut().zip(&reports) {
            *disk = report.latch;
        }
        Some(reports)
    }

    /// Sets the heater's line, which may not care.
    fn drive(&mut self, active: bool) {
        self.set[0] = active;
        if self.line_fault == LineFault::Well || self.line_fault == LineFault::Moved {
            self.heater = active;
        }
    }

    /// The daemon asks for `wanted`.
    pub(crate) fn exchange(&mut self, now: Monotonic, wanted: &Wanted, dice: &mut Dice) -> Answer {
        if self.judge.is_none() {
            return Answer::Gone;
        }
        self.sequence = self.sequence.wrapping_add(1).max(1);
        let mut wants = [Want::default(); MAX_LINES];
        wants[0] = heater_want(wanted, now);
        wants[1].active = wanted.fan;
        let mut bytes = [0; Lease::LEN];
        Lease { sequence: self.sequence, lines: wants }.encode(&mut bytes);
        let fault = self.next_fault(dice);
        self.in_touch = !matches!(fault, LinkFault::Lost(_) | LinkFault::Garbled(_));
        self.answers = fault == LinkFault::Well;
        match fault {
            LinkFault::Lost(_) => return Answer::Missed,
            LinkFault::Garbled(_) => bytes[dice.below(Lease::LEN)] ^= 1 << dice.below(8),
            LinkFault::Well | LinkFault::Unanswered(_) | LinkFault::Poor(_) => {}
        }
        self.hear(now, &bytes);
        match (self.assess(now), fault) {
            (Some(reports), LinkFault::Well) => {
                Answer::Held(Held { heater: held(&reports[0]), fan: held(&reports[1]) })
            }
            _ => Answer::Missed,
        }
    }

    fn hear(&mut self, now: Monotonic, bytes: &[u8]) {
        let Some(judge) = &mut self.judge else { return };
        match Lease::decode(bytes) {
            Ok(lease) => {
                judge.lease(nanos(now), &lease);
                let want = lease.lines[0];
                let temperature_c = f64::from(want.temperature_milli_c) / 1000.0;
                let age = Duration::from_millis(want.sample_age_ms.into());
                let fresh = want.sample_age_ms != NO_SAMPLE && age <= self.limits.max_sample_age;
                let too_hot = fresh && want.temperature_milli_c >= self.limits.cut_off_milli_c;
                self.latch_due |= too_hot || want.latch.is_some();
                self.heard = (want.sample_age_ms != NO_SAMPLE).then_some(Heard { at: now, temperature_c, age });
            }
            Err(_) => {
                judge.end_lease(nanos(now));
                self.heard = None;
            }
        }
    }

    fn next_fault(&mut self, dice: &mut Dice) -> LinkFault {
        let left = |count: u32| count.checked_sub(1).filter(|left| *left > 0);
        let (this, next) = match self.fault {
            LinkFault::Well => (LinkFault::Well, None),
            LinkFault::Garbled(count) => (self.fault, left(count).map(LinkFault::Garbled)),
            LinkFault::Lost(count) => (self.fault, left(count).map(LinkFault::Lost)),
            LinkFault::Unanswered(count) => (self.fault, left(count).map(LinkFault::Unanswered)),
            LinkFault::Poor(one_in) if dice.below(one_in) == 0 => (dice.pick(&ONCE), Some(self.fault)),
            LinkFault::Poor(_) => (LinkFault::Well, Some(self.fault)),
        };
        self.fault = next.unwrap_or(LinkFault::Well);
        this
    }
}

fn nanos(moment: Monotonic) -> Nanos {
    Nanos(moment.nanos())
}

fn heater_want(wanted: &Wanted, now: Monotonic) -> Want {
    let latch = wanted.latch.map(to_guard);
    let Some(seen) = wanted.seen else { return Want { sample_age_ms: NO_SAMPLE, latch, ..Want::default() } };
    let age_ms = now.since(seen.taken_at).as_nanos().div_ceil(1_000_000);
    Want {
        active: wanted.heat.is_some(),
        temperature_milli_c: seen.temperature.centi() * 10,
        sample_age_ms: u32::try_from(age_ms).unwrap_or(NO_SAMPLE),
        latch,
    }
}

/// As the program translates them.
const LATCHES: [(LatchReason, Latch); 6] = [
    (LatchReason::LineFault, Latch::LineFault),
    (LatchReason::OverTemperature, Latch::OverTemperature),
    (LatchReason::CrashLoop, Latch::CrashLoop),
    (LatchReason::RelayStuck, Latch::RelayStuck),
    (LatchReason::NotWarming, Latch::NotWarming),
    (LatchReason::SensorFrozen, Latch::SensorFrozen),
];

fn to_guard(reason: LatchReason) -> Latch {
    LATCHES.iter().find(|(ours, _)| *ours == reason).expect("each has its own").1
}

fn from_guard(latch: Latch) -> LatchReason {
    LATCHES.iter().find(|(_, theirs)| *theirs == latch).expect("the disk works").0
}

fn held(line: &LineReport) -> HeldOutput {
    let refusal = match line.verdict {
        Verdict::NotWanted | Verdict::Active => None,
        refused => Some(format!("{refused:?}")),
    };
    HeldOutput { active: line.active, refusal, latched: line.latch.map(from_guard) }
}
