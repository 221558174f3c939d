//! One box, step by step. Long runs against the model of a box are in `tests/sim`.

use super::*;
use crate::command::{CommandError, Wish};
use crate::config::{Band, OutputConfig, SafetyConfig};
use crate::sample::{BoxName, Measurement};
use crate::time::UnixTime;
use crate::units::{Celsius, RelativeHumidity};

fn config() -> BoxConfig {
    let output = |low, high| OutputConfig {
        enabled: true,
        band: Band { low, high },
        min_on: Duration::from_secs(10),
        min_off: Duration::from_secs(10),
        gpio: 16,
        active_low: false,
    };
    BoxConfig {
        name: BoxName::main(),
        heater: output(20.0, 22.0),
        fan: output(10.0, 15.0),
        safety: SafetyConfig { max_on_time: Duration::from_secs(3600), ..SafetyConfig::default() },
    }
}

/// A box whose guard does what it is asked.
struct Bench {
    chamber: Chamber,
    seconds: f64,
    events: Vec<String>,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut BoxConfig)) -> Self {
        let mut config = config();
        change(&mut config);
        Self { chamber: Chamber::new(config, Monotonic::ZERO), seconds: 0.0, events: Vec::new() }
    }

    fn clock(&self) -> Clock {
        let now = Monotonic::ZERO + Duration::from_secs_f64(self.seconds);
        Clock { now, wall: Some(UnixTime::from_millis((self.seconds * 1000.0) as i64)) }
    }

    fn input(&mut self, input: Input) -> Effects {
        let clock = self.clock();
        let effects = self.chamber.step(clock, input);
        let held = |active| HeldOutput { active, ..HeldOutput::default() };
        let held = Held { heater: held(effects.wanted.heat.is_some()), fan: held(effects.wanted.fan) };
        let more = self.chamber.held(clock, held);
        self.events.extend(effects.events.iter().chain(&more).map(|event| event.text.clone()));
        effects
    }

    fn at(&mut self, seconds: f64) -> &mut Self {
        self.seconds = seconds;
        self
    }

    fn sample(&mut self, temperature_c: f64, humidity_pct: f64) -> Effects {
        let measurement = Measurement {
            temperature: Celsius::new(temperature_c).expect("in range"),
            humidity: RelativeHumidity::new(humidity_pct).expect("in range"),
            pressure: None,
        };
        let reading = Reading::at(self.clock(), measurement);
        self.input(Input::Sample(reading))
    }

    fn command(&mut self, output: OutputKind, wish: Wish) -> Result<(), CommandError> {
        self.input(Input::Command(output, wish)).accepted
    }

    /// Heater and fan, as `h`/`H` and `f`/`F`.
    fn outputs(&self) -> String {
        let snapshot = self.chamber.snapshot(self.clock().now);
        format!("{}{}", if snapshot.heater.on { 'H' } else { 'h' }, if snapshot.fan.on { 'F' } else { 'f' })
    }
}

#[test]
fn outputs_follow_the_readings_and_say_why() {
    let mut bench = Bench::new();
    assert_eq!(bench.outputs(), "hf");
    bench.at(5.0).sample(19.0, 40.0);
    assert_eq!(bench.outputs(), "HF");
    bench.at(15.0).sample(22.5, 9.0);
    assert_eq!(bench.outputs(), "hf");
    assert_eq!(
        bench.events,
        [
            "heater on: 19.00 °C is below 20 °C",
            "fan on: 40.00 % is above 15 %",
            "heater off: 22.50 °C is above 22 °C",
            "fan off: 9.00 % is below 10 %",
        ]
    );
}

#[test]
fn a_sample_carries_the_outputs_as_they_were_when_it_was_taken() {
    let mut bench = Bench::new();
    let first = bench.at(5.0).sample(19.0, 40.0).sample.expect("kept");
    let second = bench.at(10.0).sample(19.0, 40.0).sample.expect("kept");
    assert_eq!((first.heater_on, first.fan_on), (false, false));
    assert_eq!((second.heater_on, second.fan_on), (true, true));
}

