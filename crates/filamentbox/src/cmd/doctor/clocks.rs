//! The wall clock. Decisions never use it; the time on every sample comes from it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::finding::{Check, Finding, run, say};
use super::pins::append;
use super::system::System;
use crate::journal;
use crate::runtime::clock_sync::{Doubt, SYNCHRONISED_FLAG, decide, signs};

const GROUP: &str = "clock";
const YEAR: Check = Check::working(GROUP, "clock-year", "date");
const SYNCHRONISED: Check = Check::working(GROUP, "clock-synchronised", "synchronised");
const AT_BOOT: Check = Check::working(GROUP, "clock-at-boot", "after power-up");

/// Programs that keep the clock and do not tell where it can be read without privileges.
const OTHER_KEEPERS: [(&str, &str); 3] =
    [("chrony.service", "chronyc tracking"), ("chronyd.service", "chronyc tracking"), ("ntpsec.service", "ntpq -p")];

pub(super) fn checks(system: &System) -> Vec<Finding> {
    vec![year(system), synchronised(system), at_boot(system)]
}

/// Whether the daemon would believe the clock.
fn year(system: &System) -> Finding {
    let wall = system.machine.wall();
    let shown = wall.and_then(|wall| Timestamp::from_millisecond(wall.millis()).ok());
    let text = shown.map_or("no time".to_owned(), |at| at.to_zoned(TimeZone::UTC).strftime("%F %T UTC").to_string());
    let newest = journal::newest(&system.root_path(&system.data_dir).join(&system.config.journal_path));
    let Err(doubt) = decide(&signs(&system.root, wall, newest), system.config.require_sync) else {
        return YEAR.ok(format!("the clock shows {text}"));
    };
    let found = format!("the clock shows {text}, and samples get their times only when it is set: {doubt}");
    let finding = if doubt == Doubt::NotSet { YEAR.warn(found) } else { YEAR.fail(found) };
    finding.mend([say("connect the network and let the clock be set:"), run("sudo timedatectl set-ntp true")])
}

fn synchronised(system: &System) -> Finding {
    if system.exists(SYNCHRONISED_FLAG) {
        return SYNCHRONISED.ok("set from the network since power-up");
    }
    if let Some((unit, question)) = OTHER_KEEPERS.into_iter().find(|(unit, _)| system.runs_unit(unit)) {
        return SYNCHRONISED.skip(format!("{unit} keeps the clock and is not asked here; ask it: {question}"));
    }
    let mend = [
        run("sudo timedatectl set-ntp true"),
        say("needs the network; this shows the state, a minute later:"),
        run("timedatectl status"),
    ];
    if system.runs_unit("systemd-timesyncd.service") {
        return SYNCHRONISED.warn("not set from the network yet: times of samples may be wrong").mend(mend);
    }
    SYNCHRONISED.warn("no program that sets the clock from the network is seen to run").mend(mend)
}

fn at_boot(system: &System) -> Finding {
    let model = system.model();
    if system.exists("/dev/rtc0") || system.exists("/dev/rtc") {
        // A Pi 5's clock chip forgets the time with the power unless it has a battery.
        let needs_battery = model.is_some_and(|model| model.has_rp1());
        let battery = if needs_battery { ", which runs on without power only if its battery is connected" } else { "" };
        return AT_BOOT.ok(format!("there is a clock chip{battery}"));
    }
    let is_kept = system.exists("/etc/fake-hwclock.data") || system.exists("/var/lib/systemd/timesync/clock");
    let shows = if is_kept { "the time of the last shutdown" } else { "a time long past" };
    let found = format!("there is no clock chip: after power-up the clock shows {shows}, until the network sets it");
    if system.exists(SYNCHRONISED_FLAG) {
        return AT_BOOT.ok(found);
    }
    let finding = AT_BOOT.warn(found).mend([say("let the network be there at power-up")]);
    if model.is_none() {
        return finding;
    }
    let overlay = append("dtoverlay=i2c-rtc,ds3231", system.boot_config_path());
    finding.mend([say("or fit a clock chip, such as a DS3231 on the I2C bus, and add:")]).mend(overlay)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::super::testing::{Tree, statuses};
    use super::*;

    #[test]
    fn whether_the_clock_is_believed() {
        let flag = "run/systemd/timesync/synchronized";
        let status = |tree: Tree| statuses(&checks(&tree.system()), "clock-year");
        assert_eq!(status(Tree::pi_4()), [Status::Ok]);
        assert_eq!(status(Tree::pi_4().without(flag)), [Status::Warn]);
        assert_eq!(status(Tree::pc().without(flag)), [Status::Ok]);
    }

    #[test]
    fn who_sets_the_clock() {
        let flag = "run/systemd/timesync/synchronized";
        let status = |tree: Tree| statuses(&checks(&tree.system()), "clock-synchronised");
        assert_eq!(status(Tree::pi_4()), [Status::Ok]);
        assert_eq!(status(Tree::pi_4().without(flag)), [Status::Warn]);
        let chrony = "sys/fs/cgroup/system.slice/chrony.service/cgroup.procs";
        assert_eq!(status(Tree::pi_4().without(flag).file(chrony, "")), [Status::Skip]);
    }

    #[test]
    fn what_the_clock_shows_after_power_up() {
        let status = |tree: Tree| statuses(&checks(&tree.system()), "clock-at-boot");
        let flag = "run/systemd/timesync/synchronized";
        assert_eq!(status(Tree::pi_4()), [Status::Ok]);
        assert_eq!(status(Tree::pi_4().without(flag)), [Status::Warn]);
        assert_eq!(status(Tree::pi_4().without(flag).file("dev/rtc0", "")), [Status::Ok]);
        assert_eq!(status(Tree::pc().without(flag).without("dev/rtc0")), [Status::Warn]);
    }
}
