//! Where the settings lie: the data folder, the encrypted store, and its key's file beside it.

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
}
