//! `config edit`: the settings on the whole screen.
//!
//! `model` and `screens` know neither terminal nor files: a key comes in, a page and an effect come out. `draw` shows the page, `keys`
//! reads the keys, and here the two are put together on the screen and the effects happen: reading the store, saving, testing the databases.

mod draw;
mod keys;
mod model;
mod page;
mod screens;

use std::process::ExitCode;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::thread;

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGCONT, SIGTSTP};

use super::super::database::{Tested, test_all};
use super::super::screen::{self, Notice, Screen};
use super::change::who;
use super::{Installation, complain, say};
use crate::settings::{self, Access, Change, Loaded, SettingsError, StoreError};
use draw::draw;
use keys::presses;
use model::{Committed, Effect, Model, Press};
use screens::TestLine;

pub(super) fn edit(installation: &Installation) -> Result<ExitCode> {
    screen::check(
        "the editor",
        "use `filamentbox config set KEY VALUE`, and `filamentbox config list` to see the keys",
    )?;
    let sources = Rc::new(installation.open(Access::Existing, false)?);
    let stored = sources.stored()?;
    let look = {
        let sources = Rc::clone(&sources);
        Box::new(move |stored: &[(String, String)]| sources.survey(stored))
    };
    let mut model = Model::new(settings::registry(), stored, look);
    let end = run(&mut model, installation);
    // The screen is the shell's again.
    match end {
        Ok(End::Quit) => {
            let saved = match model.saved {
                0 => "nothing was changed".to_owned(),
                count => format!("{} saved", model::changes(count)),
            };
            say(format_args!("{saved}; `filamentbox config list` shows every setting"));
            Ok(ExitCode::SUCCESS)
        }
        Ok(End::Signal(signal)) => {
            let count = model.values.count();
            complain(format_args!("ended by a signal; {} not saved", model::changes(count)));
            // Ends as whoever sent it expects.
            signal_hook::low_level::emulate_default_handler(signal).context("ended by a signal")?;
            Ok(ExitCode::FAILURE)
        }
        Err(problem) => Err(problem),
    }
}

/// A test's number and its outcome.
type TestEnd = (u32, Result<Vec<TestLine>, String>);

enum End {
    Quit,
    Signal(i32),
}

fn run(model: &mut Model, installation: &Installation) -> Result<End> {
    let (sender, notices) = screen::listen::<TestEnd>()?;
    let mut screen = Screen::take()?;
    let has_colour = screen.has_colour();
    loop {
        screen.show(|frame| draw(frame, &model.page(), has_colour))?;
        let effects = match notices.recv().context("nobody listens to the keys any more")? {
            Notice::Key(key) => presses(key).map(|press| model.update(&press)).collect(),
            Notice::Paste(text) => vec![model.update(&Press::Paste(text))],
            Notice::Redraw => Vec::new(),
            Notice::Own((number, lines)) => {
                model.tested(number, lines);
                Vec::new()
            }
            Notice::Signal(SIGTSTP) => vec![Effect::Suspend],
            Notice::Signal(SIGCONT) => {
                screen.resume()?;
                Vec::new()
            }
            Notice::Signal(signal) => return Ok(End::Signal(signal)),
            Notice::Gone => anyhow::bail!("the terminal is gone"),
        };
        for effect in effects {
            match effect {
                Effect::None => {}
                Effect::Test(number, loaded) => {
                    test(number, *loaded, installation.places.data_dir.clone(), sender.clone());
                }
                Effect::Commit(changes) => {
                    let committed = commit(&changes, model.values.stored_all(), installation);
                    model.committed(committed);
                }
                Effect::Suspend => screen.suspend()?,
                Effect::Redraw => screen.forget()?,
                Effect::Quit => return Ok(End::Quit),
            }
        }
    }
}

/// Asks the databases, on a thread of its own: the person may not want to wait.
fn test(number: u32, loaded: Loaded, data_dir: std::path::PathBuf, to: Sender<Notice<TestEnd>>) {
    thread::spawn(move || {
        let line = |tested: &Tested| TestLine { name: tested.name, is_good: tested.is_good(), text: tested.line() };
        let lines = test_all(&loaded.settings, &loaded.config, &data_dir)
            .map(|tested| tested.iter().map(line).collect())
            .map_err(|problem| format!("{problem:#}"));
        // When nobody waits any more, the editor has ended.
        let _ended = to.send(Notice::Own((number, lines)));
    });
}

/// Saves, if the store still holds what was read.
fn commit(changes: &[Change], expected: &[(String, String)], installation: &Installation) -> Committed {
    let saved = installation.open(Access::Create, false).and_then(|mut sources| {
        let changed = sources.mend_from(expected, changes, &who("config edit"));
        Ok((changed, sources.stored()?))
    });
    match saved {
        Ok((Ok(after), stored)) => {
            let registry = settings::registry();
            let waits = |change: &&Change| registry.find(&change.key).is_some_and(|spec| spec.at_start);
            let waiting: Vec<&str> = changes.iter().filter(waits).map(|change| change.key.as_str()).collect();
            let daemon = match (after.problems.is_empty(), installation.is_running()) {
                (false, _) => "Something else is still to be mended: no daemon starts like this.".to_owned(),
                (true, false) => "No daemon is running; the next start takes it.".to_owned(),
                (true, true) => taken(&waiting, changes.len()),
            };
            Committed::Saved { stored, daemon }
        }
        Ok((Err(SettingsError::Store(StoreError::ChangedMeanwhile)), stored)) => Committed::ChangedMeanwhile { stored },
        Ok((Err(SettingsError::Refused(problems)), _)) => {
            Committed::Failed(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
        Ok((Err(problem), _)) => Committed::Failed(problem.to_string()),
        Err(problem) => Committed::Failed(format!("{problem:#}")),
    }
}

/// When a running daemon takes `count` changes, of which those of the keys `waiting` wait for its next start.
fn taken(waiting: &[&str], count: usize) -> String {
    match waiting.len() {
        0 => "The running daemon takes it within 2 s.".to_owned(),
        all if all == count => "The running daemon goes on as before: its next start takes it.".to_owned(),
        _ => format!("The running daemon takes it within 2 s, but {} only at its next start.", waiting.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::taken;

    #[test]
    fn what_waits_for_the_next_start_is_named() {
        for (waiting, count, expected) in [
            (&[][..], 2, "takes it within 2 s."),
            (&["a.b"][..], 2, "within 2 s, but a.b only at its next start"),
            (&["a.b", "c.d"][..], 2, "goes on as before"),
        ] {
            assert!(taken(waiting, count).contains(expected), "{waiting:?} of {count}");
        }
    }
}
