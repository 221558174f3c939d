//! The daemon's control thread in simulated time: it steps the box on each input, at its `next_wake` and at each renewal, and
//! asks the guard on each change and to renew the lease, as `runtime/control.rs` and `runtime/guard.rs` of the program do.

use std::collections::VecDeque;
use std::time::Duration;

use filamentbox_core::chamber::{Chamber, Held, Input, Wanted};
use filamentbox_core::command::CommandError;
use filamentbox_core::config::BoxConfig;
use filamentbox_core::event::{Event, EventKind};
use filamentbox_core::sample::SensorTraits;
use filamentbox_core::time::{Clock, Monotonic};

use crate::dice::Dice;
use crate::relay::{Answer, Relay};

/// `runtime/guard.rs`: a lease is renewed this often while an output is wanted.
pub(crate) const RENEWAL: Duration = Duration::from_millis(500);
/// `runtime/guard.rs`: so many answers missing in a row mean that the guard hangs.
const MISSED_ANSWERS_MAX: u32 = 3;
/// `runtime/control.rs`: so many inputs wait for a control thread that hangs.
const INBOX: usize = 64;

/// How the process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pulse {
    Running,
    /// The control thread hangs; the sensor's thread goes on.
    Hung,
    /// SIGSTOP: all of it.
    Stopped,
}

pub(crate) struct Daemon {
    pub(crate) chamber: Chamber,
    pub(crate) pulse: Pulse,
    min_off: Duration,
    /// Settings that the settings' thread waits to hand over.
    new_settings: Option<Input>,
    /// When the box last took its wish for heat back.
    released_at: Option<Monotonic>,
    /// What was last asked of the guard, and when; at the start something is asked at once, to learn of its latches.
    asked: Wanted,
    asked_at: Option<Monotonic>,
    /// The last exchange brought no answer: what the lines are is not known.
    unanswered: bool,
    missed: u32,
    guard_lost: bool,
    held: Held,
    inbox: VecDeque<Input>,
}

/// What a step led to.
pub(crate) struct Outcome {
    pub(crate) accepted: Result<(), CommandError>,
    pub(crate) events: Vec<Event>,
}

impl Daemon {
    pub(crate) fn new(config: BoxConfig, sensor: SensorTraits, now: Monotonic) -> Self {
        Self {
            min_off: config.heater.min_off,
            new_settings: None,
            released_at: None,
            chamber: Chamber::new(config, now),
            pulse: Pulse::Running,
            asked: Wanted::default(),
            asked_at: None,
            unanswered: false,
            missed: 0,
            guard_lost: false,
            held: Held::default(),
            inbox: VecDeque::from([Input::Sensor(sensor)]),
        }
    }

    /// An input for later, while the thread hangs.
    pub(crate) fn queue(&mut self, input: Input) {
        if self.inbox.len() < INBOX {
            self.inbox.push_back(input);
        }
    }

    /// Settings for later: whoever hands them over waits, and they are never lost.
    pub(crate) fn queue_settings(&mut self, config: BoxConfig) {
        self.new_settings = Some(Input::Settings(Box::new(config)));
    }

    /// The oldest input that waits, once the thread runs.
    pub(crate) fn next_queued(&mut self) -> Option<Input> {
        if self.pulse == Pulse::Running { self.inbox.pop_front().or_else(|| self.new_settings.take()) } else { None }
    }

    /// When it steps though nothing comes in.
    pub(crate) fn next_wake(&self) -> Option<Monotonic> {
        if self.pulse != Pulse::Running {
            return None;
        }
        self.chamber.next_wake().into_iter().chain(self.renewal_at()).min()
    }

    fn renewal_at(&self) -> Option<Monotonic> {
        if self.guard_lost {
            return None;
        }
        let Some(asked_at) = self.asked_at else { return Some(Monotonic::ZERO) };
        // What is on though nobody wants it, a line that does not obey, is asked about until it is off.
        let is_active = self.held.heater.active || self.held.fan.active;
        let due = is_active || is_on(&self.asked) != (false, false) || self.asked.latch.is_some() || self.unanswered;
        due.then(|| asked_at + RENEWAL)
    }

