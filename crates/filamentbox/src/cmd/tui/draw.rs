//! Draws the model on the screen there is: from 20 columns and 6 lines on, with and without colour, in Unicode and in ASCII.
//!
//! From the top: title, what needs a person, readings, outputs, safety, curves, backends, events, a message, the keys. What needs a person comes
//! first when there is little room; with much, the curves grow and more events are seen. Nothing is said by colour alone.

mod curves;
mod rows;
#[cfg(test)]
mod tests;

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::model::Model;
use crate::cmd::screen::text::{Tone, fit, width, wrap};

/// Less cannot show anything useful.
const SMALLEST: (usize, usize) = (20, 6);
/// With fewer columns, such as a phone's 40, words are left out.
const NARROW: usize = 60;
/// With fewer lines there are no headings between the parts.
const LOW: usize = 20;
/// A message takes so many lines at most.
const MESSAGE_LINES: usize = 3;
/// A curve is at most so many lines high.
const CURVE_LINES: usize = 8;
/// So many backends are seen before the events get more room.
const BACKENDS_KEPT: usize = 3;

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) has_colour: bool,
    /// Characters beyond ASCII.
    pub(super) has_unicode: bool,
    /// Blocks of an eighth of a line; the console of Linux has no letters for them.
    pub(super) has_blocks: bool,
}

impl Look {
    /// As the environment says.
    pub(super) fn new(has_colour: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let term = variable("TERM").unwrap_or_default();
        // The first that is set decides (POSIX, "Internationalization Variables").
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        let is_old = ["vt", "linux"].iter().any(|start| term.starts_with(start));
        let has_unicode = (locale.contains("utf-8") || locale.contains("utf8")) && !term.starts_with("vt");
        Self { has_colour: has_colour && !term.starts_with("vt"), has_unicode, has_blocks: has_unicode && !is_old }
    }
}

/// A line: texts beside each other.
type Row = Vec<(String, Tone)>;

/// The lines of a part that are wanted in this order.
enum Part {
    Events,
    Backends,
    Curves,
    Heater,
}

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, now: Duration, look: Look) {
    let area = frame.area();
    let (columns, lines) = (usize::from(area.width), usize::from(area.height));
    let mut pen = Pen { frame, area, y: 0, look };
    if columns < SMALLEST.0 || lines < SMALLEST.1 {
        pen.row(&vec![("window too small".to_owned(), Tone::Plain)]);
        return;
    }
    let bar = Style::new().add_modifier(Modifier::REVERSED);
    pen.bar(&rows::title(model, columns), bar.add_modifier(Modifier::BOLD));
    let hints = rows::hints(model.place().is_some(), columns);
    let (tone, message) = model.message(now).unwrap_or((Tone::Plain, ""));
    let message = if message.is_empty() { Vec::new() } else { wrap(message, columns) };
    let message = &message[..message.len().min(MESSAGE_LINES)];
    let body = lines - (1 + hints.len() + message.len()).min(lines);
    for row in body_rows(model, now, look, (columns, body)) {
        pen.row(&row);
    }
    pen.y = area.height.saturating_sub(u16::try_from(hints.len() + message.len()).unwrap_or(0));
    for line in message {
        pen.row(&vec![(line.clone(), tone)]);
    }
    for line in hints {
        pen.bar(&line, bar);
    }
}

