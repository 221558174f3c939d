//! A sample of the kill points and faults, on the real daemon that delivers to a server that counts.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;

use super::strace::{self, Fault};
use crate::keeping::{assert_complete, take_samples};
use crate::support::{Daemon, FaultServer, wait_until};

/// Where: the `number`-th such call of the journal's thread.
type Hit = (&'static str, &'static str, u64, Fault);

/// The points of a request: time, and the fields as text.
fn points(request: &str) -> Vec<(i64, String)> {
    let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
    if !head.starts_with("POST /write") {
        return Vec::new();
    }
    let point = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (fields, time) = (words.next().expect("fields"), words.next().expect("a time"));
        (time.parse().expect("a number"), fields.to_owned())
    };
    body.lines().map(point).collect()
}

/// Hits the daemon once, starts it again, and compares what was measured with what it kept and with what arrived.
fn hit((durability, call, number, fault): Hit) {
    let server = FaultServer::start([]);
    let mut daemon = Daemon::new();
    daemon
        .set("database.type", "influxdb_v1")
        .set("database.influxdb_v1.url", &server.url())
        .set("database.influxdb_v1.gzip", "off")
        .set("database.influxdb_v1.database", "filament")
        .set("persistence.durability", durability)
        .set("data_collection.read_interval", "5")
        .set("data_collection.flush_interval", "20");
    daemon.argument("--time-scale").argument("200");
    let paths = ["", "-wal", "-journal"].map(|suffix| daemon.folder().join(format!("journal.db{suffix}")));
    // With -D strace is no parent: the daemon stays our own child.
    let mut before = strace::tracing(call, &paths, &daemon.folder().join("strace"));
    before.extend(strace::injecting(call, number, fault));
    before.insert(1, "-D".to_owned());
    daemon.under(before);
    let kills = usize::from(fault == Fault::Kill);
    if fault == Fault::Kill {
        let status = daemon.start_until_its_end();
        assert!(status.signal().is_some(), "killed: {status}");
    } else {
        daemon.start();
        let log = daemon.folder().join("strace");
        wait_until("the fault", || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("(INJECTED)")));
        take_samples(&daemon, 20);
        assert!(daemon.log().contains("the journal's disk fails"), "it is said");
        assert!(daemon.stop().success(), "it goes on");
    }
    let seen = server.requests().len();
    daemon.under(Vec::new()).start();
    take_samples(&daemon, 20);
    let totals = || daemon.outbox("influxdb_v1")["totals"].clone();
    wait_until("everything is delivered", || totals()["waiting"] == 0);
    assert!(daemon.stop().success());
    // Simulated time is up to two readings ahead of the journal: either end of a daemon catches them and one more on their way.
    assert_complete(&daemon, 5);
    assert_arrived(&daemon, &server, seen, kills);
}

/// Each point of the history arrived, with one set of values, and once; but for the request whose answer a kill may have cut off.
fn assert_arrived(daemon: &Daemon, server: &FaultServer, seen: usize, kills: usize) {
    let mut arrived: BTreeMap<i64, Vec<(usize, String)>> = BTreeMap::new();
    for (index, request) in server.requests().iter().enumerate() {
        for (time, fields) in points(request) {
            arrived.entry(time).or_default().push((index, fields));
        }
    }
    let history = daemon.history();
    for sample in &history {
        let time = (sample["timestamp"].as_f64().expect("a time") * 1000.0).round() as i64;
        let copies = arrived.remove(&time).unwrap_or_else(|| panic!("{sample} did not arrive"));
        let (first, fields) = &copies[0];
        assert!(copies.iter().all(|(_, copy)| copy == fields), "{time} arrived with other values: {copies:?}");
        let is_excused = kills > 0 && *first + 1 == seen && copies.len() == 2;
        assert!(
            copies.len() == 1 || is_excused,
            "{time} arrived in the requests {copies:?}; the kill was after {seen}"
        );
    }
    assert!(arrived.is_empty(), "these arrived and are not in the history: {arrived:?}");
    println!(
        "{} samples arrived in {} requests, {seen} of them before the fault",
        history.len(),
        server.requests().len()
    );
}

fn hit_all(hits: &[Hit]) {
    for hit_here in hits {
        println!("{hit_here:?}");
        hit(*hit_here);
    }
}

#[test]
fn a_daemon_that_is_killed_in_the_middle_of_a_write_loses_nothing() {
    if strace::is_possible() {
        hit_all(&[
            ("each", "pwrite64", 100, Fault::Kill),
            ("minute", "pwrite64", 32, Fault::Kill),
            ("each", "fsync", 20, Fault::Broken),
            ("minute", "pwrite64", 30, Fault::NoSpace),
        ]);
    }
}
