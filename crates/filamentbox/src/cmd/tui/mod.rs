//! `tui`: the live state on the whole screen, with keys for heater and fan.
//!
//! `model` knows neither terminal nor daemon: keys and reports come in, actions come out. `draw` shows it, `source` speaks with the daemon on a
//! thread of its own, and here they are put together. An idle screen wakes up once a second, and sends only the cells that changed.

mod draw;
mod model;
mod source;
mod state;
mod trail;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGCONT, SIGTSTP};

use super::complain;
use super::screen::{self, Notice, Screen};
use crate::client::Client;
use crate::runtime::folder::client_data_dir;
use draw::{Look, draw};
use model::{Action, Model, Report};
use source::Desk;

/// Ages count up by seconds.
const TICK: Duration = Duration::from_secs(1);

pub(super) fn tui(data_dir: Option<PathBuf>) -> Result<ExitCode> {
    screen::check(
        "the screen",
        "use `filamentbox status --watch`, and `filamentbox heater` and `filamentbox fan` to switch",
    )?;
    let client = Client::new(&data_dir.unwrap_or_else(client_data_dir))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the network side cannot start")?;
    let first = runtime.block_on(source::picture(&client))?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut model = Model::new(host, first);
    let (sender, notices) = screen::listen::<Report>()?;
    let mut screen = Screen::take()?;
    let desk = source::start(runtime, client, model.box_name.clone(), sender);
    let look = Look::new(screen.has_colour(), |name| std::env::var(name).ok());
    let start = Instant::now();
    let end = loop {
        screen.show(|frame| draw(frame, &model, start.elapsed(), look))?;
        let first = match notices.recv_timeout(TICK) {
            Ok(notice) => Some(notice),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => bail!("nobody listens to the keys any more"),
        };
        let waiting = first.into_iter().chain(notices.try_iter());
        if let Some(end) = take(waiting, &mut model, &mut screen, &desk, start)? {
            break end;
        }
    };
    drop(screen);
    if let End::Signal(signal) = end {
        complain("ended by a signal");
        // Ends as whoever sent it expects.
        signal_hook::low_level::emulate_default_handler(signal).context("ended by a signal")?;
    }
    Ok(ExitCode::SUCCESS)
}

enum End {
    Quit,
    Signal(i32),
}

/// Takes what has happened.
fn take(
    notices: impl Iterator<Item = Notice<Report>>,
    model: &mut Model,
    screen: &mut Screen,
    desk: &Desk,
    start: Instant,
) -> Result<Option<End>> {
    for notice in notices {
        let now = start.elapsed();
        let action = match notice {
            Notice::Key(key) => model.press(key, now),
            Notice::Paste(_) => {
                model.pasted(now);
                Action::None
            }
            Notice::Redraw => Action::None,
            Notice::Own(report) => {
                model.report(report, now);
                Action::None
            }
            Notice::Signal(SIGTSTP) => Action::Suspend,
            Notice::Signal(SIGCONT) => {
                screen.resume()?;
                Action::None
            }
            Notice::Signal(signal) => return Ok(Some(End::Signal(signal))),
            Notice::Gone => bail!("the terminal is gone"),
        };
        match action {
            Action::None => {}
            Action::Order(order) => desk.order(order),
            Action::Refresh(box_name) => desk.look_at(box_name),
            Action::Redraw => screen.forget()?,
            Action::Suspend => screen.suspend()?,
            Action::Quit => return Ok(Some(End::Quit)),
        }
    }
    Ok(None)
}
