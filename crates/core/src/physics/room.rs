//! The room around the box and the hand that opens its lid: functions of the time and the seed alone.

use super::parameters::BoxParameters;
use super::random::{hashed_unit, smooth_noise};

/// The air of the room.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Room {
    /// In °C.
    pub temperature_c: f64,
    /// In %.
    pub relative_humidity_pct: f64,
}

/// Streams of [`hashed_unit`].
const TEMPERATURE: u64 = 1;
const HUMIDITY: u64 = 2;
const PRESSURE: u64 = 3;
const LID_START: u64 = 4;
const LID_DURATION: u64 = 5;

const DAY_S: f64 = 86_400.0;
/// Weather changes with knots this far apart.
const WEATHER_KNOT_S: f64 = 21_600.0;
/// An opening lasts from one to the other.
const LID_SHORTEST_S: f64 = 30.0;
const LID_LONGEST_S: f64 = 240.0;
/// Nobody opens the lid so soon after the start, so that the first minutes show the control alone.
const LID_QUIET_S: f64 = 1_200.0;

/// The room at `time_s` after the start.
pub(super) fn room_at(parameters: &BoxParameters, seed: u64, time_s: f64) -> Room {
    let of_day = (std::f64::consts::TAU * time_s / DAY_S).sin();
    let temperature_weather = 0.4 * smooth_noise(seed, TEMPERATURE, time_s, WEATHER_KNOT_S);
    let humidity_weather = 0.8 * smooth_noise(seed, HUMIDITY, time_s, WEATHER_KNOT_S);
    // Warm air is dry air: humidity swings against temperature.
    Room {
        temperature_c: parameters.room_temperature_c
            + parameters.room_temperature_swing_c * (of_day + temperature_weather),
        relative_humidity_pct: (parameters.room_humidity_pct
            + parameters.room_humidity_swing_pct * (humidity_weather - of_day))
            .clamp(2.0, 98.0),
    }
}

/// Air pressure at `time_s` after the start, in hPa.
pub(super) fn pressure_hpa(seed: u64, time_s: f64) -> f64 {
    1013.0 + 12.0 * smooth_noise(seed, PRESSURE, time_s, 2.0 * DAY_S)
}

/// The part of the `step_s` seconds from `time_s` during which the lid is open.
///
/// The day is cut into equal slots with one opening somewhere in each.
pub(super) fn lid_open_fraction(parameters: &BoxParameters, seed: u64, time_s: f64, step_s: f64) -> f64 {
    if parameters.lid_openings_per_day <= 0.0 {
        return 0.0;
    }
    let slot_s = DAY_S / parameters.lid_openings_per_day;
    if step_s >= slot_s {
        return ((LID_SHORTEST_S + LID_LONGEST_S) / 2.0 / slot_s).min(1.0);
    }
    let slot = (time_s / slot_s) as u64;
    let open_s: f64 = (slot..=slot.saturating_add(1))
        .map(|slot| {
            let duration = LID_SHORTEST_S + (LID_LONGEST_S - LID_SHORTEST_S) * hashed_unit(seed, LID_DURATION, slot);
            let latest = (slot_s - LID_LONGEST_S).max(0.0);
            let start = (slot as f64 * slot_s + latest * hashed_unit(seed, LID_START, slot)).max(LID_QUIET_S);
            ((start + duration).min(time_s + step_s) - start.max(time_s)).max(0.0)
        })
        .sum();
    (open_s / step_s).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_stays_near_its_mean_and_swings_daily() {
        let parameters = BoxParameters::default();
        let rooms: Vec<Room> = (0..24 * 30).map(|hour| room_at(&parameters, 3, f64::from(hour) * 3_600.0)).collect();
        let temperatures: Vec<f64> = rooms.iter().map(|room| room.temperature_c).collect();
        let (low, high) = temperatures.iter().fold((f64::MAX, f64::MIN), |(l, h), t| (l.min(*t), h.max(*t)));
        assert!((15.2..=16.2).contains(&low) && (17.8..=18.8).contains(&high), "{low} to {high}");
        assert!(rooms.iter().all(|room| (30.0..=60.0).contains(&room.relative_humidity_pct)));
    }

    #[test]
    fn the_lid_opens_a_few_times_a_day_for_minutes_however_it_is_sampled() {
        let parameters = BoxParameters::default();
        let open_s = |step_s: f64| -> f64 {
            let steps = (30.0 * DAY_S / step_s) as u32;
            (0..steps).map(|n| step_s * lid_open_fraction(&parameters, 5, f64::from(n) * step_s, step_s)).sum()
        };
        let (fine, coarse) = (open_s(5.0), open_s(7_200.0));
        assert!((fine - coarse).abs() < 1.0, "{fine} {coarse}");
        let per_opening = fine / 60.0;
        assert!((90.0..180.0).contains(&per_opening), "{per_opening}");
        assert_eq!(lid_open_fraction(&parameters, 5, 0.0, LID_QUIET_S), 0.0);
    }
}
