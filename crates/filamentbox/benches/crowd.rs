//! What 500 slow clients at the page's port cost: memory, CPU, the evenness of the lease; and whether their connections delay the release of the
//! outputs when the daemon is killed.

use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use filamentbox::runtime::clock::boottime;

use super::flood::Flood;
use super::support::{Daemon, wait_until};
use super::{memory, private, seconds, usage};

const CLIENTS: usize = 500;
/// Kills with connections open.
const KILLS: usize = 30;

/// All of it.
pub fn report() {
    let mut daemon = heating();
    let address = address(&daemon);
    sleep(Duration::from_secs(3));
    tell(&mut daemon, "before", memory_now);
    let flood = Flood::of(CLIENTS, address);
    wait_until("the flood", || flood.connects() >= CLIENTS);
    tell(&mut daemon, "500 slow clients", memory_now);
    println!("  {} connections were made", flood.connects());
    drop(flood);
    sleep(Duration::from_secs(2));
    tell(&mut daemon, "afterwards", memory_now);
    drop(daemon);
    for connections in [0, 32] {
        let mut milliseconds: Vec<f64> = (0..KILLS).map(|_| killed(connections)).collect();
        milliseconds.sort_by(f64::total_cmp);
        println!(
            "SIGKILL with {connections} connections at the page: off after p50 {:.2}, max {:.2} ms of {KILLS}",
            milliseconds[KILLS / 2],
            milliseconds[KILLS - 1]
        );
    }
}

fn heating() -> Daemon {
    let mut daemon = Daemon::new();
    daemon.set("webui.enabled", "true").set("webui.port", "0").start();
    daemon.ask(&["heater", "on", "--for", "25m"]);
    daemon.wait_for_output("heater", true);
    daemon
}

fn address(daemon: &Daemon) -> SocketAddr {
    let url = || daemon.status()?["web"]["url"].as_str().map(str::to_owned);
    wait_until("the page", || url().is_some());
    url().and_then(|url| url.strip_prefix("http://")?.parse().ok()).expect("an address")
}

fn memory_now(daemon: &Daemon) -> (u64, u64) {
    (memory(daemon.pid(), "Rss:"), private(daemon.pid()))
}

/// Watches for the length of a run.
fn tell(daemon: &mut Daemon, when: &str, memory: impl Fn(&Daemon) -> (u64, u64)) {
    let (from, begun, before) = (boottime().seconds(), Instant::now(), usage(daemon.pid()));
    let (mut rss, mut private) = (0, 0);
    while begun.elapsed() < seconds() {
        let now = memory(daemon);
        (rss, private) = (rss.max(now.0), private.max(now.1));
        sleep(Duration::from_millis(500));
    }
    let (elapsed, after) = (begun.elapsed().as_secs_f64(), usage(daemon.pid()));
    let trace = daemon.trace();
    let leases = trace.iter().filter(|line| line[1] == "lease").map(|line| line[0].parse::<f64>().expect("seconds"));
    let leases: Vec<f64> = leases.filter(|at| *at >= from).collect();
    let gaps: Vec<f64> = leases.windows(2).map(|pair| (pair[1] - pair[0]) * 1000.0).collect();
    let longest = gaps.iter().copied().fold(0.0, f64::max);
    let since = trace.iter().filter(|line| line[0].parse::<f64>().is_ok_and(|at| at >= from));
    let dropped = since.filter(|line| line[1..] == ["output", "heater", "0"]).count();
    println!(
        "{when:>17}: RSS {rss} kB, private {private} kB at most; CPU {:.1} %; {} leases, {longest:.1} ms between two at most (500 wanted); \
         heater dropped {dropped} times",
        (after.cpu_ns - before.cpu_ns) as f64 / 1e7 / elapsed,
        leases.len()
    );
}

/// How many milliseconds after a SIGKILL the heater is off.
fn killed(connections: usize) -> f64 {
    let mut daemon = heating();
    let address = address(&daemon);
    let _held: Vec<TcpStream> = (0..connections).map(|_| TcpStream::connect(address).expect("connected")).collect();
    sleep(Duration::from_millis(200));
    let sent_at = boottime().seconds();
    daemon.kill();
    (daemon.wait_for_output("heater", false) - sent_at) * 1000.0
}
