//! What would be saved, what is wrong with it, and saving.

use filamentbox_core::config::ConfigError;

use super::super::model::{Effect, Item, List, Model, Next, Press, Values, changes};
use super::super::page::{Page, Row, Tone};
use super::section::about;
use super::{Asking, Editor, Screen};

/// See the module.
pub(in super::super) struct Review {
    list: List,
}

#[derive(Clone, PartialEq)]
enum Target {
    Problem(String, String),
    Changed(String),
    Save,
    Discard,
}

impl Review {
    pub(in super::super) fn new(values: &Values) -> Self {
        let mut list = List::default();
        if values.obstacles().is_empty() {
            list.select(&Self::items(values), |target| *target == Target::Save);
        }
        Self { list }
    }

    fn items(values: &Values) -> Vec<Item<Target>> {
        let mut items = Vec::new();
        let obstacles = values.obstacles();
        let problems = |items: &mut Vec<Item<Target>>, heading: &str, problems: &[&ConfigError]| {
            if !problems.is_empty() {
                items.push(Item::inert(Row::heading(heading)));
            }
            for problem in problems {
                for key in problem.key.split(", ") {
                    let row = Row::new(key, values.shown(key)).note("PROBLEM").tone(Tone::Warn);
                    items.push(Item::new(row, Target::Problem(key.to_owned(), problem.problem.clone())));
                }
            }
        };
        problems(&mut items, "Must be mended first (Enter goes there)", &obstacles.iter().collect::<Vec<_>>());
        items.push(Item::inert(Row::heading("Changes")));
        for key in values.changed() {
            let (old, new) = values.old_and_new(key);
            items.push(Item::new(Row::new(key, format!("{old} -> {new}")), Target::Changed(key.to_owned())));
        }
        let others: Vec<&ConfigError> = values.now.problems.iter().filter(|other| !obstacles.contains(other)).collect();
        problems(&mut items, "Still to be mended: no daemon starts like this", &others);
        items.push(Item::inert(Row::default()));
        let save = if obstacles.is_empty() { Tone::Good } else { Tone::Dim };
        items.push(Item::new(Row::new(format!("Save {}", changes(values.count())), "").tone(save), Target::Save));
        items.push(Item::new(Row::new("Discard them", ""), Target::Discard));
        items
    }

    pub(super) fn name(&self, _: &Model) -> String {
        "Review".to_owned()
    }

    pub(super) fn page(&self, model: &Model) -> Page {
        let values = &model.values;
        let items = Self::items(values);
        let (detail, own): (Vec<String>, &[_]) = match self.list.target(&items) {
            Some(Target::Problem(key, problem)) => {
                let mut detail = vec![format!("{key}: {problem}")];
                if values.registry.find(key).is_none() {
                    detail.push(not_here(key));
                }
                (detail, &[("Enter", "go there")])
            }
            Some(Target::Changed(key)) => {
                let spec = values.registry.find(key);
                let detail = spec.map_or_else(|| vec![key.clone()], |spec| about(values, spec, key));
                (detail, &[("Enter", "edit"), ("u", "undo this")])
            }
            Some(Target::Save) => {
                let text = "Saves all of them together, or none if another program changed the settings meanwhile.";
                (vec![text.to_owned()], &[("Enter", "save")])
            }
            Some(Target::Discard) => {
                (vec!["Forgets all changes; nothing is saved.".to_owned()], &[("Enter", "discard")])
            }
            None => (Vec::new(), &[]),
        };
        Page {
            selected: self.list.selected(&items),
            rows: items.into_iter().map(|item| item.row).collect(),
            detail,
            hints: [own, &[("s", "save"), ("Esc", "back"), ("/", "search"), ("?", "help"), ("q", "quit")]].concat(),
            ..Page::default()
        }
    }

    pub(super) fn press(&mut self, press: &Press, model: &mut Model) -> Next {
        let items = Self::items(&model.values);
        if self.list.press(press, &items) {
            return Next::Stay;
        }
        match (press, self.list.target(&items)) {
            (Press::Char('s'), _) | (Press::Enter, Some(Target::Save)) => self.save(model),
            (Press::Enter, Some(Target::Discard)) => Next::Open(Screen::Asking(Asking::discard())),
            (Press::Enter | Press::Right, Some(Target::Problem(key, _) | Target::Changed(key))) => {
                match model.values.registry.find(key) {
                    Some(spec) => Next::Open(Screen::Editor(Editor::new(&model.values, spec, key))),
                    None if model.values.stored(key).is_some() => Next::Open(Screen::Fix(super::Fix::new(key))),
                    None => {
                        model.message = Some((Tone::Warn, not_here(key)));
                        Next::Stay
                    }
                }
            }
            (Press::Char('u'), Some(Target::Changed(key))) => {
                model.values.undo(key);
                if model.values.count() == 0 {
                    model.message = Some((Tone::Plain, "No change is left.".to_owned()));
                    return Next::Back;
                }
                Next::Stay
            }
            (Press::Left, _) => Next::Back,
            _ => Next::Unused,
        }
    }

    fn save(&mut self, model: &mut Model) -> Next {
        if !model.values.obstacles().is_empty() {
            self.list = List::default();
            let text = "Not saved: the settings do not fit together yet. Mend what stands first in the list.";
            model.message = Some((Tone::Warn, text.to_owned()));
            return Next::Stay;
        }
        Next::Do(Effect::Commit(model.values.changes()))
    }
}

/// What cannot be mended here.
fn not_here(key: &str) -> String {
    format!("{key} is not in the store: it comes from the environment or from Vault, and is mended there.")
}
