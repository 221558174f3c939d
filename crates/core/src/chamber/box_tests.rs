//! The watchers against the model of a box: they must not trip in any of the six in normal working, and must trip in each when its
//! heater is dead or its relay is stuck.

use super::*;
use crate::command::Wish;
use crate::config::{Band, OutputConfig, SafetyConfig};
use crate::physics::{BoxParameters, BoxWorld, Drive, SplitMix64};
use crate::safety::LatchReason;
use crate::sample::BoxName;

/// How heater and relay are.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Power {
    AsSwitched,
    Dead,
    Stuck,
}

/// A box, its daemon, and a guard that does what it is asked.
struct Life {
    world: BoxWorld,
    power: Power,
    config: BoxConfig,
    chamber: Chamber,
    now: Monotonic,
    drive: Drive,
    /// Safety events with their moments.
    log: Vec<(f64, String)>,
    on: Duration,
}

const INTERVAL: Duration = Duration::from_secs(5);

fn config(band: Band) -> BoxConfig {
    let output = |gpio, band| OutputConfig {
        enabled: true,
        band,
        min_on: Duration::from_secs(10),
        min_off: Duration::from_secs(10),
        gpio,
        active_low: false,
    };
    BoxConfig {
        name: BoxName::main(),
        heater: output(16, band),
        fan: output(20, Band { low: 10.0, high: 15.0 }),
        safety: SafetyConfig::default(),
    }
}

impl Life {
    fn new(parameters: &BoxParameters, seed: u64, config: BoxConfig) -> Self {
        Self {
            world: BoxWorld::new(parameters.clone(), seed),
            power: Power::AsSwitched,
            chamber: Chamber::new(config.clone(), Monotonic::ZERO),
            config,
            now: Monotonic::ZERO,
            drive: Drive::default(),
            log: Vec::new(),
            on: Duration::ZERO,
        }
    }

    fn input(&mut self, input: Input) {
        let clock = Clock { now: self.now, wall: None };
        let effects = self.chamber.step(clock, input);
        let line = |active| HeldOutput { active, ..HeldOutput::default() };
        self.drive = Drive { heater_on: effects.wanted.heat.is_some(), fan_on: effects.wanted.fan };
        let held = Held { heater: line(self.drive.heater_on), fan: line(self.drive.fan_on) };
        let more = self.chamber.held(clock, held);
        let safety = effects.events.into_iter().chain(more).filter(|event| event.kind == EventKind::Safety);
        self.log.extend(safety.map(|event| (self.now.seconds(), event.text)));
    }

    fn pass(&mut self, elapsed: Duration) {
        let heater_on = match self.power {
            Power::AsSwitched => self.drive.heater_on,
            Power::Dead => false,
            Power::Stuck => true,
        };
        if self.drive.heater_on {
            self.on += elapsed;
        }
        self.world.advance(elapsed, Drive { heater_on, ..self.drive });
        self.now = self.now + elapsed;
    }

    /// One interval, with what the box wakes for.
    fn live(&mut self) {
        let end = self.now + INTERVAL;
        while let Some(wake) = self.chamber.next_wake().filter(|wake| *wake < end) {
            self.pass(wake.since(self.now));
            self.input(Input::Tick);
        }
        self.pass(end.since(self.now));
        let measurement = self.world.measure();
        let reading = Reading::at(Clock { now: self.now, wall: None }, measurement);
        self.input(Input::Sample(reading));
    }

    fn live_for(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        while self.now < end {
            self.live();
        }
    }

    fn command(&mut self, wish: Wish) {
        self.input(Input::Command(OutputKind::Heater, wish));
    }

    fn raised(&self) -> Vec<LatchReason> {
        self.chamber.raised.iter().map(|trip| trip.reason).collect()
    }

    /// A new daemon after so long.
    fn restart(&mut self, after: Duration) {
        self.drive = Drive::default();
        self.pass(after);
        self.chamber = Chamber::new(self.config.clone(), self.now);
    }

    fn trips(&self) -> Vec<&(f64, String)> {
        let quiet = |text: &str| {
            text.contains("resting after")
                || text.contains("tells a dead heater")
                || text.contains("reaches the cut-off")
        };
        self.log.iter().filter(|(_, text)| !quiet(text)).collect()
    }
}

