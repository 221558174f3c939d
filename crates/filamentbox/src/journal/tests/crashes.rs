//! The process is killed, or the power is.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// Empties the tmpfs, as a power cut does.
fn cut_power(folders: &Folders) {
    for entry in std::fs::read_dir(folders.shm.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

fn log_file(folders: &Folders) -> std::path::PathBuf {
    let mut names = std::fs::read_dir(folders.shm.path()).unwrap().map(|entry| entry.unwrap().path());
    names.find(|path| path.extension().is_some_and(|extension| extension == "open")).expect("a crash log")
}

#[test]
fn a_crash_loses_nothing_and_sends_nothing_twice() {
    for durability in [Durability::Each, Durability::Minute, Durability::Ram] {
        let folders = Folders::new();
        let options = || Options { durability, ..folders.options() };
        let mut rig = Rig::open(options());
        rig.take(40);
        let mut arrived = rig.read("a", 37).points;
        rig.acknowledge("a", 37, 36);
        rig.take_asleep(7);
        rig.crash();

        let mut rig = Rig::open(options());
        let account = rig.account("a");
        assert_eq!((account.sampled, account.delivered, account.dead_letter, account.waiting), (47, 36, 1, 10));
        assert!(!rig.recovery.clean && rig.recovery.lost == 0, "{:?}", rig.recovery);
        assert_eq!(rig.recovery.events().len(), 1);
        arrived.extend(rig.deliver_all("a"));
        assert_eq!(arrived.len(), 47);
        assert_in_step(&arrived);
        rig.crash();
        let mut rig = Rig::open(options());
        assert_eq!(rig.account("a").waiting, 0, "after a second crash too");
    }
}

#[test]
fn the_crash_log_outlives_the_queue_of_ram() {
    let folders = Folders::new();
    let options =
        || Options { durability: Durability::Ram, sinks: Vec::new(), queue_max_size: 10_000, ..folders.options() };
    let mut rig = Rig::open(options());
    rig.take(9_999);
    assert_eq!(rig.statistics().sealed, 0, "nothing is written");
    rig.crash();
    let mut rig = Rig::open(options());
    assert_eq!((rig.recovery.recovered, rig.recovery.lost), (9_999, 0));
    rig.take(1);
    assert_eq!((rig.statistics().sealed, rig.statistics().open), (10_000, 0));
}

#[test]
fn a_power_cut_loses_the_open_block_at_most() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(40);
    assert_eq!(rig.statistics().open, 1);
    rig.take_asleep(7);
    // More than is on disk.
    assert_eq!(rig.deliver_all("a").len(), 47);
    rig.crash();
    cut_power(&folders);

    let mut rig = Rig::open(folders.options());
    assert_eq!(rig.recovery.recovered, 0);
    assert!(!rig.recovery.clean && rig.recovery.last_sealed.is_some());
    let events = rig.recovery.events();
    assert!(events[0].text.contains("lost") && events[0].text.contains("since"), "{events:?}");
    assert_eq!(rig.account("a").sampled, 39, "the others have never been");
    rig.take(3);
    assert_eq!(rig.account("a").sampled, 42);
    assert_eq!(rig.deliver_all("a").len(), 42, "what was delivered since the last commit comes again");
}

#[test]
fn cursors_that_moved_far_are_on_disk_within_a_minute() {
    for (crash_log, persisted) in [(true, 1200), (false, 1500)] {
        let folders = Folders::new();
        let dir = crash_log.then(|| folders.shm.path().to_owned());
        let options = || Options { crash_log_dir: dir.clone(), ..folders.options() };
        let mut rig = Rig::open(options());
        rig.take(2000);
        for through in [300, 600, 900, 1200] {
            rig.read("a", 300);
            rig.acknowledge("a", through, 300);
        }
        rig.pass(Duration::from_secs(61));
        for _ in 0..3 {
            rig.read("a", 100);
        }
        rig.acknowledge("a", 1500, 300);
        rig.pass(Duration::from_secs(61));
        rig.crash();
        cut_power(&folders);
        let mut rig = Rig::open(options());
        assert_eq!(rig.account("a").delivered, persisted);
    }
}

#[test]
fn without_a_crash_log_the_sequence_goes_on() {
    let folders = Folders::new();
    let options = || Options { crash_log_dir: None, ..folders.options() };
    let mut rig = Rig::open(options());
    assert_eq!(rig.recovery.crash_log_problem, None, "none was asked for");
    rig.take(30);
    rig.deliver_all("a");
    // Persists a cursor that is ahead of the blocks.
    rig.worker.disk.with(Monotonic::ZERO, |store| {
        let cursors = rig.worker.ledger.cursors().collect();
        store.commit(&super::super::store::Commit { cursors, next: 30, ..Default::default() })
    });
    rig.crash();
    let mut rig = Rig::open(options());
    assert_eq!(rig.recovery.lost, 4);
    rig.take(5);
    let account = rig.account("a");
    assert_eq!((account.sampled, account.delivered, account.waiting), (35, 30, 5));
    assert_eq!(rig.deliver_all("a").len(), 5);
}

#[test]
fn a_damaged_or_foreign_crash_log_is_ignored() {
    let folders = Folders::new();
    let other = Folders::new();
    let mut rig = Rig::open(other.options());
    rig.take(5);
    let foreign = bytes_of(&log_file(&other));
    let tamper: [&dyn Fn(&Path); 6] = [
        &|path| std::fs::write(path, &foreign).unwrap(),
        &|path| std::fs::write(path, b"short").unwrap(),
        &|path| std::fs::write(path, []).unwrap(),
        &|path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap(),
        &|path| {
            std::fs::rename(path, path.with_extension("elsewhere")).unwrap();
            symlink(path.with_extension("elsewhere"), path).unwrap();
        },
        &|path| {
            std::fs::remove_file(path).unwrap();
            std::fs::create_dir(path).unwrap();
        },
    ];
    for (number, tamper) in tamper.iter().enumerate() {
        let mut rig = Rig::open(folders.options());
        rig.take(2);
        rig.crash();
        tamper(&log_file(&folders));
        let mut rig = Rig::open(folders.options());
        assert_eq!(rig.recovery.recovered, 0, "way {number}");
        rig.take(1);
        rig.account("a");
        assert_eq!(
            rig.recovery.crash_log_problem.is_some(),
            number == 5,
            "a folder in the way is all that cannot be replaced"
        );
    }
}

#[test]
fn a_torn_record_costs_only_what_lies_before_it() {
    // Slots are numbers, after one for the head: the newest is torn, then one in the middle.
    for (torn, recovered, lost) in [(10, 9, 0), (5, 5, 5)] {
        let folders = Folders::new();
        let mut rig = Rig::open(folders.options());
        rig.take(10);
        rig.crash();
        let path = log_file(&folders);
        let mut bytes = bytes_of(&path);
        let record = bytes.len() / 11;
        bytes[torn * record + 20] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let mut rig = Rig::open(folders.options());
        assert_eq!((rig.recovery.recovered, rig.recovery.lost), (recovered, lost), "record {torn}");
        let account = rig.account("a");
        assert_eq!((account.waiting, account.evicted), (recovered, lost));
        assert_eq!(rig.deliver_all("a").len() as u64, recovered);
        assert_eq!(rig.account("a").evicted, lost);
    }
}

#[test]
fn a_folder_that_is_no_tmpfs_holds_no_crash_log() {
    let folders = Folders::new();
    let proc = Path::new("/proc").to_owned();
    let rig = Rig::open(Options { crash_log_dir: Some(proc), ..folders.options() });
    let events = rig.recovery.events();
    assert!(events.len() == 1 && events[0].text.contains("not a tmpfs"), "{events:?}");
    let missing = folders.shm.path().join("missing");
    let rig = Rig::open(Options { crash_log_dir: Some(missing), ..folders.options() });
    assert!(rig.recovery.crash_log_problem.is_some());
}
