//! What carries bytes and edges between a driver and its chip, and what its failures mean.

pub mod gpio;
pub mod i2c;

use std::fmt;
use std::time::Duration;

use filamentbox_core::sample::NoData;

/// One chip at one address of a bus. Drivers are written against this, tests put a chip of their own behind it.
pub trait Chip: Send {
    /// Fills `into` from consecutive registers.
    ///
    /// # Errors
    /// What went wrong, with the place; a short answer is an error.
    fn read_registers(&mut self, first: u8, into: &mut [u8]) -> Result<(), BusError>;

    /// Writes one register.
    ///
    /// # Errors
    /// What went wrong, with the place.
    fn write_register(&mut self, register: u8, value: u8) -> Result<(), BusError>;

    /// Sends bytes to a chip that has commands instead of registers.
    ///
    /// # Errors
    /// What went wrong, with the place.
    fn send(&mut self, bytes: &[u8]) -> Result<(), BusError>;

    /// Receives the answer to a command.
    ///
    /// # Errors
    /// What went wrong, with the place. A chip that is still busy may not answer, which looks like [`Fault::Silent`].
    fn receive(&mut self, into: &mut [u8]) -> Result<(), BusError>;

    /// Gives the chip time.
    fn pause(&mut self, time: Duration);

    /// Where it is, for people: `0x76 on /dev/i2c-1`.
    fn place(&self) -> String;
}

/// What a failed transfer or opening means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing answers at the address.
    Silent,
    /// A driver of the kernel uses the address.
    Held,
    /// The program may not open the bus.
    Forbidden,
    /// There is no such bus.
    NoBus,
    /// The adapter cannot do what the chip needs.
    Unsupported,
    /// A transfer failed in another way.
    Failed,
}

/// A failed transfer or opening: what it means, where, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusError {
    /// What it means.
    pub fault: Fault,
    /// Place, cause and remedy, for people.
    pub text: String,
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for BusError {}

/// Either way the sensor is opened anew before the next attempt.
impl From<BusError> for NoData {
    fn from(error: BusError) -> Self {
        match error.fault {
            Fault::Silent | Fault::Held | Fault::Forbidden | Fault::NoBus => Self::NotPresent(error.text),
            Fault::Unsupported | Fault::Failed => Self::Bus(error.text),
        }
    }
}
