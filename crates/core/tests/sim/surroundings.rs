//! Rooms, lids and heaters that are not as one would like them.

use filamentbox_core::config::Band;
use filamentbox_core::physics::{BoxParameters, Convection, Disturbance};

use crate::hazards::{HOUR, IN_BAND, assert_recovers, heating, seconds};
use crate::world::{Setup, World};

fn warmer(room_warmer_c: f64) -> Disturbance {
    Disturbance { room_warmer_c, ..Disturbance::default() }
}

fn of(heater_w: f64, volume_l: f64, spools: u32, convection: Convection) -> BoxParameters {
    BoxParameters { lid_openings_per_day: 0.0, ..BoxParameters::of(heater_w, volume_l, spools, convection) }
}

#[test]
fn two_days_without_faults_stay_in_the_band() {
    let mut world = World::new(Setup::default());
    world.run(HOUR);
    for _ in 0..2 * 24 * 60 {
        let air_c = world.run(seconds(60)).air_c();
        assert!(IN_BAND.contains(&air_c), "{air_c}");
    }
    assert!((20..3_000).contains(&world.witness.energised), "{}", world.witness.energised);
}

#[test]
fn hot_room_needs_no_heat() {
    let mut world = heating(Setup::default());
    world.disturb(warmer(12.0));
    world.run(HOUR);
    let (energised, heated) = (world.witness.energised, world.witness.heated);
    world.log = Some(Vec::new());
    world.run(24 * HOUR);
    assert_eq!((world.witness.energised, world.witness.heated), (energised, heated));
    let log = world.log.take().expect("kept");
    assert!(log.iter().all(|(_, text)| !text.contains("heat")), "nothing to say about it: {log:?}");
    world.disturb(warmer(0.0));
    world.run(HOUR);
    assert_recovers(&mut world);
}

#[test]
fn hazard_08_lid_left_open_while_heating() {
    let mut world = heating(Setup::default());
    world.disturb(Disturbance { lid_held_open: true, ..Disturbance::default() });
    world.run(9 * HOUR);
    assert!(world.air_c() < 20.0, "{}", world.air_c());
    assert!(world.witness.heated <= seconds(2 * 14_400 + 3600), "{:?}", world.witness.heated);
    world.disturb(Disturbance::default());
    world.run(HOUR);
    assert_recovers(&mut world);
}

/// The strongest box of the six at the highest band that the settings allow.
#[test]
fn hazard_09_hottest_band_never_passes_the_cut_off() {
    let mut setup = Setup { physics: of(150.0, 10.0, 1, Convection::Forced), ..Setup::default() };
    setup.config.heater.band = Band { low: 60.0, high: 65.0 };
    setup.read_interval = seconds(2);
    let mut world = World::new(setup);
    let mut hottest_c = f64::MIN;
    for _ in 0..12 * 360 {
        hottest_c = hottest_c.max(world.run(seconds(10)).air_c());
    }
    assert!(world.witness.energised > 10, "{}", world.witness.energised);
    assert!((65.0..75.0).contains(&hottest_c), "{hottest_c}");
    let air_c = world.air_c();
    assert!((58.0..=75.0).contains(&air_c), "{air_c}");
}
