//! What the guard remembers when it is gone: which lines it held, which are latched and why, and how often a daemon died heating.
//!
//! One file, replaced as a whole, in the format of a message: kind `S`, the boot instead of a sequence, a record for each line. The loop
//! hands its bytes to a thread that does nothing but write them, after the lines have been made inactive: a disk that stalls delays
//! nothing, and one that is full costs the memory only. A file that cannot be read latches every heater and stays as it is until a
//! reset; one that does not exist says that nothing was ever held.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
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
    /// A daemon has asked for its heat, and neither it nor the guard has ended in good order since.
    heating: bool,
    latch: Option<Latch>,
    /// When a daemon (or this guard) died heating, the latest last, nanoseconds since this boot; 0 for never.
    crashes: [u64; CRASHES],
}

const SPEC: usize = <Option<LineSpec> as Field>::LEN;

impl Field for Record {
    const KIND: u8 = b'S';
    const LEN: usize = SPEC + 3 + CRASHES * 8;

    fn write(&self, to: &mut [u8]) {
        self.spec.write(&mut to[..SPEC]);
        to[SPEC..SPEC + 3].copy_from_slice(&[self.held.into(), self.heating.into(), latch_number(self.latch)]);
        for (crash, field) in self.crashes.iter().zip(to[SPEC + 3..].chunks_exact_mut(8)) {
            field.copy_from_slice(&crash.to_le_bytes());
        }
    }

    fn read(from: &[u8]) -> Result<Self, Garbled> {
        let mut record = Self {
            spec: Field::read(&from[..SPEC])?,
            held: flag(from[SPEC])?,
            heating: flag(from[SPEC + 1])?,
            latch: latch(from[SPEC + 2])?,
            crashes: [0; CRASHES],
        };
        for (crash, field) in record.crashes.iter_mut().zip(from[SPEC + 3..].as_chunks().0) {
            *crash = u64::from_le_bytes(*field);
        }
        Ok(record)
    }
}

impl Record {
    fn is_of(&self, name: &str) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.name == name)
    }

    /// Heating has ended unexpectedly.
    fn crash(&mut self, now: Nanos) {
        self.heating = false;
        self.crashes.rotate_left(1);
        self.crashes[CRASHES - 1] = now.0.max(1);
        if self.crashes[0] > 0 && now.since(Nanos(self.crashes[0])) <= CRASH_LOOP {
            self.latch.get_or_insert(Latch::CrashLoop);
        }
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
    /// Takes one page, which waits while another is written.
    writer: Option<(SyncSender<PageBytes>, JoinHandle<()>)>,
}

