//! A backlog that grows too large or too old: thinned, then evicted, and every sample accounted for at every step.

use std::collections::BTreeSet;

use super::*;
use crate::journal::Resolution;
use crate::journal::ledger::overlap;
use crate::journal::store::Position;

const MINUTE_MS: i64 = 60_000;
const ALL_TIME: std::ops::Range<UnixTime> = UnixTime::from_millis(i64::MIN)..UnixTime::from_millis(i64::MAX);

/// On tmpfs, as these write a lot.
fn options(folders: &Folders) -> Options {
    Options { path: folders.shm.path().join("journal.db"), crash_log_dir: None, ..folders.options() }
}

fn minutes(times: impl IntoIterator<Item = i64>) -> BTreeSet<i64> {
    times.into_iter().map(|time| time.div_euclid(MINUTE_MS)).collect()
}

fn blocks_of(rig: &Rig) -> Vec<Position> {
    rig.worker.disk.store().unwrap().oldest_blocks(1_000_000).unwrap()
}

#[test]
fn a_long_backlog_is_thinned_to_one_a_minute_before_anything_is_evicted() {
    let folders = Folders::new();
    let mut rig = Rig::open(Options { max_batches: 100, durability: Durability::Ram, ..options(&folders) });
    let mut taken: Vec<Sample> = Vec::new();
    for _ in 0..60 {
        for _ in 0..720 {
            let sample = rig.sample();
            rig.intake.sample(sample.clone());
            taken.push(sample);
        }
        rig.worker.turn();
        rig.pass(Duration::ZERO);
    }
    let account = rig.account("a");
    assert!(account.evicted > 5_000, "{account:?}");
    assert_eq!(rig.statistics().evicted, account.evicted);
    let texts = rig.event_texts();
    let told = |word: &str| texts.iter().filter(|text| text.contains(word)).count();
    assert_eq!((told("thinned to one a minute"), told("were removed")), (1, 0), "{texts:?}");

    let points = rig.deliver_all("a");
    assert_eq!(points.len() as u64, account.waiting, "what is said to wait is there");
    assert!(times(&points).is_sorted());
    let wall = |sample: &Sample| sample.wall.unwrap().millis();
    assert_eq!(minutes(times(&points)), minutes(taken.iter().map(wall)), "no minute is missing");
    // Real readings, and each change of an output.
    let mut kept = points.iter().peekable();
    let mut last: Option<Point> = None;
    for sample in &taken {
        let point = sample.point_at(sample.wall.unwrap());
        let is_kept = kept.next_if(|next| **next == point).is_some();
        let is_first = last.as_ref().is_none_or(|last| {
            last.at.millis().div_euclid(MINUTE_MS) != point.at.millis().div_euclid(MINUTE_MS)
                || last.heater_on != point.heater_on
        });
        assert!(is_kept || !is_first, "{point:?} after {last:?}");
        if is_kept {
            last = Some(point);
        }
    }
    assert_eq!(kept.count(), 0, "something that never was");
    // The rollups were made before.
    rig.pass(Duration::from_secs(7200));
    let hours =
        rig.ask(|handle| async move { handle.rollups(Resolution::Hour, ALL_TIME, BoxName::main()).await }).unwrap();
    assert_eq!(hours.rollups.iter().map(|(_, hour)| hour.count()).sum::<i64>(), 60 * 720);
}

#[test]
fn a_backlog_that_is_thinned_already_is_evicted_at_the_limit() {
    let folders = Folders::new();
    let mut rig = Rig::open(Options { max_batches: 10, durability: Durability::Ram, ..options(&folders) });
    for _ in 0..100 {
        rig.take_asleep(720);
        rig.worker.turn();
        rig.pass(Duration::ZERO);
    }
    let texts = rig.event_texts();
    let told = |word: &str| texts.iter().filter(|text| text.contains(word)).count();
    assert_eq!(told("thinned to one a minute"), 1, "{texts:?}");
    assert!(told("were removed") >= 1);
    assert!(rig.statistics().blocks <= 10);
    let waiting = rig.account("a").waiting;
    assert_eq!(rig.deliver_all("a").len() as u64, waiting);
}

