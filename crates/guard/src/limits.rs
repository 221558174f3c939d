//! The guard's own limits. They stand above whatever the daemon is configured to, because no network reaches the guard: a
//! `safety.max_temp_c` of 85 in the daemon still ends at the cut-off here. They come from `/etc/filamentbox/relay.toml`, which only root
//! can write, and are read once, before anything is held.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use toml::{Table, Value};

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

/// What `relay.toml` says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RelayFile {
    /// The limits.
    pub limits: Limits,
    /// The only pins (BCM numbers) that may be held; `None` for any.
    pub pins: Option<Vec<u32>>,
}

/// Why the guard does not start with its `relay.toml`.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Others than root could have written it.
    #[error("must belong to root and be writable by nobody else; it belongs to user {uid} with mode {mode:o}")]
    NotRoots {
        /// Its owner.
        uid: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// All that is wrong in it, one line each.
    #[error("{0}")]
    Invalid(String),
}

impl RelayFile {
    /// Reads `path`; a file that does not exist says the defaults.
    ///
    /// # Errors
    /// [`LimitsError`].
    pub fn load(path: &Path) -> Result<Self, LimitsError> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            file => file?,
        };
        let metadata = file.metadata()?;
        check_owner(metadata.uid(), metadata.mode() & 0o7777)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, LimitsError> {
        let mut table: Table =
            text.parse().map_err(|error: toml::de::Error| LimitsError::Invalid(error.to_string()))?;
        let mut problems = Vec::new();
        let mut number = |key: &str, min: f64, max: f64, default: f64| match table.remove(key) {
            None => default,
            Some(Value::Integer(number)) if (min..=max).contains(&(number as f64)) => number as f64,
            Some(Value::Float(number)) if (min..=max).contains(&number) => number,
            Some(other) => {
                problems.push(format!("{key} = {other:?}: must be a number from {min} to {max}"));
                default
            }
        };
        let limits = Limits {
            cut_off_milli_c: (number("cut_off_c", 25.0, 85.0, 70.0) * 1000.0) as i32,
            max_sample_age: Duration::from_secs_f64(number("max_sample_age_s", 1.0, 120.0, 15.0)),
            slew_milli_c_per_s: (number("slew_c_per_s", 0.1, 10.0, 1.0) * 1000.0).ceil() as u32,
            max_on_time: Duration::from_secs_f64(number("max_on_time_s", 60.0, 86_400.0, 14_400.0)),
            rest: Duration::from_secs_f64(number("rest_s", 60.0, 86_400.0, 600.0)),
            ..Limits::default()
        };
        let pins = table.remove("pins").map(|pins| {
            pins.clone().try_into::<Vec<u32>>().unwrap_or_else(|_| {
                problems.push(format!("pins = {pins:?}: must be a list of BCM numbers"));
                Vec::new()
            })
        });
        problems.extend(table.keys().map(|key| format!("{key}: there is no such limit")));
        if problems.is_empty() { Ok(Self { limits, pins }) } else { Err(LimitsError::Invalid(problems.join("\n"))) }
    }
}

fn check_owner(uid: u32, mode: u32) -> Result<(), LimitsError> {
    if uid == 0 && mode & 0o022 == 0 { Ok(()) } else { Err(LimitsError::NotRoots { uid, mode }) }
}
