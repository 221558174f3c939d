//! A program that uses the journal as the daemon does, the same way each time, and writes down what it was promised: this test's own
//! executable, started again.
//!
//! The story goes line by line into a file that the journal knows nothing of, so that it outlives the program.

use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use filamentbox::alerts::Alerts;
use filamentbox::journal::{self, Gone, Handle, Intake, OpenError, Options, Recovery, State, Verdict};
use filamentbox::runtime::clock::Clocks;
use filamentbox_core::config::Durability;
use filamentbox_core::event::{Event, EventKind, Severity};
use filamentbox_core::sample::{BoxName, Measurement, Point, Sample};
use filamentbox_core::time::{Monotonic, UnixTime};
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};
use tokio::runtime::Runtime;

use super::oracle;

/// The backends: one that takes everything at once, and one that lags, refuses and comes back.
pub(super) const SINKS: [&str; 2] = ["quick", "slow"];
pub(super) const DURABILITIES: [Durability; 3] = [Durability::Each, Durability::Minute, Durability::Ram];
/// 2026-01-01.
const START_MS: i64 = 1_767_225_600_000;
/// From one sample to the next.
const INTERVAL: Duration = Duration::from_secs(20);
/// The workload's length.
const ROUNDS: u64 = 16;
const SAMPLES_A_ROUND: u64 = 4;
/// After so many samples the box rests for more than an hour, after which the journal tidies up.
const SAMPLES_AN_HOUR: u64 = 4 * SAMPLES_A_ROUND;
const REST: Duration = Duration::from_secs(3700);
/// Longer than the journal waits before it tries a failing disk again.
const PAUSE: Duration = Duration::from_secs(61);
/// With [`Durability::Each`], two events are so long that SQLite merges its write-ahead log (400 pages of 1 KiB) in the middle of a run.
const LONG_EVENT: usize = 140_000;
const SHORT_EVENT: usize = 1_000;
/// After this round the journal is stopped and opened again.
const LAST_BEFORE_THE_STOP: u64 = 13;

const FOLDER: &str = "FILAMENTBOX_CRASH_FOLDER";
const DURABILITY: &str = "FILAMENTBOX_CRASH_DURABILITY";
/// The test that is the program.
const NAME: &str = "crash::workload::what_the_journal_promises_is_kept_without_a_crash";

/// The files of one run.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
}

impl Place {
    /// Makes the folders.
    pub(super) fn new(folder: &Path) -> Self {
        let place = Self { folder: folder.to_owned() };
        for folder in [place.disk(), place.crash_logs()] {
            std::fs::create_dir_all(folder).expect("a folder");
        }
        place
    }

    /// What a power cut leaves.
    pub(super) fn disk(&self) -> PathBuf {
        self.folder.join("disk")
    }

    /// What a crash leaves besides.
    pub(super) fn crash_logs(&self) -> PathBuf {
        self.folder.join("shm")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.disk().join("journal.db")
    }

    pub(super) fn story(&self) -> PathBuf {
        self.folder.join("story")
    }
}

/// The command that runs the workload, with `before` (strace) in front of it.
pub(super) fn command(place: &Place, durability: Durability, before: &[String]) -> Command {
    let program = std::env::current_exe().expect("this program").into_os_string().into_string().expect("text");
    let words = [before, &[program, NAME.to_owned(), "--exact".to_owned(), "--test-threads=1".to_owned()]].concat();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env(FOLDER, &place.folder).env(DURABILITY, format!("{durability:?}"));
    command
}

/// The settings of a journal that lives at `place`, from sample number `next` on.
pub(super) fn options(place: &Place, durability: Durability, next: u64) -> Options {
    let wall = UnixTime::from_millis(millis(next));
    Options {
        path: place.journal(),
        crash_log_dir: Some(place.crash_logs()),
        durability,
        queue_max_size: 1000,
        max_batches: 50_000,
        retention: Duration::from_secs(7 * 86_400),
        max_bytes: 64 << 20,
        max_age: Duration::from_secs(365 * 86_400),
        sinks: SINKS.map(str::to_owned).to_vec(),
        batch_size: 10,
        // Stands still until it is moved.
        clocks: Arc::new(Clocks::scaled(1e12, wall, Duration::ZERO)),
        alerts: Alerts::default(),
    }
}

