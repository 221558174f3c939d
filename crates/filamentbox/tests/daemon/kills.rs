//! kill -9 at random moments, with a server that counts: what was ever shown arrives, exactly as it was read.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use filamentbox_core::physics::SplitMix64;
use influxdb_line_protocol::{FieldValue, parse_lines};
use serde_json::Value;

use crate::keeping::{assert_balanced, assert_complete, millis, take_samples, totals};
use crate::support::{Daemon, wait_until};

/// A reading: temperature and humidity in hundredths.
type Reading = (i64, i64);

fn hundredths(value: f64) -> i64 {
    (value * 100.0).round() as i64
}

/// An InfluxDB 1.x in memory, which answers once it has recorded, and loses one answer of five.
struct CountingServer {
    url: String,
    recorded: Arc<Mutex<BTreeMap<i64, Vec<Reading>>>>,
}

impl CountingServer {
    /// Its threads end with the test process.
    fn start(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let recorded: Arc<Mutex<BTreeMap<i64, Vec<Reading>>>> = Arc::default();
        let records = recorded.clone();
        let chance = Arc::new(Mutex::new(SplitMix64::new(seed)));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (records, chance) = (records.clone(), chance.clone());
                // A connection ends when the daemon is killed.
                std::thread::spawn(move || while serve(&client, &records, &chance).is_ok() {});
            }
        });
        Self { url, recorded }
    }
}

fn serve(
    mut client: &TcpStream,
    records: &Mutex<BTreeMap<i64, Vec<Reading>>>,
    chance: &Mutex<SplitMix64>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    assert!(head.starts_with("POST /write?"), "{head}");
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = headers.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = lengths.next().and_then(|(_, value)| value.trim().parse().ok()).expect("a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    for line in parse_lines(std::str::from_utf8(&body).expect("text")) {
        let line = line.expect("line protocol");
        let field = |wanted: &str| {
            let mut fields = line.field_set.iter().filter(|(name, _)| name.as_str() == wanted);
            match fields.next() {
                Some((_, FieldValue::F64(value))) => hundredths(*value),
                other => panic!("{wanted}: {other:?}"),
            }
        };
        let reading = (field("temperature_c"), field("humidity"));
        records.lock().expect("no thread has failed").entry(line.timestamp.expect("a time")).or_default().push(reading);
    }
    if chance.lock().expect("no thread has failed").next_unit() < 0.2 {
        return client.shutdown(Shutdown::Both);
    }
    client.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
}

/// What an export shows, by time.
fn shown(daemon: &Daemon) -> BTreeMap<i64, Reading> {
    let output = daemon.cli(&["history", "export", "--format", "jsonl"]);
    let text = String::from_utf8(output.stdout).expect("text");
    // A daemon that has just been started or killed may answer half; whole lines count.
    let samples = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let number = |sample: &Value, name: &str| hundredths(sample[name].as_f64().expect("a number"));
    samples.map(|sample| (millis(&sample), (number(&sample, "temperature_c"), number(&sample, "humidity")))).collect()
}

fn kill_at_random(durability: &str, kills: usize, seed: u64) {
    let server = CountingServer::start(seed);
    let mut daemon = Daemon::new();
    daemon
        .set("database.type", "influxdb_v1")
        .set("database.influxdb_v1.url", &server.url)
        .set("database.influxdb_v1.database", "filamentbox")
        .set("data_collection.flush_interval", "1")
        .set("persistence.durability", durability)
        .set("retry.backoff_base", "0.1")
        .set("retry.backoff_max", "1");
    let mut chance = SplitMix64::new(seed);
    let mut obligations: BTreeMap<i64, Reading> = BTreeMap::new();
    for _ in 0..kills {
        daemon.spawn();
        std::thread::sleep(Duration::from_secs_f64(0.05 + 1.5 * chance.next_unit()));
        if chance.next_unit() < 0.4 {
            obligations.append(&mut shown(&daemon));
        }
        daemon.kill();
        for (at, readings) in server.recorded.lock().expect("no thread has failed").iter() {
            obligations.insert(*at, readings[0]);
        }
    }
    daemon.start();
    take_samples(&daemon, 2);
    let goal = totals(&daemon, "influxdb_v1")["sampled"].as_u64().expect("a number");
    wait_until("everything is delivered", || {
        totals(&daemon, "influxdb_v1")["delivered"].as_u64().expect("a number") >= goal
    });
    assert_balanced(&totals(&daemon, "influxdb_v1"), durability);
    assert!(daemon.stop().success());
    assert_complete(&daemon, kills);
    let history = shown(&daemon);
    let recorded = server.recorded.lock().expect("no thread has failed");
    println!("{durability}: {} obligations, {} in the end", obligations.len(), history.len());
    for (at, reading) in &obligations {
        assert_eq!(history.get(at), Some(reading), "{durability}: {at} was shown or accepted once");
    }
    for (at, reading) in &history {
        let readings = recorded.get(at).unwrap_or_else(|| panic!("{durability}: {at} was never delivered"));
        assert!(readings.iter().all(|arrived| arrived == reading), "{durability}: {at} came with another value");
    }
    assert_eq!(recorded.len(), history.len(), "{durability}: something arrived that is not in the history");
}

fn kill_all(kills: usize) {
    std::thread::scope(|scope| {
        for (seed, durability) in ["minute", "each", "ram"].into_iter().enumerate() {
            scope.spawn(move || kill_at_random(durability, kills, seed as u64));
        }
    });
}

#[test]
fn kills_at_random_moments_lose_nothing_that_was_shown() {
    kill_all(5);
}

#[test]
fn soak_of_kills_at_random_moments() {
    if std::env::var_os("FILAMENTBOX_SOAK").is_none() {
        eprintln!("SKIPPED: 45 kills are part of `make soak` (FILAMENTBOX_SOAK=1)");
        return;
    }
    kill_all(15);
}
