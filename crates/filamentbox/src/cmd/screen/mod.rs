//! A whole screen for a command: the terminal before and after, and what comes from it. It is given back as it was, also after a panic or
//! a signal. What is drawn is the command's; `text` has what it needs to lay out text.

pub(super) mod text;

use std::io::{IsTerminal as _, Stdout, Write as _, stdin, stdout};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context as _, Result};
use crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyEvent, KeyEventKind};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use super::Usage;

/// Exit code of an internal fault.
const INTERNAL_FAULT: i32 = 70;

/// What happens while a person looks at the screen.
pub(super) enum Notice<T> {
    Key(KeyEvent),
    /// Several characters at once; they are text, never commands.
    Paste(String),
    /// The window has another size, or the screen may have been written on.
    Redraw,
    Signal(i32),
    /// From the command's own threads.
    Own(T),
    /// There is no terminal any more.
    Gone,
}

/// Whether `who` can be shown on a full screen here.
///
/// # Errors
/// A sentence with what to use `instead`.
pub(super) fn check(who: &str, instead: &str) -> Result<()> {
    let term = std::env::var("TERM").unwrap_or_default();
    let why = if !stdin().is_terminal() || !stdout().is_terminal() {
        "its input or output is not one"
    } else if term.is_empty() || term == "dumb" {
        "TERM says that this one cannot place text"
    } else {
        return Ok(());
    };
    Err(Usage(format!("{who} needs a terminal, and {why}; {instead}")).into())
}

/// A terminal that belongs to the command.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    has_colour: bool,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When it cannot be set.
    pub(super) fn take() -> Result<Self> {
        let (before, owner) = (std::panic::take_hook(), thread::current().id());
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
            // The owner unwinds to its end; without one of the others it would wait for ever.
            if thread::current().id() != owner {
                std::process::exit(INTERNAL_FAULT);
            }
        }));
        take().context("the terminal cannot be set up")?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout())).context("the terminal cannot be used")?;
        let has_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Ok(Self { terminal, has_colour })
    }

    /// Whether colours are wanted.
    pub(super) fn has_colour(&self) -> bool {
        self.has_colour
    }

    /// Draws a picture; only cells that differ from the one before are sent.
    pub(super) fn show(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        self.terminal.draw(draw).context("the terminal cannot be written to")?;
        Ok(())
    }

    /// Forgets what is on the screen, so that all of it is drawn anew.
    pub(super) fn forget(&mut self) -> Result<()> {
        // `clear` would ask the terminal where its cursor is, and the answer would go to whoever reads the keys.
        let size = self.terminal.size().context("the terminal has no size")?;
        self.terminal.resize(Rect::new(0, 0, size.width, size.height)).context("the terminal cannot be written to")
    }

    /// Lets the shell have the terminal until it continues this program.
    pub(super) fn suspend(&mut self) -> Result<()> {
        give_back();
        signal_hook::low_level::emulate_default_handler(SIGTSTP).context("this program cannot be stopped")?;
        self.resume()
    }

    /// Takes the terminal again.
    pub(super) fn resume(&mut self) -> Result<()> {
        // Whoever had it meanwhile may have set it otherwise.
        let _not_ours = disable_raw_mode();
        take().context("the terminal cannot be set up")?;
        self.forget()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> std::io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste)
}

/// Makes the terminal what it was. Called twice it does no harm; when it fails there is nobody to tell.
fn give_back() {
    let _gone = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _gone = disable_raw_mode();
    let _gone = stdout().flush();
}

/// Two ends of a channel.
type Ends<T> = (Sender<Notice<T>>, Receiver<Notice<T>>);

/// Begins to listen to keys and signals; they end with the process. The sender is for the command's own threads.
pub(super) fn listen<T: Send + 'static>() -> Result<Ends<T>> {
    let (sender, receiver) = channel();
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT]).context("signals cannot be taken")?;
    let to = sender.clone();
    thread::spawn(move || signals.forever().try_for_each(|signal| to.send(Notice::Signal(signal))));
    let to = sender.clone();
    thread::spawn(move || {
        loop {
            let notice = match event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => Notice::Key(key),
                Ok(Event::Paste(text)) => Notice::Paste(text),
                Ok(Event::Resize(..)) => Notice::Redraw,
                Ok(_) => continue,
                Err(_) => Notice::Gone,
            };
            let is_last = matches!(notice, Notice::Gone);
            if to.send(notice).is_err() || is_last {
                break;
            }
        }
    });
    Ok((sender, receiver))
}
