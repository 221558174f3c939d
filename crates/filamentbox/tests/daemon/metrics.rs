//! `/metrics` of the real binary, on its socket: the format, the names, the books.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use crate::support::{Daemon, Fault, FaultServer, is_installed, wait_until};

/// The head and the text of a scrape.
fn scrape(daemon: &Daemon) -> (String, String) {
    let mut stream = UnixStream::connect(daemon.folder().join("filamentbox.sock")).expect("the daemon's socket");
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

/// Series and value of every sample.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let split = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a series and a value");
        (series.to_owned(), value.parse().expect("a number"))
    };
    let samples: Vec<(String, f64)> = lines.map(split).collect();
    let by_series: BTreeMap<String, f64> = samples.iter().cloned().collect();
    assert_eq!(samples.len(), by_series.len(), "each series once");
    by_series
}

#[test]
fn metrics_show_box_and_deliveries() {
    // The second backend never answers well.
    let (good, bad) = (FaultServer::start([]), FaultServer::start(vec![Fault::Answer(503, "", String::new()); 1000]));
    let mut daemon = Daemon::new();
    daemon
        .set("database.type", "influxdb_v1,victoriametrics")
        .set("database.influxdb_v1.url", &good.url())
        .set("database.influxdb_v1.database", "d")
        .set("database.victoriametrics.url", &bad.url())
        .set("data_collection.measurement", "the air")
        .set("data_collection.tags", r#"{"place":"shelf \"2\""}"#)
        .set("data_collection.flush_interval", "1")
        .set("retry.backoff_base", "0.2")
        .set("retry.backoff_max", "1")
        .start();
    let value = |series: &str| samples(&scrape(&daemon).1).get(series).copied();
    let up = |backend: &str| value(&format!("filamentbox_backend_up{{backend=\"{backend}\"}}"));
    wait_until("a delivery and a failure", || up("influxdb_v1") == Some(1.0) && up("victoriametrics") == Some(0.0));
    daemon.wait_for_output("heater", true);
    daemon.wait_for_output("fan", true);
    let (head, text) = scrape(&daemon);
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n") || head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    let samples = samples(&text);
    let get = |series: &str| *samples.get(series).unwrap_or_else(|| panic!("{series} is not in\n{text}"));
    let labels = r#"{place="shelf \"2\""}"#;
    assert!((-40.0..100.0).contains(&get(&format!("the_air_temperature_celsius{labels}"))));
    assert!((0.0..=100.0).contains(&get(&format!("the_air_humidity_percent{labels}"))));
    assert!(get(&format!("the_air_sample_age_seconds{labels}")) < 60.0);
    assert_eq!(get(&format!("filamentbox_faults{labels}")), 0.0);
    // The simulated box is cold and humid at first, so both are on.
    for output in ["heater", "fan"] {
        assert_eq!(get(&format!("filamentbox_{output}_on{labels}")), 1.0);
    }
    assert_eq!(get(&format!("filamentbox_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), 1.0);
    assert_eq!(get("filamentbox_journal_up"), 1.0);
    for backend in ["influxdb_v1", "victoriametrics"] {
        let own = |name: &str| get(&format!("filamentbox_samples_{name}{{backend=\"{backend}\"}}"));
        let total =
            |outcome: &str| get(&format!("filamentbox_samples_total{{backend=\"{backend}\",outcome=\"{outcome}\"}}"));
        let ended = total("delivered") + total("superseded") + total("evicted");
        assert_eq!(own("sampled_total"), ended + own("waiting") + own("dead_letter"), "{text}");
        assert_eq!(total("delivered") > 0.0, backend == "influxdb_v1", "{text}");
    }
    assert!(get("filamentbox_backend_failures{backend=\"victoriametrics\"}") >= 1.0);
    assert_eq!(get("filamentbox_backend_failures{backend=\"influxdb_v1\"}"), 0.0);
    check_with_promtool(&text);
}

/// The linter of the Prometheus project reads it, and has nothing to say.
fn check_with_promtool(text: &str) {
    if !is_installed("promtool") {
        return;
    }
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = command.spawn().expect("promtool starts");
    promtool.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{}: {said}\n{text}", output.status);
}
