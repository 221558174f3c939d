//! `run`: the daemon.

use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};

use anyhow::Result;
use tracing::{error, info, warn};

use crate::cli::RunArgs;
use crate::runtime::folder::DataFolder;
use crate::settings::vault::News;
use crate::settings::{self, Access, Places, SettingsError, Sources};
use crate::{logging, runtime};

pub(super) fn run(args: RunArgs, places: Places) -> Result<ExitCode> {
    let _log = logging::start(args.debug);
    let data_dir = places.data_dir.clone();
    // The store's folder is the data folder as a rule; the daemon makes it, and the store in it.
    let prepared = DataFolder::make(places.store_dir()).map_err(anyhow::Error::from);
    let sources =
        prepared.and_then(|()| Ok(Sources::open(places, Access::Create, args.simulate, settings::variables())?));
    let sources = match sources {
        Ok(sources) => sources,
        Err(problem) => {
            error!("the daemon does not start: {problem:#}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let loaded = match sources.load() {
        Ok(loaded) => loaded,
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
    let _until_the_end = watch_vault(sources);
    let options =
        runtime::Options { data_dir, time_scale: args.time_scale, guard: args.guard, trace: args.trace, loaded };
    let outcome = runtime::start(options).and_then(runtime::Running::supervise);
    Ok(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("{problem:#}");
            ExitCode::FAILURE
        }
    })
}

/// Keeps Vault's token alive, and what Vault says for the next start, on a thread that ends with what is returned.
fn watch_vault(mut sources: Sources) -> Option<Sender<()>> {
    let mut watch = sources.watch_vault()?;
    let (ask, asked) = channel();
    let run = move || {
        watch.run(&asked, |news| match news {
            News::Values(values) => match (sources.set_vault(values), sources.load()) {
                (true, Ok(_)) => info!("the settings in Vault have changed; they hold from the next start on"),
                (false, Ok(_)) => {}
                (_, Err(SettingsError::Refused(problems))) => {
                    problems.iter().for_each(|problem| warn!("the settings in Vault are refused: {problem}"));
                }
                (_, Err(problem)) => warn!("the settings in Vault have changed and cannot be looked at: {problem}"),
            },
            News::Lost(problem) => warn!("{problem}; the settings stay as they are"),
            News::Back => info!("Vault answers again"),
        });
    };
    let started = std::thread::Builder::new().name("vault".to_owned()).spawn(run);
    started.inspect_err(|problem| error!("Vault is not watched: {problem}")).ok().map(|_| ask)
}
