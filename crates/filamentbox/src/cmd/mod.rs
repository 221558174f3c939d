//! A file a command. Each returns its exit code, or an error whose text is all that a person needs.

mod completions;
mod config;
mod database;
mod doctor;
mod events;
mod export;
mod outbox;
mod outputs;
mod relay_guard;
mod reset;
mod run;
mod screen;
mod sensor;
mod setup_code;
mod status;
mod switch;
mod tui;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use filamentbox_core::command::OutputKind;

use crate::cli::{Cli, Command, DatabaseCommand, HistoryCommand, OutputsCommand};
use crate::client::{Client, ClientError};
use crate::privacy;
use crate::runtime::folder::{client_data_dir, default_data_dir};
use crate::settings::{self, Access, Loaded, Places, SettingsError, Sources};

/// Exit code of a wrong usage or an invalid value; nothing was changed.
const USAGE: u8 = 2;
/// Exit code when no daemon answers.
const NO_DAEMON: u8 = 3;

/// Runs what was asked for.
pub fn dispatch(cli: Cli) -> ExitCode {
    if !matches!(cli.command, Command::RelayGuard(_)) {
        // Where this cannot be had, `run` says so.
        let _dumpable = privacy::forbid_dumps();
    }
    let data_dir = cli.data_dir;
    // Commands look where the daemon is; the daemon and `outputs off` where they are told to be.
    let places =
        |default: fn() -> PathBuf| Places::new(data_dir.clone().unwrap_or_else(default), cli.config_db.clone());
    let result = match cli.command {
        Command::Run(args) => run::run(args, places(default_data_dir)),
        Command::Status(args) => ask(data_dir, async |client| status::status(&args, client).await),
        Command::Tui => tui::tui(data_dir),
        Command::Heater(args) => ask(data_dir, async |client| switch::switch(OutputKind::Heater, &args, client).await),
        Command::Fan(args) => ask(data_dir, async |client| switch::switch(OutputKind::Fan, &args, client).await),
        Command::Reset => ask(data_dir, reset::reset),
        Command::Sensor(command) => sensor::sensor(&command, places(client_data_dir)),
        Command::Outputs(OutputsCommand::Off(args)) => outputs::off(&args, places(default_data_dir)),
        Command::History(HistoryCommand::Export(args)) => export::export(&args, places(client_data_dir)),
        Command::Database(DatabaseCommand::Test(args)) => database::test(&args, places(client_data_dir)),
        Command::Outbox(args) => ask(data_dir, async |client| outbox::outbox(&args, client).await),
        Command::Events(args) => ask(data_dir, async |client| events::events(&args, client).await),
        Command::Config(command) => config::config(command, places(client_data_dir)),
        Command::SetupCode => ask(data_dir, setup_code::setup_code),
        Command::Doctor(args) => doctor::doctor(&args, places(client_data_dir)),
        Command::Completions { shell } => completions::completions(shell),
        Command::Openapi => {
            say(crate::web::openapi::document().trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::RelayGuard(args) => relay_guard::relay_guard(args),
    };
    result.unwrap_or_else(|problem| {
        complain(format_args!("{problem:#}"));
        exit_code_of(&problem)
    })
}

fn exit_code_of(problem: &anyhow::Error) -> ExitCode {
    if problem.is::<Usage>() {
        return ExitCode::from(USAGE);
    }
    match problem.downcast_ref() {
        Some(ClientError::NoDaemon(_)) => ExitCode::from(NO_DAEMON),
        Some(ClientError::NotAllowed(_)) => ExitCode::from(USAGE),
        _ => ExitCode::FAILURE,
    }
}

/// Talks to the daemon.
fn ask(data_dir: Option<PathBuf>, talk: impl AsyncFnOnce(&Client) -> Result<()>) -> Result<ExitCode> {
    let client = Client::new(&data_dir.unwrap_or_else(client_data_dir))?;
    block_on(talk(&client))?;
    Ok(ExitCode::SUCCESS)
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the network side cannot start")?;
    let done = runtime.block_on(work);
    // A name that is being looked up must not hold up the end.
    runtime.shutdown_background();
    done
}

/// The settings as a daemon started now would have them.
fn load_settings(places: Places, simulate: bool) -> Result<Loaded, SettingsError> {
    load_settings_with(Access::Existing, places, simulate)
}

/// The same as far as they are known on this machine, for a command that must not wait for a network.
fn load_settings_offline(places: Places) -> Result<Loaded, SettingsError> {
    load_settings_with(Access::Offline, places, false)
}

fn load_settings_with(access: Access, places: Places, simulate: bool) -> Result<Loaded, SettingsError> {
    let sources = Sources::open(places, access, simulate, settings::variables())?;
    sources.notices().iter().for_each(complain);
    sources.load()
}

/// Says why the settings are not known, all at once.
fn refuse_settings(problem: SettingsError) -> Result<ExitCode> {
    let SettingsError::Refused(problems) = problem else { return Err(problem.into()) };
    complain(format_args!("{} problem(s) in the settings:", problems.len()));
    problems.iter().for_each(|problem| complain(format_args!("  {problem}")));
    Ok(ExitCode::from(USAGE))
}

/// A line for people on stderr.
fn complain(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "filamentbox: {line}");
}

/// A command's result on stdout.
fn say(text: impl Display) {
    let mut out = std::io::stdout().lock();
    if let Err(problem) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        end_output(&problem);
    }
}

/// A reader that has gone away ends the command quietly; an output that cannot be written is a failure.
fn end_output(problem: &std::io::Error) -> ! {
    if problem.kind() == std::io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    complain(format_args!("the output cannot be written: {problem}"));
    std::process::exit(1);
}

/// A value that is not allowed; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);
