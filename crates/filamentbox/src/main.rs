//! The one binary: daemon, relay guard and commands.

use std::process::ExitCode;

use clap::Parser;
use filamentbox::{cli::Cli, cmd};

/// Exit code of an internal fault.
const INTERNAL_FAULT: u8 = 70;

fn main() -> ExitCode {
    let outcome = std::panic::catch_unwind(|| cmd::dispatch(Cli::parse()));
    outcome.unwrap_or(ExitCode::from(INTERNAL_FAULT))
}
