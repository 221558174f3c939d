//! What somebody who looks costs: an open stream, and a year of history.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Daemon, backlog, wait_until};

pub(crate) fn report() {
    stream();
    year();
}

/// A daemon that reads every 5 s, with nobody and with one who listens.
fn stream() {
    let mut daemon = Daemon::new();
    daemon.set("data_collection.read_interval", "5");
    daemon.set("heating_control.enabled", "false").set("humidity_control.enabled", "false").start();
    sleep(Duration::from_secs(3));
    let (cpu_alone, switches_alone) = cost(&daemon);
    let heard = daemon.folder().join("heard");
    let mut listener = listen(&daemon, &heard);
    wait_until("the state at once", || fs::read_to_string(&heard).is_ok_and(|text| text.contains("data: ")));
    let readings = || daemon.trace().iter().filter(|line| line[1] == "sample").count();
    let events = || fs::read_to_string(&heard).unwrap_or_default().matches("\nid: ").count();
    let before = (readings(), events());
    let (cpu, switches) = cost(&daemon);
    println!(
        "a stream: {} events for {} readings; CPU {cpu:.3} s/h instead of {cpu_alone:.3} ({:.2} times), \
         switches {switches:.2}/s instead of {switches_alone:.2}/s",
        events() - before.1,
        readings() - before.0,
        cpu / cpu_alone,
    );
    let _ = listener.kill();
    let _ = listener.wait();
}

fn listen(daemon: &Daemon, into: &std::path::Path) -> Child {
    let mut curl = Command::new("curl");
    curl.args(["-sN", "http://localhost/api/stream", "--unix-socket"]).arg(daemon.folder().join("filamentbox.sock"));
    curl.stdout(Stdio::from(fs::File::create(into).expect("a file"))).spawn().expect("curl(1)")
}

/// CPU seconds an hour, and voluntary switches a second.
fn cost(daemon: &Daemon) -> (f64, f64) {
    let (before, begun) = (crate::usage(daemon.pid()), Instant::now());
    sleep(crate::seconds());
    let (after, elapsed) = (crate::usage(daemon.pid()), begun.elapsed().as_secs_f64());
    let cpu = (after.cpu_ns - before.cpu_ns) as f64 / 1e9 * 3600.0 / elapsed;
    (cpu, (after.switches - before.switches) as f64 / elapsed)
}

/// A year of samples, a minute apart.
fn year() {
    const STEP: Duration = Duration::from_secs(60);
    let mut daemon = Daemon::new();
    let count = 365 * 1440;
    backlog::fill_history(&daemon.folder().join("journal.db"), count, STEP);
    daemon.set("data_collection.read_interval", "60").set("heating_control.enabled", "false").start();
    for (name, days) in [("year", 365), ("30 days", 30), ("day", 1)] {
        let path = format!("/api/history?points=500&from={}", backlog::start_ms(days * 86_400) / 1000);
        wait_until("rollups", || daemon.http("GET", &path, "").1["read"]["blocks"] == 0);
        let (before, begun) = (crate::usage(daemon.pid()), Instant::now());
        let (_, answer) = daemon.http("GET", &path, "");
        let (elapsed, after) = (begun.elapsed(), crate::usage(daemon.pid()));
        println!(
            "a {name} of a {count}-sample history: {} in {:.1} ms, {:.1} ms of CPU, {} kB",
            answer["read"],
            elapsed.as_secs_f64() * 1000.0,
            (after.cpu_ns - before.cpu_ns) as f64 / 1e6,
            answer.to_string().len() / 1000,
        );
    }
}
