//! `simulated`: the model of a box behind the interface of a sensor, so that anyone can try the whole program without hardware.
//!
//! One [`SimulatedBox`] holds the world. The sensor reads it, the control thread tells it what the outputs do
//! ([`SimulatedOutputs`]), tests break the sensor ([`SimulatedFaults`]). Each first lets the world catch up with the clock, so
//! a change of the outputs counts from the moment at which it is told, not from the next reading.
//!
//! `sensor.type=simulated` works with and without `run --simulate`. A program that drives no [`SimulatedBox`] itself gets a
//! sensor with a box of its own, in which heater and fan stay off. Readings of a simulation must never drive real outputs:
//! see [`Origin`].

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use filamentbox_core::config::{KeySpec, Kind, Settings};
use filamentbox_core::physics::{BoxParameters, BoxWorld, Drive, SplitMix64};
use filamentbox_core::sample::{Frozen, Measurement, NoData, SensorTraits};
use filamentbox_core::time::Monotonic;
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};

use super::{Detail, Now, Origin, Sensor, SensorKind, centi};

/// The simulated box.
pub const SIMULATED: SensorKind = SensorKind {
    name: "simulated",
    title: "simulated box",
    origin: Origin::Simulation,
    keys: &[
        KeySpec::new(
            SEED,
            Kind::Integer { min: 0, max: u64::MAX },
            "1",
            "",
            "Seed of the simulated box: the same seed gives the same weather, lid openings and noise.",
        )
        .at_start(),
        KeySpec::new(
            FAULT,
            Kind::Choice(&["none", "unplugged", "frozen", "garbage", "dead_heater", "welded_relay", "no_clock"]),
            "none",
            "",
            "What is broken in the simulated box, to see what the program does about it.",
        )
        .at_start(),
    ],
    open: |settings, context| {
        let simulation = context.simulation.clone();
        let simulation = simulation.unwrap_or_else(|| SimulatedBox::from_settings(settings, Arc::clone(&context.now)));
        Ok(Box::new(simulation.sensor()))
    },
    addresses: &[],
    temperature_max_c: Some(TEMPERATURE_MAX_C),
    in_auto: false,
    scan: |_, _| Vec::new(),
    places: |_, _| Vec::new(),
};

const SEED: &str = "simulation.seed";
const FAULT: &str = "simulation.fault";

/// End of the model's range.
const TEMPERATURE_MAX_C: f64 = 125.0;
/// The model's noise moves temperature and humidity by several of their steps, but not humidity at 0 and 100 %: then equal
/// readings for a minute are still rarer than one in a thousand million.
const FROZEN: Frozen = Frozen { readings: 10, time: Duration::from_secs(60) };

/// What is wrong with the simulated sensor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SimulatedFault {
    /// Nothing.
    #[default]
    None,
    /// It does not answer.
    Unplugged,
    /// It repeats its last reading, to the bit.
    Frozen,
    /// It returns random numbers out of all that the quantities can hold.
    Garbage,
    /// The sensor is well, and the heater gives no heat.
    DeadHeater,
    /// The sensor is well, and the heater heats whatever its line says.
    WeldedRelay,
    /// All is well here; the machine's wall clock is wrong for a while, which is for whoever has the clocks.
    NoClock,
}

impl SimulatedFault {
    /// Each fault by its word in the settings.
    const WORDS: [(&'static str, Self); 7] = [
        ("none", Self::None),
        ("unplugged", Self::Unplugged),
        ("frozen", Self::Frozen),
        ("garbage", Self::Garbage),
        ("dead_heater", Self::DeadHeater),
        ("welded_relay", Self::WeldedRelay),
        ("no_clock", Self::NoClock),
    ];

    /// The fault that the settings ask for.
    pub fn from_settings(settings: &Settings) -> Self {
        let word = settings.text(FAULT);
        Self::WORDS.into_iter().find(|(known, _)| *known == word).map_or(Self::None, |(_, fault)| fault)
    }
}

struct State {
    world: BoxWorld,
    drive: Drive,
    /// The world has lived up to this moment.
    lived_until: Monotonic,
    fault: SimulatedFault,
    garbage: SplitMix64,
    last: Option<Measurement>,
}

impl State {
    fn catch_up(&mut self, now: Monotonic) {
        let heater_on = match self.fault {
            SimulatedFault::DeadHeater => false,
            SimulatedFault::WeldedRelay => true,
            _ => self.drive.heater_on,
        };
        self.world.advance(now.since(self.lived_until), Drive { heater_on, ..self.drive });
        self.lived_until = self.lived_until.max(now);
    }

