//! Every sample is accounted for, whatever is lost.

use filamentbox_core::event::Severity;

use super::*;
use crate::journal::State;

fn two_sinks(folders: &Folders) -> Options {
    Options { sinks: vec!["a".to_owned(), "b".to_owned()], ..folders.options() }
}

#[test]
fn a_full_file_evicts_the_oldest_and_counts_them() {
    let folders = Folders::new();
    let mut rig = Rig::open(Options { max_batches: 12, ..two_sinks(&folders) });
    let mut last = (0, 0);
    for round in 0..60u64 {
        rig.take(97);
        let batch = rig.read("a", 60 + (round as usize * 31) % 100);
        let count = batch.points.len() as u64;
        rig.acknowledge("a", batch.range.end, count - count.min(round % 3));
        let (a, b) = (rig.account("a"), rig.account("b"));
        assert_eq!((a.sampled, b.sampled), ((round + 1) * 97, (round + 1) * 97));
        assert!(b.evicted >= last.1 && a.evicted >= last.0);
        last = (a.evicted, b.evicted);
    }
    assert!(rig.statistics().blocks <= 12);
    assert!(last.1 > 1000 && last.0 < last.1, "{last:?}");
    let told = rig.event_texts().iter().filter(|text| text.contains("full")).count();
    assert!((1..=9).contains(&told), "{told} events for eight hours of losses");
    let waiting = rig.account("b").waiting;
    let points = rig.deliver_all("b");
    assert_eq!(points.len() as u64, waiting, "what is said to wait is there");
    assert!(times(&points).is_sorted_by(|a, b| a < b));
    rig.stop();
    let mut rig = Rig::open(Options { max_batches: 12, ..two_sinks(&folders) });
    assert_eq!(rig.account("b").evicted, last.1);
}

#[test]
fn what_arrives_although_it_was_evicted_is_delivered() {
    let folders = Folders::new();
    let mut rig = Rig::open(Options { max_batches: 8, ..folders.options() });
    rig.take(1100);
    let batch = rig.read("a", 1000);
    rig.take(13 * 5000 / 13);
    assert!(rig.account("a").evicted > 0);
    rig.acknowledge("a", batch.range.end, batch.points.len() as u64);
    let account = rig.account("a");
    assert_eq!(account.delivered, batch.points.len() as u64);
    assert_eq!(account.sampled, 6100);
}

/// `PRAGMA max_page_count` gives the same SQLITE_FULL as a full disk.
#[test]
fn a_full_disk_holds_up_to_the_queue_in_memory_and_recovers() {
    let folders = Folders::new();
    let mut rig = Rig::open(two_sinks(&folders));
    rig.take(500);
    rig.deliver_all("a");
    let limit = |rig: &Rig, pages: i64| {
        let connection = rig.worker.disk.store().unwrap().connection();
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    };
    limit(&rig, 1);
    rig.take(400);
    let statistics = rig.statistics();
    assert_eq!(statistics.state, State::Failing);
    assert!(statistics.disk_error.unwrap().contains("full"));
    assert_eq!(rig.account("b").waiting, 900, "nothing is lost yet");
    rig.take(900);
    assert_eq!(rig.statistics().open, 1000);
    assert!(rig.deliver_all("a").len() >= 1000, "sinks are served from memory meanwhile");
    let (a, b) = (rig.account("a"), rig.account("b"));
    assert_eq!((a.sampled, b.sampled), (1800, 1800));
    assert!(a.evicted > 0 && a.waiting == 0);
    assert_eq!(b.evicted, a.evicted, "what was sealed before is still there, before a hole");
    let evicted = b.evicted;
    limit(&rig, 1_000_000);
    rig.pass(Duration::from_secs(61));
    let statistics = rig.statistics();
    assert_eq!((statistics.state, statistics.open, statistics.disk_error), (State::Working, 0, None));
    let delivered = rig.deliver_all("b").len() as u64;
    let b = rig.account("b");
    assert_eq!((b.delivered, b.waiting, b.sampled), (delivered, 0, 1800));
    assert_eq!(b.evicted, evicted);
    let texts = rig.event_texts();
    let count = |word: &str| texts.iter().filter(|text| text.contains(word)).count();
    assert_eq!(
        (count("disk fails"), count("oldest were lost"), count("written to disk again")),
        (1, 1, 1),
        "{texts:?}"
    );
    rig.stop();
    assert_eq!(Rig::open(two_sinks(&folders)).account("b").delivered, delivered);
}

