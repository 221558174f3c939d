//! A box and what happens to it, in words that can be written down: [`Given`] and a list of [`Mishap`]s. The property tests make
//! them by chance, a failed one prints itself in just these words, and pasted into `regressions.rs` it is a scenario.

use std::time::Duration;

use filamentbox_core::chamber::Input;
use filamentbox_core::command::{OutputKind, Wish};
use filamentbox_core::config::{Band, BoxConfig};
use filamentbox_core::physics::{BoxParameters, Disturbance};
use filamentbox_core::time::Monotonic;

use crate::calm;
use crate::daemon::Pulse;
use crate::relay::{LineFault, LinkFault};
use crate::sensor::{Probe, SensorFault};
use crate::world::{HeaterFault, Setup, World};

/// A box with its settings. Every combination of these is one that the settings allow.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Given {
    /// For weather, noise, and what the link does.
    pub(crate) seed: u32,
    /// Which of the six boxes.
    pub(crate) model: usize,
    pub(crate) probe: Probe,
    pub(crate) read_s: u64,
    /// The lower end of the band, in percent of what the heater can reach.
    pub(crate) warmth_pct: u32,
    pub(crate) width_c: f64,
    /// From the band to the cut-off, beside what the settings demand.
    pub(crate) spare_c: f64,
    pub(crate) slew_c_per_s: f64,
    /// A reading is good for so many intervals.
    pub(crate) good_for: f64,
    pub(crate) max_on_s: u64,
    pub(crate) override_s: u64,
    pub(crate) min_on_s: u64,
    pub(crate) min_off_s: u64,
    pub(crate) fan: bool,
}

impl Given {
    pub(crate) fn setup(&self) -> Setup {
        let mut setup = Setup { seed: self.seed.into(), probe: self.probe, ..Setup::default() };
        let (_, physics) = BoxParameters::six_boxes()[self.model].clone();
        let loss_w_k = 1.0 / (1.0 / physics.air_to_wall_w_k + 1.0 / physics.wall_to_room_w_k);
        let most_rise_c = physics.heater_w / loss_w_k;
        setup.read_interval = Duration::from_secs(self.read_s);
        let safety = &mut setup.config.safety;
        safety.slew_c_per_s = self.slew_c_per_s;
        safety.max_sample_age = setup.read_interval.mul_f64(self.good_for);
        safety.max_on_time = Duration::from_secs(self.max_on_s);
        safety.override_max = Duration::from_secs(self.override_s);
        // As the settings demand, and for the guard's cut-off of 70 °C too.
        let margin_c = 5.0_f64.max(1.5 * self.read_s as f64 * self.slew_c_per_s.max(1.0));
        let highest_c = (self.probe.traits().temperature_max_c - 2.0).min(85.0);
        let low = 19.0 + most_rise_c * f64::from(self.warmth_pct) / 100.0;
        let low = low.min(highest_c.min(70.0) - margin_c - 3.0);
        let band = Band { low, high: low + self.width_c };
        safety.max_temp_c = (band.high + margin_c + self.spare_c).min(highest_c);
        let heater = &mut setup.config.heater;
        heater.band = band;
        // 150 W warm 10 litres by 20 °C within half a minute: who sets such a minimum there reaches the cut-off in truth.
        let longest_s = if physics.heater_w / physics.volume_l > 5.0 { 10 } else { 60 };
        heater.min_on = Duration::from_secs(self.min_on_s.min(longest_s));
        heater.min_off = Duration::from_secs(self.min_off_s);
        setup.config.fan.enabled = self.fan;
        setup.physics = BoxParameters { lid_openings_per_day: 0.0, ..physics };
        setup
    }
}