/// Delivered history goes before anything that waits.
#[test]
fn nothing_is_thinned_while_there_is_history_that_every_backend_has() {
    let folders = Folders::new();
    let mut rig = Rig::open(Options { max_batches: 30, durability: Durability::Ram, ..options(&folders) });
    for _ in 0..20 {
        rig.take_asleep(720);
        rig.worker.turn();
        rig.pass(Duration::ZERO);
        rig.deliver_all("a");
    }
    for _ in 0..8 {
        rig.take_asleep(720);
        rig.worker.turn();
        rig.pass(Duration::ZERO);
    }
    assert!(blocks_of(&rig)[0].first > 0, "some history went");
    let account = rig.account("a");
    assert_eq!((account.evicted, account.waiting), (0, 8 * 720));
}

#[test]
fn what_waits_too_long_is_given_up_and_stays_as_history() {
    let folders = Folders::new();
    let day = Duration::from_secs(86_400);
    let mut rig = Rig::open(Options { max_age: 2 * day, durability: Durability::Ram, ..options(&folders) });
    for _ in 0..72 {
        rig.take_asleep(720);
        rig.worker.turn();
        rig.pass(Duration::ZERO);
    }
    rig.pass(Duration::from_secs(121));
    rig.pass(Duration::from_secs(3600));
    let account = rig.account("a");
    assert!((17_280..19_000).contains(&account.evicted), "{account:?}");
    assert_eq!(rig.statistics().sealed, 72 * 720, "a chart still shows them");
    assert_eq!(rig.event_texts().iter().filter(|text| text.contains("max_age_days")).count(), 1);
    assert_eq!(rig.deliver_all("a").len() as u64, account.waiting);
}

fn is_soak() -> bool {
    let is_soak = std::env::var_os("FILAMENTBOX_SOAK").is_some();
    if !is_soak {
        eprintln!("SKIPPED: the long form is part of `make soak` (FILAMENTBOX_SOAK=1)");
    }
    is_soak
}

#[test]
fn some_days_of_outage_fit_and_nothing_is_thinned() {
    outage_of(5);
}

#[test]
fn soak_of_a_month_of_outage() {
    if is_soak() {
        outage_of(30);
    }
}

/// So many days without a backend, at 10 s, in the default 64 MB.
fn outage_of(days: u64) {
    let folders = Folders::new();
    let max_bytes = 64_000_000;
    let mut rig = Rig::open(Options { max_bytes, queue_max_size: 10_000, ..options(&folders) });
    rig.interval = Duration::from_secs(10);
    for _ in 0..days * 24 * 60 {
        rig.take_asleep(5);
        rig.take(1);
    }
    rig.pass(Duration::from_secs(61));
    let account = rig.account("a");
    assert_eq!((account.sampled, account.waiting, account.evicted), (days * 8640, days * 8640, 0));
    let (used, all) = rig.worker.disk.store().unwrap().bytes().unwrap();
    let bytes = used as f64 / account.waiting as f64;
    println!(
        "{days} days at 10 s: {used} bytes used, a file of {all}, {bytes:.2} bytes a sample with its rollups; \
         {:.0} days fit into {max_bytes} bytes before the oldest are thinned",
        max_bytes as f64 * 0.8 / bytes / 8640.0
    );
    assert!(all < max_bytes / 5 * 4);
    assert_eq!(rig.deliver_all("a").len() as u64, days * 8640);
}

/// What one sink has been given.
#[derive(Default)]
struct Seen {
    times: BTreeSet<i64>,
    /// A batch that was read and not settled.
    held: Option<super::super::Batch>,
}

impl Seen {
    fn settle(&mut self, rig: &mut Rig, sink: &'static str) {
        let Some(batch) = self.held.take() else { return };
        for point in &batch.points {
            assert!(self.times.insert(point.at.millis()), "{sink} was given {} twice", point.at);
        }
        let (range, count) = (batch.range, batch.points.len() as u64);
        rig.ask(|handle| async move { handle.settle(sink, range, delivered_of(count)).await }).unwrap();
    }

