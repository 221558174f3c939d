//! Other programs that drive pins or the same box.

use super::finding::{Check, Finding, run, say};
use super::system::System;

const GROUP: &str = "other programs";
const ORIGINAL: Check = Check::safety(GROUP, "python-original", "Python original");
const PIN_DAEMONS: Check = Check::safety(GROUP, "pin-daemons", "pin daemons");

/// Units that the Python FilamentBox installs. The first has the name that ours has, too: its text tells them apart.
const ORIGINAL_UNITS: [&str; 2] = ["filamentbox.service", "filamentbox-webui.service"];
/// What stands in the Python FilamentBox's units and in its processes' arguments.
const ORIGINAL_WORDS: [&str; 3] = ["run_filamentbox.py", "filamentcontrol", "webui_server.py"];
/// Daemons that write to the pins' registers, past the kernel, which therefore cannot keep them from our lines.
const DAEMONS: [&str; 2] = ["pigpiod", "servod"];

pub(super) fn checks(system: &System) -> Vec<Finding> {
    vec![original(system), pin_daemons(system)]
}

fn original(system: &System) -> Finding {
    let is_original = |unit: &&str| {
        let text = system.read(&format!("/etc/systemd/system/{unit}")).unwrap_or_default();
        ORIGINAL_WORDS.iter().any(|word| text.contains(word))
    };
    let installed: Vec<&str> = ORIGINAL_UNITS.into_iter().filter(is_original).collect();
    let active = installed.iter().any(|unit| system.runs_unit(unit));
    let is_process = |arguments: &[&str]| {
        let is_python = arguments[0].contains("python");
        is_python && arguments.iter().any(|argument| ORIGINAL_WORDS.iter().any(|word| argument.contains(word)))
    };
    let processes = system.processes(is_process).unwrap_or_default();
    let stop = run(format!("sudo systemctl disable --now {}", ORIGINAL_UNITS.join(" ")));
    if let Some(process) = processes.first() {
        let mend = [say("both would drive the same relays; stop it for good:"), stop];
        let by_hand = [say("or, if it was started by hand:"), run(format!("sudo kill {process}"))];
        return ORIGINAL.fail(format!("the Python FilamentBox runs (process {process})")).mend(mend).mend(by_hand);
    }
    if active {
        return ORIGINAL
            .fail(format!("the Python FilamentBox runs as {}", installed.join(" and ")))
            .mend([say("both would drive the same relays; stop it for good:"), stop]);
    }
    let is_enabled = |unit: &&str| system.exists(&format!("/etc/systemd/system/multi-user.target.wants/{unit}"));
    if installed.iter().any(is_enabled) {
        return ORIGINAL
            .warn("the Python FilamentBox does not run now, and starts again with the machine")
            .mend([stop]);
    }
    ORIGINAL.ok("the Python FilamentBox does not run")
}

fn pin_daemons(system: &System) -> Finding {
    let is_daemon = |arguments: &[&str]| {
        let program = arguments[0].rsplit('/').next().unwrap_or_default();
        DAEMONS.contains(&program)
    };
    let by_unit = DAEMONS.into_iter().find(|name| system.runs_unit(&format!("{name}.service")));
    let by_process = system.processes(is_daemon).unwrap_or_default();
    match (by_unit, by_process.first()) {
        (None, None) => PIN_DAEMONS.ok(format!("none of {} runs", DAEMONS.join(", "))),
        (Some(name), _) => PIN_DAEMONS
            .warn(format!("{name} runs: it can drive any pin, past the kernel and past the relay guard"))
            .mend([say("unless you need it:"), run(format!("sudo systemctl disable --now {name}"))]),
        (None, Some(process)) => PIN_DAEMONS
            .warn(format!("process {process} can drive any pin, past the kernel and past the relay guard"))
            .mend([say("unless you need it:"), run(format!("sudo kill {process}"))]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::super::testing::{Tree, statuses};
    use super::*;

    fn check(tree: Tree, id: &str, expected: Status) {
        let findings = checks(&tree.system());
        assert_eq!(statuses(&findings, id), [expected], "{findings:?}");
    }

    #[test]
    fn the_original_by_its_unit_or_its_process() {
        let unit = "etc/systemd/system/filamentbox.service";
        let theirs = "[Service]\nExecStart=/opt/filamentcontrol/filamentcontrol/bin/python run_filamentbox.py\n";
        let ours = "[Service]\nExecStart=/usr/bin/filamentbox run\n";
        let group = "sys/fs/cgroup/system.slice/filamentbox.service/cgroup.procs";
        let wants = "etc/systemd/system/multi-user.target.wants/filamentbox.service";
        let process = "/opt/filamentcontrol/filamentcontrol/bin/python3\0run_filamentbox.py\0--debug\0";
        check(Tree::pi_4(), "python-original", Status::Ok);
        check(Tree::pi_4().file(unit, theirs), "python-original", Status::Ok);
        check(Tree::pi_4().file(unit, theirs).file(group, "7"), "python-original", Status::Fail);
        check(Tree::pi_4().file(unit, theirs).file(wants, ""), "python-original", Status::Warn);
        check(Tree::pi_4().file(unit, ours).file(group, "7").file(wants, ""), "python-original", Status::Ok);
        let by_hand = || Tree::pi_4().file("proc/1/comm", "systemd").file("proc/9/cmdline", process);
        check(by_hand(), "python-original", Status::Fail);
        check(by_hand().file("proc/9/cmdline", "vim\0run_filamentbox.py\0"), "python-original", Status::Ok);
    }

    #[test]
    fn daemons_that_go_past_the_kernel() {
        check(Tree::pi_4(), "pin-daemons", Status::Ok);
        check(
            Tree::pi_4().file("sys/fs/cgroup/system.slice/pigpiod.service/cgroup.procs", "9"),
            "pin-daemons",
            Status::Warn,
        );
        let by_hand = Tree::pi_4().file("proc/1/comm", "systemd").file("proc/9/cmdline", "/usr/bin/pigpiod\0-l\0");
        check(by_hand, "pin-daemons", Status::Warn);
    }
}
