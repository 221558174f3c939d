//! A machine whose wall clock is wrong for a while: the real binary with libfaketime, and a real database.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use filamentbox::runtime::clock::boottime;

use crate::support::{Daemon, InfluxServer, Server, Stored, is_installed, wait_until};

/// libfaketime, which `faketime` comes with.
fn library() -> Option<PathBuf> {
    if !is_installed("faketime") {
        return None;
    }
    let folders = std::fs::read_dir("/usr/lib").expect("/usr/lib").flatten();
    let found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file());
    Some(found.expect("faketime has its library where Debian puts it"))
}

fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// A daemon that delivers to `server`, and the file that says how far its wall clock is off, in seconds.
fn daemon(server: &InfluxServer) -> (Daemon, PathBuf) {
    let mut daemon = Daemon::new();
    daemon.set("database.type", "influxdb_v1").set("data_collection.flush_interval", "1");
    for (key, value) in server.settings() {
        daemon.set(&key, &value);
    }
    let file = daemon.folder().join("clock");
    (daemon, file)
}

fn set_clock(file: &Path, ahead_s: f64) {
    std::fs::write(file, format!("{ahead_s:+.0}\n")).expect("the clock's file");
}

fn fake(daemon: &mut Daemon, library: &Path, file: &Path) {
    let variables = [("DONT_FAKE_MONOTONIC", "1"), ("NO_FAKE_STAT", "1"), ("FAKETIME_NO_CACHE", "1")];
    for (name, value) in variables {
        daemon.variable(name, value);
    }
    daemon.variable("LD_PRELOAD", &library.to_string_lossy());
    daemon.variable("FAKETIME_TIMESTAMP_FILE", &file.to_string_lossy());
}

fn samples(daemon: &Daemon) -> u64 {
    daemon.status().and_then(|status| status["journal"]["samples"].as_u64()).unwrap_or(0)
}

fn take(daemon: &Daemon, count: u64) {
    let goal = samples(daemon) + count;
    wait_until("samples", || samples(daemon) >= goal);
}

fn waits(daemon: &Daemon) -> bool {
    daemon.status().is_some_and(|status| status["journal"]["waiting_for_clock"] == true)
}

/// Every reading of the trace is in the database once, within a second of its true time, but for those that `kills` caught before the
/// journal had them.
#[track_caller]
fn assert_true(daemon: &Daemon, stored: &[Stored], kills: usize) {
    let ahead_s = unix_seconds() - boottime().seconds();
    let trace: Vec<(f64, String, String)> = daemon
        .trace()
        .iter()
        .filter(|line| line[1] == "sample")
        .map(|line| (line[0].parse::<f64>().expect("seconds") + ahead_s, line[3].clone(), line[4].clone()))
        .collect();
    let mut rest = trace.iter();
    for point in stored {
        let number = |name: &str| format!("{:.2}", point.fields[name]);
        let (temperature, humidity) = (number("temperature_c"), number("humidity"));
        let found = rest.find(|(_, t, h)| *t == temperature && *h == humidity);
        let (truth, ..) = found.unwrap_or_else(|| panic!("{} ms was never read, or is there twice", point.ms));
        let off_s = point.ms as f64 / 1000.0 - truth;
        assert!(off_s.abs() < 1.0, "{} ms is off by {off_s} s", point.ms);
    }
    assert!(stored.len() + kills + 1 >= trace.len(), "{} of {} readings are there", stored.len(), trace.len());
}

/// Starts with a clock that is `ahead_s` off, is killed, sets the clock right, and looks at what arrived.
fn check(daemon: &mut Daemon, server: &InfluxServer, library: &Path, file: &Path, ahead_s: f64, kills: usize) {
    set_clock(file, ahead_s);
    fake(daemon, library, file);
    daemon.start();
    take(daemon, 4);
    assert!(waits(daemon));
    daemon.kill();
    daemon.start();
    take(daemon, 4);
    assert!(waits(daemon));
    assert!(daemon.ask(&["status"]).contains("waiting for the clock"));
    set_clock(file, 0.0);
    wait_until("the clock is known", || !waits(daemon));
    take(daemon, 4);
    daemon.stop();
    let (stored, kept) = (server.points("environment"), daemon.history().len());
    assert_eq!(stored.len(), kept, "all that was kept has arrived, and each under a time of its own");
    assert_true(daemon, &stored, kills);
}

#[test]
fn a_boot_in_1970_waits_for_the_clock_and_loses_nothing() {
    let (Some(library), Some(server)) = (library(), InfluxServer::start()) else { return };
    let (mut daemon, file) = daemon(&server);
    check(&mut daemon, &server, &library, &file, 86_400.0 - unix_seconds().floor(), 1);
}

#[test]
fn a_boot_forty_days_ago_overwrites_nothing() {
    let (Some(library), Some(server)) = (library(), InfluxServer::start()) else { return };
    let asked = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output();
    let says_so = asked.is_ok_and(|output| output.stdout.trim_ascii() == b"yes");
    if says_so || Path::new("/run/systemd/timesync/synchronized").exists() {
        println!("SKIPPED: this machine's clock is known to be right, so the daemon believes what it shows");
        return;
    }
    let (mut daemon, file) = daemon(&server);
    daemon.start();
    take(&daemon, 6);
    daemon.stop();
    let before = server.points("environment");
    check(&mut daemon, &server, &library, &file, -40.0 * 86_400.0, 1);
    let after = server.points("environment");
    assert_eq!(after[..before.len()], before, "what was there stays as it was");
}

#[test]
fn a_clock_that_is_set_forward_while_running_is_right_from_then_on() {
    let (Some(library), Some(server)) = (library(), InfluxServer::start()) else { return };
    let (mut daemon, file) = daemon(&server);
    daemon.set("data_collection.flush_interval", "3600");
    set_clock(&file, -7_200.0);
    fake(&mut daemon, &library, &file);
    daemon.start();
    take(&daemon, 4);
    assert!(!waits(&daemon), "two hours ago is plausible");
    set_clock(&file, 0.0);
    take(&daemon, 4);
    daemon.stop();
    assert!(daemon.log().contains("the clock was set forward by 2 h 0 min"), "{}", daemon.log());
    let stored = server.points("environment");
    assert_eq!(stored.len(), daemon.history().len());
    assert_true(&daemon, &stored, 0);
}
