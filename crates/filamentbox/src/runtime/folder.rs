//! The data folder: made if missing, owned by one daemon at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The socket's name in the data folder.
pub const SOCKET_NAME: &str = "filamentbox.sock";
/// The lock's name in the data folder.
const LOCK_NAME: &str = "filamentbox.lock";
/// Where the service keeps its data.
pub const SERVICE_DATA_DIR: &str = "/var/lib/filamentbox";

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made or written.
    #[error("the data folder {} cannot be used: {reason}; give another one with --data-dir", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// Another daemon has it.
    #[error("another filamentbox daemon is running on {}; stop it, or give another folder with --data-dir", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
}

/// The data folder, locked for this process until dropped (also by a crash).
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// `None` on a read-only disk that has no lock file.
    _lock: Option<File>,
}

impl DataFolder {
    /// Makes the folder if it is missing.
    ///
    /// # Errors
    /// [`FolderError::Unusable`].
    pub fn make(path: &Path) -> Result<(), FolderError> {
        let made = DirBuilder::new().recursive(true).mode(0o750).create(path);
        made.map_err(|reason| FolderError::Unusable { path: path.to_owned(), reason })
    }

    /// Makes the folder if it is missing, and locks it.
    ///
    /// # Errors
    /// [`FolderError`]; nothing is changed then.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        Self::make(path)?;
        let unusable = |reason| FolderError::Unusable { path: path.to_owned(), reason };
        let lock_path = path.join(LOCK_NAME);
        let mut options = OpenOptions::new();
        let opened = options.create(true).truncate(false).write(true).mode(0o600).open(&lock_path);
        let mut lock = match opened {
            Ok(lock) => lock,
            Err(reason) if is_no_room(&reason) => match File::open(lock_path) {
                // A lock needs no writing.
                Ok(lock) => lock,
                Err(_) => return Ok(Self { path: path.to_owned(), _lock: None }),
            },
            Err(reason) => return Err(unusable(reason)),
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::Taken { path: path.to_owned() }),
            Err(TryLockError::Error(reason)) => return Err(unusable(reason)),
        }
        // For people who look who holds it; nothing reads it.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { path: path.to_owned(), _lock: Some(lock) })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The socket's place, free of what an earlier daemon left there (the lock says that it is not running).
    ///
    /// # Errors
    /// When something else than a socket is in the way.
    pub fn free_socket(&self) -> Result<PathBuf, FolderError> {
        Self::free_socket_in(&self.path)
    }

    /// The same for another folder that this daemon has to itself.
    ///
    /// # Errors
    /// When something else than a socket is in the way.
    pub fn free_socket_in(folder: &Path) -> Result<PathBuf, FolderError> {
        use std::os::unix::fs::FileTypeExt;
        let path = folder.join(SOCKET_NAME);
        let in_the_way = match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(&path).err(),
            Ok(_) => {
                Some(io::Error::other(format!("{} is in the way and is not a socket; move it away", path.display())))
            }
            Err(error) => Some(error).filter(|error| error.kind() != io::ErrorKind::NotFound),
        };
        match in_the_way {
            None => Ok(path),
            Some(reason) => Err(FolderError::Unusable { path: folder.to_owned(), reason }),
        }
    }
}

/// Whether nothing can be made or removed on that disk, whoever asks: it is read-only or full.
pub fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::StorageFull)
}

/// Whether something can be written to a folder.
///
/// # Errors
/// Why not.
pub fn try_to_write(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!("filamentbox-{}.probe", std::process::id()));
    let written = fs::write(&path, [0; 4096]);
    // Where it cannot be made, it need not be removed.
    let _ = fs::remove_file(&path);
    written
}

/// A folder for the socket where the data folder cannot have one: the one that systemd makes in `/run`.
pub fn runtime_dir() -> Option<PathBuf> {
    let folders = std::env::var_os("RUNTIME_DIRECTORY")?;
    std::env::split_paths(&folders).next().filter(|folder| folder.is_dir())
}

/// The data folder where none was named: systemd's, else the user's.
pub fn default_data_dir() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("STATE_DIRECTORY")
        .or_else(|| variable("XDG_STATE_HOME").map(|home| home.join("filamentbox")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/filamentbox")))
        .unwrap_or_else(|| PathBuf::from(SERVICE_DATA_DIR))
}

/// The folder in which a command looks for the daemon: the user's own, unless only the service's has a socket.
pub fn client_data_dir() -> PathBuf {
    let own = default_data_dir();
    let service = PathBuf::from(SERVICE_DATA_DIR);
    if !own.join(SOCKET_NAME).exists() && service.join(SOCKET_NAME).exists() { service } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_daemon_a_folder() {
        let place = tempfile::tempdir().expect("temporary folder");
        let path = place.path().join("a/b");
        let first = DataFolder::open(&path).expect("free");
        assert!(matches!(DataFolder::open(&path), Err(FolderError::Taken { .. })));
        drop(first);
        DataFolder::open(&path).expect("free again");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let place = tempfile::tempdir().expect("temporary folder");
        let file = place.path().join("file");
        fs::write(&file, "").expect("writable");
        let error = DataFolder::open(&file.join("sub")).expect_err("a file is in the way");
        assert!(error.to_string().contains("file/sub") && error.to_string().contains("--data-dir"), "{error}");
    }

    #[test]
    fn only_an_old_socket_is_cleared_away() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = DataFolder::open(place.path()).expect("free");
        let socket = folder.free_socket().expect("nothing there");
        drop(std::os::unix::net::UnixListener::bind(&socket).expect("bound"));
        folder.free_socket().expect("an old socket is removed");
        assert!(!socket.exists());
        fs::write(&socket, "precious").expect("writable");
        assert!(folder.free_socket().is_err());
        assert_eq!(fs::read_to_string(&socket).expect("still there"), "precious");
    }
}
