//! A backlog made beforehand: a journal with samples that a backend does not have, as after a long outage.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use filamentbox::alerts::Alerts;
use filamentbox::journal;
use filamentbox::runtime::clock::{Clocks, wall};
use filamentbox_core::config::Durability;
use filamentbox_core::sample::{BoxName, Measurement, Point, Sample};
use filamentbox_core::time::UnixTime;
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};

/// Samples after which the journal is waited for; less than its queue holds.
const AT_ONCE: u64 = 5000;

/// From one sample of a backlog to the next.
const SECOND: Duration = Duration::from_secs(1);

/// The time of the first of `count` samples, a second apart, the last of which is taken now.
pub(crate) fn start_ms(count: u64) -> i64 {
    start_ms_of(count, SECOND)
}

fn start_ms_of(count: u64, step: Duration) -> i64 {
    let now = wall().expect("a clock").millis();
    now - i64::try_from(count).expect("small") * millis(step)
}

fn millis(step: Duration) -> i64 {
    i64::try_from(step.as_millis()).expect("small")
}

/// The sample `index` of a backlog that begins at `start_ms`.
pub(crate) fn point(start_ms: i64, index: u64) -> Point {
    let swing = (index as f64 / 500.0).sin();
    Point {
        box_name: BoxName::main(),
        at: UnixTime::from_millis(start_ms + i64::try_from(index).expect("small") * 1000),
        measurement: Measurement {
            temperature: Celsius::new(21.0 + swing).expect("in range"),
            humidity: RelativeHumidity::new(12.0 + 2.0 * swing).expect("in range"),
            pressure: Hectopascal::new(1000.0 + swing),
        },
        heater_on: swing < 0.0,
        fan_on: swing > 0.5,
    }
}

/// A journal with `count` samples that `sink` does not have.
pub(crate) fn fill(path: &Path, sink: &str, count: u64) {
    fill_with(path, vec![sink.to_owned()], start_ms(count), count, SECOND);
}

/// A journal with `count` samples that no backend waits for, `step` apart, up to now.
pub(crate) fn fill_history(path: &Path, count: u64, step: Duration) {
    fill_with(path, Vec::new(), start_ms_of(count, step), count, step);
}

fn fill_with(path: &Path, sinks: Vec<String>, start_ms: i64, count: u64, step: Duration) {
    // To the journal, it all happens now: a week in some seconds.
    let clocks = Arc::new(Clocks::scaled(1.0, UnixTime::from_millis(start_ms), Duration::from_secs(1)));
    let start = clocks.read().now;
    let options = journal::Options {
        path: path.to_owned(),
        crash_log_dir: None,
        durability: Durability::Minute,
        queue_max_size: 20_000,
        max_batches: 50_000,
        retention: Duration::from_secs(10 * 365 * 86_400),
        max_bytes: 64_000_000,
        max_age: Duration::from_secs(365 * 86_400),
        sinks,
        batch_size: AT_ONCE,
        clocks: clocks.clone(),
        alerts: Alerts::default(),
    };
    let (mut intake, handle, mut worker, _) = journal::open(options).expect("a journal");
    let thread = std::thread::spawn(move || worker.run());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for index in 0..count {
        let at = millis(step) * i64::try_from(index).expect("small");
        let point = Point { at: UnixTime::from_millis(start_ms + at), ..point(start_ms, index) };
        intake.sample(Sample {
            box_name: point.box_name,
            taken_at: start + step * u32::try_from(index).expect("small"),
            wall: Some(point.at),
            measurement: point.measurement,
            heater_on: point.heater_on,
            fan_on: point.fan_on,
        });
        if index % AT_ONCE == AT_ONCE - 1 {
            // Lets the journal take in what is queued.
            runtime.block_on(handle.statistics()).expect("it answers");
        }
    }
    runtime.block_on(handle.stop());
    thread.join().expect("the journal's thread");
}
