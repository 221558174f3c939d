//! A journal whose file cannot be opened at first.

use filamentbox_core::config::RequireSync;

use super::super::waiting::Journal;
use super::*;

fn take(intake: &mut Intake, clocks: &Clocks, count: u64) {
    for number in 0..count {
        let clock = clocks.read();
        intake.sample(Sample {
            box_name: BoxName::main(),
            taken_at: clock.now,
            wall: clock.wall,
            measurement: measurement(number, 5_000, &mut Noise::new()),
            heater_on: false,
            fan_on: false,
        });
    }
}

fn books(account: &Account) -> (u64, u64, u64, u64) {
    (account.sampled, account.delivered, account.waiting, account.evicted)
}

#[test]
fn a_journal_without_a_file_holds_what_it_may_and_goes_on_with_it_later() {
    let folders = Folders::new();
    let folder = folders.disk.path().join("mounted later");
    let clocks = Arc::new(Clocks::real(RequireSync::No));
    let options = || Options {
        path: folder.join("journal.db"),
        queue_max_size: 100,
        clocks: clocks.clone(),
        ..folders.options()
    };
    // It is not the first run.
    std::fs::create_dir(&folder).unwrap();
    let (mut intake, _, mut worker, _) = open(options()).unwrap();
    take(&mut intake, &clocks, 20);
    worker.finish();
    let away = folders.disk.path().join("away");
    std::fs::rename(&folder, &away).unwrap();

    let (mut intake, handle, mut journal, recovery) = Journal::start(options()).unwrap();
    assert!(recovery.unwrap_err().to_string().contains("mounted later/journal.db"));
    let thread = std::thread::spawn(move || journal.run());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let account = || books(&runtime.block_on(handle.accounts()).unwrap()[0]);
    for _ in 0..3 {
        take(&mut intake, &clocks, 50);
        // It has taken them in when it answers.
        account();
    }
    assert_eq!(account(), (150, 0, 100, 50));
    assert_eq!(runtime.block_on(handle.statistics()).unwrap().state, crate::journal::State::Failing);
    let exported = runtime.block_on(async {
        let all_time = UnixTime::from_millis(0)..UnixTime::from_millis(i64::MAX);
        handle.export(all_time, None).await.unwrap().recv().await.unwrap().unwrap()
    });
    assert_eq!(exported.len(), 100);

    std::fs::rename(&away, &folder).unwrap();
    // A backend is answered when there are numbers.
    let batch = runtime.block_on(handle.read("a", None, 1000)).unwrap();
    assert_eq!((batch.range, batch.points.len()), (0..120, 120));
    assert_eq!(account(), (170, 0, 120, 50));
    runtime.block_on(handle.settle("a", 0..120, delivered_of(120))).unwrap();
    take(&mut intake, &clocks, 10);
    assert_eq!(account(), (180, 120, 10, 50));
    let texts: Vec<String> =
        runtime.block_on(handle.events(100)).unwrap().into_iter().map(|(_, event)| event.text).collect();
    for told in ["cannot be used", "the oldest were lost", "100 samples from memory join it"] {
        assert_eq!(texts.iter().filter(|text| text.contains(told)).count(), 1, "{told}: {texts:?}");
    }
    runtime.block_on(handle.stop());
    thread.join().unwrap();
    let (_, _, worker, recovery) = open(options()).unwrap();
    assert!(recovery.clean);
    assert_eq!(books_of(&worker), (180, 120, 10, 50));
}

fn books_of(worker: &Worker) -> (u64, u64, u64, u64) {
    let (cursor, end) = (worker.ledger.get("a").unwrap(), worker.tail.end());
    (end - cursor.start + cursor.unnumbered, cursor.delivered, cursor.waiting(end), cursor.evicted)
}

#[test]
fn what_no_waiting_mends_ends_the_start() {
    let folders = Folders::new();
    let options = folders.options();
    rusqlite::Connection::open(&options.path).unwrap().execute_batch("CREATE TABLE other (a)").unwrap();
    assert!(matches!(Journal::start(options), Err(OpenError::Foreign { .. })));
}
