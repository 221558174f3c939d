//! Opening: what the last run left on disk and on tmpfs, put together again.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use filamentbox_core::config::Durability;
use filamentbox_core::event::{Event, EventKind, Severity};
use filamentbox_core::sample::Sample;
use filamentbox_core::time::{Clock, UnixTime};

use super::configure::rule;
use super::crash::{CursorFile, Logged, Place, SampleLog};
use super::disk::Disk;
use super::handle::Handle;
use super::intake::{Intake, Way};
use super::ledger::{Cursor, Ledger};
use super::limits::{Episode, Limits, Reference, Room, Tidying};
use super::stamps::Stamps;
use super::store::{Commit, Store};
use super::tail::Tail;
use super::worker::{Worker, in_blocks};
use super::{OpenError, Options};

/// Samples in the crash log: more are open at once only with durability `ram`, or while the disk fails.
const CRASH_SLOTS: u64 = 4096;

/// What was found at opening.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// There was no file; one was made.
    pub created: bool,
    /// The last run ended in an orderly way, or there was none.
    pub clean: bool,
    /// Open samples of a crashed run that were found again.
    pub recovered: u64,
    /// Samples that are known to have been taken and were not found again. After a power cut, those taken since `last_sealed` are
    /// lost, and nobody has counted them.
    pub lost: u64,
    /// When something was last sealed.
    pub last_sealed: Option<UnixTime>,
    /// The file was damaged and is now kept here.
    pub renamed_to: Option<PathBuf>,
    /// What was saved from it, in words.
    pub salvaged: Option<String>,
    /// Its blocks that could not be saved.
    pub damaged_blocks: u64,
    /// Why there is no crash log, although one was asked for.
    pub crash_log_problem: Option<String>,
    /// The time of opening.
    at: Option<UnixTime>,
}

impl Recovery {
    /// What a person should know of it. Not recorded yet.
    pub fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut say = |severity, text| {
            events.push(Event { at: self.at, box_name: None, kind: EventKind::Daemon, severity, text });
        };
        if let Some(salvaged) = &self.salvaged {
            say(Severity::Error, salvaged.clone());
        }
        if !self.clean && self.recovered > 0 {
            say(
                Severity::Warning,
                format!("the last run did not end cleanly; its {} open samples were recovered", self.recovered),
            );
        } else if !self.clean {
            let since = self.last_sealed.map_or("the start of that run".to_owned(), |at| at.to_string());
            say(
                Severity::Warning,
                format!(
                    "the last run did not end cleanly; samples that were only in memory are lost, if there were any since {since}"
                ),
            );
        }
        if self.lost > 0 {
            say(Severity::Error, format!("{} samples of the last run are lost", self.lost));
        }
        if let Some(problem) = &self.crash_log_problem {
            say(
                Severity::Warning,
                format!("there is no crash log ({problem}); a crash of the program loses the open samples"),
            );
        }
        events
    }
}

/// Samples from before the file could be opened.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) samples: VecDeque<Sample>,
    /// So many before them had to go.
    pub(super) evicted: u64,
}

/// Opens the journal.
///
/// # Errors
/// The file cannot be used. A damaged file can: it is replaced, and what is whole in it is kept.
pub fn open(options: Options) -> Result<(Intake, Handle, Worker, Recovery), OpenError> {
    let mut way = Way::new(&options);
    let (mut worker, crash_log, recovery) = assemble(&options, &way, &Held::default())?;
    way.connect(&mut worker, crash_log, 0);
    let (intake, handle) = way.ends();
    Ok((intake, handle, worker, recovery))
}

