//! The test of the connection: what the databases answer to the values as they are here.

use super::super::model::{Model, Next, Press};
use super::super::page::{Page, Row, Tone};

/// What one database answered.
pub(in super::super) struct TestLine {
    pub(in super::super) name: &'static str,
    pub(in super::super) is_good: bool,
    pub(in super::super) text: String,
}

/// See the module.
pub(in super::super) enum Testing {
    Running,
    Done(Result<Vec<TestLine>, String>),
}

/// Begins the test, or says what keeps it from beginning.
pub(super) fn test(model: &mut Model) -> Next {
    let values = &model.values;
    if !values.now.settings.list("database.type").iter().any(|name| name != "none") {
        model.message = Some((Tone::Warn, "No database is chosen: set type first.".to_owned()));
        return Next::Stay;
    }
    let missing: Vec<&str> =
        values.registry.specs().iter().filter(|spec| values.is_missing(spec)).map(|spec| spec.key).collect();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|key| key.rsplit('.').next().unwrap_or(key)).collect();
        model.message = Some((Tone::Warn, format!("Not yet: fill in {} first.", names.join(", "))));
        return Next::Stay;
    }
    match &model.values.now.loaded {
        Some(_) => Next::Test,
        None => {
            let first = values.now.problems.first().map_or_else(String::new, ToString::to_string);
            model.message = Some((Tone::Warn, format!("Not yet: mend this first: {first}")));
            Next::Stay
        }
    }
}

impl Testing {
    pub(super) fn name(&self, _: &Model) -> String {
        "Test".to_owned()
    }

    pub(super) fn page(&self, _: &Model) -> Page {
        let mut page = Page { is_detail_first: true, ..Page::default() };
        match self {
            Self::Running => {
                page.detail = vec!["Asking; this takes up to 15 seconds ...".to_owned()];
                page.hints = vec![("Esc", "do not wait")];
            }
            Self::Done(Err(why)) => {
                page.message = Some((Tone::Warn, format!("The test could not be made: {why}")));
                page.hints = vec![("t", "again"), ("Esc", "back")];
            }
            Self::Done(Ok(lines)) => {
                let row = |line: &TestLine| {
                    let (word, tone) = if line.is_good { ("ok", Tone::Good) } else { ("FAILED", Tone::Warn) };
                    Row::new(line.name, word).tone(tone)
                };
                page.rows = lines.iter().map(row).collect();
                page.detail = lines.iter().map(|line| format!("{}: {}", line.name, line.text)).collect();
                page.message = Some(if lines.iter().all(|line| line.is_good) {
                    (Tone::Good, "It works. Press s to review and save.".to_owned())
                } else {
                    (Tone::Warn, "It does not work yet: see above. Esc goes back to the values.".to_owned())
                });
                page.hints = vec![("t", "again"), ("s", "save"), ("Esc", "back")];
            }
        }
        page
    }

    pub(super) fn press(&mut self, press: &Press, model: &mut Model) -> Next {
        match (press, &self) {
            (Press::Char('t') | Press::Enter, Self::Done(_)) => test(model),
            (Press::Left, _) => Next::Back,
            _ => Next::Unused,
        }
    }
}
