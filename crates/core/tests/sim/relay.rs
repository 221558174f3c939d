//! The relay guard: its judge, the way to it, and the lines. Time comes from the world, nothing else differs from the real one.

use std::time::Duration;

use filamentbox_core::chamber::{Held, HeldOutput, Wanted};
use filamentbox_core::time::Monotonic;
use filamentbox_guard::{Judge, Lease, Limits, LineReport, MAX_LINES, NO_SAMPLE, Nanos, Role, Verdict, Want};

use crate::dice::Dice;

/// What is wrong between daemon and guard.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum LinkFault {
    None,
    /// The next so many messages are damaged on the way.
    Garbled(u32),
    /// The next so many messages never arrive.
    Lost(u32),
    /// The guard hears the next so many messages, but its answers come too late.
    Unanswered(u32),
    /// One in so many suffers one of the above.
    Poor(usize),
}

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
    pub(crate) fault: LinkFault,
    pub(crate) heater: bool,
    pub(crate) fan: bool,
    pub(crate) heard: Option<Heard>,
    /// Whether the latest message got through.
    pub(crate) in_touch: bool,
}

impl Relay {
    pub(crate) fn new(limits: Limits) -> Self {
        let mut relay = Self {
            limits,
            judge: None,
            sequence: 0,
            fault: LinkFault::None,
            heater: false,
            fan: false,
            heard: None,
            in_touch: true,
        };
        relay.start();
        relay
    }

    /// A new guard.
    pub(crate) fn start(&mut self) {
        let mut judge = Judge::new(self.limits);
        judge.hold(0, Some(Role::Heater), None);
        judge.hold(1, Some(Role::Fan), None);
        self.judge = Some(judge);
        self.heard = None;
    }

    /// The guard dies; the kernel or `ExecStopPost=` releases its lines.
    pub(crate) fn die(&mut self) {
        self.judge = None;
        (self.heater, self.fan, self.heard) = (false, false, None);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.judge.is_some()
    }

    /// A person clears every latch.
    pub(crate) fn reset(&mut self) {
        if let Some(judge) = &mut self.judge {
            judge.reset();
        }
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
        let at = self.judge.as_ref()?.next_check(nanos(now))?;
        Some(Monotonic::from_nanos(at.0))
    }

    /// Makes the lines what the judge says.
    pub(crate) fn assess(&mut self, now: Monotonic) -> Option<[LineReport; MAX_LINES]> {
        let reports = self.judge.as_mut()?.assess(nanos(now));
        (self.heater, self.fan) = (reports[0].active, reports[1].active);
        Some(reports)
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
        match fault {
            LinkFault::Lost(_) => return Answer::Missed,
            LinkFault::Garbled(_) => bytes[dice.below(Lease::LEN)] ^= 1 << dice.below(8),
            LinkFault::None | LinkFault::Unanswered(_) | LinkFault::Poor(_) => {}
        }
        self.hear(now, &bytes);
        match (self.assess(now), fault) {
            (Some(reports), LinkFault::None) => {
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
            LinkFault::None => (LinkFault::None, None),
            LinkFault::Garbled(count) => (self.fault, left(count).map(LinkFault::Garbled)),
            LinkFault::Lost(count) => (self.fault, left(count).map(LinkFault::Lost)),
            LinkFault::Unanswered(count) => (self.fault, left(count).map(LinkFault::Unanswered)),
            LinkFault::Poor(one_in) if dice.below(one_in) == 0 => {
                (dice.pick(&[LinkFault::Garbled(1), LinkFault::Lost(1), LinkFault::Unanswered(1)]), Some(self.fault))
            }
            LinkFault::Poor(_) => (LinkFault::None, Some(self.fault)),
        };
        self.fault = next.unwrap_or(LinkFault::None);
        this
    }
}

fn nanos(moment: Monotonic) -> Nanos {
    Nanos(moment.nanos())
}

fn heater_want(wanted: &Wanted, now: Monotonic) -> Want {
    let Some(permit) = wanted.heat else { return Want { sample_age_ms: NO_SAMPLE, ..Want::default() } };
    Want {
        active: true,
        temperature_milli_c: permit.temperature().centi() * 10,
        sample_age_ms: u32::try_from(now.since(permit.taken_at()).as_millis()).expect("a permit is young"),
        latch: None,
    }
}

fn held(line: &LineReport) -> HeldOutput {
    let refusal = match line.verdict {
        Verdict::NotWanted | Verdict::Active => None,
        refused => Some(format!("{refused:?}")),
    };
    HeldOutput { active: line.active, refusal, latched: None }
}
