//! Which readings are believed: no air changes as fast as a broken sensor does.
//!
//! A reading that is not believed is no reading: it is not controlled by, not kept, and does not make the last one younger.

use std::time::Duration;

use crate::time::Monotonic;
use crate::units::Celsius;

/// The quickest box that is known (150 W in 10 l) changes by 2 °C/s at its sensor.
const RATE_MAX_C_PER_S: f64 = 5.0;
/// No air leaps so far from one reading to the next, even when some were lost in between.
const JUMP_MAX_C: f64 = 20.0;
/// After so long anything may have become of the air: the next reading is believed as the first one is.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// So many rejected readings in a row are no accident: heat is refused. And so many in a row that agree with each other are how the
/// air is now.
pub const REJECTED_IN_A_ROW: u32 = 3;
/// The shortest interval of the settings: a late reading close before the next must not turn noise into a rate.
const NEAREST: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug)]
struct Told {
    temperature: Celsius,
    at: Monotonic,
}

impl Told {
    /// What is wrong with `next` behind this one, if anything is.
    fn leap_to(self, next: Self) -> Option<Leap> {
        let elapsed = next.at.since(self.at).max(NEAREST);
        if elapsed >= FORGOTTEN_AFTER {
            return None;
        }
        let change_c = next.temperature.above(self.temperature).abs();
        let allowed_c = JUMP_MAX_C.min(RATE_MAX_C_PER_S * elapsed.as_secs_f64());
        (change_c > allowed_c).then_some(Leap { from: self.temperature, to: next.temperature, elapsed })
    }
}

/// A change that no air makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{to} follows on {from} within {:.1} s; more than {RATE_MAX_C_PER_S} °C a second or {JUMP_MAX_C} °C in all is not believed",
    elapsed.as_secs_f64()
)]
pub struct Leap {
    from: Celsius,
    to: Celsius,
    elapsed: Duration,
}

/// What is thought of a reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Belief {
    /// It is how the air is.
    Believed,
    /// It is how the air is, though it was not believed at first: whatever was concluded from earlier readings is void.
    NewLevel,
    /// It is no reading.
    Rejected(Leap),
}

/// Rejected readings since the last believed one.
#[derive(Clone, Copy, Debug)]
struct Row {
    last: Told,
    leap: Leap,
    in_a_row: u32,
    agreeing: u32,
}

/// What the next reading is compared with.
#[derive(Clone, Debug, Default)]
pub struct Plausibility {
    believed: Option<Told>,
    rejected: Option<Row>,
}

impl Plausibility {
    /// Takes in a reading of `temperature` at `at`.
    pub fn judge(&mut self, temperature: Celsius, at: Monotonic) -> Belief {
        let told = Told { temperature, at };
        let Some(leap) = self.believed.and_then(|believed| believed.leap_to(told)) else {
            self.believe(told);
            return Belief::Believed;
        };
        let (in_a_row, agreeing) = match self.rejected {
            Some(row) if row.last.leap_to(told).is_none() => (row.in_a_row + 1, row.agreeing + 1),
            Some(row) => (row.in_a_row + 1, 1),
            None => (1, 1),
        };
        if agreeing >= REJECTED_IN_A_ROW {
            self.believe(told);
            return Belief::NewLevel;
        }
        self.rejected = Some(Row { last: told, leap, in_a_row, agreeing });
        Belief::Rejected(leap)
    }

    fn believe(&mut self, told: Told) {
        (self.believed, self.rejected) = (Some(told), None);
    }

    /// How many readings in a row were rejected, up to the latest.
    pub fn rejected_in_a_row(&self) -> u32 {
        self.rejected.map_or(0, |row| row.in_a_row)
    }

    /// The latest change that was not believed, when too many in a row were not.
    pub fn distrust(&self) -> Option<Leap> {
        self.rejected.filter(|row| row.in_a_row >= REJECTED_IN_A_ROW).map(|row| row.leap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(plausibility: &mut Plausibility, second: f64, temperature_c: f64) -> Belief {
        let at = Monotonic::ZERO + Duration::from_secs_f64(1000.0 + second);
        plausibility.judge(Celsius::new(temperature_c).expect("in range"), at)
    }

    /// One letter a reading: believed, New level, rejected, X: rejected and distrusted.
    #[track_caller]
    fn check(readings: &[(f64, f64)], expected: &str) {
        let mut plausibility = Plausibility::default();
        let letters: String = readings
            .iter()
            .map(|(second, temperature_c)| match judge(&mut plausibility, *second, *temperature_c) {
                Belief::Believed => 'b',
                Belief::NewLevel => 'N',
                Belief::Rejected(_) if plausibility.distrust().is_some() => 'X',
                Belief::Rejected(_) => 'r',
            })
            .collect();
        assert_eq!(letters, expected, "{readings:?}");
    }

    #[test]
    fn both_sides_of_rate_jump_and_age() {
        check(&[(0.0, 20.0), (1.0, 25.0)], "bb");
        check(&[(0.0, 20.0), (1.0, 25.01)], "br");
        check(&[(0.0, 20.0), (1.0, 15.0)], "bb");
        check(&[(0.0, 20.0), (1.0, 14.99)], "br");
        check(&[(0.0, 20.0), (30.0, 40.0)], "bb");
        check(&[(0.0, 20.0), (30.0, 40.01)], "br");
        check(&[(0.0, 20.0), (59.9, 40.01)], "br");
        check(&[(0.0, 20.0), (60.0, 40.01)], "bb");
        check(&[(0.0, 20.0), (0.001, 20.1)], "bb");
    }

    #[test]
    fn the_first_reading_is_believed() {
        check(&[(0.0, 85.0)], "b");
    }

    #[test]
    fn an_outlier_changes_nothing() {
        check(&[(0.0, 20.0), (5.0, 85.0), (10.0, 20.1), (15.0, -40.0), (20.0, 85.0), (25.0, 20.2)], "brbrrb");
    }

    #[test]
    fn three_in_a_row_are_distrusted() {
        check(&[(0.0, 20.0), (5.0, 85.0), (10.0, 150.0), (15.0, -40.0), (20.0, 90.0), (25.0, 20.0)], "brrXXb");
    }

    #[test]
    fn three_that_agree_are_a_new_level_and_two_are_not() {
        check(&[(0.0, 20.0), (5.0, 60.0), (10.0, 61.0), (15.0, 62.0), (20.0, 62.0)], "brrNb");
        check(
            &[(0.0, 20.0), (5.0, 60.0), (10.0, 61.0), (15.0, 120.0), (20.0, 61.0), (25.0, 62.0), (30.0, 63.0)],
            "brrXXXN",
        );
    }

    #[test]
    fn a_leap_names_numbers_and_limits() {
        let mut plausibility = Plausibility::default();
        judge(&mut plausibility, 0.0, 20.0);
        let Belief::Rejected(leap) = judge(&mut plausibility, 5.0, 85.0) else { panic!("rejected") };
        let text = "85.00 °C follows on 20.00 °C within 5.0 s; more than 5 °C a second or 20 °C in all is not believed";
        assert_eq!(leap.to_string(), text);
    }
}
