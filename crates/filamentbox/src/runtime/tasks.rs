//! The backends' tasks as the settings ask for them, and which of them other settings concern.

use std::sync::Arc;
use std::time::Duration;

use filamentbox_core::config::{ConfigError, Value};
use filamentbox_core::delivery::Policy;
use tokio::sync::watch;

use super::clock::Clocks;
use super::delivering::{Delivering, Parts, Phase, latest_max_age, policy};
use super::sink_view::SinkView;
use crate::alerts::Alerts;
use crate::exposition::Names;
use crate::journal::{self, Handle};
use crate::settings::Loaded;
use crate::sinks::{self, History, Labels, SinkKind};

/// What every task needs beside its settings.
#[derive(Clone)]
pub struct Surroundings {
    /// The journal.
    pub journal: Handle,
    /// The clocks.
    pub clocks: Arc<Clocks>,
    /// Who is told when a backend fails for long.
    pub alerts: Alerts,
}

/// All that a backend's task depends on: while it is the same, the task goes on.
#[derive(PartialEq)]
struct Essence {
    kind: &'static str,
    keys: Vec<(String, Value)>,
    labels: Labels,
    policy: Policy,
    latest_max_age: Option<Duration>,
}

/// A backend's task, to be made afresh for each start.
pub struct Task {
    /// The backend's type string.
    pub name: &'static str,
    essence: Essence,
    make: Box<dyn Fn(SinkView, watch::Receiver<Phase>) -> Result<Delivering, ConfigError> + Send>,
}

/// Everything that delivers: tasks, and what the journal has to know of them.
pub struct Delivery {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// The journal's settings.
    pub journal: journal::Settings,
    /// What the points are called in `/metrics`.
    pub names: Names,
}

impl Delivery {
    /// What `loaded` asks for.
    pub fn of(loaded: &Loaded, surroundings: &Surroundings) -> Self {
        let labels = Labels::of(&loaded.config);
        let kinds = loaded.config.backends.iter().filter_map(|name| sinks::find(name));
        Self {
            tasks: kinds.map(|kind| Task::new(kind, loaded, &labels, surroundings)).collect(),
            journal: journal::Settings::of(&loaded.config),
            names: Names::of(&labels),
        }
    }

    /// Whether anything here differs.
    pub fn is_other(&self, other: &Self) -> bool {
        let differ = |(a, b): (&Task, &Task)| a.essence != b.essence;
        self.tasks.len() != other.tasks.len()
            || self.tasks.iter().zip(&other.tasks).any(differ)
            || self.journal != other.journal
            || self.names != other.names
    }
}

impl Task {
    fn new(kind: &'static SinkKind, loaded: &Loaded, labels: &Labels, surroundings: &Surroundings) -> Self {
        let Surroundings { journal, clocks, alerts } = surroundings.clone();
        let (settings, config) = (loaded.settings.clone(), &loaded.config);
        let is_own = |key: &str| kind.keys.iter().any(|spec| spec.key == key);
        let keys = settings.iter().filter(|(key, _)| is_own(key));
        let (policy, latest_max_age) = (policy(config), latest_max_age(config));
        let essence = Essence {
            kind: kind.name,
            keys: keys.map(|(key, setting)| (key.to_owned(), setting.value.clone())).collect(),
            labels: labels.clone(),
            policy,
            latest_max_age: (kind.history == History::LatestOnly).then_some(latest_max_age),
        };
        let labels = labels.clone();
        let make = move |view, phase| {
            Ok(Delivering::new(Parts {
                view,
                sink: (kind.open)(&settings, &labels)?,
                settle: kind.settle,
                history: kind.history,
                latest_max_age,
                journal: journal.clone(),
                clocks: clocks.clone(),
                policy,
                alerts: alerts.clone(),
                phase,
            }))
        };
        Self { name: kind.name, essence, make: Box::new(make) }
    }

    /// Whether `other` does the same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.essence == other.essence
    }

    /// The task, to be run.
    ///
    /// # Errors
    /// Which setting makes that impossible.
    pub fn make(&self, view: SinkView, phase: watch::Receiver<Phase>) -> Result<Delivering, ConfigError> {
        (self.make)(view, phase)
    }
}
