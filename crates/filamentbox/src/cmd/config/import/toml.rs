//! TOML, nested or with dotted keys: a table's names and the names in it, joined by dots, are a key. An array is a list.

use std::ops::Range;
use std::path::Path;

use anyhow::Result;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, Findings};

pub(in crate::cmd::config) fn read(path: &Path, text: &str) -> Findings {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut document = Document { path, text, found: Findings::default() };
    for error in errors {
        let message = error.message().to_owned();
        let problem = format!("{}: {message}", document.place(error.span()));
        document.found.problems.push(problem);
    }
    if document.found.problems.is_empty() {
        document.table("", table.get_ref());
    }
    document.found
}

/// Whether `x = WRITTEN` is read as `text`.
pub(in crate::cmd::config) fn is_read_as(written: &str, text: &str) -> bool {
    let document = format!("x = {written}");
    let found = read(Path::new(""), &document);
    found.problems.is_empty() && matches!(&found.entries[..], [entry] if entry.text == text)
}

struct Document<'a> {
    path: &'a Path,
    text: &'a str,
    found: Findings,
}

impl Document<'_> {
    /// `FILE:LINE` of what begins at `span`.
    fn place(&self, span: Option<Range<usize>>) -> String {
        let before = span.and_then(|span| self.text.get(..span.start));
        match before {
            Some(before) => format!("{}:{}", self.path.display(), before.matches('\n').count() + 1),
            None => self.path.display().to_string(),
        }
    }

    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table.iter() {
            let key =
                if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
            match value.get_ref() {
                DeValue::Table(inner) => self.table(&key, inner),
                _ => self.value(key, value),
            }
        }
    }

    fn value(&mut self, key: String, value: &Spanned<DeValue<'_>>) {
        let place = self.place(Some(value.span()));
        match text(value.get_ref()) {
            Ok(text) => self.found.entries.push(Entry { key, text, place }),
            Err(problem) => self.found.problems.push(format!("{place}: {key}: {problem}")),
        }
    }
}

/// A value as the text that a setting has.
fn text(value: &DeValue<'_>) -> Result<String, &'static str> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.to_string()),
        DeValue::Boolean(switch) => Ok(switch.to_string()),
        DeValue::Datetime(time) => Ok(time.to_string()),
        DeValue::Table(_) => Err("a table is not allowed in a list; allowed: texts"),
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| text(item.get_ref())).collect::<Result<_, _>>()?;
            if items.iter().any(|item| item.contains(',')) {
                return Err("a comma is not allowed in an item of a list");
            }
            Ok(items.join(","))
        }
    }
}
