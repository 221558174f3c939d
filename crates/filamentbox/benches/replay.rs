//! A week's backlog, delivered to a real server: points a second beside what the server takes from a bare load generator in the same run,
//! CPU, and the memory it takes for a week and for ten.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use filamentbox::sinks::Labels;
use filamentbox::sinks::line_protocol::{Backslash, Encoder};
use filamentbox_core::sample::Point;
use serde_json::Value;

use super::support::backlog::{fill, point, start_ms};
use super::support::{Daemon, InfluxServer, PASSWORD, Server, USERNAME, VictoriaServer, basic_header, http};
use super::{field, memory, usage};

/// A week at one sample a second.
const WEEK: u64 = 604_800;
/// Points in one request, as the daemon's default is.
const BATCH: usize = 5000;
/// From one look at the server's figures to the next.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A kind of server, as the generator and the measurement see it.
struct Backend<S> {
    name: &'static str,
    start: fn() -> Option<S>,
    /// Where the generator writes.
    write: &'static str,
    /// Where the server says how much it has stored, ...
    figures: &'static str,
    /// ... behind this word.
    stored: &'static str,
}

pub(super) fn report() {
    let influx = Backend {
        name: "influxdb_v1",
        start: InfluxServer::start,
        write: "/write?db=filamentbox&precision=ms",
        figures: "/debug/vars",
        stored: "\"pointsWrittenOK\":",
    };
    let victoria = Backend {
        name: "victoriametrics",
        start: VictoriaServer::start,
        write: "/write?precision=ms",
        figures: "/metrics",
        stored: "vm_rows_inserted_total{type=\"influx\"} ",
    };
    for _ in 0..3 {
        influx.compare(WEEK);
        victoria.compare(WEEK);
    }
    println!("ten weeks instead of one:");
    victoria.compare(10 * WEEK);
}

impl<S: Server> Backend<S> {
    /// The generator and the daemon in turn, each with a fresh server.
    fn compare(&self, count: u64) {
        let Some(server) = (self.start)() else { return };
        let bare = generate(&server.url(), self.write, count);
        // In the server's unit: VictoriaMetrics counts each field.
        let stored = self.stored(&server);
        drop(server);
        let Some(server) = (self.start)() else { return };
        let ours = self.replay(&server, count, stored);
        println!("  bare generator {bare:.0} points/s, ratio {:.2}", ours / bare);
    }

    /// The server's own count of what it has stored.
    fn stored(&self, server: &S) -> u64 {
        let address = server.url().trim_start_matches("http://").parse().expect("an address");
        let (status, text) = http(address, "GET", self.figures, Some((USERNAME, PASSWORD))).expect("it answers");
        assert_eq!(status, 200, "{text}");
        let figure = text.split_once(self.stored).map_or("0", |(_, rest)| rest);
        let digits: String = figure.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    }

    /// The daemon with a journal of `count` samples that the server does not have, `stored` in the server's unit. Returns points a second,
    /// from the first request that the server has stored to the last.
    fn replay(&self, server: &S, count: u64, stored: u64) -> f64 {
        let mut daemon = Daemon::new();
        for (key, value) in server.settings() {
            daemon.set(&key, &value);
        }
        fill(&daemon.folder().join("journal.db"), self.name, count);
        daemon.set("data_collection.read_interval", "5");
        let begun = Instant::now();
        daemon.start();
        let steady = memory(daemon.pid(), "Rss:");
        let mut first = None;
        let last = loop {
            let now = (Instant::now(), self.stored(server));
            if now.1 > 0 {
                first.get_or_insert(now);
            }
            if now.1 >= stored {
                break now;
            }
            sleep(LOOK_INTERVAL);
        };
        let first = first.expect("it delivers");
        let part = (last.1 - first.1) as f64 / stored as f64;
        let rate = part * count as f64 / (last.0 - first.0).as_secs_f64();
        let cpu = usage(daemon.pid()).cpu_ns as f64 / 1000.0 / count as f64;
        while waiting(&daemon.folder().join("filamentbox.sock"), self.name) >= 1000 {
            sleep(LOOK_INTERVAL);
        }
        let peak = field(Path::new(&format!("/proc/{}/status", daemon.pid())), "VmHWM:");
        println!(
            "backlog of {count} to {}: {rate:.0} points/s, the first stored {:.2} s after the start, all settled {:.2} s after the last, \
             {cpu:.2} us CPU a point, peak {peak} kB (at its start {steady} kB)",
            self.name,
            (first.0 - begun).as_secs_f64(),
            last.0.elapsed().as_secs_f64(),
        );
        rate
    }
}

/// The most that one connection gets into the server: requests encoded beforehand, one after the other.
fn generate(url: &str, path: &str, count: u64) -> f64 {
    let labels = Labels { measurement: "environment".to_owned(), tags: Vec::new(), tag_box: false };
    let encoder = Encoder::new("X", &labels, Backslash::Literal).expect("allowed");
    let start_ms = start_ms(count);
    let points: Vec<Point> = (0..count).map(|index| point(start_ms, index)).collect();
    let address = url.trim_start_matches("http://");
    let bodies: Vec<Vec<u8>> = points
        .chunks(BATCH)
        .map(|points| {
            let body = encoder.encode(points);
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: {address}\r\n{}Content-Length: {}\r\n\r\n",
                basic_header(USERNAME, PASSWORD),
                body.len()
            );
            [head.into_bytes(), body].concat()
        })
        .collect();
    let mut stream = TcpStream::connect(address).expect("the server listens");
    let mut answers = BufReader::new(stream.try_clone().expect("a handle"));
    let begun = Instant::now();
    for body in &bodies {
        stream.write_all(body).expect("sent");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(answers.read_line(&mut head).expect("an answer") > 0, "it hung up");
        }
        assert!(head.starts_with("HTTP/1.1 204"), "{head}");
    }
    points.len() as f64 / begun.elapsed().as_secs_f64()
}

/// What is not settled, asked directly: a process a look would cost more than the daemon's own work.
fn waiting(socket: &Path, name: &str) -> u64 {
    let mut stream = UnixStream::connect(socket).expect("the daemon listens");
    stream.write_all(b"GET /api/database HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    let sinks = body["sinks"].as_array().expect("backends");
    let sink = sinks.iter().find(|sink| sink["type"] == name).expect("the backend");
    sink["totals"]["waiting"].as_u64().expect("a number")
}
