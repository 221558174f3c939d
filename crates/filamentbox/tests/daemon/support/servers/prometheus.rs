//! Prometheus, as a receiver of remote write.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{http, is_installed, percent_encoded, write_file};
use super::{PASSWORD, Process, Server, Stored, USERNAME, WEB_CONFIG};

/// Prometheus with Basic authentication, which takes remote write in order and nothing else.
pub(crate) struct PrometheusServer {
    process: Process,
}

/// A metric, its labels, and its values by milliseconds.
pub(crate) type Metric = (String, BTreeMap<String, String>, Vec<(i64, f64)>);

impl PrometheusServer {
    /// With these further lines in its configuration and arguments.
    pub(crate) fn start_with(configuration: &str, arguments: &[&str]) -> Option<Self> {
        if !is_installed("prometheus") {
            return None;
        }
        let mut process = Process::new("prometheus", "/-/ready");
        let (file, web) = (process.path("prometheus.yml"), process.path("web.yml"));
        write_file(file.as_ref(), configuration);
        write_file(web.as_ref(), WEB_CONFIG);
        process.arguments = vec![
            format!("--config.file={file}"),
            format!("--web.config.file={web}"),
            format!("--storage.tsdb.path={}", process.path("data")),
            "--storage.tsdb.retention.time=100y".to_owned(),
            format!("--web.listen-address={}", process.address),
        ];
        process.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        process.start();
        Some(Self { process })
    }

    /// Every metric as it is.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        metrics(self.process.address)
    }
}

/// Every metric of a server that speaks Prometheus' query language.
pub(super) fn metrics(address: std::net::SocketAddr) -> Vec<Metric> {
    // Everything up to the year 2100.
    let path = format!("/api/v1/query?time=4102444800&query={}", percent_encoded("{__name__!=\"\"}[130y]"));
    let (status, body) = http(address, "GET", &path, Some((USERNAME, PASSWORD))).expect("it answers");
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    let series = answer["data"]["result"].as_array().expect("series");
    let value = |pair: &Value| -> (i64, f64) {
        let ms = (pair[0].as_f64().expect("a time") * 1000.0).round() as i64;
        (ms, pair[1].as_str().expect("a text").parse().expect("a number"))
    };
    let metric = |series: &Value| {
        let mut labels: BTreeMap<String, String> = serde_json::from_value(series["metric"].clone()).expect("labels");
        let name = labels.remove("__name__").expect("a name");
        (name, labels, series["values"].as_array().expect("values").iter().map(value).collect())
    };
    series.iter().map(metric).collect()
}

/// Joins the metrics of a measurement again. What Prometheus is not sent, the temperature in Fahrenheit, is calculated.
pub(crate) fn points_of(metrics: impl IntoIterator<Item = Metric>) -> Vec<(String, Stored)> {
    const FIELDS: [(&str, &str); 5] = [
        ("_temperature_celsius", "temperature_c"),
        ("_absolute_humidity_grams_per_cubic_meter", "absolute_humidity"),
        ("_humidity_percent", "humidity"),
        ("_pressure_hectopascals", "pressure"),
        ("_dew_point_celsius", "dew_point_c"),
    ];
    type Identity = (i64, BTreeMap<String, String>);
    let mut names: BTreeMap<Identity, String> = BTreeMap::new();
    let mut points: BTreeMap<Identity, BTreeMap<String, f64>> = BTreeMap::new();
    for (name, labels, values) in metrics {
        let output = name.strip_prefix("filamentbox_");
        let found = FIELDS.into_iter().find_map(|(end, field)| Some((name.strip_suffix(end)?, field)));
        for (ms, value) in values {
            let key = (ms, labels.clone());
            if let Some((measurement, _)) = found {
                names.insert(key.clone(), measurement.to_owned());
            }
            let field = found.map(|(_, field)| field).or(output).unwrap_or_else(|| panic!("{name} is none of ours"));
            let fields = points.entry(key).or_default();
            assert_eq!(fields.insert(field.to_owned(), value), None, "{name} has two values at {ms}");
            if field == "temperature_c" {
                let milli_fahrenheit = (value * 100.0).round() * 18.0 + 32_000.0;
                fields.insert("temperature_f".to_owned(), milli_fahrenheit / 1000.0);
            }
        }
    }
    let point = |((ms, tags), fields)| {
        let name = names.get(&(ms, BTreeMap::clone(&tags))).expect("a measurement").clone();
        (name, Stored { ms, fields, tags })
    };
    super::sorted(points.into_iter().map(point).collect())
}

impl Server for PrometheusServer {
    fn start() -> Option<Self> {
        Self::start_with("global: {}\n", &["--web.enable-remote-write-receiver"])
    }

    fn kill(&mut self) {
        self.process.stop("KILL");
    }

    fn terminate(&mut self) {
        self.process.stop("TERM");
    }

    fn restart(&mut self) {
        self.process.start();
    }

    fn url(&self) -> String {
        format!("http://{}", self.process.address)
    }

    fn settings(&self) -> Vec<(String, String)> {
        let pairs = [
            ("database.type", "prometheus_remote_write"),
            ("database.prometheus_remote_write.url", &format!("{}/api/v1/write", self.url())),
            ("database.prometheus_remote_write.username", USERNAME),
            ("database.prometheus_remote_write.password", PASSWORD),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    /// Without the labels `job` and `instance`, which every one has.
    fn all_points(&self) -> Vec<(String, Stored)> {
        let metrics = self.metrics().into_iter().map(|(name, mut labels, values)| {
            assert_eq!(labels.remove("job").as_deref(), Some("filamentbox"), "{name}");
            assert!(labels.remove("instance").is_some_and(|instance| !instance.is_empty()), "{name}");
            (name, labels, values)
        });
        points_of(metrics)
    }
}
