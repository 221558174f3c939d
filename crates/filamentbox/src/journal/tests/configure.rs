//! Settings that change while the journal is at work.

use super::super::Settings;
use super::*;

impl Rig {
    /// Other settings: those of `options` but for `change`.
    fn configure(&mut self, options: &Options, change: impl FnOnce(&mut Settings)) {
        let mut settings = Settings {
            durability: options.durability,
            queue_max_size: options.queue_max_size,
            max_batches: options.max_batches,
            retention: options.retention,
            max_bytes: options.max_bytes,
            max_age: options.max_age,
            sinks: options.sinks.clone(),
            batch_size: options.batch_size,
        };
        change(&mut settings);
        self.ask(|handle| async move { handle.configure(settings).await }).expect("the journal answers");
    }
}

fn sinks(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_sink_that_goes_and_comes_back_goes_on_where_it_was() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(10);
    assert_eq!(rig.deliver_all("a").len(), 10);
    rig.take(5);
    rig.configure(&folders.options(), |settings| settings.sinks.clear());
    assert!(rig.ask(|handle| async move { handle.read("a", None, 300).await }).is_err(), "it has gone");
    rig.take(5);
    rig.configure(&folders.options(), |_| {});
    assert_eq!(rig.account("a").waiting, 10);
    let delivered = rig.deliver_all("a");
    assert_in_step(&delivered);
    assert_eq!((delivered.len(), rig.account("a").delivered, rig.account("a").sampled), (10, 20, 20));
    rig.stop();
}

#[test]
fn a_sink_that_goes_is_found_again_by_the_next_run_and_after_a_crash() {
    for crash in [false, true] {
        let folders = Folders::new();
        let mut rig = Rig::open(folders.options());
        rig.take(10);
        assert_eq!(rig.deliver_all("a").len(), 10);
        rig.configure(&folders.options(), |settings| settings.sinks.clear());
        rig.take(5);
        if crash {
            rig.crash()
        } else {
            rig.stop()
        }
        let mut rig = Rig::open(folders.options());
        assert_eq!(rig.deliver_all("a").len(), 5, "crash: {crash}");
        rig.stop();
    }
}

#[test]
fn a_sink_that_comes_gets_the_history_and_counts_what_went_while_it_was_away() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(10);
    rig.configure(&folders.options(), |settings| settings.sinks = sinks(&["a", "b"]));
    assert_eq!(rig.deliver_all("b").len(), 10);
    rig.configure(&folders.options(), |settings| settings.sinks = sinks(&["a"]));
    for _ in 0..40 {
        rig.take(10);
        assert_eq!(rig.deliver_all("a").len(), if rig.made == 20 { 20 } else { 10 });
        rig.pass(Duration::from_secs(700));
    }
    // What the others have is not kept for it.
    rig.configure(&folders.options(), |settings| settings.retention = Duration::from_secs(3600));
    rig.pass(Duration::from_secs(1));
    rig.configure(&folders.options(), |settings| settings.sinks = sinks(&["a", "b"]));
    let account = rig.account("b");
    assert!(account.evicted > 0 && account.waiting < 400, "{account:?}");
    let waiting = usize::try_from(account.waiting).unwrap();
    assert_eq!(rig.deliver_all("b").len(), waiting);
    rig.stop();
}

#[test]
fn durability_and_queue_hold_from_the_change_on() {
    let folders = Folders::new();
    let options = Options { sinks: Vec::new(), ..folders.options() };
    let mut rig = Rig::open(Options { sinks: Vec::new(), ..folders.options() });
    rig.take(3);
    assert_eq!(rig.statistics().open, 3);
    rig.configure(&options, |settings| settings.durability = Durability::Each);
    rig.take(1);
    assert_eq!(rig.statistics().open, 0);
    rig.configure(&options, |settings| {
        settings.durability = Durability::Ram;
        settings.queue_max_size = 100_000;
    });
    // The crash log has room for 4096 samples, and a crash must not lose one.
    rig.take(4000);
    assert!(rig.statistics().open <= 2731, "{:?}", rig.statistics());
    rig.crash();
    let mut rig = Rig::open(Options { sinks: sinks(&["a"]), queue_max_size: 100_000, ..folders.options() });
    assert_eq!(rig.statistics().sampled, 4004);
    assert_eq!((rig.deliver_all("a").len(), rig.recovery.lost), (4004, 0));
}

#[test]
fn a_sink_that_comes_while_the_disk_fails_comes_when_it_works_again() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(10);
    assert_eq!(rig.deliver_all("a").len(), 10);
    rig.configure(&folders.options(), |settings| settings.sinks.clear());
    let now = rig.clocks.read().now;
    assert_eq!(rig.worker.disk.with::<()>(now, |_| Err(rusqlite::Error::InvalidQuery)), None);
    rig.configure(&folders.options(), |_| {});
    assert!(rig.ask(|handle| async move { handle.read("a", None, 300).await }).is_err());
    rig.take(2);
    rig.pass(Duration::from_secs(120));
    assert_eq!(rig.deliver_all("a").len(), 2);
    rig.stop();
}
