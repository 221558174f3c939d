//! The running daemon: its state, its guard, its faults, its backends.

use serde_json::Value;

use super::super::database::Tested;
use super::finding::{Check, Finding, Step, run, say};
use super::outputs::section;
use super::system::{Daemon, System, is_guard};
use filamentbox_core::command::OutputKind;

const SERVICE: &str = "service";
const SETTINGS: Check = Check::working(SERVICE, "settings", "settings");
const DAEMON: Check = Check::working(SERVICE, "daemon", "daemon");
const GUARD: Check = Check::safety(SERVICE, "relay-guard", "relay guard");
const FAULTS: Check = Check::safety(SERVICE, "faults", "faults");
const JOURNAL: Check = Check::working(SERVICE, "journal", "journal");
const BACKENDS: Check = Check::working("backends", "backend", "backend");

const NO_DAEMON: &str = "no daemon runs";

pub(super) fn checks(system: &System) -> Vec<Finding> {
    let mut findings = vec![settings(system)];
    match &system.daemon {
        Daemon::Running(status) => {
            findings.push(running(status));
            findings.push(guard(system, status));
            findings.extend(faults(status));
            findings.push(journal(status));
            findings.extend(other_backends(system, status));
        }
        Daemon::Absent => {
            findings.push(absent(system));
            findings.extend([GUARD.skip(NO_DAEMON), FAULTS.skip(NO_DAEMON), JOURNAL.skip(NO_DAEMON)]);
        }
        Daemon::Unreachable(reason) => {
            let mend = [
                say("ask as root or as the daemon's user, or name its folder with --data-dir:"),
                run("sudo filamentbox doctor"),
            ];
            findings.push(DAEMON.warn(reason).mend(mend));
            let skipped = [GUARD, FAULTS, JOURNAL];
            findings.extend(skipped.map(|check| check.skip("the daemon cannot be asked")));
        }
    }
    findings.extend(system.backends.iter().map(backend));
    if !findings.iter().any(|finding| finding.check == BACKENDS) {
        findings.push(match system.daemon {
            Daemon::Unreachable(_) => BACKENDS.skip("none is configured here, and the daemon cannot be asked"),
            _ => BACKENDS.ok("none is configured; the history stays in the journal"),
        });
    }
    findings
}

fn settings(system: &System) -> Finding {
    if !system.problems.is_empty() {
        let problems = system.problems.join("; ");
        return SETTINGS
            .fail(format!("refused, so the daemon does not start, and the checks here use the defaults: {problems}"))
            .mend([say("every key, with what is allowed:"), run("filamentbox config describe")]);
    }
    let Daemon::Running(status) = &system.daemon else {
        return SETTINGS.ok("the settings of this environment are allowed");
    };
    let differs = |kind: &OutputKind| {
        let here = system.settings.switch(&format!("{}.enabled", section(*kind)));
        status["controls"][kind.name()]["enabled"].as_bool().is_some_and(|there| there != here)
    };
    // A simulated box has both outputs unless told otherwise.
    let differing = OutputKind::ALL.into_iter().filter(|kind| status["simulated"] != true && differs(kind));
    let names: Vec<&str> = differing.map(OutputKind::name).collect();
    if names.is_empty() {
        return SETTINGS.ok("the settings of this environment are allowed");
    }
    SETTINGS
        .warn(format!(
            "the daemon runs with other settings than this command sees (enabled or not: {}); pins and polarity \
             below may be others than the daemon's",
            names.join(", ")
        ))
        .mend([
            say("run it with the FILAMENTBOX_ variables of the daemon; those of the service shows:"),
            run("systemctl show -p Environment -p EnvironmentFiles filamentbox"),
        ])
}

fn running(status: &Value) -> Finding {
    let version = status["version"].as_str().unwrap_or("of unknown version");
    let found = format!("filamentbox {version} runs, for {:.0} s", status["uptime"].as_f64().unwrap_or(0.0));
    if status["simulated"] == true {
        return DAEMON
            .warn(format!("{found}, with a simulated box: no real sensor, no real relay"))
            .mend([say("for a real box start it without --simulate and without sensor.type=simulated")]);
    }
    DAEMON.ok(found)
}