    fn read(&mut self) -> Result<Measurement, NoData> {
        let measurement = match (self.fault, self.last) {
            (SimulatedFault::Unplugged, _) => {
                return Err(NoData::NotPresent("the simulated sensor is unplugged".to_owned()));
            }
            (SimulatedFault::Frozen, Some(last)) => last,
            (SimulatedFault::Garbage, _) => self.garbage(),
            _ => self.world.measure(),
        };
        self.last = Some(measurement);
        Ok(measurement)
    }

    fn garbage(&mut self) -> Measurement {
        let mut between = |min: f64, max: f64| min + (max - min) * self.garbage.next_unit();
        let in_range = "the numbers are drawn from the quantity's range";
        Measurement {
            temperature: Celsius::new(between(-100.0, 300.0)).expect(in_range),
            humidity: RelativeHumidity::new(between(0.0, 100.0)).expect(in_range),
            pressure: Hectopascal::new(between(100.0, 1200.0)),
        }
    }
}

/// The world and its clock; a clone is another handle to the same box.
#[derive(Clone)]
pub struct SimulatedBox {
    state: Arc<Mutex<State>>,
    now: Now,
}

impl SimulatedBox {
    /// A box that starts to live now, its outputs off.
    pub fn new(parameters: BoxParameters, seed: u64, now: Now) -> Self {
        let state = State {
            world: BoxWorld::new(parameters, seed),
            drive: Drive::default(),
            lived_until: now(),
            fault: SimulatedFault::None,
            garbage: SplitMix64::new(!seed),
            last: None,
        };
        Self { state: Arc::new(Mutex::new(state)), now }
    }

    /// The default box with the seed and the fault of the settings.
    pub fn from_settings(settings: &Settings, now: Now) -> Self {
        let simulation = Self::new(BoxParameters::default(), settings.integer(SEED), now);
        simulation.faults().set(SimulatedFault::from_settings(settings));
        simulation
    }

    /// The state, caught up with the clock.
    fn current(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state whole: nothing in here panics half-way.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked with the lock held, so that the moments come in order.
        state.catch_up((self.now)());
        state
    }

    /// A sensor in this box.
    pub fn sensor(&self) -> SimulatedSensor {
        SimulatedSensor { simulation: self.clone(), last: None }
    }

    /// The handle for what drives the outputs.
    pub fn outputs(&self) -> SimulatedOutputs {
        SimulatedOutputs(self.clone())
    }

    /// The handle for tests that break the sensor.
    pub fn faults(&self) -> SimulatedFaults {
        SimulatedFaults(self.clone())
    }

    /// A copy of the world as it is now: what is true, whatever the sensor says.
    pub fn world(&self) -> BoxWorld {
        self.current().world.clone()
    }
}

impl fmt::Debug for SimulatedBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedBox").finish_non_exhaustive()
    }
}

/// Tells a [`SimulatedBox`] what its outputs do.
#[derive(Clone, Debug)]
pub struct SimulatedOutputs(SimulatedBox);

impl SimulatedOutputs {
    /// The outputs are so from now on; call it when the relay guard has reported them.
    pub fn set(&self, heater_on: bool, fan_on: bool) {
        self.0.current().drive = Drive { heater_on, fan_on };
    }
}

