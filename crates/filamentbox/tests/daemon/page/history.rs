//! `/api/history` against an oracle: the export of the same samples. And what it reads for a year.

use std::time::Duration;

use proptest::strategy::{Strategy as _, ValueTree as _};
use serde_json::Value;

use crate::support::{Daemon, backlog, wait_until};

/// A year of samples, ten minutes apart, and a daemon that adds to them.
fn with_a_year(read_interval: &str) -> Daemon {
    let mut daemon = Daemon::new();
    backlog::fill_history(&daemon.folder().join("journal.db"), 365 * 144, Duration::from_secs(600));
    daemon.set("data_collection.read_interval", read_interval).set("heating_control.enabled", "false");
    daemon.set("history.retention_days", "3650").start();
    wait_until("a year of rollups", || chart(&daemon, "from=0").pointer("/read/blocks") == Some(&Value::from(0)));
    daemon
}

#[track_caller]
fn chart(daemon: &Daemon, query: &str) -> Value {
    let (status, answer) = daemon.http("GET", &format!("/api/history?{query}"), "");
    assert_eq!(status, 200, "{query}: {answer}");
    answer
}

/// A sample of the export.
struct Sample {
    at: f64,
    temperature: f64,
    pressure: f64,
    heater: f64,
}

fn exported(daemon: &Daemon) -> Vec<Sample> {
    let number = |sample: &Value, name: &str| sample[name].as_f64().unwrap_or_else(|| panic!("{name} in {sample}"));
    let sample = |sample: Value| Sample {
        at: number(&sample, "timestamp"),
        temperature: number(&sample, "temperature_c"),
        pressure: number(&sample, "pressure"),
        heater: number(&sample, "heater_on"),
    };
    daemon.history().into_iter().map(sample).collect()
}

fn column(answer: &Value, path: &str) -> Vec<Option<f64>> {
    let values = answer.pointer(path).and_then(Value::as_array).unwrap_or_else(|| panic!("{path} in {answer}"));
    values.iter().map(Value::as_f64).collect()
}

fn query_of(from: f64, to: f64, points: usize) -> String {
    format!("from={from}&to={to}&points={points}&fields=temperature_c,pressure,heater_on")
}

/// Asserts that the points say of every sample of the range what the export says. `from` and `to` are full hours.
#[track_caller]
fn check(answer: &Value, oracle: &[Sample], from: f64, to: f64, points: usize) {
    let query = query_of(from, to, points);
    let resolution = answer["resolution"].as_f64().expect("a number");
    let starts = column(answer, "/timestamps");
    let [mean, min, max] = ["mean", "min", "max"].map(|part| column(answer, &format!("/fields/temperature_c/{part}")));
    let (pressure, heater) = (column(answer, "/fields/pressure/mean"), column(answer, "/fields/heater_on/mean"));
    let mut rest = oracle.iter().filter(|sample| (from..to).contains(&sample.at)).peekable();
    let (mut filled, mut gaps) = (0, 0);
    for (i, start) in starts.iter().map(|start| start.expect("a time")).enumerate() {
        let Some(mean) = mean[i] else {
            assert_eq!([min[i], max[i], pressure[i], heater[i]], [None; 4], "{query}: all of a gap is null");
            gaps += 1;
            continue;
        };
        filled += 1;
        let mut of: Vec<&Sample> = Vec::new();
        while let Some(sample) = rest.next_if(|sample| sample.at < start + resolution || sample.at == start) {
            of.push(sample);
            if resolution == 0.0 {
                break;
            }
        }
        assert!(!of.is_empty() && of[0].at >= start, "{query}: nothing was measured at {start}");
        let all = |value: fn(&Sample) -> f64| of.iter().map(move |sample| value(sample));
        let average = |value| all(value).sum::<f64>() / of.len() as f64;
        assert!((mean - average(|sample| sample.temperature)).abs() < 0.002, "{query} at {start}");
        assert_eq!(min[i], all(|sample| sample.temperature).reduce(f64::min), "{query} at {start}");
        assert_eq!(max[i], all(|sample| sample.temperature).reduce(f64::max), "{query} at {start}");
        assert!((pressure[i].expect("it is measured") - average(|sample| sample.pressure)).abs() < 0.002, "{query}");
        assert!((heater[i].expect("it is known") - average(|sample| sample.heater)).abs() < 0.0002, "{query}");
    }
    assert_eq!(rest.count(), 0, "{query}: samples are missing; {answer}");
    assert!(filled <= points && gaps <= filled, "{query}: {filled} points, {gaps} gaps");
}

/// Any range of full hours in the year up to now, and any number of points.
#[track_caller]
fn check_any(daemon: &Daemon, cases: usize) {
    let oracle = exported(daemon);
    let (first, last) = (oracle[0].at, oracle[oracle.len() - 1].at);
    let hours = ((last - first) / 3600.0) as u64;
    let length = proptest::prop_oneof![1..5u64, 1..100u64, 1..3000u64, 1..=hours];
    let strategy = (0..hours, length, proptest::prop_oneof![1..20usize, 1..=2000usize]);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..cases {
        let (ago, length, points) = strategy.new_tree(&mut runner).expect("a range").current();
        let to = ((last / 3600.0).floor() - ago as f64) * 3600.0;
        let from = to - length as f64 * 3600.0;
        check(&chart(daemon, &query_of(from, to, points)), &oracle, from, to, points);
    }
}

