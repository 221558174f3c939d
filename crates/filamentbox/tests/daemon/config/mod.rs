//! `config ...`: what a person who changes settings sees.

mod changing;
mod listing;
mod moving;
mod old_names;
mod original;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::BINARY;

/// A folder with settings, and no daemon.
struct Installation {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What a command did.
struct Done {
    code: i32,
    said: String,
    complained: String,
}

impl Installation {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), environment: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets `key` in the environment of every later command.
    fn environment(&mut self, key: &str, value: &str) -> &mut Self {
        self.environment.push((format!("FILAMENTBOX_{}", key.to_uppercase().replace('.', "__")), value.to_owned()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("--data-dir").arg(self.folder.path()).arg("config").args(arguments);
        command
    }

    fn config_with(&self, stdin: &str, arguments: &[&str]) -> Done {
        let mut command = self.command(arguments);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().expect("the binary starts");
        // A command that does not read has closed it.
        let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Done {
            code: output.status.code().expect("an exit code"),
            said: text(output.stdout),
            complained: text(output.stderr),
        }
    }

    fn config(&self, arguments: &[&str]) -> Done {
        self.config_with("", arguments)
    }

    /// A command that must succeed; what it said.
    #[track_caller]
    fn ask(&self, arguments: &[&str]) -> String {
        let done = self.config(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {}{}", done.said, done.complained);
        done.said
    }

    /// A command that must be refused, with `words` on stderr, and must change nothing.
    #[track_caller]
    fn assert_refused(&self, arguments: &[&str], words: &[&str]) {
        let before = self.files();
        let done = self.config(arguments);
        assert_eq!(done.code, 2, "{arguments:?}: {}{}", done.said, done.complained);
        for word in words {
            assert!(done.complained.contains(word), "{word:?} is not in:\n{}", done.complained);
        }
        assert_eq!(self.files(), before, "{arguments:?} changed a file");
    }

    /// Every file with its bytes.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = entries.map(|path| (path.clone(), fs::read(path).expect("readable"))).collect();
        files.sort();
        files
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("writable");
        self.path(name).display().to_string()
    }
}

/// The row of `key` in a list.
#[track_caller]
fn row<'a>(list: &'a str, key: &str) -> Vec<&'a str> {
    let line = list.lines().find(|line| line.split_whitespace().next() == Some(key));
    line.unwrap_or_else(|| panic!("{key} is not in:\n{list}")).split_whitespace().collect()
}

/// Whether this process may read everything.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Who owns nothing.
const NOBODY: u32 = 65_534;

/// Whether the binary can be started by [`NOBODY`].
fn nobody_can_start(binary: &Path) -> bool {
    use std::os::unix::process::CommandExt as _;
    Command::new(binary).uid(NOBODY).gid(NOBODY).arg("--version").output().is_ok_and(|output| output.status.success())
}
