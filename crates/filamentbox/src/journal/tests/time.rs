//! The wall clock: not known yet, never known, set forward and back.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::journal::State;

/// From the journal's clock at the start to the next start of the machine: any moment since boot then means nothing.
const FAR: i64 = 10_000_000_000;

/// A machine whose clock the test sets. Time since boot goes on from rig to rig, as it does when only the program is started again.
struct Machine {
    folders: Folders,
    clocks: Arc<Clocks>,
    start: Monotonic,
    /// Seconds that have passed.
    passed: u64,
    queue_max_size: usize,
    /// The right time of each sample, in the order of the sequence.
    truth: Vec<i64>,
}

impl Machine {
    /// It was just switched on, and its clock is 40 days behind and not known.
    fn unset() -> Self {
        let machine = Self::set();
        machine.clocks.test.is_unset.store(true, Ordering::SeqCst);
        machine.step(-40 * 86_400_000);
        machine
    }

    fn set() -> Self {
        let clocks = still_clocks();
        let start = clocks.read().now;
        Self { folders: Folders::new(), clocks, start, passed: 0, queue_max_size: 1000, truth: Vec::new() }
    }

    fn options(&self) -> Options {
        let (clocks, queue_max_size) = (self.clocks.clone(), self.queue_max_size);
        Options { clocks, queue_max_size, ..self.folders.options() }
    }

    fn open(&self) -> Rig {
        Rig::open(self.options())
    }

    /// The program is killed and started again.
    fn crash(&self, rig: Rig) -> Rig {
        rig.crash();
        self.open()
    }

