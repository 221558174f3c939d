//! The hardware watchdog: what ends a hanging kernel with a reset, which makes every pin an input again.

use super::bootconfig::Model;
use super::finding::{Check, Finding, Step, run, say};
use super::outputs::missing_protection;
use super::pins::append;
use super::system::System;

const GROUP: &str = "watchdog";
const HARDWARE: Check = Check::safety(GROUP, "hardware-watchdog", "hardware watchdog");
const BOOT: Check = Check::safety(GROUP, "boot-watchdog", "boot watchdog");
const LAST_RESET: Check = Check::working(GROUP, "last-reset", "last restart");

/// A machine under load must feed the watchdog in time.
const SHORTEST_S: f64 = 5.0;
/// The chip of every Raspberry Pi counts 20 bits at 65536 Hz: 16 s. The kernel feeds it itself up to a longer period that was
/// asked for, and stops when it hangs.
const CHIP_LONGEST_S: f64 = 16.0;
/// What Raspberry Pi OS asks for as it is shipped.
const LONGEST_S: f64 = 60.0;
/// WDIOF_CARDRESET: the card previously reset the processor (linux/watchdog.h).
const CARD_RESET: u32 = 0x20;

pub(super) fn checks(system: &System) -> Vec<Finding> {
    let model = system.model();
    let mut findings = vec![hardware(system, model.as_ref())];
    findings.push(match &model {
        Some(model) => boot(system, model),
        None => BOOT.skip("this is not a Raspberry Pi"),
    });
    findings.extend(last_reset(system));
    findings
}

/// A file of the first watchdog in sysfs.
fn attribute(system: &System, name: &str) -> Option<String> {
    system.read(&format!("/sys/class/watchdog/watchdog0/{name}"))
}

fn hardware(system: &System, model: Option<&Model>) -> Finding {
    let exists = ["/dev/watchdog0", "/dev/watchdog", "/sys/class/watchdog/watchdog0"].iter().any(|p| system.exists(p));
    if !exists {
        return match model {
            None => {
                HARDWARE.skip("this machine has no hardware watchdog (/dev/watchdog): nothing resets a hanging kernel")
            }
            Some(_) => HARDWARE
                .found(missing_protection(system), "there is no /dev/watchdog: nothing resets a hanging kernel")
                .mend(append("dtparam=watchdog=on", system.boot_config_path()))
                .mend([run("sudo reboot")]),
        };
    }
    let identity = attribute(system, "identity").unwrap_or_else(|| "a hardware watchdog".to_owned());
    let by_another = system.runs_unit("watchdog.service").then_some(true);
    let is_active = attribute(system, "state").map(|state| state == "active").or(by_another);
    match (runtime_period(system), is_active) {
        (Period::Off, Some(true)) => {
            let timeout = attribute(system, "timeout").map_or(String::new(), |timeout| format!(", {timeout} s"));
            HARDWARE.ok(format!("{identity} is fed by a program other than systemd{timeout}"))
        }
        (Period::Off, _) => HARDWARE
            .found(missing_protection(system), format!("{identity} is there, and nobody uses it"))
            .mend(arm(model)),
        (_, Some(false)) => HARDWARE
            .found(missing_protection(system), format!("{identity} is in systemd's settings and not in force"))
            .mend([run("sudo systemctl daemon-reexec")]),
        (Period::HardwareDefault, _) => HARDWARE.ok(format!("systemd feeds {identity}, with its own period")),
        (Period::Seconds(period), _) => judge_period(system, &identity, period, model),
    }
}

fn judge_period(system: &System, identity: &str, period: f64, model: Option<&Model>) -> Finding {
    let found = format!("systemd feeds {identity} (RuntimeWatchdogSec is {period} s)");
    if period < SHORTEST_S {
        return HARDWARE.warn(format!("{found}: so short that a busy machine may restart")).mend(arm(model));
    }
    if period > LONGEST_S {
        return HARDWARE.warn(format!("{found}: hanging programs are ended late")).mend(arm(model));
    }
    if period > CHIP_LONGEST_S && model.is_some() && !feeds_for_long(system) {
        let found = format!("{found}: this kernel cannot make a Raspberry Pi's watchdog wait for more than 15 s");
        return HARDWARE.warn(found).mend(arm(model));
    }
    if period > CHIP_LONGEST_S && model.is_some() {
        return HARDWARE.ok(format!(
            "{found}; a hanging kernel is reset within {CHIP_LONGEST_S} s all the same: the chip counts no further"
        ));
    }
    HARDWARE.ok(found)
}

