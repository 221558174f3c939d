//! Draws a page on the screen there is: from 20 columns and 8 lines on, with and without colour.
//!
//! From the top: title, the line that is typed into, the rows, what is known about the selected one, a message, the keys that work.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::model::changes;
use super::page::{Input, Page, Row, Tone, fit, fit_key, width, wrap};

/// Less cannot show anything useful.
const SMALLEST: (u16, u16) = (20, 8);
/// With fewer columns, such as a phone's 40, some words are left out.
const NARROW: usize = 60;
/// A message or a verdict takes so many lines at most, the keys so many.
const MESSAGE_LINES: usize = 4;
const HINT_LINES: usize = 3;
/// Rows that stay visible beside a long text.
const ROWS_KEPT: usize = 4;
/// Between a row's columns, and before its name.
const GAP: usize = 2;

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, page: &Page, has_colour: bool) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        frame.buffer_mut().set_stringn(0, 0, "window too small", usize::from(area.width), Style::new());
        return;
    }
    let columns = usize::from(area.width);
    let mut pen = Pen { buffer: frame.buffer_mut(), area, y: 0, has_colour };
    pen.title(page);
    let hints = hint_lines(&page.hints, columns);
    let message: Vec<String> =
        page.message.iter().flat_map(|(_, text)| wrap(text, columns)).take(MESSAGE_LINES).collect();
    let foot = hints.len() + message.len();
    let body = usize::from(area.height).saturating_sub(1 + foot);
    let cursor = page.input.as_ref().map(|input| pen.input(input));
    let left = body.saturating_sub(usize::from(pen.y) - 1);
    pen.rows_and_detail(page, left);
    pen.y = area.height.saturating_sub(u16::try_from(foot).unwrap_or(0));
    let tone = page.message.as_ref().map_or(Tone::Plain, |(tone, _)| *tone);
    for line in message {
        pen.line(&line, tone);
    }
    for line in hints {
        pen.hints(&line);
    }
    if let Some(position) = cursor {
        frame.set_cursor_position(position);
    }
}

/// How many rows are shown, of so many lines for rows and detail.
fn rows_shown(page: &Page, detail: usize, lines: usize) -> usize {
    let rows = page.rows.len();
    if detail == 0 {
        return rows.min(lines);
    }
    let detail_kept = if page.is_detail_first {
        detail.min(lines.saturating_sub(rows.min(ROWS_KEPT) + 1))
    } else {
        detail.min(lines * 2 / 5)
    };
    rows.min(lines.saturating_sub(detail_kept + 1))
}

struct Pen<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    /// The next line.
    y: u16,
    has_colour: bool,
}

