//! Whole machines, as a person sees them.

use serde_json::json;

use super::finding::{Finding, Status};
use super::testing::{NoSwitch, Tree};
use super::*;

fn report(tree: Tree, safety_only: bool) -> Report {
    examine(&tree.system(), safety_only, None, &mut NoSwitch)
}

/// Check and subject of everything with this status.
fn with(report: &Report, status: Status) -> Vec<String> {
    let of_status = report.findings.iter().filter(|finding| finding.status == status);
    let name = |finding: &Finding| match &finding.subject {
        Some(subject) => format!("{}/{subject}", finding.check.id),
        None => finding.check.id.to_owned(),
    };
    of_status.map(name).collect()
}

/// With heater and fan, and a daemon whose sensor answers.
fn both(tree: Tree) -> Tree {
    let output = json!({ "enabled": true, "on": false });
    let status = json!({
        "version": "0.1.0", "uptime": 60.0, "simulated": false,
        "sensor": { "temperature_c": 21.0, "humidity": 12.0, "error": null },
        "controls": { "heater": output, "fan": output },
        "safety": { "faults": [] }, "journal": { "samples": 12, "disk_error": null }, "database": { "sinks": [] },
        "web": { "url": "https://192.168.1.20:5000", "error": null },
    });
    let tree = tree.set("heating_control.enabled", "true").set("humidity_control.enabled", "true");
    let tree = tree.set("webui.password", "correct horse battery");
    let tree = tree.file("proc/1/comm", "systemd").file("proc/9/cmdline", "/usr/bin/filamentbox\0relay-guard\0");
    tree.file("proc/9/status", "VmLck:\t 900 kB\n").daemon(Daemon::Running(status))
}

fn in_order() -> Tree {
    both(Tree::pi_4())
        .file("boot/firmware/config.txt", "[all]\ndtparam=strict_gpiod\ngpio=16,20=op,dl\n")
        .file("etc/filamentbox/relay.toml", "heater_pins = [16]\n")
}

#[test]
fn a_pi_4_in_order_has_no_failure_and_no_weakness_of_its_pins() {
    let report = report(in_order(), false);
    assert!(!report.has_failed(), "{}", page::page(&report));
    assert_eq!(with(&report, Status::Warn), [""; 0], "{}", page::page(&report));
    let pins: Vec<_> = report.findings.iter().filter(|finding| finding.check.group == "pins").collect();
    let ok = |finding: &&&Finding| finding.status == Status::Ok;
    // Persistence; choice; boot level and holder of both outputs; polarity was not asked about.
    assert_eq!((pins.len(), pins.iter().filter(ok).count()), (8, 6), "{}", page::page(&report));
}

#[test]
fn a_pi_4_as_shipped_fails_where_a_killed_guard_would_leave_it_heating() {
    let report = report(both(Tree::pi_4_as_shipped()), false);
    assert_eq!(with(&report, Status::Fail), ["pin-persistence"], "{}", page::page(&report));
    let weak = with(&report, Status::Warn);
    for id in ["boot-level/heater", "boot-level/fan"] {
        assert!(weak.iter().any(|name| name == id), "{weak:?}");
    }
    let page = page::page(&report);
    assert!(page.contains("$ printf '\\n[all]\\ndtparam=strict_gpiod\\n' |\n                sudo tee -a"), "{page}");
}

#[test]
fn an_active_low_board_on_a_pi_4_as_shipped_heats_during_boot() {
    let report = report(both(Tree::pi_4_as_shipped()).set("heating_control.active_low", "true"), true);
    assert_eq!(with(&report, Status::Fail), ["pin-persistence", "boot-level/heater"], "{}", page::page(&report));
}

#[test]
fn a_pi_5_is_judged_by_the_chip_that_holds_its_header() {
    let failing = report(both(Tree::pi_5()), true);
    assert_eq!(with(&failing, Status::Fail), ["pin-persistence"], "{}", page::page(&failing));
    let parameter = "sys/module/pinctrl_rp1/parameters/persist_gpio_outputs";
    let mended = report(both(Tree::pi_5()).file(parameter, "N"), true);
    assert!(!mended.has_failed(), "{}", page::page(&mended));
}

