//! The middle of the last three readings: one outlier, within what is believed, neither trips nor proves anything.

use crate::units::Celsius;

/// The last two readings.
#[derive(Clone, Debug, Default)]
pub struct Median {
    last: [Option<Celsius>; 2],
}

impl Median {
    /// Takes in `temperature`; the middle one of the last three, once there are three.
    pub fn push(&mut self, temperature: Celsius) -> Option<Celsius> {
        let [before, last] = self.last;
        self.last = [last, Some(temperature)];
        let (a, b, c) = (before?, last?, temperature);
        Some(a.min(b).max(a.max(b).min(c)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_three_in_any_order() {
        let mut median = Median::default();
        let seen: Vec<Option<i32>> = [10, 30, 20, 20, 90, 21, 5, 22]
            .map(|centi| median.push(Celsius::from_centi(centi).expect("in range")).map(Celsius::centi))
            .to_vec();
        assert_eq!(seen, [None, None, Some(20), Some(20), Some(20), Some(21), Some(21), Some(21)]);
    }
}
