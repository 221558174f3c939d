//! What the settings' thread waits for: changes of the store's files, and being asked. It sleeps in between.
//!
//! SQLite writes into the store's file in place, and a backup or another key comes as a new file of the same name. So the file itself is
//! watched for writes, and its folder for the names alone.

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use tracing::warn;

use crate::runtime::clock::boottime;
use crate::settings::Places;

/// A change comes as several writes: they are waited for until there was none for so long ...
const QUIET: Duration = Duration::from_millis(50);
/// ... or at most so long.
const QUIET_MAX: Duration = Duration::from_millis(500);
/// Room for some events with the longest names.
const BUFFER: usize = 4096;

/// Wakes the thread that waits.
#[derive(Clone, Debug)]
pub(super) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(super) fn wake(&self) {
        // It fails only when it has been woken 2^64 times and not looked.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// The files, and the waker.
pub struct Watch {
    waker: Waker,
    files: Option<Files>,
}

struct Files {
    inotify: OwnedFd,
    store: PathBuf,
    /// The names in the folder that matter.
    names: Vec<OsString>,
}

impl Watch {
    /// # Errors
    /// When the system is short of file descriptors. A folder that cannot be watched is no error: then only who asks is heard.
    pub fn new(places: &Places) -> io::Result<Self> {
        let waker = Waker(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?));
        let files = Files::watch(places).inspect_err(|problem| {
            let folder = places.store_dir().display();
            warn!("{folder} cannot be watched ({problem}): changed settings are noticed at SIGHUP and through the API only");
        });
        Ok(Self { waker, files: files.ok() })
    }

    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Waits until woken, until the files change, or for `longest`. Says whether the files changed.
    pub(super) fn wait(&mut self, longest: Option<Duration>) -> bool {
        self.look(longest);
        let mut changed = self.files.as_ref().is_some_and(Files::take);
        if changed {
            let begin = boottime();
            while boottime().since(begin) < QUIET_MAX && self.look(Some(QUIET)) && self.files_changed_again() {
                changed = true;
            }
        }
        changed
    }

    fn files_changed_again(&self) -> bool {
        self.files.as_ref().is_some_and(Files::take)
    }

    /// Whether anything came within `longest`.
    fn look(&self, longest: Option<Duration>) -> bool {
        let longest = longest.and_then(|longest| Timespec::try_from(longest).ok());
        let mut ready = vec![PollFd::new(&*self.waker.0, PollFlags::IN)];
        ready.extend(self.files.as_ref().map(|files| PollFd::new(&files.inotify, PollFlags::IN)));
        let came = poll(&mut ready, longest.as_ref()).is_ok_and(|count| count > 0);
        let _ = rustix::io::read(&*self.waker.0, &mut [0_u8; 8]);
        came
    }
}

impl Files {
    fn watch(places: &Places) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let (store, key) = (places.store.clone(), places.key_file());
        let names = [&store, &key].into_iter().filter_map(|path| path.file_name()).map(OsString::from).collect();
        let comes = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE;
        let folder = comes | WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::ONLYDIR;
        // A folder of its own name is "".
        let dir = if places.store_dir().as_os_str().is_empty() { ".".as_ref() } else { places.store_dir() };
        inotify::add_watch(&inotify, dir, folder)?;
        let files = Self { inotify, store, names };
        files.watch_store();
        Ok(files)
    }

    /// The file that has the store's name now; watching it twice is once.
    fn watch_store(&self) {
        // It may have gone: its name is watched.
        let _ = inotify::add_watch(&self.inotify, &self.store, WatchFlags::MODIFY);
    }

    /// Takes in what has happened. Says whether it was about the files that matter.
    fn take(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let (mut changed, mut renamed) = (false, false);
        while let Ok(event) = reader.next() {
            match event.file_name() {
                Some(name) => {
                    let name = name.to_bytes();
                    // The store's own journals too.
                    let matters = self.names.iter().any(|known| name.starts_with(known.as_encoded_bytes()));
                    (changed, renamed) = (changed | matters, renamed | matters);
                }
                // The store's file; or so much that the kernel lost count.
                None => changed = true,
            }
        }
        if renamed {
            self.watch_store();
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_store_is_watched_by_name_and_by_file_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places::new(folder.path().to_owned(), None);
        fs::write(&places.store, "1").expect("writable");
        let mut watch = Watch::new(&places).expect("a watch");
        let now = Some(Duration::ZERO);
        assert!(!watch.wait(now));
        fs::write(folder.path().join("journal.db"), "x").expect("writable");
        assert!(!watch.wait(now), "another file");
        fs::write(&places.store, "2").expect("writable");
        assert!(watch.wait(None), "written in place");
        fs::write(folder.path().join("new"), "3").expect("writable");
        fs::rename(folder.path().join("new"), &places.store).expect("renamed");
        assert!(watch.wait(None), "replaced");
        let mut file = fs::OpenOptions::new().write(true).open(&places.store).expect("there");
        assert!(!watch.wait(now));
        io::Write::write_all(&mut file, b"4").expect("writable");
        assert!(watch.wait(None), "the new file is watched too, before it is closed");
        fs::remove_file(&places.store).expect("removed");
        assert!(watch.wait(None), "gone");
        watch.waker().wake();
        assert!(!watch.wait(None), "asked, and the files are as they were");
        assert!(!watch.wait(now));
    }
}
