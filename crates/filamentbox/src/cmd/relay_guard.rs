//! `relay-guard`: the process that holds the output lines. Its socket is its standard input.

use std::os::fd::AsFd;
use std::process::ExitCode;

use anyhow::{Context, Result};
use filamentbox_guard::{Options, SimulatedLines, lock_memory, stop_on_signals};

use crate::cli::RelayGuardArgs;

pub(super) fn relay_guard(args: RelayGuardArgs) -> Result<ExitCode> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().context("the guard's socket is its standard input")?;
    if let Err(problem) = lock_memory() {
        super::complain(problem);
    }
    // `--simulate` is required: simulated lines are the only ones there are so far.
    filamentbox_guard::run(
        socket,
        SimulatedLines::new(),
        Options { trace: args.trace, stop: Some(stop_on_signals()?), ..Options::default() },
    )?;
    Ok(ExitCode::SUCCESS)
}