#[test]
fn a_reading_too_old_releases_the_heater_at_the_announced_moment() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 40.0);
    bench.at(10.0).input(Input::NoData(NoData::TimedOut));
    assert_eq!(bench.outputs(), "HF", "one failed reading releases nothing");
    let wake = bench.chamber.next_wake().expect("the permit expires").seconds();
    assert!((20.0..20.001).contains(&wake), "{wake}");
    bench.at(wake).input(Input::Tick);
    assert_eq!(bench.outputs(), "hf");
    assert!(bench.events.iter().any(|text| text.starts_with("heat refused: the last good reading is older than 15 s")));
    bench.at(31.0).sample(19.0, 40.0);
    bench.at(36.0).sample(19.0, 40.0);
    assert_eq!(bench.outputs(), "hF", "two good readings");
    bench.at(41.0).sample(19.0, 40.0);
    assert_eq!(bench.outputs(), "HF", "comes back by itself");
    assert!(bench.events.iter().any(|text| text == "the sensor is back after 26 s"), "{:?}", bench.events);
}

#[test]
fn a_fan_on_by_hand_does_not_wake_for_a_reading_that_is_too_old() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(21.0, 12.0);
    bench.command(OutputKind::Fan, Wish::On { hold: Some(Duration::from_secs(3600)) }).expect("accepted");
    bench.at(30.0).input(Input::Tick);
    assert_eq!(bench.outputs(), "hF");
    assert_eq!(bench.chamber.next_wake().map(Monotonic::seconds), Some(3605.0));
}

#[test]
fn the_cut_off_wins_over_minimum_on_time_and_over_a_person() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(66.0, 40.0);
    bench.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    assert_eq!(bench.outputs(), "HF");
    bench.at(6.0).sample(70.0, 40.0);
    assert_eq!(bench.outputs(), "hF", "one second after going on");
    bench.at(7.0).command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    assert_eq!(bench.outputs(), "hF");
    let snapshot = bench.chamber.snapshot(bench.clock().now);
    assert!(snapshot.heater.reason.contains("reaches the cut-off of 70 °C"), "{}", snapshot.heater.reason);
}

/// The controller already wishes OFF, and the minimum on time alone keeps the heater on: the interlock ends that for good, and
/// the next fresh reading does not bring the heat back.
#[test]
fn a_safety_off_ends_the_minimum_on_time() {
    let mut bench = Bench::with(|config| config.heater.band = Band { low: 64.0, high: 65.0 });
    bench.at(5.0).sample(63.5, 12.0);
    bench.at(6.0).sample(68.0, 12.0);
    assert_eq!(bench.outputs(), "Hf", "above the band, held by the minimum on time");
    bench.at(8.0).input(Input::Tick);
    assert_eq!(bench.outputs(), "hf", "68 °C and 2 s of age");
    let snapshot = bench.chamber.snapshot(bench.clock().now);
    assert!(snapshot.heater.reason.contains("reaches the cut-off of 70 °C"), "{}", snapshot.heater.reason);
    bench.at(9.0).sample(67.0, 12.0);
    assert_eq!(bench.outputs(), "hf", "no heat above the band");
    bench.at(17.0).sample(63.0, 12.0);
    assert_eq!(bench.outputs(), "hf", "the minimum off time counts from the safety OFF");
    bench.at(18.0).input(Input::Tick);
    assert_eq!(bench.outputs(), "Hf");
}

#[test]
fn minimum_times_hold_the_controller_and_end_by_themselves() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 12.0);
    bench.at(6.0).sample(23.0, 12.0);
    assert_eq!(bench.outputs(), "Hf");
    let snapshot = bench.chamber.snapshot(bench.clock().now);
    assert_eq!(snapshot.heater.reason, "minimum on time holds it on (23.00 °C is above 22 °C)");
    let wake = bench.chamber.next_wake().expect("the limit ends").seconds();
    bench.at(wake).input(Input::Tick);
    assert_eq!((wake, bench.outputs().as_str()), (15.0, "hf"));
}

