//! The file in good and in bad times: one episode of trouble is one event, with tries that grow rarer, and one event at its end.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use filamentbox_core::event::Severity;
use filamentbox_core::time::Monotonic;

use super::store::{Commit, Found, Store, carry_over, is_corrupt, is_full};
use crate::alerts::AlertEvent;

/// Delay after the first failure; it doubles.
const BACK_OFF_BASE: Duration = Duration::from_secs(1);
/// Longest delay: a person who has made room sees it used within a minute.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// The journal's file, or what is known of its absence.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    /// The journal's id, which a new file gets.
    id: u64,
    store: Option<Store>,
    trouble: Option<Trouble>,
    /// What a person should know, to be collected.
    news: Vec<News>,
    /// A new file took the place of the old one, and may not hold all that it held.
    replaced: bool,
}

/// What a person should know.
#[derive(Debug)]
pub(super) struct News {
    pub(super) severity: Severity,
    pub(super) text: String,
    /// It begins or ends an episode of trouble.
    pub(super) turn: Option<Turn>,
}

/// Once an episode each, and in turn.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) event: AlertEvent,
    /// Failures so far.
    pub(super) failures: u32,
    /// What the disk said last.
    pub(super) reason: String,
    /// When the first failure was.
    pub(super) since: Monotonic,
}

impl News {
    fn error(text: String) -> Self {
        Self { severity: Severity::Error, text, turn: None }
    }
}

#[derive(Debug)]
struct Trouble {
    text: String,
    failures: u32,
    since: Monotonic,
    back_off: Duration,
    retry_at: Monotonic,
    /// The file may be damaged: check it when it is opened again.
    suspect: bool,
}

impl Disk {
    pub(super) fn new(path: PathBuf, id: u64, store: Store) -> Self {
        Self { path, id, store: Some(store), trouble: None, news: Vec::new(), replaced: false }
    }

    /// When to try again; `None` while all is well.
    pub(super) fn retry_at(&self) -> Option<Monotonic> {
        self.trouble.as_ref().map(|trouble| trouble.retry_at)
    }

    /// The next use tries again, however short a time ago the last one failed: there may be no later one.
    pub(super) fn try_now(&mut self) {
        if let Some(trouble) = &mut self.trouble {
            trouble.retry_at = Monotonic::ZERO;
        }
    }

    /// What the disk said.
    pub(super) fn error(&self) -> Option<&str> {
        self.trouble.as_ref().map(|trouble| trouble.text.as_str())
    }

    /// Whether a write makes sense now.
    pub(super) fn is_ready(&self, now: Monotonic) -> bool {
        self.retry_at().is_none_or(|retry_at| retry_at <= now)
    }

    /// What happened since the last call.
    pub(super) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Whether a new file has taken the place of the old one since the last call.
    pub(super) fn take_replaced(&mut self) -> bool {
        std::mem::take(&mut self.replaced)
    }

    /// The folder's file system: bytes available, and bytes in all. `None` when it does not say.
    pub(super) fn room(&self) -> Option<(u64, u64)> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let found = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))).ok()?;
        Some((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
    }

    /// The open file, for figures that need no reading.
    pub(super) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// Drops the connection, of which nobody knows what state it is in.
    pub(super) fn forget_connection(&mut self) {
        self.store = None;
    }

    /// Writes; ends the episode when that succeeds.
    pub(super) fn commit(&mut self, now: Monotonic, commit: &Commit<'_>) -> bool {
        self.look_for_file(now);
        let done = self.with(now, |store| store.commit(commit)).is_some();
        if done && let Some(Trouble { text: reason, failures, since, .. }) = self.trouble.take() {
            tracing::info!(path = %self.path.display(), "the journal is written again");
            let text = "the journal is written to disk again".to_owned();
            let turn = Some(Turn { event: AlertEvent::JournalRecovered, failures, reason, since });
            self.news.push(News { severity: Severity::Info, text, turn });
        }
        done
    }

    /// Uses the file, opening it first if need be. `None` when that fails, or failed too short a time ago.
    pub(super) fn with<T>(
        &mut self,
        now: Monotonic,
        action: impl FnOnce(&mut Store) -> rusqlite::Result<T>,
    ) -> Option<T> {
        if self.store.is_none() && self.is_ready(now) {
            self.open(now);
        }
        match action(self.store.as_mut()?) {
            Ok(value) => Some(value),
            Err(error) => {
                // After an input or output error, the connection's idea of the file may be wrong (the kernel marks pages as
                // written that are not); without room it is right.
                if !is_full(&error) {
                    self.store = None;
                }
                self.fail(now, error.to_string(), is_corrupt(&error));
                None
            }
        }
    }

    /// When somebody has removed or replaced the file, a new one is made, and what the old one held is saved.
    fn look_for_file(&mut self, now: Monotonic) {
        let Some(old) = self.store.take_if(|store| store.is_detached()) else { return };
        self.replaced = true;
        self.make_folder();
        match carry_over(old, self.id) {
            Ok(text) => {
                tracing::error!(path = %self.path.display(), "{text}");
                self.news.push(News::error(text));
            }
            Err(error) => self.fail(now, format!("its file was removed or replaced; {error}"), false),
        }
    }

    /// A folder that was removed with the file.
    fn make_folder(&self) {
        if let Some(folder) = self.path.parent() {
            // Where it cannot be made, opening the file says why.
            let _ = DirBuilder::new().recursive(true).mode(0o750).create(folder);
        }
    }

    fn open(&mut self, now: Monotonic) {
        self.make_folder();
        let suspect = self.trouble.as_ref().is_some_and(|trouble| trouble.suspect);
        match Store::open(&self.path, self.id, suspect) {
            Ok((store, Found { salvaged, created, .. })) => {
                self.store = Some(store);
                self.replaced |= created || salvaged.is_some();
                if let Some(salvaged) = salvaged {
                    let text = salvaged.describe();
                    tracing::error!(path = %self.path.display(), "{text}");
                    self.news.push(News::error(text));
                }
            }
            Err(error) => self.fail(now, error.to_string(), suspect),
        }
    }

    fn fail(&mut self, now: Monotonic, text: String, suspect: bool) {
        let last = self.trouble.take();
        if last.is_none() {
            tracing::error!(path = %self.path.display(), error = %text, "the journal's disk fails; samples are held in memory");
            let turn = Some(Turn { event: AlertEvent::JournalFailing, failures: 1, reason: text.clone(), since: now });
            let text = format!("the journal's disk fails: {text}; samples are held in memory");
            self.news.push(News { severity: Severity::Error, text, turn });
        }
        let (failures, since) = last.as_ref().map_or((1, now), |last| (last.failures.saturating_add(1), last.since));
        let suspect = suspect || last.as_ref().is_some_and(|last| last.suspect);
        let back_off = last.map_or(BACK_OFF_BASE, |last| (last.back_off * 2).min(BACK_OFF_MAX));
        self.trouble = Some(Trouble { text, failures, since, back_off, retry_at: now + back_off, suspect });
    }

    /// Closes the file for good.
    pub(super) fn close(&mut self) {
        if let Some(store) = self.store.take() {
            store.close();
        }
    }
}
