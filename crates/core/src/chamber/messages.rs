//! What a box is told and what it answers.

use crate::command::{CommandError, OutputKind, Wish};
use crate::config::BoxConfig;
use crate::event::Event;
use crate::safety::{LatchReason, Permit};
use crate::sample::{NoData, Sample, SensorTraits};
use crate::snapshot::Reading;
use crate::time::Monotonic;
use crate::units::Celsius;

/// What can happen to a box.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// The sensor gave a reading.
    Sample(Reading),
    /// The sensor gave none.
    NoData(NoData),
    /// A person asks for something.
    Command(OutputKind, Wish),
    /// A sensor was opened: what it can tell.
    Sensor(SensorTraits),
    /// Another sensor, or another calibration: no reading from before may be compared with those that follow.
    NewReadings,
    /// The settings from now on; the box is the same.
    Settings(Box<BoxConfig>),
    /// A person has looked: faults and latches are over. The relay guard has to be told first, or it reports its latch once more.
    Reset,
    /// Time passed.
    Tick,
    /// Something broke that a person has to see to: everything off until a reset, or until the daemon starts anew.
    Fault(String),
    /// The daemon stops: everything off.
    Stop,
}

/// What the outputs should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// Heat, with the right to it.
    pub heat: Option<Permit>,
    /// The fan.
    pub fan: bool,
    /// The heater has to stay off until a `reset`, in the guard's memory too.
    pub latch: Option<LatchReason>,
    /// The last good reading, wanted heat or not: the guard judges it by its own cut-off.
    pub seen: Option<Seen>,
}

/// A temperature and its moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// What was read.
    pub temperature: Celsius,
    /// When.
    pub taken_at: Monotonic,
}

/// What one output is, as the relay guard reports it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeldOutput {
    /// Whether the line is active.
    pub active: bool,
    /// Why the guard refuses a wanted output, if it does.
    pub refusal: Option<String>,
    /// Why the guard keeps it off until a `reset`, if it does.
    pub latched: Option<LatchReason>,
}

/// What both outputs are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// The heater's line.
    pub heater: HeldOutput,
    /// The fan's line.
    pub fan: HeldOutput,
}

/// What a step asks of the world.
#[derive(Clone, PartialEq, Debug)]
pub struct Effects {
    /// The outputs.
    pub wanted: Wanted,
    /// A sample to keep.
    pub sample: Option<Sample>,
    /// Events to log.
    pub events: Vec<Event>,
    /// Whether the command was accepted. The state that results is in the snapshot.
    pub accepted: Result<(), CommandError>,
}