/// From the first sample to this one.
fn after(number: u64) -> Duration {
    let times = |number: u64| u32::try_from(number).expect("small");
    INTERVAL * times(number) + REST * times(number / SAMPLES_AN_HOUR)
}

fn millis(number: u64) -> i64 {
    START_MS + i64::try_from(after(number).as_millis()).expect("small")
}

/// The point with this number: all that any journal of a workload may hold in its place.
pub(super) fn point(number: u64) -> Point {
    let small = i32::try_from(number).expect("small");
    let measurement = Measurement {
        temperature: Celsius::from_centi(2000 + small * 7 % 900).expect("air"),
        humidity: RelativeHumidity::from_centi(1500 + small * 13 % 700).expect("air"),
        pressure: Hectopascal::from_pascal(101_325 + small * 3 % 50),
    };
    Point {
        box_name: BoxName::main(),
        at: UnixTime::from_millis(millis(number)),
        measurement,
        heater_on: number.is_multiple_of(3),
        fan_on: false,
    }
}

/// The thread that opens journals and then is theirs, one after another: strace counts by thread.
pub(super) struct JournalThread {
    openings: Sender<(Options, Sender<Result<Opened, OpenError>>)>,
    /// A journal was stopped.
    stops: Receiver<()>,
    thread: JoinHandle<()>,
}

type Opened = (Intake, Handle, Recovery);

impl JournalThread {
    pub(super) fn start() -> Self {
        let (openings, to_open) = channel::<(Options, Sender<Result<Opened, OpenError>>)>();
        let (stopped, stops) = channel();
        let thread = std::thread::spawn(move || {
            for (options, reply) in to_open {
                match journal::open(options) {
                    Ok((intake, handle, mut worker, recovery)) => {
                        reply.send(Ok((intake, handle, recovery))).expect("the opener waits");
                        worker.run();
                        drop(worker);
                        stopped.send(()).expect("the stopper waits");
                    }
                    Err(error) => reply.send(Err(error)).expect("the opener waits"),
                }
            }
        });
        Self { openings, stops, thread }
    }

    fn open(&self, options: Options) -> Result<Opened, OpenError> {
        let (reply, opened) = channel();
        self.openings.send((options, reply)).expect("the journal's thread lives");
        opened.recv().expect("the journal's thread lives")
    }

    /// Ends it; says whether it had not panicked.
    pub(super) fn end(self) -> bool {
        drop(self.openings);
        self.thread.join().is_ok()
    }
}

/// A journal whose thread runs.
pub(super) struct Running {
    intake: Intake,
    handle: Handle,
    pub(super) recovery: Recovery,
    clocks: Arc<Clocks>,
    runtime: Runtime,
    /// The moment of sample number 0.
    start: Monotonic,
    next: u64,
}

impl Running {
    /// Opens it. `next` is the number of the sample that belongs to the clock's time now.
    pub(super) fn open(thread: &JournalThread, options: Options, next: u64) -> Result<Self, OpenError> {
        let clocks = options.clocks.clone();
        let (intake, handle, recovery) = thread.open(options)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let opened_at = clocks.read().now.nanos();
        let start = Monotonic::from_nanos(opened_at.saturating_sub(after(next).as_nanos() as u64));
        Ok(Self { intake, handle, recovery, clocks, runtime, start, next })
    }

    /// Asks once.
    pub(super) fn try_ask<T, F>(&self, question: impl FnOnce(Handle) -> F) -> Result<T, Gone>
    where
        F: Future<Output = Result<T, Gone>>,
    {
        self.runtime.block_on(question(self.handle.clone()))
    }

    /// Asks until there is an answer, as the daemon does while the disk fails.
    pub(super) fn ask<T, F>(&mut self, question: impl Fn(Handle) -> F) -> T
    where
        F: Future<Output = Result<T, Gone>>,
    {
        for _ in 0..20 {
            if let Ok(answer) = self.try_ask(&question) {
                return answer;
            }
            self.pass(PAUSE);
        }
        panic!("the journal does not answer");
    }

