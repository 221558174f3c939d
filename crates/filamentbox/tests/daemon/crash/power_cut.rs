//! The disks that a power cut may leave, made from a record of what the journal wrote.
//!
//! What was written before the last completed sync of a file is there. Of what was written to it since, any part may be: none, all, a
//! beginning, or any writes and any sectors of 512 bytes of them, in each file for itself. Names of files are taken as durable at
//! once and in order, as a journaling file system keeps them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use filamentbox_core::config::Durability;

use super::oracle::{self, Left, Story};
use super::strace;
use super::workload::{self, DURABILITIES, Place};

/// What a disk writes in one piece.
const SECTOR: usize = 512;
const AT_ONCE: u64 = 2;

/// A change of one file.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

/// One call of the journal, or one line of the story.
#[derive(Clone, Debug)]
enum Step {
    Create(PathBuf),
    Remove(PathBuf),
    Change(PathBuf, Change),
    Sync(PathBuf),
    Story(String),
}

/// Runs the workload once, and returns what it did.
fn record(durability: Durability) -> Vec<Step> {
    let folder = tempfile::tempdir_in("/dev/shm").expect("a folder");
    let place = Place::new(folder.path());
    let log = folder.path().join("strace");
    let mut paths = ["", "-wal", "-journal"].map(|suffix| place.disk().join(format!("journal.db{suffix}"))).to_vec();
    paths.push(place.story());
    let calls = "openat,write,pwrite64,fsync,fdatasync,ftruncate,rename,unlink";
    let mut before = strace::tracing(calls, &paths, &log);
    before.extend(["-xx", "-s", "1000000", "--seccomp-bpf"].map(str::to_owned));
    let status = workload::command(&place, durability, &before).output().expect("strace(1)").status;
    assert!(status.success(), "the workload runs under strace: {status}");
    let steps: Vec<Step> = strace::calls(&log).iter().filter_map(|call| step(call, &place)).collect();
    let mut story = Story::default();
    steps
        .iter()
        .filter_map(|step| if let Step::Story(line) = step { Some(line) } else { None })
        .for_each(|line| story.hear(line));
    assert!(story.ended, "the record is complete: {story:?}");
    let is_new_log = |step: &&Step| matches!(step, Step::Change(path, Change::Write { offset: 0, .. }) if is_log(path));
    let logs = steps.iter().filter(is_new_log).count();
    let expected = if durability == Durability::Each { 3 } else { 2 };
    assert!(
        logs >= expected,
        "the write-ahead log is begun {logs} times: twice for two openings, and after it was merged"
    );
    steps
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "db-wal")
}

/// From a line such as `123 pwrite64(5<\x2f\x61>, "\x00\x01", 2, 1024) = 2`.
fn step(call: &str, place: &Place) -> Option<Step> {
    let (call, result) = call.rsplit_once(" = ").expect("a result");
    let result: i64 = result.split(['<', ' ']).next().and_then(|number| number.parse().ok()).expect("a number");
    if result < 0 {
        return None;
    }
    let (_thread, call) = call.split_once(' ').expect("a thread");
    let (name, arguments) = call.trim_end().strip_suffix(')').and_then(|call| call.split_once('(')).expect("a call");
    let arguments: Vec<&str> = arguments.split(", ").collect();
    let quoted =
        |text: &str| decoded(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).expect("a string"));
    let path = |bytes: Vec<u8>| PathBuf::from(String::from_utf8(bytes).expect("UTF-8"));
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let opened =
        |text: &str| path(decoded(text.split_once('<').and_then(|(_, text)| text.strip_suffix('>')).expect("a path")));
    Some(match name {
        "openat" => {
            let file = path(quoted(arguments[1]));
            if file == place.story() || !arguments[2].contains("O_CREAT") {
                return None;
            }
            Step::Create(file)
        }
        "unlink" => Step::Remove(path(quoted(arguments[0]))),
        "fsync" | "fdatasync" => Step::Sync(opened(arguments[0])),
        "ftruncate" => Step::Change(opened(arguments[0]), Change::Truncate { length: number(arguments[1]) }),
        "write" if opened(arguments[0]) == place.story() => {
            Step::Story(String::from_utf8(quoted(arguments[1])).expect("text").trim_end().to_owned())
        }
        "pwrite64" => {
            let bytes = quoted(arguments[1]);
            assert_eq!(
                i64::try_from(bytes.len()).ok(),
                Some(result),
                "a write is whole, in the file and in the record"
            );
            Step::Change(opened(arguments[0]), Change::Write { offset: number(arguments[3]), bytes })
        }
        other => panic!("the journal calls {other}, which is not understood here"),
    })
}

/// From `\x2f\x61`.
fn decoded(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits")).collect()
}

/// A disk with its cache.
#[derive(Default)]
struct Disk {
    files: BTreeMap<PathBuf, Cached>,
}

#[derive(Default)]
struct Cached {
    durable: Vec<u8>,
    /// Since the last sync, in order.
    unsynced: Vec<Change>,
}

