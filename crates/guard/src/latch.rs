//! What the guard remembers when it is gone: which lines it held, which are latched and why, and how often a daemon died heating.
//!
//! One file, replaced as a whole, in the format of a message: kind `S`, the boot instead of a sequence, a record for each line. The loop
//! hands its bytes to a thread that does nothing but write them, after the lines have been made inactive: a disk that stalls delays
//! nothing, and one that is full costs the memory only. A file that cannot be read latches every heater and stays as it is until a
//! reset; one that does not exist says that nothing was ever held.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::Nanos;
use crate::lines::{LineSpec, Role};
use crate::protocol::{Field, Garbled, Latch, Message, flag, latch, latch_number};

/// So many unexpected ends of a heating daemon ...
const CRASHES: usize = 4;
/// ... within this time latch its heaters.
const CRASH_LOOP: Duration = Duration::from_mins(10);
/// When to try again after a write has failed.
const RETRY: Duration = Duration::from_secs(10);
const FILE_NAME: &str = "relay-guard.state";

type Page = Message<Record>;
type PageBytes = [u8; Page::LEN];

/// What is remembered of one line. One without `spec` is free.
#[derive(Clone, Debug, Default)]
struct Record {
    spec: Option<LineSpec>,
    held: bool,
    latch: Option<Latch>,
    /// When its daemon died while it asked for heat, the latest last, nanoseconds since this boot; 0 for never.
    crashes: [u64; CRASHES],
}

const SPEC: usize = <Option<LineSpec> as Field>::LEN;

impl Field for Record {
    const KIND: u8 = b'S';
    const LEN: usize = SPEC + 1 + 1 + CRASHES * 8;

    fn write(&self, to: &mut [u8]) {
        self.spec.write(&mut to[..SPEC]);
        to[SPEC] = self.held.into();
        to[SPEC + 1] = latch_number(self.latch);
        for (crash, field) in self.crashes.iter().zip(to[SPEC + 2..].chunks_exact_mut(8)) {
            field.copy_from_slice(&crash.to_le_bytes());
        }
    }

    fn read(from: &[u8]) -> Result<Self, Garbled> {
        let (spec, held) = (Field::read(&from[..SPEC])?, flag(from[SPEC])?);
        let mut record = Self { spec, held, latch: latch(from[SPEC + 1])?, crashes: [0; CRASHES] };
        for (crash, field) in record.crashes.iter_mut().zip(from[SPEC + 2..].as_chunks().0) {
            *crash = u64::from_le_bytes(*field);
        }
        Ok(record)
    }
}

/// The lines (with GPIO numbers and polarities) that the guard with this state folder holds or held last.
///
/// # Errors
/// When there is a record and it cannot be read.
pub fn recorded_lines(state_dir: &Path) -> io::Result<Vec<LineSpec>> {
    let page = read(&state_dir.join(FILE_NAME))?;
    Ok(page.lines.into_iter().filter(|record| record.held).filter_map(|record| record.spec).collect())
}

/// The guard's memory.
#[derive(Debug)]
pub(crate) struct Memory {
    page: Page,
    /// The file could not be read.
    unreadable: bool,
    changed: bool,
    writer: Option<Writer>,
}

impl Memory {
    /// Reads what is remembered in `state_dir`, and will write there; without one nothing outlives this process.
    pub(crate) fn open(state_dir: Option<&Path>, complain: fn(&str)) -> io::Result<Self> {
        let mut memory = Self { page: Page::default(), unreadable: false, changed: false, writer: None };
        if let Some(path) = state_dir.map(|folder| folder.join(FILE_NAME)) {
            match read(&path) {
                Ok(page) => memory.page = page,
                Err(problem) => {
                    complain(&format!("every heater is latched: {} cannot be read: {problem}", path.display()));
                    memory.unreadable = true;
                }
            }
            memory.writer = Some(Writer::start(path, complain)?);
        }
        // Moments of another boot mean nothing in this one.
        let boot = crc32fast::hash(&fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default());
        if memory.page.sequence != boot {
            memory.page.sequence = boot;
            memory.page.lines.iter_mut().for_each(|record| record.crashes = [0; CRASHES]);
        }
        Ok(memory)
    }

