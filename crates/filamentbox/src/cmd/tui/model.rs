//! The screen without a terminal and without a daemon: keys and reports come in, actions come out. It asks no clock: `now` is the time since the
//! program began.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use filamentbox_core::command::OutputKind;

use super::state::{Entry, Output, Picture};
use super::trail::{Dot, Trail};
use crate::cmd::screen::text::Tone;

/// A message that needs nobody is shown so long; any other until the next key.
const MESSAGE_TIME: Duration = Duration::from_secs(20);

/// What a person wishes for an output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Order {
    pub(super) r#box: String,
    pub(super) output: OutputKind,
    /// On, off, or as its controller decides.
    pub(super) state: Option<bool>,
}

/// What the terminal's side has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Show the picture.
    None,
    /// Tell the daemon.
    Order(Order),
    /// Ask the daemon for everything anew, about this box.
    Refresh(String),
    /// Draw everything anew.
    Redraw,
    /// Let the shell have the terminal for a while.
    Suspend,
    /// End.
    Quit,
}

/// What the daemon's side tells.
#[derive(Debug)]
pub(super) enum Report {
    /// How a box is.
    Picture(Box<Picture>),
    /// The event log, newest first.
    Events(Vec<Entry>),
    /// What was measured in a box before, oldest first.
    History(String, Vec<Dot>),
    /// What became of an order.
    Answer(Order, Result<Output, String>),
    /// No picture can be had, and why.
    Away(String),
}

/// A picture, and when it came.
pub(super) struct Seen {
    pub(super) picture: Picture,
    pub(super) at: Duration,
}

struct Message {
    tone: Tone,
    text: String,
    since: Duration,
}

/// The screen.
#[derive(Default)]
pub(super) struct Model {
    /// Name of the machine.
    pub(super) host: String,
    /// The box that is looked at.
    pub(super) box_name: String,
    boxes: Vec<String>,
    /// The last picture of that box.
    pub(super) seen: Option<Seen>,
    /// Since when there is no picture, and why.
    pub(super) away: Option<(Duration, String)>,
    pub(super) events: Vec<Entry>,
    pub(super) trail: Trail,
    message: Option<Message>,
}

