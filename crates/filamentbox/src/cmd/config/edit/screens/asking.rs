//! What becomes of changes that are not saved: at the end, and before they are discarded.

use super::super::model::{Effect, Item, List, Model, Next, Press, changes};
use super::super::page::{Page, Row, Tone};
use super::{Review, Screen};

/// See the module.
#[derive(Default)]
pub(in super::super) struct Asking {
    list: List,
    goes_on: bool,
}

#[derive(Clone, Copy)]
enum Target {
    Review,
    Discard,
    Stay,
}

impl Asking {
    /// Before changes are discarded without an end.
    pub(super) fn discard() -> Self {
        Self { list: List::default(), goes_on: true }
    }

    fn items(&self) -> Vec<Item<Target>> {
        let discard = if self.goes_on { "Discard them" } else { "Discard them and quit" };
        [("Review and save", Target::Review), (discard, Target::Discard), ("Go back", Target::Stay)]
            .map(|(text, target)| Item::new(Row::new(text, ""), target))
            .into()
    }

    pub(super) fn name(&self, _: &Model) -> String {
        if self.goes_on { "Discard".to_owned() } else { "Quit".to_owned() }
    }

    pub(super) fn page(&self, model: &Model) -> Page {
        let items = self.items();
        Page {
            selected: self.list.selected(&items),
            rows: items.into_iter().map(|item| item.row).collect(),
            message: Some((Tone::Warn, format!("{} not saved.", changes(model.values.count())))),
            hints: vec![("Up/Down", "choose"), ("Enter", "do it"), ("d", "discard"), ("Esc", "go back")],
            ..Page::default()
        }
    }

    pub(super) fn press(&mut self, press: &Press, model: &mut Model) -> Next {
        let items = self.items();
        if self.list.press(press, &items) {
            return Next::Stay;
        }
        let target = match press {
            Press::Enter => self.list.target(&items).copied(),
            Press::Char('d') => Some(Target::Discard),
            Press::Char('s') => Some(Target::Review),
            // A second q or Ctrl-C must not throw work away.
            Press::Char('q') => return Next::Stay,
            _ => None,
        };
        match target {
            Some(Target::Review) => Next::Replace(Screen::Review(Review::new(&model.values))),
            Some(Target::Discard) => {
                model.values.discard();
                if self.goes_on { model.home("Discarded; nothing was saved.") } else { Next::Do(Effect::Quit) }
            }
            Some(Target::Stay) => Next::Back,
            None => Next::Unused,
        }
    }
}
