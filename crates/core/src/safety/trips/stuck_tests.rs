use super::*;

fn at(seconds: u64) -> Monotonic {
    Monotonic::ZERO + Duration::from_secs(seconds)
}

fn celsius(degrees: f64) -> Celsius {
    Celsius::new(degrees).expect("in range")
}

/// Readings every 10 s, as `temperature_c` says; the heater is on within `on`. The second of the trip.
fn trip_at(on: std::ops::Range<u64>, until: u64, temperature_c: impl Fn(f64) -> f64) -> Option<(u64, String)> {
    let mut stuck = Stuck::new(&SafetyConfig::default(), at(0));
    for second in (0..=until).step_by(10) {
        if second == on.start && !on.is_empty() {
            stuck.line(at(second), true);
        }
        if second == on.end && !on.is_empty() {
            stuck.line(at(second), false);
        }
        if let Some(trip) = stuck.reading(at(second), celsius(temperature_c(second as f64))) {
            assert_eq!(trip.reason, LatchReason::RelayStuck);
            return Some((second, trip.evidence));
        }
    }
    None
}

#[track_caller]
fn check(on: std::ops::Range<u64>, temperature_c: impl Fn(f64) -> f64, trips_at: Option<u64>) {
    let trip = trip_at(on, 6000, temperature_c);
    assert_eq!(trip.as_ref().map(|(second, _)| *second), trips_at, "{trip:?}");
}

#[test]
fn both_sides_of_a_rise_while_off() {
    // 3 °C in ten minutes, from three minutes after the start on.
    check(0..0, |second| 20.0 + 3.0 * second / 600.0, Some(780));
    check(0..0, |second| 20.0 + 2.98 * second / 600.0, None);
    check(0..0, |second| 20.0 + 3.0 * second.min(600.0) / 600.0, None);
    check(0..0, |second| 20.0 + second / 10.0, Some(210));
    // What rises while it settles says nothing.
    check(0..0, |second| 20.0 + second.min(180.0) / 10.0, None);
    check(0..0, |second| 40.0 - second / 200.0, None);
}

#[test]
fn what_only_regains_its_warmth_had_its_lid_open() {
    let lid = |shut: f64| move |second: f64| if (1000.0..shut).contains(&second) { 25.0 } else { 40.0 };
    check(0..0, lid(1300.0), None);
    // After half an hour nobody knows any more that it was warm.
    check(0..0, lid(2810.0), Some(2810));
}

#[test]
fn both_sides_of_the_cut_off_while_off() {
    check(0..0, |_| 70.0, Some(180));
    check(0..0, |_| 69.99, None);
}

#[test]
fn what_the_heat_lifted_has_to_fall_within_twelve_minutes() {
    let lifted = |lift: f64, left: f64| {
        move |second: f64| match second {
            second if second < 100.0 => 20.0,
            second if second <= 400.0 => 20.0 + lift * (second.min(390.0) - 100.0) / 290.0,
            _ => 20.0 + left,
        }
    };
    check(100..400, lifted(4.0, 4.0), Some(400 + 720));
    check(100..400, lifted(4.0, 3.01), Some(400 + 720));
    check(100..400, lifted(4.0, 3.0), None);
    check(100..400, lifted(1.5, 0.76), Some(400 + 720));
    check(100..400, lifted(1.5, 0.75), None);
    check(100..400, lifted(0.95, 0.95), None);
    // Within the time.
    let late = |cools_at: f64| move |second: f64| if second < cools_at { lifted(4.0, 4.0)(second) } else { 23.0 };
    check(100..400, late(1120.0), None);
    check(100..400, late(1130.0), Some(1120));
}

#[test]
fn a_heater_that_is_on_may_warm_the_box() {
    check(0..7000, |second| 20.0 + second / 100.0, None);
}

#[test]
fn what_was_forgotten_does_not_trip_again() {
    let mut stuck = Stuck::new(&SafetyConfig::default(), at(0));
    let warm = |second: u64| celsius(20.0 + second as f64 / 100.0);
    let tripped = (0..2000).step_by(10).find(|second| stuck.reading(at(*second), warm(*second)).is_some());
    assert_eq!(tripped, Some(480));
    stuck.forget(at(490));
    let again = (490..2000).step_by(10).find(|second| stuck.reading(at(*second), warm(*second)).is_some());
    assert_eq!(again, Some(970), "from three minutes after the reset on");
}

#[test]
fn the_past_stays_small() {
    let mut stuck = Stuck::new(&SafetyConfig::default(), at(0));
    for quarter in 0..100_000_u64 {
        stuck.reading(Monotonic::from_nanos(quarter * 250_000_000), celsius(20.0));
        assert!(stuck.past.len() <= 62, "{}", stuck.past.len());
    }
}

#[test]
fn the_evidence_names_numbers_and_limits() {
    let (_, evidence) = trip_at(0..0, 6000, |second| 20.0 + 3.0 * second / 600.0).expect("trips");
    let text = "20.90 °C rose to 23.90 °C in 600 s, 3 °C in 600 s are too much, the heater is off for 780 s";
    assert_eq!(evidence, text);
}
