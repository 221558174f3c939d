//! The real binary as a daemon with a simulated box, and the commands that talk to it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use filamentbox::settings::{Access, Change, Places, Sources};
use serde_json::Value;
use tempfile::TempDir;

use super::wait_until;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_filamentbox");

/// A data folder, and at times a daemon on it.
pub(crate) struct Daemon {
    folder: TempDir,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    before: Vec<String>,
    simulate: bool,
    child: Option<Child>,
}

impl Daemon {
    /// A fresh folder; nothing runs yet. Readings come every quarter of a second, and are acted on at once.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (environment, arguments, before) = (Vec::new(), Vec::new(), Vec::new());
        let mut daemon = Self { folder, environment, arguments, before, simulate: true, child: None };
        daemon.set("data_collection.read_interval", "0.25");
        // Only tests of the page have one: at a port that is free.
        daemon.set("webui.enabled", "false");
        for limit in ["min_on", "min_off"] {
            daemon.set(&format!("heating_control.{limit}"), "0");
            daemon.set(&format!("humidity_control.{limit}"), "0");
        }
        daemon
    }

    /// Sets `key` for the next start.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> &mut Self {
        let name = format!("FILAMENTBOX_{}", key.to_uppercase().replace('.', "__"));
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Leaves `key` to the store.
    pub(crate) fn unset(&mut self, key: &str) -> &mut Self {
        let name = format!("FILAMENTBOX_{}", key.to_uppercase().replace('.', "__"));
        self.environment.retain(|(known, _)| *known != name);
        self
    }

    /// Changes the store as another process does. The store is made, if need be.
    pub(crate) fn store(&self, changes: &[(&str, Option<&str>)]) {
        let places = Places::new(self.folder().to_owned(), None);
        let mut sources = Sources::open(places, Access::Create, self.simulate, Vec::new()).expect("a store");
        let change =
            |(key, text): &(&str, Option<&str>)| Change { key: (*key).to_owned(), text: text.map(str::to_owned) };
        let changes: Vec<Change> = changes.iter().map(change).collect();
        drop(sources.change(&changes, "test").expect("allowed"));
    }

    /// One request on the daemon's socket: status and answer.
    pub(crate) fn http(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = UnixStream::connect(self.folder().join("filamentbox.sock")).expect("the daemon's socket");
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, serde_json::from_str(body).expect("JSON"))
    }

    /// A further variable of the environment for the next start, and for commands.
    pub(crate) fn variable(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A further argument of `run` for the next start.
    pub(crate) fn argument(&mut self, argument: &str) -> &mut Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// For the next start: a program, with its arguments, that starts the daemon and does not stay in between.
    pub(crate) fn under(&mut self, before: Vec<String>) -> &mut Self {
        self.before = before;
        self
    }

    /// For the next start: what is really there, without `--simulate`.
    pub(crate) fn real(&mut self) -> &mut Self {
        self.simulate = false;
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn trace_path(&self) -> PathBuf {
        self.folder().join("trace")
    }

    fn command(&self) -> Command {
        self.command_under(&[])
    }

    fn command_under(&self, before: &[String]) -> Command {
        let words = [before, &[BINARY.to_owned()]].concat();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        // The machine's own settings must not leak in.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("--data-dir").arg(self.folder());
        command
    }

    fn run(&self) -> Command {
        let mut command = self.command_under(&self.before);
        let trace = self.trace_path();
        command.args(["run", "--trace"]).arg(trace).args(self.simulate.then_some("--simulate"));
        command.args(&self.arguments).stdin(Stdio::null());
        command
    }

    /// Starts the daemon and waits for its first reading.
    pub(crate) fn start(&mut self) -> &mut Self {
        self.start_until("the first reading", |status| status["sensor"]["temperature_c"].is_number())
    }

    /// Starts the daemon and waits until it answers.
    pub(crate) fn start_without_reading(&mut self) -> &mut Self {
        self.start_until("an answer", |_| true)
    }

    fn start_until(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> &mut Self {
        self.spawn();
        let log = self.folder().join("log");
        wait_until(&format!("{what} (log: {})", log.display()), || self.status().is_some_and(|status| is_so(&status)));
        self
    }

    /// Starts the daemon and waits for nothing.
    pub(crate) fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder().join("log")).expect("a log file");
        let errors = log.try_clone().expect("a second handle");
        self.child = Some(self.run().stdout(log).stderr(errors).spawn().expect("the binary starts"));
    }

    /// Starts the daemon and waits until it ends by itself.
    pub(crate) fn start_until_its_end(&mut self) -> ExitStatus {
        self.spawn();
        let child = self.child.as_mut().expect("just started");
        wait_until("the daemon's end", || child.try_wait().expect("a child").is_some());
        self.child.take().expect("just started").wait().expect("it has ended")
    }

    /// Runs the daemon to its end, for starts that must fail.
    pub(crate) fn start_in_vain(&self) -> Output {
        self.run().output().expect("the binary starts")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("a daemon runs").id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status().expect("kill(1)");
        assert!(sent.success(), "kill {signal}");
    }

    /// Pulls the plug: SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.signal("-KILL");
        self.child.take().expect("a daemon runs").wait().expect("it ends");
    }

    /// Stops it in good order.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("-TERM");
        self.child.take().expect("a daemon runs").wait().expect("it ends")
    }

    /// Runs a command on the daemon's folder.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("the binary starts")
    }

    /// A command's stdout; the command must succeed.
    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// The state, if a daemon answers.
    pub(crate) fn status(&self) -> Option<Value> {
        let output = self.cli(&["status", "--json"]);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("JSON"))
    }

    /// A backend's account, as `outbox --json` shows it.
    pub(crate) fn outbox(&self, backend: &str) -> Value {
        let answer: Value = serde_json::from_str(&self.ask(&["outbox", "--json"])).expect("JSON");
        let sinks = answer["sinks"].as_array().expect("a list").clone();
        sinks.into_iter().find(|sink| sink["type"] == backend).expect("the backend")
    }

    /// The history: one object a sample.
    pub(crate) fn history(&self) -> Vec<Value> {
        let text = self.ask(&["history", "export", "--format", "jsonl"]);
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// The trace's lines, split at spaces.
    pub(crate) fn trace(&self) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(self.trace_path()).unwrap_or_default();
        text.lines().map(|line| line.split(' ').map(ToOwned::to_owned).collect()).collect()
    }

    /// The last traced state of an output, and when it was reached, in seconds since boot.
    pub(crate) fn traced_output(&self, name: &str) -> Option<(f64, bool)> {
        let lines = self.trace();
        let line = lines.iter().rev().find(|line| line[1] == "output" && line[2] == name)?;
        Some((line[0].parse().expect("seconds"), line[3] == "1"))
    }

    /// Waits until the guard has traced this state of an output; returns when it was reached, in seconds since boot.
    #[track_caller]
    pub(crate) fn wait_for_output(&self, name: &str, on: bool) -> f64 {
        wait_until(&format!("{name} {}", if on { "on" } else { "off" }), || {
            self.traced_output(name).is_some_and(|(_, state)| state == on)
        });
        self.traced_output(name).expect("just seen").0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.is_some() {
            // In good order, so that no crash log stays behind.
            self.signal("-CONT");
            self.stop();
        }
        if std::thread::panicking() {
            eprintln!("--- the daemon's log\n{}", self.log());
        }
    }
}