/// Puts the worker together that goes on where the last run ended, with `held` behind that. It is not connected yet.
///
/// # Errors
/// As for [`open`]. Nothing is changed then, but for a damaged file.
pub(super) fn assemble(
    options: &Options,
    way: &Way,
    held: &Held,
) -> Result<(Worker, Option<SampleLog>, Recovery), OpenError> {
    let (mut store, found) = Store::open(&options.path, random(), false)?;
    let unreadable =
        |error: rusqlite::Error| OpenError::Unavailable { path: options.path.clone(), reason: error.to_string() };
    options.clocks.look(store.newest(), true);
    let clock = options.clocks.read();
    let last = LastRun::read(&store).map_err(unreadable)?;
    let mut recovery = Recovery {
        created: found.created,
        clean: found.clean,
        recovered: 0,
        lost: 0,
        last_sealed: last.sealed_at,
        renamed_to: found.salvaged.as_ref().map(|salvaged| salvaged.renamed_to.clone()),
        salvaged: found.salvaged.as_ref().map(super::store::Salvaged::describe),
        damaged_blocks: found.salvaged.as_ref().map_or(0, |salvaged| salvaged.damaged),
        crash_log_problem: None,
        at: clock.wall,
    };
    let place = match options.crash_log_dir.as_deref().map(|folder| Place::new(folder, &options.path)) {
        None => None,
        Some(Ok(place)) => Some(place),
        Some(Err(problem)) => {
            recovery.crash_log_problem = Some(problem.to_string());
            None
        }
    };
    let mut tail = last.tail(place.as_ref(), &clock, options.clocks.boot(), &mut store, &mut recovery);
    let unstamped = store.unstamped(options.clocks.boot()).map_err(unreadable)?;
    let mut ledger = Ledger::new(last.cursors(place.as_ref(), &tail, &options.sinks));
    // A crash between a change of the file and that of the crash log, a sink that was not configured for a while, a damaged file; or the
    // crash log still has what was thinned, or damaged, at the very end of the file.
    if recovery.lost > 0
        || tail.first() < last.next
        || ledger.cursors().any(|cursor| cursor.revision != store.revision())
    {
        let range = ledger.slowest().unwrap_or(u64::MAX)..tail.first();
        ledger.recount(tail.first(), &store.present(&range).map_err(unreadable)?, store.revision());
    }
    held.samples.iter().for_each(|sample| tail.push(sample.clone()));
    ledger.lose_unnumbered(held.evicted);
    let (crash, crash_log) =
        match place.map(|place| create_crash_log(place, last.id, options, &tail, &ledger)).transpose() {
            Ok(Some((place, cursors, samples))) => (Some((place, cursors)), Some(samples)),
            Ok(None) => (None, None),
            Err(problem) => {
                recovery.crash_log_problem = Some(problem.to_string());
                (None, None)
            }
        };
    let queue_max = options.queue_max_size.max(1);
    let crash_slots = crash_log.as_ref().map(SampleLog::slots);
    let sends_again = store.sinks_to_send_again().map_err(unreadable)?.into_iter().collect();
    let worker = Worker {
        rule: rule(options.durability, queue_max, !ledger.is_empty(), crash_slots),
        limits: Limits {
            max_blocks: options.max_batches,
            max_bytes: options.max_bytes,
            retention: options.retention,
            max_age: options.max_age,
        },
        batch_size: options.batch_size.max(1),
        clocks: options.clocks.clone(),
        alerts: options.alerts.clone(),
        shared: way.shared.clone(),
        notifies: way.notifies.clone(),
        items: None,
        requests: None,
        next_event: store.last_event() + 1,
        disk: Disk::new(options.path.clone(), last.id, store),
        tail,
        ledger,
        retired: Vec::new(),
        awaited: Vec::new(),
        crash_slots,
        crash,
        events: Vec::new(),
        letters: Vec::new(),
        forgotten: Vec::new(),
        sends_again,
        urgent: false,
        drained_at: clock.now,
        committed_at: clock.now,
        dropped_seen: 0,
        evicted: held.evicted,
        losing: Episode::default(),
        thinning_told: None,
        recount: false,
        room: Room { look_at: clock.now, is_short: false },
        tidying: Tidying { due: clock.now },
        unstamped,
        stamping: false,
        reported_lost_time: false,
        offset_ms: None,
        reference: Reference { newest: last.sealed_at, opened_at: clock.now },
        newest_taken: None,
        running: false,
    };
    Ok((worker, crash_log, recovery))
}

fn random() -> u64 {
    // The standard library seeds its hash maps from the system's random numbers.
    RandomState::new().build_hasher().finish()
}

fn create_crash_log(
    place: Place,
    id: u64,
    options: &Options,
    tail: &Tail,
    ledger: &Ledger,
) -> io::Result<(Place, CursorFile, SampleLog)> {
    let queue = options.queue_max_size as u64;
    let slots = match options.durability {
        // The queue, and what is on its way to it.
        Durability::Ram => (queue + queue / 2).max(CRASH_SLOTS),
        Durability::Each | Durability::Minute => CRASH_SLOTS,
    };
    // The cursors first: without the samples, no cursor is believed that is ahead of the file.
    let cursors = CursorFile::create(&place, id, ledger.cursors())?;
    let samples = SampleLog::create(&place, id, options.clocks.boot(), slots.max(tail.len() as u64), tail.numbered())?;
    Ok((place, cursors, samples))
}

