//! The thread of one sensor: read, stamp, hand over. It may hang in its bus for ever; the readings then simply age.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::time::Duration;

use filamentbox_core::config::{Config, Settings};
use filamentbox_core::sample::{BoxName, Measurement, NoData};
use filamentbox_core::snapshot::Reading;
use filamentbox_core::time::Monotonic;
use filamentbox_devices::sensors::{OpenContext, Opener, Sensor};
use tracing::{debug, info, warn};

use super::clock::Clocks;
use super::control::ControlInput;
use super::supervisor::progress;
use super::trace::Trace;
use crate::settings::Loaded;

/// While no sensor is found, it is looked for at most this seldom.
const LONGEST_SEARCH_PAUSE: Duration = Duration::from_secs(30);

/// What a sensor's thread goes by.
#[derive(Clone)]
pub struct SensorSettings {
    /// The sensor's keys, by name.
    keys: Settings,
    interval: Duration,
    /// Calibration.
    temperature_offset_c: f64,
    humidity_offset_pct: f64,
}

impl SensorSettings {
    /// What `loaded` says of sensors.
    pub fn of(loaded: &Loaded) -> Self {
        let Config { read_interval, temperature_offset_c, humidity_offset_pct, .. } = loaded.config;
        let keys = loaded.settings.clone();
        Self { keys, interval: read_interval, temperature_offset_c, humidity_offset_pct }
    }

    fn calibration(&self) -> (f64, f64) {
        (self.temperature_offset_c, self.humidity_offset_pct)
    }

    /// Whether `other` may mean another sensor, or another place.
    fn is_other_sensor(&self, other: &Self) -> bool {
        let is_offset = |key: &&&str| key.ends_with("_offset_c") || key.ends_with("_offset_pct");
        let differences = self.keys.differences(&other.keys);
        differences.iter().filter(|key| !is_offset(key)).any(|key| key.starts_with("sensor."))
    }

    /// Whether readings under `other` cannot be compared with those under these.
    pub fn makes_new_readings(&self, other: &Self) -> bool {
        self.calibration() != other.calibration() || self.is_other_sensor(other)
    }

    /// Whether a sensor's thread has to know of `other`.
    pub fn is_other(&self, other: &Self) -> bool {
        self.interval != other.interval || self.makes_new_readings(other)
    }
}

/// How a wait ended.
enum Waited {
    /// It is time.
    Due,
    /// There are other settings.
    Changed(SensorSettings),
    /// The thread has to end.
    Stop,
}

/// One sensor's thread.
pub struct Sensing {
    /// Which box.
    pub box_index: usize,
    /// Its name, for the trace.
    pub box_name: BoxName,
    /// Its settings.
    pub settings: SensorSettings,
    /// What a sensor needs beside its keys.
    pub context: OpenContext,
    /// The clocks.
    pub clocks: Arc<Clocks>,
    /// Where readings go. Full means that control is busy; the reading is dropped and counted.
    pub control: SyncSender<ControlInput>,
    /// Other settings. Ends the thread when its other end is dropped.
    pub changes: Receiver<SensorSettings>,
    /// `--trace`.
    pub trace: Option<Trace>,
    /// Opens the sensor, and the same one again when it was lost.
    pub opener: Opener,
    /// The sensor, once it was found.
    pub sensor: Option<Box<dyn Sensor>>,
}

impl Sensing {
    /// Reads until told to stop.
    pub fn run(&mut self) {
        let mut due = self.clocks.read().now;
        let mut pace = Pace::new(self.settings.interval);
        loop {
            let result = self.read();
            progress();
            let pause = pace.after(self.sensor.as_ref().map(|sensor| sensor.min_interval()));
            let is_missing = result.is_err();
            let finished_at = self.hand_over(result);
            due = next_due(due, finished_at, pause);
            if is_missing {
                // There is nothing to store until then: simulated time does not wait for it.
                self.clocks.stored(due);
            }
            match self.wait_until(due) {
                Waited::Due => {}
                Waited::Changed(settings) => {
                    self.configure(settings);
                    (pace, due) = (Pace::new(self.settings.interval), self.clocks.read().now);
                }
                Waited::Stop => return,
            }
        }
    }

    /// Goes by other settings from the next reading on.
    fn configure(&mut self, settings: SensorSettings) {
        let before = std::mem::replace(&mut self.settings, settings);
        if before.is_other_sensor(&self.settings) {
            (self.sensor, self.opener) = (None, Opener::new());
        }
        if before.makes_new_readings(&self.settings) {
            // Waited for: no new reading may come before it.
            let _ = self.control.send(ControlInput::NewReadings(self.box_index));
        }
    }

