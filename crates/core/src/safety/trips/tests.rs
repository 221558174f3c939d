use std::time::Duration;

use super::*;
use crate::sample::Measurement;
use crate::units::{Celsius, RelativeHumidity};

fn at(seconds: u64) -> Monotonic {
    Monotonic::ZERO + Duration::from_secs(seconds)
}

fn read(trips: &mut Trips, second: u64, temperature_c: f64) -> Option<Trip> {
    let measurement = Measurement {
        temperature: Celsius::new(temperature_c).expect("in range"),
        humidity: RelativeHumidity::new(30.0).expect("in range"),
        pressure: None,
    };
    trips.reading(&Reading { measurement, taken_at: at(second), wall: None, fingerprint: None }, 40.0)
}

/// One reading too high or too low, and within what is believed.
#[test]
fn a_single_outlier_trips_nothing_and_proves_nothing() {
    for outlier_c in [15.0, 25.0] {
        let mut trips = Trips::new(&SafetyConfig::default(), at(0));
        for second in (0..1000).step_by(5) {
            let temperature_c = if second == 500 { outlier_c } else { 20.0 };
            assert_eq!(read(&mut trips, second, temperature_c), None);
        }
        trips.line(at(1000), true);
        for second in (1000..1180).step_by(5) {
            read(&mut trips, second, if second == 1100 { outlier_c } else { 20.0 });
        }
        assert!(trips.rest().is_none());
        read(&mut trips, 1180, 20.0);
        assert!(trips.rest().is_some(), "not proven by {outlier_c}");
    }
}