fn absent(system: &System) -> Finding {
    let is_installed =
        ["etc", "usr/lib", "lib"].iter().any(|f| system.exists(&format!("/{f}/systemd/system/filamentbox.service")));
    let start = if is_installed { "sudo systemctl enable --now filamentbox" } else { "filamentbox run" };
    DAEMON.warn(format!("{NO_DAEMON} on {}", system.data_dir.display())).mend([run(start)])
}

fn guard(system: &System, status: &Value) -> Finding {
    let has_outputs =
        OutputKind::ALL.into_iter().any(|kind| status["controls"][kind.name()]["enabled"].as_bool().unwrap_or(true));
    match system.processes(is_guard) {
        None => GUARD.skip("the processes of other users are hidden here; ask as root"),
        Some(guards) if !guards.is_empty() => {
            let list: Vec<String> = guards.iter().map(ToString::to_string).collect();
            GUARD.ok(format!("runs (process {})", list.join(", ")))
        }
        Some(_) if !has_outputs => GUARD.skip("no output is enabled"),
        Some(_) => GUARD.fail("does not run: nothing can be switched, and heat is refused").mend([
            say("restart the daemon, and look at its log:"),
            run("sudo systemctl restart filamentbox"),
            run("journalctl -u filamentbox -e"),
        ]),
    }
}

