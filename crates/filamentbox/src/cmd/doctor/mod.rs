//! `doctor`: looks at everything that decides safety and working, and says how to mend it. It changes nothing; only with the
//! consent of somebody at the terminal is the fan's output switched for a moment.
//!
//! A file a group of checks; each is a function from [`System`], what there is to look at, to findings. The page and the JSON
//! follow from the findings.

mod bootconfig;
mod clocks;
mod finding;
mod limits;
mod outputs;
mod page;
mod permissions;
mod pins;
mod polarity;
mod programs;
mod sensor;
mod service;
mod storage;
mod system;
mod watchdog;
mod web;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use super::database;
use crate::cli::DoctorArgs;
use crate::client::{Client, ClientError};
use crate::settings::{self, Layers, Places, SettingsError};

use finding::{Concern, Report, Step, put, run, say};
use polarity::{GuardSwitch, Person, Switch};
use system::{Daemon, System, ThisMachine};

pub(super) fn doctor(args: &DoctorArgs, places: Places) -> Result<ExitCode> {
    let system = this_system(places, args.safety)?;
    let mut person = if args.json { None } else { polarity::person() };
    let person = person.as_mut().map(|person| -> &mut dyn Person { person });
    let report = examine(&system, args.safety, person, &mut GuardSwitch { data_dir: system.data_dir.clone() });
    if args.json {
        super::say(serde_json::to_string_pretty(&report.json())?);
    } else {
        super::say(page::page(&report));
    }
    Ok(if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs the checks, in the order of the page.
fn examine(system: &System, safety_only: bool, person: Option<&mut dyn Person>, switch: &mut dyn Switch) -> Report {
    let mut findings = service::checks(system);
    findings.extend(pins::checks(system));
    findings.extend(polarity::checks(system, person, switch));
    for group in [
        limits::checks,
        watchdog::checks,
        sensor::checks,
        permissions::checks,
        clocks::checks,
        storage::checks,
        programs::checks,
        web::checks,
    ] {
        findings.extend(group(system));
    }
    if safety_only {
        findings.retain(|finding| finding.check.concern == Concern::Safety);
    }
    let model = system.model();
    let machine = model.as_ref().map_or("a machine that is no Raspberry Pi", |model| model.name());
    Report { machine: format!("{machine}, as {}", system.machine.user().name), findings }
}

/// The machine this runs on, with the settings of this environment; with the defaults when they are refused, and the reasons.
fn this_system(places: Places, safety_only: bool) -> Result<System> {
    let data_dir = places.data_dir.clone();
    let (loaded, problems) = match super::load_settings(places, false) {
        Ok(loaded) => (Ok(loaded), Vec::new()),
        Err(problem) => {
            let problems = match problem {
                SettingsError::Refused(problems) => problems.iter().map(ToString::to_string).collect(),
                other => vec![other.to_string()],
            };
            (settings::load(&settings::registry(), Layers::default()), problems)
        }
    };
    let loaded = loaded.map_err(|_| anyhow::anyhow!("the defaults of the settings are refused, which is a defect"))?;
    let backends = match safety_only {
        true => Vec::new(),
        false => database::test_all(&loaded.settings, &loaded.config, &data_dir)?,
    };
    let mut system = System {
        root: PathBuf::from("/"),
        machine: Box::new(ThisMachine),
        backends,
        settings: loaded.settings,
        config: loaded.config,
        problems,
        daemon: ask_daemon(&data_dir)?,
        data_dir: std::path::absolute(data_dir)?,
    };
    if let Some(reason) = system.other_daemon() {
        system.daemon = Daemon::Unreachable(reason);
    }
    Ok(system)
}

fn ask_daemon(data_dir: &Path) -> Result<Daemon> {
    let client = Client::new(data_dir)?;
    super::block_on(async {
        Ok(match client.get("/api/status").await {
            Ok(status) => Daemon::Running(status),
            Err(ClientError::NoDaemon(_)) => Daemon::Absent,
            Err(problem) => Daemon::Unreachable(problem.to_string()),
        })
    })
}

/// The environment variable of a setting.
fn variable(key: &str) -> String {
    format!("FILAMENTBOX_{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// How a setting is changed.
fn setting(key: &str, value: &str) -> Vec<Step> {
    let variable = variable(key);
    vec![
        put(
            format!("[Service]\nEnvironment={variable}={value}"),
            "the file that `sudo systemctl edit filamentbox` opens",
        ),
        run("sudo systemctl restart filamentbox"),
        say("or, where it is started by hand, before `filamentbox run`:"),
        run(format!("export {variable}={value}")),
    ]
}