    pub(crate) fn step(&mut self, clock: Clock, input: Input, relay: &mut Relay, dice: &mut Dice) -> Outcome {
        let is_reset = input == Input::Reset;
        if let Input::Settings(config) = &input {
            self.min_off = config.heater.min_off;
        }
        let effects = self.chamber.step(clock, input);
        let mut events = effects.events;
        if is_reset && self.guard_lost {
            self.lose_guard(clock, "the relay guard has ended", relay, &mut events);
        }
        match self.ask(clock.now, effects.wanted, relay, dice) {
            Ok(Some(held)) => self.take_held(clock, held, &mut events),
            Ok(None) => {}
            Err(lost) => self.lose_guard(clock, lost, relay, &mut events),
        }
        Outcome { accepted: effects.accepted, events }
    }

    /// What the lines are after asking for `wanted`; asks only for a change or to renew.
    fn ask(
        &mut self,
        now: Monotonic,
        wanted: Wanted,
        relay: &mut Relay,
        dice: &mut Dice,
    ) -> Result<Option<Held>, &'static str> {
        self.check_minimum_off(now, &wanted);
        let changed = is_on(&self.asked) != is_on(&wanted) || self.asked.latch != wanted.latch;
        let due = self.renewal_at().is_some_and(|at| at <= now);
        self.asked = wanted;
        if self.guard_lost || !(changed || due) {
            return Ok(None);
        }
        self.asked_at = Some(now);
        match relay.exchange(now, &wanted, dice) {
            Answer::Held(held) => {
                (self.missed, self.unanswered) = (0, false);
                self.held = held;
            }
            Answer::Gone => return Err("the relay guard has ended"),
            Answer::Missed => {
                (self.missed, self.unanswered) = (self.missed + 1, true);
                if self.missed >= MISSED_ANSWERS_MAX {
                    return Err("the relay guard does not answer");
                }
            }
        }
        Ok(Some(self.held.clone()))
    }

    /// However the heat was released, by a limit too, the box does not ask for it again within the minimum off time.
    fn check_minimum_off(&mut self, now: Monotonic, wanted: &Wanted) {
        match (self.asked.heat, wanted.heat) {
            (Some(_), None) => self.released_at = Some(now),
            (None, Some(_)) => {
                let off = self.released_at.map(|released_at| now.since(released_at));
                assert!(off.is_none_or(|off| off >= self.min_off), "heat again after {off:?}");
            }
            _ => {}
        }
    }

    /// A person has looked, and the guard has heard of it.
    pub(crate) fn forget_latches(&mut self) {
        (self.held.heater.latched, self.held.fan.latched) = (None, None);
    }

    /// Latches the fault; a guard that hangs is killed.
    pub(crate) fn lose_guard(&mut self, clock: Clock, lost: &str, relay: &mut Relay, events: &mut Vec<Event>) {
        relay.die();
        self.guard_lost = true;
        self.take_held(clock, Held::default(), events);
        let effects = self.chamber.step(clock, Input::Fault(lost.to_owned()));
        self.asked = effects.wanted;
        events.extend(effects.events);
    }

    /// Tells the box what its outputs are. Each change makes exactly one event with its reason.
    fn take_held(&mut self, clock: Clock, held: Held, events: &mut Vec<Event>) {
        let before = self.chamber.snapshot(clock.now);
        let new = self.chamber.held(clock, held.clone());
        for (name, was, is) in
            [("heater", before.heater.on, held.heater.active), ("fan", before.fan.on, held.fan.active)]
        {
            if was != is {
                let start = format!("{name} {}: ", if is { "on" } else { "off" });
                let named = |event: &&Event| event.kind == EventKind::Output && event.text.starts_with(&start);
                let found: Vec<&Event> = new.iter().filter(named).collect();
                assert_eq!(found.len(), 1, "{name} {was} -> {is} makes one event: {new:?}");
                assert!(found[0].text.len() > start.len() + 5, "with a reason: {found:?}");
            }
        }
        events.extend(new);
    }
}

fn is_on(wanted: &Wanted) -> (bool, bool) {
    (wanted.heat.is_some(), wanted.fan)
}
