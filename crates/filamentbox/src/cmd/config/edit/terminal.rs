//! The terminal: what it is before and after, and what comes from it. It is given back as it was, also after a panic or a signal.

use std::io::{IsTerminal as _, Stdout, Write as _, stdin, stdout};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context as _, Result};
use crossterm::event::{
    self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use super::super::Usage;
use super::draw::draw;
use super::model::Press;
use super::page::Page;
use super::screens::TestLine;

/// Exit code of an internal fault.
const INTERNAL_FAULT: i32 = 70;

/// What happens while a person edits.
pub(super) enum Notice {
    Press(Press),
    /// The window has another size, or the screen may have been written on.
    Redraw,
    Signal(i32),
    /// A test's number and its outcome.
    Tested(u32, Result<Vec<TestLine>, String>),
    /// There is no terminal any more.
    Gone,
}

/// Whether a full screen can be shown here.
///
/// # Errors
/// A sentence with what to use instead.
pub(super) fn check() -> Result<()> {
    let term = std::env::var("TERM").unwrap_or_default();
    let why = if !stdin().is_terminal() || !stdout().is_terminal() {
        "its input or output is not one"
    } else if term.is_empty() || term == "dumb" {
        "TERM says that this one cannot place text"
    } else {
        return Ok(());
    };
    let text = format!(
        "the editor needs a terminal, and {why}; use `filamentbox config set KEY VALUE`, and `filamentbox config list` \
         to see the keys"
    );
    Err(Usage(text).into())
}

/// A terminal that belongs to the editor.
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

    pub(super) fn show(&mut self, page: &Page) -> Result<()> {
        let has_colour = self.has_colour;
        self.terminal.draw(|frame| draw(frame, page, has_colour)).context("the terminal cannot be written to")?;
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

/// Begins to listen to keys and signals; they end with the process.
pub(super) fn listen() -> Result<(Sender<Notice>, Receiver<Notice>)> {
    let (sender, receiver) = channel();
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT]).context("signals cannot be taken")?;
    let to = sender.clone();
    thread::spawn(move || signals.forever().try_for_each(|signal| to.send(Notice::Signal(signal))));
    let to = sender.clone();
    thread::spawn(move || {
        loop {
            let Ok(event) = event::read() else {
                let _ended = to.send(Notice::Gone);
                break;
            };
            if notices(event).into_iter().flatten().any(|notice| to.send(notice).is_err()) {
                break;
            }
        }
    });
    Ok((sender, receiver))
}

fn notices(event: Event) -> [Option<Notice>; 2] {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            // Esc and another key soon after look like Alt and that key; nothing here is done with Alt.
            let is_after_esc = key.modifiers.contains(KeyModifiers::ALT);
            [is_after_esc.then_some(Notice::Press(Press::Esc)), press(key).map(Notice::Press)]
        }
        Event::Paste(text) => [Some(Notice::Press(Press::Paste(text))), None],
        Event::Resize(..) => [Some(Notice::Redraw), None],
        _ => [None, None],
    }
}

fn press(key: KeyEvent) -> Option<Press> {
    let has_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        // What some terminals send for the backspace key.
        KeyCode::Char('h') if has_control => Press::Backspace,
        KeyCode::Char(c) if has_control => Press::Ctrl(c),
        KeyCode::Char(c) => Press::Char(c),
        KeyCode::F(n) => Press::Function(n),
        KeyCode::Enter => Press::Enter,
        KeyCode::Esc => Press::Esc,
        KeyCode::Up | KeyCode::BackTab => Press::Up,
        KeyCode::Down | KeyCode::Tab => Press::Down,
        KeyCode::Left => Press::Left,
        KeyCode::Right => Press::Right,
        KeyCode::Home => Press::Home,
        KeyCode::End => Press::End,
        KeyCode::PageUp => Press::PageUp,
        KeyCode::PageDown => Press::PageDown,
        KeyCode::Backspace => Press::Backspace,
        KeyCode::Delete => Press::Delete,
        _ => return None,
    })
}