impl Disk {
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Create(path) => drop(self.files.entry(path.clone()).or_default()),
            Step::Remove(path) => drop(self.files.remove(path)),
            Step::Change(path, change) => self.files.entry(path.clone()).or_default().unsynced.push(change.clone()),
            Step::Sync(path) => {
                let file = self.files.entry(path.clone()).or_default();
                let unsynced = std::mem::take(&mut file.unsynced);
                unsynced.iter().for_each(|change| change.apply(&mut file.durable, |_| true));
            }
            Step::Story(_) => {}
        }
    }

    /// Puts one of the disks that a power cut may leave now into `folder`.
    fn cut(&self, folder: &Path, random: &mut Random) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            std::fs::remove_file(entry.expect("an entry").path()).expect("a file of ours");
        }
        for (path, file) in &self.files {
            let mut bytes = file.durable.clone();
            let (way, count) = (random.below(6), file.unsynced.len() as u64);
            let beginning = if way == 2 { random.below(count + 1) } else { count };
            for (index, change) in (0..).zip(&file.unsynced) {
                let keeps = match way {
                    0 => true,
                    1 => false,
                    2 => index < beginning,
                    _ => random.below(2) == 0,
                };
                // Of the last of a beginning, and of any write when nothing is in order, some sectors are missing.
                let is_torn = way == 2 && index + 1 == beginning || way >= 4 && random.below(3) == 0;
                if keeps {
                    change.apply(&mut bytes, |_| !is_torn || random.below(2) == 0);
                }
            }
            std::fs::write(folder.join(path.file_name().expect("a name")), bytes).expect("written");
        }
    }
}

impl Change {
    /// Changes those sectors that are `kept`.
    fn apply(&self, file: &mut Vec<u8>, mut kept: impl FnMut(usize) -> bool) {
        match self {
            Self::Truncate { length } => {
                if kept(0) {
                    file.resize(*length, 0);
                }
            }
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                for sector in offset / SECTOR..end.div_ceil(SECTOR) {
                    let (from, to) = ((sector * SECTOR).max(*offset), ((sector + 1) * SECTOR).min(end));
                    if kept(sector) {
                        file.resize(file.len().max(to), 0);
                        file[from..to].copy_from_slice(&bytes[from - offset..to - offset]);
                    }
                }
            }
        }
    }
}

/// SplitMix64 (Steele and others, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Cuts the power `cuts` times, spread over the whole record, and returns what was wrong afterwards.
fn cut_power(durability: Durability, steps: &[Step], cuts: u64) -> Vec<String> {
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 0..AT_ONCE {
            let failures = &failures;
            scope.spawn(move || {
                let folder = tempfile::tempdir_in("/dev/shm").expect("a folder");
                let place = Place::new(folder.path());
                let (mut disk, mut story, mut done) = (Disk::default(), Story::default(), 0);
                for seed in (worker..cuts).step_by(AT_ONCE as usize) {
                    let at = usize::try_from(seed * (steps.len() as u64 + 1) / cuts).expect("a position");
                    for step in &steps[done..at] {
                        disk.apply(step);
                        if let Step::Story(line) = step {
                            story.hear(line);
                        }
                    }
                    done = at;
                    disk.cut(&place.disk(), &mut Random(seed));
                    if let Err(wrong) = oracle::check(&place, durability, &story, Left::Disk) {
                        failures
                            .lock()
                            .expect("no thread has panicked")
                            .push(format!("{durability:?}, seed {seed} of {cuts}, step {at}: {wrong}"));
                    }
                }
            });
        }
    });
    failures.into_inner().expect("no thread has panicked")
}

/// So many power cuts with each durability.
fn cut_everywhere(cuts: u64) {
    for durability in DURABILITIES {
        let steps = record(durability);
        let failures = cut_power(durability, &steps, cuts);
        println!("{durability:?}: {cuts} power cuts in {} steps, {} failures", steps.len(), failures.len());
        assert!(failures.is_empty(), "{}", failures[..failures.len().min(10)].join("\n"));
    }
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_sealed() {
    if strace::is_possible() {
        cut_everywhere(200);
    }
}

#[test]
fn soak_of_power_cuts() {
    if std::env::var_os("FILAMENTBOX_SOAK").is_none() {
        eprintln!("SKIPPED: 6000 power cuts are part of `make soak` (FILAMENTBOX_SOAK=1)");
        return;
    }
    if strace::is_possible() {
        cut_everywhere(2_000);
    }
}

/// A test of the test: of a journal that does not sync, it finds losses and damage.
#[test]
fn power_cuts_of_a_journal_without_syncs_are_noticed() {
    if !strace::is_possible() {
        return;
    }
    let steps = record(Durability::Each);
    let never = |step: &Step| !matches!(step, Step::Sync(_));
    // Somewhat worse than `synchronous = NORMAL`, which syncs the log before it is merged into the file.
    let seldom = |step: &Step| !matches!(step, Step::Sync(path) if is_log(path));
    for (name, keeps) in [("never", &never as &dyn Fn(&Step) -> bool), ("seldom", &seldom)] {
        let steps: Vec<Step> = steps.iter().filter(|step| keeps(step)).cloned().collect();
        let failures = cut_power(Durability::Each, &steps, 200);
        let damaged = failures.iter().filter(|failure| failure.contains("damaged")).count();
        println!("{name} synced: {} of 200 power cuts lose something, {damaged} damage the file", failures.len());
        assert!(failures.len() > 20, "{name} synced: losses are noticed");
        assert!(name == "seldom" || damaged > 0, "damage is noticed");
    }
}
