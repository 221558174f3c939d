//! The lock of the store and its key: many readers, or one that makes, changes or rotates.
//!
//! SQLite's own locks are on a file that a rotation replaces; this one stays. It ends with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::files;

/// The longest work under the lock is a rotation: well under a second, a few on a slow card.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// Held until dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "closing it unlocks")] Option<File>);

impl Lock {
    /// For reading. Where there is no lock's file nobody writes, and who may not open it can do nothing but read what is there.
    ///
    /// # Errors
    /// When another process changes the store for too long.
    pub(super) fn shared(path: &Path) -> io::Result<Self> {
        match options().open(path) {
            Ok(file) => Self::wait(file, File::try_lock_shared),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                Ok(Self(None))
            }
            Err(error) => Err(error),
        }
    }

    /// For changing.
    ///
    /// # Errors
    /// When other processes use the store for too long, or the folder cannot be written.
    pub(super) fn exclusive(path: &Path) -> io::Result<Self> {
        let file = match options().open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Not exclusively: another process may make it at the same moment.
                let file = options().write(true).create(true).truncate(false).mode(0o600).open(path)?;
                files::make_private(&file, path)?;
                file
            }
            Err(error) => return Err(error),
        };
        Self::wait(file, File::try_lock)
    }

    fn wait(file: File, lock: impl Fn(&File) -> Result<(), TryLockError>) -> io::Result<Self> {
        let start = Instant::now();
        loop {
            match lock(&file) {
                Ok(()) => return Ok(Self(Some(file))),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let words = "another filamentbox process has been using it for 10 s; try again";
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, words));
                }
            }
        }
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}
