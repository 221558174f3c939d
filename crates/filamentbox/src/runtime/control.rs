//! The control thread: steps every box on each input and at its `next_wake`, and keeps the leases alive while an output is
//! wanted. It waits on its inbox and, for at most a quarter of a second, on the guard's answer; on nothing else.
//!
//! **Invariant:** the lease is sent by the thread that decides. A control thread that hangs or panics sends none, and the
//! guard releases the outputs.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};

use filamentbox_core::chamber::{Chamber, Effects, Held, Input, Wanted};
use filamentbox_core::command::{Command, CommandError, OutputKind};
use filamentbox_core::config::BoxConfig;
use filamentbox_core::event::{Event, EventKind, Severity};
use filamentbox_core::safety::LatchReason;
use filamentbox_core::sample::{NoData, SensorTraits};
use filamentbox_core::snapshot::{BoxSnapshot, OutputSnapshot, Reading};
use filamentbox_core::time::{Clock, Monotonic};
use filamentbox_devices::sensors::sim::SimulatedOutputs;
use tokio::sync::{oneshot, watch};
use tracing::{error, info, warn};

use super::clock::{Clocks, boottime};
use super::guard::{GuardLink, GuardLost, Plan, RENEWAL, Slot, Unavailable};
use super::supervisor;
use super::trace::Trace;
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
    /// A box's sensor was opened.
    Sensor(usize, SensorTraits),
    /// What a box's sensor told so far cannot be compared with what it will tell.
    NewReadings(usize),
    /// Other settings.
    Configure(Box<NewSettings>),
    /// A person asks for something.
    Command(Command, oneshot::Sender<Answer>),
    /// A person has looked: faults and latches are over. Answered with what is still wrong.
    Reset(oneshot::Sender<Result<(), GuardLost>>),
    /// A child process has ended, perhaps the guard.
    ChildEnded,
    /// Proof of life for the supervisor.
    Ping(SyncSender<()>),
    /// Everything off; answered when it is, then the thread ends.
    Stop(SyncSender<()>),
}

/// Settings that changed.
pub struct NewSettings {
    /// The same boxes, with other settings.
    pub boxes: Vec<BoxConfig>,
    /// Their outputs.
    pub slots: Vec<Slot>,
    /// The guard for the first outputs that there are, started by whoever may wait for it.
    pub guard: Option<Result<GuardLink, GuardLost>>,
}

impl std::fmt::Debug for NewSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSettings").field("boxes", &self.boxes).finish_non_exhaustive()
    }
}

/// The latest state of every box, shared with whoever shows it.
pub type Snapshots = Arc<Vec<BoxSnapshot>>;

/// The control thread.
pub struct Control {
    /// The boxes.
    pub chambers: Vec<Chamber>,
    /// The clocks.
    pub clocks: Arc<Clocks>,
    /// The guard; `None` once it is lost, and where there is no output to hold.
    pub guard: Option<GuardLink>,
    /// How a guard is started anew.
    pub plan: Plan,
    /// Lines that could not be had, as last told.
    pub unavailable: Vec<Unavailable>,
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
    /// Where each lease is noted (`--trace`).
    pub trace: Option<Trace>,
}

