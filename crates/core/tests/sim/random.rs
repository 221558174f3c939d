//! Random mishaps, one after the other and several at once, in random boxes with random settings. The witness watches all of it;
//! in the calm after each storm the thermostat has to work again, and the box has to get warm.

use std::ops::RangeInclusive;
use std::time::Duration;

use filamentbox_core::chamber::Input;
use filamentbox_core::command::{OutputKind, Wish};
use filamentbox_core::config::Band;
use filamentbox_core::control::Mode;
use filamentbox_core::physics::{BoxParameters, Disturbance};
use filamentbox_core::sample::NoData;
use filamentbox_core::time::Monotonic;

use crate::daemon::Pulse;
use crate::dice::Dice;
use crate::relay::LinkFault;
use crate::sensor::SensorFault;
use crate::world::{Setup, World};

const MINUTE: Duration = Duration::from_secs(60);
/// A calm box is warm again after so long without a refusal. The slowest of the boxes needs half of it to its band.
const WARM_AGAIN: Duration = Duration::from_secs(3600);
/// Nothing refuses a cold and calm box heat for longer than a rest of 10 minutes; looked at once a minute.
const LONGEST_REFUSAL: Duration = Duration::from_secs(720);
/// An ordinary run: some seconds of work.
const SHORT: RangeInclusive<u64> = 1..=12;
const SHORT_SOAK: RangeInclusive<u64> = 13..=24;
const SHORT_HOURS: u64 = 8;
/// A year.
const SOAK: RangeInclusive<u64> = 1..=365;
const SOAK_HOURS: u64 = 24;

#[expect(clippy::disallowed_methods, reason = "the test decides nothing by it but how much to test")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[test]
#[expect(clippy::print_stdout, reason = "says what ran")]
fn any_schedule_of_faults_keeps_the_invariants() {
    match environment("FILAMENTBOX_SIM_SEED") {
        Some(seed) => {
            let seed = seed.parse().expect("FILAMENTBOX_SIM_SEED is a whole number");
            println!("FILAMENTBOX_SIM_SEED={seed} alone, {SOAK_HOURS} h");
            live(seed, SOAK_HOURS);
        }
        None => live_all(SHORT, SHORT_HOURS),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "says what ran")]
fn soak_through_a_year_of_faults() {
    if environment("FILAMENTBOX_SIM_SEED").is_some() {
        println!("not run: any_schedule_of_faults_keeps_the_invariants runs the seed of FILAMENTBOX_SIM_SEED");
    } else if environment("FILAMENTBOX_SOAK").is_some_and(|value| value == "1") {
        println!("a year: {SOAK:?} for {SOAK_HOURS} h each");
        live_all(SOAK, SOAK_HOURS);
    } else {
        println!("the short version, {SHORT_SOAK:?} for {SHORT_HOURS} h each; FILAMENTBOX_SOAK=1 runs a year");
        live_all(SHORT_SOAK, SHORT_HOURS);
    }
}

fn live_all(seeds: RangeInclusive<u64>, hours: u64) {
    let least = seeds.clone().count() as u64 * hours;
    let energised: u64 = seeds.map(|seed| u64::from(live(seed, hours))).sum();
    assert!(energised > least, "the heaters were at work: {energised}");
}

/// One world for so many hours. Returns how often its heater went on.
fn live(seed: u64, hours: u64) -> u32 {
    let mut dice = Dice::new(!seed);
    let mut world = World::new(random_setup(seed, &mut dice));
    let end = world.now + Duration::from_secs(hours * 3600);
    while world.now < end {
        storm(&mut world, &mut dice);
        calm(&mut world, &mut dice);
    }
    world.witness.energised
}

