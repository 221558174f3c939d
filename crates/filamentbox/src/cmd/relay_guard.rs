//! `relay-guard`: the process that holds the output lines.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use filamentbox_guard::{
    GpioLines, Lines, Options, RelayFile, SimulatedLines, Supervisor, listen_at, lock_memory, run, serve,
    stop_on_signals,
};

use crate::cli::RelayGuardArgs;

pub(super) fn relay_guard(args: RelayGuardArgs) -> Result<ExitCode> {
    let stop = stop_on_signals().context("signals cannot be received")?;
    let path = &args.limits;
    let file = RelayFile::load(path).with_context(|| format!("the relay guard does not start: {}", path.display()))?;
    if let Err(problem) = lock_memory() {
        super::complain(format_args!(
            "the relay guard's memory is not locked ({problem}): under memory pressure it may be late; raise LimitMEMLOCK"
        ));
    }
    let state_dir = args.state_dir.or_else(|| std::env::var_os("STATE_DIRECTORY").map(PathBuf::from));
    let complain = |problem: &str| super::complain(format_args!("relay guard: {problem}"));
    let options = Options { file, state_dir, trace: args.trace, stop: Some(stop), supervisor: None, complain };
    if args.simulate {
        hold(args.listen, SimulatedLines::new(), options)?;
    } else {
        hold(args.listen, GpioLines::new(), options)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn hold(listen: Option<PathBuf>, lines: impl Lines, options: Options) -> Result<()> {
    let Some(path) = listen else {
        let socket =
            std::io::stdin().as_fd().try_clone_to_owned().context("the guard's socket is its standard input")?;
        return Ok(run(socket, lines, options)?);
    };
    let listener = listen_at(&path).with_context(|| format!("the relay guard cannot listen on {}", path.display()))?;
    let supervisor = Supervisor::from_environment().context("the service manager cannot be told")?;
    Ok(serve(listener, lines, Options { supervisor, ..options })?)
}