impl Memory {
    /// Reads what is remembered in `state_dir`, and will write there; without one nothing outlives this process.
    pub(crate) fn open(state_dir: Option<&Path>, now: Nanos, complain: fn(&str)) -> io::Result<Self> {
        let mut memory = Self { page: Page::default(), unreadable: false, changed: false, writer: None };
        if let Some(path) = state_dir.map(|folder| folder.join(FILE_NAME)) {
            match read(&path) {
                Ok(page) => memory.page = page,
                Err(problem) => {
                    complain(&format!("every heater is latched: {} cannot be read: {problem}", path.display()));
                    memory.unreadable = true;
                }
            }
            let (pages, to_write) = mpsc::sync_channel(1);
            let thread = thread::Builder::new().name("state".to_owned());
            let thread = thread.spawn(move || write_pages(&to_write, &path, complain))?;
            memory.writer = Some((pages, thread));
        }
        let boot = crc32fast::hash(&fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default());
        let same_boot = memory.page.sequence == boot;
        memory.page.sequence = boot;
        for record in &mut memory.page.lines {
            record.held = false;
            if !same_boot {
                // Its moments mean nothing in this one.
                record.crashes = [0; CRASHES];
            }
            if record.heating {
                record.crash(now);
                memory.changed = true;
            }
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

    /// The line is not held any more, and its daemon did not mean to heat it to the end. Its latch stays.
    pub(crate) fn release(&mut self, name: &str) {
        if let Some(record) = self.record(name) {
            (record.held, record.heating) = (false, false);
            self.changed = true;
        }
    }

    /// Why the line is latched, if it is: a latch follows the name to another pin, and the pin to another name.
    pub(crate) fn latch_of(&self, spec: &LineSpec) -> Option<Latch> {
        let is_it = |known: &LineSpec| known.name == spec.name || known.gpio == spec.gpio;
        let records = self.page.lines.iter().filter(|record| record.spec.as_ref().is_some_and(is_it));
        records
            .filter_map(|record| record.latch)
            .next()
            .or((self.unreadable && spec.role == Role::Heater).then_some(Latch::StateUnreadable))
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

    /// The line's daemon asks for heat: its end, or the guard's, is a crash from now on.
    pub(crate) fn heating(&mut self, name: &str) {
        if let Some(record) = self.record(name)
            && !record.heating
        {
            record.heating = true;
            self.changed = true;
        }
    }

    /// The line's daemon has ended, asking for heat (`crashed`) or in good order.
    pub(crate) fn ended(&mut self, name: &str, now: Nanos, crashed: bool) {
        if let Some(record) = self.record(name).filter(|record| record.heating) {
            record.heating = false;
            if crashed {
                record.crash(now);
            }
            self.changed = true;
        }
    }

    /// Forgets every latch, and what may lead to one.
    pub(crate) fn reset(&mut self) {
        self.page.lines.iter_mut().for_each(|record| (record.latch, record.crashes) = (None, [0; CRASHES]));
        self.unreadable = false;
        self.changed = true;
    }

    /// Hands what has changed to the writer. Neither allocates nor waits; if the writer is busy, the next turn tries again.
    pub(crate) fn save(&mut self) {
        if let (Some(page), Some((pages, _))) = (self.unsaved(), &self.writer) {
            self.changed = pages.try_send(page).is_err();
        }
    }

    fn unsaved(&self) -> Option<PageBytes> {
        (self.changed && !self.unreadable).then(|| {
            let mut bytes = [0; Page::LEN];
            self.page.encode(&mut bytes);
            bytes
        })
    }

    fn record(&mut self, name: &str) -> Option<&mut Record> {
        self.page.lines.iter_mut().find(|record| record.is_of(name))
    }
}

fn read(path: &Path) -> io::Result<Page> {
    match fs::read(path) {
        Ok(bytes) => Page::decode(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Page::default()),
        Err(error) => Err(error),
    }
}

/// The guard is done: waits until the writer has written the last page, or failed.
impl Drop for Memory {
    fn drop(&mut self) {
        let Some((pages, thread)) = self.writer.take() else { return };
        // Neither result matters: a writer that has panicked has said so itself.
        if let Some(page) = self.unsaved() {
            let _ = pages.send(page);
        }
        drop(pages);
        let _ = thread.join();
    }
}

/// Writes each page it is given, and again while that fails and no newer one comes.
fn write_pages(pages: &Receiver<PageBytes>, path: &Path, complain: fn(&str)) {
    let mut page = pages.recv().ok();
    let mut complained = false;
    while let Some(content) = &page {
        match replace(path, content) {
            Ok(()) => (page, complained) = (pages.recv().ok(), false),
            Err(problem) => {
                if !complained {
                    complain(&format!("latches do not outlive the guard: {}: {problem}", path.display()));
                }
                complained = true;
                match pages.recv_timeout(RETRY) {
                    Ok(newer) => page = Some(newer),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::protocol::MAX_LINES;

    const S: u64 = 1_000_000_000;

    fn line(name: &str, role: Role) -> LineSpec {
        // Each on a pin of its own.
        let gpio = crc32fast::hash(name.as_bytes());
        LineSpec { name: name.into(), role, gpio, active_low: true }
    }

    fn heater() -> LineSpec {
        line("heater", Role::Heater)
    }

    fn open(folder: &TempDir) -> Memory {
        Memory::open(Some(folder.path()), Nanos(0), |_| ()).unwrap()
    }

    /// One life of a guard, which remembers what `live` did when it is over.
    fn live<T>(folder: &TempDir, live: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = open(folder);
        let result = live(&mut memory);
        memory.save();
        result
    }

    #[test]
    fn nothing_is_latched_at_first() {
        let folder = tempdir().unwrap();
        assert_eq!(open(&folder).latch_of(&heater()), None);
        assert_eq!(recorded_lines(folder.path()).unwrap(), []);
        assert_eq!(recorded_lines(Path::new("/nowhere")).unwrap(), []);
    }

    #[test]
    fn lines_and_latches_are_there_again() {
        let folder = tempdir().unwrap();
        live(&folder, |memory| {
            assert!(memory.claim(&heater()));
            assert!(memory.claim(&line("fan", Role::Fan)));
            memory.latch("heater", Latch::NotWarming);
        });
        assert_eq!(recorded_lines(folder.path()).unwrap(), [heater(), line("fan", Role::Fan)]);
        live(&folder, |memory| {
            assert_eq!(memory.latch_of(&heater()), Some(Latch::NotWarming));
            assert_eq!(memory.latch_of(&line("fan", Role::Fan)), None);
            assert!(memory.claim(&heater()));
            assert!(memory.claim(&line("fan", Role::Fan)));
            memory.release("heater");
        });
        // A line that is not held any more keeps its latch, also on another pin.
        assert_eq!(recorded_lines(folder.path()).unwrap(), [line("fan", Role::Fan)]);
        live(&folder, |memory| {
            let moved = LineSpec { gpio: 17, ..heater() };
            assert!(memory.claim(&moved));
            assert_eq!(memory.latch_of(&moved), Some(Latch::NotWarming));
            memory.reset();
        });
        assert_eq!(open(&folder).latch_of(&heater()), None);
    }

    #[test]
    fn a_damaged_file_latches_every_heater_until_a_reset() {
        let check = |damage: &dyn Fn(&mut Vec<u8>)| {
            let folder = tempdir().unwrap();
            live(&folder, |memory| memory.claim(&heater()));
            let path = folder.path().join(FILE_NAME);
            let mut bytes = fs::read(&path).unwrap();
            damage(&mut bytes);
            fs::write(&path, bytes).unwrap();
            assert!(recorded_lines(folder.path()).is_err());
            // Claiming lines does not mend it.
            for _ in 0..2 {
                live(&folder, |memory| {
                    assert!(memory.claim(&line("other", Role::Heater)));
                    assert_eq!(memory.latch_of(&heater()), Some(Latch::StateUnreadable));
                    assert_eq!(memory.latch_of(&line("other", Role::Heater)), Some(Latch::StateUnreadable));
                    assert_eq!(memory.latch_of(&line("fan", Role::Fan)), None);
                });
            }
            live(&folder, |memory| {
                memory.claim(&heater());
                memory.reset();
                assert_eq!(memory.latch_of(&heater()), None);
            });
            assert_eq!(open(&folder).latch_of(&heater()), None);
            assert_eq!(recorded_lines(folder.path()).unwrap(), [heater()]);
        };
        check(&Vec::clear);
        check(&|bytes| bytes.truncate(100));
        check(&|bytes| bytes.push(0));
        check(&|bytes| bytes[50] ^= 1);
        check(&|bytes| bytes.fill(0));
    }

    #[test]
    fn a_file_that_cannot_be_read_latches_too() {
        let folder = tempdir().unwrap();
        fs::create_dir(folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(open(&folder).latch_of(&heater()), Some(Latch::StateUnreadable));
    }

    #[test]
    fn a_latch_follows_the_pin_to_another_name() {
        let folder = tempdir().unwrap();
        let renamed = LineSpec { name: "left.heater".into(), ..heater() };
        live(&folder, |memory| {
            memory.claim(&heater());
            memory.latch("heater", Latch::RelayStuck);
            memory.release("heater");
            assert_eq!(memory.latch_of(&renamed), Some(Latch::RelayStuck));
        });
        live(&folder, |memory| {
            assert_eq!(memory.latch_of(&renamed), Some(Latch::RelayStuck));
            memory.reset();
            assert_eq!(memory.latch_of(&renamed), None);
        });
    }

    #[test]
    fn a_heater_that_is_not_claimed_any_more_has_ended_in_good_order() {
        let folder = tempdir().unwrap();
        for _ in 0..5 {
            live(&folder, |memory| {
                assert!(memory.claim(&heater()));
                memory.heating("heater");
                memory.release("heater");
            });
        }
        assert_eq!(open(&folder).latch_of(&heater()), None);
    }

    static COMPLAINTS: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn a_full_disk_costs_the_memory_only_and_is_said_once() {
        let folder = tempdir().unwrap();
        // Nothing can be written to the temporary file's name: as good as full.
        fs::create_dir(folder.path().join(FILE_NAME).with_extension("new")).unwrap();
        let complain = |_: &str| {
            COMPLAINTS.fetch_add(1, Ordering::SeqCst);
        };
        let mut memory = Memory::open(Some(folder.path()), Nanos(0), complain).unwrap();
        memory.claim(&heater());
        for latch in Latch::ALL {
            memory.latch("heater", latch);
            memory.save();
            assert_eq!(memory.latch_of(&heater()), Some(latch));
        }
        drop(memory);
        assert_eq!(COMPLAINTS.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn only_so_many_names_are_remembered() {
        let mut memory = Memory::open(None, Nanos(0), |_| ()).unwrap();
        let name = |index: usize| format!("heater-{index}");
        for index in 0..MAX_LINES {
            assert!(memory.claim(&line(&name(index), Role::Heater)));
        }
        assert!(!memory.claim(&heater()), "eight are held");
        memory.latch(&name(0), Latch::LineFault);
        memory.release(&name(0));
        assert!(!memory.claim(&heater()), "seven are held, one is latched");
        memory.release(&name(1));
        assert!(memory.claim(&heater()));
        assert_eq!(memory.latch_of(&heater()), None);
        memory.reset();
        assert!(memory.claim(&line("one-more", Role::Heater)), "the latched one is free now");
    }

    fn open_at(folder: &TempDir, now_s: u64) -> Memory {
        Memory::open(Some(folder.path()), Nanos(now_s * S), |_| ()).unwrap()
    }

    #[test]
    fn the_fourth_crash_in_ten_minutes_is_once_too_often() {
        let check = |times_s: [u64; 4], too_often: bool| {
            // One guard sees them all.
            let mut memory = Memory::open(None, Nanos(0), |_| ()).unwrap();
            memory.claim(&heater());
            let latches = times_s.map(|at| {
                memory.heating("heater");
                memory.ended("heater", Nanos(at * S), true);
                memory.latch_of(&heater())
            });
            assert_eq!(latches, [None, None, None, too_often.then_some(Latch::CrashLoop)], "{times_s:?}");
            // The guard and its daemon die together each time, and the next guard counts it.
            let folder = tempdir().unwrap();
            let latches = times_s.map(|at| {
                let mut memory = open_at(&folder, at);
                memory.claim(&heater());
                memory.heating("heater");
                memory.latch_of(&heater())
            });
            assert_eq!(latches, [None; 4], "{times_s:?}");
            let last = open_at(&folder, times_s[3]).latch_of(&heater());
            assert_eq!(
                last,
                (times_s[3] - times_s[1] <= 600 && times_s[1] > 0).then_some(Latch::CrashLoop),
                "{times_s:?}"
            );
        };
        check([100, 200, 300, 700], true);
        check([100, 200, 300, 701], false);
        check([100, 100, 100, 100], true);
        check([100, 800, 900, 1_399], false);
    }

    #[test]
    fn an_end_in_good_order_is_no_crash() {
        let folder = tempdir().unwrap();
        for _ in 0..5 {
            let mut memory = open_at(&folder, 100);
            memory.claim(&heater());
            memory.heating("heater");
            memory.ended("heater", Nanos(100 * S), false);
            // Nor is one that never asked for heat.
            memory.ended("heater", Nanos(100 * S), true);
        }
        assert_eq!(open_at(&folder, 100).latch_of(&heater()), None);
    }

    #[test]
    fn crashes_of_another_boot_do_not_count_and_latches_do() {
        let folder = tempdir().unwrap();
        for (latch, expected) in [(None, None), (Some(Latch::RelayStuck), Some(Latch::RelayStuck))] {
            live(&folder, |memory| {
                memory.claim(&heater());
                for at in 1..4 {
                    memory.heating("heater");
                    memory.ended("heater", Nanos(at), true);
                }
                if let Some(latch) = latch {
                    memory.latch("heater", latch);
                }
                memory.page.sequence ^= 1;
            });
            live(&folder, |memory| {
                memory.claim(&heater());
                memory.heating("heater");
                memory.ended("heater", Nanos(4), true);
                assert_eq!(memory.latch_of(&heater()), expected);
            });
        }
    }
}
