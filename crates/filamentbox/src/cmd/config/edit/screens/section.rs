//! One section: its keys with their values. For the databases: only those of the chosen ones, and a test of the connection.

use filamentbox_core::config::{ConfigError, KeySpec, Kind, Source, Standing, Value};

use super::super::model::{Item, List, Model, Next, Press, Section, Values};
use super::super::page::{Page, Row, Tone};
use super::testing::test;
use super::{Editor, Family, Screen, hints};
use crate::settings::variable_name;
use crate::sinks;

/// See the module.
pub(in super::super) struct SectionScreen {
    section: &'static Section,
    list: List,
}

#[derive(Clone, Copy)]
enum Target {
    Key(&'static KeySpec),
    Family(&'static KeySpec),
    Test,
}

impl SectionScreen {
    pub(in super::super) fn new(section: &'static Section) -> Self {
        Self { section, list: List::default() }
    }

    fn is_database(&self) -> bool {
        self.section.holds("database.type")
    }

    fn items(&self, values: &Values) -> Vec<Item<Target>> {
        let mut items = Vec::new();
        let mut group = "";
        for spec in self.section.specs(values) {
            let this = spec.key.split('.').nth(1).filter(|_| spec.key.split('.').count() > 2 && self.is_database());
            if let Some(this) = this.filter(|this| *this != group) {
                group = this;
                let title = sinks::find(this).map_or(this, |kind| kind.title);
                items.extend([Item::inert(Row::default()), Item::inert(Row::heading(title))]);
            }
            let name = self.section.short(spec.key);
            items.push(if spec.is_family() {
                Item::new(family_row(values, spec, name), Target::Family(spec))
            } else {
                Item::new(row(values, spec, name), Target::Key(spec))
            });
        }
        if !group.is_empty() {
            let row = Row::new("Test the connection", "is it reachable, does it let us write?");
            items.extend([Item::inert(Row::default()), Item::new(row, Target::Test)]);
        }
        items
    }

    pub(super) fn name(&self, _: &Model) -> String {
        self.section.title.to_owned()
    }

    pub(super) fn page(&self, model: &Model) -> Page {
        let items = self.items(&model.values);
        let target = self.list.target(&items).copied();
        let test_hint: &[_] = if self.is_database() { &[("t", "test")] } else { &[] };
        let own: &[_] = match target {
            Some(Target::Key(spec)) if matches!(spec.kind, Kind::Bool) => {
                &[("Enter", "edit"), ("Space", "switch"), ("d", "default"), ("Esc", "back")]
            }
            Some(Target::Key(_)) => &[("Enter", "edit"), ("d", "default"), ("Esc", "back")],
            _ => &[("Enter", "open"), ("Esc", "back")],
        };
        Page {
            selected: self.list.selected(&items),
            rows: items.into_iter().map(|item| item.row).collect(),
            detail: match target {
                Some(Target::Key(spec) | Target::Family(spec)) => about(&model.values, spec, spec.key),
                Some(Target::Test) => vec![
                    "Asks each chosen database with the values shown here, saved or not. Nothing is stored there."
                        .to_owned(),
                ],
                None => Vec::new(),
            },
            hints: hints(&[own, test_hint].concat()),
            ..Page::default()
        }
    }

    pub(super) fn press(&mut self, press: &Press, model: &mut Model) -> Next {
        let items = self.items(&model.values);
        if self.list.press(press, &items) {
            return Next::Stay;
        }
        let target = self.list.target(&items).copied();
        match (press, target) {
            (Press::Enter | Press::Right, Some(Target::Key(spec))) => {
                Next::Open(Screen::Editor(Editor::new(&model.values, spec, spec.key)))
            }
            (Press::Enter | Press::Right, Some(Target::Family(spec))) => Next::Open(Screen::Family(Family::new(spec))),
            (Press::Enter | Press::Right, Some(Target::Test)) => test(model),
            (Press::Char('t'), _) if self.is_database() => test(model),
            (Press::Char(' '), Some(Target::Key(spec))) if matches!(spec.kind, Kind::Bool) => {
                let is_on = spec.parse(model.values.own(spec.key).unwrap_or(spec.default)) == Ok(Value::Bool(true));
                model.values.set(spec.key, if is_on { "false" } else { "true" });
                Next::Stay
            }
            (Press::Char('d'), Some(Target::Key(spec))) => {
                model.values.unset(spec.key);
                Next::Stay
            }
            (Press::Left, _) => Next::Back,
            _ => Next::Unused,
        }
    }

    /// After `key` was filled in: on to the next thing that a chosen database needs, and at last to its test.
    pub(in super::super) fn advance(&mut self, key: &str, values: &Values) {
        let items = self.items(values);
        let is_missing = |target: &Target| matches!(target, Target::Key(spec) if values.is_missing(spec));
        let was_required = values.registry.find(key).is_some_and(|spec| spec.required);
        if key == "database.type" {
            // To the first of a database that was not there before.
            let is_new = |target: &Target| match target {
                Target::Key(spec) => spec
                    .key
                    .rsplit_once('.')
                    .is_some_and(|(group, _)| group.contains('.') && !values.has_own(&format!("{group}."))),
                _ => false,
            };
            self.list.select(&items, is_new);
        } else if items.iter().any(|item| item.target.as_ref().is_some_and(is_missing)) {
            self.list.select(&items, is_missing);
        } else if was_required {
            self.list.select(&items, |target| matches!(target, Target::Test));
        }
    }
}

/// A key's row.
pub(super) fn row(values: &Values, spec: &KeySpec, name: &str) -> Row {
    let row = Row::new(name, values.shown(spec.key));
    let is_refused = values.own(spec.key).is_some_and(|text| spec.parse(text).is_err());
    if is_refused && values.overruled_by(spec.key).is_none() {
        row.note("NOT ALLOWED").tone(Tone::Warn)
    } else if values.is_missing(spec) {
        row.note("MISSING").tone(Tone::Warn)
    } else if values.problems().any(|problem| problem.key.split(", ").any(|key| key == spec.key)) {
        row.note("PROBLEM").tone(Tone::Warn)
    } else if values.is_pending(spec.key) {
        row.note("changed").tone(Tone::Changed)
    } else if let Some(source) = values.overruled_by(spec.key) {
        row.note(source.to_string())
    } else if spec.standing == Standing::Reserved {
        row.note("no effect yet").tone(Tone::Dim)
    } else if values.stored(spec.key).is_some() {
        row.note("set")
    } else {
        row.note("default")
    }
}

fn family_row(values: &Values, spec: &KeySpec, name: &str) -> Row {
    let prefix = spec.key.trim_end_matches("NAME");
    let members: Vec<&str> = values.now.settings.family(prefix).map(|(name, _)| name).collect();
    let text = if members.is_empty() { "none; Enter adds one".to_owned() } else { members.join(", ") };
    let row = Row::new(name.trim_end_matches(".NAME"), text);
    if values.changed().any(|key| key.starts_with(prefix)) { row.note("changed").tone(Tone::Changed) } else { row }
}

/// All about a key.
pub(super) fn about(values: &Values, spec: &KeySpec, key: &str) -> Vec<String> {
    let is_about_it = |problem: &&ConfigError| problem.key.split(", ").any(|named| named == key);
    let mut about: Vec<String> = if values.is_missing(spec) {
        vec!["! Required, and still empty.".to_owned()]
    } else {
        values.problems().filter(is_about_it).map(|problem| format!("! {}", problem.problem)).collect()
    };
    let elsewhere = |(source, problem): &&(Source, ConfigError)| *source != Source::Store && problem.key == key;
    let elsewhere = values.now.refused.iter().filter(elsewhere);
    about.extend(
        elsewhere.map(|(source, _)| format!("! It is set by {}, and is mended there.", where_set(*source, key))),
    );
    if let Some(source) = values.overruled_by(key) {
        let own = values.own(key).map_or(String::new(), |text| format!(" Saved here: {}.", values.as_shown(key, text)));
        about.push(format!(
            "! {} is set by {}, which comes before what is saved here.{own}",
            values.shown(key),
            where_set(source, key)
        ));
    }
    about.push(format!("{key}: {}", spec.doc));
    about.push(format!("Allowed: {}", spec.allowed()));
    if !spec.is_family() {
        let default = if spec.default.is_empty() { "(empty)".to_owned() } else { values.as_shown(key, spec.default) };
        let now = match values.setting(key).map_or(Source::Default, |setting| setting.source) {
            _ if values.is_pending(key) => String::new(),
            Source::Default => ". Now: the default".to_owned(),
            Source::Store => format!(". Now: {} (saved)", values.shown(key)),
            source => format!(". Now: {} ({source})", values.shown(key)),
        };
        about.push(format!("Default: {default}{now}"));
    }
    if spec.at_start {
        about.push("A running daemon takes a change of it at its next start.".to_owned());
    }
    if values.is_pending(key) {
        let (old, new) = values.old_and_new(key);
        about.push(format!("Not saved yet: {old} -> {new}"));
    }
    about
}

fn where_set(source: Source, key: &str) -> String {
    match source {
        Source::Environment => {
            format!("{} in the environment of this program (the daemon's may be another)", variable_name(key))
        }
        Source::Vault => "Vault".to_owned(),
        other => other.to_string(),
    }
}