#[test]
fn a_file_that_cannot_be_opened_for_a_while_is_opened_again() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(100);
    let path = folders.disk.path().join("journal.db");
    let away = folders.disk.path().join("away.db");
    // As after an input or output error.
    rig.worker.disk.forget_connection();
    std::fs::rename(&path, &away).unwrap();
    std::fs::create_dir(&path).unwrap();
    rig.take(100);
    assert_eq!(rig.statistics().state, State::Failing);
    assert!(
        rig.ask(|handle| async move { handle.read("a", None, 10).await }).is_err(),
        "sealed points cannot be read now"
    );
    assert!(rig.event_texts()[0].contains("disk fails"), "events are told from memory");
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&away, &path).unwrap();
    rig.pass(Duration::from_secs(61));
    assert_eq!(rig.statistics().state, State::Working);
    let points = rig.deliver_all("a");
    assert_eq!(points.len(), 200);
    assert_in_step(&points);
    let errors = rig.ask(|handle| async move { handle.events(100).await }).unwrap();
    assert_eq!(errors.iter().filter(|(_, event)| event.severity == Severity::Error).count(), 1);
}

#[test]
fn a_stop_tries_a_disk_that_has_just_failed_once_more() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(100);
    let path = folders.disk.path().join("journal.db");
    let away = folders.disk.path().join("away.db");
    rig.worker.disk.forget_connection();
    std::fs::rename(&path, &away).unwrap();
    std::fs::create_dir(&path).unwrap();
    rig.take(100);
    assert_eq!(rig.statistics().state, State::Failing);
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&away, &path).unwrap();
    rig.stop();
    assert_eq!(folders.crash_files(), 0, "nothing is left in memory");
    let mut rig = Rig::open(folders.options());
    assert!(rig.recovery.clean);
    assert_eq!(rig.deliver_all("a").len(), 200);
    assert!(rig.event_texts().iter().any(|text| text.contains("disk fails")), "it is told in the end");
}

#[test]
fn a_stop_with_a_full_disk_is_made_good_by_the_crash_log() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(30);
    let connection = rig.worker.disk.store().unwrap().connection();
    connection.query_row("PRAGMA max_page_count = 1", [], |_| Ok(())).unwrap();
    // What is left of the last page is still used.
    while rig.statistics().state != State::Failing {
        rig.take(1);
    }
    rig.take(500);
    let sampled = rig.account("a").waiting;
    rig.stop();
    assert_eq!(folders.crash_files(), 2);
    let mut rig = Rig::open(folders.options());
    assert_eq!(rig.account("a").waiting, sampled);
    assert_eq!(rig.deliver_all("a").len() as u64, sampled);
}

#[test]
fn a_file_that_is_removed_under_the_daemon_is_made_anew_with_all_that_it_held() {
    for replaced in [false, true] {
        let folders = Folders::new();
        let folder = folders.disk.path().join("data");
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("journal.db");
        let options = || Options { path: path.clone(), ..two_sinks(&folders) };
        let mut rig = Rig::open(options());
        rig.take(500);
        let batch = rig.read("a", 100);
        rig.acknowledge("a", batch.range.end, 100);
        if replaced {
            let other = folders.disk.path().join("other");
            std::fs::write(&other, "something else").unwrap();
            std::fs::rename(&other, &path).unwrap();
        } else {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        rig.take(300);
        let texts = rig.event_texts();
        let told = texts.iter().filter(|text| text.contains("while the daemon runs")).count();
        assert_eq!(told, 1, "{texts:?}");
        assert_eq!(rig.statistics().state, State::Working);
        assert_eq!(folder.join("journal.db.corrupt-1").exists(), replaced);
        rig.stop();
        let mut rig = Rig::open(options());
        assert!(rig.recovery.clean);
        let (a, b) = (rig.account("a"), rig.account("b"));
        assert_eq!((a.waiting, a.delivered, a.evicted, b.waiting, b.evicted), (700, 100, 0, 800, 0));
        assert_in_step(&rig.deliver_all("b"));
    }
}

/// History that every backend has does not grow into the disk's last room; what waits does.
#[test]
fn on_a_disk_with_little_room_only_what_waits_makes_the_file_grow() {
    let folders = Folders::new();
    let mut rig = Rig::open(Options { durability: Durability::Ram, ..folders.options() });
    let hours = |rig: &mut Rig, count: u64, delivers: bool| {
        for _ in 0..count {
            rig.take_asleep(999);
            rig.take(1);
            if delivers {
                rig.deliver_all("a");
            }
        }
    };
    hours(&mut rig, 200, true);
    rig.worker.room = super::super::limits::Room { look_at: Monotonic::from_nanos(u64::MAX), is_short: true };
    let before = rig.statistics();
    hours(&mut rig, 100, true);
    let short = rig.statistics();
    assert!(short.file_bytes <= before.file_bytes + (64 << 10), "{before:?} {short:?}");
    hours(&mut rig, 300, false);
    let after = rig.statistics();
    assert!(after.file_bytes > short.file_bytes, "{after:?}");
    let account = rig.account("a");
    assert_eq!((account.evicted, account.waiting), (0, 300_000));
}