/// Whether the kernel feeds the chip by itself up to a period longer than it counts. The driver (bcm2835_wdt) does since 6.7 and
/// the stable releases of that time; what was older refused, or restarted the machine again and again.
fn feeds_for_long(system: &System) -> bool {
    let release = system.read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version >= (6, 6))
}

/// Steps that make systemd use the watchdog.
fn arm(model: Option<&Model>) -> [Step; 3] {
    // systemd of a single-core Raspberry Pi is away for more than 10 s when packages are installed.
    let is_slow =
        model.is_some_and(|model| ["Zero W", "Zero Rev", "Pi Model"].iter().any(|n| model.name().contains(n)));
    let period = if is_slow { "1min" } else { "10" };
    [
        run("sudo mkdir -p /etc/systemd/system.conf.d"),
        // A name late in the alphabet: files of all folders are read by name, and Raspberry Pi OS brings one with 40.
        run(format!(
            "printf '[Manager]\\nRuntimeWatchdogSec={period}\\n' |\nsudo tee /etc/systemd/system.conf.d/90-filamentbox.conf"
        )),
        run("sudo systemctl daemon-reexec"),
    ]
}

fn boot(system: &System, model: &Model) -> Finding {
    let file = system.boot_config_path();
    let Some(config) = system.boot_config(model) else {
        return BOOT.skip(format!("{file} cannot be read"));
    };
    match config.value("kernel_watchdog_timeout").map(str::parse::<u32>) {
        Some(Ok(0)) | None => {
            BOOT.ok("not set (kernel_watchdog_timeout): a start that hangs stays so, with the pins at their boot level")
        }
        Some(Ok(seconds)) => BOOT.ok(format!("a start of Linux that hangs is reset after {seconds} s")),
        Some(Err(_)) => BOOT
            .warn(format!("kernel_watchdog_timeout in {file} is not a number of seconds"))
            .mend([say("correct it to:")])
            .mend(append("kernel_watchdog_timeout=60", file)),
    }
}

fn last_reset(system: &System) -> Option<Finding> {
    let bits: u32 = attribute(system, "bootstatus")?.parse().ok()?;
    Some(if bits & CARD_RESET == 0 {
        LAST_RESET.ok("not by the watchdog")
    } else {
        LAST_RESET
            .warn("the watchdog has restarted this machine: it had hung")
            .mend([say("look at what happened before, and at power supply and card:"), run("journalctl -b -1 -e")])
    })
}

/// What systemd is told to do with the watchdog.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Period {
    Off,
    HardwareDefault,
    Seconds(f64),
}

/// `RuntimeWatchdogSec`, from system.conf and its drop-ins: a folder's file hides files of the same name in folders after it,
/// and files are read in the order of their names (systemd-system.conf(5)).
fn runtime_period(system: &System) -> Period {
    const FOLDERS: [&str; 4] = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];
    let main = FOLDERS.iter().find_map(|folder| system.read(&format!("{folder}/system.conf")));
    let mut drop_ins: Vec<(String, String)> = Vec::new();
    for folder in FOLDERS {
        for name in system.names(&format!("{folder}/system.conf.d")).into_iter().filter(|name| name.ends_with(".conf"))
        {
            if !drop_ins.iter().any(|(known, _)| *known == name) {
                let text = system.read(&format!("{folder}/system.conf.d/{name}")).unwrap_or_default();
                drop_ins.push((name, text));
            }
        }
    }
    drop_ins.sort();
    let texts = main.into_iter().chain(drop_ins.into_iter().map(|(_, text)| text));
    texts.filter_map(|text| period_in(&text)).next_back().unwrap_or(Period::Off)
}

fn period_in(text: &str) -> Option<Period> {
    let values = text.lines().filter_map(|line| line.trim().strip_prefix("RuntimeWatchdogSec"));
    let value = values.filter_map(|rest| rest.trim_start().strip_prefix('=')).next_back()?.trim();
    Some(match value {
        "" | "off" | "0" => Period::Off,
        "default" => Period::HardwareDefault,
        span => match seconds(span) {
            Some(0.0) | None => Period::Off,
            Some(seconds) => Period::Seconds(seconds),
        },
    })
}

