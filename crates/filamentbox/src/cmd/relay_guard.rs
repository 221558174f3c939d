//! `relay-guard`: the process that holds the output lines. Its socket is its standard input.

use std::os::fd::AsFd;
use std::process::ExitCode;

use anyhow::{Context, Result};
use filamentbox_guard::{Limits, LineSpec, Options, Role, SimulatedLines, lock_memory};

use crate::cli::RelayGuardArgs;

pub(super) fn relay_guard(args: RelayGuardArgs) -> Result<ExitCode> {
    let lines = args.lines.iter().map(|line| spec(line).with_context(|| format!("--line {line} is not ROLE:NAME")));
    let lines = lines.collect::<Result<Vec<_>>>()?;
    let socket = std::io::stdin().as_fd().try_clone_to_owned().context("the guard's socket is its standard input")?;
    if let Err(problem) = lock_memory() {
        super::complain(problem);
    }
    // `--simulate` is required: simulated lines are the only ones there are so far.
    filamentbox_guard::run(
        socket,
        SimulatedLines::new(),
        Options { lines, limits: Limits::default(), trace: args.trace },
    )?;
    Ok(ExitCode::SUCCESS)
}

fn spec(line: &str) -> Option<LineSpec> {
    let (role, name) = line.split_once(':')?;
    let role = match role {
        "heater" => Role::Heater,
        "fan" => Role::Fan,
        _ => return None,
    };
    Some(LineSpec { name: name.to_owned(), role })
}
