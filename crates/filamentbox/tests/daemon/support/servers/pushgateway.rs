//! The Prometheus Pushgateway.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{is_installed, write_file};
use super::prometheus::points_of;
use super::{PASSWORD, Process, Server, Stored, USERNAME, WEB_CONFIG};

/// Pushgateway with Basic authentication. It has the newest point of each series only.
pub(crate) struct PushgatewayServer {
    process: Process,
}

impl PushgatewayServer {
    /// A request: status and body.
    pub(crate) fn request(&self, method: &str, path: &str) -> (u16, String) {
        self.process.request(method, path)
    }

    /// The groups as `/api/v1/metrics` has them.
    pub(crate) fn groups(&self) -> Vec<Value> {
        let (status, body) = self.request("GET", "/api/v1/metrics");
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        answer["data"].as_array().cloned().expect("groups")
    }
}

impl Server for PushgatewayServer {
    fn start() -> Option<Self> {
        if !is_installed("prometheus-pushgateway") {
            return None;
        }
        let mut process = Process::new("prometheus-pushgateway", "/-/ready");
        let web = process.path("web.yml");
        write_file(web.as_ref(), WEB_CONFIG);
        process.arguments = vec![
            format!("--web.listen-address={}", process.address),
            format!("--web.config.file={web}"),
            format!("--persistence.file={}", process.path("data")),
        ];
        process.start();
        Some(Self { process })
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
            ("database.type", "prometheus"),
            ("database.prometheus.url", &self.url()),
            ("database.prometheus.username", USERNAME),
            ("database.prometheus.password", PASSWORD),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    /// Without the group's labels; the time is that of the metric `filamentbox_sample_timestamp_seconds`.
    fn all_points(&self) -> Vec<(String, Stored)> {
        let mut metrics = Vec::new();
        for group in self.groups() {
            let group_labels = group["labels"].as_object().expect("labels").clone();
            let mut values = Vec::new();
            let mut times: BTreeMap<BTreeMap<String, String>, i64> = BTreeMap::new();
            for (name, family) in group.as_object().expect("a group") {
                let Some(samples) = family["metrics"].as_array().filter(|_| !name.starts_with("push_")) else {
                    continue;
                };
                assert_eq!(family["type"], "GAUGE", "{name}");
                for sample in samples {
                    let mut labels: BTreeMap<String, String> =
                        serde_json::from_value(sample["labels"].clone()).expect("labels");
                    labels.retain(|label, _| !group_labels.contains_key(label));
                    let value: f64 = sample["value"].as_str().expect("a text").parse().expect("a number");
                    if name == "filamentbox_sample_timestamp_seconds" {
                        times.insert(labels, (value * 1000.0).round() as i64);
                    } else {
                        values.push((name.clone(), labels, value));
                    }
                }
            }
            metrics.extend(values.into_iter().map(|(name, labels, value)| {
                let ms = *times.get(&labels).expect("a time");
                (name, labels, vec![(ms, value)])
            }));
        }
        points_of(metrics)
    }
}