/// A time span as systemd writes it: `15`, `15s`, `1min 30s`, `500ms` (systemd.time(7)). `None` when it is none.
fn seconds(span: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = span.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "" | "s" | "sec" | "second" | "seconds" => 1.0,
            "ms" | "msec" => 0.001,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3600.0,
            _ => return None,
        };
        total += number * unit;
        rest = rest[letters..].trim_start();
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::super::testing::{Tree, statuses};
    use super::*;

    #[test]
    fn time_spans_as_systemd_writes_them() {
        let cases = [("15", 15.0), ("15s", 15.0), ("1m", 60.0), ("1min 30s", 90.0), ("500ms", 0.5), ("1h", 3600.0)];
        for (text, expected) in cases {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["soon", "1 fortnight", "-1"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_file_by_name_wins_and_a_folder_hides_later_ones() {
        let vendor = "usr/lib/systemd/system.conf.d/40-rpi-enable-watchdog.conf";
        let manager = |value: &str| format!("[Manager]\nRuntimeWatchdogSec={value}\n");
        let tree = || Tree::pc().file(vendor, &manager("1m"));
        assert_eq!(runtime_period(&tree().system()), Period::Seconds(60.0));
        let early = tree().file("etc/systemd/system.conf.d/10-mine.conf", &manager("15"));
        assert_eq!(runtime_period(&early.system()), Period::Seconds(60.0), "the vendor's file comes later");
        let late = tree().file("etc/systemd/system.conf.d/90-mine.conf", &manager("15"));
        assert_eq!(runtime_period(&late.system()), Period::Seconds(15.0));
        let hidden = tree().file("etc/systemd/system.conf.d/40-rpi-enable-watchdog.conf", "");
        assert_eq!(runtime_period(&hidden.system()), Period::Off);
        let commented = Tree::pc().file("etc/systemd/system.conf", "[Manager]\n#RuntimeWatchdogSec=15\n");
        assert_eq!(runtime_period(&commented.system()), Period::Off);
    }

    #[test]
    fn the_watchdog_on_both_sides() {
        use Status::{Fail, Ok, Skip, Warn};
        let period = |value: &str| format!("[Manager]\nRuntimeWatchdogSec={value}\n");
        let conf = "etc/systemd/system.conf";
        let state = "sys/class/watchdog/watchdog0/state";
        let release = "proc/sys/kernel/osrelease";
        let pi = || Tree::pi_4().without("usr/lib/systemd/system.conf.d/40-rpi-enable-watchdog.conf");
        let cases = [
            (Tree::pi_4(), Ok),
            (pi().file(conf, &period("15")), Ok),
            (pi().file(conf, &period("4")), Warn),
            (pi().file(conf, &period("5")), Ok),
            (pi().file(conf, &period("60")), Ok),
            (pi().file(conf, &period("61")), Warn),
            (pi().file(conf, &period("15")).file(state, "inactive"), Fail),
            (pi().file(state, "inactive"), Fail),
            (pi().file(state, "active"), Ok),
            (pi(), Fail),
            (Tree::pi_4().file(release, "6.6.20+rpt-rpi-v8"), Ok),
            (Tree::pi_4().file(release, "6.1.21-v8+"), Warn),
            (pi().file(release, "6.1.21-v8+").file(conf, &period("15")), Ok),
            (pi().file("sys/fs/cgroup/system.slice/watchdog.service/cgroup.procs", "7"), Ok),
            (pi().file(conf, &period("default")), Ok),
            (pi().without("dev/watchdog0").without("sys/class/watchdog/watchdog0"), Fail),
            (Tree::pc(), Skip),
        ];
        for (index, (tree, status)) in cases.into_iter().enumerate() {
            let system = tree.set("heating_control.enabled", "true").system();
            assert_eq!(statuses(&checks(&system), "hardware-watchdog"), [status], "case {index}");
        }
    }

    #[test]
    fn a_slow_machine_gets_a_longer_period() {
        let command = |text: &str| format!("{:?}", arm(Model::new(text).as_ref()));
        assert!(command("Raspberry Pi Zero W Rev 1.1").contains("=1min"));
        assert!(command("Raspberry Pi Model B Plus Rev 1.2").contains("=1min"));
        assert!(command("Raspberry Pi Zero 2 W Rev 1.0").contains("=10"));
        assert!(command("Raspberry Pi 4 Model B Rev 1.4").contains("=10"));
    }

    #[test]
    fn boot_and_last_reset() {
        use Status::{Ok, Warn};
        let config = "boot/firmware/config.txt";
        let status = |tree: Tree, id| statuses(&checks(&tree.system()), id);
        assert_eq!(status(Tree::pi_4().file(config, "kernel_watchdog_timeout=60"), "boot-watchdog"), [Ok]);
        assert_eq!(status(Tree::pi_4().file(config, "kernel_watchdog_timeout=soon"), "boot-watchdog"), [Warn]);
        let bits = "sys/class/watchdog/watchdog0/bootstatus";
        assert_eq!(status(Tree::pi_4().file(bits, "0"), "last-reset"), [Ok]);
        assert_eq!(status(Tree::pi_4().file(bits, "32"), "last-reset"), [Warn]);
        assert_eq!(status(Tree::pi_4().without(bits), "last-reset"), []);
    }
}