/// The six boxes, and nobody opens a lid.
fn six_boxes() -> [(&'static str, BoxParameters); 6] {
    BoxParameters::six_boxes()
        .map(|(name, parameters)| (name, BoxParameters { lid_openings_per_day: 0.0, ..parameters }))
}

/// What a box can reach over its room at most.
fn most_rise_c(p: &BoxParameters) -> f64 {
    p.heater_w * (1.0 / p.air_to_wall_w_k + 1.0 / p.wall_to_room_w_k)
}

/// `part` of that over the room, and not nearer to the cut-off than is allowed.
fn low_c(parameters: &BoxParameters, part: f64, width: f64) -> f64 {
    (17.0 + part * most_rise_c(parameters)).min(64.5 - width)
}

fn first(life: &Life, text: &str) -> f64 {
    life.log.iter().find(|(_, event)| event.contains(text)).map_or(f64::INFINITY, |(at, _)| *at)
}

/// Bands narrow and wide, within and out of reach, people at switches and lids, restarts and rests, a noisy sensor: a third of a day each.
#[test]
fn normal_working_trips_nothing() {
    let (shut, opened, quiet, noisy) = (0.0, 8.0, 0.02, 0.2);
    let lives = [
        (0.2, 0.5, shut, quiet),
        (0.5, 6.0, shut, noisy),
        (0.5, 2.0, opened, noisy),
        (0.8, 2.0, shut, quiet),
        (0.97, 15.0, opened, quiet),
    ];
    for (name, parameters) in six_boxes() {
        for (part, width, lid_openings_per_day, temperature_noise_c) in lives {
            let low = low_c(&parameters, part, width);
            let parameters = BoxParameters { lid_openings_per_day, temperature_noise_c, ..parameters.clone() };
            let mut life = Life::new(&parameters, 3, config(Band { low, high: low + width }));
            let mut dice = SplitMix64::new((100.0 * part) as u64);
            let mut between =
                |least: f64, most: f64| Duration::from_secs_f64(least + (most - least) * dice.next_unit());
            while life.now.seconds() < 28_800.0 {
                life.live_for(between(60.0, 7200.0).as_secs_f64());
                match between(0.0, 6.0).as_secs() {
                    0 => life.restart(between(1.0, 20.0)),
                    1 => life.command(Wish::On { hold: None }),
                    2 => life.command(Wish::Off { hold: Some(between(30.0, 600.0)) }),
                    _ => {}
                }
            }
            assert_eq!(life.trips(), Vec::<&(f64, String)>::new(), "{name}, {low} °C and {width} °C more");
            assert!(life.on > Duration::from_secs(3600), "{name}: heated for {:?}", life.on);
        }
    }
}

#[test]
fn a_dead_heater_is_noticed_in_every_box() {
    for (name, parameters) in six_boxes() {
        let low = low_c(&parameters, 0.4, 2.0);
        let band = Band { low, high: low + 2.0 };
        let mut life = Life::new(&parameters, 3, config(band));
        life.power = Power::Dead;
        life.live_for(3600.0);
        let (doubt, failure, latch) =
            (first(&life, "tells a dead heater"), first(&life, "One more try"), first(&life, "until a reset"));
        assert!(doubt <= 190.0 && failure <= 560.0 && latch <= 1350.0, "{name}: {:?}", life.log);
        assert!(life.on <= Duration::from_secs(3 * 185), "{name}: heated for {:?}", life.on);

        let mut life = Life::new(&parameters, 3, config(band));
        life.live_for(4.0 * 3600.0);
        life.log.clear();
        life.power = Power::Dead;
        let died_at = life.now.seconds();
        life.live_for(2.0 * 3600.0);
        let latch = first(&life, "until a reset") - died_at;
        assert!(latch <= 5400.0, "{name}, died while working: {latch} s, {:?}", life.log);
        assert_eq!(life.raised(), [LatchReason::NotWarming], "{name}");
    }
}

#[test]
fn a_stuck_relay_is_noticed_in_every_box_within_thirteen_minutes() {
    for (name, parameters) in six_boxes() {
        for part in [0.1, 0.4, 0.7] {
            let low = low_c(&parameters, part, 2.0);
            let mut life = Life::new(&parameters, 5, config(Band { low, high: low + 2.0 }));
            life.live_for(3.0 * 3600.0);
            while !life.drive.heater_on {
                life.live();
            }
            life.power = Power::Stuck;
            while life.drive.heater_on {
                life.live();
            }
            let off_at = life.now.seconds();
            life.log.clear();
            life.live_for(1800.0);
            let took = first(&life, "PULL THE PLUG") - off_at;
            assert!(took <= 780.0, "{name}, {low} °C: {took} s, {:?}", life.log);
            assert_eq!(life.raised(), [LatchReason::RelayStuck], "{name}");
            assert!(life.drive.fan_on, "{name}: the fan cools");
        }
    }
}

/// The plug was pulled and the relay changed: a reset finds nothing old. It was not: a reset finds it again.
#[test]
fn after_a_reset_only_what_is_still_wrong_trips_again() {
    let [_, _, (_, parameters), ..] = six_boxes();
    for power in [Power::AsSwitched, Power::Stuck] {
        let mut life = Life::new(&parameters, 5, config(Band { low: 20.0, high: 22.0 }));
        life.power = Power::Stuck;
        life.live_for(3600.0);
        assert_eq!(life.raised(), [LatchReason::RelayStuck]);
        life.power = power;
        life.log.clear();
        let reset_at = life.now.seconds();
        life.input(Input::Reset);
        life.live_for(6.0 * 3600.0);
        let again = first(&life, "heat is off until a reset") - reset_at;
        match power {
            Power::Stuck => assert!((180.0..=780.0).contains(&again), "{again} s"),
            _ => assert_eq!(life.raised(), [], "{:?}", life.log),
        }
    }
}