/// Something that goes wrong, or that somebody does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum What {
    Sensor(SensorFault),
    Link(LinkFault),
    /// The daemon hangs or is stopped, and goes on at the end.
    Daemon(Pulse),
    /// SIGKILL; started again at the end.
    KillDaemon,
    /// Killed and started again each so many seconds.
    CrashLoop(u64),
    KillGuard,
    KillBoth,
    /// Something broke that a person has to see to.
    Fault,
    Stop,
    Reset,
    /// The machine sleeps for so many seconds: nothing runs, the lines stay as they are.
    Suspend(u64),
    Power(HeaterFault),
    Line(LineFault),
    Lid,
    /// The room is so much warmer. °C.
    Room(f64),
    /// By hand on, for so many seconds.
    On(OutputKind, Option<u64>),
    /// By hand off, for so many seconds.
    Off(OutputKind, Option<u64>),
    Auto(OutputKind),
    /// ON by hand again and again, each so many seconds.
    Nervous(u64),
    /// Other settings for a while.
    Settings(Change),
    /// Another calibration.
    Calibrate,
    /// The wall clock jumps to so many milliseconds off the monotonic one, or is not set any more.
    Wall(Option<i64>),
}

/// What somebody sets otherwise.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Change {
    /// Cut-off and band so much lower. °C.
    Lower(f64),
    /// The band alone so much lower. °C.
    Band(f64),
    /// A reading is good for so many seconds.
    MaxAge(u64),
    Slew(f64),
    /// The longest on-time, and the longest override. Seconds.
    MaxOn(u64),
    Override(u64),
    /// Both minimum times. Seconds.
    Minimum(u64),
    RiseTime(u64),
    NoHeater,
    /// The heater needs the fan, where there is one.
    NeedsFan,
}

impl Change {
    fn of(self, original: &BoxConfig) -> BoxConfig {
        let mut config = original.clone();
        let (heater, safety, seconds) = (&mut config.heater, &mut config.safety, Duration::from_secs);
        match self {
            Self::Lower(by_c) => {
                let by_c = by_c.min(safety.max_temp_c - 25.0).min(heater.band.low).max(0.0);
                safety.max_temp_c -= by_c;
                heater.band = Band { low: heater.band.low - by_c, high: heater.band.high - by_c };
            }
            Self::Band(by_c) => {
                let by_c = by_c.min(heater.band.low);
                heater.band = Band { low: heater.band.low - by_c, high: heater.band.high - by_c };
            }
            Self::MaxAge(age_s) => safety.max_sample_age = seconds(age_s).max(safety.max_sample_age / 2),
            Self::Slew(slew_c_per_s) => safety.slew_c_per_s = slew_c_per_s,
            Self::MaxOn(max_on_s) => safety.max_on_time = seconds(max_on_s),
            Self::Override(max_s) => safety.override_max = seconds(max_s),
            Self::Minimum(minimum_s) => (heater.min_on, heater.min_off) = (seconds(minimum_s), seconds(minimum_s)),
            Self::RiseTime(time_s) => safety.heating_rise_time = seconds(time_s),
            Self::NoHeater => heater.enabled = false,
            Self::NeedsFan => safety.requires_fan = config.fan.enabled,
        }
        config
    }
}