impl Pen<'_> {
    fn columns(&self) -> usize {
        usize::from(self.area.width)
    }

    fn style(&self, tone: Tone) -> Style {
        tone.style(self.has_colour)
    }

    fn put(&mut self, x: usize, text: &str, style: Style) {
        let room = self.columns().saturating_sub(x);
        if self.y < self.area.height && room > 0 {
            self.buffer.set_stringn(u16::try_from(x).unwrap_or(u16::MAX), self.y, text, room, style);
        }
    }

    fn line(&mut self, text: &str, tone: Tone) {
        let style = self.style(tone);
        self.put(0, text, style);
        self.y += 1;
    }

    fn title(&mut self, page: &Page) {
        let bar = Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
        let columns = self.columns();
        self.put(0, &" ".repeat(columns), bar);
        let state = match (page.unsaved, columns < NARROW) {
            (0, _) => String::new(),
            (count, true) => format!("{count} unsaved"),
            (count, false) => format!("{} not saved", changes(count)),
        };
        let room = columns.saturating_sub(width(&state) + 3);
        // The end of the path says where one is.
        let mut title = page.title.as_str();
        while width(title) > room
            && let Some((_, rest)) = title.split_once(" > ")
        {
            title = rest;
        }
        self.put(1, &fit(title, room), bar);
        self.put(columns.saturating_sub(width(&state) + 1), &state, bar);
        self.y += 1;
    }

    /// Draws the line that is typed into and what is to be said about it; returns the cursor's place.
    fn input(&mut self, input: &Input) -> (u16, u16) {
        let columns = self.columns();
        let bold = Style::new().add_modifier(Modifier::BOLD);
        self.put(0, &input.prompt, bold);
        let from = width(&input.prompt);
        let room = columns.saturating_sub(from + 1).max(1);
        let before: String = input.text.chars().take(input.cursor).collect();
        // So much of the beginning is left out that the cursor is seen.
        let mut skipped = 0;
        while width(&before.chars().skip(skipped).collect::<String>()) > room {
            skipped += 1;
        }
        let seen: String = input.text.chars().skip(skipped).collect();
        self.put(from, &seen, Style::new().add_modifier(Modifier::UNDERLINED));
        let x = from + width(&before.chars().skip(skipped).collect::<String>());
        let place = (u16::try_from(x.min(columns - 1)).unwrap_or(0), self.y);
        self.y += 1;
        for line in wrap(&input.verdict.1, columns).iter().take(MESSAGE_LINES) {
            self.line(line, input.verdict.0);
        }
        self.y += 1;
        place
    }

    fn rows_and_detail(&mut self, page: &Page, lines: usize) {
        let columns = self.columns();
        let detail: Vec<String> = page.detail.iter().flat_map(|paragraph| wrap(paragraph, columns)).collect();
        let shown = rows_shown(page, detail.len(), lines);
        let selected = page.selected.unwrap_or_default();
        let first = selected.saturating_sub(shown / 2).min(page.rows.len() - shown.min(page.rows.len()));
        let table = Table::of(&page.rows, columns);
        for (at, row) in page.rows.iter().enumerate().skip(first).take(shown) {
            self.row(row, &table, page.selected == Some(at));
        }
        if detail.is_empty() {
            return;
        }
        if shown > 0 {
            let place = if shown < page.rows.len() {
                format!(" {} of {} ", selected + 1, page.rows.len())
            } else {
                String::new()
            };
            let rule = format!("{}{place}{}", "-".repeat(3), "-".repeat(columns.saturating_sub(3 + place.len())));
            self.line(&rule, Tone::Dim);
        }
        let room = lines.saturating_sub(shown + usize::from(shown > 0));
        let scroll = page.scroll.min(detail.len().saturating_sub(room));
        let is_cut = scroll + room < detail.len();
        for (nth, line) in detail.iter().skip(scroll).take(room).enumerate() {
            if is_cut && nth + 1 == room {
                let more = if page.is_detail_first { "(PgDn: more)" } else { ".. (Enter: all of it)" };
                self.line(more, Tone::Dim);
            } else {
                self.line(line, if line.starts_with("! ") { Tone::Warn } else { Tone::Plain });
            }
        }
    }

    fn row(&mut self, row: &Row, table: &Table, is_selected: bool) {
        let columns = self.columns();
        let mut style = self.style(row.tone);
        if is_selected {
            style = style.add_modifier(Modifier::REVERSED);
            self.put(0, &" ".repeat(columns), style);
            self.put(0, ">", style);
        }
        let is_alone = row.value.is_empty() && row.note.is_empty();
        let name_room = if is_alone { columns - GAP } else { table.name };
        // A heading stands where no name does.
        let x = if row.tone == Tone::Heading { 1 } else { GAP };
        self.put(x, &fit_key(&row.name, name_room), style);
        if !is_alone {
            let at = GAP + table.name + GAP;
            let text = note(&row.note, columns);
            let note = width(text);
            let room = columns.saturating_sub(at + if note > 0 { note + GAP } else { 0 });
            self.put(at, &fit(&row.value, room), style);
            self.put(columns.saturating_sub(note), text, style);
        }
        self.y += 1;
    }

    fn hints(&mut self, line: &[(&str, &str)]) {
        let columns = self.columns();
        let bar = Style::new().add_modifier(Modifier::REVERSED);
        self.put(0, &" ".repeat(columns), bar);
        let mut x = 1;
        for (key, what) in line {
            self.put(x, key, bar.add_modifier(Modifier::BOLD));
            self.put(x + key.len() + 1, what, bar);
            x += key.len() + what.len() + 3;
        }
        self.y += 1;
    }
}

