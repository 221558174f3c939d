//! Files that only their owner may read, and that appear whole or not at all.
//!
//! The owner is the folder's: what `sudo filamentbox config set` makes, the service can still read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{CWD, Gid, RenameFlags, Uid, fchown, renameat_with};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Read and written by the owner alone.
const PRIVATE: u32 = 0o600;

/// Makes `path`, which must not be there yet, for its owner alone, whatever the umask.
///
/// # Errors
/// When it is there or cannot be made.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(PRIVATE).open(path)?;
    make_private(&file, path)?;
    Ok(file)
}

/// Gives a file that was just made its permissions and its owner.
pub(super) fn make_private(file: &File, path: &Path) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(PRIVATE))?;
    // Only root can, and only root needs to.
    if geteuid().is_root() {
        let folder = fs::metadata(folder_of(path))?;
        if (folder.uid(), folder.gid()) != (0, 0) {
            fchown(file, Some(Uid::from_raw(folder.uid())), Some(Gid::from_raw(folder.gid())))?;
        }
    }
    Ok(())
}

/// Makes `path` with `content`, on the disk when this returns. A crash may leave a part of it.
///
/// # Errors
/// As for [`create`], and when it cannot be written.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    sync_folder(path)
}

/// Gives the finished file `from` its final name, which must be free; on the disk when this returns.
///
/// # Errors
/// When something is there, or the name cannot be given.
pub(super) fn place(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // This file system cannot; the lock keeps our own processes apart.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if fs::symlink_metadata(to).is_err() => fs::rename(from, to)?,
        outcome => outcome?,
    }
    sync_folder(to)
}

/// Puts the finished file `from` in the place of `to`; on the disk when this returns.
///
/// # Errors
/// When that cannot be done.
pub(super) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to)
}

/// Removes `path` if it is there.
///
/// # Errors
/// When it is there and cannot be removed.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