fn random_setup(seed: u64, dice: &mut Dice) -> Setup {
    let mut setup = Setup { seed, ..Setup::default() };
    let (_, physics) = dice.pick(&BoxParameters::six_boxes());
    let loss_w_k = 1.0 / (1.0 / physics.air_to_wall_w_k + 1.0 / physics.wall_to_room_w_k);
    let most_rise_c = physics.heater_w / loss_w_k;
    setup.read_interval = Duration::from_secs(dice.pick(&[1, 2, 5]));
    let interval_s = setup.read_interval.as_secs_f64();
    let safety = &mut setup.config.safety;
    safety.slew_c_per_s = dice.pick(&[0.5, 1.0, 2.0]);
    safety.max_sample_age = setup.read_interval.mul_f64(dice.between(2.0, 8.0));
    safety.max_on_time = Duration::from_secs(dice.pick(&[600, 3600, 14_400, 86_400]));
    safety.override_max = Duration::from_secs(dice.pick(&[10, 300, 1800, 14_400]));
    // As the settings demand, and for the guard's cut-off of 70 °C too.
    let margin_c = 5.0_f64.max(1.5 * interval_s * safety.slew_c_per_s.max(1.0));
    let low = 19.0 + most_rise_c * dice.between(0.05, 0.35);
    let low = low.min(70.0 - margin_c - 3.0);
    let band = Band { low, high: low + dice.between(0.5, 3.0) };
    safety.max_temp_c = (band.high + margin_c + dice.between(0.0, 30.0)).min(85.0);
    let heater = &mut setup.config.heater;
    heater.band = band;
    heater.min_on = dice.seconds(0.0, 60.0);
    heater.min_off = dice.seconds(0.0, 60.0);
    setup.config.fan.enabled = dice.chance(0.8);
    setup.physics = BoxParameters { lid_openings_per_day: 0.0, ..physics };
    setup
}

/// What happens in a storm.
#[derive(Clone, Debug)]
enum Act {
    Sensor(SensorFault),
    Link(LinkFault),
    Pulse(Pulse),
    Kill,
    Start,
    KillGuard,
    Latch(Input),
    Disturb(Disturbance),
    Command(OutputKind, Wish),
    Wall(Option<i64>),
}

/// Some mishaps, each with its end or without, over some minutes.
fn storm(world: &mut World, dice: &mut Dice) {
    let length = dice.between(60.0, 3600.0);
    let mut schedule: Vec<(Monotonic, Act)> = Vec::new();
    for _ in 0..1 + dice.below(5) {
        let start = world.now + dice.seconds(0.0, length);
        // From half a second to an hour, short ones as often as long ones.
        let duration = Duration::from_secs_f64(0.5 * 7200.0_f64.powf(dice.unit()));
        let (begin, end) = mishap(&world.setup, dice);
        schedule.push((start, begin));
        schedule.extend(end.map(|end| (start + duration, end)));
    }
    schedule.sort_by_key(|(at, _)| *at);
    for (at, act) in schedule {
        world.run_to(at);
        perform(world, act);
    }
}

fn mishap(setup: &Setup, dice: &mut Dice) -> (Act, Option<Act>) {
    let wave_c = dice.between(-10.0, 25.0);
    let count = 1 + dice.below(3) as u32;
    match dice.below(20) {
        0 => (Act::Sensor(SensorFault::NoData(NoData::NotPresent("nothing there".to_owned()))), heal()),
        1 => (Act::Sensor(SensorFault::NoData(NoData::Checksum)), heal()),
        2 => (Act::Sensor(SensorFault::Frozen), heal()),
        3 => (Act::Sensor(SensorFault::Garbage), heal()),
        4 => (Act::Sensor(SensorFault::Hung), heal()),
        // Anywhere near what decides.
        5 => {
            let near_c = dice.pick(&[setup.config.safety.max_temp_c, 70.0, setup.config.heater.band.low]);
            (Act::Sensor(SensorFault::Says(near_c + dice.between(-8.0, 1.0))), heal())
        }
        6 => (Act::Pulse(Pulse::Stopped), Some(Act::Pulse(Pulse::Running))),
        7 => (Act::Pulse(Pulse::Hung), Some(Act::Pulse(Pulse::Running))),
        8 => (Act::Kill, Some(Act::Start)),
        9 => (Act::KillGuard, None),
        10 => (Act::Latch(dice.pick(&[Input::Stop, Input::Fault("something broke".to_owned())])), None),
        11 => (Act::Link(LinkFault::Garbled(count)), None),
        12 => (Act::Link(LinkFault::Lost(count)), None),
        13 => (Act::Link(LinkFault::Unanswered(count)), None),
        14 => (Act::Link(LinkFault::Poor(3 + dice.below(20))), Some(Act::Link(LinkFault::None))),
        15 => (Act::Disturb(Disturbance { lid_held_open: true, room_warmer_c: 0.0 }), settle()),
        16 => (Act::Disturb(Disturbance { lid_held_open: false, room_warmer_c: wave_c }), settle()),
        17 => (Act::Wall(dice.pick(&[None, Some(0), Some(-7), Some(4_000_000_000_000)])), None),
        _ => {
            let (long, short) = (dice.seconds(1.0, 20_000.0), dice.seconds(1.0, 300.0));
            let hold = dice.pick(&[None, Some(long), Some(short)]);
            let wish = dice.pick(&[Wish::On { hold }, Wish::On { hold }, Wish::Off { hold }, Wish::Auto]);
            (Act::Command(dice.pick(&[OutputKind::Heater, OutputKind::Heater, OutputKind::Fan]), wish), None)
        }
    }
}

