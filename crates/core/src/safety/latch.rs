//! Why a heater stays off until a person has looked: the reasons that outlive a restart.
//!
//! The relay guard keeps a latch on disk, whoever raised it, and refuses the line until a `reset`. So there is one place that
//! remembers, and a daemon that starts anew learns of it from the guard's first report.

/// Why an output is latched off. Each says what was seen and what to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum LatchReason {
    /// Raised by the guard: the line does not do what it is told.
    #[error("the output line did not do what it was told; check wiring and relay board")]
    LineFault,
    /// Raised by the guard: its own cut-off was reached.
    #[error("the relay guard's cut-off was reached; check relay, heater and set point")]
    OverTemperature,
    /// Raised by the guard: the daemon died again and again while it heated.
    #[error("the daemon ended unexpectedly several times while heating; see its log")]
    CrashLoop,
    /// Raised by the interlock: the box warms, or does not cool, although the heater is off.
    #[error(
        "the box warms or does not cool although the heater is off: the relay may be stuck. PULL THE PLUG, then check the relay"
    )]
    RelayStuck,
    /// Raised by the interlock: the heater is on and the box does not warm, twice.
    #[error("the heater is on but the box does not warm; check heater, fuse, lid and where the sensor lies")]
    NotWarming,
    /// Raised by the interlock: the sensor repeats itself to the bit.
    #[error("the sensor repeats the same reading while heating; check or replace it")]
    SensorFrozen,
}

impl LatchReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::LineFault,
        Self::OverTemperature,
        Self::CrashLoop,
        Self::RelayStuck,
        Self::NotWarming,
        Self::SensorFrozen,
    ];
}
