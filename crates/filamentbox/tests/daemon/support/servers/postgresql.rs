//! PostgreSQL.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use filamentbox_core::sample::FIELD_NAMES;
use serde_json::Value;
use tempfile::TempDir;

use super::super::{free_address, is_installed_as, signal, wait_until, write_file};
use super::{PASSWORD, Server, Stored, USERNAME};

/// PostgreSQL as Debian installs it. Its user owns [`Self::DATABASE`], and logs in with SCRAM; the administrator `postgres` comes by
/// the Unix socket in the server's folder. No TLS, until a test puts some into the configuration.
pub(crate) struct PostgresServer {
    folder: TempDir,
    address: SocketAddr,
    child: Option<Child>,
}

impl PostgresServer {
    /// The database that exists from the start.
    pub(crate) const DATABASE: &'static str = "filament \"box\"";
    /// The table's name by default.
    pub(crate) const TABLE: &'static str = "environment_data";

    /// The server's address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A file in the server's folder, its data folder's being `data/...`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that the server can read and others cannot: keys must be like that.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        write_file(&path, text);
        let path = path.to_str().expect("text");
        assert!(Command::new("chmod").args(["600", path]).status().expect("chmod(1)").success());
        give_to_postgres(path);
    }

    /// Starts it anew with these rules for TCP (`pg_hba.conf`), and these lines in its configuration besides its own.
    pub(crate) fn configure(&mut self, rules: &str, lines: &str) {
        self.write("data/pg_hba.conf", &format!("local all all trust\n{rules}\n"));
        let (port, sockets) = (self.address.port(), self.folder.path().display());
        let own = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{sockets}'\nfsync = off\n"
        );
        self.write("data/postgresql.auto.conf", &format!("{own}{lines}\n"));
        if self.child.is_some() {
            self.terminate();
        }
        self.spawn();
    }

    /// Statements by the administrator, in the database; what psql prints, a row a line.
    pub(crate) fn query(&self, statements: &str) -> String {
        self.query_as("postgres", Self::DATABASE, statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// Statements by `user` by way of the Unix socket, where everybody is trusted; or what psql says instead.
    pub(crate) fn query_as(&self, user: &str, database: &str, statements: &str) -> Result<String, String> {
        psql(&self.socket(user, database), statements)
    }

    /// The way there by the Unix socket, for [`psql`].
    pub(crate) fn socket(&self, user: &str, database: &str) -> String {
        let (folder, port) = (self.folder.path().display(), self.address.port());
        format!("host={folder} port={port} user={user} dbname='{database}'")
    }

    /// Every row of a table, by time and tags.
    pub(crate) fn rows(&self, table: &str) -> Vec<Stored> {
        rows(table, |statements| self.query(statements))
    }
}

/// Every row of a table of ours, by time and tags.
pub(super) fn rows(table: &str, query: impl Fn(&str) -> String) -> Vec<Stored> {
    let rows = query(&format!(
        "SELECT json_build_object('us', (extract(epoch FROM time) * 1000000)::bigint, 'row', row_to_json(t)) FROM {table} t ORDER BY time, tags"
    ));
    rows.lines().map(stored).collect()
}

fn stored(row: &str) -> Stored {
    let row: Value = serde_json::from_str(row).unwrap_or_else(|error| panic!("{row}: {error}"));
    let microseconds = row["us"].as_i64().expect("a time");
    assert_eq!(microseconds % 1000, 0, "whole milliseconds");
    let fields = FIELD_NAMES.into_iter().filter_map(|name| Some((name.to_owned(), row["row"][name].as_f64()?)));
    let tags: BTreeMap<String, String> = serde_json::from_value(row["row"]["tags"].clone()).expect("tags");
    Stored { ms: microseconds / 1000, fields: fields.collect(), tags }
}

/// What psql prints, a row a line; or what it says instead.
pub(crate) fn psql(connection: &str, statements: &str) -> Result<String, String> {
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", connection, "-c", statements]);
    psql.env("HOME", "/nonexistent").env("PGPASSWORD", PASSWORD);
    let output = psql.output().expect("psql(1)");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// The newest version that Debian has installed.
fn programs() -> Option<PathBuf> {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    versions.filter(|folder| folder.join("initdb").is_file()).max()
}

/// PostgreSQL does not run as root.
fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

fn give_to_postgres(path: &str) {
    if is_root() {
        assert!(Command::new("chown").args(["postgres", path]).status().expect("chown(1)").success());
    }
}

/// A program of PostgreSQL's, which dies with this thread.
fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).stdin(Stdio::null()).current_dir("/");
    command
}

