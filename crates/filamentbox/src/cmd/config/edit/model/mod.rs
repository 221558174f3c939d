//! The editor without a terminal: a key comes in, an effect and a page come out. It touches no file and asks no clock.

mod field;
mod list;
mod sections;
mod values;

#[cfg(test)]
mod tests;

use std::fmt;

use filamentbox_core::config::Registry;

use super::page::{Page, Tone};
use super::screens::{Asking, Home, Review, Screen, TestLine, Testing};
use crate::settings::{Change, Loaded};

pub(super) use field::Field;
pub(super) use list::{Item, List};
pub(super) use sections::{SECTIONS, Section};
pub(super) use values::{Look, Values};

/// A key that was pressed.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Press {
    Char(char),
    /// Several at once.
    Paste(String),
    Ctrl(char),
    Function(u8),
    Enter,
    Esc,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Backspace,
    Delete,
}

/// It may be part of a secret.
impl fmt::Debug for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
}

/// What the terminal's side has to do.
pub(super) enum Effect {
    /// Show the page.
    None,
    /// Look at the databases with these settings, and call [`Model::tested`] with the number.
    Test(u32, Box<Loaded>),
    /// Save, and call [`Model::committed`].
    Commit(Vec<Change>),
    /// Let the shell have the terminal for a while.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// End.
    Quit,
}

/// What became of [`Effect::Commit`].
pub(super) enum Committed {
    /// Saved; the store's texts now, and what a running daemon makes of it.
    Saved { stored: Vec<(String, String)>, daemon: String },
    /// Another program was faster; the store's texts now.
    ChangedMeanwhile { stored: Vec<(String, String)> },
    /// Not saved.
    Failed(String),
}

/// What a screen wants after a key.
pub(super) enum Next {
    /// Nothing; the key is used up.
    Stay,
    /// The key means nothing here.
    Unused,
    /// Back to the screen below.
    Back,
    /// Back, with the text of this key accepted.
    Accepted(String),
    /// Another screen, above this one.
    Open(Screen),
    /// Another screen instead of this one.
    Replace(Screen),
    /// The test of the connection.
    Test,
    /// Something outside.
    Do(Effect),
}

/// The editor.
pub(super) struct Model {
    pub(super) values: Values,
    /// The last is the one that is seen; there is always one.
    screens: Vec<Screen>,
    pub(super) message: Option<(Tone, String)>,
    scroll: usize,
    /// How many tests of the connection were begun.
    tests: u32,
    /// How many changes were saved since the start.
    pub(super) saved: usize,
}

impl Model {
    pub(super) fn new(registry: Registry, stored: Vec<(String, String)>, look: Look) -> Self {
        let values = Values::new(registry, stored, look);
        let home = Screen::Home(Home::default());
        Self { values, screens: vec![home], message: None, scroll: 0, tests: 0, saved: 0 }
    }

    /// Takes a key.
    pub(super) fn update(&mut self, press: &Press) -> Effect {
        match press {
            Press::Ctrl('z') => return Effect::Suspend,
            Press::Ctrl('l') => return Effect::Redraw,
            Press::Ctrl('c') => return self.quit(),
            _ => {}
        }
        let Some(mut screen) = self.screens.pop() else { return Effect::Quit };
        let message = self.message.take();
        let next = screen.press(press, self);
        if screen.is_read() && matches!(press, Press::PageUp | Press::PageDown) && matches!(next, Next::Unused) {
            self.scroll = if *press == Press::PageUp { self.scroll.saturating_sub(4) } else { self.scroll + 4 };
        } else {
            self.scroll = 0;
        }
        let is_unused = matches!(next, Next::Unused);
        let effect = self.go(screen, next);
        if is_unused && self.message.is_none() {
            self.message = message;
        }
        if is_unused { self.everywhere(press) } else { effect }
    }

    fn go(&mut self, screen: Screen, next: Next) -> Effect {
        match next {
            Next::Stay | Next::Unused => self.screens.push(screen),
            Next::Back => {}
            Next::Accepted(key) => {
                if let Some(Screen::Section(section)) = self.screens.last_mut() {
                    section.advance(&key, &self.values);
                }
            }
            Next::Replace(other) => self.screens.push(other),
            Next::Open(other) => self.screens.extend([screen, other]),
            Next::Test => {
                if !matches!(screen, Screen::Testing(_)) {
                    self.screens.push(screen);
                }
                self.screens.push(Screen::Testing(Testing::Running));
                self.tests += 1;
                let loaded = self.values.now.loaded.clone();
                return loaded.map_or(Effect::None, |loaded| Effect::Test(self.tests, Box::new(loaded)));
            }
            Next::Do(effect) => {
                self.screens.push(screen);
                return effect;
            }
        }
        if self.screens.is_empty() {
            self.screens.push(Screen::Home(Home::default()));
        }
        Effect::None
    }

