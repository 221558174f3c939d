//! Sensor chips and buses. Knows nothing of control, storage or networks.
//!
//! **Invariant:** nothing here asks a clock to label a reading; whoever reads a sensor stamps it. The simulated sensor is given its
//! clock. Drivers may wait for their chip, so each sensor has a thread to itself.

pub mod bus;
pub mod sensors;
