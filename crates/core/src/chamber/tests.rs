//! One box, step by step. Long runs against the model of a box are in `tests/sim`.

mod settings;

use super::*;
use crate::command::{CommandError, Wish};
use crate::config::{Band, OutputConfig, SafetyConfig};
use crate::safety::LatchReason;
use crate::sample::{BoxName, Frozen, Measurement, SensorTraits};
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
    /// Of the last step.
    wanted: Wanted,
    guard_keeps: Option<LatchReason>,
    guard_refuses_the_fan: bool,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut BoxConfig)) -> Self {
        let mut config = config();
        change(&mut config);
        Self {
            chamber: Chamber::new(config, Monotonic::ZERO),
            seconds: 0.0,
            events: Vec::new(),
            wanted: Wanted::default(),
            guard_keeps: None,
            guard_refuses_the_fan: false,
        }
    }

    fn clock(&self) -> Clock {
        let now = Monotonic::ZERO + Duration::from_secs_f64(self.seconds);
        Clock { now, wall: Some(UnixTime::from_millis((self.seconds * 1000.0) as i64)) }
    }

    /// A step, and those that it announces for the same moment.
    fn input(&mut self, input: Input) -> Effects {
        let clock = self.clock();
        let effects = self.step(input);
        for steps in 0.. {
            if self.chamber.next_wake().is_none_or(|wake| wake > clock.now) {
                break;
            }
            assert!(steps < 3, "it spins: {:?}", self.chamber);
            self.step(Input::Tick);
        }
        effects
    }

    fn step(&mut self, input: Input) -> Effects {
        let clock = self.clock();
        let effects = self.chamber.step(clock, input);
        self.wanted = effects.wanted;
        let heater = HeldOutput {
            active: effects.wanted.heat.is_some() && self.guard_keeps.is_none(),
            refusal: None,
            latched: self.guard_keeps,
        };
        let fan = effects.wanted.fan && !self.guard_refuses_the_fan;
        let fan = HeldOutput { active: fan, ..HeldOutput::default() };
        let more = self.chamber.held(clock, Held { heater, fan });
        self.events.extend(effects.events.iter().chain(&more).map(|event| event.text.clone()));
        effects
    }

    fn snapshot(&self) -> BoxSnapshot {
        self.chamber.snapshot(self.clock().now)
    }

    /// So many events have said that.
    fn told(&self, text: &str) -> usize {
        self.events.iter().filter(|event| event.contains(text)).count()
    }

    fn at(&mut self, seconds: f64) -> &mut Self {
        self.seconds = seconds;
        self
    }

    fn measurement(&self, temperature_c: f64, humidity_pct: f64) -> Measurement {
        Measurement {
            temperature: Celsius::new(temperature_c).expect("in range"),
            humidity: RelativeHumidity::new(humidity_pct).expect("in range"),
            pressure: None,
        }
    }

    fn sample(&mut self, temperature_c: f64, humidity_pct: f64) -> Effects {
        let reading = Reading::at(self.clock(), self.measurement(temperature_c, humidity_pct));
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

#[test]
fn what_is_not_wanted_is_refused_without_an_event() {
    let mut bench = Bench::new();
    let refused = HeldOutput { refusal: Some("no such line".to_owned()), ..HeldOutput::default() };
    let clock = bench.clock();
    let events = bench.chamber.held(clock, Held { heater: refused.clone(), fan: refused });
    assert_eq!(events, []);
    assert!(bench.chamber.snapshot(clock.now).heater.reason.contains("no such line"));
}

#[test]
fn an_outlier_is_no_reading_and_one_event() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 40.0);
    for seconds in [10.0, 15.0] {
        let effects = bench.at(seconds).sample(60.0, 40.0);
        assert_eq!((effects.sample, effects.wanted.seen.map(|seen| seen.taken_at.seconds())), (None, Some(5.0)));
        assert_eq!(bench.outputs(), "HF", "60 °C would end the heat");
    }
    assert_eq!(bench.told("is not believed"), 1, "{:?}", bench.events);
    assert!(bench.snapshot().no_data.expect("shown").to_string().contains("60.00 °C follows on 19.00 °C"));
    assert!(bench.at(20.0).sample(19.1, 40.0).sample.is_some());
    assert_eq!((bench.snapshot().no_data, bench.outputs().as_str()), (None, "HF"));
}

