//! Taking in, reading, acknowledging, exporting, stopping.

use std::ops::ControlFlow;

use filamentbox_core::config::RequireSync;
use filamentbox_core::event::{Event, EventKind, Severity};

use super::*;
use crate::journal::{Gone, Resolution, State, read_file};

const ALL_TIME: std::ops::Range<UnixTime> = UnixTime::from_millis(i64::MIN)..UnixTime::from_millis(i64::MAX);

#[test]
fn points_are_read_in_order_whether_sealed_or_open() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    assert!(rig.recovery.created && rig.recovery.clean && rig.recovery.events().is_empty());
    rig.take(30);
    let statistics = rig.statistics();
    assert_eq!((statistics.sampled, statistics.sealed, statistics.open), (30, 26, 4), "two minutes and 20 s at 5 s");
    assert_eq!(statistics.state, State::Working);
    let batch = rig.read("a", 28);
    assert_eq!((batch.points.len(), batch.range.clone()), (28, 0..28));
    assert_in_step(&batch.points);
    assert_eq!(rig.read("a", 28), batch, "until it is acknowledged");
    rig.acknowledge("a", batch.range.end, 28);
    let batch = rig.read("a", 28);
    assert_eq!((batch.points.len(), batch.range), (2, 28..30));
    assert_eq!(rig.account("a").waiting, 2);
}

#[test]
fn a_stop_and_a_start_change_nothing() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(17);
    let first = rig.read("a", 10);
    rig.acknowledge("a", first.range.end, 9);
    assert_eq!(folders.crash_files(), 2);
    rig.stop();
    assert_eq!(folders.crash_files(), 0, "a clean stop needs no crash log");

    let mut rig = Rig::open(folders.options());
    assert!(rig.recovery.clean && !rig.recovery.created && rig.recovery.events().is_empty());
    let account = rig.account("a");
    assert_eq!((account.sampled, account.delivered, account.dead_letter, account.waiting), (17, 9, 1, 7));
    let mut all = first.points;
    all.extend(rig.deliver_all("a"));
    assert_eq!(all.len(), 17);
    assert_in_step(&all);
}

#[test]
fn a_stopped_journal_is_gone() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(3);
    rig.ask(|handle| async move { handle.stop().await });
    assert_eq!(rig.ask(|handle| async move { handle.read("a", None, 10).await }), Err(Gone));
    rig.take_asleep(2);
    rig.ask(|handle| async move { handle.stop().await });
    // Returns at once.
    rig.worker.run();
}

#[test]
fn an_unknown_sink_is_gone_and_harms_nobody() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(3);
    assert_eq!(rig.ask(|handle| async move { handle.read("other", None, 10).await }), Err(Gone));
    assert_eq!(rig.ask(|handle| async move { handle.settle("other", 0..3, delivered_of(3)).await }), Err(Gone));
    assert_eq!(rig.account("a").waiting, 3);
}

#[test]
fn a_new_sink_gets_the_history_and_a_returning_one_what_it_missed() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(20);
    assert_eq!(rig.deliver_all("a").len(), 20);
    rig.stop();
    let mut rig = Rig::open(Options { sinks: vec!["b".to_owned()], ..folders.options() });
    assert_eq!(rig.deliver_all("b").len(), 20);
    rig.take(5);
    rig.stop();
    let sinks = vec!["a".to_owned(), "b".to_owned()];
    let mut rig = Rig::open(Options { sinks, ..folders.options() });
    assert_eq!((rig.account("a").waiting, rig.account("b").waiting), (5, 5));
}

#[test]
fn with_each_every_sample_is_sealed_at_once() {
    let folders = Folders::new();
    let mut rig = Rig::open(Options { durability: Durability::Each, ..folders.options() });
    rig.take(3);
    let statistics = rig.statistics();
    assert_eq!((statistics.sealed, statistics.open, statistics.blocks), (3, 0, 3));
    let age = rig.clocks.read().now.since(rig.account("a").oldest_taken.unwrap());
    assert_eq!(age, INTERVAL * 2, "a sealed point has an age too");
}

/// The whole point of the intake's mark.
#[test]
fn the_thread_sleeps_until_a_batch_is_full() {
    let folders = Folders::new();
    let clocks = Arc::new(Clocks::real(RequireSync::No));
    let mut rig = Rig::open(Options { batch_size: 50, clocks, ..folders.options() });
    rig.worker.turn();
    rig.take_asleep(49);
    assert_eq!(rig.wakes(), 0);
    rig.take_asleep(1);
    assert_eq!(rig.wakes(), 1);
    rig.worker.turn();
    assert!(fired(&rig, "a"));
    rig.take_asleep(400);
    assert_eq!(rig.wakes(), 0, "a sink that is behind is not told again");
    let batch = rig.read("a", 50);
    rig.acknowledge("a", batch.range.end, 50);
    assert!(fired(&rig, "a"), "another batch waits");
    rig.worker.turn();
    rig.take_asleep(499);
    assert_eq!(rig.wakes(), 0);
    rig.take_asleep(1);
    assert_eq!(rig.wakes(), 1, "half the queue is full");
    assert!(!fired(&rig, "unknown"));
}