#[test]
fn a_daemon_that_cannot_be_asked_is_not_taken_for_none() {
    let unit = "sys/fs/cgroup/system.slice/filamentbox.service/cgroup.procs";
    let guard = |arguments: &str| Tree::pi_4().file("proc/1/comm", "systemd").file("proc/9/cmdline", arguments);
    let cases = [
        (Tree::pi_4(), false),
        (Tree::pi_4().file(unit, "9"), true),
        (guard("/usr/bin/filamentbox\0relay-guard\0"), true),
        (guard("/usr/bin/filamentbox\0relay-guard\0--simulate\0"), false),
        (both(Tree::pi_4()).file(unit, "9"), false),
    ];
    for (index, (tree, expected)) in cases.into_iter().enumerate() {
        assert_eq!(tree.system().other_daemon().is_some(), expected, "case {index}");
    }
    let unreachable =
        Tree::pi_4().set("humidity_control.enabled", "true").daemon(Daemon::Unreachable("hidden".to_owned()));
    let report = report(unreachable, false);
    for id in ["sensor-reading", "relay-polarity/fan", "faults", "backend"] {
        assert!(with(&report, Status::Skip).iter().any(|name| name == id), "{id}: {}", page::page(&report));
    }
}

#[test]
fn a_pc_skips_what_only_a_pi_has_with_the_reason() {
    let report = report(Tree::pc().set("sensor.type", "simulated"), false);
    assert!(!report.has_failed(), "{}", page::page(&report));
    let skipped = with(&report, Status::Skip);
    for id in ["pin-persistence", "boot-level", "pin-holder", "hardware-watchdog", "boot-watchdog"] {
        assert!(skipped.iter().any(|name| name == id), "{skipped:?}");
    }
    assert!(report.findings.iter().all(|finding| !finding.found.is_empty()));
}

#[test]
fn whatever_is_not_ok_says_how_to_mend_it_and_fits_the_page() {
    let trees = [Tree::pi_4_as_shipped(), Tree::pi_5(), Tree::pc(), Tree::pi_4().without("boot/firmware/config.txt")];
    for tree in trees.map(both) {
        let report = report(tree.without("run/systemd/timesync/synchronized"), false);
        for finding in &report.findings {
            let needs = matches!(finding.status, Status::Warn | Status::Fail);
            assert!(!needs || !finding.remedy.is_empty(), "{finding:?}");
            assert!(finding.check.title.len() <= 17, "{finding:?}");
        }
        let page = page::page(&report);
        let too_wide: Vec<&str> = page.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(too_wide, Vec::<&str>::new());
    }
}

#[test]
fn safety_leaves_out_everything_else() {
    let safety = report(in_order(), true);
    assert!(safety.findings.iter().all(|finding| finding.check.concern == Concern::Safety));
    let ids: std::collections::BTreeSet<&str> = safety.findings.iter().map(|finding| finding.check.id).collect();
    let expected = [
        "boot-level",
        "boot-watchdog",
        "faults",
        "hardware-watchdog",
        "heater-pins",
        "limits-effect",
        "locked-memory",
        "pin-choice",
        "pin-daemons",
        "pin-holder",
        "pin-persistence",
        "python-original",
        "relay-guard",
        "relay-limits",
        "relay-polarity",
        "sensor-range",
        "sensor-reading",
    ];
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn the_json_has_a_stable_shape() {
    let json = report(both(Tree::pi_4_as_shipped()), true).json();
    assert_eq!(json["healthy"], false);
    assert_eq!(json["counts"]["fail"], 1);
    let findings = json["findings"].as_array().expect("a list");
    let finding = findings.iter().find(|finding| finding["id"] == "pin-persistence").expect("checked");
    let keys: Vec<&str> = finding.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["found", "group", "id", "remedy", "safety", "status", "subject", "title"]);
    assert_eq!(finding["status"], "fail");
    let expected = json!({
        "do": "put", "text": "[all]\ndtparam=strict_gpiod", "file": "/boot/firmware/config.txt, at its end",
    });
    assert_eq!(finding["remedy"][0], expected);
    assert_eq!(finding["remedy"][3], json!({ "do": "run", "text": "sudo reboot" }));
}