/// Breaks and mends the sensor of a [`SimulatedBox`], for tests within the process.
#[derive(Clone, Debug)]
pub struct SimulatedFaults(SimulatedBox);

impl SimulatedFaults {
    /// The sensor is so from now on.
    pub fn set(&self, fault: SimulatedFault) {
        self.0.current().fault = fault;
    }
}

/// The sensor in a [`SimulatedBox`].
#[derive(Clone, Debug)]
pub struct SimulatedSensor {
    simulation: SimulatedBox,
    last: Option<Measurement>,
}

impl Sensor for SimulatedSensor {
    fn read(&mut self) -> Result<Measurement, NoData> {
        let measurement = self.simulation.current().read()?;
        self.last = Some(measurement);
        Ok(measurement)
    }

    fn describe(&self) -> String {
        let parameters = self.simulation.current().world.parameters().clone();
        format!(
            "simulated box ({:.0} l, {:.0} W, {} spools)",
            parameters.volume_l, parameters.heater_w, parameters.spools
        )
    }

    fn traits(&self) -> SensorTraits {
        SensorTraits { temperature_max_c: TEMPERATURE_MAX_C, frozen: FROZEN }
    }

    fn fingerprint(&self) -> Option<u64> {
        let last = self.last?;
        // Within 0 to 40 000, 10 000 and 120 000: no bits overlap.
        let temperature = u64::from(last.temperature.centi().abs_diff(-10_000));
        let humidity = u64::from(last.humidity.centi().unsigned_abs());
        let pressure = last.pressure.map_or(0, |pressure| u64::from(pressure.pascal().unsigned_abs()));
        Some(temperature << 48 | humidity << 32 | pressure)
    }

