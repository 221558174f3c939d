//! What a start and a command do with Vault: ask it, keep what it says, and go on with what was kept when it does not answer.

use std::path::Path;
use std::time::Duration;

use filamentbox_core::time::Monotonic;
use jiff::Timestamp;

use super::super::environment::Variable;
use super::super::store::{Store, StoreError};
use super::cache::{self, Cached};
use super::kept::Kept;
use super::{MOUNT, Secret, VALUES_PATH, Vault, VaultConfig, VaultError, Watch};
use crate::runtime::clock::boottime;

/// So long an outage is believed to last.
const DOWN: Duration = Duration::from_secs(15);

/// Vault among the places that settings come from.
pub(in super::super) struct VaultLayer {
    vault: Vault,
    kept: Kept,
    /// Whether anything may be asked over the network.
    is_online: bool,
    /// Why it was given up, and when, so that one start or command waits for it once only.
    down: Option<(VaultError, Monotonic)>,
    /// It has served the store's key.
    has_served_key: bool,
    values: Vec<(String, String)>,
    /// They are Vault's own words, and not what was kept of them.
    is_fresh: bool,
    notices: Vec<String>,
}

impl VaultLayer {
    /// Vault as `variables` name it; `None` where they do not. Nothing is asked yet, and never if not `is_online`.
    ///
    /// # Errors
    /// [`VaultError::Variables`].
    pub(in super::super) fn open(
        variables: &[Variable],
        ram_disk: Option<&Path>,
        folder: &Path,
        is_online: bool,
    ) -> Result<Option<Self>, VaultError> {
        let Some(config) = VaultConfig::from_variables(variables)? else { return Ok(None) };
        let notices = config.notice().into_iter().collect();
        let kept = Kept::new(ram_disk, folder);
        let vault = Vault::open_with(config, kept.clone())?;
        let (down, values, is_fresh) = (None, Vec::new(), false);
        Ok(Some(Self { vault, kept, is_online, down, has_served_key: false, values, is_fresh, notices }))
    }

    /// The settings that are in force from here.
    pub(in super::super) fn values(&self) -> &[(String, String)] {
        &self.values
    }

    /// What a person should know: one line each.
    pub(in super::super) fn notices(&self) -> &[String] {
        &self.notices
    }

    /// A further line for people.
    pub(in super::super) fn notice(&mut self, line: String) {
        self.notices.push(line);
    }

    /// The store's key, or the one that was kept since the machine was switched on.
    ///
    /// # Errors
    /// [`VaultError`]. Only `Ok(None)` says that there is none.
    pub(in super::super) fn key(&mut self) -> Result<Option<Secret>, VaultError> {
        let key = match self.ask(Vault::read_key) {
            Ok(key) => key,
            Err(problem) => {
                let Some(key) = self.kept.read().key else { return Err(problem) };
                if problem != VaultError::NotAsked {
                    self.notices.push(format!("{problem}; the key is the one that Vault gave before, kept in memory until this machine is switched off"));
                }
                self.has_served_key = true;
                return Ok(Some(key));
            }
        };
        self.has_served_key = key.is_some();
        self.keep_key(key.clone());
        Ok(key)
    }

    /// Stores `key` where there never was one; the result is what is in force.
    ///
    /// # Errors
    /// [`VaultError`].
    pub(in super::super) fn make_key(&mut self, key: &Secret) -> Result<Secret, VaultError> {
        let key = self.ask(|vault| vault.make_key(key))?;
        self.has_served_key = true;
        self.keep_key(Some(key.clone()));
        Ok(key)
    }

    /// Stores `key` in the place of the one that is there.
    ///
    /// # Errors
    /// [`VaultError`].
    pub(in super::super) fn replace_key(&mut self, key: &Secret) -> Result<(), VaultError> {
        self.ask(|vault| vault.replace_key(key))?;
        self.keep_key(Some(key.clone()));
        Ok(())
    }

    /// Reads the settings, or takes those that `store` keeps of the last time.
    ///
    /// # Errors
    /// [`VaultError`] when neither is there, and the store's.
    pub(in super::super) fn read<E: From<VaultError> + From<StoreError>>(
        &mut self,
        store: Option<&Store>,
    ) -> Result<(), E> {
        match self.ask(Vault::read_values) {
            Ok(values) => {
                self.values = values;
                self.is_fresh = true;
                Ok(())
            }
            Err(problem) => {
                let kept = store.map_or(Ok(None), |store| cache::read(store.connection()).map_err(|e| store.failed(e)));
                Ok(self.go_on_with(problem, kept?)?)
            }
        }
    }

    /// The settings are these now, as a [`Watch`] has found out. Whether they are others than before.
    pub(in super::super) fn set(&mut self, values: Vec<(String, String)>) -> bool {
        let before = std::mem::replace(&mut self.values, values);
        self.is_fresh = true;
        // What was said about the start holds no longer.
        self.notices.clear();
        before != self.values
    }

    /// Keeps the settings, which were accepted, in `store`.
    ///
    /// # Errors
    /// The store's.
    pub(in super::super) fn keep_values(&self, store: &Store) -> Result<(), StoreError> {
        if !self.is_fresh {
            return Ok(());
        }
        cache::keep(store.connection(), &self.values).map_err(|reason| store.failed(reason))
    }

    /// What asks from now on, beside a running daemon.
    pub(in super::super) fn watch(&self) -> Watch {
        Watch::new(self.vault.fork(), self.values.clone(), self.down.is_some())
    }

    fn go_on_with(&mut self, problem: VaultError, kept: Option<Cached>) -> Result<(), VaultError> {
        match (problem, kept) {
            (VaultError::NotAsked, kept) => self.values = kept.map(|kept| kept.settings).unwrap_or_default(),
            (problem, Some(Cached { at_s, settings })) => {
                let since = when(at_s);
                let words = format!("the settings from Vault are those kept on {since}");
                let problem = problem.to_string();
                let is_said = self.notices.iter().any(|notice| notice.starts_with(&problem));
                self.notices.push(if is_said { words } else { format!("{problem}; {words}") });
                self.values = settings;
            }
            // A policy for the key alone is a way to use Vault.
            (problem @ VaultError::Denied { .. }, None) if self.has_served_key => {
                self.notices.push(format!("no settings come from Vault ({MOUNT}/{VALUES_PATH}): {problem}"));
            }
            (problem, None) => return Err(problem),
        }
        Ok(())
    }

    /// Asks Vault; after an outage not again at once.
    fn ask<T>(&mut self, question: impl FnOnce(&mut Vault) -> Result<T, VaultError>) -> Result<T, VaultError> {
        if !self.is_online {
            return Err(VaultError::NotAsked);
        }
        if let Some((down, since)) = &self.down
            && boottime().since(*since) < DOWN
        {
            return Err(down.clone());
        }
        let answer = question(&mut self.vault);
        self.down = answer.as_ref().err().filter(|problem| problem.is_outage()).map(|down| (down.clone(), boottime()));
        answer
    }

    /// A command of another user keeps nothing; that is no trouble.
    fn keep_key(&mut self, key: Option<Secret>) {
        if self.kept.may_write()
            && let Err(problem) = self.kept.update(|content| content.key = key)
        {
            self.notices.push(format!(
                "the key that Vault gave cannot be kept in memory ({problem}): a restart while Vault is down will not be possible"
            ));
        }
    }
}

/// A moment for people, in this machine's time zone.
fn when(at_s: f64) -> String {
    let zone = jiff::tz::TimeZone::system();
    match Timestamp::from_millisecond((at_s * 1e3) as i64) {
        Ok(at) => at.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => "an unknown day".to_owned(),
    }
}
