//! The guard's own limits. They stand above whatever the daemon is configured to, because no network reaches the guard: a
//! `safety.max_temp_c` of 85 in the daemon still ends at the cut-off here. These are the built-in numbers; reading
//! `/etc/filamentbox/relay.toml` (owned by root) comes with the hardware lines.

use std::time::Duration;

/// When a line may be active. The limits are only ever compared, so any value is safe: an odd one keeps lines inactive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How long one message keeps lines active. 2.5 s: five renewals at the daemon's two a second, so that a loaded machine does not
    /// chatter, and below the 3 s after which Klipper's micro-controller drops a heater.
    pub lease: Duration,
    /// Oldest sample a heater may be active on, inclusive. 15 s: seven readings at the 2 s of a heating box, one of a slow sensor.
    pub max_sample_age: Duration,
    /// How fast a heated box may warm up unseen, thousandths of a degree Celsius per second. An old sample counts as hotter by
    /// age x slew. 1.0 C/s: a 150 W heater in 10 litres peaks at about 2 C/s at the sensor, usual boxes stay far below 1.
    pub slew_milli_c_per_s: u32,
    /// A heater is inactive from this temperature up, thousandths of a degree Celsius. 70 C: above every drying programme for spools,
    /// below the softening of their holders and of the 77 C fuse that stands behind it; 85 C is the most such hardware survives.
    pub cut_off_milli_c: i32,
    /// Longest time a heater may be active between two rests. 4 h: a box that has not reached its setpoint by then never will.
    pub max_on_time: Duration,
    /// Unbroken inactive time that makes a full `max_on_time` available again. 10 min: enough to see a welded relay as a box that
    /// does not cool down.
    pub rest: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lease: Duration::from_millis(2500),
            max_sample_age: Duration::from_secs(15),
            slew_milli_c_per_s: 1000,
            cut_off_milli_c: 70_000,
            max_on_time: Duration::from_hours(4),
            rest: Duration::from_mins(10),
        }
    }
}
