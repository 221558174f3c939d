//! The hazards by their numbers in docs/SAFETY.md, a scenario each or several: something fails while the box is heated, the heater
//! is off within the row's time, and what follows is what the row says.
//!
//! Not here, because no program can see or do it: a kernel that hangs (16) and what happens before any program runs (17); and
//! settings that contradict each other (19), which are refused before a chamber exists: `core/src/config` has the tests.

mod heat;
mod machine;
mod sensor;

use std::time::Duration;

use crate::sensor::SensorFault;
use crate::world::{Setup, World};

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const MINUTE: Duration = seconds(60);
pub(crate) const HOUR: Duration = seconds(3600);
/// The default box is back in its band so long after any fault of some minutes.
const BAND_AGAIN: Duration = seconds(20 * 60);

/// The default box, heated for a while and still below its band's upper end.
pub(crate) fn heating(setup: Setup) -> World {
    let mut world = World::new(setup);
    world.run_until(MINUTE, "a cold box is heated", World::heats);
    world.run(seconds(30));
    assert!(world.heats());
    world
}

/// The sensor shows `to_c` in the end, in steps that air could take.
pub(crate) fn shows(world: &mut World, to_c: f64) {
    loop {
        let from_c = world.witness.reading().expect("read").temperature_c;
        let next_c = from_c + (to_c - from_c).clamp(-15.0, 15.0);
        world.break_sensor(SensorFault::Says(next_c));
        world.run(world.setup.read_interval);
        if next_c == to_c {
            return;
        }
    }
}

/// What a person is told that is wrong.
pub(crate) fn faults(world: &World) -> String {
    world.snapshot().expect("lives").faults.join("; ")
}

/// Why heat is refused now.
pub(crate) fn refusal(world: &World) -> String {
    world.snapshot().expect("lives").heat_inhibited.unwrap_or_default()
}

/// Whoever dies, and whatever the sensor says: no heat, until a person resets it.
pub(crate) fn assert_latched(world: &mut World) {
    let off_since = world.last_heat();
    let told = faults(world);
    for death in [World::kill_daemon, World::kill_guard] {
        death(world);
        if world.daemon.is_some() {
            world.kill_daemon();
        }
        world.start_daemon();
        world.run(HOUR);
        assert_eq!(world.last_heat(), off_since, "latched: {told}");
        assert!(!faults(world).is_empty(), "and the new daemon says so, too");
    }
}

/// The air with a band of 20 to 22 °C: element and sensor are seconds late, so it swings somewhat further.
pub(crate) const IN_BAND: std::ops::RangeInclusive<f64> = 19.0..=24.0;

/// The heater is heard of again, and the air is in its band.
pub(crate) fn assert_recovers(world: &mut World) {
    world.run_until(BAND_AGAIN, "heated again", World::heats);
    world.run_until(BAND_AGAIN, "the upper end of the band is reached", |world| !world.heats());
    let energised = world.witness.energised;
    for _ in 0..120 {
        let air_c = world.run(MINUTE).air_c();
        assert!(IN_BAND.contains(&air_c), "{air_c}");
    }
    assert!(world.witness.energised > energised, "the heater keeps working");
}