/// All between title and message, in at most `lines` lines.
fn body_rows(model: &Model, now: Duration, look: Look, (columns, lines): (usize, usize)) -> Vec<Row> {
    let is_roomy = columns >= NARROW && lines + 2 >= LOW;
    let mut attention = rows::attention(model, now, columns);
    // The state stays visible beside whatever needs a person.
    let kept = (lines / 2).max(1);
    if attention.len() > kept {
        attention.truncate(kept);
        if let Some(last) = attention.last_mut() {
            last.push((" ..".to_owned(), Tone::Warn));
        }
    }
    let mut all = attention;
    all.extend(rows::state(model, now, columns, is_roomy));
    all.truncate(lines);
    let mut left = lines - all.len();
    let (events, backends) = (rows::events(model, now, columns), rows::backends(model, columns));
    let has_curves = !model.trail.columns(1).is_empty() && model.trail.span() > 0.0;
    let mut sizes = Sizes::default();
    let there_are = (events.len(), backends.len(), has_curves);
    // A heading costs a line with the first line of its part.
    let heading = usize::from(is_roomy);
    let steps: [(Part, usize); 9] = [
        (Part::Events, 1),
        (Part::Backends, 1),
        (Part::Curves, 1),
        (Part::Backends, BACKENDS_KEPT),
        (Part::Events, 2),
        (Part::Heater, 1),
        (Part::Curves, 2),
        (Part::Events, 6),
        (Part::Backends, usize::MAX),
    ];
    for (part, wanted) in steps {
        sizes.grow(&part, wanted, &mut left, there_are, heading);
    }
    for (part, wanted) in
        [(Part::Curves, (2 + left / 6).min(CURVE_LINES)), (Part::Events, usize::MAX), (Part::Curves, CURVE_LINES)]
    {
        sizes.grow(&part, wanted, &mut left, there_are, heading);
    }
    let headed = |all: &mut Vec<Row>, name: String, shown: usize, part: Vec<Row>| {
        if shown > 0 && is_roomy {
            all.push(rows::heading(&name, columns));
        }
        all.extend(part.into_iter().take(shown));
    };
    let curves = curves::rows(&model.trail, columns, sizes.curves, sizes.heater > 0, look);
    headed(&mut all, format!("The last {}", rows::lasting(model.trail.span())), curves.len(), curves);
    headed(&mut all, "Backends".to_owned(), sizes.backends, backends);
    headed(&mut all, "Events".to_owned(), sizes.events, events);
    all
}

/// How many lines each part has; of the curves, each curve.
#[derive(Default)]
struct Sizes {
    events: usize,
    backends: usize,
    curves: usize,
    heater: usize,
}

impl Sizes {
    /// Lets a part have up to `wanted` lines, as far as there are such and as long as there is room.
    fn grow(
        &mut self,
        part: &Part,
        wanted: usize,
        left: &mut usize,
        (events, backends, has_curves): (usize, usize, bool),
        heading: usize,
    ) {
        let (has, wanted, cost) = match part {
            Part::Events => (&mut self.events, wanted.min(events), 1),
            Part::Backends => (&mut self.backends, wanted.min(backends), 1),
            Part::Curves => (&mut self.curves, if has_curves { wanted } else { 0 }, 2),
            Part::Heater => (&mut self.heater, wanted.min(self.curves), 1),
        };
        while *has < wanted {
            let needed = cost + if *has == 0 && !matches!(part, Part::Heater) { heading } else { 0 };
            if needed > *left {
                break;
            }
            *left -= needed;
            *has += 1;
        }
    }
}

struct Pen<'a, 'b> {
    frame: &'a mut Frame<'b>,
    area: Rect,
    /// The next line.
    y: u16,
    look: Look,
}

impl Pen<'_, '_> {
    fn put(&mut self, x: usize, text: &str, style: Style) {
        let room = usize::from(self.area.width).saturating_sub(x);
        if self.y < self.area.height && room > 0 {
            let text = if self.look.has_unicode { text.to_owned() } else { ascii(text) };
            let x = u16::try_from(x).unwrap_or(u16::MAX);
            self.frame.buffer_mut().set_stringn(x, self.y, text, room, style);
        }
    }

    fn row(&mut self, row: &Row) {
        let mut x = 0;
        for (text, tone) in row {
            self.put(x, text, tone.style(self.look.has_colour));
            x += width(text);
        }
        self.y += 1;
    }

    fn bar(&mut self, text: &str, style: Style) {
        let columns = usize::from(self.area.width);
        self.put(0, &" ".repeat(columns), style);
        self.put(0, &fit(text, columns), style);
        self.y += 1;
    }
}

/// The same in ASCII, never wider.
fn ascii(text: &str) -> String {
    let plain = |c: char| match c {
        '°' => None,
        '³' => Some('3'),
        'µ' => Some('u'),
        '\u{2010}'..='\u{2015}' | '─' => Some('-'),
        c if c.is_ascii() => Some(c),
        _ => Some('?'),
    };
    text.chars().filter_map(plain).collect()
}