#[test]
fn three_rejected_readings_refuse_the_heat_though_the_last_good_one_is_young() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 40.0);
    for (seconds, temperature_c, outputs) in [(6.0, 60.0, "HF"), (7.0, 69.9, "HF"), (8.0, -20.0, "hF")] {
        bench.at(seconds).sample(temperature_c, 40.0);
        assert_eq!(bench.outputs(), outputs, "at {seconds} s");
    }
    assert_eq!(bench.told("heat refused: what the sensor says is not believed: "), 1, "{:?}", bench.events);
    assert!(bench.snapshot().heat_inhibited.expect("refused").contains("-20.00 °C follows on 19.00 °C within 3.0 s"));
    for (seconds, outputs) in [(13.0, "hF"), (18.0, "hF"), (22.9, "hF"), (23.0, "HF")] {
        bench.at(seconds).sample(19.0, 40.0);
        assert_eq!(bench.outputs(), outputs, "at {seconds} s");
    }
}

#[test]
fn one_rejected_reading_at_the_cut_off_refuses_the_heat_at_once() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 40.0);
    for (seconds, temperature_c, outputs) in
        [(6.0, 69.99, "HF"), (7.0, 19.0, "HF"), (8.0, 70.0, "hF"), (9.0, 19.0, "hF")]
    {
        bench.at(seconds).sample(temperature_c, 40.0);
        assert_eq!(bench.outputs(), outputs, "at {seconds} s");
    }
}

#[test]
fn a_new_level_is_believed_and_has_to_prove_itself() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(6.0, 40.0);
    for (seconds, outputs) in [(6.0, "HF"), (6.5, "HF"), (7.0, "hF"), (12.0, "hF"), (17.0, "HF")] {
        let effects = bench.at(seconds).sample(19.0, 40.0);
        assert_eq!((effects.sample.is_some(), bench.outputs().as_str()), (seconds >= 7.0, outputs), "at {seconds} s");
    }
    assert_eq!(bench.told("19.00 °C is believed now"), 1, "{:?}", bench.events);
}

#[test]
fn a_sensor_of_the_wrong_type_or_range_is_refused() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(2.0, 40.0);
    assert_eq!(bench.outputs(), "hF");
    assert_eq!(bench.told("heat refused: 2.00 °C is below 5 °C: check sensor.type"), 1, "{:?}", bench.events);

    let mut bench = Bench::new();
    bench.at(5.0).sample(19.0, 40.0);
    bench.input(Input::Sensor(traits(50.0)));
    assert_eq!(bench.outputs(), "hF");
    assert_eq!(bench.told("heat refused: the sensor reads up to 50 °C"), 1, "{:?}", bench.events);
    bench.at(16.0).input(Input::Sensor(traits(85.0)));
    assert_eq!(bench.outputs(), "HF");
}

fn traits(temperature_max_c: f64) -> SensorTraits {
    SensorTraits { temperature_max_c, frozen: Frozen { readings: 10, time: Duration::from_secs(30) } }
}

/// A bench whose sensor freezes while it heats.
fn frozen() -> Bench {
    let mut bench = Bench::new();
    bench.input(Input::Sensor(traits(85.0)));
    bench.at(5.0).sample(19.0, 40.0);
    for reading in 1..=10 {
        assert!(bench.outputs().starts_with('H'), "reading {reading}");
        bench.at(5.0 + 5.0 * f64::from(reading));
        let measurement = bench.measurement(19.0, 40.0);
        let reading = Reading { fingerprint: Some(7), ..Reading::at(bench.clock(), measurement) };
        bench.input(Input::Sample(reading));
    }
    bench
}

#[test]
fn a_latch_is_asked_of_the_guard_until_it_keeps_one_and_holds_until_a_reset() {
    let mut bench = frozen();
    assert_eq!(bench.outputs(), "hF");
    assert_eq!(bench.wanted.latch, Some(LatchReason::SensorFrozen), "in the step that raised it");
    assert_eq!(bench.told("heat is off until a reset: the sensor repeats"), 1, "{:?}", bench.events);
    assert!(bench.events.iter().any(|text| text.contains("10 readings over 45 s")), "{:?}", bench.events);
    bench.at(56.0).input(Input::Tick);
    assert_eq!(bench.wanted.latch, Some(LatchReason::SensorFrozen), "not confirmed yet");
    bench.guard_keeps = Some(LatchReason::SensorFrozen);
    bench.at(57.0).input(Input::Tick);
    bench.at(58.0).input(Input::Tick);
    assert_eq!(bench.wanted.latch, None);
    bench.at(60.0).sample(15.0, 40.0);
    bench.command(OutputKind::Heater, Wish::On { hold: None }).expect("accepted");
    assert_eq!(bench.outputs(), "hF");
    let snapshot = bench.snapshot();
    assert!(snapshot.heat_inhibited.expect("refused").contains("the sensor repeats"));
    assert_eq!(snapshot.faults.len(), 1, "{:?}", snapshot.faults);
    assert_eq!(bench.told("keeps the heater off"), 0, "it was raised here");

    bench.guard_keeps = None;
    bench.at(66.0).input(Input::Reset);
    assert_eq!((bench.outputs().as_str(), bench.snapshot().faults.len()), ("HF", 0));
    assert_eq!(bench.told("reset by a person: the sensor repeats"), 1, "{:?}", bench.events);
}

