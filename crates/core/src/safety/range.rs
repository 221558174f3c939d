//! Whether a sensor can see the cut-off coming: beyond the end of its range hotter air reads no hotter.

/// The cut-off keeps this distance from the end of the sensor's range, in °C: near it a sensor is coarse, and it must be passed to
/// be seen.
pub const SENSOR_RANGE_MARGIN_C: f64 = 2.0;

/// Whether a sensor whose range ends at `range_end_c` sees air of `cut_off_c`, both in °C.
pub fn is_seen_by(cut_off_c: f64, range_end_c: f64) -> bool {
    cut_off_c <= range_end_c - SENSOR_RANGE_MARGIN_C
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The DHT11 ends at 50 °C, the DHT22 at 80, the BME280 at 85.
    #[test]
    fn both_sides_of_the_usual_ranges() {
        for (range_end_c, highest_c) in [(50.0, 48.0), (80.0, 78.0), (85.0, 83.0)] {
            assert!(is_seen_by(highest_c, range_end_c), "{highest_c}");
            assert!(!is_seen_by(highest_c + 0.01, range_end_c), "{highest_c}");
        }
    }
}
