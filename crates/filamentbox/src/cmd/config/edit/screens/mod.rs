//! The screens: each makes its page from the model, and takes the keys.

mod asking;
mod attention;
mod editor;
mod family;
mod help;
mod home;
mod review;
mod search;
mod section;
mod testing;

use super::model::{Model, Next, Press};
use super::page::Page;

pub(super) use asking::Asking;
pub(super) use attention::{Attention, Fix};
pub(super) use editor::Editor;
pub(super) use family::Family;
pub(super) use help::Help;
pub(super) use home::Home;
pub(super) use review::Review;
pub(super) use search::Search;
pub(super) use section::SectionScreen;
pub(super) use testing::{TestLine, Testing};

/// What can be seen.
pub(super) enum Screen {
    Home(Home),
    Section(SectionScreen),
    Editor(Editor),
    Family(Family),
    Search(Search),
    Review(Review),
    Attention(Attention),
    Fix(Fix),
    Testing(Testing),
    Asking(Asking),
    Help(Help),
}

/// Does the same with every screen.
macro_rules! each {
    ($screen:expr, $name:ident => $do:expr) => {
        match $screen {
            Self::Home($name) => $do,
            Self::Section($name) => $do,
            Self::Editor($name) => $do,
            Self::Family($name) => $do,
            Self::Search($name) => $do,
            Self::Review($name) => $do,
            Self::Attention($name) => $do,
            Self::Fix($name) => $do,
            Self::Testing($name) => $do,
            Self::Asking($name) => $do,
            Self::Help($name) => $do,
        }
    };
}

impl Screen {
    pub(super) fn help() -> Self {
        Self::Help(Help)
    }

    pub(super) fn search() -> Self {
        Self::Search(Search::default())
    }

    pub(super) fn press(&mut self, press: &Press, model: &mut Model) -> Next {
        each!(self, screen => screen.press(press, model))
    }

    pub(super) fn page(&self, model: &Model) -> Page {
        each!(self, screen => screen.page(model))
    }

    /// Its name in the title.
    pub(super) fn name(&self, model: &Model) -> String {
        each!(self, screen => screen.name(model))
    }

    /// Whether letters are text here, not commands.
    pub(super) fn takes_letters(&self) -> bool {
        match self {
            Self::Search(_) => true,
            Self::Editor(editor) => editor.is_typed(),
            Self::Family(family) => family.is_naming(),
            _ => false,
        }
    }

    /// Whether there is a text to read, so that the page keys scroll it.
    pub(super) fn is_read(&self) -> bool {
        matches!(self, Self::Editor(_) | Self::Testing(_) | Self::Help(_) | Self::Fix(_))
    }
}

/// The keys that work on every list.
const LIST_HINTS: [(&str, &str); 4] = [("/", "search"), ("s", "save"), ("?", "help"), ("q", "quit")];

/// The hints of a list, its own before those of every list.
fn hints(own: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    own.iter().chain(&LIST_HINTS).copied().collect()
}