impl What {
    /// What it is, without its figures.
    pub(crate) fn name(self) -> String {
        let text = format!("{self:?}");
        let words = text.split(|c: char| !c.is_ascii_alphabetic());
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// When, and for how long.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Mishap {
    /// After the one before began, in ms.
    pub(crate) after: u64,
    /// In ms.
    pub(crate) lasts: u64,
    pub(crate) what: What,
}

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Act {
    Begin(What),
    /// Once more in the middle, of what repeats itself.
    Again(What),
    End(What),
}

/// A crash loop and a nervous hand go on for so many rounds at most.
const ROUNDS_MAX: u64 = 40;

/// The world after all of `mishaps` and the calm after them.
pub(crate) fn live(given: &Given, mishaps: &[Mishap]) -> World {
    let mut world = World::new(given.setup());
    for (at, act) in acts(world.now, mishaps) {
        world.run_to(at.max(world.now));
        match act {
            Act::Begin(what) => begin(&mut world, what),
            Act::Again(what) => again(&mut world, what),
            Act::End(what) => end(&mut world, what),
        }
    }
    calm::returns(&mut world);
    world
}

/// All acts in their order.
fn acts(start: Monotonic, mishaps: &[Mishap]) -> Vec<(Monotonic, Act)> {
    let mut acts = Vec::new();
    let mut at = start;
    for Mishap { after, lasts, what } in mishaps {
        at = at + Duration::from_millis(*after);
        acts.push((at, Act::Begin(*what)));
        let lasts = Duration::from_millis(*lasts);
        if let What::CrashLoop(period_s) | What::Nervous(period_s) = what {
            let period = Duration::from_secs((*period_s).max(1));
            let rounds = (1..=ROUNDS_MAX).map(|round| round as u32 * period).take_while(|offset| *offset < lasts);
            acts.extend(rounds.map(|offset| (at + offset, Act::Again(*what))));
        }
        acts.push((at + lasts, Act::End(*what)));
    }
    acts.sort_by_key(|(at, _)| *at);
    acts
}

fn begin(world: &mut World, what: What) {
    match what {
        What::Sensor(fault) => world.break_sensor(fault),
        What::Link(fault) => world.break_link(fault),
        What::Daemon(pulse) => world.pulse(pulse),
        What::KillDaemon | What::CrashLoop(_) => world.kill_daemon(),
        What::KillGuard => world.kill_guard(),
        What::KillBoth => {
            world.kill_guard();
            world.kill_daemon();
        }
        What::Fault if world.is_running() => world.input(Input::Fault("something broke".to_owned())),
        What::Stop if world.is_running() => world.input(Input::Stop),
        What::Fault | What::Stop => {}
        What::Reset => world.reset(),
        What::Suspend(seconds) => world.suspend(Duration::from_secs(seconds)),
        What::Power(fault) => world.break_heater(fault),
        What::Line(fault) => world.break_line(fault),
        What::Lid => world.disturb(Disturbance { lid_held_open: true, ..world.disturbance }),
        What::Room(room_warmer_c) => world.disturb(Disturbance { room_warmer_c, ..world.disturbance }),
        What::On(output, hold_s) => ask(world, output, Wish::On { hold: hold_s.map(Duration::from_secs) }),
        What::Off(output, hold_s) => ask(world, output, Wish::Off { hold: hold_s.map(Duration::from_secs) }),
        What::Auto(output) => ask(world, output, Wish::Auto),
        What::Nervous(_) => again(world, what),
        What::Settings(change) => world.configure(change.of(&world.original)),
        What::Calibrate => world.calibrate(),
        What::Wall(offset_ms) => world.wall_offset_ms = offset_ms,
    }
}

fn again(world: &mut World, what: What) {
    match what {
        What::CrashLoop(_) => {
            world.kill_daemon();
            world.start_daemon();
            world.run(Duration::from_millis(1));
        }
        _ => ask(world, OutputKind::Heater, Wish::On { hold: None }),
    }
}

/// What is over ends, unless something else has taken its place.
fn end(world: &mut World, what: What) {
    match what {
        What::Sensor(fault) if world.sensor.fault() == fault => world.break_sensor(SensorFault::Well),
        What::Link(LinkFault::Poor(_)) => world.break_link(LinkFault::Well),
        What::Daemon(_) => world.pulse(Pulse::Running),
        What::KillDaemon | What::CrashLoop(_) | What::KillBoth if world.daemon.is_none() => world.start_daemon(),
        What::Power(fault) if world.heater_fault == fault => world.break_heater(HeaterFault::Well),
        What::Line(_) => world.break_line(LineFault::Well),
        What::Lid => world.disturb(Disturbance { lid_held_open: false, ..world.disturbance }),
        What::Settings(_) => world.configure(world.original.clone()),
        What::Room(_) => world.disturb(Disturbance { room_warmer_c: 0.0, ..world.disturbance }),
        _ => {}
    }
}

fn ask(world: &mut World, output: OutputKind, wish: Wish) {
    // Refused when it is too long, when there is no fan, or after a latch.
    drop(world.command(output, wish));
}
