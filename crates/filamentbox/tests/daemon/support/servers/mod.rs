//! Servers: start, kill, stop, start again with the same data, and read back. Real ones where they can be installed, doubles of the others.

mod double;
mod influxdb_store;
mod influxdb_v1;
mod influxdb_v2;
mod influxdb_v3;
mod openbao;
mod postgresql;
mod prometheus;
mod pushgateway;
mod timescaledb;
mod victoriametrics;
mod vmauth;

pub(crate) use influxdb_v1::InfluxServer;
pub(crate) use influxdb_v2::InfluxV2Double;
pub(crate) use influxdb_v3::InfluxV3Double;
pub(crate) use openbao::BaoServer;
pub(crate) use postgresql::{PostgresServer, psql};
pub(crate) use prometheus::{Metric, PrometheusServer, points_of};
pub(crate) use pushgateway::PushgatewayServer;
pub(crate) use timescaledb::TimescaleServer;
pub(crate) use victoriametrics::VictoriaServer;
pub(crate) use vmauth::VmAuth;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{free_address, http, wait_until};

/// The user that every server knows.
pub(crate) const USERNAME: &str = "filament";
/// That user's password.
pub(crate) const PASSWORD: &str = "p4ss wörd";
/// The token that every server with tokens knows.
pub(crate) const TOKEN: &str = "t0ken_-a/b+c==";

/// [`USERNAME`] and [`PASSWORD`] (as bcrypt, 2^4 rounds) for the servers of the Prometheus project.
const WEB_CONFIG: &str =
    "basic_auth_users:\n  filament: $2b$04$Ri4m.X8w9K6GaAiB1pyGJeOd4F6wVrB4Kxy6bIiQ8vTq9CteLT1EW\n";

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

/// A server.
pub(crate) trait Server {
    /// Starts one that asks for [`USERNAME`] and [`PASSWORD`], or for [`TOKEN`]; `None` when it is not installed.
    fn start() -> Option<Self>
    where
        Self: Sized;

    /// `http://127.0.0.1:PORT`, or what else errors call the server.
    fn url(&self) -> String;

    /// The settings with which FilamentBox delivers to it, `database.type` included.
    fn settings(&self) -> Vec<(String, String)>;

    /// Whether it stores a measurement's name; when not, [`Self::all_points`] calls all of them `environment`.
    fn keeps_measurements(&self) -> bool {
        true
    }

    /// Every point of every measurement, by measurement, time and tags.
    fn all_points(&self) -> Vec<(String, Stored)>;

    /// The points of one measurement, by time and tags.
    fn points(&self, measurement: &str) -> Vec<Stored> {
        self.all_points().into_iter().filter(|(name, _)| name == measurement).map(|(_, stored)| stored).collect()
    }

    /// The times of all points of a measurement, in milliseconds; twice what is stored twice.
    fn times(&self, measurement: &str) -> Vec<i64> {
        self.points(measurement).iter().map(|point| point.ms).collect()
    }

    /// SIGKILL: what it had not written is gone.
    fn kill(&mut self);

    /// SIGTERM, and waits for the end.
    fn terminate(&mut self);

    /// Starts it again, on the same port and with the same data.
    fn restart(&mut self);
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
            matches!(http(self.address, "GET", self.ready_path, Some((USERNAME, PASSWORD))), Ok((200..=299, _)))
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