/// What the file says of the last run.
struct LastRun {
    id: u64,
    /// Where the blocks begin and end.
    oldest: Option<u64>,
    sealed_end: u64,
    /// The number that the next sample must have at least, if the crash log does not know better.
    next: u64,
    sealed_at: Option<UnixTime>,
    cursors: Vec<Cursor>,
}

impl LastRun {
    fn read(store: &Store) -> rusqlite::Result<Self> {
        Ok(Self {
            id: store.journal_id()?,
            oldest: store.oldest()?.map(|oldest| oldest.first),
            sealed_end: store.sealed_end()?,
            next: store.next()?,
            sealed_at: store.sealed_at()?,
            cursors: store.cursors()?,
        })
    }

    /// The open samples, from the crash log if there is one.
    fn tail(
        &self,
        place: Option<&Place>,
        clock: &Clock,
        boot: &str,
        store: &mut Store,
        recovery: &mut Recovery,
    ) -> Tail {
        let stamps = Stamps::after(store.newest().map(UnixTime::millis));
        let mut log = place.map(|place| SampleLog::read(place, self.id, self.sealed_end)).unwrap_or_default();
        let cursors_end = self.cursors.iter().map(Cursor::end).max().unwrap_or(0);
        // A log that ends before a place where a backend has been is not of the last run.
        let first = log.samples.first().map(|(first, _)| *first);
        let Some(first) = first.filter(|first| first + log.samples.len() as u64 >= cursors_end) else {
            recovery.lost = self.next - self.sealed_end;
            return Tail::new(self.next, stamps);
        };
        recovery.recovered = log.samples.len() as u64;
        recovery.lost = first - self.sealed_end;
        recovery.clean = false;
        if log.boot != boot && !from_another_boot(&mut log, clock) {
            let end = first + log.samples.len() as u64;
            if seal_unstamped(store, first, log).is_err() {
                (recovery.lost, recovery.recovered) = (recovery.lost + recovery.recovered, 0);
            }
            return Tail::new(end, stamps);
        }
        let mut tail = Tail::new(first, stamps);
        let mut sealed = |range| store.stamps(&range).ok();
        log.samples.into_iter().for_each(|(_, sample)| tail.push_recovered(sample, &mut sealed));
        tail
    }

    /// The cursors of the configured sinks: of file and crash log the one that is further.
    fn cursors(&self, place: Option<&Place>, tail: &Tail, sinks: &[String]) -> Vec<Cursor> {
        let crash: Vec<Cursor> = place.map(|place| CursorFile::read(place, self.id)).unwrap_or_default();
        let begin = self.oldest.unwrap_or(tail.first());
        let mut cursors: Vec<Cursor> = Vec::new();
        for sink in sinks {
            if cursors.iter().any(|cursor| cursor.sink == *sink) {
                continue;
            }
            let known =
                self.cursors.iter().chain(&crash).filter(|cursor| cursor.sink == *sink && cursor.end() <= tail.end());
            let furthest = known.max_by_key(|cursor| cursor.age()).cloned();
            cursors.push(furthest.unwrap_or_else(|| Cursor::new(sink, begin)));
        }
        cursors
    }
}

/// Samples of another boot, whose times nobody will ever know, join those of that boot on disk, with which they share the fate.
fn seal_unstamped(store: &mut Store, first: u64, log: Logged) -> rusqlite::Result<()> {
    let mut tail = Tail::new(first, Stamps::after(None));
    log.samples.into_iter().for_each(|(_, sample)| tail.push(sample));
    let unstamped = in_blocks(first, &tail.to_seal().1);
    store.commit(&Commit { unstamped: &unstamped, boot: &log.boot, next: tail.end(), ..Commit::default() })
}

/// Gives samples of another boot the times they had, if one of them knows its own: that tells when that boot was. Their moments mean
/// nothing in this one. Says whether that was possible.
fn from_another_boot(log: &mut Logged, clock: &Clock) -> bool {
    let known = log.samples.iter().rev().find_map(|(_, sample)| Some((sample.taken_at, sample.wall?)));
    let Some((moment, wall)) = known else { return false };
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    for (_, sample) in &mut log.samples {
        let later = wall.millis().saturating_add(millis(sample.taken_at.since(moment)));
        let wall = UnixTime::from_millis(later.saturating_sub(millis(moment.since(sample.taken_at))));
        sample.wall = sample.wall.or(Some(wall));
        sample.taken_at = sample.taken_at.min(clock.now);
    }
    true
}