impl Control {
    /// Works until told to stop, or until nobody is left who could tell.
    pub fn run(&mut self) {
        // What the guard has latched in an earlier life is known before anything is wanted.
        self.renew();
        loop {
            supervisor::progress();
            let input = match self.next_deadline() {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wait) => self.inbox.recv_timeout(wait),
            };
            match input {
                Ok(ControlInput::Reading(index, reading)) => drop(self.step(index, Input::Sample(reading))),
                Ok(ControlInput::NoData(index, reason)) => drop(self.step(index, Input::NoData(reason))),
                Ok(ControlInput::Sensor(index, traits)) => drop(self.step(index, Input::Sensor(traits))),
                Ok(ControlInput::NewReadings(index)) => drop(self.step(index, Input::NewReadings)),
                Ok(ControlInput::Configure(new)) => self.configure(*new),
                Ok(ControlInput::Command(command, answer)) => drop(answer.send(self.command(&command))),
                Ok(ControlInput::Reset(answer)) => drop(answer.send(self.reset())),
                Ok(ControlInput::ChildEnded) => self.check_guard(),
                Ok(ControlInput::Ping(answer)) => _ = answer.try_send(()),
                Ok(ControlInput::Stop(answer)) => {
                    self.step_all(&Input::Stop);
                    // Waits for its end, so that whoever starts next finds the lines free.
                    self.guard.take().into_iter().for_each(GuardLink::end);
                    _ = answer.try_send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.claim_again();
                    self.step_all(&Input::Tick);
                }
                Err(RecvTimeoutError::Disconnected) => return self.step_all(&Input::Stop),
            }
        }
    }

    /// How long to wait: until a box has something to do, or its lease wants renewing. `None`: until an input.
    fn next_deadline(&self) -> Option<std::time::Duration> {
        let wake = self.chambers.iter().filter_map(Chamber::next_wake).min().map(|wake| self.clocks.real_until(wake));
        let (wanted, asked_at) = &self.asked;
        let renewal = self.renewal(wanted).map(|period| (*asked_at + period).since(boottime()));
        let claim = self.guard.as_ref().and_then(GuardLink::claim_again_at).map(|at| at.since(boottime()));
        wake.into_iter().chain(renewal).chain(claim).min()
    }

    /// How long after the last lease the next one is due: while an output is wanted it must not run out.
    fn renewal(&self, wanted: &[Wanted]) -> Option<std::time::Duration> {
        let guard = self.guard.as_ref()?;
        if wanted.iter().any(is_on) { Some(RENEWAL) } else { guard.renewal() }
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
        let is_reading = matches!(input, Input::Sample(_));
        let Effects { wanted, sample, events, accepted } = self.chambers[index].step(clock, input);
        match sample {
            // The sample is kept before the guard is asked: its answer may take a moment.
            Some(sample) => self.intake.sample(sample),
            // It is not believed and will not be stored: simulated time does not wait for it.
            None if is_reading => self.clocks.stored(clock.now),
            None => {}
        }
        events.into_iter().for_each(|event| self.log(event));
        let mut all = self.asked.0.clone();
        all[index] = wanted;
        match self.outputs(all, clock) {
            Ok(held) => self.take_held(self.clocks.read(), held),
            Err(lost) => self.lose_guard(&lost),
        }
        self.show(clock);
        accepted
    }

    /// The state of all lines after asking for `wanted`; asks only for a change or to renew the lease.
    fn outputs(&mut self, wanted: Vec<Wanted>, clock: Clock) -> Result<Option<Vec<Held>>, GuardLost> {
        let (asked, asked_at) = &self.asked;
        let changed = asked.iter().map(essence).ne(wanted.iter().map(essence));
        let renewal_due = self.renewal(&wanted).is_some_and(|period| boottime() >= *asked_at + period);
        if !changed && !renewal_due {
            self.asked.0 = wanted;
            return Ok(None);
        }
        self.ask(wanted, clock)
    }

    /// Asks the guard, whatever it was asked before.
    fn ask(&mut self, wanted: Vec<Wanted>, clock: Clock) -> Result<Option<Vec<Held>>, GuardLost> {
        // Without a guard every box has latched its loss, so nothing is wanted on.
        let held = self.guard.as_mut().map(|guard| guard.exchange(&wanted, clock.now));
        self.asked = (wanted, boottime());
        if let (Some(trace), Some(Ok(_))) = (&mut self.trace, &held) {
            trace.lease();
        }
        held.transpose()
    }

    /// Asks the guard for what is wanted already: to learn what the lines are.
    fn renew(&mut self) {
        let clock = self.clocks.read();
        match self.ask(self.asked.0.clone(), clock) {
            Ok(held) => self.take_held(self.clocks.read(), held),
            Err(lost) => self.lose_guard(&lost),
        }
        self.tell_unavailable(clock);
        self.show(clock);
    }

    /// Asks again for lines that could not be had, when it is time.
    fn claim_again(&mut self) {
        let at = self.guard.as_ref().and_then(GuardLink::claim_again_at);
        if at.is_some_and(|at| at <= boottime()) && self.ask_guard(GuardLink::claim_again).is_ok() {
            self.renew();
        }
    }

    /// One event for each line that cannot be had, or can be had again.
    fn tell_unavailable(&mut self, clock: Clock) {
        let now = self.guard.as_ref().map(GuardLink::problems).unwrap_or_default();
        let before = std::mem::replace(&mut self.unavailable, now.clone());
        let event = |problem: &Unavailable, severity, text| Event {
            at: clock.wall,
            box_name: self.snapshots.borrow().get(problem.box_index).map(|snapshot| snapshot.name.clone()),
            kind: EventKind::Safety,
            severity,
            text,
        };
        let new = now.iter().filter(|problem| !before.contains(problem));
        let gone = before.iter().filter(|problem| !now.contains(problem));
        let mut events: Vec<Event> = new.map(|problem| event(problem, Severity::Error, problem.text.clone())).collect();
        let over = |problem: &Unavailable| event(problem, Severity::Info, format!("no longer: {}", problem.text));
        events.extend(gone.map(over));
        events.into_iter().for_each(|event| self.log(event));
    }

    fn check_guard(&mut self) {
        if let Some(lost) = self.guard.as_mut().and_then(GuardLink::ended) {
            self.lose_guard(&lost);
        }
    }

    /// Faults and latches are over, a guard that was lost is started anew, and lines that could not be had are asked for again.
    fn reset(&mut self) -> Result<(), GuardLost> {
        // The end of a guard of its own service goes unnoticed while nothing is asked of it: it is noticed here, and then there is a new
        // one.
        let is_lost = self.ask_guard(GuardLink::reset).is_err() || self.guard.is_none();
        if is_lost && !self.plan.slots.is_empty() {
            let started = GuardLink::start(&self.plan);
            self.guard = Some(started.inspect_err(|lost| self.latch_guard_lost(lost))?);
            self.ask_guard(GuardLink::reset)?;
        } else if self.guard.as_ref().is_some_and(|guard| guard.claim_again_at().is_some()) {
            self.ask_guard(GuardLink::claim_again)?;
        }
        self.step_all(&Input::Reset);
        self.renew();
        Ok(())
    }

    /// Goes by other settings from now on.
    fn configure(&mut self, NewSettings { boxes, slots, guard }: NewSettings) {
        if slots != self.plan.slots {
            self.change_lines(slots, guard);
        }
        for (index, config) in boxes.into_iter().enumerate().take(self.chambers.len()) {
            // Only commands can be refused.
            let _ = self.step(index, Input::Settings(Box::new(config)));
        }
    }

    /// Other outputs: all are off before their lines are claimed anew, and stay so until a box wants them again.
    fn change_lines(&mut self, slots: Vec<Slot>, guard: Option<Result<GuardLink, GuardLost>>) {
        self.plan.slots.clone_from(&slots);
        match guard {
            Some(Ok(started)) if self.guard.is_none() => {
                self.guard = Some(started);
                return self.renew();
            }
            Some(Ok(started)) => started.end(),
            Some(Err(lost)) => return self.latch_guard_lost(&lost),
            // It is lost, and latched as such: a reset starts another one.
            None if self.guard.is_none() => return,
            None => {}
        }
        let clock = self.clocks.read();
        self.chambers.iter_mut().for_each(|chamber| chamber.release(clock.now, "its line is claimed anew"));
        let mut off = self.asked.0.clone();
        off.iter_mut().for_each(|wanted| (wanted.heat, wanted.fan) = (None, false));
        match self.ask(off, clock) {
            Ok(held) => self.take_held(self.clocks.read(), held),
            Err(lost) => return self.lose_guard(&lost),
        }
        if self.ask_guard(|guard| guard.claim_others(slots)).is_ok() {
            self.renew();
        }
    }

    /// Asks the guard, if there is one, and takes a failure as its loss.
    fn ask_guard(&mut self, ask: impl FnOnce(&mut GuardLink) -> Result<(), GuardLost>) -> Result<(), GuardLost> {
        let asked = self.guard.as_mut().map_or(Ok(()), ask);
        asked.inspect_err(|lost| self.lose_guard(lost))
    }

    /// `clock` is read after the guard has answered: from then on the lines are so.
    fn take_held(&mut self, clock: Clock, held: Option<Vec<Held>>) {
        for (index, held) in held.into_iter().flatten().enumerate() {
            if let Some(simulated) = self.simulated.as_ref().filter(|_| index == 0) {
                simulated.set(held.heater.active, held.fan.active);
            }
            let events = self.chambers[index].held(clock, held);
            events.into_iter().for_each(|event| self.log(event));
        }
    }

    /// Latches the fault in every box, and makes sure that the lines are released.
    fn lose_guard(&mut self, lost: &GuardLost) {
        // Known already: it was killed for it.
        let Some(guard) = self.guard.take() else { return };
        guard.kill();
        self.latch_guard_lost(lost);
    }

    /// The guard is lost, or could not be started.
    pub fn latch_guard_lost(&mut self, lost: &GuardLost) {
        let clock = self.clocks.read();
        for index in 0..self.chambers.len() {
            let effects = self.chambers[index].step(clock, Input::Fault(lost.to_string()));
            effects.events.into_iter().for_each(|event| self.log(event));
            self.asked.0[index] = effects.wanted;
        }
        // The fault first, so that it is the reason why the outputs are off now.
        let released = vec![Held::default(); self.chambers.len()];
        self.take_held(clock, Some(released));
        // What could not be had is not to be had now either: the fault says it all.
        self.unavailable.clear();
        self.show(clock);
    }

    fn show(&self, clock: Clock) {
        let mut snapshots: Vec<BoxSnapshot> = self.chambers.iter().map(|chamber| chamber.snapshot(clock.now)).collect();
        for Unavailable { box_index, no_heat, text } in &self.unavailable {
            let snapshot = &mut snapshots[*box_index];
            snapshot.faults.push(text.clone());
            if *no_heat {
                snapshot.heat_inhibited.get_or_insert_with(|| text.clone());
            }
        }
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

/// What the guard has to be told of at once; the rest comes with the next renewal.
fn essence(wanted: &Wanted) -> (bool, bool, Option<LatchReason>) {
    (wanted.heat.is_some(), wanted.fan, wanted.latch)
}

fn is_on(wanted: &Wanted) -> bool {
    wanted.heat.is_some() || wanted.fan
}
