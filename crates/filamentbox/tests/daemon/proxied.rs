//! Real servers behind a connection that breaks in every way: everything arrives, and nothing twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use filamentbox_core::physics::SplitMix64;

use crate::keeping::{assert_balanced, millis, take_samples, totals};
use crate::support::{Daemon, FAULTS, InfluxServer, Proxy, Server, Spoil, VictoriaServer, backlog, wait_until};

type Start = fn() -> Option<Box<dyn Server>>;

/// The backends that store a point once, however often it arrives; and VictoriaMetrics without and with its deduplication.
const KINDS: [(&str, Start); 2] = [
    ("influxdb_v1", || InfluxServer::start().map(|server| Box::new(server) as Box<dyn Server>)),
    ("victoriametrics", || VictoriaServer::start().map(|server| Box::new(server) as Box<dyn Server>)),
];

fn is_soak() -> bool {
    std::env::var_os("FILAMENTBOX_SOAK").is_some()
}

/// A daemon that reaches `server` through a proxy.
fn behind_a_proxy(name: &str, server: &dyn Server) -> (Daemon, Proxy) {
    let proxy = Proxy::start(&server.url());
    let mut daemon = Daemon::new();
    for (key, value) in server.settings() {
        let is_url = key.ends_with(".url");
        daemon.set(&key, if is_url { proxy.url() } else { value }.as_str());
    }
    daemon
        .set("database.type", name)
        .set("data_collection.flush_interval", "1")
        .set("retry.backoff_base", "0.1")
        .set("retry.backoff_max", "1");
    (daemon, proxy)
}

/// Asserts that `server` has exactly the history, each sample once.
#[track_caller]
fn assert_same_times(daemon: &Daemon, server: &dyn Server, name: &str) {
    let expected: Vec<i64> = daemon.history().iter().map(millis).collect();
    // What has just arrived may take a moment to be found.
    wait_until(&format!("{name} shows everything"), || server.times("environment").len() >= expected.len());
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for at in server.times("environment") {
        *counts.entry(at).or_default() += 1;
    }
    let missing = expected.iter().filter(|at| !counts.contains_key(at)).count();
    let twice = counts.values().filter(|count| **count > 1).count();
    println!("{name}: {} samples, {} stored, {missing} missing, {twice} twice", expected.len(), counts.len());
    assert_eq!((missing, twice, counts.len()), (0, 0, expected.len()), "{name}");
}

fn drained(daemon: &Daemon, name: &str) {
    let goal = totals(daemon, name)["sampled"].as_u64().expect("a number");
    wait_until(&format!("{name} has everything"), || {
        totals(daemon, name)["delivered"].as_u64().expect("a number") >= goal
    });
    assert_balanced(&totals(daemon, name), name);
    assert_eq!(totals(daemon, name)["dead_letter"], 0, "{name}");
}

/// Each fault in turn, then faults by chance, then none.
fn spoil(name: &str, start: Start, rounds: usize, by_chance: u64) {
    let Some(server) = start() else { return };
    let (mut daemon, proxy) = behind_a_proxy(name, &*server);
    daemon.start();
    for fault in FAULTS.iter().cycle().take(FAULTS.len() * rounds) {
        let goal = proxy.spoilt() + 1;
        proxy.spoil(*fault);
        wait_until(&format!("{name}: {fault:?}"), || proxy.spoilt() >= goal);
        take_samples(&daemon, 1);
        proxy.spoil(Spoil::Pass);
        take_samples(&daemon, 1);
    }
    let mut chance = SplitMix64::new(7);
    let begun = proxy.spoilt();
    proxy.spoil_each(move || match (chance.next_unit() * 12.0) as usize {
        // A black hole by chance would wait for the client's patience.
        number if number < FAULTS.len() && ![Spoil::Refuse, Spoil::BlackHole].contains(&FAULTS[number]) => {
            FAULTS[number]
        }
        _ => Spoil::Pass,
    });
    // One by one, as each may cost VictoriaMetrics' 3 s, and a busy machine more.
    for number in 1..=by_chance {
        wait_until(&format!("{name}: fault {number} by chance"), || proxy.spoilt() >= begun + number);
    }
    proxy.spoil(Spoil::Pass);
    take_samples(&daemon, 2);
    drained(&daemon, name);
    assert!(daemon.stop().success());
    assert_same_times(&daemon, &*server, name);
}

#[test]
fn a_spoilt_connection_loses_and_doubles_nothing() {
    std::thread::scope(|scope| {
        for (name, start) in &KINDS {
            scope.spawn(|| spoil(name, *start, 1, 6));
        }
    });
}

#[test]
fn soak_of_spoilt_connections() {
    if !is_soak() {
        eprintln!("SKIPPED: minutes of spoilt connections are part of `make soak` (FILAMENTBOX_SOAK=1)");
        return;
    }
    std::thread::scope(|scope| {
        for ((name, start), by_chance) in KINDS.iter().zip([100, 50]) {
            scope.spawn(move || spoil(name, *start, 4, by_chance));
        }
    });
}

/// Three of ten answers are lost while a backlog is sent.
fn replay(name: &str, start: Start, count: u64, batch_size: u64) {
    let Some(server) = start() else { return };
    let (mut daemon, proxy) = behind_a_proxy(name, &*server);
    daemon.set("data_collection.batch_size", &batch_size.to_string()).set("data_collection.read_interval", "1");
    backlog::fill(&daemon.folder().join("journal.db"), name, count);
    let mut chance = SplitMix64::new(11);
    proxy.spoil_each(move || if chance.next_unit() < 0.3 { Spoil::DropAnswer } else { Spoil::Pass });
    daemon.start();
    // A server that is asked after each lost answer takes its time.
    let begun = Instant::now();
    while totals(&daemon, name)["waiting"].as_u64().expect("a number") > 100 {
        assert!(begun.elapsed() < Duration::from_secs(900), "{name}: {}", totals(&daemon, name));
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("{name}: {} answers dropped", proxy.spoilt());
    proxy.spoil(Spoil::Pass);
    drained(&daemon, name);
    assert!(daemon.stop().success());
    assert_same_times(&daemon, &*server, name);
}

/// VictoriaMetrics is asked before anything is sent again; a busy one may not find at once what it has, which is why it deduplicates
/// here as its owners are told to.
#[test]
fn a_replay_that_loses_three_answers_of_ten_stores_every_point_once() {
    std::thread::scope(|scope| {
        scope.spawn(|| replay(KINDS[0].0, KINDS[0].1, 15_000, 1_000));
        scope.spawn(|| replay(KINDS[1].0, KINDS[1].1, 3_000, 1_000));
    });
}

#[test]
fn soak_of_a_replay_that_loses_three_answers_of_ten() {
    if !is_soak() {
        eprintln!("SKIPPED: 100,000 points are part of `make soak` (FILAMENTBOX_SOAK=1)");
        return;
    }
    replay(KINDS[0].0, KINDS[0].1, 100_000, 2_500);
}