fn fired(rig: &Rig, sink: &str) -> bool {
    let notify = rig.handle.notified(sink);
    let mut notified = Box::pin(notify.notified());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    notified.as_mut().poll(&mut context).is_ready()
}

#[test]
fn each_wakes_for_every_sample() {
    let folders = Folders::new();
    let clocks = Arc::new(Clocks::real(RequireSync::No));
    let mut rig = Rig::open(Options { durability: Durability::Each, clocks, ..folders.options() });
    rig.worker.turn();
    rig.take_asleep(1);
    assert_eq!(rig.wakes(), 1);
}

#[test]
fn a_sleeping_thread_looks_again_within_a_minute() {
    let folders = Folders::new();
    let clocks = Arc::new(Clocks::real(RequireSync::No));
    let mut rig = Rig::open(Options { clocks, ..folders.options() });
    rig.worker.turn();
    let wait = rig.worker.turn();
    assert!(wait <= Duration::from_secs(60), "{wait:?}");
}

#[test]
fn what_the_channel_cannot_hold_is_dropped_and_counted() {
    let folders = Folders::new();
    let mut rig = Rig::open(Options { queue_max_size: 100, ..folders.options() });
    rig.take_asleep(130);
    rig.worker.turn();
    let account = rig.account("a");
    assert_eq!((account.sampled, account.evicted, account.waiting), (130, 30, 100));
    assert_eq!(rig.statistics().dropped, 30);
    assert_eq!(rig.event_texts().iter().filter(|text| text.contains("dropped")).count(), 1);
    rig.take(10);
    assert_eq!(rig.account("a").sampled, 140);
}

fn event(severity: Severity, text: &str) -> Event {
    Event { at: None, box_name: Some(BoxName::main()), kind: EventKind::Safety, severity, text: text.to_owned() }
}

#[test]
fn events_are_kept_with_the_next_block_and_errors_at_once() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.intake.event(event(Severity::Info, "one"));
    rig.handle.event(event(Severity::Warning, "two"));
    rig.worker.turn();
    assert_eq!(rig.event_texts(), ["two", "one"], "newest first");
    assert_eq!(rig.worker.events.len(), 2, "in memory so far");
    rig.intake.event(event(Severity::Error, "three"));
    rig.worker.turn();
    assert_eq!(rig.worker.events.len(), 0);
    rig.handle.event(event(Severity::Info, "four"));
    rig.worker.turn();
    rig.pass(Duration::from_secs(601));
    assert_eq!(rig.worker.events.len(), 0, "without samples too");
    rig.crash();
    let mut rig = Rig::open(folders.options());
    assert_eq!(rig.event_texts(), ["four", "three", "two", "one"]);
    let events = rig.ask(|handle| async move { handle.events(2).await }).unwrap();
    assert_eq!(events.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [4, 3]);
    let expected = Event { at: events[1].1.at, ..event(Severity::Error, "three") };
    assert_eq!(events[1].1, expected);
    assert!(expected.at.is_some(), "stamped on arrival");
}

fn exported(rig: &mut Rig, range: std::ops::Range<UnixTime>, name: Option<BoxName>) -> Vec<Point> {
    rig.ask(|handle| async move {
        let mut chunks = handle.export(range, name).await.unwrap();
        let mut all = Vec::new();
        while let Some(Ok(points)) = chunks.recv().await {
            assert!(!points.is_empty() && points.len() <= 2024, "{} points in a chunk", points.len());
            all.extend(points);
        }
        all
    })
}

fn read_from_file(folders: &Folders, range: std::ops::Range<UnixTime>, name: Option<BoxName>) -> Vec<Point> {
    let mut all = Vec::new();
    let options = folders.options();
    let report = read_file(&options.path, options.crash_log_dir.as_deref(), range, name, |points| {
        all.extend(points);
        ControlFlow::Continue(())
    });
    assert_eq!(report.unwrap().points, all.len() as u64);
    all
}

