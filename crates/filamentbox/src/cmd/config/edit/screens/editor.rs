//! One key: all that is known about it, and a line, a choice or a switch to change it.

use filamentbox_core::config::{KeySpec, Kind, Value};

use super::super::model::{Field, Item, List, Model, Next, Press, Values};
use super::super::page::{Input, Page, Row, Tone};
use super::section::about;
use crate::sinks;

/// See the module.
pub(in super::super) struct Editor {
    key: String,
    spec: &'static KeySpec,
    way: Way,
}

/// How the value is given.
enum Way {
    Typed { field: Field, is_revealed: bool },
    One { words: Vec<&'static str>, list: List },
    Many { words: Vec<&'static str>, chosen: Vec<String>, list: List, is_touched: bool },
}

impl Editor {
    pub(in super::super) fn new(values: &Values, spec: &'static KeySpec, key: &str) -> Self {
        let default = if spec.is_family() { "" } else { spec.default };
        let own = values.own(key).unwrap_or(default);
        let one = |words: &[&'static str]| {
            let at = match spec.parse(own) {
                Ok(Value::Text(word)) => words.iter().position(|known| *known == word),
                Ok(Value::Bool(is_on)) => Some(usize::from(!is_on)),
                _ => None,
            };
            Way::One { words: words.to_vec(), list: List::at(at.unwrap_or_default()) }
        };
        let way = match spec.kind {
            Kind::Bool => one(&["true", "false"]),
            Kind::Choice(words) => one(words),
            Kind::Choices(words) => {
                let chosen = match spec.parse(own) {
                    Ok(Value::List(chosen)) => chosen,
                    _ => Vec::new(),
                };
                let at = words.iter().position(|word| chosen.iter().any(|chosen| chosen == word));
                let list = List::at(at.unwrap_or_default());
                Way::Many { words: words.to_vec(), chosen, list, is_touched: false }
            }
            // What is stored of a secret is never shown, so it is typed anew.
            Kind::Secret => Way::Typed { field: Field::new(""), is_revealed: false },
            _ => Way::Typed { field: Field::new(own), is_revealed: true },
        };
        Self { key: key.to_owned(), spec, way }
    }

    /// Whether letters are text here.
    pub(super) fn is_typed(&self) -> bool {
        matches!(self.way, Way::Typed { .. })
    }

    pub(super) fn name(&self, _: &Model) -> String {
        self.key.rsplit('.').next().unwrap_or(&self.key).to_owned()
    }

    fn items(&self) -> Vec<Item<&'static str>> {
        let title = |word: &str| {
            let is_backend = self.spec.key == "database.type";
            if is_backend { sinks::find(word).map_or("", |kind| kind.title) } else { "" }
        };
        match &self.way {
            Way::Typed { .. } => Vec::new(),
            Way::One { words, .. } => words.iter().map(|word| Item::new(Row::new(*word, title(word)), *word)).collect(),
            Way::Many { words, chosen, .. } => {
                let mark = |word: &str| if chosen.iter().any(|chosen| chosen == word) { "[x]" } else { "[ ]" };
                let row = |word: &str| Row::new(format!("{} {word}", mark(word)), title(word));
                words.iter().map(|word| Item::new(row(word), *word)).collect()
            }
        }
    }

    pub(super) fn page(&self, model: &Model) -> Page {
        let items = self.items();
        let mut page =
            Page { detail: about(&model.values, self.spec, &self.key), is_detail_first: true, ..Page::default() };
        match &self.way {
            Way::Typed { field, is_revealed } => {
                page.input = Some(self.input(field, *is_revealed));
                page.hints = vec![("Enter", "accept"), ("Esc", "cancel")];
                if self.spec.is_secret() {
                    page.hints.push(("F2/Ctrl-R", if *is_revealed { "hide" } else { "show what is typed" }));
                }
                page.hints.extend([("Ctrl-U", "clear"), ("Ctrl-D", "default")]);
            }
            Way::One { list, .. } => {
                page.selected = list.selected(&items);
                page.hints = vec![("Up/Down", "choose"), ("Enter", "accept"), ("d", "default"), ("Esc", "cancel")];
            }
            Way::Many { list, .. } => {
                page.selected = list.selected(&items);
                page.hints = vec![("Space", "add or remove"), ("Enter", "accept"), ("d", "default"), ("Esc", "cancel")];
            }
        }
        page.rows = items.into_iter().map(|item| item.row).collect();
        page
    }

    fn input(&self, field: &Field, is_revealed: bool) -> Input {
        let unit = if self.spec.unit.is_empty() { String::new() } else { format!(" ({})", self.spec.unit) };
        let verdict = if self.spec.is_secret() && field.text().is_empty() {
            (Tone::Plain, "Empty: what is stored stays as it is. What is stored is never shown.".to_owned())
        } else if let Some(problem) = self.refusal(field) {
            (Tone::Warn, problem)
        } else if self.spec.required && field.text().is_empty() {
            (Tone::Plain, "Required, and still empty.".to_owned())
        } else {
            (Tone::Good, "Allowed; Enter accepts it.".to_owned())
        };
        let text = if is_revealed { field.text().to_owned() } else { "*".repeat(field.text().chars().count()) };
        Input { prompt: format!("New value{unit}: "), text, cursor: field.cursor(), verdict }
    }

    /// Why the text would not be accepted.
    fn refusal(&self, field: &Field) -> Option<String> {
        if self.spec.is_family() && field.text().is_empty() {
            return Some("a value is needed; Esc leaves it as it was, and x in the list deletes it".to_owned());
        }
        self.spec.parse(field.text()).err()
    }

    pub(super) fn press(&mut self, press: &Press, model: &mut Model) -> Next {
        let items = self.items();
        let takes_default = match self.way {
            Way::Typed { .. } => *press == Press::Ctrl('d'),
            _ => *press == Press::Char('d'),
        };
        if takes_default {
            model.values.unset(&self.key);
            return Next::Back;
        }
        if let Way::Typed { field, .. } = &self.way
            && *press == Press::Enter
        {
            return self.accept(field, model);
        }
        match (&mut self.way, press) {
            (_, Press::Esc) => Next::Back,
            (Way::Typed { is_revealed, .. }, Press::Function(2) | Press::Ctrl('r')) if self.spec.is_secret() => {
                *is_revealed = !*is_revealed;
                Next::Stay
            }
            (Way::Typed { field, .. }, press) => {
                if field.press(press) {
                    Next::Stay
                } else {
                    Next::Unused
                }
            }
            (Way::One { list, .. } | Way::Many { list, .. }, press) if is_move(press) => {
                list.press(press, &items);
                Next::Stay
            }
            (Way::One { list, .. }, Press::Enter | Press::Char(' ')) => {
                if let Some(word) = list.target(&items) {
                    model.values.set(&self.key, word);
                }
                Next::Accepted(self.key.clone())
            }
            (Way::Many { words, chosen, list, is_touched }, Press::Enter | Press::Char(' ')) => {
                let Some(word) = list.target(&items) else { return Next::Unused };
                let is_chosen = chosen.iter().any(|chosen| chosen == word);
                // Who goes to a word and presses Enter means that word.
                if *press == Press::Char(' ') || (!*is_touched && !is_chosen) {
                    toggle(chosen, word, words);
                    *is_touched = true;
                }
                if *press == Press::Char(' ') {
                    return Next::Stay;
                }
                model.values.set(&self.key, &chosen.join(","));
                Next::Accepted(self.key.clone())
            }
            _ => Next::Unused,
        }
    }

    /// Takes what was typed, if it is allowed.
    fn accept(&self, field: &Field, model: &mut Model) -> Next {
        if self.spec.is_secret() && field.text().is_empty() {
            return Next::Accepted(self.key.clone());
        }
        if self.refusal(field).is_some() {
            model.message = Some((Tone::Warn, "Not accepted: see above. Esc leaves it as it was.".to_owned()));
            return Next::Stay;
        }
        // Around anything but a free text, space is an accident.
        let is_free = matches!(self.spec.kind, Kind::Secret | Kind::Text { .. });
        model.values.set(&self.key, if is_free { field.text() } else { field.text().trim() });
        Next::Accepted(self.key.clone())
    }
}

fn is_move(press: &Press) -> bool {
    matches!(press, Press::Up | Press::Down | Press::Home | Press::End)
}

/// Adds or removes a word; `none` stands alone, and is what is left when nothing is chosen.
fn toggle(chosen: &mut Vec<String>, word: &str, words: &[&str]) {
    const NONE: &str = "none";
    let was_chosen = chosen.iter().any(|chosen| chosen == word);
    chosen.retain(|chosen| chosen != word && chosen != NONE && word != NONE);
    if !was_chosen {
        chosen.push(word.to_owned());
    }
    if chosen.is_empty() && words.contains(&NONE) {
        chosen.push(NONE.to_owned());
    }
    chosen.sort_by_key(|chosen| words.iter().position(|word| word == chosen));
}

#[cfg(test)]
mod tests {
    use super::toggle;

    #[test]
    fn none_stands_alone() {
        for (chosen, word, expected) in [
            ("none", "a", "a"),
            ("a", "none", "none"),
            ("a,b", "none", "none"),
            ("a", "a", "none"),
            ("none", "none", "none"),
            ("b", "a", "a,b"),
        ] {
            let mut list: Vec<String> = chosen.split(',').map(str::to_owned).collect();
            toggle(&mut list, word, &["none", "a", "b"]);
            assert_eq!(list.join(","), expected, "{chosen} and {word}");
        }
    }
}