/// The right edge, to which the samples of this minute belong, at every resolution.
#[track_caller]
fn check_right_edge(daemon: &Daemon) {
    let ranges = [(1, 2000), (1, 7), (24, 500), (24 * 80, 2000), (24 * 365, 500), (24 * 365, 1)];
    let count = || daemon.status().expect("it answers")["journal"]["samples"].as_u64();
    let (mut oracle, mut answers, mut to) = (Vec::new(), Vec::new(), 0.0);
    wait_until("a time without a sample", || {
        let before = count();
        oracle = exported(daemon);
        to = (oracle[oracle.len() - 1].at / 3600.0).floor() * 3600.0 + 3600.0;
        let answer = |(hours, points)| chart(daemon, &query_of(to - f64::from(hours) * 3600.0, to, points));
        answers = ranges.map(answer).to_vec();
        count() == before
    });
    for ((hours, points), answer) in ranges.into_iter().zip(answers) {
        check(&answer, &oracle, to - f64::from(hours) * 3600.0, to, points);
        assert!(answer["read"]["samples"].as_u64() > Some(0), "some are in no rollup: {}", answer["read"]);
    }
}

#[test]
fn every_chart_says_what_the_export_says_also_after_a_kill() {
    let mut daemon = with_a_year("10");
    check_any(&daemon, 60);
    check_right_edge(&daemon);
    daemon.kill();
    daemon.start();
    check_right_edge(&daemon);
    check_any(&daemon, 10);
}

#[test]
fn a_year_is_read_from_rollups() {
    let daemon = with_a_year("3600");
    let now = daemon.status().expect("it answers")["sensor"]["timestamp"].as_f64().expect("a time");
    let answer = chart(&daemon, &format!("from={}&to={}", now - 365.0 * 86_400.0, now + 1.0));
    let read = |what: &str| answer["read"][what].as_u64().expect("a number");
    println!("{} of {} samples, {} rollups, {} blocks", read("samples"), 365 * 144, read("rollups"), read("blocks"));
    assert!(read("rollups") >= 365 * 24, "{}", answer["read"]);
    assert_eq!(read("blocks"), 0, "raw samples are not read");
    assert!(read("samples") < 10, "but for what is in no rollup yet: {}", answer["read"]);
    assert!(answer["timestamps"].as_array().is_some_and(|points| (450..=501).contains(&points.len())));
}

#[test]
fn what_is_not_a_chart_is_refused_with_what_is() {
    let mut daemon = Daemon::new();
    daemon.start();
    for (query, status, said) in [
        ("from=NaN", 400, "Unix seconds"),
        ("to=inf", 400, "Unix seconds"),
        ("to=-1", 400, "Unix seconds"),
        ("from=1e300", 400, "Unix seconds"),
        ("points=0", 400, "1 to 2000"),
        ("points=2001", 400, "1 to 2000"),
        ("points=-1", 400, "1 to 2000"),
        ("points=1.5", 400, "1 to 2000"),
        ("fields=temperature_c,nothing", 400, "absolute_humidity"),
        ("fields=", 400, "absolute_humidity"),
        ("box=other", 404, "other"),
        ("form=5", 400, "form"),
    ] {
        let (found, answer) = daemon.http("GET", &format!("/api/history?{query}"), "");
        assert_eq!(found, status, "{query}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|text| text.contains(said)), "{query}: {answer}");
    }
    for query in ["from=5&to=4", "from=5&to=5", "from=99999999999"] {
        let (status, answer) = daemon.http("GET", &format!("/api/history?{query}"), "");
        assert_eq!((status, &answer["timestamps"]), (200, &serde_json::json!([])), "{query}: {answer}");
        assert!(answer["note"].as_str().is_some_and(|note| note.contains("before to")), "{query}: {answer}");
    }
    for query in ["from=0&to=253402300799&points=2000", "points=1", "from=0.001&to=0.002&points=1", "box=main"] {
        chart(&daemon, query);
    }
}

#[test]
fn a_gap_is_null_and_no_line() {
    let mut daemon = Daemon::new();
    daemon.start();
    let count = |daemon: &Daemon| daemon.history().len();
    wait_until("some samples", || count(&daemon) >= 4);
    daemon.stop();
    std::thread::sleep(Duration::from_secs(2));
    daemon.start();
    let before = count(&daemon);
    wait_until("some more", || count(&daemon) >= before + 4);
    let now = daemon.history().last().expect("some")["timestamp"].as_f64().expect("a time");
    let answer = chart(&daemon, &format!("from={}", now - 60.0));
    let nulls = column(&answer, "/fields/humidity/max").into_iter().filter(Option::is_none).count();
    assert!(nulls >= 1, "{answer}");
    assert_eq!(answer["resolution"], 0.0);
}

#[test]
fn an_export_is_a_file_with_a_name() {
    let mut daemon = Daemon::new();
    daemon.start();
    let output = std::process::Command::new("curl")
        .args(["-si", "--unix-socket"])
        .arg(daemon.folder().join("filamentbox.sock"))
        .arg("http://localhost/api/history/export?from=1767225600&to=1767312000.5&box=main")
        .output()
        .expect("curl(1)");
    let answer = String::from_utf8(output.stdout).expect("text").to_lowercase();
    let name = "content-disposition: attachment; filename=\"filamentbox-main-2026-01-01-2026-01-02.csv\"";
    assert!(answer.contains(name), "{answer}");
    // A line is an object: the sample of this very millisecond, and no other.
    wait_until("samples", || daemon.history().len() > 3);
    let second = &daemon.history()[1];
    let at = second["timestamp"].as_f64().expect("a time");
    let one = daemon.http("GET", &format!("/api/history/export?format=jsonl&from={at}&to={:.3}", at + 0.001), "");
    assert_eq!(one, (200, second.clone()));
    for bad in ["from=NaN", "to=1e300", "from=x", "format=xml"] {
        assert_eq!(daemon.http("GET", &format!("/api/history/export?{bad}"), "").0, 400, "{bad}");
    }
}
