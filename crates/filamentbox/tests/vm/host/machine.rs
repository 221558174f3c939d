//! One virtual machine: its initial file system, QEMU, and what its console says.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::archive::Archive;
use super::find_program;
use crate::guest::Line;
use crate::scenarios::Group;

/// A machine that runs for so long hangs.
const PATIENCE: Duration = Duration::from_secs(1200);
/// So much of the console is shown when a machine did not come to its end.
const CONSOLE_END_LINES: usize = 60;

/// The file of the initial file system.
const INITIAL_FILES: &str = "initrd";

/// Programs of the host that the guest needs: everything usual, and real-time priority.
pub(super) const TOOLS: [&str; 2] = ["busybox", "chrt"];

/// How a scenario ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Passed,
    Failed,
}

/// What a machine has said.
pub(super) struct Report {
    pub(super) group: &'static str,
    pub(super) outcomes: Vec<(String, Outcome)>,
    /// Whether the guest's program came to its end.
    pub(super) finished: bool,
    pub(super) console: PathBuf,
    pub(super) wall: Duration,
}

impl Report {
    pub(super) fn console_end(&self) -> String {
        let console = std::fs::read(&self.console).unwrap_or_default();
        let console = String::from_utf8_lossy(&console);
        let lines: Vec<&str> = console.lines().collect();
        lines[lines.len().saturating_sub(CONSOLE_END_LINES)..].join("\n")
    }
}

/// Boots a machine for `group` and prints its results as they come.
pub(super) fn boot(group: &Group, filters: &[&str], folder: &Path) -> Report {
    let start = Instant::now();
    let mut qemu = start_qemu(group, filters, folder);
    let console = folder.join(format!("console-{}", group.name));
    let mut report = Report { group: group.name, outcomes: Vec::new(), finished: false, console, wall: Duration::ZERO };
    let mut log = std::fs::File::create(&report.console).expect("the console's file");
    let output = BufReader::new(qemu.stdout.take().expect("its output is a pipe"));
    let watched = Mutex::new(Some(qemu));
    std::thread::scope(|scope| {
        let (ended, end) = channel::<()>();
        let watched = &watched;
        scope.spawn(move || {
            // Nothing is ever sent: either the other end is dropped in time, or the machine hangs.
            if end.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                stop(watched);
            }
        });
        for line in output.split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            writeln!(log, "{text}").expect("the console's file");
            report.hear(&text);
        }
        drop(ended);
    });
    stop(&watched);
    report.wall = start.elapsed();
    report
}

fn stop(qemu: &Mutex<Option<Child>>) {
    if let Some(mut qemu) = qemu.lock().expect("no panic holds it").take() {
        // It may have ended by itself; then there is nothing to kill.
        let _ = qemu.kill();
        let _ = qemu.wait();
    }
}

impl Report {
    fn hear(&mut self, text: &str) {
        let name = |scenario: &str| format!("{}::{scenario}", self.group);
        match Line::parse(text) {
            Some(Line::Passed(scenario, note)) => {
                println!("test {} ... ok ({note})", name(scenario));
                self.outcomes.push((name(scenario), Outcome::Passed));
            }
            Some(Line::Failed(scenario, note)) => {
                println!("test {} ... FAILED ({note})", name(scenario));
                self.outcomes.push((name(scenario), Outcome::Failed));
            }
            Some(Line::Measured(what)) => println!("    {}: {what}", self.group),
            Some(Line::Evidence(what)) => println!("    | {what}"),
            Some(Line::End) => self.finished = true,
            None => {}
        }
    }
}

fn start_qemu(group: &Group, filters: &[&str], folder: &Path) -> Child {
    let mut append = "console=ttyS0 quiet panic=-1 reboot=t mitigations=off nokaslr random.trust_cpu=on".to_owned();
    append.push_str(&format!(" vm.group={} vm.filters={}", group.name, filters.join(",")));
    let mut command = if find_program("setpriv").is_some() {
        // QEMU ends with the thread that started it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        command
    } else {
        Command::new("qemu-system-x86_64")
    };
    command.args([
        "-accel",
        "tcg",
        "-machine",
        "pc",
        "-cpu",
        "qemu64,+rdrand",
        "-m",
        "512",
        "-nodefaults",
        "-no-user-config",
    ]);
    command.args(["-display", "none", "-serial", "stdio", "-no-reboot"]);
    command.args(["-icount", "shift=1,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm"]);
    command.arg("-kernel").arg(folder.join("vmlinuz"));
    command.arg("-initrd").arg(folder.join(INITIAL_FILES)).arg("-append").arg(append);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("QEMU starts")
}

/// Writes the initial file system that all machines share.
pub(super) fn write_initial_files(folder: &Path) {
    let mut archive = Archive::new();
    for path in ["bin", "dev", "etc", "lib", "lib64", "modules", "proc", "root", "run", "sys", "tmp"] {
        archive.folder(path);
    }
    archive.file("init", include_bytes!("../init.sh"));
    archive.link("bin/sh", "busybox");
    let driver = std::env::current_exe().expect("this program's file");
    let daemon = PathBuf::from(env!("CARGO_BIN_EXE_filamentbox"));
    let mut libraries = Vec::new();
    let mut programs = vec![("vm", driver), ("filamentbox", daemon)];
    programs.extend(TOOLS.map(|tool| (tool, find_program(tool).expect("looked for before"))));
    for (name, program) in &programs {
        archive.copy(&format!("bin/{name}"), &stripped(program, folder));
        libraries.extend(libraries_of(program));
    }
    libraries.sort();
    libraries.dedup();
    let mut known = Vec::new();
    for library in libraries {
        let path = library.to_str().expect("a path of plain text").trim_start_matches('/').to_owned();
        let folders: Vec<_> =
            Path::new(&path).ancestors().skip(1).filter(|above| above.components().count() > 1).collect();
        for above in folders.into_iter().rev().map(|above| above.to_str().expect("plain text").to_owned()) {
            if !known.contains(&above) {
                archive.folder(&above);
                known.push(above);
            }
        }
        archive.copy(&path, &library);
    }
    for module in std::fs::read_dir(folder.join("modules")).expect("scripts/vm-kernel.sh made it").flatten() {
        let name = module.file_name().into_string().expect("plain text");
        archive.copy(&format!("modules/{name}"), &module.path());
    }
    std::fs::write(folder.join(INITIAL_FILES), archive.finish()).expect("the initial file system can be written");
}

/// A copy without debug information, which would only fill the guest's memory; the program itself where there is no strip(1).
fn stripped(program: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join("stripped");
    let done = Command::new("strip").arg("-o").arg(&copy).arg(program).status();
    if done.is_ok_and(|status| status.success()) { copy } else { program.to_owned() }
}

/// What the dynamic linker needs to run `program`, the linker included, as ldd(1) names them.
fn libraries_of(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("ldd(1), a part of the C library");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}
