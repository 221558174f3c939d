//! The hook that is a program.
//!
//! It gets none of the daemon's environment but `PATH`, `LANG` and `HOME`: settings there hold passwords.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use serde_json::{Map, Value};

use super::HookError;
use crate::runtime::clock::boottime;

/// Before the name of each field in the program's environment.
const PREFIX: &str = "FILAMENTBOX_ALERT_";
/// Variables that are handed on.
const HANDED_ON: [&str; 3] = ["PATH", "LANG", "HOME"];
/// Where programs are looked for when the daemon has no `PATH`.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The process group that runs now, if any, until the end of the daemon.
#[derive(Clone, Debug, Default)]
pub(super) struct Running(Arc<Mutex<Now>>);

#[derive(Debug, Default)]
struct Now {
    group: Option<Pid>,
    /// Nothing is started any more.
    is_over: bool,
}

impl Running {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts `command`; `None` when it is too late for that.
    fn start(&self, command: &mut Command) -> Option<io::Result<Child>> {
        let mut now = self.now();
        if now.is_over {
            return None;
        }
        let child = command.spawn();
        now.group = child.as_ref().ok().and_then(|child| id(child).ok());
        Some(child)
    }

    /// From here on its id may be another's.
    fn forget(&self) {
        self.now().group = None;
    }

    fn kill(&self) {
        if let Some(group) = self.now().group {
            // It fails only when the whole group is gone already.
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }

    /// Ends what runs, and lets nothing start after it.
    pub(super) fn end(&self) {
        self.now().is_over = true;
        self.kill();
    }
}

/// A program with its arguments.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Program {
    name: String,
    arguments: Vec<String>,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Program {
    /// Splits `text` as a POSIX shell does, without expanding anything; `None` when there is nothing in it.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        let allowed = "allowed: a program and its arguments, with quotes as in a shell";
        let words =
            shlex::split(text).ok_or_else(|| format!("{text:?} is not allowed (a quote is not closed); {allowed}"))?;
        let mut words = words.into_iter();
        match words.next() {
            Some(name) if name.is_empty() => {
                Err(format!("{text:?} is not allowed (the program has no name); {allowed}"))
            }
            Some(name) => Ok(Some(Self { name, arguments: words.collect() })),
            None => Ok(None),
        }
    }

    /// Whether there is such a program. It may still come, or go.
    pub(super) fn is_there(&self) -> bool {
        let is_program = |path: &Path| {
            path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
        };
        let path = environment()["PATH"].clone();
        match self.name.contains('/') {
            true => is_program(Path::new(&self.name)),
            false => std::env::split_paths(&path).any(|folder| is_program(&folder.join(&self.name))),
        }
    }

    /// Runs it with the alert's `fields`, for `limit` at most.
    pub(super) fn run(&self, fields: &Map<String, Value>, limit: Duration, running: &Running) -> Result<(), HookError> {
        let mut command = Command::new(&self.name);
        command.args(&self.arguments).env_clear().envs(environment()).envs(variables(fields));
        // A group of its own: what it starts ends with it.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let Some(child) = running.start(&mut command) else { return Ok(()) };
        let mut child = child.map_err(HookError::Start)?;
        if let Some(mut stdin) = child.stdin.take() {
            // Some hundred bytes always fit into the pipe. A program that does not read them is none the worse.
            let _unread = writeln!(stdin, "{}", Value::Object(fields.clone()));
        }
        let ended = wait(&child, limit);
        if !matches!(ended, Ok(true)) {
            running.kill();
        }
        running.forget();
        let status = child.wait().map_err(HookError::Wait)?;
        match ended.map_err(HookError::Wait)? {
            false => Err(HookError::Late),
            true if status.success() => Ok(()),
            true => Err(HookError::Status(status)),
        }
    }
}

/// Waits until `child` has ended; `false` when it has not within `limit`.
fn wait(child: &Child, limit: Duration) -> io::Result<bool> {
    let process = pidfd_open(id(child)?, PidfdFlags::empty())?;
    let deadline = boottime() + limit;
    loop {
        let left = deadline.since(boottime());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(problem) => return Err(problem.into()),
        }
    }
}

fn id(child: &Child) -> io::Result<Pid> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    id.ok_or_else(|| io::Error::other("the process has no id"))
}

