//! The crash log: what is only in memory, once more in files on a tmpfs, where it costs no disk and outlives the process (not the
//! power). A start after a crash reads it back, so that a crash of the program alone loses nothing.
//!
//! Two files: `.open` with the open samples, written by the control thread (a copy in memory, it never waits for a disk), and
//! `.cursors` with the sinks' places, written by the journal's thread. A clean stop removes them.
//!
//! The folder is usually open to every user of the machine, so: no symbolic link is followed, a file of another user is neither
//! read nor written, and each file carries the journal's id, so that one of another journal is ignored.

mod cursors;
mod samples;

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fstatfs};

pub(super) use cursors::CursorFile;
pub(super) use samples::{Logged, SampleLog};

/// `f_type` of a tmpfs (linux/magic.h).
const TMPFS_MAGIC: u64 = 0x0102_1994;
/// No crash log is larger: 150 000 samples are some 11 MB.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Where the two files of one journal are (or those that belong to something else on disk).
#[derive(Clone, Debug)]
pub(crate) struct Place {
    stem: PathBuf,
}

impl Place {
    /// The files of the journal at `journal` in `folder`.
    ///
    /// # Errors
    /// `folder` is not there or not a tmpfs.
    pub(crate) fn new(folder: &Path, journal: &Path) -> io::Result<Self> {
        let opened = File::open(folder)?;
        let kind = fstatfs(&opened)?.f_type;
        // Signed on some machines, 32 bits wide on others.
        if kind as u64 & 0xffff_ffff != TMPFS_MAGIC {
            return Err(io::Error::other(format!("{} is not a tmpfs", folder.display())));
        }
        let canonical = journal.canonicalize()?;
        let hash = fnv1a(canonical.as_os_str().as_encoded_bytes());
        let uid = rustix::process::geteuid().as_raw();
        Ok(Self { stem: folder.join(format!("filamentbox-{uid}-{hash:016x}")) })
    }

    pub(crate) fn file(&self, extension: &str) -> PathBuf {
        self.stem.with_extension(extension)
    }

    /// Removes both files.
    pub(super) fn remove(&self) {
        for extension in [samples::EXTENSION, cursors::EXTENSION] {
            // Gone already is as good.
            let _ = std::fs::remove_file(self.file(extension));
        }
    }
}

/// FNV-1a, 64 bits: the same for every version of the program, as a file's name must be.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The whole of a file that we wrote; `None` when there is none, or it is not ours.
pub(crate) fn read_own(path: &Path) -> Option<Vec<u8>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let metadata = file.metadata().ok()?;
    if !is_own(&metadata) || metadata.len() > FILE_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
    io::Read::read_to_end(&mut io::Read::take(file, FILE_BYTES_MAX), &mut bytes).ok()?;
    Some(bytes)
}

fn is_own(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// Puts a new file, as `fill` fills it, in the place of `path`, in one step: a crash leaves the old one or the new one.
pub(crate) fn replace(path: &Path, fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<File> {
    let fresh = path.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let mut options = OpenOptions::new();
    // `create_new` follows no link and takes over nobody's file.
    let file = options.write(true).create_new(true).mode(0o600).open(&fresh)?;
    fill(&file).and_then(|()| std::fs::rename(&fresh, path)).inspect_err(|_| {
        let _ = std::fs::remove_file(&fresh);
    })?;
    Ok(file)
}
