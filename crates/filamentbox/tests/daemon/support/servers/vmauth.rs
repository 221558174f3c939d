//! vmauth, VictoriaMetrics' proxy for tokens and users, before a single node without authentication.

use super::super::{http, is_installed, percent_encoded, write_file};
use super::{PASSWORD, Process, USERNAME};

/// vmauth that knows [`Self::TOKEN`], and [`USERNAME`] with [`PASSWORD`].
pub(crate) struct VmAuth {
    victoria: Process,
    auth: Process,
}

impl VmAuth {
    pub(crate) const TOKEN: &'static str = "t0k-en.of_the=box";

    /// `None` when it is not installed.
    pub(crate) fn start() -> Option<Self> {
        if !is_installed("victoria-metrics") || !is_installed("vmauth") {
            return None;
        }
        let mut victoria = Process::new("victoria-metrics", "/health");
        victoria.arguments = vec![
            format!("-storageDataPath={}", victoria.path("data")),
            format!("-httpListenAddr={}", victoria.address),
            "-retentionPeriod=100y".to_owned(),
            "-selfScrapeInterval=0".to_owned(),
            "-search.latencyOffset=0s".to_owned(),
        ];
        victoria.start();
        let mut auth = Process::new("vmauth", "/health");
        let (file, prefix, token) = (auth.path("auth.yml"), format!("http://{}", victoria.address), Self::TOKEN);
        let users = format!(
            "users:\n- bearer_token: {token:?}\n  url_prefix: {prefix:?}\n\
             - username: {USERNAME:?}\n  password: {PASSWORD:?}\n  url_prefix: {prefix:?}\n"
        );
        write_file(file.as_ref(), &users);
        auth.arguments = vec![format!("-auth.config={file}"), format!("-httpListenAddr={}", auth.address)];
        auth.start();
        Some(Self { victoria, auth })
    }

    /// `http://127.0.0.1:PORT` of vmauth.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.auth.address)
    }

    /// Values of a metric that the node behind it has.
    pub(crate) fn count(&self, metric: &str) -> usize {
        self.victoria.request("GET", "/internal/force_flush");
        let path = format!("/api/v1/export?match[]={}", percent_encoded(metric));
        let (status, body) = http(self.victoria.address, "GET", &path, None).expect("it answers");
        assert_eq!(status, 200, "{body}");
        let series = body.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        series.map(|series| series["values"].as_array().map_or(0, Vec::len)).sum()
    }

    /// SIGTERM for the node, so that vmauth has nothing behind it.
    pub(crate) fn stop_node(&mut self) {
        self.victoria.stop("TERM");
    }
}
