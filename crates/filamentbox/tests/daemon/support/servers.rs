//! Real servers: start, kill, stop, start again with the same data, and read back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use filamentbox_core::sample::FIELD_NAMES;
use serde_json::Value;
use tempfile::TempDir;

use super::{base64, free_address, http, is_installed, percent_encoded, wait_until, write_file};

/// The user that every server knows.
pub(crate) const USERNAME: &str = "filament";
/// That user's password.
pub(crate) const PASSWORD: &str = "p4ss wörd";

/// A point as a server gives it back.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Stored {
    /// Milliseconds since 1970.
    pub(crate) ms: i64,
    /// Fields by name.
    pub(crate) fields: BTreeMap<String, f64>,
    /// Tags by name.
    pub(crate) tags: BTreeMap<String, String>,
}

/// A real server.
pub(crate) trait Server {
    /// Starts one that asks for [`USERNAME`] and [`PASSWORD`]; `None` when it is not installed.
    fn start() -> Option<Self>
    where
        Self: Sized;

    /// The running process.
    fn process(&mut self) -> &mut Process;

    /// `http://127.0.0.1:PORT`.
    fn url(&self) -> String;

    /// The settings with which FilamentBox delivers to it, `database.type` included.
    fn settings(&self) -> Vec<(String, String)>;

    /// Every point of every measurement, by measurement, time and tags.
    fn all_points(&self) -> Vec<(String, Stored)>;

    /// The points of one measurement, by time and tags.
    fn points(&self, measurement: &str) -> Vec<Stored> {
        self.all_points().into_iter().filter(|(name, _)| name == measurement).map(|(_, stored)| stored).collect()
    }

    /// SIGKILL: what it had not written is gone.
    fn kill(&mut self) {
        self.process().stop("KILL");
    }

    /// SIGTERM, and waits for the end.
    fn terminate(&mut self) {
        self.process().stop("TERM");
    }

    /// Starts it again, on the same port and with the same data.
    fn restart(&mut self) {
        self.process().start();
    }
}

/// A server's process and its folder.
pub(crate) struct Process {
    folder: TempDir,
    address: SocketAddr,
    program: &'static str,
    arguments: Vec<String>,
    ready_path: &'static str,
    child: Option<Child>,
}

impl Process {
    fn new(program: &'static str, ready_path: &'static str) -> Self {
        let folder = tempfile::Builder::new().prefix("filamentbox-test-").tempdir().expect("a temporary folder");
        Self { folder, address: free_address(), program, arguments: Vec::new(), ready_path, child: None }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.program);
        let log = std::fs::File::create(self.path("log")).expect("the log file");
        let mut command = if is_on_path("setpriv") {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", self.program]);
            command
        } else {
            Command::new(self.program)
        };
        command.args(&self.arguments).stdin(Stdio::null()).stdout(log.try_clone().expect("a handle")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program));
        let child = self.child.insert(child);
        let (program, log) = (self.program, self.folder.path().join("log"));
        wait_until(program, || {
            if let Some(status) = child.try_wait().expect("a child") {
                panic!("{program} ended: {status}\n{}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            matches!(http(self.address, "GET", self.ready_path, None), Ok((200..=299, _)))
        });
    }

    fn stop(&mut self, signal: &str) {
        let Some(mut child) = self.child.take() else { panic!("{} does not run", self.program) };
        let id = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        let signal = if signal == "KILL" { rustix::process::Signal::KILL } else { rustix::process::Signal::TERM };
        rustix::process::kill_process(id, signal).expect("the process can be signalled");
        child.wait().expect("a child");
    }

    fn request(&self, method: &str, path: &str) -> (u16, String) {
        http(self.address, method, path, Some((USERNAME, PASSWORD)))
            .unwrap_or_else(|error| panic!("{} {path}: {error}", self.program))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; then there is nothing to do.
            let _ended = child.kill();
            let _status = child.wait();
        }
    }
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn sorted(mut points: Vec<(String, Stored)>) -> Vec<(String, Stored)> {
    points.sort_by(|(a, x), (b, y)| (a, x.ms, &x.tags).cmp(&(b, y.ms, &y.tags)));
    points
}

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

    fn process(&mut self) -> &mut Process {
        &mut self.process
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

    fn points(&self, measurement: &str) -> Vec<Stored> {
        let name = measurement.replace('\\', "\\\\").replace('"', "\\\"");
        self.select(&format!("\"{name}\"")).into_iter().map(|(_, stored)| stored).collect()
    }
}

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

    fn process(&mut self) -> &mut Process {
        &mut self.process
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

#[test]
fn base64_matches_rfc_4648() {
    let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
    for (plain, encoded) in cases {
        assert_eq!(base64(plain.as_bytes()), encoded);
    }
}
