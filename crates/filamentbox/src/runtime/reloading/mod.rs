//! The settings' thread: it notices changes in the store by whatever process, takes those of the API, checks all settings as a whole, and
//! makes the daemon go by them. On any error the last good settings hold, and that is said.
//!
//! **Invariant.** What the daemon goes by was accepted as a whole: keys that take effect at the next start keep their old values until
//! then, and that mixture is checked too.
//!
//! Not here: where settings come from (`crate::settings`), and what each part does with them. The environment is the process's own and
//! does not change.

mod applying;
mod handle;
mod in_force;
mod watch;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use filamentbox_core::config::{Registry, Source};
use filamentbox_core::event::{Event, EventKind, Severity};
use tokio::sync::watch as state;
use tracing::{info, warn};

pub use applying::Parts;
pub use handle::{NotChanged, Settings, View};
pub use watch::Watch;

use self::handle::Request;
use super::control::write_log;
use super::supervisor::progress;
use crate::settings::vault::News;
use crate::settings::{self, Change, Loaded, SettingsError, Sources};

/// What cannot be read may be readable later, though no file changes.
const RETRY: Duration = Duration::from_secs(30);
/// Shown instead of a secret.
const SECRET: &str = "(secret)";

/// The settings' thread.
pub struct Reloading {
    sources: Sources,
    registry: Arc<Registry>,
    watch: Watch,
    requests: mpsc::Receiver<Request>,
    view: state::Sender<Arc<View>>,
    /// What the daemon goes by.
    in_force: Loaded,
    /// The problem is not one that somebody has to change a setting for.
    retries: bool,
}

impl Reloading {
    /// A thread that has applied `loaded`, as it was read from `sources`, and the way to it; on `vault` Vault is asked at once.
    pub fn new(sources: Sources, loaded: Loaded, watch: Watch, vault: Option<mpsc::Sender<()>>) -> (Self, Settings) {
        let (sender, requests) = mpsc::channel();
        let in_force = Arc::new(loaded.clone());
        let view = View { set: loaded.clone(), in_force, restart_needed: Vec::new(), problems: Vec::new() };
        let (view, receiver) = state::channel(Arc::new(view));
        let registry = Arc::new(settings::registry());
        let waker = watch.waker();
        let settings = Settings { registry: registry.clone(), view: receiver, requests: sender, waker, vault };
        (Self { sources, registry, watch, requests, view, in_force: loaded, retries: false }, settings)
    }

    /// Works until the daemon stops.
    pub fn run(&mut self, parts: &mut Parts) {
        // What changed since the start has read it.
        self.reload(parts);
        loop {
            let mut is_due = self.watch.wait(self.retries.then_some(RETRY)) || self.retries;
            progress();
            for request in self.requests.try_iter().collect::<Vec<_>>() {
                match request {
                    Request::Reload => is_due = true,
                    Request::Vault(news) => is_due |= self.hear(news),
                    Request::Change { changes, who, answer } => drop(answer.send(self.change(parts, &changes, who))),
                    Request::Survey { changes, answer } => drop(answer.send(self.survey(&changes))),
                    Request::End => return,
                }
            }
            if is_due {
                self.reload(parts);
            }
        }
    }

    fn reload(&mut self, parts: &mut Parts) {
        match self.sources.load() {
            Ok(loaded) => self.accept(parts, loaded, None),
            Err(problem) => self.refuse(parts, problem),
        }
    }

    /// Says whether Vault's settings are others than before.
    fn hear(&mut self, news: News) -> bool {
        match news {
            News::Values(values) => return self.sources.set_vault(values),
            News::Lost(problem) => warn!("{problem}; the settings stay as they are"),
            News::Back => info!("Vault answers again"),
        }
        false
    }

    fn change(&mut self, parts: &mut Parts, changes: &[Change], who: &str) -> Result<(), NotChanged> {
        let loaded = self.sources.change(changes, who)?;
        self.accept(parts, loaded, Some(who));
        Ok(())
    }

    fn survey(&self, changes: &[Change]) -> Result<Loaded, NotChanged> {
        let survey = self.sources.survey_changed(changes)?;
        survey.loaded.ok_or(NotChanged::Refused(survey.problems))
    }

    /// The last good settings hold on.
    fn refuse(&mut self, parts: &Parts, problem: SettingsError) {
        self.retries = !matches!(problem, SettingsError::Refused(_));
        let problems: Vec<String> = match problem {
            SettingsError::Refused(problems) => problems.iter().map(ToString::to_string).collect(),
            other => vec![other.to_string()],
        };
        let view = self.view.borrow().clone();
        if view.problems == problems {
            return;
        }
        let text = format!("the settings are not taken, the last good ones hold: {}", problems.join("; "));
        say(parts, Severity::Error, text);
        self.view.send_replace(Arc::new(View { problems, ..View::clone(&view) }));
    }

    fn accept(&mut self, parts: &mut Parts, loaded: Loaded, who: Option<&str>) {
        let before = self.view.borrow().clone();
        self.retries = false;
        if !before.problems.is_empty() {
            say(parts, Severity::Info, "the settings are good again".to_owned());
        }
        let changed: Vec<String> =
            before.set.settings.differences(&loaded.settings).iter().map(ToString::to_string).collect();
        if changed.is_empty() {
            // The same values; they may come from elsewhere now.
            self.view.send_replace(Arc::new(View { set: loaded, problems: Vec::new(), ..View::clone(&before) }));
            return;
        }
        loaded.warnings.iter().filter(|text| !before.set.warnings.contains(text)).for_each(|text| warn!("{text}"));
        let in_force = in_force::until_the_next_start(&self.registry, &self.in_force, &loaded);
        let restart_needed: Vec<String> =
            in_force.settings.differences(&loaded.settings).iter().map(ToString::to_string).collect();
        for key in &changed {
            let text = self.describe(key, &before.set, &loaded, who);
            let waits = restart_needed.contains(key);
            say(parts, Severity::Info, if waits { format!("{text}; takes effect at the next start") } else { text });
        }
        parts.apply(&self.in_force, &in_force);
        self.in_force = in_force.clone();
        let in_force = Arc::new(in_force);
        self.view.send_replace(Arc::new(View { set: loaded, in_force, restart_needed, problems: Vec::new() }));
    }

    fn describe(&self, key: &str, old: &Loaded, new: &Loaded, who: Option<&str>) -> String {
        let is_secret = self.registry.find(key).is_none_or(|spec| spec.is_secret());
        let shown = |loaded: &Loaded| match loaded.settings.get(key).map(|setting| setting.text.expose()) {
            None | Some("") => "not set".to_owned(),
            Some(_) if is_secret => SECRET.to_owned(),
            Some(text) => text.to_owned(),
        };
        let is_stored = |loaded: &Loaded| loaded.settings.get(key).is_some_and(|set| set.source == Source::Store);
        let source = new.settings.get(key).map(|setting| setting.source).filter(|source| *source != Source::Default);
        let who = match who {
            Some(who) => Some(who.to_owned()),
            None if is_stored(old) || is_stored(new) => self.sources.last_changed_by(key),
            None => source.map(|source| source.to_string()),
        };
        let by = who.map_or(String::new(), |who| format!(" (by {who})"));
        format!("{key}: {} -> {}{by}", shown(old), shown(new))
    }
}

fn say(parts: &Parts, severity: Severity, text: String) {
    let at = parts.surroundings.clocks.read().wall;
    let event = Event { at, box_name: None, kind: EventKind::Settings, severity, text };
    write_log(&event);
    parts.surroundings.journal.event(event);
}
