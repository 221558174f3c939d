//! The daemon's side of the screen: a thread that listens to the daemon's stream and passes orders on. Only questions are repeated: an order that
//! fails is told, and forgotten.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use filamentbox_core::command::OutputKind;
use serde::Deserialize as _;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::model::{Order, Report};
use super::state::{Entry, Output, Picture};
use super::trail::Dot;
use crate::client::{Client, ClientError};
use crate::cmd::screen::Notice;

/// From one attempt to the next while no daemon answers.
const PERIOD: Duration = Duration::from_secs(1);
/// The stream says something every 10 s; when it does not, the daemon hangs.
const SILENCE_MAX: Duration = Duration::from_secs(12);
/// An event of the stream is the state in JSON, a few kilobytes.
const EVENT_MAX: usize = 1024 * 1024;
/// The curves show so much of the past, in seconds, with so many points: also the first minutes are seen.
const HISTORY_SPAN: f64 = 6.0 * 3600.0;
const HISTORY_POINTS: usize = 2000;
/// The events are asked for when something changed, and at least so often.
const EVENTS_PERIOD: Duration = Duration::from_secs(30);
/// More events than lines on a large screen.
const EVENTS_MAX: usize = 100;

/// Where the person's side leaves what it wants. There is one place for each wish, so that the newest counts and nothing piles up.
pub(super) struct Desk {
    wishes: Mutex<Wishes>,
    /// There is an order.
    ordered: Notify,
    /// Everything is wanted anew, or about another box.
    wanted: Notify,
}

struct Wishes {
    heater: Option<Order>,
    fan: Option<Order>,
    /// The box that is looked at.
    box_name: String,
}

impl Desk {
    /// Leaves an order; one for the same output that has not been passed on is forgotten.
    pub(super) fn order(&self, order: Order) {
        let mut wishes = self.wishes();
        match order.output {
            OutputKind::Heater => wishes.heater = Some(order),
            OutputKind::Fan => wishes.fan = Some(order),
        }
        self.ordered.notify_one();
    }

    /// Asks for everything about this box.
    pub(super) fn look_at(&self, box_name: String) {
        self.wishes().box_name = box_name;
        self.wanted.notify_one();
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        // Each change of it is whole.
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next order: the heater's first.
    fn take_order(&self) -> Option<Order> {
        let mut wishes = self.wishes();
        wishes.heater.take().or_else(|| wishes.fan.take())
    }
}

/// Starts the thread; it ends with the process.
pub(super) fn start(runtime: Runtime, client: Client, box_name: String, to: Sender<Notice<Report>>) -> Arc<Desk> {
    let wishes = Wishes { heater: None, fan: None, box_name };
    let desk = Arc::new(Desk { wishes: Mutex::new(wishes), ordered: Notify::new(), wanted: Notify::new() });
    let source = Source { client, desk: desk.clone(), to };
    thread::spawn(move || {
        runtime.block_on(async {
            // Whichever ends first found nobody listening.
            tokio::select! {
                _gone = source.watch() => {}
                _gone = source.pass_on() => {}
            }
        });
    });
    desk
}

/// Nobody listens any more.
struct Gone;

struct Source {
    client: Client,
    desk: Arc<Desk>,
    to: Sender<Notice<Report>>,
}

impl Source {
    fn tell(&self, report: Report) -> Result<(), Gone> {
        self.to.send(Notice::Own(report)).map_err(|_| Gone)
    }

    /// Tells how the box is, for ever.
    async fn watch(&self) -> Result<(), Gone> {
        loop {
            let box_name = self.desk.wishes().box_name.clone();
            let why = match self.client.stream(&format!("/api/stream?box={box_name}")).await {
                Ok(stream) => self.listen(stream, &box_name).await?,
                Err(why) => Some(why.to_string()),
            };
            let Some(why) = why else { continue };
            self.tell(Report::Away(why))?;
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = self.desk.wanted.notified() => {}
            }
        }
    }

