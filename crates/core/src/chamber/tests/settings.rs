//! Settings that change under a box at work.

use super::*;

impl Bench {
    /// Other settings: the usual ones but for `change`.
    fn set(&mut self, change: impl FnOnce(&mut BoxConfig)) {
        let mut config = config();
        change(&mut config);
        self.input(Input::Settings(Box::new(config)));
    }
}

#[test]
fn another_band_is_decided_by_at_once_from_the_last_reading() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(25.0, 12.0);
    assert_eq!(bench.outputs(), "hf");
    bench.at(6.0).set(|config| {
        config.heater.band = Band { low: 30.0, high: 32.0 };
        config.fan.band = Band { low: 5.0, high: 10.0 };
    });
    assert_eq!(bench.outputs(), "HF");
    bench.at(8.0).set(|_| {});
    assert_eq!(bench.outputs(), "HF", "the minimum on time holds");
    bench.at(16.0).input(Input::Tick);
    assert_eq!(bench.outputs(), "hF", "25 °C is above 22 °C; 12 % is within 10 to 15 %");
}

#[test]
fn a_change_of_something_else_keeps_the_state_within_the_band() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 40.0);
    bench.at(20.0).sample(21.0, 12.0);
    bench.at(21.0).set(|config| config.safety.max_on_time = Duration::from_secs(7200));
    assert_eq!(bench.outputs(), "HF");
}

#[test]
fn a_lower_cut_off_trips_at_once_and_is_no_sign_of_a_stuck_relay() {
    let mut bench = Bench::with(|config| config.heater.band = Band { low: 55.0, high: 60.0 });
    bench.at(5.0).sample(50.0, 12.0);
    assert_eq!(bench.outputs(), "Hf");
    bench.at(6.0).set(|config| config.safety.max_temp_c = 45.0);
    assert_eq!(bench.outputs(), "hf", "one second after it went on");
    assert_eq!(bench.told("reaches the cut-off of 45 °C"), 2, "{:?}", bench.events);
    for minute in 1..8 {
        bench.at(6.0 + 60.0 * f64::from(minute)).sample(50.0, 12.0);
    }
    assert_eq!((bench.outputs().as_str(), bench.told("stuck")), ("hf", 0), "{:?}", bench.events);
    // Once it was below, that is the limit.
    for (minute, temperature_c) in [(8, 44.0), (9, 44.0), (10, 45.5), (11, 45.5)] {
        bench.at(6.0 + 60.0 * f64::from(minute)).sample(temperature_c, 12.0);
    }
    assert_eq!(bench.wanted.latch, Some(LatchReason::RelayStuck), "{:?}", bench.events);
}

#[test]
fn a_higher_cut_off_needs_a_reading_that_is_young_enough() {
    let mut bench = Bench::with(|config| {
        config.heater.band = Band { low: 60.0, high: 62.0 };
        config.safety.max_temp_c = 45.0;
    });
    bench.at(5.0).sample(50.0, 12.0);
    bench.at(21.0).set(|config| config.heater.band = Band { low: 60.0, high: 62.0 });
    assert_eq!(bench.outputs(), "hf", "16 s old");
    bench.at(22.0).sample(50.0, 12.0);
    bench.at(27.0).sample(50.0, 12.0);
    bench.at(32.0).sample(50.0, 12.0);
    assert_eq!(bench.outputs(), "Hf");
}

#[test]
fn an_override_is_cut_to_the_new_limit_and_never_grows() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(21.0, 12.0);
    bench.command(OutputKind::Heater, Wish::On { hold: Some(Duration::from_secs(600)) }).expect("accepted");
    let until = |bench: &Bench| bench.snapshot().heater.mode.until().map(Monotonic::seconds);
    bench.at(6.0).set(|config| config.safety.override_max = Duration::from_secs(7200));
    assert_eq!(until(&bench), Some(605.0));
    bench.at(7.0).set(|config| config.safety.override_max = Duration::from_secs(60));
    assert_eq!(until(&bench), Some(65.0), "from its beginning");
    bench.at(8.0).set(|_| {});
    assert_eq!(until(&bench), Some(65.0));
    bench.at(18.0).sample(21.0, 12.0);
    bench.set(|config| config.safety.override_max = Duration::from_secs(10));
    assert_eq!(bench.snapshot().heater.mode, Mode::Auto);
}