    fn read(&mut self, rig: &mut Rig, sink: &'static str, from: Option<u64>, max: usize) {
        let batch = rig.ask(|handle| async move { handle.read(sink, from, max).await }).unwrap();
        self.held = Some(batch).filter(|batch| !batch.points.is_empty());
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Damages one block, as a bad memory card does.
fn damage_a_block(rig: &Rig, dice: &mut Dice) {
    let blocks = blocks_of(rig);
    if !blocks.is_empty() {
        let at = blocks[dice.below(blocks.len() as u64) as usize];
        let connection = rig.worker.disk.store().unwrap().connection();
        let sql = "UPDATE block SET data = zeroblob(length(data)) WHERE first_seq = ?1";
        connection.execute(sql, [at.first as i64]).unwrap();
    }
}

/// What is said to wait is there, number for number, and the account balances.
#[track_caller]
fn assert_exact(rig: &mut Rig, sink: &'static str) {
    // It balances; and looking may find a damaged block, now or in the turn after the answer.
    rig.account(sink);
    let (tail, store) = (&rig.worker.tail, rig.worker.disk.store().unwrap());
    let mut present = store.present(&(0..tail.first())).unwrap();
    present.push(tail.first()..tail.end());
    let cursor = rig.worker.ledger.get(sink).unwrap();
    let waiting = cursor.waiting(tail.end());
    assert_eq!(waiting, overlap(&cursor.unsettled_in(cursor.next..tail.end()), &present), "{cursor:?} {present:?}");
}

/// Samples, reads, settlements, live lanes, evictions, thinning, damage and kills in any order: the books balance at every step, no
/// point is read twice, and in the end what was said to wait is what could be read.
#[test]
fn the_books_balance_in_any_order_of_events() {
    any_order_of_events(0..12);
}

#[test]
fn soak_of_the_books_in_any_order_of_events() {
    if is_soak() {
        any_order_of_events(12..140);
    }
}

fn any_order_of_events(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        // Seen only when the test fails.
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let folders = Folders::new();
        let sinks = vec!["a".to_owned(), "b".to_owned()];
        let clocks = still_clocks();
        let crash_log_dir = Some(folders.shm.path().to_owned());
        let options = || Options {
            sinks: sinks.clone(),
            max_batches: 14,
            clocks: clocks.clone(),
            crash_log_dir: crash_log_dir.clone(),
            ..options(&folders)
        };
        let mut rig = Rig::open(options());
        let (mut a, mut b) = (Seen::default(), Seen::default());
        let damaging = seed % 2 == 1;
        for _ in 0..150 {
            let (sink, seen) = if dice.below(3) > 0 { ("a", &mut a) } else { ("b", &mut b) };
            match dice.below(12) {
                0..=3 => {
                    rig.take_asleep(dice.below(300));
                    rig.take(1);
                }
                4 | 5 => seen.read(&mut rig, sink, None, 1 + dice.below(300) as usize),
                6 => seen.settle(&mut rig, sink),
                7 => {
                    // The newest go first.
                    let queue = rig.ask(|handle| async move { handle.queue(sink, None).await }).unwrap();
                    let from = queue.end.saturating_sub(dice.below(100));
                    if rig.ask(|handle| async move { handle.open_island(sink, from).await }).unwrap() {
                        seen.read(&mut rig, sink, Some(from), 50);
                        // A batch that does not begin where the island does is behind a hole.
                        seen.held = seen.held.take().filter(|batch| batch.range.start >= from);
                        seen.settle(&mut rig, sink);
                    }
                }
                8 => rig.pass(Duration::from_secs(600)),
                9 => rig.pass(Duration::from_secs(3600)),
                10 if damaging => damage_a_block(&rig, &mut dice),
                11 => {
                    let (made, start) = (rig.made, rig.start);
                    rig.crash();
                    rig = Rig::open(options());
                    (rig.made, rig.start) = (made, start);
                    (a.held, b.held) = (None, None);
                }
                _ => rig.take(dice.below(30)),
            }
            assert_exact(&mut rig, "a");
            assert_exact(&mut rig, "b");
        }
        for (sink, seen) in [("a", &mut a), ("b", &mut b)] {
            let before = rig.account(sink);
            let points = rig.deliver_all(sink);
            for point in &points {
                assert!(seen.times.insert(point.at.millis()), "seed {seed}: {sink} was given {} twice", point.at);
            }
            let account = rig.account(sink);
            assert_eq!((account.waiting, account.delivered), (0, seen.times.len() as u64), "seed {seed}: {account:?}");
            // Between two batches, more may be thinned.
            let lost = account.evicted - before.evicted;
            assert_eq!(points.len() as u64 + lost, before.waiting, "seed {seed}");
            assert_eq!(account.sampled, rig.made, "seed {seed}");
        }
    }
}