    /// Keys that mean the same on every screen that has no use of its own for them.
    fn everywhere(&mut self, press: &Press) -> Effect {
        let takes_letters = self.screens.last().is_some_and(Screen::takes_letters);
        match press {
            Press::Esc if self.screens.len() > 1 => drop(self.screens.pop()),
            Press::Esc => return self.quit(),
            Press::Char('q') if !takes_letters => return self.quit(),
            Press::Char('?') if !takes_letters => self.screens.push(Screen::help()),
            Press::Function(1) => self.screens.push(Screen::help()),
            Press::Char('/') if !takes_letters => self.screens.push(Screen::search()),
            Press::Char('s') if !takes_letters => self.review(),
            _ => {}
        }
        Effect::None
    }

    fn quit(&mut self) -> Effect {
        if self.values.count() == 0 {
            return Effect::Quit;
        }
        if !matches!(self.screens.last(), Some(Screen::Asking(_))) {
            self.screens.push(Screen::Asking(Asking::default()));
        }
        Effect::None
    }

    /// Back to the first screen, with a word about why.
    pub(super) fn home(&mut self, message: &str) -> Next {
        self.screens.clear();
        self.message = Some((Tone::Plain, message.to_owned()));
        Next::Back
    }

    /// Shows the review, above home alone.
    pub(super) fn review(&mut self) {
        if self.values.count() == 0 {
            self.message = Some((Tone::Plain, "Nothing has been changed, so there is nothing to save.".to_owned()));
            return;
        }
        self.screens.truncate(1);
        self.screens.push(Screen::Review(Review::new(&self.values)));
    }

    /// Takes the answers of the databases, or why there are none.
    pub(super) fn tested(&mut self, number: u32, lines: Result<Vec<TestLine>, String>) {
        // The person may have gone on to another screen or another test, and the answer is of no interest any more.
        if let Some(Screen::Testing(testing)) = self.screens.last_mut()
            && number == self.tests
        {
            *testing = Testing::Done(lines);
        }
    }

    /// Takes what became of saving.
    pub(super) fn committed(&mut self, committed: Committed) {
        match committed {
            Committed::Saved { stored, daemon } => {
                let count = self.values.count();
                self.saved += count;
                self.values.reread(stored);
                self.screens.truncate(1);
                self.message = Some((Tone::Good, format!("Saved {}. {daemon}", changes(count))));
            }
            Committed::ChangedMeanwhile { stored } => {
                let keys = differing(self.values.stored_all(), &stored);
                self.values.reread(stored);
                self.screens.truncate(1);
                if self.values.count() > 0 {
                    self.screens.push(Screen::Review(Review::new(&self.values)));
                }
                let text = format!(
                    "Not saved: another program changed {} meanwhile. What it saved is shown as old below; look again, then save.",
                    keys.join(", ")
                );
                self.message = Some((Tone::Warn, text));
            }
            Committed::Failed(why) => self.message = Some((Tone::Warn, format!("Not saved: {why}"))),
        }
    }

    /// What is to be seen.
    pub(super) fn page(&self) -> Page {
        let mut page = self.screens.last().map_or_else(Page::default, |screen| screen.page(self));
        let path: Vec<String> = self.screens.iter().map(|screen| screen.name(self)).collect();
        page.title = path.join(" > ");
        page.unsaved = self.values.count();
        if page.message.is_none() {
            page.message.clone_from(&self.message);
        }
        page.scroll = self.scroll;
        page
    }
}

/// "1 change", "2 changes".
pub(super) fn changes(count: usize) -> String {
    format!("{count} change{}", if count == 1 { "" } else { "s" })
}

/// The keys in which two states of the store differ.
fn differing(old: &[(String, String)], new: &[(String, String)]) -> Vec<String> {
    let mut keys: Vec<String> = old
        .iter()
        .filter(|pair| !new.contains(pair))
        .chain(new.iter().filter(|pair| !old.contains(pair)))
        .map(|(key, _)| key.clone())
        .collect();
    keys.sort();
    keys.dedup();
    keys
}