#[test]
fn a_new_daemon_learns_of_a_latch_from_the_guard() {
    for reason in LatchReason::ALL {
        let mut bench = Bench::new();
        bench.guard_keeps = Some(reason);
        bench.at(5.0).sample(19.0, 12.0);
        bench.at(10.0).sample(19.0, 12.0);
        let cools = matches!(reason, LatchReason::RelayStuck | LatchReason::OverTemperature);
        assert_eq!(bench.outputs(), if cools { "hF" } else { "hf" }, "{reason:?}");
        assert_eq!((bench.wanted.heat, bench.wanted.latch), (None, None));
        assert_eq!(bench.told(&format!("the relay guard keeps the heater off until a reset: {reason}")), 1);
        assert_eq!(bench.snapshot().faults, [format!("heater: {reason}")]);
        assert_eq!(bench.snapshot().heat_inhibited, Some(reason.to_string()));
        bench.command(OutputKind::Fan, Wish::Off { hold: None }).expect("accepted");
        assert_eq!(bench.outputs(), "hf", "a person has switched the fan off");
        bench.guard_keeps = None;
        bench.at(15.0).input(Input::Reset);
        assert_eq!((bench.outputs().as_str(), bench.snapshot().faults.len()), ("Hf", 0), "{reason:?}");
    }
}

#[test]
fn a_reset_ends_a_fault_and_not_a_stop() {
    for (input, outputs) in [(Input::Fault("something broke".to_owned()), "HF"), (Input::Stop, "hf")] {
        let mut bench = Bench::new();
        bench.at(5.0).sample(19.0, 40.0);
        bench.at(6.0).input(input);
        bench.at(16.0).sample(19.0, 40.0);
        bench.input(Input::Fault("something else".to_owned()));
        bench.input(Input::Reset);
        assert_eq!(bench.outputs(), outputs);
    }
}

#[test]
fn a_heater_that_requires_the_fan_runs_only_with_it() {
    let mut bench = Bench::with(|config| config.safety.requires_fan = true);
    bench.at(5.0).sample(19.0, 12.0);
    assert_eq!(bench.outputs(), "hF", "the fan first");
    assert_eq!(bench.told("heat refused"), 0, "a part of normal working: {:?}", bench.events);
    let wake = bench.chamber.next_wake().expect("the lead ends").seconds();
    assert_eq!(wake, 10.0);
    bench.at(wake).input(Input::Tick);
    assert_eq!(bench.outputs(), "HF");
    bench.at(15.0).sample(19.0, 12.0);
    bench.at(20.0).sample(23.0, 12.0);
    assert_eq!(bench.outputs(), "hF");
    for seconds in (25..80).step_by(5) {
        bench.at(f64::from(seconds)).sample(23.0, 12.0);
        assert_eq!(bench.outputs(), "hF", "at {seconds} s");
    }
    assert_eq!(bench.chamber.next_wake().map(Monotonic::seconds), Some(80.0));
    bench.at(80.0).input(Input::Tick);
    assert_eq!(bench.outputs(), "hf", "a minute after the heat");
}

#[test]
fn a_required_fan_that_is_switched_off_or_fails_ends_the_heat() {
    let heating = || {
        let mut bench = Bench::with(|config| config.safety.requires_fan = true);
        bench.at(5.0).sample(19.0, 12.0);
        bench.at(10.0).input(Input::Tick);
        assert_eq!(bench.outputs(), "HF");
        bench
    };
    let mut bench = heating();
    bench.at(11.0).command(OutputKind::Fan, Wish::Off { hold: None }).expect("accepted");
    assert_eq!(bench.outputs(), "hf");
    assert!(bench.snapshot().heat_inhibited.expect("refused").contains("switched off by hand"));

    let mut bench = heating();
    bench.guard_refuses_the_fan = true;
    bench.at(11.0).input(Input::Tick);
    assert_eq!(bench.outputs(), "hf", "in the step that follows at once");
    bench.at(21.0).sample(19.0, 12.0);
    bench.at(26.0).sample(19.0, 12.0);
    assert_eq!(bench.outputs(), "hf");
    assert_eq!(
        bench.told("heat refused: the fan that the heater requires does not run, 5 s after"),
        1,
        "{:?}",
        bench.events
    );
}

