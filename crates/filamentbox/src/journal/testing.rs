//! Air as a BME280 sees it, and a journal without a thread, for tests.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use filamentbox_core::sample::{BoxName, Measurement, Point};
use filamentbox_core::time::UnixTime;
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};

use super::{Handle, Intake, Options, Worker, open};

/// 2026-01-01.
pub(crate) const START_MS: i64 = 1_767_225_600_000;

/// A generator of noise with a normal distribution (twelve uniform numbers, less six); the same for every run.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(super) fn next(&mut self) -> f64 {
        let mut uniform = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    }
}

/// The `i`-th reading of a box that is slowly heated and cooled.
pub(crate) fn measurement(i: u64, interval_ms: u64, noise: &mut Noise) -> Measurement {
    let phase = (i * interval_ms) as f64 / 3_600_000.0 * std::f64::consts::TAU;
    Measurement {
        temperature: Celsius::new(22.0 + phase.sin() + 0.005 * noise.next()).unwrap(),
        humidity: RelativeHumidity::new(15.0 - 2.0 * phase.sin() + 0.05 * noise.next()).unwrap(),
        pressure: Hectopascal::new(1013.25 + 0.3 * (phase / 24.0).sin() + 0.016 * noise.next()),
    }
}

/// `count` points, `interval_ms` apart with 2 ms of jitter.
pub(super) fn air(count: usize, interval_ms: u64) -> Vec<Point> {
    let mut noise = Noise::new();
    (0..count as u64)
        .map(|i| Point {
            box_name: BoxName::main(),
            at: UnixTime::from_millis(START_MS + (i * interval_ms) as i64 + (2.0 * noise.next()).round() as i64),
            measurement: measurement(i, interval_ms, &mut noise),
            heater_on: i / 300 % 2 == 1,
            fan_on: false,
        })
        .collect()
}

/// A journal whose thread is whoever polls it. Dropped, it is a journal whose process was killed.
pub(crate) struct Threadless {
    pub(crate) intake: Intake,
    pub(crate) handle: Handle,
    worker: Worker,
}

impl Threadless {
    pub(crate) fn open(options: Options) -> Self {
        let (intake, handle, worker, _) = open(options).expect("the journal opens");
        Self { intake, handle, worker }
    }

    /// What is due.
    pub(crate) fn turn(&mut self) {
        self.worker.turn();
    }

    /// Polls `future` and serves what it asks, until both wait for something else.
    pub(crate) fn poll<F: Future + ?Sized>(
        &mut self,
        mut future: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<F::Output> {
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            let mut served = false;
            while let Some(Ok(request)) = self.worker.requests.as_ref().map(|requests| requests.try_recv()) {
                self.worker.serve(request);
                if self.worker.requests.is_some() {
                    self.worker.turn();
                }
                served = true;
            }
            if !served {
                return Poll::Pending;
            }
        }
    }

    /// An answer of the journal.
    pub(crate) async fn ask<F: Future>(&mut self, question: impl FnOnce(Handle) -> F) -> F::Output {
        let mut asking = pin!(question(self.handle.clone()));
        poll_fn(|context| self.poll(asking.as_mut(), context)).await
    }
}
