//! Sensor chips and buses. Knows nothing of control, storage or networks.
//!
//! **Invariant:** nothing here asks a clock; whoever reads a sensor stamps the reading. The simulated sensor is given its clock.

pub mod sensors;
