//! The state of a box at one moment, as people and programs are shown it.

use crate::command::OutputKind;
use crate::control::Mode;
use crate::sample::{BoxName, Measurement, NoData};
use crate::time::{Clock, Monotonic, UnixTime};

/// One output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputSnapshot {
    /// Which.
    pub output: OutputKind,
    /// Whether the box has it.
    pub enabled: bool,
    /// Whether its line is active, as the relay guard reports it.
    pub on: bool,
    /// Who decides.
    pub mode: Mode,
    /// Why it is as it is.
    pub reason: String,
}

/// The last good reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// What was read.
    pub measurement: Measurement,
    /// When, for its age.
    pub taken_at: Monotonic,
    /// When, for people.
    pub wall: Option<UnixTime>,
    /// What stands for the raw words behind it: equal for two readings only if the sensor gave the same words. `None` when the
    /// sensor does not tell.
    pub fingerprint: Option<u64>,
}

impl Reading {
    /// A reading taken at the moment that `clock` shows.
    pub fn at(clock: Clock, measurement: Measurement) -> Self {
        Self { measurement, taken_at: clock.now, wall: clock.wall, fingerprint: None }
    }
}

/// One box.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BoxSnapshot {
    /// Its name.
    pub name: BoxName,
    /// The last good reading, however old.
    pub reading: Option<Reading>,
    /// Why the latest attempt to read gave nothing, if it did.
    pub no_data: Option<NoData>,
    /// The heater.
    pub heater: OutputSnapshot,
    /// The fan.
    pub fan: OutputSnapshot,
    /// Why heat is refused at this moment, if it is.
    pub heat_inhibited: Option<String>,
    /// Faults that a person has to see to.
    pub faults: Vec<String>,
}
