//! The settings as everybody else sees them: what is set, what is wrong, and the way to change something.

use std::sync::{Arc, mpsc};

use filamentbox_core::config::{ConfigError, Registry};
use tokio::sync::{oneshot, watch};

use super::watch::Waker;
use crate::settings::vault::News;
use crate::settings::{Change, Loaded, SettingsError};

/// What is known of the settings.
#[derive(Clone)]
pub struct View {
    /// What is set and was accepted. What is marked as taking effect at the next start may not hold yet.
    pub set: Loaded,
    /// What the daemon goes by.
    pub in_force: Arc<Loaded>,
    /// What is set and does not hold before the next start, by key.
    pub restart_needed: Vec<String>,
    /// Why what is set now was not accepted; the last good settings hold then.
    pub problems: Vec<String>,
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged {
    /// It is not allowed: every problem.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<ConfigError>),
    /// It cannot be kept now.
    #[error("{0}")]
    Failed(String),
}

impl From<SettingsError> for NotChanged {
    fn from(problem: SettingsError) -> Self {
        match problem {
            SettingsError::Refused(problems) => Self::Refused(problems),
            other => Self::Failed(other.to_string()),
        }
    }
}

pub(super) type Answer = oneshot::Sender<Result<(), NotChanged>>;

/// What the settings' thread is asked for.
pub(super) enum Request {
    /// Look at what is set.
    Reload,
    /// Vault has something to say.
    Vault(News),
    /// Set something.
    Change { changes: Vec<Change>, who: &'static str, answer: Answer },
    /// What would be set with these changes.
    Survey { changes: Vec<Change>, answer: oneshot::Sender<Result<Loaded, NotChanged>> },
    /// The daemon stops.
    End,
}

/// The way to the settings' thread.
#[derive(Clone)]
pub struct Settings {
    /// Every key.
    pub registry: Arc<Registry>,
    pub(super) view: watch::Receiver<Arc<View>>,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) waker: Waker,
    /// Where Vault is asked at once; `None` where there is none.
    pub(super) vault: Option<mpsc::Sender<()>>,
}

impl Settings {
    /// What is known now.
    pub fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Something may have changed anywhere: everything is read again, checked as a whole, and applied. What Vault says follows.
    pub fn reload(&self) {
        self.ask(Request::Reload);
        // Without its thread the daemon is at its end.
        let _ = self.vault.as_ref().map(|ask| ask.send(()));
    }

    /// Sets and applies `changes`, all or none; `who` stands in the audit.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn change(&self, changes: Vec<Change>, who: &'static str) -> Result<(), NotChanged> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Change { changes, who, answer });
        let gone = || NotChanged::Failed("the settings' thread does not answer".to_owned());
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// What would be set after `changes`; nothing is changed.
    ///
    /// # Errors
    /// [`NotChanged`]: they are not allowed, or what is set now is not known.
    pub async fn survey(&self, changes: Vec<Change>) -> Result<Loaded, NotChanged> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Survey { changes, answer });
        let gone = || NotChanged::Failed("the settings' thread does not answer".to_owned());
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Vault said something.
    pub fn vault_says(&self, news: News) {
        self.ask(Request::Vault(news));
    }

    /// Nothing is applied any more.
    pub fn end(&self) {
        self.ask(Request::End);
    }

    fn ask(&self, request: Request) {
        // Without a receiver the daemon is at its end.
        let _ = self.requests.send(request);
        self.waker.wake();
    }
}