    /// The power goes off and comes back: the tmpfs is empty, and this is another boot.
    fn cut_power(&mut self, rig: Rig, boot: &str) -> Rig {
        rig.crash();
        for entry in std::fs::read_dir(self.folders.shm.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let ahead_ms = self.passed as i64 * 1000;
        let clocks = Clocks::scaled(1e12, UnixTime::from_millis(START_MS + ahead_ms), Duration::ZERO).in_boot(boot);
        self.clocks = Arc::new(clocks);
        self.start = self.clocks.read().now;
        self.open()
    }

    /// The wall clock is set to be so far ahead of the right time, in ms.
    fn step(&self, ahead_ms: i64) {
        self.clocks.test.ahead_ms.store(ahead_ms, Ordering::SeqCst);
    }

    /// The clock is set right, and that is known.
    fn synchronise(&self) {
        self.clocks.test.is_unset.store(false, Ordering::SeqCst);
        self.step(0);
    }

    /// Samples, 5 s apart, as the sensor's thread takes them.
    fn take(&mut self, rig: &mut Rig, count: u64) {
        for _ in 0..count {
            self.pass(5);
            let sample = self.sample(rig);
            rig.intake.sample(sample);
            rig.worker.turn();
        }
    }

    fn sample(&mut self, rig: &mut Rig) -> Sample {
        let clock = self.clocks.read();
        self.truth.push(START_MS + self.passed as i64 * 1000);
        let i = self.truth.len() as u64;
        Sample {
            box_name: BoxName::main(),
            taken_at: clock.now,
            wall: clock.wall,
            measurement: measurement(i, 5_000, &mut rig.noise),
            heater_on: false,
            fan_on: false,
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.passed += seconds;
        self.clocks.stored(self.clocks.read().now + Duration::from_secs(seconds));
    }

    /// Enough turns for all that is due.
    fn settle(&mut self, rig: &mut Rig) {
        rig.statistics();
        for _ in 0..200 {
            rig.worker.turn();
        }
    }
}

fn assert_true(points: &[Point], truth: &[i64]) {
    assert_eq!(points.len(), truth.len());
    for (point, truth) in points.iter().zip(truth) {
        assert!(point.at.millis().abs_diff(*truth) <= 1, "{} instead of {truth}", point.at);
    }
}

#[test]
fn samples_of_a_boot_without_a_clock_reach_the_disk_and_get_their_times_later() {
    let mut machine = Machine::unset();
    machine.queue_max_size = 200;
    let mut rig = machine.open();
    machine.take(&mut rig, 3_000);
    let statistics = rig.statistics();
    assert_eq!((statistics.state, statistics.sealed + statistics.open), (State::WaitingForClock, 3_000));
    assert!(statistics.sealed > 2_900, "{statistics:?}");
    assert_eq!((rig.account("a").waiting, rig.account("a").oldest), (3_000, None));
    assert!(rig.read("a", 100).points.is_empty());
    // Nobody takes the time since boot for a time.
    rig.pass(Duration::from_secs(3_700));
    machine.passed += 3_700;
    assert!(exported(&mut rig).is_empty());
    let rollups = rig
        .ask(|handle| async move { handle.rollups(crate::journal::Resolution::Hour, ALL_TIME, BoxName::main()).await });
    assert!(rollups.unwrap().rollups.is_empty());

    let mut rig = machine.crash(rig);
    machine.take(&mut rig, 10);
    machine.synchronise();
    assert_eq!(rig.statistics().sampled, 3_010, "asking looks at the clock");
    // In the middle of it: what is stamped can be read, and nothing further.
    let batch = rig.read("a", 5_000);
    assert_true(&batch.points, &machine.truth[..batch.points.len()]);
    assert!(batch.range.end < 1_000 && rig.worker.unstamped[0].range.start < 2_000);
    let mut rig = machine.crash(rig);
    machine.settle(&mut rig);
    assert_eq!(rig.statistics().state, State::Working);
    let exported = exported(&mut rig);
    let delivered = rig.deliver_all("a");
    assert_true(&delivered, &machine.truth);
    assert_eq!(exported, delivered);
    let mut rig = machine.crash(rig);
    assert!(rig.deliver_all("a").is_empty());
    assert_eq!((rig.account("a").delivered, rig.account("a").evicted), (3_010, 0));
    rig.stop();
    let mut rig = machine.open();
    machine.take(&mut rig, 1);
    rig.pass(Duration::from_secs(3_700));
    let rollups = rig
        .ask(|handle| async move { handle.rollups(crate::journal::Resolution::Hour, ALL_TIME, BoxName::main()).await });
    assert_eq!(rollups.unwrap().rollups.iter().map(|(_, hour)| hour.count()).sum::<i64>(), 3_011);
}

const ALL_TIME: std::ops::Range<UnixTime> = UnixTime::from_millis(i64::MIN)..UnixTime::from_millis(i64::MAX);

fn exported(rig: &mut Rig) -> Vec<Point> {
    rig.ask(|handle| async move {
        let mut chunks = handle.export(ALL_TIME, None).await.unwrap();
        let mut all = Vec::new();
        while let Some(Ok(points)) = chunks.recv().await {
            all.extend(points);
        }
        all
    })
}

#[test]
fn samples_of_a_boot_that_never_knew_the_time_are_dead_letters() {
    let mut machine = Machine::set();
    let mut rig = machine.open();
    machine.take(&mut rig, 30);
    rig.pass(Duration::from_secs(61));
    assert_eq!(rig.read("a", 10).points.len(), 10);
    rig.acknowledge("a", 10, 10);
    // The cursor is on disk with the stop.
    rig.stop();
    machine.clocks.test.is_unset.store(true, Ordering::SeqCst);
    let clocks = Clocks::scaled(1e12, UnixTime::from_millis(FAR), Duration::ZERO).in_boot("two");
    machine.clocks = Arc::new(clocks);
    machine.clocks.test.is_unset.store(true, Ordering::SeqCst);
    let mut rig = machine.open();
    let known = machine.truth.len();
    machine.take(&mut rig, 100);
    rig.pass(Duration::from_secs(61));
    assert_eq!(rig.statistics().open, 0);

    machine.passed += 1_000;
    let mut rig = machine.cut_power(rig, "three");
    machine.take(&mut rig, 20);
    assert_eq!(rig.account("a").waiting, 140, "behind what still waits");
    let delivered = rig.deliver_all("a");
    let truth: Vec<i64> = machine.truth[10..known].iter().chain(&machine.truth[known + 100..]).copied().collect();
    assert_true(&delivered, &truth);
    let account = rig.account("a");
    assert_eq!((account.delivered, account.dead_letter, account.waiting), (50, 100, 0));
    let told = rig.event_texts().into_iter().filter(|text| text.contains("100 samples of an earlier boot")).count();
    assert_eq!(told, 1);
    rig.pass(Duration::from_secs(61));
    let statistics = rig.statistics();
    assert_eq!(statistics.sealed + statistics.open, 50, "they are gone");
    let mut rig = machine.crash(rig);
    assert_eq!(rig.account("a").dead_letter, 100);
    assert!(rig.deliver_all("a").is_empty());
}

#[test]
fn the_crash_log_of_another_boot_is_stamped_if_one_of_its_samples_knows_the_time() {
    for knows in [false, true] {
        let mut machine = Machine::unset();
        let mut rig = machine.open();
        machine.take(&mut rig, 5);
        if knows {
            machine.synchronise();
            rig.worker.clocks.look(None, true);
            machine.pass(5);
            let sample = machine.sample(&mut rig);
            rig.intake.sample(sample);
        }
        rig.crash();
        let clocks = Clocks::scaled(1e12, UnixTime::from_millis(START_MS + 9_000_000), Duration::ZERO);
        machine.clocks = Arc::new(clocks.in_boot("two"));
        let mut rig = machine.open();
        rig.worker.turn();
        let delivered = rig.deliver_all("a");
        let account = rig.account("a");
        if knows {
            assert_true(&delivered, &machine.truth);
            assert_eq!(account.delivered, 6);
        } else {
            assert_eq!((delivered.len(), account.dead_letter, account.waiting), (0, 5, 0));
            assert_eq!(
                rig.event_texts().iter().filter(|text| text.contains("5 samples of an earlier boot")).count(),
                1
            );
        }
    }
}

#[test]
fn a_step_stamps_anew_what_no_sink_was_given() {
    for ahead_ms in [-3 * 3_600_000, 3 * 3_600_000] {
        let mut machine = Machine::set();
        let mut rig = machine.open();
        machine.step(-ahead_ms);
        machine.take(&mut rig, 6);
        let given = rig.read("a", 4).points;
        machine.take(&mut rig, 3);
        machine.step(0);
        machine.take(&mut rig, 3);
        let mut rig = machine.crash(rig);
        assert_eq!(rig.read("a", 4).points, given, "what was given out keeps its time for ever");
        let delivered = rig.deliver_all("a");
        assert_eq!(delivered[..4], given);
        assert_true(&delivered[4..], &machine.truth[4..]);
        let direction = if ahead_ms > 0 { "forward" } else { "back" };
        let text = format!("the clock was set {direction} by 3 h 0 min; 5 samples");
        assert_eq!(
            rig.event_texts().iter().filter(|event| event.contains(&text)).count(),
            1,
            "{:?}",
            rig.event_texts()
        );
    }
}

#[test]
fn a_clock_set_back_overwrites_nothing_delivered_long_ago() {
    let mut machine = Machine::set();
    machine.queue_max_size = 10_000;
    let mut rig = machine.open();
    let mut all = Vec::new();
    // More than is remembered in memory.
    machine.take(&mut rig, 4_500);
    all.extend(rig.deliver_all("a"));
    machine.step(-6 * 3_600_000);
    machine.take(&mut rig, 150);
    all.extend(rig.deliver_all("a"));
    let mut rig = machine.crash(rig);
    machine.take(&mut rig, 150);
    all.extend(rig.deliver_all("a"));
    assert_eq!(all.len(), 4_800);
    let mut times = times(&all);
    times.sort_unstable();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "a time was given twice");
    assert_eq!(rig.account("a").delivered, 4_800);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Take(u64),
    /// The clock is set, to be so many seconds ahead.
    Set(i64),
    Forget,
    Synchronise,
    Wait,
    Crash,
    Reboot,
    Read(u64),
    Acknowledge,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..20u64).prop_map(Step::Take),
        // On the grid of the samples, so that they would fall on each other.
        2 => (-20..20i64).prop_map(|steps| Step::Set(steps * 5)),
        1 => Just(Step::Forget),
        2 => Just(Step::Synchronise),
        2 => Just(Step::Wait),
        2 => Just(Step::Crash),
        1 => Just(Step::Reboot),
        3 => (1..30u64).prop_map(Step::Read),
        3 => Just(Step::Acknowledge),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever the clock does and whenever the program dies: no sample is delivered under two times, no two have the same time, and
    /// the books balance.
    #[test]
    fn no_sample_has_two_times_and_no_time_two_samples(steps in prop::collection::vec(any_step(), 1..40)) {
        let mut machine = Machine::set();
        machine.queue_max_size = 10_000;
        let mut rig = machine.open();
        let mut given: BTreeMap<u64, i64> = BTreeMap::new();
        let mut last: Option<(u64, u64)> = None;
        let mut boots = 0;
        let mut unset = false;
        for step in steps.into_iter().chain([Step::Synchronise, Step::Wait]) {
            match step {
                Step::Take(count) => machine.take(&mut rig, count),
                Step::Set(seconds) => machine.step(seconds * 1000),
                // Only a boot begins without the time.
                Step::Forget => unset = true,
                Step::Synchronise => machine.synchronise(),
                Step::Wait => {
                    machine.pass(61);
                    rig.worker.turn();
                }
                Step::Crash => {
                    (last, rig) = (None, machine.crash(rig));
                }
                Step::Reboot => {
                    boots += 1;
                    rig.crash();
                    machine.passed += 100;
                    let wall = UnixTime::from_millis(START_MS + machine.passed as i64 * 1000);
                    let clocks = Clocks::scaled(1e12, wall, Duration::ZERO).in_boot(&format!("boot {boots}"));
                    clocks.test.is_unset.store(std::mem::take(&mut unset), Ordering::SeqCst);
                    machine.clocks = Arc::new(clocks);
                    (last, rig) = (None, machine.open());
                }
                Step::Read(max) => {
                    let batch = rig.read("a", max as usize);
                    let first = batch.range.end - batch.points.len() as u64;
                    for (seq, point) in (first..).zip(&batch.points) {
                        let at = *given.entry(seq).or_insert(point.at.millis());
                        prop_assert_eq!(at, point.at.millis(), "number {} has two times", seq);
                    }
                    last = Some((batch.range.end, batch.points.len() as u64));
                }
                Step::Acknowledge => {
                    if let Some((through, count)) = last.take() {
                        rig.acknowledge("a", through, count);
                    }
                }
            }
            rig.account("a");
        }
        machine.settle(&mut rig);
        let first = machine.truth.len() as u64 - rig.account("a").waiting;
        for (seq, point) in (first..).zip(rig.deliver_all("a")) {
            given.insert(seq, point.at.millis());
        }
        let mut times: Vec<i64> = given.values().copied().collect();
        times.sort_unstable();
        prop_assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "a time was given twice");
        let account = rig.account("a");
        prop_assert_eq!((account.sampled, account.waiting, account.evicted), (machine.truth.len() as u64, 0, 0));
    }
}
