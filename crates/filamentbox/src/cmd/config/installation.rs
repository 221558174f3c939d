//! The installation whose settings a command is about.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Result, anyhow};

use super::complain;
use crate::runtime::folder::SOCKET_NAME;
use crate::settings::{self, Access, KeyError, Places, SettingsError, Sources, StoreError, Variable};

/// Where its settings are, and the environment over them.
pub(super) struct Installation {
    pub(super) places: Places,
    variables: Vec<Variable>,
}

impl Installation {
    /// The one at `places`, under this process's environment.
    pub(super) fn new(places: Places) -> Self {
        Self { places, variables: settings::variables() }
    }

    /// Takes `key` before every other.
    pub(super) fn use_key(&mut self, key: String) {
        self.variables.retain(|(name, _)| name != settings::KEY_VARIABLE);
        self.variables.push((settings::KEY_VARIABLE.into(), key.into()));
    }

    /// Opens its settings.
    ///
    /// # Errors
    /// When they cannot be read, with the remedy where it is known.
    pub(super) fn open(&self, access: Access, simulate: bool) -> Result<Sources> {
        let sources = Sources::open(self.places.clone(), access, simulate, self.variables.clone());
        let sources = sources.map_err(|problem| match remedy(&problem) {
            Some(remedy) => anyhow!("{problem}; {remedy}"),
            None => problem.into(),
        })?;
        sources.notices().iter().for_each(complain);
        Ok(sources)
    }

    /// Whether a daemon runs on its data folder.
    pub(super) fn is_running(&self) -> bool {
        UnixStream::connect(self.places.data_dir.join(SOCKET_NAME)).is_ok()
    }
}

/// What helps against a refused permission.
fn remedy(problem: &SettingsError) -> Option<String> {
    let (path, reason) = match problem {
        SettingsError::Store(StoreError::Unusable { path, reason })
        | SettingsError::Key(KeyError::Unusable { path, reason }) => (path, reason),
        _ => return None,
    };
    if reason.kind() != io::ErrorKind::PermissionDenied {
        return None;
    }
    let seen =
        path.ancestors().skip(1).map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let owner = seen.filter_map(|folder| folder.metadata().ok()).next()?.uid();
    Some(format!(
        "the settings belong to the user with the number {owner} (`id -nu {owner}` names it): run this as that user, for example with sudo -u '#{owner}'"
    ))
}
