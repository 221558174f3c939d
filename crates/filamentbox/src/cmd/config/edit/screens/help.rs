//! The keys, all at once.

use super::super::model::{Model, Next, Press};
use super::super::page::{Page, Row};

/// See the module.
pub(in super::super) struct Help;

const KEYS: [(&str, &str); 14] = [
    ("Up, Down, PgUp, PgDn", "move; in a long text PgDn scrolls"),
    ("Enter", "open a section, edit a value, accept"),
    ("Esc", "back, without accepting"),
    ("/", "search in names, descriptions and values"),
    ("Space", "switch true and false; choose in a list"),
    ("d", "the default again"),
    ("t", "test the databases, in their section"),
    ("a, n, x", "add, rename, delete a tag"),
    ("s", "review the changes; s again saves them"),
    ("u", "undo one change, in the review"),
    ("F2 or Ctrl-R", "show the secret that is being typed"),
    ("Ctrl-U, Ctrl-W", "clear the line, one word"),
    ("Ctrl-L", "draw the screen anew"),
    ("q or Ctrl-C", "quit; asks when something is not saved"),
];

impl Help {
    pub(super) fn name(&self, _: &Model) -> String {
        "Help".to_owned()
    }

    pub(super) fn page(&self, _: &Model) -> Page {
        Page {
            detail: KEYS
                .iter()
                .map(|(key, what)| format!("{key}: {what}"))
                .chain(["Nothing is saved before you say so in the review. Without this editor: `filamentbox config set KEY VALUE`.".to_owned()])
                .collect(),
            rows: Vec::<Row>::new(),
            is_detail_first: true,
            hints: vec![("PgUp/PgDn", "scroll"), ("Esc", "back")],
            ..Page::default()
        }
    }

    pub(super) fn press(&mut self, press: &Press, _: &mut Model) -> Next {
        match press {
            Press::Enter | Press::Left | Press::Char('?') => Next::Back,
            _ => Next::Unused,
        }
    }
}
