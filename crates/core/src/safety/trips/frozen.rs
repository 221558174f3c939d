//! A sensor that repeats itself to the bit while the heater is on: no heated air is so steady.

use super::Trip;
use crate::safety::LatchReason;
use crate::sample::Frozen as Limit;
use crate::time::Monotonic;

/// The same words again and again.
#[derive(Clone, Copy, Debug)]
struct Run {
    fingerprint: u64,
    first: Monotonic,
    readings: u32,
}

/// Watches for a frozen sensor.
#[derive(Clone, Debug, Default)]
pub struct Frozen {
    /// Of the sensor that was opened; nothing is watched before.
    limit: Option<Limit>,
    active_since: Option<Monotonic>,
    run: Option<Run>,
}

impl Frozen {
    /// A sensor was opened.
    pub fn sensor(&mut self, limit: Limit) {
        (self.limit, self.run) = (Some(limit), None);
    }

    /// The heater's line is so from now on.
    pub fn line(&mut self, now: Monotonic, active: bool) {
        (self.active_since, self.run) = (active.then_some(now), None);
    }

    /// What was repeated before counts no more.
    pub fn forget(&mut self) {
        self.run = None;
    }

    /// Takes in a reading taken at `at`.
    pub fn reading(&mut self, at: Monotonic, fingerprint: Option<u64>) -> Option<Trip> {
        let (limit, fingerprint) = (self.limit?, fingerprint?);
        if self.active_since.is_none_or(|since| at < since) {
            return None;
        }
        let mut run = self.run.unwrap_or(Run { fingerprint, first: at, readings: 0 });
        if run.fingerprint != fingerprint {
            run = Run { fingerprint, first: at, readings: 0 };
        }
        run.readings += 1;
        self.run = Some(run);
        let time = at.since(run.first);
        (run.readings >= limit.readings && time >= limit.time).then(|| Trip {
            reason: LatchReason::SensorFrozen,
            evidence: format!(
                "{} readings over {:.0} s with the heater on are the same to the bit; {} over {} s mean that it is frozen",
                run.readings,
                time.as_secs_f64(),
                limit.readings,
                limit.time.as_secs_f64()
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMIT: Limit = Limit { readings: 3, time: Duration::from_secs(10) };

    fn at(seconds: u64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs(seconds)
    }

    /// The heater is on from second 10 to 100; each reading is (second, words). The second of the trip.
    #[track_caller]
    fn check(readings: &[(u64, Option<u64>)], trips_at: Option<u64>) {
        let mut frozen = Frozen::default();
        frozen.sensor(LIMIT);
        let mut active = false;
        for (second, words) in readings {
            let is_active = (10..100).contains(second);
            if is_active != active {
                frozen.line(at(if is_active { 10 } else { 100 }), is_active);
                active = is_active;
            }
            if let Some(trip) = frozen.reading(at(*second), *words) {
                assert_eq!((trip.reason, Some(*second)), (LatchReason::SensorFrozen, trips_at), "{readings:?}");
                return;
            }
        }
        assert_eq!(trips_at, None, "{readings:?}");
    }

    #[test]
    fn both_sides_of_count_and_time() {
        let same = Some(7);
        check(&[(10, same), (15, same), (20, same)], Some(20));
        check(&[(10, same), (15, same), (19, same)], None);
        check(&[(10, same), (20, same)], None);
        check(&[(10, same), (20, same), (21, same)], Some(21));
        check(&[(10, same), (15, Some(8)), (20, same), (25, same), (29, same)], None);
        check(&[(10, None), (15, None), (20, None), (25, None)], None);
    }

    #[test]
    fn only_readings_with_the_heater_on_count() {
        let same = Some(7);
        check(&[(0, same), (5, same), (10, same), (15, same), (19, same)], None);
        check(&[(90, same), (95, same), (105, same), (110, same), (120, same)], None);
    }

    #[test]
    fn without_a_sensor_that_tells_nothing_is_watched() {
        let mut frozen = Frozen::default();
        frozen.line(at(0), true);
        assert!((0..100).all(|second| frozen.reading(at(second), Some(7)).is_none()));
    }
}
