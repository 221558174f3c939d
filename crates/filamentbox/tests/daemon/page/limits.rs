//! Nothing that happens at the port reaches control, and the person in the house gets through.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use super::flood::Flood;
use super::{address, connect, exchange, request, status, with_page};
use crate::support::{Daemon, wait_until};

/// Slow clients at a time.
const CLIENTS: usize = 500;
/// They are watched for so long.
const WATCHED: Duration = Duration::from_secs(8);

/// A daemon with a page whose heater is on.
fn heating() -> Daemon {
    let mut daemon = with_page();
    daemon.start();
    daemon.ask(&["heater", "on", "--for", "20m"]);
    daemon.wait_for_output("heater", true);
    daemon
}

/// When the heater has been on last, every change of it since, and the longest time between two leases since `from`.
fn heater_since(daemon: &Daemon, from: f64) -> (Vec<String>, f64) {
    let trace = daemon.trace();
    let at = |line: &Vec<String>| line[0].parse::<f64>().expect("seconds");
    let since = || trace.iter().filter(|line| at(line) >= from);
    let changes = since().filter(|line| line[1] == "output" && line[2] == "heater").map(|line| line[3].clone());
    let leases: Vec<f64> = since().filter(|line| line[1] == "lease").map(at).collect();
    let longest = leases.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    (changes.collect(), longest)
}

/// Switches the heater off at the port. A connection may lose its place to the flood before the answer, so it is asked again; says how often.
fn off(address: SocketAddr) -> usize {
    let off = request(address, "POST", "/api/controls/heater", r#"{"state":false}"#);
    let mut tries = 0;
    wait_until("an answer to OFF", || {
        tries += 1;
        status(&exchange(address, off.as_bytes())) == 200
    });
    tries
}

#[test]
fn five_hundred_slow_clients_do_not_reach_control_and_an_off_gets_through() {
    let mut daemon = heating();
    let address = address(&daemon);
    let (on_since, _) = daemon.traced_output("heater").expect("on");
    let from = on_since + 0.001;
    sleep(WATCHED / 4);
    let (_, before) = heater_since(&daemon, from);
    let flood = Flood::of(CLIENTS, address);
    wait_until("the flood", || flood.connects() >= CLIENTS);
    sleep(WATCHED);
    let (changes, during) = heater_since(&daemon, from);
    assert_eq!(changes, [""; 0], "the output dropped for want of a lease");
    let tries = off(address);
    daemon.wait_for_output("heater", false);
    println!(
        "{} connections of {CLIENTS} slow clients; longest time between two leases: {before:.3} s before, {during:.3} s during; \
         OFF answered at try {tries}",
        flood.connects()
    );
    assert!(!daemon.log().contains("a defect of the program"), "{}", daemon.log());
    // The stop does not wait for any of them.
    assert!(daemon.stop().success());
    drop(flood);
}

#[test]
fn a_flood_of_new_connections_leaves_the_daemon_and_its_page_alive() {
    let daemon = heating();
    let address = address(&daemon);
    for round in 0..20 {
        let held: Vec<_> = (0..100).map(|_| connect(address)).collect();
        assert_eq!(status(&exchange(address, request(address, "GET", "/healthz", "").as_bytes())), 200, "{round}");
        drop(held);
    }
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).map(Iterator::count);
    println!("descriptors after 2000 connections: {open:?}");
    assert_eq!(daemon.traced_output("heater").map(|(_, on)| on), Some(true));
    off(address);
    daemon.wait_for_output("heater", false);
}

#[test]
fn what_is_too_large_is_refused_and_what_comes_in_one_piece_is_answered_in_order() {
    let mut daemon = with_page();
    daemon.start();
    let address = address(&daemon);
    let get = |headers: &str| format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n");
    assert_eq!(status(&exchange(address, get("").as_bytes())), 200);
    assert_eq!(status(&exchange(address, get(&format!("X: {}\r\n", "y".repeat(20_000))).as_bytes())), 431);
    assert_eq!(status(&exchange(address, get(&"X: y\r\n".repeat(64)).as_bytes())), 431);
    for path in ["/api/controls/heater", "/api/config/sensor.type", "/nowhere"] {
        let method = if path.contains("config") { "PUT" } else { "POST" };
        let answer = exchange(address, request(address, method, path, &"x".repeat(64 * 1024 + 1)).as_bytes());
        assert!(status(&answer) == 413 && answer.contains("allowed: up to 64 KiB"), "{path}: {answer}");
    }
    let mut stream = connect(address);
    let one = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all([one.repeat(30), get("")].concat().as_bytes()).expect("sent");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("answered");
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 31);
}
