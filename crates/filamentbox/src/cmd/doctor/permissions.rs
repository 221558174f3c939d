//! Whether this process may use the devices and folders that the settings need.

use std::io;
use std::path::{Path, PathBuf};

use filamentbox_devices::sensors::{SENSORS, SensorKind};

use super::finding::{Check, Finding, Step, run, say};
use super::outputs::enabled;
use super::system::System;

const GROUP: &str = "permissions";
const GPIO: Check = Check::working(GROUP, "gpio", "GPIO chips");
const I2C: Check = Check::working(GROUP, "i2c", "I2C bus");
const DATA_DIR: Check = Check::working(GROUP, "data-dir", "data folder");

/// Kinds of sensors on a GPIO line.
const GPIO_SENSORS: [&str; 1] = ["dht"];
/// What root may do says nothing about the daemon's user.
const AS_ROOT: &str = " (asked as root: what the daemon's own user may is not seen)";

pub(super) fn checks(system: &System) -> Vec<Finding> {
    vec![gpio(system), i2c(system), data_dir(system)]
}

fn needs(system: &System, sensors: &[&str]) -> bool {
    sensors.iter().any(|name| system.config.sensor_type.starts_with(name))
}

fn as_root(system: &System) -> &'static str {
    if system.machine.user().is_root { AS_ROOT } else { "" }
}

fn gpio(system: &System) -> Finding {
    if enabled(system).is_empty() && !needs(system, &GPIO_SENSORS) {
        return GPIO.skip("no enabled output and no configured sensor needs a GPIO line");
    }
    let chips = system.machine.chips();
    if chips.is_empty() {
        return GPIO
            .fail("there is no GPIO chip (/dev/gpiochip*): heat is refused, nothing can be switched")
            .mend([say("on a Raspberry Pi, bring the system up to date; on another machine, try FilamentBox with \
             `filamentbox run --simulate`")]);
    }
    let labels = chips.iter().filter_map(|chip| chip.opened.as_ref().ok()).map(|(label, _)| label.as_str());
    let labels: Vec<&str> = labels.collect();
    match chips.iter().find_map(|chip| chip.opened.as_ref().err().map(|error| (&chip.path, error))) {
        None => GPIO.ok(format!("{} can be opened{}", labels.join(", "), as_root(system))),
        Some((path, error)) if error.kind() == io::ErrorKind::PermissionDenied => GPIO
            .fail(format!("{} may not open {}", system.machine.user().name, path.display()))
            .mend(join_group(system, "gpio")),
        Some((path, error)) => GPIO
            .warn(format!("{} cannot be asked: {error}", path.display()))
            .mend([say("GPIO lines need a kernel of version 5.10 or later:"), run("uname -r")]),
    }
}

fn i2c(system: &System) -> Finding {
    let is_on_i2c = |kind: &SensorKind| kind.name == system.config.sensor_type && !kind.addresses.is_empty();
    // `auto` looks there too.
    if system.config.sensor_type != "auto" && !SENSORS.iter().any(is_on_i2c) {
        return I2C.skip(format!("sensor.type is {}, which needs no I2C bus", system.config.sensor_type));
    }
    let path = PathBuf::from(format!("/dev/i2c-{}", system.settings.integer("sensor.i2c_bus")));
    match system.may_use(&path) {
        Ok(()) => I2C.ok(format!("{} can be used{}", path.display(), as_root(system))),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => I2C
            .fail(format!("{} may not use {}", system.machine.user().name, path.display()))
            .mend(join_group(system, "i2c")),
        Err(_) => {
            let found = format!("there is no {}", path.display());
            // `auto` may still find a sensor elsewhere.
            let finding = if system.config.sensor_type == "auto" { I2C.warn(found) } else { I2C.fail(found) };
            finding.mend(if system.model().is_some() {
                vec![say("switch the I2C bus on:"), run("sudo raspi-config nonint do_i2c 0")]
            } else {
                vec![say("load its driver, or set sensor.i2c_bus to a bus that exists:"), run("ls /dev/i2c-*")]
            })
        }
    }
}

