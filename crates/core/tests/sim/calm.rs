//! After everything was mended: the thermostat has to work again, and the box has to get warm.

use std::time::Duration;

use filamentbox_core::command::{OutputKind, Wish};
use filamentbox_core::control::Mode;
use filamentbox_core::physics::Disturbance;

use crate::daemon::Pulse;
use crate::relay::{LineFault, LinkFault};
use crate::sensor::SensorFault;
use crate::world::{HeaterFault, World};

const MINUTE: Duration = Duration::from_secs(60);
/// A calm box is warm again after so long without a refusal. The slowest of the boxes needs half of it to its band.
const WARM_AGAIN: Duration = Duration::from_secs(3600);
/// Nothing refuses a cold and calm box heat for longer than a rest of 10 minutes; looked at once a minute.
const LONGEST_REFUSAL: Duration = Duration::from_secs(720);
/// A sensor that was lost has proven itself.
const PROVEN: Duration = Duration::from_secs(25);
/// Nothing that is not heated stays hot for so long.
const COOL: Duration = Duration::from_secs(12 * 3600);
/// So long it is watched at least.
const WATCHED: Duration = Duration::from_secs(600);

/// Mends everything, and lets minutes to hours pass until the box is as it should be.
pub(crate) fn returns(world: &mut World) {
    mend(world);
    cool_down(world);
    world.reset();
    let start = world.now;
    let (mut granted_since, mut refused_since) = (start, None);
    loop {
        world.run(MINUTE);
        if is_refused(world) {
            granted_since = world.now;
            let refused = world.now.since(*refused_since.get_or_insert(world.now));
            assert!(refused <= LONGEST_REFUSAL, "a calm box is refused heat for {refused:?}");
        } else {
            refused_since = None;
            thermostat_works(world);
        }
        let (air_c, lowest_c) = (world.air_c(), lowest_c(world));
        if air_c >= lowest_c && world.now.since(start) >= WATCHED {
            return;
        }
        let late = world.now.since(granted_since) >= WARM_AGAIN;
        assert!(!late, "{air_c} °C an hour after everything was mended, below {lowest_c} °C");
    }
}

/// A person comes and puts everything right.
fn mend(world: &mut World) {
    world.break_sensor(SensorFault::Well);
    world.break_link(LinkFault::Well);
    world.break_heater(HeaterFault::Well);
    world.break_line(LineFault::Well);
    world.disturb(Disturbance::default());
    world.pulse(Pulse::Running);
    if world.daemon.is_none() || world.witness.stopped || !world.relay.is_alive() {
        world.kill_daemon();
        world.start_daemon();
    }
    world.configure(world.original.clone());
    world.command(OutputKind::Heater, Wish::Auto).expect("there is a heater");
    world.wall_offset_ms = Some(1_700_000_000_000);
}

/// Who resets waits until the sensor shows something sensible, under the cut-off: a box that is too hot trips again.
fn cool_down(world: &mut World) {
    let cut_off_c = world.setup.config.safety.max_temp_c.min(f64::from(world.setup.guard.cut_off_milli_c) / 1000.0);
    let start = world.now;
    // A sensor proves itself by three readings that agree and three more.
    world.run((6 * world.setup.read_interval).max(PROVEN));
    while world.witness.reading().is_none_or(|seen| seen.temperature_c > cut_off_c - 1.0) {
        world.run(MINUTE);
        assert!(world.now.since(start) < COOL, "nothing heats it, and it stays hot");
    }
}

/// Heat is wished for and refused.
fn is_refused(world: &World) -> bool {
    let snapshot = world.snapshot().expect("lives");
    assert_eq!((snapshot.heater.mode, &snapshot.faults[..]), (Mode::Auto, &[][..]));
    let reading_c = world.witness.reading().expect("read").temperature_c;
    let too_cold = reading_c < world.setup.config.heater.band.low;
    let refused = snapshot.heat_inhibited.is_some() || snapshot.heater.reason.starts_with("the relay guard refuses");
    too_cold && refused
}

/// Outside the band the heater is as it should be, but for the minimum times.
fn thermostat_works(world: &World) {
    let heater = &world.setup.config.heater;
    let reading_c = world.witness.reading().expect("read").temperature_c;
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
fn lowest_c(world: &World) -> f64 {
    let heater = world.setup.config.heater;
    let late_s = (heater.min_off + world.setup.read_interval).as_secs_f64();
    let over_room_c = heater.band.low - world.setup.physics.room_temperature_c;
    heater.band.low - 2.0 - over_room_c * (0.05 + 0.005 * late_s)
}