    fn details(&self) -> Vec<Detail> {
        let Some(last) = self.last else { return Vec::new() };
        let mut details = vec![
            Detail::new("temperature_c", centi(last.temperature.centi())),
            Detail::new("humidity_pct", centi(last.humidity.centi())),
        ];
        details.extend(last.pressure.map(|pressure| Detail::new("pressure_hpa", centi(pressure.pascal()))));
        details
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::sensors::{
        self, OpenContext,
        tests::{context, settings},
    };

    /// A clock that goes when told.
    #[derive(Clone, Default)]
    struct HandClock(Arc<AtomicU64>);

    impl HandClock {
        fn pass(&self, seconds: u64) {
            self.0.fetch_add(seconds * 1_000_000_000, Ordering::Relaxed);
        }

        fn now(&self) -> Now {
            let nanos = Arc::clone(&self.0);
            Arc::new(move || Monotonic::from_nanos(nanos.load(Ordering::Relaxed)))
        }
    }

    fn simulation() -> (HandClock, SimulatedBox) {
        let clock = HandClock::default();
        clock.pass(1_000);
        let simulation = SimulatedBox::new(BoxParameters::default(), 1, clock.now());
        (clock, simulation)
    }

    #[test]
    fn the_sensor_follows_the_outputs() {
        let (clock, simulation) = simulation();
        let (mut sensor, outputs) = (simulation.sensor(), simulation.outputs());
        let mut after_a_minute = |heater_on, fan_on| {
            outputs.set(heater_on, fan_on);
            clock.pass(60);
            sensor.read().expect("a reading")
        };
        let cold = after_a_minute(false, false);
        let warm = after_a_minute(true, false);
        let cooler = after_a_minute(false, false);
        let dried = after_a_minute(false, true);
        assert!(warm.temperature.degrees() > cold.temperature.degrees() + 2.0, "{cold:?} {warm:?}");
        assert!(cooler.temperature.degrees() < warm.temperature.degrees() - 0.5, "{warm:?} {cooler:?}");
        assert!(dried.humidity.percent() < cooler.humidity.percent() - 1.0, "{cooler:?} {dried:?}");
    }

    #[test]
    fn outputs_count_from_the_moment_they_are_told_not_from_the_next_reading() {
        let (clock, simulation) = simulation();
        clock.pass(100);
        simulation.outputs().set(true, false);
        clock.pass(20);
        simulation.outputs().set(false, false);
        clock.pass(10);
        let mut expected = BoxWorld::new(BoxParameters::default(), 1);
        for (seconds, heater_on) in [(100, false), (20, true), (10, false)] {
            expected.advance(Duration::from_secs(seconds), Drive { heater_on, fan_on: false });
        }
        assert_eq!(simulation.world().air_temperature_c().to_bits(), expected.air_temperature_c().to_bits());
        assert_eq!(simulation.sensor().read(), Ok(expected.measure()));
    }

    #[test]
    fn every_fault_shows_and_passes() {
        let (clock, simulation) = simulation();
        let (mut sensor, faults) = (simulation.sensor(), simulation.faults());
        let mut readings = |fault| -> Vec<Result<Measurement, NoData>> {
            faults.set(fault);
            let read = |_| {
                clock.pass(5);
                sensor.read()
            };
            (0..20).map(read).collect()
        };
        let range = |readings: &[Result<Measurement, NoData>]| {
            let centi = || readings.iter().map(|reading| reading.as_ref().expect("a reading").temperature.centi());
            centi().max().expect("twenty") - centi().min().expect("twenty")
        };
        assert!((1..100).contains(&range(&readings(SimulatedFault::None))));
        assert!(readings(SimulatedFault::Unplugged).iter().all(|r| matches!(r, Err(NoData::NotPresent(_)))));
        assert_eq!(range(&readings(SimulatedFault::Frozen)), 0);
        assert!(range(&readings(SimulatedFault::Garbage)) > 10_000);
        assert!((1..100).contains(&range(&readings(SimulatedFault::None))));
    }

    #[test]
    fn the_fingerprint_is_new_for_each_reading_and_stays_for_a_frozen_sensor() {
        let (clock, simulation) = simulation();
        let mut sensor = simulation.sensor();
        let mut fingerprints = |fault| -> BTreeSet<Option<u64>> {
            simulation.faults().set(fault);
            let read = |_| {
                clock.pass(5);
                sensor.read().expect("a reading");
                sensor.fingerprint()
            };
            (0..10).map(read).collect()
        };
        assert!(fingerprints(SimulatedFault::None).len() > 5);
        assert_eq!(fingerprints(SimulatedFault::Frozen).len(), 1);
    }

    #[test]
    fn a_sensor_frozen_before_its_first_reading_repeats_that_one() {
        let (clock, simulation) = simulation();
        simulation.faults().set(SimulatedFault::Frozen);
        let mut sensor = simulation.sensor();
        let first = sensor.read();
        clock.pass(60);
        assert_eq!(first, sensor.read());
    }

    #[test]
    fn it_opens_with_and_without_a_given_simulation() {
        let (clock, simulation) = simulation();
        simulation.outputs().set(true, false);
        let read = |simulation: Option<SimulatedBox>, seed: &str| {
            let settings = settings(&[("sensor.type", "simulated"), ("simulation.seed", seed)]);
            let mut sensor = sensors::open(
                &settings,
                &OpenContext { now: clock.now(), simulation, ..context(Path::new("/nowhere")) },
            )
            .expect("always there");
            assert_eq!((sensor.fingerprint(), sensor.details()), (None, Vec::new()));
            assert_eq!(sensor.describe(), "simulated box (60 l, 50 W, 5 spools)");
            clock.pass(120);
            sensor.read().expect("a reading")
        };
        let given = read(Some(simulation.clone()), "1");
        assert!(given.temperature.degrees() > 21.0, "the given box is heated: {given:?}");
        let (own, same_seed, other_seed) = (read(None, "1"), read(None, "1"), read(None, "2"));
        assert!(own.temperature.degrees() < 18.0, "its own box is not: {own:?}");
        assert_eq!(own, same_seed);
        assert_ne!(own, other_seed);
    }
}