    /// Returns after a whole turn of the journal's thread.
    fn settle_down(&mut self) {
        for _ in 0..2 {
            self.try_ask(|handle| async move { handle.statistics().await }).expect("the journal's thread lives");
        }
    }

    /// Lets time go by, and the journal do what is due then. Tidying up goes in steps, a turn each.
    fn pass(&mut self, time: Duration) {
        let now = self.clocks.read().now;
        self.clocks.stored(now + time);
        for _ in 0..6 {
            self.settle_down();
        }
    }

    /// Takes the next sample.
    pub(super) fn sample(&mut self) {
        let Point { box_name, at, measurement, heater_on, fan_on } = point(self.next);
        let taken_at = self.start + after(self.next);
        self.clocks.stored(taken_at);
        self.intake.sample(Sample { box_name, taken_at, wall: Some(at), measurement, heater_on, fan_on });
        self.next += 1;
    }

    /// Stops it in good order; says whether its thread came to its end.
    pub(super) fn stop(self, thread: &JournalThread) -> bool {
        self.runtime.block_on(self.handle.stop());
        thread.stops.recv().is_ok()
    }
}

/// The workload's state.
struct Workload {
    place: Place,
    durability: Durability,
    story: File,
    thread: JournalThread,
    journal: Running,
}

impl Workload {
    /// Begins, or goes on after a crash.
    fn begin(place: &Place, durability: Durability) -> Self {
        let next = oracle::Story::read(place).taken;
        let mut story = File::options().create(true).append(true).open(place.story()).expect("the story");
        let thread = JournalThread::start();
        let mut journal = open_patiently(&thread, options(place, durability, next), next, &mut story);
        // One more may have been taken than anybody was told.
        journal.next = journal.ask(|handle| async move { handle.statistics().await }).sampled;
        Self { place: place.clone(), durability, story, thread, journal }
    }

    fn tell(&mut self, line: &str) {
        tell(&mut self.story, line);
    }

    fn take(&mut self, count: u64) {
        for _ in 0..count {
            self.journal.sample();
            self.tell(&format!("taken {}", self.journal.next));
            self.tell_what_is_sealed();
        }
    }

    /// The answer comes after the turn that the last sample woke the journal for.
    fn tell_what_is_sealed(&mut self) {
        let statistics = self.journal.ask(|handle| async move { handle.statistics().await });
        if statistics.state == State::Working {
            self.tell(&format!("sealed {}", statistics.sealed));
        }
    }

    fn pass(&mut self, time: Duration) {
        self.journal.pass(time);
        self.tell_what_is_sealed();
    }

    /// Reads up to `max` samples from `from` on and settles them; every `refused`-th is refused.
    fn deliver(&mut self, sink: &'static str, from: Option<u64>, max: usize, refused: Option<u64>) {
        let batch = self.journal.ask(|handle| async move { handle.read(sink, from, max).await });
        if batch.points.is_empty() {
            return;
        }
        let numbered = batch.range.clone().zip(batch.points);
        let (good, bad): (Vec<_>, Vec<_>) =
            numbered.partition(|(number, _)| refused.is_none_or(|refused| number % refused != 0));
        let letters: Vec<String> = bad.iter().map(|(number, _)| number.to_string()).collect();
        let refused = bad.into_iter().map(|(_, point)| (point, "no such field".to_owned())).collect();
        let verdict = Verdict { delivered: good.len() as u64, superseded: 0, refused };
        let Range { start, end } = batch.range;
        self.tell(&format!("settling {sink} {start} {end} {}", letters.join(" ")));
        self.journal.ask(|handle| {
            let verdict = verdict.clone();
            async move { handle.settle(sink, start..end, verdict).await }
        });
        self.tell(&format!("settled {sink}"));
    }

    fn event(&mut self, length: usize) {
        let number = self.journal.next;
        let text = format!("event {number} {}", "x".repeat(length));
        let event = Event { at: None, box_name: None, kind: EventKind::Daemon, severity: Severity::Error, text };
        self.journal.handle.event(event);
        let statistics = self.journal.ask(|handle| async move { handle.statistics().await });
        if statistics.state == State::Working {
            self.tell(&format!("event {number}"));
        }
    }