    fn read(&mut self) -> Result<Measurement, NoData> {
        if self.sensor.is_none() {
            let sensor = self.opener.open(&self.settings.keys, &self.context)?;
            info!(r#box = %self.box_name, "sensor: {}", sensor.describe());
            // Waited for, unlike all that follows: the interlock has to know what this sensor cannot tell. If control hangs, no
            // reading comes either.
            let _ = self.control.send(ControlInput::Sensor(self.box_index, sensor.traits()));
            self.sensor = Some(sensor);
        }
        let (temperature_offset_c, humidity_offset_pct) = self.settings.calibration();
        let sensor = self.sensor.as_mut().ok_or_else(|| NoData::NotPresent("not opened".to_owned()))?;
        let result = sensor.read().and_then(|raw| raw.calibrated(temperature_offset_c, humidity_offset_pct));
        if matches!(result, Err(NoData::NotPresent(_) | NoData::Bus(_))) {
            self.sensor = None;
        }
        result
    }

    /// Stamps what was read and tells control. Returns the moment of the stamp.
    fn hand_over(&mut self, result: Result<Measurement, NoData>) -> Monotonic {
        let clock = self.clocks.read();
        let input = match result {
            Ok(measurement) => {
                if let Some(trace) = &mut self.trace {
                    trace.sample(&self.box_name, &measurement);
                }
                debug!(r#box = %self.box_name, "{}, {}", measurement.temperature, measurement.humidity);
                let fingerprint = self.sensor.as_ref().and_then(|sensor| sensor.fingerprint());
                ControlInput::Reading(self.box_index, Reading { fingerprint, ..Reading::at(clock, measurement) })
            }
            Err(reason) => ControlInput::NoData(self.box_index, reason),
        };
        // A full inbox means that control hangs: the reading goes the way of all readings then, and heat with it.
        if self.control.try_send(input).is_err() {
            warn!(r#box = %self.box_name, "control does not take readings");
        }
        clock.now
    }

    fn wait_until(&self, due: Monotonic) -> Waited {
        match self.changes.try_recv() {
            Ok(settings) => return Waited::Changed(settings),
            Err(TryRecvError::Disconnected) => return Waited::Stop,
            Err(TryRecvError::Empty) => {}
        }
        loop {
            let wait = self.clocks.real_until(due);
            if wait.is_zero() {
                return Waited::Due;
            }
            match self.changes.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(settings) => return Waited::Changed(settings),
                Err(RecvTimeoutError::Disconnected) => return Waited::Stop,
            }
        }
    }
}

/// How often a sensor is read, and looked for while there is none.
struct Pace {
    interval: Duration,
    search_pause: Duration,
}

impl Pace {
    fn new(interval: Duration) -> Self {
        Self { interval, search_pause: interval }
    }

    /// The pause after a reading of a sensor that needs `min_interval`, or after one that was not found or was lost. The first look
    /// for it comes as soon as a reading would: one disturbance on the bus must not make the last good reading too old for heat.
    fn after(&mut self, min_interval: Option<Duration>) -> Duration {
        if let Some(min_interval) = min_interval {
            self.search_pause = self.interval;
            return self.interval.max(min_interval);
        }
        let pause = self.search_pause;
        self.search_pause = (pause * 2).min(LONGEST_SEARCH_PAUSE.max(self.interval));
        pause
    }
}

/// The next moment on the grid of `interval`. Moments that have passed meanwhile are skipped, not made up for: then the grid
/// begins anew at the reading that was late.
fn next_due(due: Monotonic, finished_at: Monotonic, interval: Duration) -> Monotonic {
    let next = due + interval;
    if next > finished_at { next } else { finished_at + interval }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_sensor_is_looked_for_at_once_and_then_ever_more_seldom() {
        let check = |interval: u64, min_interval: u64, found: &[bool], expected: &[u64]| {
            let mut pace = Pace::new(Duration::from_secs(interval));
            let min_interval = Duration::from_secs(min_interval);
            let pauses: Vec<u64> =
                found.iter().map(|found| pace.after(found.then_some(min_interval)).as_secs()).collect();
            assert_eq!(pauses, expected);
        };
        let (found, lost) = (true, false);
        check(5, 2, &[found, lost, found, lost, lost, lost, lost, lost], &[5, 5, 5, 5, 10, 20, 30, 30]);
        check(1, 2, &[found, lost, lost], &[2, 1, 2]);
        check(60, 2, &[lost, lost, found], &[60, 60, 60]);
    }
}