impl Model {
    /// With the first picture.
    pub(super) fn new(host: String, picture: Picture) -> Self {
        let mut model = Self { host, box_name: picture.r#box.clone(), ..Self::default() };
        model.take(picture, Duration::ZERO);
        model
    }

    /// Takes a key.
    pub(super) fn press(&mut self, key: KeyEvent, now: Duration) -> Action {
        self.message = None;
        let has_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if key.modifiers.contains(KeyModifiers::ALT) {
            return self.help(now);
        }
        match key.code {
            KeyCode::Char('c' | 'q') if has_control => Action::Quit,
            KeyCode::Char('l') if has_control => Action::Redraw,
            KeyCode::Char('z') if has_control => Action::Suspend,
            // Many terminals send for Ctrl-H what they send for the backspace key.
            KeyCode::Char('h' | 'H') if has_control => self.order(OutputKind::Heater, None, now),
            KeyCode::Backspace => self.order(OutputKind::Heater, None, now),
            KeyCode::Char('f' | 'F') if has_control => self.order(OutputKind::Fan, None, now),
            KeyCode::Char(_) if has_control => self.help(now),
            KeyCode::Char('H') => self.order(OutputKind::Heater, Some(true), now),
            KeyCode::Char('h') => self.order(OutputKind::Heater, Some(false), now),
            KeyCode::Char('F') => self.order(OutputKind::Fan, Some(true), now),
            KeyCode::Char('f') => self.order(OutputKind::Fan, Some(false), now),
            KeyCode::Char('r' | 'R') => {
                self.say(Tone::Dim, "asking for everything anew", now);
                Action::Refresh(self.box_name.clone())
            }
            KeyCode::Char('q' | 'Q') => Action::Quit,
            KeyCode::Tab => self.turn(1, now),
            KeyCode::BackTab => self.turn(self.boxes.len().saturating_sub(1), now),
            _ => self.help(now),
        }
    }

    /// What was pasted is text, and no key.
    pub(super) fn pasted(&mut self, now: Duration) {
        self.say(Tone::Plain, "pasted text is not taken for keys", now);
    }

    fn help(&mut self, now: Duration) -> Action {
        let text = "keys: H heater on, h off, Ctrl-H (or Backspace) automatic; F fan on, f off, Ctrl-F automatic; R asks anew; Tab another \
                    box; Q or Ctrl-C quits";
        self.say(Tone::Plain, text, now);
        Action::None
    }

    fn order(&mut self, output: OutputKind, state: Option<bool>, now: Duration) -> Action {
        self.say(Tone::Dim, format!("{} {}: asking ..", output.name(), wish(state)), now);
        Action::Order(Order { r#box: self.box_name.clone(), output, state })
    }

    /// Turns to the box that is `steps` further.
    fn turn(&mut self, steps: usize, now: Duration) -> Action {
        if self.boxes.len() < 2 {
            self.say(Tone::Plain, "there is only this box", now);
            return Action::None;
        }
        let at = self.boxes.iter().position(|name| *name == self.box_name).unwrap_or_default();
        self.box_name.clone_from(&self.boxes[(at + steps) % self.boxes.len()]);
        // Nothing of one box may be taken for another's.
        self.seen = None;
        self.trail = Trail::default();
        Action::Refresh(self.box_name.clone())
    }

    /// Takes what the daemon's side tells.
    pub(super) fn report(&mut self, report: Report, now: Duration) {
        match report {
            Report::Picture(picture) if picture.r#box == self.box_name => self.take(*picture, now),
            Report::History(name, dots) if name == self.box_name => {
                self.trail = Trail::default();
                dots.into_iter().for_each(|dot| self.trail.push(dot));
            }
            // Of the box that was looked at before.
            Report::Picture(_) | Report::History(..) => {}
            Report::Events(events) => self.events = events,
            Report::Answer(order, answer) => self.answered(&order, answer, now),
            Report::Away(why) => {
                let since = self.away.take().map_or(now, |(since, _)| since);
                self.away = Some((since, why));
            }
        }
    }

    fn take(&mut self, picture: Picture, now: Duration) {
        let sensor = &picture.sensor;
        if let (Some(at), Some(temperature_c), Some(humidity_pct)) =
            (sensor.timestamp, sensor.temperature_c, sensor.humidity)
        {
            let heater_on = f64::from(u8::from(picture.controls.heater.on));
            self.trail.push(Dot { at, temperature_c, humidity_pct, heater_on });
        }
        if self.away.take().is_some() {
            self.say(Tone::Good, "the daemon answers again", now);
        }
        self.boxes.clone_from(&picture.boxes);
        self.seen = Some(Seen { picture, at: now });
    }

    fn answered(&mut self, order: &Order, answer: Result<Output, String>, now: Duration) {
        let name = match self.boxes.len() {
            0 | 1 => order.output.name().to_owned(),
            _ => format!("{} of {}", order.output.name(), order.r#box),
        };
        let asked = wish(order.state);
        match answer {
            Ok(is) if order.state.is_some_and(|wanted| wanted != is.on) => {
                let state = if is.on { "still ON" } else { "NOT ON" };
                self.say(Tone::Warn, format!("{name} {state}: {}", is.reason), now);
            }
            Ok(is) => {
                let until =
                    is.until.map_or(String::new(), |until| format!(" until {}", super::super::status::moment(until)));
                let state = if is.on { "ON" } else { "off" };
                let text = format!("{name} {asked}{until}; it is {state}: {}", is.reason);
                self.say(Tone::Good, text, now);
            }
            Err(why) => self.say(Tone::Warn, format!("{name} {asked} is refused: {why}"), now),
        }
    }

    fn say(&mut self, tone: Tone, text: impl Into<String>, now: Duration) {
        self.message = Some(Message { tone, text: text.into(), since: now });
    }

    /// The message to be shown.
    pub(super) fn message(&self, now: Duration) -> Option<(Tone, &str)> {
        let message = self.message.as_ref()?;
        let is_over = message.tone != Tone::Warn && now.saturating_sub(message.since) > MESSAGE_TIME;
        (!is_over).then_some((message.tone, message.text.as_str()))
    }

    /// Which box it is of how many, counted from 1; `None` when there is one.
    pub(super) fn place(&self) -> Option<(usize, usize)> {
        let at = self.boxes.iter().position(|name| *name == self.box_name)?;
        (self.boxes.len() > 1).then_some((at + 1, self.boxes.len()))
    }
}

fn wish(state: Option<bool>) -> &'static str {
    match state {
        Some(true) => "ON",
        Some(false) => "off",
        None => "automatic",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(5);

    fn model(boxes: &[&str]) -> Model {
        let names = boxes.iter().map(|name| (*name).to_owned()).collect();
        Model::new("pi".to_owned(), Picture { r#box: "main".to_owned(), boxes: names, ..Picture::default() })
    }

    fn key(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    fn order(output: OutputKind, state: Option<bool>) -> Action {
        Action::Order(Order { r#box: "main".to_owned(), output, state })
    }

    #[test]
    fn the_keys_are_those_of_the_contract() {
        const NONE: KeyModifiers = KeyModifiers::NONE;
        const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
        const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
        let (heater, fan) = (OutputKind::Heater, OutputKind::Fan);
        for (code, modifiers, expected) in [
            (KeyCode::Char('H'), SHIFT, order(heater, Some(true))),
            (KeyCode::Char('H'), NONE, order(heater, Some(true))),
            (KeyCode::Char('h'), NONE, order(heater, Some(false))),
            (KeyCode::Char('h'), CONTROL, order(heater, None)),
            (KeyCode::Backspace, NONE, order(heater, None)),
            (KeyCode::Char('F'), SHIFT, order(fan, Some(true))),
            (KeyCode::Char('f'), NONE, order(fan, Some(false))),
            (KeyCode::Char('f'), CONTROL, order(fan, None)),
            (KeyCode::Char('R'), SHIFT, Action::Refresh("main".to_owned())),
            (KeyCode::Char('r'), NONE, Action::Refresh("main".to_owned())),
            (KeyCode::Char('Q'), SHIFT, Action::Quit),
            (KeyCode::Char('q'), NONE, Action::Quit),
            (KeyCode::Char('c'), CONTROL, Action::Quit),
            (KeyCode::Char('l'), CONTROL, Action::Redraw),
            (KeyCode::Char('z'), CONTROL, Action::Suspend),
        ] {
            assert_eq!(model(&["main"]).press(key(code, modifiers), NOW), expected, "{code:?} {modifiers:?}");
        }
    }

    #[test]
    fn an_unknown_key_does_nothing_but_show_the_keys() {
        for (code, modifiers) in [
            (KeyCode::Char('x'), KeyModifiers::NONE),
            (KeyCode::Char('H'), KeyModifiers::ALT),
            (KeyCode::Char('a'), KeyModifiers::CONTROL),
            (KeyCode::Enter, KeyModifiers::NONE),
            (KeyCode::F(1), KeyModifiers::NONE),
        ] {
            let mut model = model(&["main"]);
            assert_eq!(model.press(key(code, modifiers), NOW), Action::None, "{code:?}");
            assert!(model.message(NOW).is_some_and(|(_, text)| text.contains("Ctrl-H")), "{code:?}");
        }
    }

    #[test]
    fn nothing_of_one_box_is_taken_for_anothers() {
        let mut model = model(&["main", "attic"]);
        assert_eq!(model.press(key(KeyCode::Tab, KeyModifiers::NONE), NOW), Action::Refresh("attic".to_owned()));
        assert!(model.seen.is_none());
        let late = Picture { r#box: "main".to_owned(), ..Picture::default() };
        model.report(Report::Picture(Box::new(late)), NOW);
        let dot = Dot { at: 1.0, temperature_c: 1.0, humidity_pct: 1.0, heater_on: 0.0 };
        model.report(Report::History("main".to_owned(), vec![dot]), NOW);
        assert!(model.seen.is_none() && model.trail.columns(9).is_empty());
        let order = Order { r#box: "attic".to_owned(), output: OutputKind::Heater, state: Some(false) };
        assert_eq!(model.press(key(KeyCode::Char('h'), KeyModifiers::NONE), NOW), Action::Order(order));
        assert_eq!(model.press(key(KeyCode::BackTab, KeyModifiers::NONE), NOW), Action::Refresh("main".to_owned()));
    }

    #[test]
    fn what_became_of_an_order_is_said_and_a_refusal_stays_until_the_next_key() {
        let order = Order { r#box: "main".to_owned(), output: OutputKind::Heater, state: Some(true) };
        let is = |on: bool| Output { on, reason: "it is so".to_owned(), until: Some(1.8e9), ..Output::default() };
        for (answer, words, tone) in [
            (Ok(is(true)), "heater ON until 2027-01-15", Tone::Good),
            (Ok(is(false)), "heater NOT ON: it is so", Tone::Warn),
            (Err("no such box".to_owned()), "heater ON is refused: no such box", Tone::Warn),
        ] {
            let mut model = model(&["main"]);
            model.report(Report::Answer(order.clone(), answer), NOW);
            let (shown, text) = model.message(NOW).expect("a message");
            assert!(shown == tone && text.contains(words), "{text}");
            let later = NOW + MESSAGE_TIME + Duration::from_secs(1);
            assert_eq!(model.message(later).is_some(), tone == Tone::Warn);
            model.press(key(KeyCode::Char('q'), KeyModifiers::NONE), later);
            assert!(model.message(later).is_none());
        }
    }
}