#[test]
fn an_export_has_everything_once_with_and_without_the_daemon() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    let mut samples: Vec<Sample> = (0..4000).map(|_| rig.sample()).collect();
    for (i, sample) in samples.iter_mut().enumerate() {
        if i % 3 == 0 {
            sample.box_name = BoxName::new("left").unwrap();
        }
        rig.intake.sample(sample.clone());
        rig.worker.turn();
    }
    let expected: Vec<Point> = samples.iter().map(|sample| sample.point_at(sample.wall.unwrap())).collect();
    assert!(rig.statistics().open > 0);
    assert_eq!(exported(&mut rig, ALL_TIME, None), expected);
    assert_eq!(
        read_from_file(&folders, ALL_TIME, None),
        expected,
        "beside a running daemon, the open ones from its crash log"
    );

    let range = expected[100].at..expected[3999].at;
    let left = BoxName::new("left").unwrap();
    let some: Vec<Point> = expected[100..3999].iter().filter(|point| point.box_name == left).cloned().collect();
    assert_eq!(exported(&mut rig, range.clone(), Some(left.clone())), some);
    assert_eq!(read_from_file(&folders, range, Some(left)), some);
    let nothing = UnixTime::from_millis(0)..UnixTime::from_millis(1);
    assert!(exported(&mut rig, nothing.clone(), None).is_empty() && read_from_file(&folders, nothing, None).is_empty());

    rig.pass(Duration::from_secs(3600));
    assert_eq!(exported(&mut rig, ALL_TIME, None), expected, "after small blocks were merged");
    rig.stop();
    assert_eq!(read_from_file(&folders, ALL_TIME, None), expected);
}

#[test]
fn a_slow_export_does_not_hold_up_the_thread() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(5000);
    let (open, waiting) = rig.ask(|handle| async move {
        let chunks = handle.export(ALL_TIME, None).await.unwrap();
        let queue = handle.queue("a", None).await.unwrap();
        (chunks, queue.range)
    });
    assert_eq!(waiting, 0..5000);
    drop(open);
}

#[test]
fn the_thread_runs_and_stops_and_survives_a_restart() {
    let folders = Folders::new();
    let clocks = Arc::new(Clocks::real(RequireSync::No));
    let mut rig = Rig::open(Options { clocks, ..folders.options() });
    rig.take_asleep(10);
    // As the supervisor finds it after a panic.
    rig.worker.running = true;
    let Rig { mut worker, handle, mut intake, .. } = rig;
    let thread = std::thread::spawn(move || worker.run());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let batch = runtime.block_on(handle.read("a", None, 100)).unwrap();
    assert_eq!(batch.points.len(), 10);
    runtime.block_on(handle.settle("a", batch.range, delivered_of(10))).unwrap();
    let events = runtime.block_on(handle.events(10)).unwrap();
    assert!(events[0].1.text.contains("started again"), "{events:?}");
    intake.event(event(Severity::Error, "wakes the thread"));
    runtime.block_on(handle.stop());
    thread.join().unwrap();
    let mut rig = Rig::open(folders.options());
    assert!(rig.recovery.clean);
    assert_eq!((rig.account("a").waiting, rig.account("a").delivered), (0, 10));
}

#[test]
fn rollups_are_lowest_mean_and_highest() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    let mut points = Vec::new();
    for _ in 0..2000 {
        let sample = rig.sample();
        points.push(sample.point_at(sample.wall.unwrap()));
        rig.intake.sample(sample);
        rig.worker.turn();
    }
    rig.pass(Duration::from_secs(700));
    rig.pass(Duration::from_secs(3600));
    for (resolution, seconds) in [(Resolution::Minute, 60), (Resolution::Hour, 3600)] {
        let rollups = rig
            .ask(|handle| async move { handle.rollups(resolution, ALL_TIME, BoxName::main()).await })
            .expect("the journal answers");
        assert_eq!(rollups.end, 2000);
        assert_eq!(rollups.rollups.iter().map(|(_, bucket)| bucket.count()).sum::<i64>(), 2000);
        for (start, bucket) in rollups.rollups {
            let within =
                |point: &&Point| point.at.millis().div_euclid(seconds * 1000) * seconds * 1000 == start.millis();
            let of: Vec<&Point> = points.iter().filter(within).collect();
            assert_eq!(bucket.count(), of.len() as i64);
            let temperatures = || of.iter().map(|point| i64::from(point.measurement.temperature.centi()));
            let temperature = bucket.temperature;
            assert_eq!(Some(temperature.low), temperatures().min());
            assert_eq!(temperature.sum, temperatures().sum::<i64>());
            assert_eq!(Some(temperature.high), temperatures().max());
            assert_eq!(bucket.heater_on, of.iter().filter(|point| point.heater_on).count() as i64);
            assert!(bucket.pressure.mean().is_some_and(|pascal| (pascal - 101_325.0).abs() < 100.0));
        }
    }
}

/// What the threads and the web server's tasks need; this test fails by not compiling.
#[test]
fn everything_can_go_where_it_is_used() {
    fn send<T: Send>(_: &T) {}
    fn send_and_sync<T: Send + Sync + Clone + 'static>(_: &T) {}
    let folders = Folders::new();
    let Rig { intake, handle, worker, .. } = Rig::open(folders.options());
    send(&intake);
    send(&worker);
    send_and_sync(&handle);
    send(&handle.read("a", None, 1));
    send(&handle.export(ALL_TIME, None));
    send(&handle.stop());
}