#[test]
fn on_time_that_is_used_up_stays_used_up() {
    let mut bench = Bench::new();
    let heat_for = |bench: &mut Bench, from: u32, to: u32| {
        for step in from..to {
            bench.at(f64::from(5 * step)).sample(19.0 + f64::from(step % 2) * 0.5, 12.0);
        }
    };
    let no_proof = |config: &mut BoxConfig| config.safety.heating_rise_time = Duration::from_secs(3600);
    bench.set(no_proof);
    heat_for(&mut bench, 1, 121);
    assert_eq!(bench.outputs(), "Hf");
    bench.set(|config| {
        no_proof(config);
        config.safety.max_on_time = Duration::from_secs(300);
    });
    assert_eq!((bench.outputs().as_str(), bench.told("resting after")), ("hf", 2), "{:?}", bench.events);
    bench.set(no_proof);
    heat_for(&mut bench, 122, 230);
    assert_eq!(bench.outputs(), "hf", "the rest is made");
    heat_for(&mut bench, 230, 245);
    assert_eq!(bench.outputs(), "Hf");
}

#[test]
fn a_latch_outlives_every_change() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 12.0);
    bench.guard_keeps = Some(LatchReason::OverTemperature);
    bench.input(Input::Fault("something broke".to_owned()));
    for enabled in [false, true] {
        bench.set(|config| config.heater.enabled = enabled);
        bench.guard_keeps = None;
        bench.guard_keeps = Some(LatchReason::OverTemperature);
    }
    bench.at(30.0).sample(19.0, 12.0);
    assert_eq!(bench.outputs(), "hf");
    assert_eq!(bench.snapshot().faults.len(), 2, "{:?}", bench.snapshot().faults);
}

#[test]
fn a_heater_that_goes_takes_its_override_along_and_comes_back_after_its_minimum_time() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 12.0);
    bench.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    bench.at(6.0).set(|config| config.heater.enabled = false);
    let snapshot = bench.snapshot();
    assert_eq!((bench.outputs().as_str(), snapshot.heater.mode, snapshot.heater.enabled), ("hf", Mode::Auto, false));
    assert_eq!(bench.told("heater off: not configured"), 1, "{:?}", bench.events);
    bench.at(7.0).set(|_| {});
    assert_eq!(bench.outputs(), "hf", "off for a second");
    bench.at(16.0).sample(19.0, 12.0);
    assert_eq!(bench.outputs(), "Hf");
    bench.command(OutputKind::Heater, Wish::Off { hold: None }).expect("accepted");
    bench.at(40.0).set(|config| config.heater.enabled = false);
    bench.at(50.0).set(|_| {});
    bench.at(60.0).sample(19.0, 12.0);
    assert_eq!(bench.outputs(), "hf", "a person switched it off");
}

#[test]
fn after_another_sensor_or_calibration_heat_waits_for_new_readings() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 40.0);
    assert_eq!(bench.outputs(), "HF");
    bench.at(6.0).input(Input::NewReadings);
    assert_eq!((bench.outputs().as_str(), bench.snapshot().reading), ("hf", None));
    // 13 °C less at once: there is nothing to compare it with.
    for second in [7.0, 12.0] {
        bench.at(second).sample(6.0, 40.0);
        assert_eq!(bench.outputs(), "hf", "{second}");
    }
    bench.at(17.0).sample(6.0, 40.0);
    assert_eq!(bench.outputs(), "HF");
}

#[test]
fn lines_that_are_let_go_are_off_and_come_back_after_their_minimum_time() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 40.0);
    let clock = bench.clock();
    bench.chamber.release(clock.now, "the lines are claimed anew");
    let events = bench.chamber.held(clock, Held::default());
    assert_eq!(events[0].text, "heater off: the lines are claimed anew");
    bench.set(|config| config.heater.gpio = 17);
    assert_eq!(bench.outputs(), "hf");
    bench.at(15.0).input(Input::Tick);
    assert_eq!(bench.outputs(), "HF");
}
