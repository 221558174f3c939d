//! What the daemon costs, on the binary that is shipped: `make bench`. Figures are printed and never asserted: a noisy machine
//! makes any time wrong, but bytes, counts, memory and CPU seconds hold.
//!
//! `FILAMENTBOX_BENCH_SECONDS` (default 60) is the length of each steady run; `cargo bench --bench daemon -- steady` runs one of the
//! sections start, steady, bytes, backlog, latency, page and crowd.

// A part of the tests' support is enough here, and printing is the purpose.
#![allow(dead_code, unused_imports, missing_docs, clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "crowd.rs"]
mod crowd;
#[path = "flash.rs"]
mod flash;
#[path = "../tests/daemon/page/flood.rs"]
mod flood;
#[path = "latency.rs"]
mod latency;
#[path = "page.rs"]
mod page;
#[path = "replay.rs"]
mod replay;
#[path = "../tests/daemon/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use filamentbox::runtime::clock::boottime;
use support::Daemon;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    // `cargo test --benches` only wants to know that this builds.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    if let [leaser, socket] = &arguments[..]
        && leaser == latency::LEASER
    {
        latency::leaser(socket);
    }
    let wanted =
        |section: &str| arguments.is_empty() || arguments.iter().any(|argument| section.contains(argument.as_str()));
    if wanted("start") {
        let size = fs::metadata(env!("CARGO_BIN_EXE_filamentbox")).expect("the binary").len();
        println!("binary: {:.2} MB", size as f64 / 1e6);
        let page: usize = filamentbox_client::ASSETS.iter().map(|asset| asset.bytes.len()).sum();
        println!("the page in it, all files, compressed: {:.1} kB", page as f64 / 1e3);
        start_up();
    }
    if wanted("steady") {
        println!("steady, no backend     RSS daemon + guard       private       CPU s/h   voluntary switches/s");
        for interval in ["5", "1", "0.25"] {
            steady(interval, false);
        }
        steady("5", true);
    }
    if wanted("bytes") {
        flash::report();
    }
    if wanted("backlog") {
        replay::report();
    }
    if wanted("latency") {
        latency::report();
    }
    if wanted("page") {
        page::report();
    }
    if wanted("crowd") {
        crowd::report();
    }
}

/// From exec to the first reading, as the trace dates it.
fn start_up() {
    let mut milliseconds: Vec<f64> = (0..11)
        .map(|_| {
            let mut daemon = Daemon::new();
            let before = boottime().seconds();
            daemon.start();
            let trace = daemon.trace();
            let first = trace.iter().find(|line| line[1] == "sample").expect("a reading");
            (first[0].parse::<f64>().expect("seconds") - before) * 1000.0
        })
        .collect();
    milliseconds.sort_by(f64::total_cmp);
    println!("exec to first reading: median {:.0} ms of 11 (least {:.0})", milliseconds[5], milliseconds[0]);
}

fn seconds() -> Duration {
    let asked = std::env::var("FILAMENTBOX_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(60))
}

/// A daemon that measures and does nothing else; with `heating`, one that holds its heater on.
fn steady(interval: &str, heating: bool) {
    let mut daemon = Daemon::new();
    daemon.set("data_collection.read_interval", interval);
    if !heating {
        daemon.set("heating_control.enabled", "false").set("humidity_control.enabled", "false");
    }
    daemon.start();
    if heating {
        daemon.ask(&["heater", "on", "--for", "25m"]);
    }
    sleep(Duration::from_secs(3));
    // A daemon without outputs has no guard.
    let processes: Vec<u32> = std::iter::once(daemon.pid()).chain(guard_of(&daemon)).collect();
    let all = || processes.iter().map(|pid| usage(*pid)).fold(Usage::default(), Usage::plus);
    let before = all();
    let begun = Instant::now();
    sleep(seconds());
    let elapsed = begun.elapsed().as_secs_f64();
    let after = all();
    let kilobytes =
        |of: fn(u32) -> u64| processes.iter().map(|pid| of(*pid).to_string()).collect::<Vec<_>>().join(" + ");
    println!(
        "{:>5} s {:<16} {:>13} kB   {:>11} kB   {:>7.3}   {:>6.2}",
        interval,
        if heating { "(heater on)" } else { "" },
        kilobytes(|pid| memory(pid, "Rss:")),
        kilobytes(private),
        (after.cpu_ns - before.cpu_ns) as f64 / 1e9 * 3600.0 / elapsed,
        (after.switches - before.switches) as f64 / elapsed,
    );
}

fn guard_of(daemon: &Daemon) -> Option<u32> {
    let children = Command::new("pgrep").args(["-P", &daemon.pid().to_string()]).output().expect("pgrep(1)");
    String::from_utf8(children.stdout).expect("text").trim().parse().ok()
}

#[derive(Default)]
struct Usage {
    cpu_ns: u64,
    switches: u64,
}

impl Usage {
    fn plus(self, other: Self) -> Self {
        Self { cpu_ns: self.cpu_ns + other.cpu_ns, switches: self.switches + other.switches }
    }
}

/// CPU and voluntary context switches of all threads of a process.
fn usage(pid: u32) -> Usage {
    let mut usage = Usage { cpu_ns: 0, switches: 0 };
    for task in fs::read_dir(format!("/proc/{pid}/task")).expect("/proc") {
        let task = task.expect("a thread").path();
        let schedstat = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
        usage.cpu_ns += schedstat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        usage.switches += field(&task.join("status"), "voluntary_ctxt_switches:");
    }
    usage
}

fn field(path: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// Of a file that only root may read, as the daemon keeps its memory from other processes of its user.
fn private_field(pid: u32, file: &str, name: &str) -> u64 {
    let path = format!("/proc/{pid}/{file}");
    assert!(fs::read_to_string(&path).is_ok(), "{path} cannot be read; run this as root");
    field(Path::new(&path), name)
}

fn memory(pid: u32, name: &str) -> u64 {
    private_field(pid, "smaps_rollup", name)
}

fn private(pid: u32) -> u64 {
    memory(pid, "Private_Clean:") + memory(pid, "Private_Dirty:")
}
