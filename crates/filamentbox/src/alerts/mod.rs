//! Alerts that leave the machine: a command, a webhook, or both, once when something starts to fail and once when it works again.
//!
//! Whoever finds out calls [`Alerts::raise`], which never waits. A thread of its own runs the hooks, one at a time and [`LIMIT`] long
//! each, so that nothing else is ever held up. A hook that fails is said in the log, and not tried again.
//! When to raise is not decided here: `filamentbox_core::delivery` does, for backends, and `journal::disk`.

mod command;
mod webhook;

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use filamentbox_core::config::{ConfigError, KeySpec, Kind, Settings};
use filamentbox_core::time::UnixTime;
use serde_json::{Map, Value, json};
use tracing::{debug, warn};

use self::command::{Program, Running};
use self::webhook::Webhook;
use crate::runtime::supervisor::progress;

/// A hook that takes longer is ended.
pub const LIMIT: Duration = Duration::from_secs(30);
/// So many alerts wait for the hooks at most: two for each backend there is, and for the journal. Further ones are dropped, and that is said.
const QUEUE: usize = 16;

const COMMAND: &str = "alerts.command";
const WEBHOOK_URL: &str = "alerts.webhook_url";

/// The keys of the hooks.
pub const KEYS: &[KeySpec] = &[
    KeySpec::new(
        COMMAND,
        Kind::Text { max_bytes: 4096 },
        "",
        "",
        "A program with its arguments that is run when a backend has failed retry.alert_threshold times or the journal's disk fails, and \
         when it works again. \
         The alert comes as JSON on its standard input and as FILAMENTBOX_ALERT_EVENT, _BACKEND, _REASON and so on. No shell is \
         used; quotes work as in one.",
    ),
    KeySpec::new(
        WEBHOOK_URL,
        // Whoever has the URL of a webhook can use it.
        Kind::Secret,
        "",
        "",
        "An http or https URL that gets the same alert as JSON in a POST request. A secret, because most webhooks need no other.",
    ),
];

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlertEvent {
    /// A backend has failed `retry.alert_threshold` times in a row.
    BackendFailing,
    /// It takes points again.
    BackendRecovered,
    /// The journal cannot use its disk.
    JournalFailing,
    /// It writes again.
    JournalRecovered,
}

impl AlertEvent {
    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::BackendFailing => "backend_failing",
            Self::BackendRecovered => "backend_recovered",
            Self::JournalFailing => "journal_failing",
            Self::JournalRecovered => "journal_recovered",
        }
    }
}

/// One alert.
#[derive(Clone, PartialEq, Debug)]
pub struct Alert {
    /// What has happened.
    pub event: AlertEvent,
    /// The backend; `None` when it is about something else.
    pub backend: Option<&'static str>,
    /// Failures in a row, in this episode.
    pub failures: u32,
    /// The last failure, in words without secrets.
    pub reason: String,
    /// Points that wait for the backend.
    pub backlog_points: u64,
    /// When the first of the failures was, if the time was known then.
    pub since: Option<UnixTime>,
    /// When this happened, if the time is known.
    pub timestamp: Option<UnixTime>,
}

impl Alert {
    /// For the hooks. Keys are never renamed or removed; new ones may come.
    fn fields(&self, host: &str) -> Map<String, Value> {
        let seconds = |time: Option<UnixTime>| json!(time.map(UnixTime::seconds));
        let fields = [
            ("event", json!(self.event.name())),
            ("backend", json!(self.backend)),
            ("failures", json!(self.failures)),
            ("reason", json!(self.reason)),
            ("backlog_points", json!(self.backlog_points)),
            ("since", seconds(self.since)),
            ("timestamp", seconds(self.timestamp)),
            ("host", json!(host)),
            ("version", json!(env!("CARGO_PKG_VERSION"))),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The way to the hooks; the default leads nowhere.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    queue: Arc<Mutex<Option<SyncSender<Alert>>>>,
    running: Running,
}

impl Alerts {
    /// Hands `alert` to the hooks. Never waits: when too many wait already, this one is dropped, and that is said.
    pub fn raise(&self, alert: Alert) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return };
        if let Err(TrySendError::Full(alert) | TrySendError::Disconnected(alert)) = queue.try_send(alert) {
            warn!(event = alert.event.name(), "the alert hooks are behind; they do not get this alert");
        }
    }

    /// What `settings` ask for from now on, to be run on a thread of its own; nothing when no hook is set. Alerts that wait already still
    /// go to the hooks of before, whose thread ends then.
    pub fn configure(&self, settings: &Settings) -> Option<Hooks> {
        // What cannot be parsed was refused by `check`.
        let program = Program::parse(settings.text(COMMAND)).ok().flatten();
        let webhook = Webhook::parse(settings.secret(WEBHOOK_URL).expose()).ok().flatten();
        let is_any = program.is_some() || webhook.is_some();
        let (queue, alerts) = sync_channel(QUEUE);
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = is_any.then_some(queue);
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        is_any.then(|| Hooks { program, webhook, host, alerts, running: self.running.clone() })
    }

    /// Ends a program that runs, for the end of the daemon.
    pub fn end(&self) {
        self.running.end();
    }
}

/// Why a hook failed; nothing more is done about it.
#[derive(Debug, thiserror::Error)]
enum HookError {
    #[error("cannot be started: {0}")]
    Start(std::io::Error),
    #[error("cannot be waited for: {0}")]
    Wait(std::io::Error),
    #[error("was ended with all that it had started, because it took longer than {} s", LIMIT.as_secs())]
    Late,
    #[error("ended with {0}")]
    Status(std::process::ExitStatus),
    #[error("{0}")]
    Webhook(String),
}

