//! What a screen shows, as plain text: made by the screens, drawn by `draw.rs`. Nothing secret is ever put into a page.

pub(super) use crate::cmd::screen::text::{Tone, fit, width, wrap};

/// A line of a list.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) value: String,
    /// A word at the right end: "changed", "MISSING".
    pub(super) note: String,
    pub(super) tone: Tone,
}

impl Row {
    pub(super) fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), ..Self::default() }
    }

    pub(super) fn heading(text: impl Into<String>) -> Self {
        Self::new(text, "").tone(Tone::Heading)
    }

    pub(super) fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// A line in which a person types.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Input {
    pub(super) prompt: String,
    /// As it is shown: a secret is dots.
    pub(super) text: String,
    /// Characters before the cursor.
    pub(super) cursor: usize,
    /// What is wrong with it, or right.
    pub(super) verdict: (Tone, String),
}

/// All that is on the screen.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Page {
    pub(super) title: String,
    /// Changes that are not saved.
    pub(super) unsaved: usize,
    pub(super) input: Option<Input>,
    pub(super) rows: Vec<Row>,
    pub(super) selected: Option<usize>,
    /// Paragraphs about the selected row.
    pub(super) detail: Vec<String>,
    /// Lines of `detail` that are scrolled away.
    pub(super) scroll: usize,
    /// The detail matters more than the rows.
    pub(super) is_detail_first: bool,
    pub(super) message: Option<(Tone, String)>,
    /// Keys that work here, and what they do.
    pub(super) hints: Vec<(&'static str, &'static str)>,
}

/// The end of a dotted key that fits into `columns`: keys differ in their ends.
pub(super) fn fit_key(key: &str, columns: usize) -> String {
    if width(key) <= columns || !key.contains('.') {
        return fit(key, columns);
    }
    let mut rest = key.chars();
    while width(rest.as_str()) + 2 > columns && rest.next().is_some() {}
    format!("..{}", rest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_cut_at_their_beginning() {
        for (key, columns, expected) in [("a.bc", 4, "a.bc"), ("aa.bcd", 5, "..bcd"), ("abcdef", 5, "abc..")] {
            assert_eq!(fit_key(key, columns), expected, "{key} in {columns}");
        }
    }
}
