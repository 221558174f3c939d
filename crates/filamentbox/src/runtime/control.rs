//! The control thread: steps every box on each input and at its `next_wake`, and keeps the leases alive while an output is
//! wanted. It waits on its inbox and, for at most a quarter of a second, on the guard's answer; on nothing else.
//!
//! **Invariant:** the lease is sent by the thread that decides. A control thread that hangs or panics sends none, and the
//! guard releases the outputs.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};

use filamentbox_core::chamber::{Chamber, Effects, Held, Input, Wanted};
use filamentbox_core::command::{Command, CommandError, OutputKind};
use filamentbox_core::event::{Event, Severity};
use filamentbox_core::sample::NoData;
use filamentbox_core::snapshot::{BoxSnapshot, OutputSnapshot, Reading};
use filamentbox_core::time::{Clock, Monotonic};
use filamentbox_devices::sensors::sim::SimulatedOutputs;
use tokio::sync::{oneshot, watch};
use tracing::{error, info, warn};

use super::clock::{Clocks, boottime};
use super::guard::{GuardLink, GuardLost, RENEWAL};
use crate::journal::Intake;

/// So many inputs may wait for the control thread; more mean that it hangs, and are dropped and counted by their sender.
pub const INBOX: usize = 64;

/// The answer to a command: the output as it is now, or why nothing was changed.
pub type Answer = Result<OutputSnapshot, CommandError>;

/// What the control thread is told.
#[derive(Debug)]
pub enum ControlInput {
    /// A box's sensor gave a reading.
    Reading(usize, Reading),
    /// A box's sensor gave none.
    NoData(usize, NoData),
    /// A person asks for something.
    Command(Command, oneshot::Sender<Answer>),
    /// The guard's process has ended.
    GuardGone(GuardLost),
    /// Proof of life for the supervisor.
    Ping(SyncSender<()>),
    /// Everything off; answered when it is, then the thread ends.
    Stop(SyncSender<()>),
}

/// The latest state of every box, shared with whoever shows it.
pub type Snapshots = Arc<Vec<BoxSnapshot>>;

/// The control thread.
pub struct Control {
    /// The boxes.
    pub chambers: Vec<Chamber>,
    /// The clocks.
    pub clocks: Arc<Clocks>,
    /// The guard; `None` once it is lost.
    pub guard: Option<GuardLink>,
    /// Whether its loss is latched.
    pub guard_lost: bool,
    /// Where samples and events are kept.
    pub intake: Intake,
    /// Where the state is shown.
    pub snapshots: watch::Sender<Snapshots>,
    /// The simulated box's outputs follow the guard's lines.
    pub simulated: Option<SimulatedOutputs>,
    /// Inputs.
    pub inbox: Receiver<ControlInput>,
    /// What was last asked of the guard, and when (in real time).
    pub asked: (Vec<Wanted>, Monotonic),
}

impl Control {
    /// Works until told to stop, or until nobody is left who could tell.
    pub fn run(&mut self) {
        loop {
            let input = match self.next_deadline() {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wait) => self.inbox.recv_timeout(wait),
            };
            match input {
                Ok(ControlInput::Reading(index, reading)) => drop(self.step(index, Input::Sample(reading))),
                Ok(ControlInput::NoData(index, reason)) => drop(self.step(index, Input::NoData(reason))),
                Ok(ControlInput::Command(command, answer)) => drop(answer.send(self.command(&command))),
                Ok(ControlInput::GuardGone(lost)) => self.lose_guard(&lost),
                Ok(ControlInput::Ping(answer)) => _ = answer.try_send(()),
                Ok(ControlInput::Stop(answer)) => {
                    self.step_all(&Input::Stop);
                    _ = answer.try_send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => self.step_all(&Input::Tick),
                Err(RecvTimeoutError::Disconnected) => return self.step_all(&Input::Stop),
            }
        }
    }

    /// How long to wait: until a box has something to do, or its lease wants renewing. `None`: until an input.
    fn next_deadline(&self) -> Option<std::time::Duration> {
        let wake = self.chambers.iter().filter_map(Chamber::next_wake).min().map(|wake| self.clocks.real_until(wake));
        let (wanted, asked_at) = &self.asked;
        let renewal = self.must_renew(wanted).then(|| (*asked_at + RENEWAL).since(boottime()));
        wake.into_iter().chain(renewal).min()
    }

    /// While an output is wanted its lease must not run out; and an unanswered lease is sent again, also one that ends it all.
    fn must_renew(&self, wanted: &[Wanted]) -> bool {
        wanted.iter().any(is_on) || self.guard.as_ref().is_some_and(GuardLink::is_unanswered)
    }

