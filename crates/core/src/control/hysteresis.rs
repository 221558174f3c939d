//! The two-point controllers of heater and fan: act outside the band, keep the state inside it.

use super::{Controller, Demand};
use crate::config::Band;
use crate::sample::Measurement;

/// Which quantity is kept in the band, and which side of it calls for the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Acts {
    /// Heater: on below the band.
    OnLowTemperature,
    /// Fan: on above the band.
    OnHighHumidity,
}

/// A two-point controller with hysteresis.
#[derive(Clone, Debug)]
pub struct Hysteresis {
    acts: Acts,
    band: Band,
    on: bool,
}

impl Hysteresis {
    /// On below `band.low` °C, off above `band.high` °C.
    pub fn heater(band: Band) -> Self {
        Self { acts: Acts::OnLowTemperature, band, on: false }
    }

    /// Another band from the next reading on; what it wishes for stays until that says otherwise.
    pub fn configure(&mut self, band: Band) {
        self.band = band;
    }

    /// On above `band.high` %, off below `band.low` %.
    pub fn fan(band: Band) -> Self {
        Self { acts: Acts::OnHighHumidity, band, on: false }
    }
}

impl Controller for Hysteresis {
    fn decide(&mut self, measurement: &Measurement) -> Demand {
        let Band { low, high } = self.band;
        let (value, unit) = match self.acts {
            Acts::OnLowTemperature => (measurement.temperature.degrees(), "°C"),
            Acts::OnHighHumidity => (measurement.humidity.percent(), "%"),
        };
        let acts_when_low = self.acts == Acts::OnLowTemperature;
        let reason = if value < low {
            self.on = acts_when_low;
            format!("{value:.2} {unit} is below {low} {unit}")
        } else if value > high {
            self.on = !acts_when_low;
            format!("{value:.2} {unit} is above {high} {unit}")
        } else {
            format!("{value:.2} {unit} is within {low} to {high} {unit}, nothing to change")
        };
        Demand { on: self.on, reason }
    }

    fn resume(&mut self, on: bool) {
        self.on = on;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Celsius, RelativeHumidity};

    /// Feeds `values` one after the other and compares the demands, `1` for on.
    #[track_caller]
    fn check(mut controller: Hysteresis, values: &[f64], demands: &str) {
        let seen: String = values
            .iter()
            .map(|value| {
                let measurement = Measurement {
                    temperature: Celsius::new(*value).expect("in range"),
                    humidity: RelativeHumidity::new(*value).expect("in range"),
                    pressure: None,
                };
                if controller.decide(&measurement).on { '1' } else { '0' }
            })
            .collect();
        assert_eq!(seen, demands, "{values:?}");
    }

    #[test]
    fn heater_acts_outside_the_band_and_keeps_its_state_within() {
        let heater = || Hysteresis::heater(Band { low: 20.0, high: 22.0 });
        check(heater(), &[21.0, 20.0, 19.99, 20.0, 22.0, 22.01, 22.0, 20.0, 19.0], "001110001");
    }

    #[test]
    fn fan_acts_outside_the_band_and_keeps_its_state_within() {
        let fan = || Hysteresis::fan(Band { low: 10.0, high: 15.0 });
        check(fan(), &[12.0, 15.0, 15.01, 15.0, 10.0, 9.99, 10.0, 15.0, 16.0], "001110001");
    }
}
