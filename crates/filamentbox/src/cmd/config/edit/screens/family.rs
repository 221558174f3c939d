//! A family of keys such as the tags: names that a person makes up, each with a value.

use filamentbox_core::config::KeySpec;

use super::super::model::{Field, Item, List, Model, Next, Press, Values};
use super::super::page::{Input, Page, Row, Tone};
use super::section::{about, row};
use super::{Editor, Screen, hints};

/// See the module.
pub(in super::super) struct Family {
    spec: &'static KeySpec,
    list: List,
    naming: Option<Naming>,
}

/// A name that is being typed: of something new, or instead of another.
struct Naming {
    field: Field,
    instead_of: Option<String>,
}

enum Target {
    Member(String),
    Add,
}

impl Family {
    pub(super) fn new(spec: &'static KeySpec) -> Self {
        Self { spec, list: List::default(), naming: None }
    }

    /// Whether letters are text here.
    pub(super) fn is_naming(&self) -> bool {
        self.naming.is_some()
    }

    fn prefix(&self) -> &'static str {
        self.spec.key.trim_end_matches("NAME")
    }

    /// "tags", "grouping".
    fn title(&self) -> &'static str {
        self.prefix().trim_end_matches('.').rsplit('.').next().unwrap_or_default()
    }

    fn members(&self, values: &Values) -> Vec<String> {
        values.now.settings.family(self.prefix()).map(|(name, _)| name.to_owned()).collect()
    }

    fn items(&self, values: &Values) -> Vec<Item<Target>> {
        let member = |name: String| {
            let key = format!("{}{name}", self.prefix());
            let mut row = row(values, self.spec, &name);
            row.value = values.shown(&key);
            row.note = String::new();
            if values.is_pending(&key) {
                row = row.note("changed").tone(Tone::Changed);
            } else if let Some(source) = values.overruled_by(&key) {
                row = row.note(source.to_string());
            }
            Item::new(row, Target::Member(name))
        };
        let mut items: Vec<_> = self.members(values).into_iter().map(member).collect();
        items.push(Item::new(Row::new("+ add", ""), Target::Add));
        items
    }

    pub(super) fn name(&self, _: &Model) -> String {
        self.title().to_owned()
    }

    pub(super) fn page(&self, model: &Model) -> Page {
        let items = self.items(&model.values);
        let mut page = Page { selected: self.list.selected(&items), ..Page::default() };
        if let Some(naming) = &self.naming {
            let verdict = self.verdict(naming, &model.values);
            let prompt = if naming.instead_of.is_some() { "New name: " } else { "Name: " };
            page.input = Some(Input {
                prompt: prompt.to_owned(),
                text: naming.field.text().to_owned(),
                cursor: naming.field.cursor(),
                verdict: verdict.map_or((Tone::Good, "This is allowed.".to_owned()), |problem| (Tone::Warn, problem)),
            });
            page.selected = None;
            page.detail = vec![self.spec.doc.to_owned()];
            page.hints = vec![("Enter", "accept"), ("Esc", "cancel")];
        } else {
            let add = ("a", "add");
            match self.list.target(&items) {
                Some(Target::Member(name)) => {
                    page.detail = about(&model.values, self.spec, &format!("{}{name}", self.prefix()));
                    page.hints = hints(&[("Enter", "value"), add, ("n", "rename"), ("x", "delete"), ("Esc", "back")]);
                }
                _ => {
                    page.detail = vec![self.spec.doc.to_owned()];
                    page.hints = hints(&[("Enter", "add"), ("Esc", "back")]);
                }
            }
        }
        page.rows = items.into_iter().map(|item| item.row).collect();
        page
    }

    /// What is wrong with the name.
    fn verdict(&self, naming: &Naming, values: &Values) -> Option<String> {
        let name = naming.field.text();
        if !self.spec.describes(&format!("{}{name}", self.prefix())) {
            return Some("allowed: 1 to 64 bytes without control characters".to_owned());
        }
        let is_new = naming.instead_of.as_deref() != Some(name);
        (is_new && self.members(values).iter().any(|member| member == name)).then(|| format!("{name} is there already"))
    }

    pub(super) fn press(&mut self, press: &Press, model: &mut Model) -> Next {
        if let Some(mut naming) = self.naming.take() {
            return match press {
                Press::Esc => Next::Stay,
                Press::Enter if self.verdict(&naming, &model.values).is_none() => self.named(&naming, model),
                press => {
                    let is_used = naming.field.press(press);
                    self.naming = Some(naming);
                    if is_used || *press == Press::Enter { Next::Stay } else { Next::Unused }
                }
            };
        }
        let items = self.items(&model.values);
        if self.list.press(press, &items) {
            return Next::Stay;
        }
        let name = |field: &str, instead_of| Some(Naming { field: Field::new(field), instead_of });
        match (press, self.list.target(&items)) {
            (Press::Char('a' | '+'), _) | (Press::Enter, Some(Target::Add)) => self.naming = name("", None),
            (Press::Enter | Press::Right, Some(Target::Member(member))) => {
                return Next::Open(Screen::Editor(Editor::new(&model.values, self.spec, &self.key(member))));
            }
            (Press::Char('n' | 'x' | 'd') | Press::Delete, Some(Target::Member(member))) => {
                let key = self.key(member);
                if model.values.overruled_by(&key).is_some() && model.values.own(&key).is_none() {
                    let why = "It is set in the environment, not here: change it there.";
                    model.message = Some((Tone::Warn, why.to_owned()));
                } else if *press == Press::Char('n') {
                    self.naming = name(member, Some(member.clone()));
                } else {
                    model.values.unset(&key);
                }
            }
            (Press::Left, _) => return Next::Back,
            _ => return Next::Unused,
        }
        Next::Stay
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    /// A name was accepted: of something new its value is asked next.
    fn named(&mut self, naming: &Naming, model: &mut Model) -> Next {
        let key = self.key(naming.field.text());
        if let Some(old) = &naming.instead_of {
            if old != naming.field.text() {
                model.values.rename(&self.key(old), &key);
            }
            return Next::Stay;
        }
        Next::Open(Screen::Editor(Editor::new(&model.values, self.spec, &key)))
    }
}