    fn command(&mut self, command: &Command) -> Answer {
        let names = self.snapshots.borrow().clone();
        let index = names.iter().position(|snapshot| snapshot.name == command.box_name);
        let index = index.ok_or_else(|| CommandError::NoSuchBox(command.box_name.to_string()))?;
        self.step(index, Input::Command(command.output, command.wish))?;
        let snapshots = self.snapshots.borrow();
        let snapshot = &snapshots[index];
        Ok(match command.output {
            OutputKind::Heater => snapshot.heater.clone(),
            OutputKind::Fan => snapshot.fan.clone(),
        })
    }

    fn step_all(&mut self, input: &Input) {
        for index in 0..self.chambers.len() {
            // Only commands can be refused.
            let _ = self.step(index, input.clone());
        }
    }

    /// Steps one box, asks the guard for what all boxes want, and shows and keeps what came of it.
    fn step(&mut self, index: usize, input: Input) -> Result<(), CommandError> {
        let clock = self.clocks.read();
        let Effects { wanted, sample, events, accepted } = self.chambers[index].step(clock, input);
        // The sample is kept before the guard is asked: its answer may take a moment.
        if let Some(sample) = sample {
            self.intake.sample(sample);
        }
        events.into_iter().for_each(|event| self.log(event));
        let mut all = self.asked.0.clone();
        all[index] = wanted;
        match self.outputs(all, clock) {
            Ok(held) => self.take_held(clock, held),
            Err(lost) => self.lose_guard(&lost),
        }
        self.show(clock);
        accepted
    }

    /// The state of all lines after asking for `wanted`; asks only for a change or to renew the lease.
    fn outputs(&mut self, wanted: Vec<Wanted>, clock: Clock) -> Result<Option<Vec<Held>>, GuardLost> {
        let (asked, asked_at) = &self.asked;
        let changed = asked.iter().map(is_on_each).ne(wanted.iter().map(is_on_each));
        let renewal_due = self.must_renew(&wanted) && boottime() >= *asked_at + RENEWAL;
        if !changed && !renewal_due {
            self.asked.0 = wanted;
            return Ok(None);
        }
        let Some(guard) = &mut self.guard else {
            // Latched in every box since the guard was lost, so nothing is wanted on.
            self.asked.0 = wanted;
            return Ok(None);
        };
        let held = guard.exchange(&wanted, clock.now);
        self.asked = (wanted, boottime());
        held.map(Some)
    }

    fn take_held(&mut self, clock: Clock, held: Option<Vec<Held>>) {
        for (index, held) in held.into_iter().flatten().enumerate() {
            if let Some(simulated) = self.simulated.as_ref().filter(|_| index == 0) {
                simulated.set(held.heater.active, held.fan.active);
            }
            let events = self.chambers[index].held(clock, held);
            events.into_iter().for_each(|event| self.log(event));
        }
    }

    /// Latches the fault in every box. The guard's lines are released by its end.
    fn lose_guard(&mut self, lost: &GuardLost) {
        if std::mem::replace(&mut self.guard_lost, true) {
            // Known already: it was killed for it.
            return;
        }
        if let Some(guard) = self.guard.take() {
            guard.kill();
        }
        let clock = self.clocks.read();
        for index in 0..self.chambers.len() {
            let effects = self.chambers[index].step(clock, Input::Fault(lost.to_string()));
            effects.events.into_iter().for_each(|event| self.log(event));
            self.asked.0[index] = effects.wanted;
        }
        // The fault first, so that it is the reason why the outputs are off now.
        let released = vec![Held::default(); self.chambers.len()];
        self.take_held(clock, Some(released));
        self.show(clock);
    }

    fn show(&self, clock: Clock) {
        let now = clock.now;
        let snapshots = self.chambers.iter().map(|chamber| chamber.snapshot(now)).collect();
        self.snapshots.send_replace(Arc::new(snapshots));
    }

    fn log(&mut self, event: Event) {
        write_log(&event);
        self.intake.event(event);
    }
}

/// An event's line in the log.
pub fn write_log(event: &Event) {
    let box_name = event.box_name.as_ref().map(|name| name.as_str());
    match event.severity {
        Severity::Info => info!(r#box = box_name, "{}", event.text),
        Severity::Warning => warn!(r#box = box_name, "{}", event.text),
        Severity::Error => error!(r#box = box_name, "{}", event.text),
    }
}

fn is_on_each(wanted: &Wanted) -> (bool, bool) {
    (wanted.heat.is_some(), wanted.fan)
}

fn is_on(wanted: &Wanted) -> bool {
    wanted.heat.is_some() || wanted.fan
}