/// A row's last word, as there is room for it.
fn note(note: &str, columns: usize) -> &str {
    match note {
        _ if columns >= NARROW => note,
        "default" | "set" => "",
        "changed" => "*",
        "environment" => "env",
        other => other,
    }
}

/// The columns of the rows.
struct Table {
    name: usize,
}

impl Table {
    fn of(rows: &[Row], columns: usize) -> Self {
        let named = rows.iter().filter(|row| !row.value.is_empty() || !row.note.is_empty());
        let longest = named.map(|row| width(&row.name)).max().unwrap_or(0);
        Self { name: longest.min(columns / 2) }
    }
}

/// The keys in lines, a space before and two between.
fn hint_lines(hints: &[(&'static str, &'static str)], columns: usize) -> Vec<Vec<(&'static str, &'static str)>> {
    let mut lines = vec![Vec::new()];
    let mut used = 0;
    for hint in hints {
        let needed = hint.0.len() + hint.1.len() + 3;
        if used + needed > columns && used > 0 && lines.len() < HINT_LINES {
            lines.push(Vec::new());
            used = 0;
        }
        used += needed;
        if let Some(line) = lines.last_mut() {
            line.push(*hint);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    /// The page as it looks in a window of this size, and where the cursor is.
    fn screen(page: &Page, columns: u16, rows: u16) -> (String, u16) {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a screen");
        terminal.draw(|frame| draw(frame, page, true)).expect("drawn");
        let x = terminal.get_cursor_position().expect("a cursor").x;
        (terminal.backend().to_string(), x)
    }

    fn page() -> Page {
        let row = |n: usize| Row::new(format!("section.key_{n}"), "a value that is long").note("changed");
        Page {
            title: "Settings > Database > url".to_owned(),
            unsaved: 3,
            input: Some(Input {
                prompt: "New: ".to_owned(),
                text: "0123456789".repeat(9),
                cursor: 90,
                verdict: (Tone::Warn, "not allowed".to_owned()),
            }),
            rows: (0..40).map(row).collect(),
            selected: Some(33),
            detail: vec!["many words ".repeat(60)],
            message: Some((Tone::Good, "a message".to_owned())),
            hints: vec![("Enter", "edit"), ("Esc", "back"), ("q", "quit")],
            ..Page::default()
        }
    }

    #[test]
    fn what_matters_is_seen_in_every_window() {
        for (columns, rows) in [(200, 60), (80, 24), (40, 15), (25, 15)] {
            for is_detail_first in [true, false] {
                let (screen, x) = screen(&Page { is_detail_first, ..page() }, columns, rows);
                for word in ["url", "3 ", "789", "not allowed", ">", "_33", "a message", "Enter edit", "q quit"] {
                    assert!(screen.contains(word), "{word:?} in {columns}x{rows}:\n{screen}");
                }
                assert!(x < columns, "{x}");
            }
        }
    }

    #[test]
    fn no_window_is_too_small_to_say_so() {
        for (columns, rows) in [(1, 1), (5, 3), (19, 30), (30, 7), (20, 8)] {
            let (screen, _) = screen(&page(), columns, rows);
            assert!(screen.contains('w') || screen.contains("url"), "{columns}x{rows}:\n{screen}");
        }
    }

    #[test]
    fn a_long_text_is_scrolled_to_its_end_and_not_beyond() {
        let detail = (0..50).map(|n| format!("line {n}.")).collect();
        let mut page = Page { detail, is_detail_first: true, ..Page::default() };
        assert!(screen(&page, 40, 12).0.contains("PgDn"));
        page.scroll = 1000;
        let (end, _) = screen(&page, 40, 12);
        assert!(end.contains("line 49.") && !end.contains("PgDn"), "{end}");
    }
}
