//! strace: shows, ends or disturbs the system calls of a program that touch certain files.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::is_installed;

/// What happens at the chosen call, instead of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The program is killed.
    Kill,
    /// There is no room on the disk.
    NoSpace,
    /// The disk fails.
    Broken,
}

impl Fault {
    pub(super) const ALL: [Self; 3] = [Self::Kill, Self::NoSpace, Self::Broken];

    fn option(self) -> &'static str {
        match self {
            Self::Kill => "signal=SIGKILL",
            Self::NoSpace => "error=ENOSPC",
            Self::Broken => "error=EIO",
        }
    }
}

/// Whether strace is here and may trace. When not, says that the test is skipped.
pub(super) fn is_possible() -> bool {
    if !is_installed("strace") {
        return false;
    }
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output().expect("strace(1)");
    if !traced.status.success() {
        eprintln!("SKIPPED: strace may not trace here: {}", String::from_utf8_lossy(&traced.stderr).trim());
    }
    traced.status.success()
}

/// The command line of strace that writes `calls` on `paths` to `log`; a program follows.
pub(super) fn tracing(calls: &str, paths: &[PathBuf], log: &Path) -> Vec<String> {
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let mut words: Vec<String> = ["strace", "-f", "-qq", "-y", "-e", "signal=none", "-o"].map(str::to_owned).to_vec();
    words.extend([text(log), "-e".to_owned(), format!("trace={calls}")]);
    words.extend(paths.iter().flat_map(|path| ["-P".to_owned(), text(path)]));
    words
}

/// Further words: the `number`-th such `call` of a thread fails in this way.
pub(super) fn injecting(call: &str, number: u64, fault: Fault) -> Vec<String> {
    let mut words = vec!["-e".to_owned(), format!("inject={call}:{}:when={number}", fault.option())];
    // Faster, as other calls do not stop the program; but then strace sends no signals.
    words.extend((fault != Fault::Kill).then(|| "--seccomp-bpf".to_owned()));
    words
}

/// The calls of a log, each on one line: those that were interrupted by other threads are put together.
pub(super) fn calls(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).expect("strace's log");
    let mut unfinished: Vec<(String, String)> = Vec::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((thread, call)) = line.split_once(char::is_whitespace) else { continue };
        let call = call.trim_start();
        if let Some(begin) = call.strip_suffix(" <unfinished ...>") {
            unfinished.push((thread.to_owned(), begin.to_owned()));
        } else if let Some((_, rest)) = call.split_once(" resumed>") {
            let at = unfinished.iter().position(|(known, _)| known == thread).expect("it was begun");
            calls.push(format!("{thread} {}{rest}", unfinished.remove(at).1));
        } else if !call.starts_with("+++") {
            calls.push(format!("{thread} {call}"));
        }
    }
    calls
}
