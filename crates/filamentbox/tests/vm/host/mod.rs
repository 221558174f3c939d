//! The host's side: one virtual machine for each group of scenarios, as many at a time as there are processors, and a line for each
//! result as `cargo test` prints them.

mod archive;
mod machine;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::scenarios::{GROUPS, Group};
use machine::{Outcome, Report};

/// Exit status of scripts/vm-kernel.sh when this machine cannot have the kernel.
const IMPOSSIBLE: i32 = 3;

/// Runs every scenario whose name contains one of `arguments` (all when there are none).
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let filters: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    if arguments.iter().any(|word| word == "--list") {
        GROUPS.iter().for_each(|group| group.names().for_each(|name| println!("{name}: test")));
        return ExitCode::SUCCESS;
    }
    if std::env::var_os("FILAMENTBOX_VM").is_none() {
        println!("SKIPPED: the virtual machine is a stage of its own, `make vm` (FILAMENTBOX_VM=1)");
        return ExitCode::SUCCESS;
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace");
    let folder = workspace.join("target/vm");
    if let Err(reason) = prepare(&workspace, &folder) {
        return skip(&reason);
    }
    let groups: Vec<&Group> = GROUPS.iter().filter(|group| group.selects(&filters)).collect();
    let count: usize = groups.iter().map(|group| group.selected(&filters).count()).sum();
    println!("\nrunning {count} tests in {} virtual machines", groups.len());
    machine::write_initial_files(&folder);
    let reports = boot_all(&groups, &filters, &folder);
    summarise(&reports, count)
}

/// Builds the kernel's pieces and looks for the programs.
fn prepare(workspace: &Path, folder: &Path) -> Result<(), String> {
    for program in machine::TOOLS.into_iter().chain(["qemu-system-x86_64"]) {
        find_program(program).ok_or_else(|| format!("{program} is not installed (make vm installs it)"))?;
    }
    let built = Command::new(workspace.join("scripts/vm-kernel.sh")).arg(folder).output().expect("bash runs");
    let said = String::from_utf8_lossy(&built.stderr);
    match built.status.code() {
        Some(0) => Ok(()),
        Some(IMPOSSIBLE) => Err(said.lines().last().unwrap_or("no reason given").to_owned()),
        _ => Err(format!("scripts/vm-kernel.sh has failed:\n{said}")),
    }
}

/// Where a program of PATH is.
fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// On Debian, where everything is known to be there, a missing piece is a failure when servers are required.
fn skip(reason: &str) -> ExitCode {
    let required = std::env::var("FILAMENTBOX_REQUIRE_SERVERS").is_ok_and(|value| value == "1");
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    if required && release.lines().any(|line| line == "ID=debian") {
        println!("FAILED: no virtual machine, and FILAMENTBOX_REQUIRE_SERVERS=1: {reason}");
        return ExitCode::FAILURE;
    }
    println!("SKIPPED: no virtual machine: {reason}");
    ExitCode::SUCCESS
}

fn boot_all(groups: &[&Group], filters: &[&str], folder: &Path) -> Vec<Report> {
    let next = AtomicUsize::new(0);
    let at_once = std::thread::available_parallelism().map_or(1, usize::from).min(groups.len());
    let work = || {
        let mut reports = Vec::new();
        while let Some(group) = groups.get(next.fetch_add(1, Ordering::SeqCst)) {
            reports.push(machine::boot(group, filters, folder));
        }
        reports
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a machine's thread")).collect()
    })
}

fn summarise(reports: &[Report], wanted: usize) -> ExitCode {
    let outcomes = || reports.iter().flat_map(|report| report.outcomes.iter());
    let passed = outcomes().filter(|(_, outcome)| *outcome == Outcome::Passed).count();
    let failed: Vec<&str> =
        outcomes().filter(|(_, outcome)| *outcome == Outcome::Failed).map(|(name, _)| name.as_str()).collect();
    let silent = wanted - passed - failed.len();
    if !failed.is_empty() {
        println!("\nfailures:");
        failed.iter().for_each(|name| println!("    {name}"));
    }
    for report in reports.iter().filter(|report| !report.finished) {
        println!(
            "\nthe machine {} did not come to its end; the end of its console:\n{}",
            report.group,
            report.console_end()
        );
    }
    for report in reports {
        println!("console of {}: {} ({:.0} s)", report.group, report.console.display(), report.wall.as_secs_f64());
    }
    let good = failed.is_empty() && silent == 0;
    let word = if good { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {} failed; {silent} not run\n", failed.len());
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