    /// Tells what the stream tells until it ends; why it did, or `None` when something else is wanted.
    async fn listen(&self, mut stream: reqwest::Response, box_name: &str) -> Result<Option<String>, Gone> {
        let mut events = Events::default();
        let mut told: Option<(String, Instant)> = None;
        loop {
            let chunk = tokio::select! {
                chunk = tokio::time::timeout(SILENCE_MAX, stream.chunk()) => chunk,
                () = self.desk.wanted.notified() => return Ok(None),
            };
            match chunk {
                Ok(Ok(Some(bytes))) => events.buffer.extend_from_slice(&bytes),
                Ok(Ok(None)) => return Ok(Some("the daemon is stopping".to_owned())),
                Ok(Err(problem)) => return Ok(Some(ClientError::Broken(problem).to_string())),
                Err(_late) => return Ok(Some("the daemon has said nothing for 12 s: it hangs".to_owned())),
            }
            while let Some(state) = events.next() {
                let picture: Picture = match state {
                    Ok(picture) => picture,
                    Err(why) => return Ok(Some(why)),
                };
                let (outline, said_at) = (outline(&picture), picture.sensor.said_at());
                self.tell(Report::Picture(Box::new(picture)))?;
                if told.is_none() {
                    self.tell_history(box_name, said_at).await?;
                }
                let is_new = told.as_ref().is_none_or(|(known, at)| *known != outline || at.elapsed() >= EVENTS_PERIOD);
                if is_new {
                    if let Ok(events) = self.events().await {
                        self.tell(Report::Events(events))?;
                    }
                    told = Some((outline, Instant::now()));
                }
            }
        }
    }

    /// What was measured up to now. Without it the curves begin here.
    async fn tell_history(&self, box_name: &str, now: Option<f64>) -> Result<(), Gone> {
        let Some(now) = now else { return Ok(()) };
        let from = now - HISTORY_SPAN;
        let fields = "temperature_c,humidity,heater_on";
        let path = format!("/api/history?box={box_name}&from={from}&points={HISTORY_POINTS}&fields={fields}");
        match self.client.get(&path).await {
            Ok(answer) => self.tell(Report::History(box_name.to_owned(), dots(&answer))),
            Err(_) => Ok(()),
        }
    }

    async fn events(&self) -> Result<Vec<Entry>, ClientError> {
        let answer = self.client.get(&format!("/api/events?limit={EVENTS_MAX}")).await?;
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        Ok(events.iter().filter_map(|event| Entry::deserialize(event).ok()).collect())
    }