    fn open_island(&mut self) {
        let from = self.journal.next - 3;
        if self.journal.ask(|handle| async move { handle.open_island("slow", from).await }) {
            self.deliver("slow", Some(from), 10, None);
        }
    }

    /// A short run after a crash.
    fn run_on(mut self) {
        self.take(2);
        self.deliver("slow", None, 3, Some(4));
        self.deliver("quick", None, 100, None);
        self.end();
    }

    fn run(mut self) {
        for round in 0..ROUNDS {
            self.take(SAMPLES_A_ROUND);
            self.deliver("quick", None, 10, None);
            match round % 4 {
                0 if self.durability == Durability::Each && round < 8 => self.event(LONG_EVENT),
                0 => self.event(SHORT_EVENT),
                1 => self.deliver("slow", None, 5, Some(4)),
                2 => self.open_island(),
                _ => self.pass(Duration::from_secs(3600)),
            }
            if round == LAST_BEFORE_THE_STOP {
                self = self.start_again();
            }
        }
        self.end();
    }

    fn start_again(self) -> Self {
        let Self { place, durability, mut story, thread, journal } = self;
        let next = journal.next;
        tell(&mut story, "stopping");
        assert!(journal.stop(&thread), "the journal's thread ends");
        let journal = open_patiently(&thread, options(&place, durability, next), next, &mut story);
        Self { place, durability, story, thread, journal }
    }

    /// After a failure the disk is tried again, and in the end everything is on it.
    fn end(mut self) {
        self.pass(PAUSE);
        self.pass(PAUSE);
        let statistics = self.journal.ask(|handle| async move { handle.statistics().await });
        assert_eq!(statistics.state, State::Working, "{statistics:?}");
        for (_, event) in self.journal.ask(|handle| async move { handle.events(1000).await }) {
            if !event.text.starts_with("event ") {
                self.tell(&format!("said {}", event.text));
            }
        }
        self.tell("stopping");
        assert!(self.journal.stop(&self.thread) && self.thread.end(), "the journal's thread ends");
        tell(&mut self.story, "end");
    }
}

/// A daemon whose journal cannot be opened ends, and is started again.
fn open_patiently(thread: &JournalThread, options: Options, next: u64, story: &mut File) -> Running {
    let opened = Running::open(thread, options.clone(), next).or_else(|error| {
        tell(story, &format!("said {error}"));
        Running::open(thread, options, next)
    });
    tell(story, "opened");
    opened.expect("the second start finds a disk that works")
}

/// One line, in one write.
fn tell(story: &mut File, line: &str) {
    story.write_all(format!("{line}\n").as_bytes()).expect("the story goes on");
}

/// Started by the other tests of this module it is the workload; on its own it checks the workload and the oracle.
#[test]
fn what_the_journal_promises_is_kept_without_a_crash() {
    if let (Some(folder), Ok(name)) = (std::env::var_os(FOLDER), std::env::var(DURABILITY)) {
        let durability = DURABILITIES.into_iter().find(|known| format!("{known:?}") == name).expect("a durability");
        let place = Place::new(Path::new(&folder));
        let is_after_a_crash = place.story().exists();
        let workload = Workload::begin(&place, durability);
        if is_after_a_crash {
            workload.run_on()
        } else {
            workload.run()
        }
        return;
    }
    for durability in DURABILITIES {
        let folder = tempfile::tempdir_in("/dev/shm").expect("a folder");
        let place = Place::new(folder.path());
        Workload::begin(&place, durability).run();
        let story = oracle::Story::read(&place);
        assert!(story.ended && story.taken == ROUNDS * SAMPLES_A_ROUND, "{story:?}");
        assert_eq!(
            std::fs::read_dir(place.crash_logs()).expect("a folder").count(),
            0,
            "a clean stop leaves no crash log"
        );
        oracle::check(&place, durability, &story, oracle::Left::Disk).unwrap();
    }
}
