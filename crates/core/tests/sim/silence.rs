//! No alarm without a cause: the six boxes at work, with each kind of sensor, warm and hot, and nothing goes wrong.

use std::thread;

use filamentbox_core::config::Band;
use filamentbox_core::physics::BoxParameters;

use crate::hazards::{HOUR, faults, seconds};
use crate::properties::environment;
use crate::sensor::Probe;
use crate::world::{Setup, World};

/// In hours.
const MONTH: u64 = 30 * 24;

/// What became of one box.
struct Lived {
    name: String,
    hours: u64,
    latches: u32,
    refusals: u32,
    energised: u32,
    faults: String,
}

/// Each box at two bands, the higher one out of the reach of some. A DHT11 is for the lower one: its whole degrees stand still for
/// ten minutes in a box that its heater warms no further, and then it counts as frozen.
fn boxes() -> impl Iterator<Item = (String, Setup)> {
    let probes = [Probe::Bme280, Probe::Dht22, Probe::Dht11];
    let models = BoxParameters::six_boxes().into_iter().enumerate();
    models.flat_map(move |(index, (name, physics))| {
        [(20.0, probes[index % 3]), (38.0, probes[index % 2])].map(|(low, probe)| {
            let mut setup = Setup { physics: physics.clone(), probe, seed: index as u64, ..Setup::default() };
            let heater = &mut setup.config.heater;
            heater.band = Band { low, high: low + 2.0 };
            // 150 W in 10 litres pass the end of a DHT11's range in the shortest time that they may be on.
            if physics.heater_w / physics.volume_l > 5.0 {
                heater.min_on = seconds(1);
                setup.read_interval = seconds(2);
            }
            setup.config.safety.max_temp_c = 48.0;
            (format!("{name}, {probe:?}, {low} °C"), setup)
        })
    })
}

/// Each at one of its bands.
fn every_other() -> impl Iterator<Item = (String, Setup)> {
    boxes().enumerate().filter(|(index, _)| index / 2 % 2 == index % 2).map(|(_, one)| one)
}

/// All of `boxes` for so long, the lid opened so often.
fn live(boxes: impl Iterator<Item = (String, Setup)>, hours: u64, lid_openings_per_day: f64) -> Vec<Lived> {
    let lives = |name: String, mut setup: Setup| {
        setup.physics.lid_openings_per_day = lid_openings_per_day;
        let mut world = World::new(setup);
        let mut told = String::new();
        for _ in 0..hours {
            world.run(HOUR);
            if !faults(&world).is_empty() {
                told = faults(&world);
                world.reset();
            }
        }
        let (latches, refusals) = (world.latches, world.refusals);
        Lived { name, hours, latches, refusals, energised: world.witness.energised, faults: told }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut all: Vec<Vec<(String, Setup)>> = (0..cores).map(|_| Vec::new()).collect();
        for (index, one) in boxes.enumerate() {
            all[index % cores].push(one);
        }
        let work = |part: Vec<(String, Setup)>| part.into_iter().map(|(name, setup)| lives(name, setup)).collect();
        let workers: Vec<_> = all.into_iter().map(|part| scope.spawn(move || -> Vec<Lived> { work(part) })).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no box fails")).collect()
    })
}

#[expect(clippy::print_stdout, reason = "the figures are of interest")]
fn print(what: &str, lived: &[Lived]) {
    println!("{what}:");
    for Lived { name, hours, latches, refusals, energised, faults } in lived {
        println!("{name:45} {hours} h, on {energised} times: {refusals} refusals, {latches} latches {faults}");
    }
}

fn no_alarm(boxes: impl Iterator<Item = (String, Setup)>, hours: u64) {
    let lived = live(boxes, hours, 0.0);
    print("lid closed", &lived);
    for one in &lived {
        assert_eq!((one.latches, one.refusals), (0, 0), "{}: {}", one.name, one.faults);
        assert!(u64::from(one.energised) >= one.hours / 5, "{} is at work", one.name);
    }
}

#[test]
fn no_alarm_in_some_hours_of_work() {
    no_alarm(boxes(), 6);
}

/// Lids that are opened again and again may cause doubt and pauses, and nothing that a person has to reset.
#[test]
fn soak_no_alarm_in_a_month_of_work() {
    let soak = environment("FILAMENTBOX_SOAK").is_some_and(|value| value == "1");
    if soak {
        no_alarm(every_other(), MONTH);
    }
    let lived = live(every_other(), if soak { MONTH } else { 6 }, 4.0);
    print("lid opened four times a day", &lived);
    let latches: u32 = lived.iter().map(|one| one.latches).sum();
    assert_eq!(latches, 0);
}
