//! The first screen: the sections and how they stand.

use super::super::model::{Item, List, Model, Next, Press, SECTIONS, Section};
use super::super::page::{Page, Row, Tone};
use super::{Attention, Screen, SectionScreen, hints};

/// See the module.
#[derive(Default)]
pub(in super::super) struct Home {
    list: List,
}

enum Target {
    Attention,
    Section(&'static Section),
    Review,
}

impl Home {
    fn items(model: &Model) -> Vec<Item<Target>> {
        let values = &model.values;
        let mut items = Vec::new();
        let invalid = values.invalid().len();
        if invalid > 0 {
            let row = Row::new("Needs attention", format!("{invalid} stored setting(s) not allowed"));
            items.push(Item::new(row.note("FIX").tone(Tone::Warn), Target::Attention));
        }
        for section in SECTIONS.iter().filter(|section| !section.specs(values).is_empty()) {
            let row = Row::new(section.title, (section.state)(values, section));
            let is_wrong = values.problems().any(|problem| problem.key.split(", ").any(|key| section.holds(key)));
            let lacks = section.specs(values).into_iter().any(|spec| values.is_missing(spec));
            let row = if lacks {
                row.note("INCOMPLETE").tone(Tone::Warn)
            } else if is_wrong {
                row.note("PROBLEM").tone(Tone::Warn)
            } else if values.changed().any(|key| section.holds(key)) {
                row.note("changed").tone(Tone::Changed)
            } else {
                row
            };
            items.push(Item::new(row, Target::Section(section)));
        }
        let count = values.count();
        if count > 0 {
            let row = Row::new("Review and save", super::super::model::changes(count)).tone(Tone::Changed);
            items.extend([Item::inert(Row::default()), Item::new(row, Target::Review)]);
        }
        items
    }

    pub(super) fn name(&self, _: &Model) -> String {
        "FilamentBox settings".to_owned()
    }

    pub(super) fn page(&self, model: &Model) -> Page {
        let items = Self::items(model);
        let detail = match self.list.target(&items) {
            Some(Target::Attention) => {
                "The store holds settings that are not allowed, and the daemon does not start with them. Enter shows each of them and how to mend it."
            }
            Some(Target::Section(section)) => section.doc,
            Some(Target::Review) => "Enter shows what would be saved. Until then nothing is changed.",
            None => "",
        };
        Page {
            selected: self.list.selected(&items),
            rows: items.into_iter().map(|item| item.row).collect(),
            detail: vec![detail.to_owned()],
            hints: hints(&[("Up/Down", "move"), ("Enter", "open")]),
            ..Page::default()
        }
    }

    pub(super) fn press(&mut self, press: &Press, model: &mut Model) -> Next {
        let items = Self::items(model);
        if self.list.press(press, &items) {
            return Next::Stay;
        }
        match (press, self.list.target(&items)) {
            (Press::Enter | Press::Right, Some(target)) => match target {
                Target::Attention => Next::Open(Screen::Attention(Attention::default())),
                Target::Section(section) => Next::Open(Screen::Section(SectionScreen::new(section))),
                Target::Review => Next::Open(Screen::Review(super::Review::new(&model.values))),
            },
            _ => Next::Unused,
        }
    }
}