/// What the program gets of the daemon's environment.
fn environment() -> BTreeMap<&'static str, std::ffi::OsString> {
    let mut environment = BTreeMap::from([("PATH", USUAL_PATH.into())]);
    environment.extend(HANDED_ON.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    environment
}

/// A variable a field; what is null is empty.
fn variables(fields: &Map<String, Value>) -> impl Iterator<Item = (String, String)> {
    fields.iter().map(|(name, value)| {
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (format!("{PREFIX}{}", name.to_ascii_uppercase()), text)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::alert;
    use super::*;

    fn program(text: &str) -> Program {
        Program::parse(text).expect("allowed").expect("a program")
    }

    /// What a shell script wrote to its file.
    fn result_of(script: &str) -> (String, Result<(), HookError>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("out");
        let program = Program {
            name: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), script.to_owned(), "sh".to_owned(), file.display().to_string()],
        };
        let outcome = program.run(&alert().fields("box"), Duration::from_secs(20), &Running::default());
        (std::fs::read_to_string(file).unwrap_or_default(), outcome)
    }

    #[test]
    fn a_command_is_split_as_a_shell_does_it_and_nothing_is_expanded() {
        let parsed = program(r#"/usr/bin/mail -s "a 'b' $HOME" c\ d '*' `x`"#);
        assert_eq!(parsed.arguments, ["-s", "a 'b' $HOME", "c d", "*", "`x`"]);
        assert_eq!(Program::parse("  "), Ok(None));
        for bad in ["'", "x \"", "'' x"] {
            assert!(Program::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_program_gets_the_alert_and_nothing_else() {
        let (text, outcome) = result_of("cat > \"$1\"; env >> \"$1\"");
        assert!(outcome.is_ok(), "{outcome:?}");
        let (json, variables) = text.split_once('\n').expect("a line of JSON");
        assert_eq!(serde_json::from_str::<Value>(json).ok(), Some(Value::Object(alert().fields("box"))));
        assert!(variables.contains("FILAMENTBOX_ALERT_EVENT=backend_failing\n"), "{variables}");
        assert!(variables.contains("FILAMENTBOX_ALERT_SINCE=\n"), "{variables}");
        assert!(variables.contains("FILAMENTBOX_ALERT_BACKLOG_POINTS=12\n"), "{variables}");
        // The shell adds these two itself.
        let ours = ["PATH", "LANG", "HOME", "PWD", "_", "OLDPWD", "SHLVL"];
        for line in variables.lines().filter(|line| line.contains('=')) {
            let name = line.split('=').next().unwrap_or_default();
            assert!(ours.contains(&name) || name.starts_with(PREFIX), "{line}");
        }
    }

    #[test]
    fn a_program_that_fails_says_how() {
        assert!(matches!(result_of("exit 3").1, Err(HookError::Status(status)) if status.code() == Some(3)));
        let absent = program("/nowhere/at/all");
        assert!(!absent.is_there() && program("sh").is_there() && program("/bin/sh").is_there());
        assert!(!program("/etc/passwd").is_there() && !program("/bin").is_there());
        let outcome = absent.run(&alert().fields("box"), Duration::from_secs(20), &Running::default());
        assert!(matches!(outcome, Err(HookError::Start(_))), "{outcome:?}");
    }

    #[test]
    fn after_the_end_nothing_is_started() {
        let running = Running::default();
        running.end();
        let outcome = program("/nowhere/at/all").run(&alert().fields("box"), Duration::from_secs(20), &running);
        assert!(outcome.is_ok(), "it was not even tried: {outcome:?}");
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pid_file = folder.path().join("pid").display().to_string();
        let script = format!("sleep 600 & echo $! > {pid_file}; wait");
        let program = Program { name: "sh".to_owned(), arguments: vec!["-c".to_owned(), script] };
        let outcome = program.run(&alert().fields("box"), Duration::from_secs(1), &Running::default());
        assert!(matches!(outcome, Err(HookError::Late)), "{outcome:?}");
        let child = std::fs::read_to_string(&pid_file).expect("the child's id");
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        // It may be a zombie until the process that inherited it looks.
        let is_gone = || state().rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'));
        let gone = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            is_gone()
        });
        assert!(gone, "{}", state());
    }
}
