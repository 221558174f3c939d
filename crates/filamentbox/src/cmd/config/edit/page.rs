//! What a screen shows, as plain text: made by the screens, drawn by `draw.rs`. Nothing secret is ever put into a page.

use ratatui::text::Span;

/// How much a line stands out. Nothing is said by colour alone.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum Tone {
    /// As usual.
    #[default]
    Plain,
    /// Above a group of rows.
    Heading,
    /// Needs a person.
    Warn,
    /// Chosen or typed, and not saved yet.
    Changed,
    /// It went well.
    Good,
    /// Of little interest.
    Dim,
}

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

/// The width of `text` on a terminal, in columns.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The beginning of `text` that fits into `columns`; `..` shows that there is more.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let dots = "..".get(..columns.min(2)).unwrap_or_default();
    let mut fitted = String::new();
    for c in text.chars() {
        fitted.push(c);
        if width(&fitted) + dots.len() > columns {
            fitted.pop();
            break;
        }
    }
    fitted + dots
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

/// `text` in lines of at most `columns`, divided at spaces where that is possible.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let needed = width(&line) + usize::from(!line.is_empty()) + width(word);
        if needed > columns && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if width(&line) + width(c.encode_utf8(&mut [0; 4])) > columns {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_the_columns_there_are() {
        for (text, columns, expected) in
            [("abc", 3, "abc"), ("abcd", 3, "a.."), ("abc", 1, "."), ("abc", 0, ""), ("20 °C!", 5, "20 ..")]
        {
            assert_eq!(fit(text, columns), expected, "{text} in {columns}");
        }
    }

    #[test]
    fn keys_are_cut_at_their_beginning() {
        for (key, columns, expected) in [("a.bc", 4, "a.bc"), ("aa.bcd", 5, "..bcd"), ("abcdef", 5, "abc..")] {
            assert_eq!(fit_key(key, columns), expected, "{key} in {columns}");
        }
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        for (text, columns, expected) in [
            ("", 5, vec![""]),
            ("one two", 7, vec!["one two"]),
            ("one two", 6, vec!["one", "two"]),
            ("abcdefgh ij", 3, vec!["abc", "def", "gh", "ij"]),
        ] {
            assert_eq!(wrap(text, columns), expected, "{text:?} in {columns}");
        }
    }
}
