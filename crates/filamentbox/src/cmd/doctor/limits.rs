//! The guard's own limits, which stand above the daemon's: are they safe from everybody but root, and which of the daemon's
//! have no effect because of them?

use std::io::ErrorKind;

use filamentbox_core::config::SafetyConfig;
use filamentbox_guard::{Limits, RelayFile};

use super::finding::{Check, Finding, run, say};
use super::setting;
use super::system::System;

const GROUP: &str = "limits";
const FILE: Check = Check::safety(GROUP, "relay-limits", "relay.toml");
const EFFECT: Check = Check::safety(GROUP, "limits-effect", "daemon's limits");

/// The guard's limits file.
const PATH: &str = "/etc/filamentbox/relay.toml";
/// Others than the owner may write (stat(2)).
const WRITABLE_BY_OTHERS: u32 = 0o022;

pub(super) fn checks(system: &System) -> Vec<Finding> {
    let safety = &system.config.boxes[0].safety;
    match system.owner(PATH) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let found = format!("{PATH} does not exist: the relay guard keeps to its built-in limits");
            vec![FILE.ok(found), effect(safety, &Limits::default())]
        }
        Err(error) => {
            let unknown = EFFECT.skip("the relay guard's limits cannot be read here");
            vec![FILE.skip(format!("{PATH} cannot be looked at ({error}); ask as root")), unknown]
        }
        Ok(_) => vec![file(system), of_file(system, safety)],
    }
}

/// Owner and mode of the file and its folder: who may write either may raise the limits.
fn file(system: &System) -> Finding {
    let folder = PATH.trim_end_matches("/relay.toml");
    let bad = |path: &&str| system.owner(path).map_or(true, |(uid, mode)| uid != 0 || mode & WRITABLE_BY_OTHERS != 0);
    match [folder, PATH].iter().find(|path| bad(path)) {
        None => FILE.ok(format!("{PATH} belongs to root, and nobody else may write it")),
        Some(path) => {
            FILE.fail(format!("{path} can be changed by others than root, and with it the limits of heat")).mend([
                run(format!("sudo chown root:root {folder} {PATH}")),
                run(format!("sudo chmod go-w {folder} {PATH}")),
            ])
        }
    }
}

fn of_file(system: &System, safety: &SafetyConfig) -> Finding {
    match system.try_read(PATH) {
        Err(error) => EFFECT.skip(format!("{PATH} cannot be read ({error}); ask as root")),
        Ok(text) => match RelayFile::parse(&text) {
            Ok(file) => effect(safety, &file.limits),
            Err(problem) => EFFECT
                .fail(format!("the relay guard does not start with {PATH}: {problem}"))
                .mend([say(format!("correct {PATH}, or remove it to have the built-in limits"))]),
        },
    }
}

/// The stricter of both sides holds; a daemon's limit beyond the guard's misleads.
fn effect(safety: &SafetyConfig, guard: &Limits) -> Finding {
    let guard_cut_off_c = f64::from(guard.cut_off_milli_c) / 1000.0;
    let guard_slew_c_per_s = f64::from(guard.slew_milli_c_per_s) / 1000.0;
    let (age, guard_age) = (safety.max_sample_age.as_secs_f64(), guard.max_sample_age.as_secs_f64());
    let (on_time, guard_on_time) = (safety.max_on_time.as_secs_f64(), guard.max_on_time.as_secs_f64());
    let pairs = [
        ("safety.max_temp_c", safety.max_temp_c, guard_cut_off_c, "°C", safety.max_temp_c > guard_cut_off_c),
        ("safety.max_sample_age", age, guard_age, "s", age > guard_age),
        ("safety.max_on_time", on_time, guard_on_time, "s", on_time > guard_on_time),
        (
            "safety.slew_c_per_s",
            safety.slew_c_per_s,
            guard_slew_c_per_s,
            "°C/s",
            safety.slew_c_per_s < guard_slew_c_per_s,
        ),
    ];
    let without_effect: Vec<_> = pairs.into_iter().filter(|(.., has_none)| *has_none).collect();
    if without_effect.is_empty() {
        return EFFECT.ok(format!("the cut-off is {} °C, the relay guard's {guard_cut_off_c} °C", safety.max_temp_c));
    }
    let facts = without_effect.iter();
    let facts = facts.map(|(key, value, guard, unit, _)| format!("{key} {value} {unit} (guard: {guard} {unit})"));
    let facts = facts.collect::<Vec<_>>().join(", ");
    let keys = without_effect.iter().flat_map(|(key, _, guard, ..)| setting(key, &guard.to_string()));
    EFFECT
        .warn(format!("without effect, because the relay guard's own limit is stricter: {facts}"))
        .mend([say("set the daemon's limit to the guard's:")])
        .mend(keys)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::super::testing::{Tree, statuses};
    use super::*;

    #[test]
    fn who_may_write_the_limits() {
        let status = |tree: Tree| statuses(&checks(&tree.system()), "relay-limits");
        assert_eq!(status(Tree::pi_4()), [Status::Ok]);
        let with = || Tree::pi_4().file("etc/filamentbox/relay.toml", "");
        assert_eq!(status(with()), [Status::Ok]);
        assert_eq!(status(with().owner("/etc/filamentbox/relay.toml", 0, 0o664)), [Status::Fail]);
        assert_eq!(status(with().owner("/etc/filamentbox/relay.toml", 1000, 0o644)), [Status::Fail]);
        assert_eq!(status(with().owner("/etc/filamentbox", 0, 0o777)), [Status::Fail]);
        assert_eq!(status(with().owner("/etc/filamentbox", 0, 0o750)), [Status::Ok]);
    }

    #[test]
    fn limits_on_both_sides_of_the_guards() {
        let cases = [
            ("safety.max_temp_c", "70", Status::Ok),
            ("safety.max_temp_c", "70.1", Status::Warn),
            ("safety.max_sample_age", "15", Status::Ok),
            ("safety.max_sample_age", "15.1", Status::Warn),
            ("safety.max_on_time", "14400", Status::Ok),
            ("safety.max_on_time", "14401", Status::Warn),
            ("safety.slew_c_per_s", "1", Status::Ok),
            ("safety.slew_c_per_s", "0.9", Status::Warn),
        ];
        for (key, value, status) in cases {
            let findings = checks(&Tree::pi_4().set(key, value).system());
            assert_eq!(statuses(&findings, "limits-effect"), [status], "{key}={value}: {findings:?}");
        }
    }
}
