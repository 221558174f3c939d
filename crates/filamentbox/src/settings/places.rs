//! Where the settings lie: the data folder, the encrypted store, and what lies beside it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The store's name in the data folder, unless `--config-db` names another file.
const STORE_NAME: &str = "config.db";
/// The key's name, in the store's folder.
const KEY_NAME: &str = ".config_key";

/// The places of one installation.
#[derive(Clone, Debug)]
pub struct Places {
    /// The data folder.
    pub data_dir: PathBuf,
    /// The encrypted store; it need not be there.
    pub store: PathBuf,
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl Places {
    /// Those of `data_dir`, and of `--config-db` where it was given.
    pub fn new(data_dir: PathBuf, config_db: Option<PathBuf>) -> Self {
        let store = config_db.unwrap_or_else(|| data_dir.join(STORE_NAME));
        Self { data_dir, store }
    }

    /// The folder of the store and its key.
    pub fn store_dir(&self) -> &Path {
        self.store.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// The key's file.
    pub fn key_file(&self) -> PathBuf {
        self.store.with_file_name(KEY_NAME)
    }

    /// A key on its way to its place: half written, or that of a rotation which is not finished.
    pub(super) fn new_key_file(&self) -> PathBuf {
        self.beside_key(".new")
    }

    /// A store on its way to its place. It never counts.
    pub(super) fn new_store(&self) -> PathBuf {
        self.beside_store(".new")
    }

    /// Locked by whoever reads or changes the store or its key.
    pub(super) fn lock_file(&self) -> PathBuf {
        self.beside_store(".lock")
    }

    /// What SQLite may leave beside `file` when a process is killed.
    pub(super) fn journal_of(file: &Path) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push("-journal");
        name.into()
    }

    /// Which file is the store now; nothing where there is none.
    ///
    /// # Errors
    /// When that cannot be known: a folder that may not be looked into never counts as empty.
    pub(super) fn store_id(&self) -> io::Result<Option<FileId>> {
        match fs::metadata(&self.store) {
            Ok(found) => Ok(Some(FileId { device: found.dev(), inode: found.ino() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn beside_store(&self, suffix: &str) -> PathBuf {
        let mut name = self.store.file_name().unwrap_or(STORE_NAME.as_ref()).to_owned();
        name.push(suffix);
        self.store.with_file_name(name)
    }

    fn beside_key(&self, suffix: &str) -> PathBuf {
        self.store.with_file_name(format!("{KEY_NAME}{suffix}"))
    }
}
