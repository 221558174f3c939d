//! VictoriaMetrics.

use std::collections::BTreeMap;

use filamentbox_core::sample::FIELD_NAMES;
use serde_json::Value;

use super::super::{is_installed, percent_encoded};
use super::{PASSWORD, Process, Server, Stored, USERNAME};

/// VictoriaMetrics, single node, with Basic authentication. It stores what is sent twice, twice;
/// `-dedup.minScrapeInterval=1ms` gives it back once.
pub(crate) struct VictoriaServer {
    process: Process,
}

impl VictoriaServer {
    /// How many lines it has refused without telling the sender.
    pub(crate) fn invalid_lines(&self) -> u64 {
        let (_, body) = self.process.request("GET", "/metrics");
        let lines = body.lines().filter(|line| line.starts_with("vm_rows_invalid_total{type=\"influx\"}"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Every metric as it is, by Prometheus' query language.
    pub(crate) fn metrics(&self) -> Vec<super::prometheus::Metric> {
        self.process.request("GET", "/internal/force_flush");
        super::prometheus::metrics(self.process.address)
    }
}

impl Server for VictoriaServer {
    fn start() -> Option<Self> {
        if !is_installed("victoria-metrics") {
            return None;
        }
        let mut process = Process::new("victoria-metrics", "/health");
        process.arguments = vec![
            format!("-storageDataPath={}", process.path("data")),
            format!("-httpListenAddr={}", process.address),
            "-retentionPeriod=100y".to_owned(),
            "-selfScrapeInterval=0".to_owned(),
            "-search.latencyOffset=0s".to_owned(),
            "-dedup.minScrapeInterval=1ms".to_owned(),
            format!("-httpAuth.username={USERNAME}"),
            format!("-httpAuth.password={PASSWORD}"),
        ];
        process.start();
        Some(Self { process })
    }

    fn times(&self, measurement: &str) -> Vec<i64> {
        self.process.request("GET", "/internal/force_flush");
        let path = format!("/api/v1/export?match[]={measurement}_temperature_c");
        let (status, body) = self.process.request("GET", &path);
        assert_eq!(status, 200, "{body}");
        let blocks = body.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let times = |block: Value| block["timestamps"].as_array().cloned().expect("times");
        blocks.flat_map(times).map(|at| at.as_i64().expect("a time")).collect()
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
            ("database.type", "victoriametrics"),
            ("database.victoriametrics.url", &self.url()),
            ("database.victoriametrics.username", USERNAME),
            ("database.victoriametrics.password", PASSWORD),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    /// Joins the series of a measurement again: VictoriaMetrics has one a field, named `MEASUREMENT_FIELD`.
    fn all_points(&self) -> Vec<(String, Stored)> {
        self.process.request("GET", "/internal/force_flush");
        let path = format!("/api/v1/export?match[]={}", percent_encoded("{__name__!=\"\"}"));
        let (status, body) = self.process.request("GET", &path);
        assert_eq!(status, 200, "{body}");
        type Identity = (String, i64, BTreeMap<String, String>);
        let mut points: BTreeMap<Identity, BTreeMap<String, f64>> = BTreeMap::new();
        for line in body.lines() {
            let series: Value = serde_json::from_str(line).expect("JSON");
            let mut tags: BTreeMap<String, String> = serde_json::from_value(series["metric"].clone()).expect("labels");
            let name = tags.remove("__name__").expect("a name");
            // The longest: `absolute_humidity` also ends with `humidity`.
            let fields = FIELD_NAMES.into_iter().filter(|field| name.ends_with(&format!("_{field}")));
            let field = fields.max_by_key(|field| field.len()).unwrap_or_else(|| panic!("{name} is no field of ours"));
            let measurement = &name[..name.len() - field.len() - 1];
            let numbers = |key: &str| series[key].as_array().cloned().expect("an array");
            for (time, value) in numbers("timestamps").iter().zip(numbers("values")) {
                let key = (measurement.to_owned(), time.as_i64().expect("a time"), tags.clone());
                let previous =
                    points.entry(key).or_default().insert(field.to_owned(), value.as_f64().expect("a number"));
                assert_eq!(previous, None, "{name} has two values at {time}");
            }
        }
        points.into_iter().map(|((name, ms, tags), fields)| (name, Stored { ms, fields, tags })).collect()
    }
}