#[test]
fn a_failed_or_rejected_reading_in_between_begins_the_row_anew() {
    for fails in [true, false] {
        let mut bench = Bench::new();
        bench.at(5.0).sample(19.0, 40.0);
        bench.at(30.0).sample(19.0, 40.0);
        bench.at(35.0).sample(19.0, 40.0);
        bench.at(38.0);
        if fails {
            bench.input(Input::NoData(NoData::Checksum));
        } else {
            bench.sample(60.0, 40.0);
        }
        for (seconds, outputs) in [(40.0, "hF"), (45.0, "hF"), (50.0, "HF")] {
            bench.at(seconds).sample(19.0, 40.0);
            assert_eq!(bench.outputs(), outputs, "at {seconds} s");
        }
    }
}

#[test]
fn what_was_concluded_before_a_new_level_is_void() {
    let mut bench = Bench::new();
    for seconds in (0..600).step_by(5) {
        bench.at(f64::from(seconds)).sample(if seconds < 300 { 30.0 } else { 55.0 }, 12.0);
    }
    assert_eq!(bench.told("55.00 °C is believed now"), 1, "{:?}", bench.events);
    assert_eq!(bench.snapshot().faults, [""; 0], "it did not warm by 25 °C, the sensor was wrong");
}

#[test]
fn a_box_that_does_not_warm_is_refused_twice_then_latched_and_a_reset_forgives() {
    let mut bench = Bench::new();
    let live = |bench: &mut Bench, until: u32| {
        while bench.seconds < f64::from(until) {
            bench.at(bench.seconds + 5.0).sample(15.0, 12.0);
        }
        bench.outputs()
    };
    assert_eq!(live(&mut bench, 180), "Hf");
    assert_eq!(live(&mut bench, 185), "hf");
    assert_eq!(bench.told("heat refused: 15.00 °C rose to 15.00 °C"), 1, "{:?}", bench.events);
    assert!(
        bench
            .snapshot()
            .heat_inhibited
            .expect("refused")
            .ends_with("a pause of 180 s tells a dead heater from a box that is warm through")
    );
    let wake = bench.chamber.next_wake().map(Monotonic::seconds);
    assert_eq!(wake, Some(185.0 + 180.0));
    assert_eq!(live(&mut bench, 360), "hf");
    assert_eq!(live(&mut bench, 365), "Hf");
    assert_eq!(live(&mut bench, 545), "hf");
    assert_eq!(bench.told("One more try after 10 min"), 2, "refused, and the line off: {:?}", bench.events);
    bench.at(555.0).input(Input::Reset);
    assert_eq!(bench.outputs(), "Hf", "a person has looked");
    assert_eq!(live(&mut bench, 555 + 190), "hf");
    assert_eq!(live(&mut bench, 555 + 190 + 180), "Hf", "a doubt again, as the pause was short");
    assert_eq!(live(&mut bench, 555 + 190 + 360), "hf");
    assert_eq!(live(&mut bench, 555 + 190 + 360 + 580), "hf", "the first failure again");
    assert_eq!(live(&mut bench, 555 + 190 + 360 + 600), "Hf");
    assert_eq!(bench.snapshot().faults, [""; 0]);
    live(&mut bench, 555 + 190 + 360 + 780);
    assert_eq!(bench.wanted.latch, Some(LatchReason::NotWarming));
    assert_eq!(bench.told("heat is off until a reset: the heater is on but the box does not warm"), 1);
}

#[test]
fn repeated_readings_before_a_reset_do_not_count_after_it() {
    let mut bench = Bench::new();
    bench.input(Input::Sensor(traits(85.0)));
    for reading in 0..14 {
        bench.at(5.0 * f64::from(reading));
        let measurement = bench.measurement(19.0, 12.0);
        if reading == 9 {
            bench.input(Input::Reset);
        }
        let reading = Reading { fingerprint: Some(7), ..Reading::at(bench.clock(), measurement) };
        bench.input(Input::Sample(reading));
    }
    assert_eq!((bench.outputs().as_str(), bench.wanted.latch), ("Hf", None));
}

#[test]
fn a_fan_on_by_its_controller_wakes_when_its_reading_is_too_old() {
    let mut bench = Bench::new();
    bench.at(5.0).sample(23.0, 40.0);
    assert_eq!(bench.outputs(), "hF");
    let wake = bench.chamber.next_wake().expect("too old").seconds();
    assert!((20.0..20.001).contains(&wake), "{wake}");
    bench.at(wake).input(Input::Tick);
    assert_eq!((bench.outputs().as_str(), bench.chamber.next_wake()), ("hf", None));
}
