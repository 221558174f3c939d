//! How long an output stays active after the process that wanted it is killed or stopped, measured by the guard's own trace.
//!
//! Thousands of times with the smallest possible daemon (this program, run anew as [`LEASER`]: claim, lease, nothing else), because a
//! start of the real one takes longer than all that is measured here; and some hundred times with the real one. Both cores are kept busy
//! meanwhile. `FILAMENTBOX_BENCH_KILLS` sets how many (default 10000).

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use filamentbox::runtime::clock::boottime;
use filamentbox_guard::{LineSpec, Link, MAX_LINES, Role, Want};

use super::support::{BINARY, Daemon};

/// The argument that makes this program a daemon that does nothing but hold its heater on.
pub const LEASER: &str = "--leaser";
const HEATER_ON: Want = Want { active: true, temperature_milli_c: 20_000, sample_age_ms: 100, latch: None };
const PATIENCE: Duration = Duration::from_secs(10);
const RENEWAL: Duration = Duration::from_millis(500);
/// An output that is active so long after the kill was missed.
const MISSED: Duration = Duration::from_secs(10);

/// Holds the heater of the guard at `socket` on until it is killed.
pub fn leaser(socket: &str) -> ! {
    let mut link = Link::connect(Path::new(socket)).expect("the guard listens");
    let heater = LineSpec { name: "heater".to_owned(), role: Role::Heater, gpio: 16, active_low: false };
    link.claim(&[heater], PATIENCE).expect("an answer");
    let mut wants = [Want::default(); MAX_LINES];
    wants[0] = HEATER_ON;
    loop {
        let report = link.exchange(&wants, PATIENCE).expect("an answer");
        println!("{}", report.lines[0].active);
        sleep(RENEWAL);
    }
}

/// All of it.
pub fn report() {
    let asked = std::env::var("FILAMENTBOX_BENCH_KILLS").ok().and_then(|text| text.parse().ok());
    let kills: usize = asked.unwrap_or(10_000);
    let load = Load::on_every_core();
    let (mut guard, folder) = lone_guard();
    let (socket, trace) = (folder.path().join("guard.sock"), folder.path().join("trace"));
    let mut tail = Tail::of(&trace);
    let killed: Vec<f64> = (0..kills).map(|_| after(&mut leaser_at(&socket), "KILL", &mut tail)).collect();
    tell("SIGKILL of the lease holder, both cores busy", killed);
    let stopped: Vec<f64> = (0..kills.min(60)).map(|_| after(&mut leaser_at(&socket), "STOP", &mut tail)).collect();
    tell("SIGSTOP of the lease holder, both cores busy", stopped);
    let _ = guard.kill();
    let _ = guard.wait();
    let daemons: Vec<f64> = (0..kills.min(200)).map(|_| real_daemon()).collect();
    tell("SIGKILL of the real daemon, both cores busy", daemons);
    drop(load);
}

/// A guard with simulated lines that serves one daemon after the other.
fn lone_guard() -> (Child, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let guard = Command::new(BINARY)
        .args(["relay-guard", "--simulate", "--listen"])
        .arg(folder.path().join("guard.sock"))
        .arg("--trace")
        .arg(folder.path().join("trace"))
        .spawn()
        .expect("the binary starts");
    while !folder.path().join("guard.sock").exists() {
        sleep(Duration::from_millis(5));
    }
    (guard, folder)
}

/// A lease holder whose heater is on.
fn leaser_at(socket: &Path) -> Child {
    loop {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .arg(LEASER)
            .arg(socket)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut said = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        // While the guard still sees the end of the one before, it takes nobody else.
        if out.read_line(&mut said).is_ok() && said.trim() == "true" {
            child.stdout = Some(out.into_inner());
            return child;
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Sends `signal` and returns after how many milliseconds the heater was off.
fn after(child: &mut Child, signal: &str, tail: &mut Tail) -> f64 {
    tail.skip();
    let sent_at = boottime().seconds();
    send(child.id(), signal);
    let off_at = tail.heater_off().unwrap_or(f64::INFINITY);
    send(child.id(), "KILL");
    let _ = child.wait();
    (off_at - sent_at) * 1000.0
}

fn send(pid: u32, signal: &str) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("not 0");
    let signal = if signal == "STOP" { rustix::process::Signal::STOP } else { rustix::process::Signal::KILL };
    let _ = rustix::process::kill_process(pid, signal);
}

fn real_daemon() -> f64 {
    let mut daemon = Daemon::new();
    daemon.start();
    daemon.ask(&["heater", "on", "--for", "10m"]);
    daemon.wait_for_output("heater", true);
    let sent_at = boottime().seconds();
    send(daemon.pid(), "KILL");
    let off_at = daemon.wait_for_output("heater", false);
    daemon.kill();
    (off_at - sent_at) * 1000.0
}

fn tell(what: &str, mut milliseconds: Vec<f64>) {
    milliseconds.sort_by(f64::total_cmp);
    let count = milliseconds.len();
    let at = |quantile: f64| milliseconds[((count as f64 * quantile) as usize).min(count - 1)];
    let missed = milliseconds.iter().filter(|ms| ms.is_infinite()).count();
    println!(
        "{what}: off after p50 {:.2}, p99 {:.2}, p99.9 {:.2}, max {:.2} ms of {count}, {missed} missed",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// The lines that are appended to a trace.
struct Tail(BufReader<fs::File>);

impl Tail {
    fn of(path: &Path) -> Self {
        while !path.exists() {
            sleep(Duration::from_millis(5));
        }
        Self(BufReader::new(fs::File::open(path).expect("a trace")))
    }

    fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).is_ok_and(|length| length > 0)).then_some(line)
    }

    fn skip(&mut self) {
        while self.next().is_some() {}
    }

    /// When the heater went off, in seconds since boot.
    fn heater_off(&mut self) -> Option<f64> {
        let deadline = boottime() + MISSED;
        while boottime() < deadline {
            match self.next() {
                Some(line) if line.ends_with("output heater 0\n") => return line.split(' ').next()?.parse().ok(),
                Some(_) => {}
                None => sleep(Duration::from_millis(1)),
            }
        }
        None
    }
}

/// A busy thread for each core, until dropped.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn on_every_core() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let busy = |stop: Arc<AtomicBool>| {
            spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..cores).map(|_| busy(Arc::clone(&stop))).collect();
        Self { stop, threads }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
