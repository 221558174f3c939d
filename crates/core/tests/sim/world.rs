//! The simulated world: everything put together, one moment after the other.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use filamentbox_core::chamber::Input;
use filamentbox_core::command::CommandError;
use filamentbox_core::config::{Band, BoxConfig, OutputConfig, SafetyConfig};
use filamentbox_core::control::Mode;
use filamentbox_core::event::{Event, EventKind};
use filamentbox_core::physics::{BoxParameters, BoxWorld, Disturbance, Drive};
use filamentbox_core::sample::BoxName;
use filamentbox_core::snapshot::{BoxSnapshot, Reading};
use filamentbox_core::time::{Clock, Monotonic, UnixTime};
use filamentbox_guard::Limits;

use crate::daemon::{Daemon, Outcome, Pulse};
use crate::dice::Dice;
use crate::properties::is_quiet;
use crate::relay::Relay;
use crate::sensor::{Probe, Sensor, Words};
use crate::witness::{Interval, Seen, Witness};

/// Refusals that are a part of normal working, or told in another way.
const UNTOLD: [&str; 2] = ["the daemon is stopping", "the fan runs for"];
/// So much is told of a world that fails.
const HISTORY: usize = 30;
/// More steps than this without the clock moving is a daemon that spins.
const STEPS_AT_ONE_MOMENT_MAX: u32 = 80;

/// What a world is made of.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) physics: BoxParameters,
    pub(crate) config: BoxConfig,
    pub(crate) guard: Limits,
    pub(crate) read_interval: Duration,
    pub(crate) probe: Probe,
}

/// What is wrong with the heater, whatever its line says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum HeaterFault {
    Well,
    /// It does not warm.
    Dead,
    /// It has so many percent of its power.
    Weak(u32),
    /// Its relay is welded: it heats all the time.
    Welded,
}

/// The default box and the default settings, heater and fan enabled, and nobody opens the lid.
impl Default for Setup {
    fn default() -> Self {
        let output = |gpio, low, high| OutputConfig {
            enabled: true,
            gpio,
            active_low: false,
            band: Band { low, high },
            min_on: Duration::from_secs(10),
            min_off: Duration::from_secs(10),
        };
        let safety = SafetyConfig::default();
        let config =
            BoxConfig { name: BoxName::main(), heater: output(16, 20.0, 22.0), fan: output(20, 10.0, 15.0), safety };
        let physics = BoxParameters { lid_openings_per_day: 0.0, ..BoxParameters::default() };
        Self {
            seed: 1,
            physics,
            config,
            guard: Limits::default(),
            read_interval: Duration::from_secs(5),
            probe: Probe::Bme280,
        }
    }
}

pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) now: Monotonic,
    /// Milliseconds between the wall clock and the monotonic one; `None` while it is not set.
    pub(crate) wall_offset_ms: Option<i64>,
    pub(crate) physics: BoxWorld,
    lived_to: Monotonic,
    pub(crate) disturbance: Disturbance,
    pub(crate) heater_fault: HeaterFault,
    pub(crate) sensor: Sensor,
    pub(crate) next_reading: Monotonic,
    /// `None` while it is dead.
    pub(crate) daemon: Option<Daemon>,
    pub(crate) relay: Relay,
    pub(crate) witness: Witness,
    pub(crate) dice: Dice,
    /// The latest manual heater ON that was accepted.
    pub(crate) manual_on_at: Monotonic,
    last_heat: Monotonic,
    history: VecDeque<String>,
    /// How often something latched, and how often heat was refused, the rests aside.
    pub(crate) latches: u32,
    pub(crate) refusals: u32,
    /// The reasons told since heat was last permitted, without their figures.
    told: Vec<String>,
    /// The settings that people set in the end, and those that the daemon goes by.
    pub(crate) original: BoxConfig,
    pub(crate) in_force: BoxConfig,
    /// Every event's moment and text, when kept.
    pub(crate) log: Option<Vec<(Monotonic, String)>>,
}

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        // Not zero, so that nothing works by chance.
        let now = Monotonic::from_nanos(40_000_000_123);
        Self {
            now,
            wall_offset_ms: Some(1_700_000_000_000),
            physics: BoxWorld::new(setup.physics.clone(), setup.seed),
            lived_to: now,
            disturbance: Disturbance::default(),
            heater_fault: HeaterFault::Well,
            sensor: Sensor::new(setup.probe),
            next_reading: now,
            daemon: Some(Daemon::new(setup.config.clone(), setup.probe.traits(), now)),
            relay: Relay::new(setup.guard),
            witness: Witness::new(&setup, now),
            dice: Dice::new(setup.seed),
            manual_on_at: now,
            last_heat: now,
            history: VecDeque::new(),
            latches: 0,
            refusals: 0,
            told: Vec::new(),
            original: setup.config.clone(),
            in_force: setup.config.clone(),
            log: None,
            setup,
        }
    }

    /// Lets `duration` pass.
    pub(crate) fn run(&mut self, duration: Duration) -> &mut Self {
        self.run_to(self.now + duration);
        self
    }

    /// Lets time pass until `moment`.
    pub(crate) fn run_to(&mut self, moment: Monotonic) {
        while let Some(next) = self.next_moment().filter(|next| *next <= moment) {
            self.pass_to(next);
            self.happen();
        }
        self.pass_to(moment);
    }

    /// Lets time pass until `until` says so, at most `longest`. Returns how long it took.
    #[track_caller]
    pub(crate) fn run_until(&mut self, longest: Duration, what: &str, until: impl Fn(&Self) -> bool) -> Duration {
        let start = self.now;
        while !until(self) {
            let next = self.next_moment().expect("readings never end");
            assert!(next.since(start) <= longest, "{what}: not within {longest:?}");
            self.pass_to(next);
            self.happen();
        }
        self.now.since(start)
    }

    /// When something happens by itself.
    pub(crate) fn next_moment(&self) -> Option<Monotonic> {
        let wake = self.daemon.as_ref().and_then(Daemon::next_wake);
        [Some(self.next_reading), wake, self.relay.next_check(self.now)]
            .into_iter()
            .flatten()
            .map(|moment| moment.max(self.now))
            .min()
    }

    /// Time passes; nothing else changes.
    fn pass_to(&mut self, moment: Monotonic) {
        let running = self.daemon.as_ref().is_some_and(|daemon| daemon.pulse == Pulse::Running);
        let in_touch = running && self.relay.in_touch;
        let (active, heard) = (self.relay.heats(), self.relay.heard);
        if self.relay.heater {
            self.last_heat = moment;
        }
        assert!(!self.relay.is_moved(moment), "somebody moved the line, and the guard does not look");
        self.witness.check(Interval { to: moment, active, in_touch, heard });
        self.now = moment;
    }

    /// The whole machine sleeps, and wakes with everything due at once: the guard's timer first.
    pub(crate) fn suspend(&mut self, duration: Duration) {
        self.note(format!("machine: asleep for {duration:?}"));
        self.now = self.now + duration;
        self.next_reading = self.next_reading.max(self.now);
        self.happen();
    }

    /// Everything that is due now.
    pub(crate) fn happen(&mut self) {
        if self.relay.next_check(self.now).is_some_and(|at| at <= self.now) {
            self.change(|world| {
                world.relay.assess(world.now);
            });
        }
        if self.next_reading <= self.now {
            self.next_reading = self.now + self.setup.read_interval;
            self.read_sensor();
        }
        let mut steps = 0;
        while let Some(input) = self.next_input() {
            self.step(input).expect("only commands are refused");
            steps += 1;
            assert!(steps < STEPS_AT_ONE_MOMENT_MAX, "the daemon spins");
        }
    }

    fn next_input(&mut self) -> Option<Input> {
        let now = self.now;
        let daemon = self.daemon.as_mut()?;
        daemon.next_queued().or_else(|| daemon.next_wake().filter(|at| *at <= now).map(|_| Input::Tick))
    }

    fn read_sensor(&mut self) {
        self.catch_up();
        let clock = self.clock();
        let Some(daemon) = self.daemon.as_mut().filter(|daemon| daemon.pulse != Pulse::Stopped) else { return };
        let Some(result) = self.sensor.read(self.now, &mut self.physics, &mut self.dice) else { return };
        daemon.queue(match result {
            Ok(Words { measurement, fingerprint }) => {
                Input::Sample(Reading { fingerprint: Some(fingerprint), ..Reading::at(clock, measurement) })
            }
            Err(why) => Input::NoData(why),
        });
    }

    /// The daemon, which must run, takes `input`, which is no command.
    pub(crate) fn input(&mut self, input: Input) {
        self.note(format!("{input:?}"));
        self.step(input).expect("only commands are refused");
    }

    /// The daemon, which must run, takes `input`.
    pub(crate) fn step(&mut self, input: Input) -> Result<(), CommandError> {
        let clock = self.clock();
        let target_c = match self.heater_mode() {
            Some(Mode::Manual { on: true, .. }) => self.in_force.safety.max_temp_c,
            _ => self.in_force.heater.band.high,
        };
        match &input {
            Input::Sample(reading) => {
                let temperature_c = reading.measurement.temperature.degrees();
                let seen = Seen { temperature_c, taken_at: reading.taken_at };
                self.witness.beliefs.hear(self.now, seen, reading.fingerprint.expect("given"), target_c);
            }
            Input::NoData(_) => self.witness.beliefs.missed(),
            Input::NewReadings => self.witness.beliefs.forget(),
            Input::Settings(config) => {
                let is_new_heater = config.heater.enabled && !self.in_force.heater.enabled;
                self.witness.configure(self.now, config.safety, is_new_heater);
                self.in_force = BoxConfig::clone(config);
            }
            _ => {}
        }
        let (stops, fails) = (input == Input::Stop, matches!(input, Input::Fault(_)));
        let mut outcome = None;
        self.change(|world| {
            let daemon = world.daemon.as_mut().expect("the daemon lives");
            outcome = Some(daemon.step(clock, input, &mut world.relay, &mut world.dice));
        });
        let Outcome { accepted, events } = outcome.expect("stepped");
        self.witness.stopped |= stops;
        self.witness.latched |= fails;
        self.take_events(&events);
        self.witness.conclude(self.now);
        self.check_override();
        self.check_refusal();
        accepted
    }

    pub(crate) fn take_events(&mut self, events: &[Event]) {
        for event in events {
            if event.kind == EventKind::Output {
                let reason = event.text.split_once(": ").map_or("", |(_, reason)| reason);
                assert!(reason.len() > 5, "an output's event says why: {event:?}");
            }
            let latched = event.kind == EventKind::Safety && event.text.ends_with("outputs stay off");
            self.witness.latched |= latched;
            let text = &event.text;
            let latches =
                text.strip_prefix("heat is off until a reset: ").map(|why| why.split(" (").next().unwrap_or(why));
            let kept = text.strip_prefix("the relay guard keeps the heater off until a reset: ");
            self.witness.latched |= latches.or(kept).is_some();
            self.latches += u32::from(latches.or(kept).is_some());
            let refused = text.strip_prefix("heat refused: ");
            self.refusals += u32::from(refused.is_some_and(|why| !why.starts_with("resting")));
            let refused = text.strip_prefix("heat refused: ").or(text.strip_suffix("; outputs stay off"));
            self.told.extend(latches.or(kept).or(refused).map(words));
            self.note(event.text.clone());
            if let Some(log) = &mut self.log {
                log.push((self.now, event.text.clone()));
            }
        }
    }

    /// Heat that is wished for and refused is told of, once for each reason, with the reason.
    fn check_refusal(&mut self) {
        let Some(snapshot) = self.snapshot() else { return };
        let wished = match snapshot.heater.mode {
            Mode::Manual { on, .. } => on,
            Mode::Auto => snapshot
                .reading
                .is_some_and(|reading| reading.measurement.temperature.degrees() < self.in_force.heater.band.low),
        };
        match snapshot.heat_inhibited {
            Some(why) if wished && !UNTOLD.iter().any(|untold| why.starts_with(untold)) => {
                assert!(self.told.contains(&words(&why)), "never told: {why}")
            }
            // Without a heater nothing is refused, and what was told stays told.
            None if self.in_force.heater.enabled => self.told.clear(),
            _ => {}
        }
    }

    /// A manual ON ends by itself.
    fn check_override(&self) {
        if let Some(Mode::Manual { on: true, .. }) = self.heater_mode() {
            let held = self.now.since(self.manual_on_at);
            assert!(held < self.in_force.safety.override_max, "a manual ON for {held:?}");
        }
    }

    /// Does `what` may switch the lines; the box's physics and the witness follow.
    pub(crate) fn change(&mut self, what: impl FnOnce(&mut Self)) {
        self.catch_up();
        let before = (self.relay.heater, self.relay.fan);
        let heated = self.relay.heats();
        what(self);
        self.witness.kept |= self.relay.latch_due;
        let after = (self.relay.heater, self.relay.fan);
        if heated != self.relay.heats() {
            self.witness.line(self.now, self.relay.heats());
        }
        if before != after {
            self.note(format!("lines: heater {}, fan {}", after.0, after.1));
        }
    }

    /// The box lives up to now, its outputs as they were.
    pub(crate) fn catch_up(&mut self) {
        let elapsed = self.now.since(self.lived_to);
        self.lived_to = self.now;
        let fan_on = self.relay.fan;
        let (heated, unheated) = match self.heater_fault {
            HeaterFault::Well if self.relay.heater => (elapsed, Duration::ZERO),
            HeaterFault::Weak(percent) if self.relay.heater => {
                let heated = elapsed.mul_f64(f64::from(percent) / 100.0);
                (heated, elapsed.saturating_sub(heated))
            }
            HeaterFault::Welded => (elapsed, Duration::ZERO),
            _ => (Duration::ZERO, elapsed),
        };
        self.physics.advance(heated, Drive { heater_on: true, fan_on });
        self.physics.advance(unheated, Drive { heater_on: false, fan_on });
    }

    // What can be seen.

    pub(crate) fn clock(&self) -> Clock {
        let millis = i64::try_from(self.now.nanos() / 1_000_000).expect("within centuries");
        Clock { now: self.now, wall: self.wall_offset_ms.map(|offset| UnixTime::from_millis(offset + millis)) }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.daemon.as_ref().is_some_and(|daemon| daemon.pulse == Pulse::Running)
    }

    pub(crate) fn heats(&self) -> bool {
        self.relay.heater
    }

    pub(crate) fn snapshot(&self) -> Option<BoxSnapshot> {
        self.daemon.as_ref().map(|daemon| daemon.chamber.snapshot(self.now))
    }

    pub(crate) fn heater_mode(&self) -> Option<Mode> {
        self.snapshot().map(|snapshot| snapshot.heater.mode)
    }

    pub(crate) fn air_c(&mut self) -> f64 {
        self.catch_up();
        self.physics.air_temperature_c()
    }

    /// So many seconds since `moment`.
    pub(crate) fn seconds_since(&self, moment: Monotonic) -> f64 {
        self.now.since(moment).as_secs_f64()
    }

    /// The last moment at which the heater was on.
    pub(crate) fn last_heat(&self) -> Monotonic {
        self.last_heat
    }

    pub(crate) fn note(&mut self, text: String) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        let reading = self.witness.reading().map_or(f64::NAN, |seen| seen.temperature_c);
        self.history.push_back(format!("{:>12.3} s {reading:>6.2} °C  {text}", self.now.seconds()));
    }
}

/// `text` without its figures, which may change while the reason stays.
fn words(text: &str) -> String {
    text.chars().filter(|c| c.is_alphabetic()).collect()
}

/// A world that fails tells how it came to it.
impl Drop for World {
    #[expect(clippy::print_stderr, reason = "the report of a failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() && !is_quiet() {
            let mut report = String::from("\n");
            let Setup { config, read_interval, physics, .. } = &self.setup;
            let _ = writeln!(report, "{config:?}, a reading every {read_interval:?}, {} W", physics.heater_w);
            for line in &self.history {
                let _ = writeln!(report, "{line}");
            }
            eprintln!("{report}    now {:.3} s", self.now.seconds());
        }
    }
}
