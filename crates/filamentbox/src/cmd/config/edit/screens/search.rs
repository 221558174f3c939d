//! Search: in the keys, what they do, and their values (not in secrets).

use filamentbox_core::config::KeySpec;

use super::super::model::{Field, Item, List, Model, Next, Press, Values};
use super::super::page::{Input, Page, Tone};
use super::section::{about, row};
use super::{Editor, Family, Screen};

/// See the module.
pub(in super::super) struct Search {
    field: Field,
    list: List,
}

impl Default for Search {
    fn default() -> Self {
        Self { field: Field::new(""), list: List::default() }
    }
}

impl Search {
    /// Every word must be found; keys in which one is found come before those whose description has it.
    fn items(&self, values: &Values) -> Vec<Item<(&'static KeySpec, String)>> {
        let words: Vec<String> = self.field.text().split_whitespace().map(str::to_lowercase).collect();
        let mut found: Vec<(bool, &'static KeySpec, String)> = Vec::new();
        for spec in values.registry.specs().iter().copied() {
            let keys: Vec<String> = if spec.is_family() {
                let prefix = spec.key.trim_end_matches("NAME");
                let members = values.now.settings.family(prefix).map(|(name, _)| format!("{prefix}{name}"));
                members.chain([spec.key.to_owned()]).collect()
            } else {
                vec![spec.key.to_owned()]
            };
            for key in keys {
                let value = if spec.is_secret() { "" } else { values.text(&key) };
                let name = key.to_lowercase().replace('_', " ") + " " + &key.to_lowercase();
                let all = format!("{name} {} {}", spec.doc.to_lowercase(), value.to_lowercase());
                if words.iter().all(|word| all.contains(word)) {
                    found.push((!words.iter().all(|word| name.contains(word)), spec, key));
                }
            }
        }
        found.sort_by_key(|(is_in_doc, ..)| *is_in_doc);
        let item = |(_, spec, key): (bool, &'static KeySpec, String)| {
            let mut row = row(values, spec, &key);
            row.value = if key == spec.key && spec.is_family() { String::new() } else { values.shown(&key) };
            if spec.is_family() {
                row.note = String::new();
            }
            Item::new(row, (spec, key))
        };
        found.into_iter().map(item).collect()
    }

    pub(super) fn name(&self, _: &Model) -> String {
        "Search".to_owned()
    }

    pub(super) fn page(&self, model: &Model) -> Page {
        let items = self.items(&model.values);
        let verdict = match items.len() {
            0 => (Tone::Warn, "Nothing has all of these words.".to_owned()),
            n => (Tone::Plain, format!("{n} found")),
        };
        let target = self.list.target(&items);
        Page {
            input: Some(Input {
                prompt: "Search: ".to_owned(),
                text: self.field.text().to_owned(),
                cursor: self.field.cursor(),
                verdict,
            }),
            selected: self.list.selected(&items),
            detail: target.map(|(spec, key)| about(&model.values, spec, key)).unwrap_or_default(),
            rows: items.into_iter().map(|item| item.row).collect(),
            hints: vec![("type", "words"), ("Up/Down", "move"), ("Enter", "edit"), ("Esc", "back")],
            ..Page::default()
        }
    }

    pub(super) fn press(&mut self, press: &Press, model: &mut Model) -> Next {
        let items = self.items(&model.values);
        if matches!(press, Press::Up | Press::Down | Press::PageUp | Press::PageDown) {
            self.list.press(press, &items);
            return Next::Stay;
        }
        if *press == Press::Enter {
            return match self.list.target(&items) {
                Some((spec, key)) if key == spec.key && spec.is_family() => {
                    Next::Open(Screen::Family(Family::new(spec)))
                }
                Some((spec, key)) => Next::Open(Screen::Editor(Editor::new(&model.values, spec, key))),
                None => Next::Stay,
            };
        }
        if self.field.press(press) {
            self.list = List::default();
            return Next::Stay;
        }
        Next::Unused
    }
}
