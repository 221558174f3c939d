//! `run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use tracing::error;

use crate::cli::RunArgs;
use crate::runtime::folder::default_data_dir;
use crate::{logging, runtime, settings};

pub(super) fn run(args: RunArgs, data_dir: Option<PathBuf>) -> Result<ExitCode> {
    let _until_the_end = logging::start(args.debug);
    let loaded = match settings::load(&settings::registry(), args.simulate, settings::variables()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            error!("the daemon does not start: {} problem(s) in the settings", problems.len());
            problems.iter().for_each(|problem| error!("{problem}"));
            return Ok(ExitCode::from(super::USAGE));
        }
    };
    let options = runtime::Options {
        data_dir: data_dir.unwrap_or_else(default_data_dir),
        time_scale: args.time_scale,
        guard: args.guard,
        trace: args.trace,
        loaded,
    };
    let outcome = runtime::start(options).and_then(runtime::Running::supervise);
    Ok(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("{problem:#}");
            ExitCode::FAILURE
        }
    })
}
