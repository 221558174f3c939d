//! What a restart during an outage needs before the store can be opened: the key and an unwrapped secret id, in a file on a RAM disk.
//!
//! Nothing of it is ever on the card: a machine that was switched off has to ask Vault again. The file is the daemon's user's alone, and
//! only the owner of the store's folder writes one.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Secret;
use crate::journal::ram;

const EXTENSION: &str = "vault";

/// The file.
#[derive(Clone)]
pub(super) struct Kept {
    path: Option<PathBuf>,
    may_write: bool,
}

/// Its content.
#[derive(Default, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub(super) struct Content {
    /// The store's key as last read.
    pub(super) key: Option<Secret>,
    /// The wrapping token that `secret_id` came in; it is spent.
    pub(super) wrapping: Option<Secret>,
    pub(super) secret_id: Option<Secret>,
}

impl Kept {
    /// The file of the store in `folder`, on the RAM disk at `ram_disk`.
    pub(super) fn new(ram_disk: Option<&Path>, folder: &Path) -> Self {
        let place = ram_disk.and_then(|ram_disk| ram::Place::new(ram_disk, folder).ok());
        let owner = std::fs::metadata(folder).map(|folder| folder.uid());
        let may_write = owner.is_ok_and(|owner| owner == rustix::process::geteuid().as_raw());
        Self { path: place.map(|place| place.file(EXTENSION)), may_write }
    }

    /// For who keeps nothing.
    pub(super) fn nowhere() -> Self {
        Self { path: None, may_write: false }
    }

    /// Whether anything can be kept.
    pub(super) fn may_write(&self) -> bool {
        self.may_write && self.path.is_some()
    }

    pub(super) fn read(&self) -> Content {
        let bytes = self.path.as_ref().and_then(|path| ram::read_own(path)).map(Zeroizing::new);
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Changes what is kept.
    pub(super) fn update(&self, change: impl FnOnce(&mut Content)) -> std::io::Result<()> {
        let Some(path) = self.path.as_ref().filter(|_| self.may_write) else {
            return Err(std::io::Error::other("there is no RAM disk, or the folder is another user's"));
        };
        let before = self.read();
        let mut content = before.clone();
        change(&mut content);
        if content == before {
            return Ok(());
        }
        let text = |secret: &Option<Secret>| secret.as_ref().map_or(Value::Null, |secret| secret.expose().into());
        let json = json!({
            "key": text(&content.key),
            "wrapping": text(&content.wrapping),
            "secret_id": text(&content.secret_id),
        });
        let json = Zeroizing::new(json.to_string());
        ram::replace(path, |mut file| file.write_all(json.as_bytes())).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_kept_is_private_and_only_on_a_ram_disk() {
        let (folder, disk) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir_in("/dev/shm").expect("tmpfs"));
        let kept = Kept::new(Some(disk.path()), folder.path());
        assert!(kept.may_write() && kept.read() == Content::default());
        let content = Content { key: Some(Secret::from("k".to_owned())), ..Content::default() };
        kept.update(|kept| kept.key.clone_from(&content.key)).expect("kept");
        assert!(kept.read() == content);
        let path = kept.path.as_ref().expect("a path");
        assert_eq!(std::fs::metadata(path).expect("a file").permissions().mode() & 0o777, 0o600);

        // Others could have written it: it is not believed.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).expect("chmod");
        assert!(kept.read() == Content::default());
        std::fs::remove_file(path).expect("removed");
        std::os::unix::fs::symlink("/etc/passwd", path).expect("a link");
        assert!(kept.read() == Content::default());

        assert!(!Kept::new(None, folder.path()).may_write() && !Kept::nowhere().may_write());
        assert!(!Kept::new(Some(Path::new("/proc")), folder.path()).may_write(), "that is no tmpfs");
        assert!(!Kept::new(Some(disk.path()), Path::new("/nowhere")).may_write());
    }
}