#[test]
fn a_manual_off_is_immediate_and_stays_until_auto() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 40.0);
    bench.at(5.5).command(OutputKind::Heater, Wish::Off { hold: None }).expect("accepted");
    assert_eq!(bench.outputs(), "hF");
    bench.at(18.0).sample(15.0, 40.0);
    assert_eq!(bench.outputs(), "hF");
    bench.at(19.0).command(OutputKind::Heater, Wish::Auto).expect("accepted");
    assert_eq!(bench.outputs(), "HF");
}

#[test]
fn a_manual_heater_on_ends_by_itself() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(30.0, 12.0);
    let refused = bench.command(OutputKind::Heater, Wish::On { hold: Some(Duration::from_secs(1801)) });
    assert_eq!(refused, Err(CommandError::TooLong { asked: 1801, allowed: 1800 }));
    assert_eq!(bench.outputs(), "hf", "a refused command changes nothing");
    bench.command(OutputKind::Heater, Wish::On { hold: Some(Duration::from_secs(30)) }).expect("accepted");
    assert_eq!(bench.outputs(), "Hf");
    for seconds in [10.0, 20.0, 30.0] {
        bench.at(seconds).sample(30.0, 12.0);
        assert_eq!(bench.outputs(), "Hf");
    }
    bench.at(35.0).input(Input::Tick);
    assert_eq!(bench.outputs(), "hf");
    assert!(bench.events.iter().any(|text| text.contains("override has ended")), "{:?}", bench.events);
}

#[test]
fn from_manual_to_auto_within_the_band_the_state_is_kept() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(21.0, 12.0);
    bench.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    bench.at(20.0).sample(21.0, 12.0);
    bench.command(OutputKind::Heater, Wish::Auto).expect("accepted");
    assert_eq!(bench.outputs(), "Hf");
}

#[test]
fn without_an_output_a_command_is_refused_and_nothing_is_wanted() {
    let mut bench = Bench::with(|config| config.heater.enabled = false);
    let effects = bench.at(5.0).sample(10.0, 12.0);
    assert_eq!(effects.wanted.heat, None);
    let refused = bench.command(OutputKind::Heater, Wish::On { hold: None });
    assert!(matches!(refused, Err(CommandError::NotEnabled { output: "heater", .. })));
}

#[test]
fn a_fault_and_a_stop_release_everything_for_good() {
    for input in [Input::Fault("the relay guard is gone".to_owned()), Input::Stop] {
        let mut bench = Bench::new();
        bench.at(5.0).sample(19.0, 40.0);
        bench.at(6.0).input(input);
        assert_eq!(bench.outputs(), "hf");
        bench.at(60.0).sample(10.0, 60.0);
        bench.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
        assert_eq!(bench.outputs(), "hf");
    }
}

#[test]
fn the_heater_rests_after_its_longest_on_time() {
    let mut bench = Bench::new();
    let mut seconds = 0.0_f64;
    let warm_c = |seconds: f64| (15.0 + 0.02 * seconds).min(18.0);
    while bench.at(seconds).sample(warm_c(seconds), 12.0).wanted.heat.is_some() {
        seconds += 5.0;
        assert!(seconds < 4000.0);
    }
    assert_eq!(seconds, 3600.0);
    while bench.at(seconds).sample(18.0, 12.0).wanted.heat.is_none() {
        seconds += 5.0;
        assert!(seconds < 5000.0);
    }
    assert_eq!(seconds, 4200.0);
}

#[test]
fn what_the_guard_refuses_is_shown_as_it_is() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 12.0);
    let refused = HeldOutput { refusal: Some("too hot".to_owned()), ..HeldOutput::default() };
    let clock = bench.clock();
    let events = bench.chamber.held(clock, Held { heater: refused, fan: HeldOutput::default() });
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text, "heater off: the relay guard refuses: too hot");
    assert_eq!(bench.outputs(), "hf");
}
