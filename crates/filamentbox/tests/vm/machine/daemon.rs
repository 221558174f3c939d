//! The real binary in the guest: the daemon, its relay guard and the commands, on a folder in memory.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::clock;
use crate::guest;

const BINARY: &str = "/bin/filamentbox";
/// A start takes less than a second of the guest's time.
const START: Duration = Duration::from_secs(20);
/// So much of a log is shown with a failure.
const LOG_END_LINES: usize = 40;

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// Settings and a data folder, and at times a daemon on them.
pub(crate) struct Daemon {
    folder: PathBuf,
    environment: Vec<(String, String)>,
    child: Option<Child>,
}

impl Daemon {
    /// A fresh folder; nothing runs yet. Outputs change at once: no minimum on and off times.
    pub(crate) fn new() -> Self {
        let mut daemon = Self { folder: fresh_folder(), environment: Vec::new(), child: None };
        for section in ["heating_control", "humidity_control"] {
            daemon.set(&format!("{section}.min_on"), "0").set(&format!("{section}.min_off"), "0");
        }
        daemon.set("data_collection.read_interval", "1");
        daemon
    }

    /// Sets `key` from the next command on.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> &mut Self {
        let name = format!("FILAMENTBOX_{}", key.to_uppercase().replace('.', "__"));
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Forgets everything but the settings.
    pub(crate) fn move_to_fresh_folder(&mut self) {
        assert!(self.child.is_none(), "it runs");
        std::fs::remove_dir_all(&self.folder).expect("its folder");
        self.folder = fresh_folder();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.env_clear().env("PATH", "/bin").envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("--data-dir").arg(&self.folder);
        command
    }

    /// Starts the daemon and waits until it answers.
    pub(crate) fn start(&mut self) -> &mut Self {
        assert!(self.child.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let errors = log.try_clone().expect("a second handle");
        let trace = self.folder.join("trace");
        let mut command = self.command();
        command.args(["run", "--trace"]).arg(trace).stdin(Stdio::null()).stdout(log).stderr(errors);
        self.child = Some(command.spawn().expect("the binary starts"));
        clock::wait_until("the daemon answers", START, || self.status().is_some());
        self
    }

    /// The daemon's process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("a daemon runs"))
    }

    /// The process of its relay guard.
    pub(crate) fn guard_pid(&self) -> Option<Pid> {
        let pid = self.pid().as_raw_nonzero();
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
        let children = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
        let first = children.flat_map(|list| list.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>()).next();
        first.and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw)
    }

    /// Sends a signal to the daemon itself.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the daemon can be signalled");
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.take().expect("a daemon runs").wait().expect("it ends")
    }

    /// Pulls the plug.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Stops it in good order.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Whether the process still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("a child").is_none())
    }

    /// Runs a command on its folder and settings.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).stdin(Stdio::null()).output().expect("the binary starts")
    }

    /// A command's stdout and stderr in one text; it must succeed.
    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        let text = text_of(&output);
        assert!(output.status.success(), "{arguments:?}: {}: {text}", output.status);
        text
    }

    /// The live state, if a daemon answers.
    pub(crate) fn status(&self) -> Option<Value> {
        let mut stream = UnixStream::connect(self.folder.join("filamentbox.sock")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.write_all(b"GET /api/status HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8(answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }

    /// A value of the live state, such as `/controls/heater/on`; null when it is unknown or nobody answers.
    pub(crate) fn state(&self, pointer: &str) -> Value {
        self.status().and_then(|status| status.pointer(pointer).cloned()).unwrap_or(Value::Null)
    }

    /// When the last reading before `moment` was taken, as the daemon's trace has it.
    pub(crate) fn sample_before(&self, moment: Duration) -> Option<Duration> {
        let trace = std::fs::read_to_string(self.folder.join("trace")).ok()?;
        let samples = trace.lines().filter(|line| line.contains(" sample "));
        let mut times = samples.filter_map(|line| line.split(' ').next()?.parse().ok()).map(Duration::from_secs_f64);
        times.rfind(|time| *time <= moment)
    }

    /// Kills daemon and guard, whatever state they are in, and waits for the daemon.
    pub(crate) fn end_everything(&mut self) {
        if self.child.is_none() {
            return;
        }
        let guard = self.guard_pid();
        // It may have ended by itself.
        let _ = kill_process(self.pid(), Signal::KILL);
        self.wait();
        if let Some(guard) = guard {
            let _ = kill_process(guard, Signal::KILL);
        }
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let log = self.log();
        if std::thread::panicking() && !log.is_empty() {
            let lines: Vec<&str> = log.lines().collect();
            guest::evidence(&format!("the daemon's log ({}):", self.folder.display()));
            guest::evidence(&lines[lines.len().saturating_sub(LOG_END_LINES)..].join("\n"));
            if let Some(status) = self.status() {
                guest::evidence(&format!("the daemon's state: {status}"));
            }
        }
        self.end_everything();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn fresh_folder() -> PathBuf {
    let folder = PathBuf::from(format!("/tmp/daemon-{}", FOLDERS.fetch_add(1, Ordering::SeqCst)));
    std::fs::create_dir(&folder).expect("a folder in memory");
    folder
}

/// What a command said, stdout first.
pub(crate) fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