impl PostgresServer {
    fn spawn(&mut self) {
        assert!(self.child.is_none(), "postgres runs already");
        let log = std::fs::File::create(self.path("log")).expect("the log file");
        let (file, socket) = (self.path("log"), self.socket("postgres", "postgres"));
        let mut command = command(&programs().expect("installed").join("postgres"));
        command.arg("-D").arg(self.path("data")).stdout(log.try_clone().expect("a handle")).stderr(log);
        let child = self.child.insert(command.spawn().expect("setpriv(1)"));
        wait_until("postgres", || {
            if let Some(status) = child.try_wait().expect("a child") {
                panic!("postgres ended: {status}\n{}", std::fs::read_to_string(&file).unwrap_or_default());
            }
            psql(&socket, "SELECT 1").is_ok()
        });
    }

    /// The server and the processes of its connections, which are no group: each is killed, so that none lives on for a moment.
    fn kill_all(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let children = Command::new("pgrep").args(["-P", &child.id().to_string()]).output().expect("pgrep(1)");
        // It may have ended by itself; then there is nothing to do.
        let _ended = child.kill();
        for id in String::from_utf8_lossy(&children.stdout).lines() {
            let _ended = Command::new("kill").args(["-KILL", id]).stderr(Stdio::null()).status();
        }
        let _status = child.wait();
    }
}

impl Server for PostgresServer {
    fn start() -> Option<Self> {
        let programs = programs();
        if !is_installed_as("postgresql", programs.is_some()) {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("filamentbox-test-").tempdir().expect("a temporary folder");
        give_to_postgres(folder.path().to_str().expect("text"));
        let mut server = Self { folder, address: free_address(), child: None };
        let mut initdb = command(&programs?.join("initdb"));
        initdb.args([
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--no-sync",
            "-D",
        ]);
        let output = initdb.arg(server.path("data")).output().expect("setpriv(1)");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        server.configure("host all all 127.0.0.1/32 scram-sha-256", "");
        let database = Self::DATABASE.replace('"', "\"\"");
        let admin = |statement: &str| server.query_as("postgres", "postgres", statement).expect("accepted");
        admin(&format!("CREATE USER {USERNAME} PASSWORD '{PASSWORD}'"));
        admin(&format!("CREATE DATABASE \"{database}\" OWNER {USERNAME}"));
        Some(server)
    }

    fn kill(&mut self) {
        assert!(self.child.is_some(), "postgres does not run");
        self.kill_all();
    }

    /// Its "fast" shutdown: connections are ended.
    fn terminate(&mut self) {
        let Some(mut child) = self.child.take() else { panic!("postgres does not run") };
        signal(&child.id().to_string(), "-INT");
        child.wait().expect("a child");
    }

    fn restart(&mut self) {
        self.spawn();
    }

    fn url(&self) -> String {
        self.address.to_string()
    }

    fn settings(&self) -> Vec<(String, String)> {
        let pairs = [
            ("database.type", "timescaledb"),
            ("database.timescaledb.host", &self.address.ip().to_string()),
            ("database.timescaledb.port", &self.address.port().to_string()),
            ("database.timescaledb.database", Self::DATABASE),
            ("database.timescaledb.username", USERNAME),
            ("database.timescaledb.password", PASSWORD),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    fn keeps_measurements(&self) -> bool {
        false
    }

    fn all_points(&self) -> Vec<(String, Stored)> {
        if self.query(&format!("SELECT to_regclass('{}')", Self::TABLE)).is_empty() {
            return Vec::new();
        }
        self.rows(Self::TABLE).into_iter().map(|stored| ("environment".to_owned(), stored)).collect()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill_all();
    }
}