/// What the settings ask for; runs on a thread of its own.
pub struct Hooks {
    program: Option<Program>,
    webhook: Option<Webhook>,
    host: String,
    alerts: Receiver<Alert>,
    running: Running,
}

/// What keeps the hooks from being used.
pub fn check(settings: &Settings) -> Vec<ConfigError> {
    let program = Program::parse(settings.text(COMMAND)).err().map(|problem| (COMMAND, problem));
    let webhook = Webhook::parse(settings.secret(WEBHOOK_URL).expose()).err().map(|problem| (WEBHOOK_URL, problem));
    let error = |(key, problem): (&str, String)| ConfigError { key: key.to_owned(), problem };
    [program, webhook].into_iter().flatten().map(error).collect()
}

/// The hooks of the settings and the way to them; no hooks when none is set.
pub fn open(settings: &Settings) -> (Alerts, Option<Hooks>) {
    let alerts = Alerts::default();
    let hooks = alerts.configure(settings);
    (alerts, hooks)
}

impl Hooks {
    /// Runs the hooks for each alert, until nobody is left who could raise one.
    pub fn run(&mut self) {
        if let Some(program) = self.program.as_ref().filter(|program| !program.is_there()) {
            warn!("{COMMAND}: {program} is not there, or is no program that may be run");
        }
        while let Ok(alert) = self.alerts.recv() {
            progress();
            let (event, fields) = (alert.event.name(), alert.fields(&self.host));
            let program = self.program.as_ref().map(|program| (COMMAND, program.run(&fields, LIMIT, &self.running)));
            tell(event, program);
            tell(event, self.webhook.as_ref().map(|webhook| (WEBHOOK_URL, webhook.post(&fields))));
        }
    }
}

/// A failure of a hook is one line, and no more.
fn tell(event: &str, outcome: Option<(&str, Result<(), HookError>)>) {
    match outcome {
        Some((key, Err(problem))) => warn!(event, "{key} {problem}"),
        Some((key, Ok(()))) => debug!(event, "{key} has the alert"),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use filamentbox_core::config::{Layer, Registry, Source};

    use super::*;

    pub(super) fn alert() -> Alert {
        Alert {
            event: AlertEvent::BackendFailing,
            backend: Some("influxdb_v1"),
            failures: 3,
            reason: "it said \"no\"\nand left".to_owned(),
            backlog_points: 12,
            since: None,
            timestamp: Some(UnixTime::from_millis(1_500)),
        }
    }

    fn settings(values: &[(&str, &str)]) -> Settings {
        let values = values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        Registry::new(KEYS).resolve(&[Layer { source: Source::Environment, values }]).expect("allowed")
    }

    #[test]
    fn an_alert_has_a_stable_shape() {
        let expected = json!({
            "event": "backend_failing", "backend": "influxdb_v1", "failures": 3, "reason": "it said \"no\"\nand left",
            "backlog_points": 12, "since": null, "timestamp": 1.5, "host": "box", "version": env!("CARGO_PKG_VERSION"),
        });
        assert_eq!(Value::Object(alert().fields("box")), expected);
    }

    #[test]
    fn nobody_waits_for_hooks_that_do_nothing() {
        let (alerts, hooks) = open(&settings(&[(COMMAND, "/bin/true")]));
        let hooks = hooks.expect("a command is set");
        (0..QUEUE + 5).for_each(|_| alerts.raise(alert()));
        assert_eq!(hooks.alerts.try_iter().count(), QUEUE);
        drop(hooks);
        alerts.raise(alert());
    }

    #[test]
    fn other_settings_lead_to_other_hooks_and_what_waits_stays_with_the_old_ones() {
        let (alerts, old) = open(&settings(&[(COMMAND, "/bin/true")]));
        alerts.raise(alert());
        let new = alerts.configure(&settings(&[(COMMAND, "/bin/false")]));
        alerts.raise(Alert { failures: 7, ..alert() });
        let (old, new) = (old.expect("a command"), new.expect("a command"));
        assert_eq!(old.alerts.iter().map(|alert| alert.failures).collect::<Vec<_>>(), [3], "and then it ends");
        assert_eq!(new.alerts.try_iter().map(|alert| alert.failures).collect::<Vec<_>>(), [7]);
        assert!(alerts.configure(&settings(&[])).is_none());
        alerts.raise(alert());
        assert_eq!(new.alerts.iter().count(), 0);
    }

    #[test]
    fn without_settings_there_are_no_hooks() {
        let (alerts, hooks) = open(&settings(&[]));
        assert!(hooks.is_none());
        alerts.raise(alert());
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_key() {
        assert_eq!(check(&settings(&[(COMMAND, "/bin/mail -s 'a b' x"), (WEBHOOK_URL, "http://h/x")])), []);
        let errors = check(&settings(&[(COMMAND, "/bin/mail -s 'a b")]));
        assert_eq!((errors.len(), errors[0].key.as_str()), (1, COMMAND));
        assert!(errors[0].problem.contains("quote"), "{}", errors[0]);
        for bad in ["ftp://h/secret", "h/secret", "http:///secret?"] {
            let errors = check(&settings(&[(WEBHOOK_URL, bad)]));
            assert!(bad.starts_with("http") || errors[0].key == WEBHOOK_URL, "{bad}");
            assert!(errors.iter().all(|error| !error.to_string().contains("secret")), "{errors:?}");
        }
    }
}
