//! The daemon's side of the screen: a thread that asks for pictures and passes orders on. Nothing here is repeated by itself but questions: an
//! order that fails is told, and forgotten.

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
use crate::client::{Client, ClientError};
use crate::cmd::screen::Notice;

/// From one picture to the next, and from one attempt to the next while no daemon answers.
const PERIOD: Duration = Duration::from_secs(1);
/// The events are asked for when something changed, and at least so often.
const EVENTS_PERIOD: Duration = Duration::from_secs(30);
/// More events than lines on a large screen.
const EVENTS_MAX: usize = 100;

/// Where the person's side leaves what it wants. There is one place for each wish, so that the newest counts and nothing piles up.
pub(super) struct Desk {
    wishes: Mutex<Wishes>,
    /// There is an order.
    ordered: Notify,
    /// A picture is wanted at once.
    wanted: Notify,
}

struct Wishes {
    heater: Option<Order>,
    fan: Option<Order>,
    /// The box that is looked at.
    box_name: String,
    /// Events and history are wanted too.
    is_all_wanted: bool,
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
        let mut wishes = self.wishes();
        wishes.box_name = box_name;
        wishes.is_all_wanted = true;
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
    let wishes = Wishes { heater: None, fan: None, box_name, is_all_wanted: true };
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
        let mut told = String::new();
        let mut events_at = None;
        loop {
            let (box_name, is_all_wanted) = {
                let mut wishes = self.desk.wishes();
                (wishes.box_name.clone(), std::mem::take(&mut wishes.is_all_wanted))
            };
            match picture(&self.client, &box_name).await {
                Ok(picture) => {
                    let outline = outline(&picture);
                    let is_due = events_at.is_none_or(|at: Instant| at.elapsed() >= EVENTS_PERIOD);
                    self.tell(Report::Picture(Box::new(picture)))?;
                    if is_all_wanted || is_due || outline != told {
                        if let Ok(events) = self.events().await {
                            self.tell(Report::Events(events))?;
                        }
                        (told, events_at) = (outline, Some(Instant::now()));
                    }
                }
                Err(why) => {
                    // The next one may be another daemon.
                    told.clear();
                    self.tell(Report::Away(why.to_string()))?;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = self.desk.wanted.notified() => {}
            }
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
                self.desk.wanted.notify_one();
            }
        }
    }
}

/// How a box is; an empty name is the first box.
pub(super) async fn picture(client: &Client, box_name: &str) -> anyhow::Result<Picture> {
    let path = if box_name.is_empty() { "/api/status".to_owned() } else { format!("/api/status?box={box_name}") };
    let answer = client.get(&path).await?;
    read(&answer).map_err(anyhow::Error::msg)
}

fn read<T: for<'a> serde::Deserialize<'a>>(answer: &Value) -> Result<T, String> {
    T::deserialize(answer).map_err(|problem| {
        format!(
            "the daemon's answer is not understood ({problem}); is it of another version? `filamentbox status` shows it"
        )
    })
}

/// What an event would tell of: when it is another, there is one.
fn outline(picture: &Picture) -> String {
    let (heater, fan) = (&picture.controls.heater, &picture.controls.fan);
    let backends: Vec<&Value> = picture.database.sinks.iter().map(|sink| &sink["connected"]).collect();
    let outputs = (heater.on, &heater.mode, heater.until.is_some(), fan.on, &fan.mode, fan.until.is_some());
    let safety = (picture.safety.heat_allowed, &picture.safety.faults, picture.sensor.error.is_some());
    format!("{outputs:?} {safety:?} {backends:?} {:?} {:?}", picture.settings.problems, picture.journal.disk_error)
}