fn heal() -> Option<Act> {
    Some(Act::Sensor(SensorFault::None))
}

fn settle() -> Option<Act> {
    Some(Act::Disturb(Disturbance::default()))
}

fn perform(world: &mut World, act: Act) {
    match act {
        Act::Sensor(fault) => world.break_sensor(fault),
        Act::Link(fault) => world.break_link(fault),
        Act::Pulse(pulse) => world.pulse(pulse),
        Act::Kill => world.kill_daemon(),
        Act::Start if world.daemon.is_none() => world.start_daemon(),
        Act::Start => {}
        Act::KillGuard => world.kill_guard(),
        Act::Latch(input) if world.is_running() => world.step(input).expect("no command"),
        Act::Latch(_) => {}
        Act::Disturb(disturbance) => world.disturb(disturbance),
        // Refused when it is too long or when there is no fan.
        Act::Command(output, wish) => drop(world.command(output, wish)),
        Act::Wall(offset_ms) => world.wall_offset_ms = offset_ms,
    }
}

/// Everything is mended, and for minutes to hours nothing else happens.
fn calm(world: &mut World, dice: &mut Dice) {
    world.break_sensor(SensorFault::None);
    world.break_link(LinkFault::None);
    world.disturb(Disturbance::default());
    world.pulse(Pulse::Running);
    if world.daemon.is_none() || world.witness.latched || !world.relay.is_alive() {
        world.kill_daemon();
        world.start_daemon();
    }
    world.command(OutputKind::Heater, Wish::Auto).expect("there is a heater");
    world.wall_offset_ms = Some(1_700_000_000_000);
    // Two readings put everything right that a storm can leave behind.
    world.run(2 * world.setup.read_interval);
    let end = world.now + dice.seconds(60.0, 3.0 * 3600.0);
    let (mut granted_since, mut refused_since) = (world.now, None);
    while world.now < end {
        world.run(MINUTE);
        if is_refused(world) {
            granted_since = world.now;
            let since = *refused_since.get_or_insert(world.now);
            let refused = world.now.since(since);
            assert!(refused <= LONGEST_REFUSAL, "a calm box is refused heat for {refused:?}");
        } else {
            refused_since = None;
            thermostat_works(world);
        }
        if world.now.since(granted_since) >= WARM_AGAIN {
            is_warm(world);
        }
    }
}

/// Heat is wished for and refused.
fn is_refused(world: &World) -> bool {
    let snapshot = world.snapshot().expect("lives");
    assert_eq!((snapshot.heater.mode, &snapshot.faults[..]), (Mode::Auto, &[][..]));
    let reading_c = world.witness.reading.expect("read").temperature_c;
    let too_cold = reading_c < world.setup.config.heater.band.low;
    let refused = snapshot.heat_inhibited.is_some() || snapshot.heater.reason.starts_with("the relay guard refuses");
    too_cold && refused
}

/// Outside the band the heater is as it should be, but for the minimum times.
fn thermostat_works(world: &World) {
    let heater = &world.setup.config.heater;
    let reading_c = world.witness.reading.expect("read").temperature_c;
    if world.heats() && reading_c > heater.band.high {
        let on = world.witness.on_for(world.now);
        assert!(on <= heater.min_on, "heats at {reading_c} °C, {on:?} since it went on");
    }
    if !world.heats() && reading_c < heater.band.low {
        let off = world.now.since(world.last_heat());
        // What the guard switched off may have been commanded on for its minimum time still.
        assert!(off <= heater.min_on + heater.min_off, "does not heat at {reading_c} °C, {off:?} since it went off");
    }
}

/// The air swings further than the band: sensor and element are late, and a box far warmer than its room cools by half a percent
/// of the difference each second.
fn is_warm(world: &mut World) {
    let heater = world.setup.config.heater;
    let late_s = (heater.min_off + world.setup.read_interval).as_secs_f64();
    let over_room_c = heater.band.low - world.setup.physics.room_temperature_c;
    let lowest_c = heater.band.low - 2.0 - over_room_c * (0.05 + 0.005 * late_s);
    let air_c = world.air_c();
    assert!(air_c >= lowest_c, "{air_c} °C an hour after everything was mended, below {lowest_c} °C");
}
