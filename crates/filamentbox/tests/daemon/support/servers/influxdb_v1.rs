//! InfluxDB 1.x.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{http, is_installed, percent_encoded, write_file};
use super::{PASSWORD, Process, Server, Stored, USERNAME, sorted};

/// InfluxDB 1.x (`influxd`), with authentication. Its user is no administrator and has all rights on [`Self::DATABASE`].
pub(crate) struct InfluxServer {
    process: Process,
}

impl InfluxServer {
    /// The database that exists from the start.
    pub(crate) const DATABASE: &'static str = "filamentbox";
    const ADMIN: (&'static str, &'static str) = ("admin", "admin");

    /// Runs a statement as the administrator.
    pub(crate) fn query(&self, statement: &str) -> Value {
        let path = format!("/query?epoch=ms&db={}&q={}", Self::DATABASE, percent_encoded(statement));
        let (status, body) = http(self.process.address, "POST", &path, Some(Self::ADMIN)).expect("influxd answers");
        assert_eq!(status, 200, "{statement}: {body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(answer["results"][0]["error"], Value::Null, "{statement}");
        answer
    }

    fn select(&self, from: &str) -> Vec<(String, Stored)> {
        let answer = self.query(&format!("SELECT * FROM {from} GROUP BY *"));
        let series = answer["results"][0]["series"].as_array().cloned().unwrap_or_default();
        let mut points = Vec::new();
        for one in &series {
            let name = one["name"].as_str().expect("a name").to_owned();
            let texts = one["tags"].as_object().cloned().unwrap_or_default();
            let tags: BTreeMap<String, String> = texts
                .iter()
                // A tag that only other series have comes back empty.
                .filter(|(_, value)| value.as_str() != Some(""))
                .map(|(tag, value)| (tag.clone(), value.as_str().expect("a text").to_owned()))
                .collect();
            let columns: Vec<&str> =
                one["columns"].as_array().expect("columns").iter().filter_map(Value::as_str).collect();
            for row in one["values"].as_array().expect("rows") {
                let cells = columns.iter().zip(row.as_array().expect("cells"));
                let mut stored = Stored { ms: 0, fields: BTreeMap::new(), tags: tags.clone() };
                for (column, cell) in cells {
                    match (*column, cell.as_f64()) {
                        ("time", _) => stored.ms = cell.as_i64().expect("a time"),
                        (field, Some(value)) => drop(stored.fields.insert(field.to_owned(), value)),
                        (_, None) => {}
                    }
                }
                points.push((name.clone(), stored));
            }
        }
        sorted(points)
    }
}

impl Server for InfluxServer {
    fn start() -> Option<Self> {
        if !is_installed("influxd") {
            return None;
        }
        let mut process = Process::new("influxd", "/ping");
        let (meta, data, wal) = (process.path("meta"), process.path("data"), process.path("wal"));
        let address = process.address;
        let config = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:0\"\n[meta]\ndir = {meta:?}\n[data]\ndir = {data:?}\nwal-dir = {wal:?}\n\
             [http]\nbind-address = \"{address}\"\nauth-enabled = true\nlog-enabled = false\n[monitor]\nstore-enabled = false\n"
        );
        let file = process.path("influxdb.conf");
        write_file(file.as_ref(), &config);
        process.arguments = vec!["run".to_owned(), "-config".to_owned(), file];
        process.start();
        let server = Self { process };
        let (admin, password) = Self::ADMIN;
        server.query(&format!("CREATE USER {admin} WITH PASSWORD '{password}' WITH ALL PRIVILEGES"));
        server.query(&format!("CREATE DATABASE {}", Self::DATABASE));
        server.query(&format!("CREATE USER {USERNAME} WITH PASSWORD '{PASSWORD}'"));
        server.query(&format!("GRANT ALL ON {} TO {USERNAME}", Self::DATABASE));
        Some(server)
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
            ("database.type", "influxdb_v1"),
            ("database.influxdb_v1.url", &self.url()),
            ("database.influxdb_v1.database", Self::DATABASE),
            ("database.influxdb_v1.username", USERNAME),
            ("database.influxdb_v1.password", PASSWORD),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    fn all_points(&self) -> Vec<(String, Stored)> {
        self.select("/.*/")
    }

    fn times(&self, measurement: &str) -> Vec<i64> {
        let answer = self.query(&format!("SELECT temperature_c FROM \"{measurement}\""));
        let rows = answer["results"][0]["series"][0]["values"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row[0].as_i64().expect("a time")).collect()
    }

    fn points(&self, measurement: &str) -> Vec<Stored> {
        let name = measurement.replace('\\', "\\\\").replace('"', "\\\"");
        self.select(&format!("\"{name}\"")).into_iter().map(|(_, stored)| stored).collect()
    }
}