fn join_group(system: &System, group: &str) -> Vec<Step> {
    let user = system.machine.user().name;
    if system.is_in_group(&user, group) {
        return vec![say(format!(
            "{user} is a member of the group {group} already, and that holds from the next login on: log out and \
             in again, or restart the machine"
        ))];
    }
    vec![
        say("join the groups that may, then log out and in again (a daemon: restart it):"),
        run(format!("sudo usermod -aG gpio,i2c {user}")),
    ]
}

fn data_dir(system: &System) -> Finding {
    let folder = &system.data_dir;
    let existing = nearest(system, folder);
    let user = system.machine.user().name;
    match system.may_use(&existing) {
        Ok(()) if existing == *folder => DATA_DIR.ok(format!("{} can be written{}", folder.display(), as_root(system))),
        Ok(()) => DATA_DIR.ok(format!("{} does not exist and can be made", folder.display())),
        Err(error) => {
            let missing = format!("{} does not exist, and ", folder.display());
            let missing = if existing == *folder { String::new() } else { missing };
            DATA_DIR.fail(format!("{missing}{user} may not write {} ({})", existing.display(), error.kind())).mend([
                say("name a folder of your own:"),
                run("filamentbox --data-dir ~/filamentbox doctor"),
                say("or, for the folder of the service, ask as root:"),
                run("sudo filamentbox doctor"),
            ])
        }
    }
}

/// The folder itself, or the nearest above it that exists.
pub(super) fn nearest(system: &System, folder: &Path) -> PathBuf {
    let exists = |path: &&Path| system.exists(&path.to_string_lossy());
    folder.ancestors().find(exists).unwrap_or(Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::super::testing::{Tree, statuses};
    use super::*;

    fn check(tree: Tree, id: &str, expected: Status) -> Finding {
        let findings = checks(&tree.system());
        assert_eq!(statuses(&findings, id), [expected], "{findings:?}");
        findings.into_iter().find(|finding| finding.check.id == id).expect("just seen")
    }

    #[test]
    fn gpio_on_both_sides() {
        let heated = || Tree::pi_4().set("heating_control.enabled", "true");
        check(Tree::pi_4(), "gpio", Status::Skip);
        check(Tree::pi_4().set("sensor.type", "simulated"), "gpio", Status::Skip);
        check(heated(), "gpio", Status::Ok);
        check(Tree::pc().set("heating_control.enabled", "true"), "gpio", Status::Fail);
        let denied = check(heated().denied("/dev/gpiochip0"), "gpio", Status::Fail);
        assert!(denied.remedy.contains(&run("sudo usermod -aG gpio,i2c pi")), "{denied:?}");
        let member = heated().denied("/dev/gpiochip0").file("etc/group", "gpio:x:997:ann,pi\ni2c:x:998:");
        let login = check(member, "gpio", Status::Fail);
        assert!(matches!(&login.remedy[..], [Step::Say { text }] if text.contains("log out")), "{login:?}");
    }

    #[test]
    fn i2c_on_both_sides() {
        check(Tree::pi_4(), "i2c", Status::Ok);
        check(Tree::pi_4().set("sensor.type", "simulated"), "i2c", Status::Skip);
        check(Tree::pi_4().denied("/dev/i2c-1"), "i2c", Status::Fail);
        let off = check(Tree::pi_4().without("dev/i2c-1"), "i2c", Status::Warn);
        assert!(off.remedy.contains(&run("sudo raspi-config nonint do_i2c 0")), "{off:?}");
        check(Tree::pi_4().set("sensor.i2c_bus", "3"), "i2c", Status::Warn);
    }

    #[test]
    fn the_data_folder_on_both_sides() {
        let ok = check(Tree::pi_4(), "data-dir", Status::Ok);
        assert!(ok.found.contains("can be made"), "{ok:?}");
        let ok = check(Tree::pi_4().file("var/lib/filamentbox/journal.db", ""), "data-dir", Status::Ok);
        assert!(ok.found.contains("can be written"), "{ok:?}");
        check(Tree::pi_4().file("var/lib/filamentbox/x", "").denied("/var/lib/filamentbox"), "data-dir", Status::Fail);
    }
}