    /// Passes orders on, one after the other, for ever.
    async fn pass_on(&self) -> Result<(), Gone> {
        loop {
            self.desk.ordered.notified().await;
            while let Some(order) = self.desk.take_order() {
                let path = format!("/api/controls/{}?box={}", order.output.name(), order.r#box);
                let answer = self.client.post(&path, &json!({ "state": order.state })).await;
                let answer = answer.map_err(|why| why.to_string()).and_then(|answer| read::<Output>(&answer));
                self.tell(Report::Answer(order, answer))?;
            }
        }
    }
}

/// How the first box is.
pub(super) async fn picture(client: &Client) -> anyhow::Result<Picture> {
    read(&client.get("/api/status").await?).map_err(anyhow::Error::msg)
}

/// Server-sent events, as they come in pieces.
#[derive(Default)]
struct Events {
    buffer: Vec<u8>,
}

impl Events {
    /// The next event's data, or why there is none to be had.
    fn next<T: for<'a> serde::Deserialize<'a>>(&mut self) -> Option<Result<T, String>> {
        while let Some(end) = self.buffer.windows(2).position(|bytes| bytes == b"\n\n") {
            let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let data = event.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data: "));
            // Without data it is a hint for browsers.
            if let Some(data) = data {
                return Some(
                    serde_json::from_slice::<Value>(data).map_err(not_understood).and_then(|state| read(&state)),
                );
            }
        }
        (self.buffer.len() > EVENT_MAX).then(|| Err(not_understood("too long")))
    }
}

/// The points of `GET /api/history` at which temperature and humidity are known.
fn dots(answer: &Value) -> Vec<Dot> {
    let timestamps = answer["timestamps"].as_array().into_iter().flatten();
    let mean = |name: &str, nth: usize| answer["fields"][name]["mean"][nth].as_f64();
    let dot = |(nth, at): (usize, &Value)| {
        Some(Dot {
            at: at.as_f64()?,
            temperature_c: mean("temperature_c", nth)?,
            humidity_pct: mean("humidity", nth)?,
            heater_on: mean("heater_on", nth).unwrap_or(0.0),
        })
    };
    timestamps.enumerate().filter_map(dot).collect()
}

fn read<T: for<'a> serde::Deserialize<'a>>(answer: &Value) -> Result<T, String> {
    T::deserialize(answer).map_err(not_understood)
}

fn not_understood(problem: impl std::fmt::Display) -> String {
    format!(
        "the daemon's answer is not understood ({problem}); is it of another version? `filamentbox status` shows it"
    )
}

/// What an event would tell of: when it is another, there is one.
fn outline(picture: &Picture) -> String {
    let (heater, fan) = (&picture.controls.heater, &picture.controls.fan);
    let backends: Vec<&Value> = picture.database.sinks.iter().map(|sink| &sink["connected"]).collect();
    let outputs = (heater.on, &heater.mode, heater.until.is_some(), fan.on, &fan.mode, fan.until.is_some());
    let safety = (picture.safety.heat_allowed, &picture.safety.faults, picture.sensor.error.is_some());
    format!("{outputs:?} {safety:?} {backends:?} {:?} {:?}", picture.settings.problems, picture.journal.disk_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_they_are_cut() {
        let text = b"retry: 1000\n\nid: 1\ndata: {\"box\":\"a\"}\n\nid: 2\ndata: {\"box\":\"b\"}\n\nid: 3\ndata: {";
        for size in [1, 2, 7, 1000] {
            let mut events = Events::default();
            let mut boxes = Vec::new();
            for piece in text.chunks(size) {
                events.buffer.extend_from_slice(piece);
                while let Some(picture) = events.next::<Picture>() {
                    boxes.push(picture.expect("a picture").r#box);
                }
            }
            assert_eq!(boxes, ["a", "b"], "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_state_is_said() {
        for (text, word) in [(&b"data: {\n\n"[..], "EOF"), (b"data: {\"boxes\":1}\n\n", "invalid type")] {
            let mut events = Events { buffer: text.to_vec() };
            assert!(events.next::<Picture>().is_some_and(|read| read.is_err_and(|why| why.contains(word))), "{word}");
        }
        let mut endless = Events { buffer: vec![b'x'; EVENT_MAX + 1] };
        assert!(endless.next::<Picture>().is_some_and(|read| read.is_err()));
    }

    #[test]
    fn gaps_of_the_history_are_left_out() {
        let answer = json!({
            "timestamps": [10.0, 20.0, 30.0],
            "fields": {
                "temperature_c": {"mean": [1.0, null, 3.0]}, "humidity": {"mean": [4.0, 5.0, 6.0]},
                "heater_on": {"mean": [0.5, 0.5, null]},
            },
        });
        let dot = |at, temperature_c, humidity_pct, heater_on| Dot { at, temperature_c, humidity_pct, heater_on };
        assert_eq!(dots(&answer), [dot(10.0, 1.0, 4.0, 0.5), dot(30.0, 3.0, 6.0, 0.0)]);
    }

    #[test]
    fn of_two_wishes_for_an_output_the_newer_counts() {
        let wishes = Wishes { heater: None, fan: None, box_name: String::new() };
        let desk = Desk { wishes: Mutex::new(wishes), ordered: Notify::new(), wanted: Notify::new() };
        let order = |output, state| Order { r#box: "main".to_owned(), output, state };
        for wish in [
            order(OutputKind::Heater, Some(true)),
            order(OutputKind::Fan, None),
            order(OutputKind::Heater, Some(false)),
        ] {
            desk.order(wish);
        }
        assert_eq!(desk.take_order(), Some(order(OutputKind::Heater, Some(false))));
        assert_eq!(desk.take_order(), Some(order(OutputKind::Fan, None)));
        assert_eq!(desk.take_order(), None);
    }
}
