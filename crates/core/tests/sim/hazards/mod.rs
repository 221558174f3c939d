//! The hazards by their numbers in docs/SAFETY.md, a scenario each or several: something fails while the box is heated, the heater
//! is off within the row's time, and what follows is what the row says.
//!
//! Not here, because no program can see or do it: a kernel that hangs (16) and what happens before any program runs (17); and
//! settings that contradict each other (19), which are refused before a chamber exists: `core/src/config` has the tests.

mod heat;
mod machine;
mod sensor;

use std::time::Duration;

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