fn faults(status: &Value) -> Vec<Finding> {
    let faults: Vec<&str> =
        status["safety"]["faults"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if faults.is_empty() {
        return vec![FAULTS.ok("none")];
    }
    let finding =
        |fault| FAULTS.fail(fault).mend([say("find out why before you heat again:"), run("filamentbox events")]);
    faults.into_iter().map(finding).collect()
}

fn journal(status: &Value) -> Finding {
    let journal = &status["journal"];
    match journal["disk_error"].as_str() {
        Some(problem) => JOURNAL
            .fail(format!("its disk fails ({problem}); samples are held in memory"))
            .mend([say("make room, or change the card; the kernel's side of it:"), run("sudo dmesg | tail -n 30")]),
        None => JOURNAL.ok(format!("{} samples", journal["samples"])),
    }
}

fn backend(tested: &Tested) -> Finding {
    let finding = if tested.is_good() {
        BACKENDS.ok(tested.line())
    } else {
        BACKENDS.fail(tested.line()).mend(mend(tested.name))
    };
    finding.of(tested.name)
}

/// The daemon's backends that this environment does not set: only the daemon knows them.
fn other_backends(system: &System, status: &Value) -> Vec<Finding> {
    let sinks = status["database"]["sinks"].as_array().into_iter().flatten();
    let of_daemon = |sink: &Value| {
        let name = sink["type"].as_str().unwrap_or_default().to_owned();
        let waiting = &sink["totals"]["waiting"];
        let finding = match sink["connected"].as_bool() {
            None => BACKENDS.skip("not tried yet"),
            Some(true) => BACKENDS.ok(format!("takes points; {waiting} wait")),
            Some(false) => {
                let error = sink["last_error"].as_str().unwrap_or("unknown error");
                let found = format!("refuses or does not answer ({error}); {waiting} points wait, none is lost");
                BACKENDS.fail(found).mend(mend(&name))
            }
        };
        finding.of(name)
    };
    sinks.filter(|sink| !system.backends.iter().any(|tested| sink["type"] == tested.name)).map(of_daemon).collect()
}

fn mend(name: &str) -> [Step; 3] {
    [
        say("compare its address and its password with the server's:"),
        run(format!("filamentbox config list database.{name}")),
        run("filamentbox database test"),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Status;
    use super::super::testing::{Tree, statuses};
    use super::*;
    use crate::sinks::Health;

    fn status(change: impl FnOnce(&mut Value)) -> Daemon {
        let mut status = json!({
            "version": "0.1.0", "uptime": 12.0, "simulated": false,
            "controls": { "heater": { "enabled": false, "on": false }, "fan": { "enabled": false, "on": false } },
            "safety": { "faults": [] },
            "journal": { "samples": 5, "disk_error": null },
            "database": { "sinks": [] },
        });
        change(&mut status);
        Daemon::Running(status)
    }

    #[track_caller]
    fn check(tree: Tree, daemon: Daemon, id: &str, expected: &[Status]) {
        let findings = checks(&tree.daemon(daemon).system());
        assert_eq!(statuses(&findings, id), expected, "{findings:?}");
    }

    #[test]
    fn the_daemon_in_each_state() {
        use Status::{Fail, Ok, Skip, Warn};
        check(Tree::pi_4(), status(|_| {}), "daemon", &[Ok]);
        check(Tree::pi_4(), status(|s| s["simulated"] = json!(true)), "daemon", &[Warn]);
        check(Tree::pi_4(), Daemon::Absent, "daemon", &[Warn]);
        check(Tree::pi_4(), Daemon::Unreachable("denied".to_owned()), "daemon", &[Warn]);
        check(Tree::pi_4(), status(|_| {}), "faults", &[Ok]);
        check(Tree::pi_4(), status(|s| s["safety"]["faults"] = json!(["one", "two"])), "faults", &[Fail, Fail]);
        check(Tree::pi_4(), Daemon::Absent, "faults", &[Skip]);
        check(Tree::pi_4(), status(|_| {}), "journal", &[Ok]);
        check(Tree::pi_4(), status(|s| s["journal"]["disk_error"] = json!("full")), "journal", &[Fail]);
    }

    #[test]
    fn the_guard_by_its_process() {
        use Status::{Fail, Ok, Skip};
        let visible = || Tree::pi_4().file("proc/1/comm", "systemd").set("heating_control.enabled", "true");
        let heating = || status(|s| s["controls"]["heater"]["enabled"] = json!(true));
        let guard = "/usr/bin/filamentbox\0relay-guard\0";
        check(visible().file("proc/7/cmdline", guard), heating(), "relay-guard", &[Ok]);
        check(visible(), heating(), "relay-guard", &[Fail]);
        check(visible(), status(|_| {}), "relay-guard", &[Skip]);
        check(Tree::pi_4(), heating(), "relay-guard", &[Skip]);
    }

    #[test]
    fn backends_in_each_state() {
        use Status::{Fail, Ok, Skip};
        let sink = |connected: Value| {
            status(|s| {
                let totals = json!({ "waiting": 3 });
                s["database"]["sinks"] = json!([{ "type": "influxdb_v1", "connected": connected, "totals": totals }]);
            })
        };
        check(Tree::pi_4(), status(|_| {}), "backend", &[Ok]);
        check(Tree::pi_4(), sink(json!(true)), "backend", &[Ok]);
        check(Tree::pi_4(), sink(json!(false)), "backend", &[Fail]);
        check(Tree::pi_4(), sink(json!(null)), "backend", &[Skip]);
        check(Tree::pi_4(), Daemon::Absent, "backend", &[Ok]);
        check(Tree::pi_4(), Daemon::Unreachable("hidden".to_owned()), "backend", &[Skip]);
    }

    /// What was tried from here counts; of a further backend only the daemon can speak.
    #[test]
    fn a_backend_is_named_once() {
        use Status::{Fail, Ok};
        let sinks =
            json!([{ "type": "influxdb_v1", "connected": true }, { "type": "victoriametrics", "connected": true }]);
        let mut system = Tree::pi_4().daemon(status(|s| s["database"]["sinks"] = sinks)).system();
        system.backends = vec![Tested::of("influxdb_v1", Health::unknown())];
        assert_eq!(statuses(&checks(&system), "backend"), [Ok, Fail]);
    }

    #[test]
    fn settings_that_are_refused_or_differ() {
        use Status::{Fail, Ok, Warn};
        check(Tree::pi_4(), Daemon::Absent, "settings", &[Ok]);
        check(Tree::pi_4(), status(|s| s["controls"]["heater"]["enabled"] = json!(true)), "settings", &[Warn]);
        let mut system = Tree::pi_4().system();
        system.problems = vec!["sensor.tipe: unknown key".to_owned()];
        assert_eq!(statuses(&checks(&system), "settings"), [Fail]);
    }
}
