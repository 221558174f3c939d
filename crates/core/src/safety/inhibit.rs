//! Why a box may not be heated, in words with numbers and limits.

use std::time::Duration;

use super::interlock::COLD_C;
use super::plausibility::REJECTED_IN_A_ROW;
use super::{LatchReason, Leap, SENSOR_RANGE_MARGIN_C};
use crate::event::Severity;
use crate::time::Monotonic;
use crate::units::Celsius;

/// Why a box may not be heated.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Inhibit {
    /// The daemon is on its way out.
    #[error("the daemon is stopping")]
    Stopping,
    /// A fault that a person has to see to.
    #[error("{0}")]
    Fault(String),
    /// Off until a person has looked.
    #[error("{0}")]
    Latched(LatchReason),
    /// The sensor cannot see the cut-off coming.
    #[error(
        "the sensor reads up to {range_end_c} °C, too near to the cut-off of {cut_off_c} °C; set safety.max_temp_c to {} or less",
        range_end_c - SENSOR_RANGE_MARGIN_C
    )]
    SensorRange {
        /// The end of the sensor's range, in °C.
        range_end_c: f64,
        /// The cut-off, in °C.
        cut_off_c: f64,
    },
    /// Readings were not believed, too many in a row.
    #[error("{REJECTED_IN_A_ROW} readings in a row or more are not believed: {0}")]
    Implausible(Leap),
    /// No reading since the start.
    #[error("no reading yet")]
    NoReading,
    /// The last good reading is too old.
    #[error("the last good reading is older than {} s", max_age.as_secs_f64())]
    Stale {
        /// The limit.
        max_age: Duration,
    },
    /// The sensor was lost and has not proven itself yet.
    #[error("the sensor was lost: heat comes back after {needed} good readings in a row over {} s ({good} so far)", over.as_secs())]
    Recovering {
        /// Good readings in a row so far.
        good: u32,
        /// So many are needed.
        needed: u32,
        /// Over at least so long.
        over: Duration,
    },
    /// So cold that it is more likely the wrong type of sensor.
    #[error(
        "{temperature} is below {COLD_C} °C: check sensor.type, or set safety.allow_cold = true if the box is that cold"
    )]
    TooCold {
        /// The last reading.
        temperature: Celsius,
    },
    /// The reading, projected by its age, reaches the cut-off.
    #[error("{temperature}, its age counted in, reaches the cut-off of {cut_off_c} °C")]
    TooHot {
        /// The last reading.
        temperature: Celsius,
        /// The limit, in °C.
        cut_off_c: f64,
    },
    /// On for too long; resting.
    #[error("resting after {} h of heat", max_on_time.as_secs_f64() / 3600.0)]
    Resting {
        /// The limit.
        max_on_time: Duration,
        /// The end of the rest.
        until: Monotonic,
    },
    /// The heater was on and the box did not warm, but it may have been warm through already: a pause tells.
    #[error("{evidence}; a pause of {} s tells a dead heater from a box that is warm through", pause.as_secs())]
    Unproven {
        /// What was seen, with the limits.
        evidence: String,
        /// The pause.
        pause: Duration,
    },
    /// The heater was on and the box did not warm: the first time.
    #[error(
        "the heater is on but the box does not warm: {evidence}; check heater, fuse, lid and where the sensor lies. One more try after {} min",
        pause.as_secs() / 60
    )]
    NotWarming {
        /// What was seen, with the limits.
        evidence: String,
        /// The pause before the second try.
        pause: Duration,
    },
    /// The heater may only run with the fan, and a person switched that off.
    #[error("the fan that the heater requires is switched off by hand (heating_control.requires_fan)")]
    FanOff,
    /// The heater may only run with the fan, which has just begun.
    #[error("the fan runs for {} s first (heating_control.requires_fan)", lead.as_secs())]
    FanStarting {
        /// So long before the heat.
        lead: Duration,
    },
    /// The heater may only run with the fan, which does not.
    #[error("the fan that the heater requires does not run, {} s after it was asked to (heating_control.requires_fan)", lead.as_secs())]
    FanNotRunning {
        /// It should have begun within this.
        lead: Duration,
    },
}

impl Inhibit {
    /// Whether both are of the same kind: the beginning of another kind is worth an event, a changed figure is not.
    pub fn is_same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// How serious the beginning is; `None` where it is a part of normal working, or told by an event of its own.
    pub fn severity(&self) -> Option<Severity> {
        match self {
            Self::Stopping | Self::Fault(_) | Self::Latched(_) | Self::FanStarting { .. } => None,
            Self::SensorRange { .. } | Self::Implausible(_) | Self::TooCold { .. } | Self::NotWarming { .. } => {
                Some(Severity::Error)
            }
            _ => Some(Severity::Warning),
        }
    }
}
