//! Text for a screen: how wide it is, how it is cut and divided, and how much it stands out.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

/// How much a line stands out. Nothing is said by colour alone.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(in crate::cmd) enum Tone {
    /// As usual.
    #[default]
    Plain,
    /// Above a group of rows.
    Heading,
    /// Needs a person.
    Warn,
    /// Is not as usual: typed and not saved yet, or on.
    Changed,
    /// It went well.
    Good,
    /// Of little interest.
    Dim,
}

impl Tone {
    /// How it looks.
    pub(in crate::cmd) fn style(self, has_colour: bool) -> Style {
        let (modifier, colour) = match self {
            Self::Plain => (Modifier::empty(), None),
            Self::Heading => (Modifier::BOLD, None),
            Self::Warn => (Modifier::BOLD, Some(Color::Red)),
            Self::Changed => (Modifier::BOLD, Some(Color::Yellow)),
            Self::Good => (Modifier::BOLD, Some(Color::Green)),
            Self::Dim => (Modifier::DIM, None),
        };
        let style = Style::new().add_modifier(modifier);
        match colour {
            Some(colour) if has_colour => style.fg(colour),
            _ => style,
        }
    }
}

/// The width of `text` on a terminal, in columns.
pub(in crate::cmd) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The beginning of `text` that fits into `columns`; `..` shows that there is more.
pub(in crate::cmd) fn fit(text: &str, columns: usize) -> String {
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

/// `text` in lines of at most `columns`, divided at spaces where that is possible.
pub(in crate::cmd) fn wrap(text: &str, columns: usize) -> Vec<String> {
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