    /// Remembers the lines that are held now, each by its name; says for each new one whether there is room.
    pub(crate) fn claim(&mut self, spec: &LineSpec) -> bool {
        let records = &mut self.page.lines;
        let known = records.iter().position(|record| record.is_of(&spec.name));
        let free = || records.iter().position(|record| !record.held && record.latch.is_none());
        let Some(index) = known.or_else(free) else { return false };
        if known.is_none() {
            records[index] = Record::default();
        }
        records[index].spec = Some(spec.clone());
        records[index].held = true;
        self.changed = true;
        true
    }

    /// The line is not held any more. Its latch stays.
    pub(crate) fn release(&mut self, name: &str) {
        if let Some(record) = self.record(name) {
            record.held = false;
            self.changed = true;
        }
    }

    /// Why the line is latched, if it is.
    pub(crate) fn latch_of(&self, spec: &LineSpec) -> Option<Latch> {
        let known = self.page.lines.iter().find(|record| record.is_of(&spec.name)).and_then(|record| record.latch);
        known.or((self.unreadable && spec.role == Role::Heater).then_some(Latch::StateUnreadable))
    }

    /// Remembers a latch; no effect if it is known.
    pub(crate) fn latch(&mut self, name: &str, latch: Latch) {
        if let Some(record) = self.record(name)
            && record.latch != Some(latch)
        {
            record.latch = Some(latch);
            self.changed = true;
        }
    }

    /// The daemon died while it asked for heat from this line; says whether that was once too often.
    pub(crate) fn crash(&mut self, name: &str, now: Nanos) -> bool {
        let Some(record) = self.record(name) else { return false };
        record.crashes.rotate_left(1);
        record.crashes[CRASHES - 1] = now.0.max(1);
        let first = record.crashes[0];
        self.changed = true;
        first > 0 && now.since(Nanos(first)) <= CRASH_LOOP
    }

    /// Forgets every latch.
    pub(crate) fn reset(&mut self) {
        self.page.lines.iter_mut().for_each(|record| record.latch = None);
        self.unreadable = false;
        self.changed = true;
    }

    /// Hands what has changed to the writer. Neither allocates nor waits for the disk.
    pub(crate) fn save(&mut self) {
        if let Some(writer) = &self.writer
            && self.changed
            && !self.unreadable
        {
            writer.write(&self.page);
            self.changed = false;
        }
    }

    fn record(&mut self, name: &str) -> Option<&mut Record> {
        self.page.lines.iter_mut().find(|record| record.is_of(name))
    }
}

impl Record {
    fn is_of(&self, name: &str) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.name == name)
    }
}

fn read(path: &Path) -> io::Result<Page> {
    match fs::read(path) {
        Ok(bytes) => Page::decode(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Page::default()),
        Err(error) => Err(error),
    }
}

/// The thread that writes. Dropping it waits until it has written what it was given, or failed.
#[derive(Debug)]
struct Writer {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Desk {
    /// What to write next, and whether to end after that. Held for the time of a copy only.
    state: Mutex<(Option<PageBytes>, bool)>,
    changed: Condvar,
}

impl Writer {
    fn start(path: PathBuf, complain: fn(&str)) -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let theirs = Arc::clone(&desk);
        let thread = thread::Builder::new().name("state".to_owned()).spawn(move || theirs.work(&path, complain))?;
        Ok(Self { desk, thread: Some(thread) })
    }

    fn write(&self, page: &Page) {
        let (next, _) = &mut *self.desk.lock();
        page.encode(next.insert([0; Page::LEN]));
        self.desk.changed.notify_one();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.desk.lock().1 = true;
        self.desk.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic has said so itself, and there is nothing left to write.
            let _ = thread.join();
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, (Option<PageBytes>, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, path: &Path, complain: fn(&str)) {
        let mut complained = false;
        let mut state = self.lock();
        loop {
            let Some(page) = state.0.take() else {
                if state.1 {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let written = replace(path, &page);
            state = self.lock();
            if let Err(problem) = &written
                && !complained
            {
                complain(&format!("latches do not outlive the guard: {}: {problem}", path.display()));
            }
            complained = written.is_err();
            if written.is_err() && !state.1 {
                state.0.get_or_insert(page);
                state = self.changed.wait_timeout(state, RETRY).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

/// Either the old content or the new one is there, whenever the power fails.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
