//! `run`: the daemon.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tracing::{error, warn};

use crate::cli::RunArgs;
use crate::runtime::folder::{is_no_room, try_to_write};
use crate::settings::{self, Access, Places, SettingsError, Sources};
use crate::{logging, privacy, runtime};

/// On a disk that cannot be written the daemon works without a store, if there was none: with defaults and environment.
fn access(places: &Places) -> Access {
    match try_to_write(places.store_dir()) {
        Err(why) if is_no_room(&why) && !places.store.exists() => {
            let folder = places.store_dir().display();
            warn!("no store for settings can be made in {folder}: {why}; defaults and environment hold");
            Access::Existing
        }
        _ => Access::Create,
    }
}

pub(super) fn run(args: RunArgs, places: Places) -> Result<ExitCode> {
    // First of all: there must be no other thread yet.
    let (variables, exposed) =
        privacy::variables(&settings::registry()).context("the secrets of the environment cannot be read")?;
    let dumpable = privacy::forbid_dumps();
    let _log = logging::start(args.debug);
    if let Some(problem) = exposed {
        warn!("secrets stay in the environment, where other processes of this user can read them: {problem}");
    }
    if let Err(problem) = dumpable {
        warn!("a crash may leave a file with secrets: {problem}");
    }
    let data_dir = places.data_dir.clone();
    let access = access(&places);
    let opened = Sources::open(places, access, args.simulate, variables);
    let (sources, loaded) = match opened.and_then(|sources| sources.load().map(|loaded| (sources, loaded))) {
        Ok(opened) => opened,
        Err(SettingsError::Refused(problems)) => {
            error!("the daemon does not start: {} problem(s) in the settings", problems.len());
            problems.iter().for_each(|problem| error!("{problem}"));
            return Ok(ExitCode::from(super::USAGE));
        }
        Err(problem) => {
            error!("the daemon does not start: {problem:#}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let options = runtime::Options {
        data_dir,
        time_scale: args.time_scale,
        guard: args.guard,
        trace: args.trace,
        sources,
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
