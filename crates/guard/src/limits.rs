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
    /// How long one message keeps lines active. 2.4 s: with what a busy machine takes to notice, off within 2.5 s of the daemon's last sign
    /// of life; nearly five renewals at the daemon's two a second, so that a loaded machine does not
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
            lease: Duration::from_millis(2400),
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
    /// Pins that may be held as heaters only. Who reaches the daemon's settings could otherwise call a heater a fan, which no limit
    /// holds back.
    pub heater_pins: Option<Vec<u32>>,
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

    /// What `text` says, whoever owns it.
    ///
    /// # Errors
    /// [`LimitsError::Invalid`].
    pub fn parse(text: &str) -> Result<Self, LimitsError> {
        let mut table: Table =
            text.parse().map_err(|error: toml::de::Error| LimitsError::Invalid(error.to_string()))?;
        let mut problems = Vec::new();
        let mut number = |key: &str, min: f64, max: f64, default: f64| match table.remove(key) {
            None => default,
            Some(Value::Integer(number)) if (min..=max).contains(&(number as f64)) => number as f64,
            Some(Value::Float(number)) if (min..=max).contains(&number) => number,
            Some(other) => {
                problems.push(format!("{key} = {other}: must be a number from {min} to {max}"));
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
        let mut pin_list = |key: &str| {
            let list = table.remove(key)?;
            let pins = list.clone().try_into::<Vec<u32>>();
            pins.inspect_err(|_| problems.push(format!("{key} = {list}: must be a list of BCM numbers"))).ok()
        };
        let (pins, heater_pins) = (pin_list("pins"), pin_list("heater_pins"));
        problems.extend(table.keys().map(|key| format!("{key}: there is no such limit")));
        if problems.is_empty() {
            Ok(Self { limits, pins, heater_pins })
        } else {
            Err(LimitsError::Invalid(problems.join("\n")))
        }
    }
}

fn check_owner(uid: u32, mode: u32) -> Result<(), LimitsError> {
    if uid == 0 && mode & 0o022 == 0 { Ok(()) } else { Err(LimitsError::NotRoots { uid, mode }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_the_default() {
        assert_eq!(RelayFile::parse("").unwrap(), RelayFile::default());
        let missing = RelayFile::load(Path::new("/nowhere/relay.toml")).unwrap();
        assert_eq!(missing, RelayFile::default());
        let half = RelayFile::parse("cut_off_c = 65").unwrap();
        assert_eq!(half.limits, Limits { cut_off_milli_c: 65_000, ..Limits::default() });
    }

    #[test]
    fn every_limit_can_be_said() {
        let text = "cut_off_c = 60.5\nmax_sample_age_s = 30\nslew_c_per_s = 0.25\nmax_on_time_s = 3600\nrest_s = 900\npins = [16, 20]\nheater_pins = [16]";
        let expected = Limits {
            lease: Duration::from_millis(2400),
            cut_off_milli_c: 60_500,
            max_sample_age: Duration::from_secs(30),
            slew_milli_c_per_s: 250,
            max_on_time: Duration::from_secs(3600),
            rest: Duration::from_secs(900),
        };
        assert_eq!(
            RelayFile::parse(text).unwrap(),
            RelayFile { limits: expected, pins: Some(vec![16, 20]), heater_pins: Some(vec![16]) }
        );
    }

    #[test]
    fn both_ends_of_each_range() {
        let check = |key: &str, inside: [&str; 2], outside: [&str; 2]| {
            for value in inside {
                RelayFile::parse(&format!("{key} = {value}")).unwrap();
            }
            for value in outside.into_iter().chain(["nan", "inf", "-1", "\"10\"", "true", "[20]"]) {
                let problem = RelayFile::parse(&format!("{key} = {value}")).unwrap_err().to_string();
                assert!(problem.starts_with(&format!("{key} = ")), "{problem}");
            }
        };
        check("cut_off_c", ["25", "85.0"], ["24.999", "85.001"]);
        check("max_sample_age_s", ["1", "120"], ["0.9", "121"]);
        check("slew_c_per_s", ["0.1", "10"], ["0.09", "10.1"]);
        check("max_on_time_s", ["60", "86400"], ["59", "86401"]);
        check("rest_s", ["60", "86400"], ["59", "86401"]);
    }

    #[test]
    fn all_problems_are_said_at_once() {
        let text = "cut_off_c = 100\nlease_s = 60\npins = [-1]\nrest_s = 10";
        let problems = RelayFile::parse(text).unwrap_err().to_string();
        assert_eq!(
            problems.lines().collect::<Vec<_>>(),
            [
                "cut_off_c = 100: must be a number from 25 to 85",
                "rest_s = 10: must be a number from 60 to 86400",
                "pins = [-1]: must be a list of BCM numbers",
                "lease_s: there is no such limit",
            ]
        );
        assert!(RelayFile::parse("cut_off_c 70").is_err());
        assert!(RelayFile::parse("cut_off_c = 70\ncut_off_c = 60").is_err());
    }

    #[test]
    fn the_file_is_roots_alone() {
        let check =
            |uid: u32, mode: u32, good: bool| assert_eq!(check_owner(uid, mode).is_ok(), good, "{uid} {mode:o}");
        check(0, 0o644, true);
        check(0, 0o600, true);
        check(0, 0o755, true);
        check(0, 0o664, false);
        check(0, 0o646, false);
        check(1000, 0o644, false);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.toml");
        std::fs::write(&path, "cut_off_c = 60").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        let refused = RelayFile::load(&path).unwrap_err();
        assert!(matches!(refused, LimitsError::NotRoots { mode: 0o666, .. }), "{refused}");
    }
}
