//! The relay guard: its judge, the way to it, and the lines. Time comes from the world, nothing else differs from the real one.

use std::time::Duration;

use filamentbox_core::chamber::{Held, HeldOutput, Wanted};
use filamentbox_core::time::Monotonic;
use filamentbox_guard::protocol::LEASE_LEN;
use filamentbox_guard::{Judge, Lease, Limits, LineReport, LineSpec, MAX_LINES, NO_SAMPLE, Nanos, Role, Verdict, Want};

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
    /// In place of the next so many messages the guard hears the last one again.
    Replayed(u32),
    /// One in so many suffers one of the above.
    Poor(usize),
}

const ONCE: [LinkFault; 4] =
    [LinkFault::Garbled(1), LinkFault::Lost(1), LinkFault::Unanswered(1), LinkFault::Replayed(1)];

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
    /// The last message that was sent.
    sent: Option<[u8; LEASE_LEN]>,
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
            sent: None,
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
        let lines = [("heater", Role::Heater), ("fan", Role::Fan)];
        let lines = lines.map(|(name, role)| LineSpec { name: name.to_owned(), role });
        self.judge = Some(Judge::new(&lines, self.limits));
        (self.heard, self.sent) = (None, None);
    }

    /// The guard dies; the kernel or `ExecStopPost=` releases its lines.
    pub(crate) fn die(&mut self) {
        self.judge = None;
        (self.heater, self.fan, self.heard) = (false, false, None);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.judge.is_some()
    }

    /// The daemon's end of the socket has closed.
    pub(crate) fn silence(&mut self, now: Monotonic) {
        if let Some(judge) = &mut self.judge {
            judge.silence();
        }
        (self.heard, self.sent) = (None, None);
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
        let mut bytes = Lease { sequence: self.sequence, wants }.encode();
        let fault = self.next_fault(dice);
        self.in_touch = !matches!(fault, LinkFault::Lost(_) | LinkFault::Garbled(_) | LinkFault::Replayed(_));
        self.answers = fault == LinkFault::Well;
        match fault {
            LinkFault::Replayed(_) => bytes = self.sent.unwrap_or([0; LEASE_LEN]),
            LinkFault::Lost(_) => return Answer::Missed,
            LinkFault::Garbled(_) => bytes[dice.below(LEASE_LEN)] ^= 1 << dice.below(8),
            LinkFault::Well | LinkFault::Unanswered(_) | LinkFault::Poor(_) => {}
        }
        self.hear(now, &bytes, matches!(fault, LinkFault::Replayed(_)));
        self.sent = Some(bytes);
        match (self.assess(now), fault) {
            (Some(reports), LinkFault::Well) => {
                Answer::Held(Held { heater: held(&reports[0]), fan: held(&reports[1]) })
            }
            _ => Answer::Missed,
        }
    }

    fn hear(&mut self, now: Monotonic, bytes: &[u8], is_old: bool) {
        let Some(judge) = &mut self.judge else { return };
        match Lease::decode(bytes) {
            Ok(lease) => {
                judge.lease(nanos(now), &lease);
                let want = lease.wants[0];
                let temperature_c = f64::from(want.temperature_milli_c) / 1000.0;
                let age = Duration::from_millis(want.sample_age_ms.into());
                self.heard =
                    (want.sample_age_ms != NO_SAMPLE && !is_old).then_some(Heard { at: now, temperature_c, age });
            }
            Err(_) => {
                judge.garbled(nanos(now));
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
            LinkFault::Replayed(count) => (self.fault, left(count).map(LinkFault::Replayed)),
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
    let Some(permit) = wanted.heat else { return Want { sample_age_ms: NO_SAMPLE, ..Want::default() } };
    Want {
        active: true,
        temperature_milli_c: permit.temperature().centi() * 10,
        sample_age_ms: u32::try_from(now.since(permit.taken_at()).as_millis()).expect("a permit is young"),
    }
}

fn held(line: &LineReport) -> HeldOutput {
    let refusal = match line.verdict {
        Verdict::NotWanted | Verdict::Active => None,
        refused => Some(refused.reason().to_owned()),
    };
    HeldOutput { active: line.active, refusal, latched: None }
}
