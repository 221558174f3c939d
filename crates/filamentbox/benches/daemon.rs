//! What the daemon costs, on the binary that is shipped: `make bench`. Figures are printed and never asserted: a noisy machine
//! makes any time wrong, but bytes, counts, memory and CPU seconds hold.
//!
//! `FILAMENTBOX_BENCH_SECONDS` (default 60) is the length of each steady run; `cargo bench --bench daemon -- steady` runs one of the
//! sections start, steady, bytes, backlog and latency.

// A part of the tests' support is enough here, and printing is the purpose.
#![allow(dead_code, unused_imports, missing_docs, clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "latency.rs"]
mod latency;
#[path = "../tests/daemon/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::sleep;
use std::time::{Duration, Instant};

use filamentbox::journal;
use filamentbox::runtime::clock::{Clocks, boottime};
use filamentbox_core::config::Durability;
use filamentbox_core::sample::{BoxName, Measurement, Sample};
use filamentbox_core::time::{Monotonic, UnixTime};
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};
use support::{Daemon, InfluxServer, Server, VictoriaServer};

/// A week at one sample a second.
const BACKLOG: u64 = 604_800;

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
        bytes_written();
    }
    if wanted("backlog") {
        backlog("influxdb_v1", InfluxServer::start());
        backlog("victoriametrics", VictoriaServer::start());
    }
    if wanted("latency") {
        latency::report();
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

fn memory(pid: u32, name: &str) -> u64 {
    field(Path::new(&format!("/proc/{pid}/smaps_rollup")), name)
}

fn private(pid: u32) -> u64 {
    memory(pid, "Private_Clean:") + memory(pid, "Private_Dirty:")
}

/// Bytes that reach the device for each sample: on a file system of its own where that can be made, else as the kernel
/// accounts them to the process (which leaves the file system's own journal out).
fn bytes_written() {
    for (durability, scale) in [("minute", "300"), ("each", "1"), ("ram", "300")] {
        let mut daemon = Daemon::new();
        let device = Device::mount(daemon.folder());
        daemon.set("data_collection.read_interval", if scale == "1" { "0.25" } else { "5" });
        daemon.set("persistence.durability", durability).argument("--time-scale").argument(scale).start();
        // A hundred commits make the write-ahead log grow to its working size, in which it is then written again and again.
        sleep(Duration::from_secs(25));
        let samples =
            |daemon: &Daemon| daemon.status().expect("it answers")["journal"]["samples"].as_u64().expect("a number");
        let (samples_before, bytes_before) = (samples(&daemon), written(&daemon, device.as_ref()));
        sleep(seconds());
        let (samples_after, bytes_after) = (samples(&daemon), written(&daemon, device.as_ref()));
        let count = samples_after - samples_before;
        println!(
            "durability {durability:<7} {:>8.0} bytes a sample ({count} samples, {}), {:.1} MB a day at 5 s",
            (bytes_after - bytes_before) as f64 / count as f64,
            if device.is_some() { "block device" } else { "/proc/PID/io" },
            (bytes_after - bytes_before) as f64 / count as f64 * 17_280.0 / 1e6,
        );
        daemon.stop();
        drop(device);
    }
}

fn written(daemon: &Daemon, device: Option<&Device>) -> u64 {
    match device {
        Some(device) => device.written(),
        None => field(Path::new(&format!("/proc/{}/io", daemon.pid())), "write_bytes:"),
    }
}

/// An ext4 on a loop device, mounted over a daemon's folder.
struct Device {
    mount: std::path::PathBuf,
    image: std::path::PathBuf,
    name: String,
}

impl Device {
    fn mount(folder: &Path) -> Option<Self> {
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let image = folder.with_extension("img");
        fs::File::create(&image).ok()?.set_len(256 << 20).ok()?;
        let (image_text, folder_text) = (image.to_str()?, folder.to_str()?);
        let mounted = run("mkfs.ext4", &["-q", "-F", image_text])
            .and_then(|_| run("mount", &["-o", "loop,noatime", image_text, folder_text]))
            .and_then(|_| run("findmnt", &["-n", "-o", "SOURCE", folder_text]));
        let Some(source) = mounted else {
            println!("SKIPPED: no loop device can be mounted here; bytes are those of /proc/PID/io");
            let _ = fs::remove_file(&image);
            return None;
        };
        Some(Self { mount: folder.to_owned(), image, name: source.trim_start_matches("/dev/").to_owned() })
    }

    /// Bytes written to the device since it was made (field 7 of its statistics counts sectors of 512 bytes).
    fn written(&self) -> u64 {
        let text = fs::read_to_string(format!("/sys/block/{}/stat", self.name)).unwrap_or_default();
        text.split_whitespace().nth(6).and_then(|sectors| sectors.parse::<u64>().ok()).unwrap_or(0) * 512
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(&self.mount).status();
        let _ = fs::remove_file(&self.image);
    }
}

/// A week's backlog, delivered to a real server: points a second, CPU, and the memory it takes.
fn backlog(name: &str, server: Option<impl Server>) {
    let Some(server) = server else { return };
    let mut daemon = Daemon::new();
    for (key, value) in server.settings() {
        daemon.set(&key, &value);
    }
    fill(&daemon.folder().join("journal.db"), name);
    daemon.set("data_collection.read_interval", "5");
    let begun = Instant::now();
    daemon.start();
    let steady = memory(daemon.pid(), "Rss:");
    let mut previous = BACKLOG;
    while previous > 1000 {
        sleep(Duration::from_millis(50));
        previous = daemon.outbox(name)["backlog_points"].as_u64().expect("a number");
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let peak = field(Path::new(&format!("/proc/{}/status", daemon.pid())), "VmHWM:");
    let cpu = usage(daemon.pid()).cpu_ns as f64 / 1000.0 / BACKLOG as f64;
    println!(
        "backlog of {BACKLOG} to {name}: {:.0} points/s, {cpu:.2} us CPU a point, peak {peak} kB (at its start {steady} kB)",
        BACKLOG as f64 / elapsed,
    );
}

/// A journal with a week of samples that `sink` does not have.
fn fill(path: &Path, sink: &str) {
    let clocks = Arc::new(Clocks::real());
    let options = journal::Options {
        path: path.to_owned(),
        crash_log_dir: None,
        durability: Durability::Minute,
        queue_max_size: 20_000,
        max_batches: 50_000,
        retention: Duration::from_secs(30 * 86_400),
        max_bytes: 64_000_000,
        max_age: Duration::from_secs(365 * 86_400),
        sinks: vec![sink.to_owned()],
        batch_size: 5000,
        clocks: clocks.clone(),
    };
    let (mut intake, handle, mut worker, _) = journal::open(options).expect("a journal");
    let thread = std::thread::spawn(move || worker.run(&AtomicU64::new(0)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let start_ms = clocks.read().wall.expect("a clock").millis() - i64::try_from(BACKLOG).expect("small") * 1000;
    for index in 0..BACKLOG {
        let swing = (index as f64 / 500.0).sin();
        intake.sample(Sample {
            box_name: BoxName::main(),
            taken_at: clocks.read().now,
            wall: Some(UnixTime::from_millis(start_ms + i64::try_from(index).expect("small") * 1000)),
            measurement: Measurement {
                temperature: Celsius::new(21.0 + swing).expect("in range"),
                humidity: RelativeHumidity::new(12.0 + 2.0 * swing).expect("in range"),
                pressure: Hectopascal::new(1000.0 + swing),
            },
            heater_on: swing < 0.0,
            fan_on: swing > 0.5,
        });
        if index % 5000 == 4999 {
            // Lets the journal take in what is queued.
            runtime.block_on(handle.statistics()).expect("it answers");
        }
    }
    runtime.block_on(handle.stop());
    thread.join().expect("the journal's thread");
}
