//! How large the file gets.

use super::*;
use crate::journal::Resolution;

/// On tmpfs, as these write a lot.
fn options(folders: &Folders) -> Options {
    Options { path: folders.shm.path().join("journal.db"), crash_log_dir: None, ..folders.options() }
}

#[test]
fn a_sample_takes_few_bytes_in_the_file() {
    for (what, delivers) in
        [("a backend that keeps up, a block in 10 minutes", true), ("an outage, a block a minute", false)]
    {
        let folders = Folders::new();
        let mut rig = Rig::open(options(&folders));
        let mut used_after = Vec::new();
        for _ in 0..2 {
            for _ in 0..24 * 72 {
                rig.take(10);
                if delivers {
                    rig.deliver_all("a");
                }
            }
            rig.pass(Duration::from_secs(601));
            rig.pass(Duration::from_secs(3600));
            used_after.push(rig.worker.disk.store().unwrap().bytes().unwrap().0);
        }
        let connection = rig.worker.disk.store().unwrap().connection();
        let sum = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as f64;
        let blocks = sum("SELECT sum(length(data)) FROM block") / 34_560.0;
        let rollups = sum("SELECT sum(length(data)) FROM rollup_minute") / 34_560.0;
        let grown = (used_after[1] - used_after[0]) as f64 / 17_280.0;
        println!("{what}: {blocks:.2} bytes a sample in blocks, {rollups:.2} in rollups; the file grows by {grown:.2}");
        assert!(blocks < 3.0 && grown < 4.6);
    }
}

/// Three weeks at 5 s, with a limit of 8 MB and a week of raw samples, and a backend that was never there.
#[test]
fn the_file_stays_within_its_limits() {
    let folders = Folders::new();
    let retention = Duration::from_secs(7 * 86_400);
    let limit = 1 << 20;
    let mut rig = Rig::open(Options {
        retention,
        max_bytes: limit,
        sinks: vec!["a".to_owned()],
        durability: Durability::Ram,
        ..options(&folders)
    });
    let mut largest = 0;
    for _ in 0..21 * 24 {
        rig.take_asleep(720);
        rig.worker.turn();
        rig.pass(Duration::ZERO);
        let (_, all) = rig.worker.disk.store().unwrap().bytes().unwrap();
        largest = largest.max(all);
    }
    let account = rig.account("a");
    assert_eq!(account.sampled, 21 * 24 * 720);
    println!(
        "{} samples, the file never larger than {largest} bytes; {} wait, {} evicted",
        account.sampled, account.waiting, account.evicted
    );
    assert!(largest <= limit, "{largest} bytes");
    assert!(account.evicted > 0 && account.waiting > 50_000);
    let waiting = account.waiting;
    assert_eq!(rig.deliver_all("a").len() as u64, waiting);
}

#[test]
fn raw_samples_go_after_their_time_and_rollups_stay() {
    let folders = Folders::new();
    let retention = Duration::from_secs(86_400);
    let mut rig = Rig::open(Options { retention, durability: Durability::Ram, ..options(&folders) });
    for _ in 0..3 * 24 {
        rig.take_asleep(720);
        rig.worker.turn();
    }
    rig.pass(Duration::from_secs(120));
    rig.pass(Duration::from_secs(3600));
    assert_eq!(rig.statistics().sealed, 3 * 17_280, "a backend still needs them");
    rig.deliver_all("a");
    rig.pass(Duration::from_secs(3600));
    let sealed = rig.statistics().sealed;
    assert!((15_000..=17_280).contains(&sealed), "{sealed}");
    assert_eq!(rig.account("a").evicted, 0);
    let range = UnixTime::from_millis(0)..UnixTime::from_millis(i64::MAX);
    let hours =
        rig.ask(|handle| async move { handle.rollups(Resolution::Hour, range, BoxName::main()).await }).unwrap();
    assert_eq!(hours.rollups.iter().map(|(_, hour)| hour.count()).sum::<i64>(), 3 * 17_280);
}

#[test]
fn a_lowered_limit_shrinks_the_file() {
    let folders = Folders::new();
    let mut rig = Rig::open(Options { durability: Durability::Ram, sinks: Vec::new(), ..options(&folders) });
    for _ in 0..400 {
        rig.take_asleep(1000);
        rig.worker.turn();
    }
    let before = rig.statistics().file_bytes;
    rig.stop();
    let max_bytes = before / 2;
    let later = UnixTime::from_millis(START_MS + 24 * 86_400_000);
    let clocks = Arc::new(Clocks::scaled(1e12, later, Duration::ZERO));
    let options = Options { durability: Durability::Ram, max_bytes, sinks: Vec::new(), clocks, ..options(&folders) };
    let mut rig = Rig::open(Options { retention: Duration::from_secs(365 * 86_400), ..options });
    rig.take_asleep(1000);
    rig.worker.turn();
    rig.pass(Duration::from_secs(3600));
    rig.pass(Duration::from_secs(3600));
    let after = rig.statistics();
    assert!(after.file_bytes <= max_bytes, "{} of {max_bytes}", after.file_bytes);
    assert!(after.sealed > 0);
}

/// Commits wear out memory cards, and a commit's cost is its pages.
#[test]
fn a_commit_writes_two_pages() {
    let folders = Folders::new();
    let mut rig = Rig::open(Options { durability: Durability::Each, ..options(&folders) });
    rig.take(100);
    let connection = rig.worker.disk.store().unwrap().connection();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(())).unwrap();
    rig.take(500);
    let connection = rig.worker.disk.store().unwrap().connection();
    let pages: f64 = connection.query_row("PRAGMA wal_checkpoint", [], |row| row.get(1)).unwrap();
    println!("{:.2} pages a commit", pages / 500.0);
    assert!(pages / 500.0 < 2.2);
}
