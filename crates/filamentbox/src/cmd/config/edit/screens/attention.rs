//! Stored settings that are not allowed: unknown keys and refused values; each can be renamed, changed or removed.

use super::super::model::{Item, List, Model, Next, Press, Values};
use super::super::page::{Page, Row, Tone};
use super::{Editor, Screen, hints};

/// All of them.
#[derive(Default)]
pub(in super::super) struct Attention {
    list: List,
}

impl Attention {
    fn items(values: &Values) -> Vec<Item<(String, String)>> {
        let item = |(key, problem): (String, String)| {
            let text = values.own(&key).unwrap_or_default();
            let row = Row::new(&key, values.as_shown(&key, text)).tone(Tone::Warn);
            let note = if values.registry.find(&key).is_some() { "not allowed" } else { "unknown" };
            Item::new(row.note(note), (key, problem))
        };
        values.invalid().into_iter().map(item).collect()
    }

    pub(super) fn name(&self, _: &Model) -> String {
        "Needs attention".to_owned()
    }

    pub(super) fn page(&self, model: &Model) -> Page {
        let items = Self::items(&model.values);
        let detail = match self.list.target(&items) {
            Some((key, problem)) => vec![format!("{key}: {problem}")],
            None => vec!["Everything stored is allowed now. s reviews and saves.".to_owned()],
        };
        Page {
            selected: self.list.selected(&items),
            rows: items.into_iter().map(|item| item.row).collect(),
            detail,
            hints: hints(&[("Enter", "mend"), ("Esc", "back")]),
            ..Page::default()
        }
    }

    pub(super) fn press(&mut self, press: &Press, model: &mut Model) -> Next {
        let items = Self::items(&model.values);
        if self.list.press(press, &items) {
            return Next::Stay;
        }
        match (press, self.list.target(&items)) {
            (Press::Enter | Press::Right, Some((key, _))) => Next::Open(Screen::Fix(Fix::new(key))),
            (Press::Left, _) => Next::Back,
            _ => Next::Unused,
        }
    }
}

/// What to do about one.
pub(in super::super) struct Fix {
    key: String,
    list: List,
}

#[derive(Clone)]
enum Target {
    Rename(String),
    Change,
    Remove,
}

impl Fix {
    pub(super) fn new(key: &str) -> Self {
        Self { key: key.to_owned(), list: List::default() }
    }

    fn items(&self, values: &Values) -> Vec<Item<Target>> {
        let mut items = Vec::new();
        let text = values.own(&self.key).unwrap_or_default();
        let spec = values.registry.find(&self.key);
        if spec.is_some() {
            items.push(Item::new(Row::new("Change its value", ""), Target::Change));
        } else if let Some(near) = self.suggestion(values).filter(|near| values.refusal(near, text).is_none()) {
            items.push(Item::new(Row::new("Rename it to", near), Target::Rename(near.to_owned())));
        }
        let after = match spec {
            Some(spec) if !spec.default.is_empty() => {
                format!("the default holds: {}", values.as_shown(&self.key, spec.default))
            }
            _ => String::new(),
        };
        items.push(Item::new(Row::new("Remove it", after), Target::Remove));
        items
    }

    /// The key that was probably meant, if it is free.
    fn suggestion(&self, values: &Values) -> Option<&'static str> {
        let near = values.registry.nearest(&self.key)?;
        (!near.ends_with(".NAME") && values.own(near).is_none()).then_some(near)
    }

    pub(super) fn name(&self, _: &Model) -> String {
        self.key.clone()
    }

    pub(super) fn page(&self, model: &Model) -> Page {
        let values = &model.values;
        let items = self.items(values);
        let text = values.own(&self.key).unwrap_or_default();
        let problem = values.refusal(&self.key, text).unwrap_or_default();
        let mut detail = vec![format!("{}: {problem}", self.key)];
        if let Some(Target::Rename(near)) = self.list.target(&items) {
            detail.extend(values.registry.find(near).map(|spec| format!("{near}: {}", spec.doc)));
        }
        Page {
            selected: self.list.selected(&items),
            rows: items.into_iter().map(|item| item.row).collect(),
            detail,
            hints: hints(&[("Enter", "do it"), ("Esc", "back")]),
            is_detail_first: true,
            ..Page::default()
        }
    }

    pub(super) fn press(&mut self, press: &Press, model: &mut Model) -> Next {
        let items = self.items(&model.values);
        if matches!(press, Press::Up | Press::Down) {
            self.list.press(press, &items);
            return Next::Stay;
        }
        match (press, self.list.target(&items).cloned()) {
            (Press::Enter | Press::Right, Some(target)) => {
                match (target, model.values.registry.find(&self.key)) {
                    (Target::Rename(to), _) => model.values.rename(&self.key, &to),
                    (Target::Change, Some(spec)) => {
                        return Next::Replace(Screen::Editor(Editor::new(&model.values, spec, &self.key)));
                    }
                    (Target::Change | Target::Remove, _) => model.values.unset(&self.key),
                }
                Next::Back
            }
            (Press::Left, _) => Next::Back,
            _ => Next::Unused,
        }
    }
}
