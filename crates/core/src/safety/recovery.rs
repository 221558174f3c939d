//! When a sensor that was lost is trusted again.

use std::time::Duration;

use super::Inhibit;
use crate::time::Monotonic;

/// A loose plug makes contact now and then: so many good readings in a row ...
const GOOD_IN_A_ROW: u32 = 3;
/// ... over at least so long bring the heat back. With readings 5 s apart or more their number alone decides.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// Good readings since the loss or since the latest one that failed.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    good: u32,
    first: Option<Monotonic>,
}

/// Whether a lost sensor has proven itself.
#[derive(Clone, Debug)]
pub struct Recovery {
    max_sample_age: Duration,
    last_good: Option<Monotonic>,
    /// `None` while the sensor is trusted: at the start too, when the first good reading suffices.
    row: Option<Row>,
}

impl Recovery {
    /// A sensor that is trusted. A reading older than `max_sample_age` means that it is lost.
    pub fn new(max_sample_age: Duration) -> Self {
        Self { max_sample_age, last_good: None, row: None }
    }

    /// Another limit from the next reading on.
    pub fn configure(&mut self, max_sample_age: Duration) {
        self.max_sample_age = max_sample_age;
    }

    /// Readings were not believed, too many in a row.
    pub fn lose(&mut self) {
        self.row = Some(Row::default());
    }

    /// A good reading, taken at `taken_at` and known from `now` on.
    pub fn good(&mut self, now: Monotonic, taken_at: Monotonic) {
        if self.last_good.is_some_and(|last| now.since(last) > self.max_sample_age) {
            self.lose();
        }
        self.last_good = Some(taken_at);
        let Some(row) = &mut self.row else { return };
        row.good += 1;
        let first = *row.first.get_or_insert(taken_at);
        if row.good >= GOOD_IN_A_ROW && taken_at.since(first) >= GOOD_FOR {
            self.row = None;
        }
    }

    /// A reading failed or was not believed.
    pub fn miss(&mut self) {
        if self.row.is_some() {
            self.row = Some(Row::default());
        }
    }

    /// Why the sensor is not trusted yet.
    pub fn doubt(&self) -> Option<Inhibit> {
        self.row.map(|row| Inhibit::Recovering { good: row.good, needed: GOOD_IN_A_ROW, over: GOOD_FOR })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_AGE: Duration = Duration::from_secs(15);

    fn at(seconds: f64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs_f64(seconds)
    }

    /// Moments of good readings, and of failed ones where negative. Trusted after each: `t`, else `-`.
    #[track_caller]
    fn check(moments: &[f64], trusted: &str) {
        let mut recovery = Recovery::new(MAX_AGE);
        let letters: String = moments
            .iter()
            .map(|seconds| {
                match *seconds {
                    failed if failed < 0.0 => recovery.miss(),
                    good => recovery.good(at(good), at(good)),
                }
                if recovery.doubt().is_none() { 't' } else { '-' }
            })
            .collect();
        assert_eq!(letters, trusted, "{moments:?}");
    }

    #[test]
    fn the_first_reading_suffices_at_the_start_and_one_failed_loses_nothing() {
        check(&[-1.0, 100.0, 105.0, -110.0, 115.0, 130.0], "tttttt");
    }

    #[test]
    fn after_a_loss_it_takes_three_over_ten_seconds() {
        check(&[1.0, 16.001, 21.0, 26.0, 26.001], "t---t");
        check(&[1.0, 17.0, 22.0, 27.0], "t--t");
        check(&[1.0, 17.0, 19.0, 21.0, 23.0, 25.0, 27.0], "t-----t");
        check(&[1.0, 17.0, 27.0, 28.0], "t--t");
    }

    #[test]
    fn in_a_row_means_without_a_failure_or_another_loss() {
        check(&[1.0, 17.0, 22.0, -25.0, 27.0, 32.0, 37.0], "t-----t");
        check(&[1.0, 17.0, 22.0, 37.001, 42.0, 47.0, 47.001], "t-----t");
    }

    #[test]
    fn a_reading_that_waited_too_long_for_a_hung_daemon_is_a_loss_too() {
        let mut recovery = Recovery::new(MAX_AGE);
        recovery.good(at(1.0), at(1.0));
        recovery.good(at(20.0), at(6.0));
        assert!(recovery.doubt().is_some());
    }
}
