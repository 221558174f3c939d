//! Boxes and schedules by chance. Everything shrinks towards a plain box to which little happens, early and for a short time.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::daemon::Pulse;
use crate::relay::{LineFault, LinkFault};
use crate::schedule::{Change, Given, Mishap, What};
use crate::sensor::{Probe, SensorFault, Why};
use crate::world::HeaterFault;
use filamentbox_core::command::OutputKind;

/// A box, and what happens to it.
pub(crate) fn schedules() -> impl Strategy<Value = (Given, Vec<Mishap>)> {
    (given(), vec(mishap(), 1..8))
}

fn given() -> impl Strategy<Value = Given> {
    let machine = (any::<u32>().no_shrink(), 0..6_usize, probe(), prop::sample::select(vec![5_u64, 2, 1]));
    let band = (5..=35_u32, tenths(5, 30), tenths(0, 300));
    let limits = (
        prop::sample::select(vec![1.0, 0.5, 2.0]),
        tenths(20, 80),
        prop::sample::select(vec![14_400_u64, 86_400, 3600, 600]),
        prop::sample::select(vec![1800_u64, 14_400, 300, 10]),
    );
    let outputs = (0..=60_u64, 0..=60_u64, any::<bool>());
    (machine, band, limits, outputs).prop_map(|(machine, band, limits, outputs)| {
        let (seed, model, probe, read_s) = machine;
        let (warmth_pct, width_c, spare_c) = band;
        let (slew_c_per_s, good_for, max_on_s, override_s) = limits;
        let (min_on_s, min_off_s, fan) = outputs;
        // The slow sensors are not read oftener than they can be.
        let read_s = if probe == Probe::Bme280 { read_s } else { read_s.max(2) };
        Given {
            seed,
            model,
            probe,
            read_s,
            warmth_pct,
            width_c,
            spare_c,
            slew_c_per_s,
            good_for,
            max_on_s,
            override_s,
            min_on_s,
            min_off_s,
            fan,
        }
    })
}

fn probe() -> impl Strategy<Value = Probe> {
    prop_oneof![4 => Just(Probe::Bme280), 2 => Just(Probe::Dht22), 1 => Just(Probe::Dht11)]
}

fn tenths(low: i32, high: i32) -> impl Strategy<Value = f64> {
    (low..=high).prop_map(|tenths| f64::from(tenths) / 10.0)
}

/// From `low_ms` to `high_ms`, short ones as often as long ones.
fn scaled(low_ms: f64, high_ms: f64) -> impl Strategy<Value = u64> {
    (0.0..1.0_f64).prop_map(move |part| (low_ms * (high_ms / low_ms).powf(part)) as u64)
}

fn mishap() -> impl Strategy<Value = Mishap> {
    (scaled(500.0, 1_800_000.0), scaled(500.0, 3_600_000.0), what()).prop_map(|(after, lasts, what)| Mishap {
        after,
        lasts,
        what,
    })
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        10 => sensor_fault().prop_map(What::Sensor),
        4 => link_fault().prop_map(What::Link),
        2 => prop_oneof![Just(Pulse::Stopped), Just(Pulse::Hung)].prop_map(What::Daemon),
        2 => Just(What::KillDaemon),
        1 => (1..=240_u64).prop_map(What::CrashLoop),
        1 => Just(What::KillGuard),
        1 => Just(What::KillBoth),
        1 => prop_oneof![Just(What::Fault), Just(What::Stop)],
        2 => Just(What::Reset),
        1 => (1..=3600_u64).prop_map(What::Suspend),
        5 => heater_fault().prop_map(What::Power),
        1 => prop_oneof![Just(LineFault::Deaf), Just(LineFault::StuckActive), Just(LineFault::Moved)]
            .prop_map(What::Line),
        1 => Just(What::Lid),
        1 => (-10..=25_i32).prop_map(|by_c| What::Room(f64::from(by_c))),
        5 => change().prop_map(What::Settings),
        1 => Just(What::Calibrate),
        5 => command(),
        1 => (1..=600_u64).prop_map(What::Nervous),
        1 => prop_oneof![
            Just(None),
            prop::sample::select(vec![0, -7, 4_000_000_000_000, -86_400_000]).prop_map(Some)
        ].prop_map(What::Wall),
    ]
}

fn sensor_fault() -> impl Strategy<Value = SensorFault> {
    let whole = |low: i32, high: i32| (low..=high).prop_map(f64::from);
    prop_oneof![
        prop::sample::select(vec![Why::NotPresent, Why::Bus, Why::Checksum, Why::Implausible, Why::TimedOut])
            .prop_map(SensorFault::NoData),
        (2..=10_u32).prop_map(SensorFault::Flaky),
        Just(SensorFault::Frozen),
        whole(-40, 90).prop_map(SensorFault::Says),
        // Near what decides: the usual cut-off, and the usual band.
        tenths(600, 720).prop_map(SensorFault::Says),
        tenths(600, 720).prop_map(SensorFault::About),
        tenths(150, 500).prop_map(SensorFault::About),
        Just(SensorFault::Garbage),
        whole(-30, 30).prop_map(SensorFault::Jumps),
        whole(-40, 40).prop_map(SensorFault::Drifts),
        whole(-40, 85).prop_map(SensorFault::Once),
        whole(20, 60).prop_map(SensorFault::EndsAt),
        Just(SensorFault::WrongType),
        Just(SensorFault::InTheRoom),
        Just(SensorFault::Hangs),
    ]
}

fn link_fault() -> impl Strategy<Value = LinkFault> {
    prop_oneof![
        (1..=3_u32).prop_map(LinkFault::Garbled),
        (1..=3_u32).prop_map(LinkFault::Lost),
        (1..=3_u32).prop_map(LinkFault::Unanswered),
        (3..=22_usize).prop_map(LinkFault::Poor),
    ]
}

fn heater_fault() -> impl Strategy<Value = HeaterFault> {
    prop_oneof![Just(HeaterFault::Dead), (5..=80_u32).prop_map(HeaterFault::Weak), Just(HeaterFault::Welded)]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (1..=30_u32).prop_map(|by_c| Change::Lower(f64::from(by_c))),
        1 => (1..=15_u32).prop_map(|by_c| Change::Band(f64::from(by_c))),
        1 => (1..=60_u64).prop_map(Change::MaxAge),
        1 => prop::sample::select(vec![0.5, 1.0, 3.0]).prop_map(Change::Slew),
        1 => scaled(60.0, 86_400.0).prop_map(Change::MaxOn),
        1 => scaled(10.0, 14_400.0).prop_map(Change::Override),
        1 => (0..=60_u64).prop_map(Change::Minimum),
        1 => (60..=600_u64).prop_map(Change::RiseTime),
        1 => Just(Change::NoHeater),
        1 => Just(Change::NeedsFan),
    ]
}

fn command() -> impl Strategy<Value = What> {
    let output = || prop_oneof![3 => Just(OutputKind::Heater), 1 => Just(OutputKind::Fan)];
    let hold = || prop_oneof![Just(None), scaled(1.0, 20_000.0).prop_map(Some)];
    prop_oneof![
        2 => (output(), hold()).prop_map(|(output, hold)| What::On(output, hold)),
        1 => (output(), hold()).prop_map(|(output, hold)| What::Off(output, hold)),
        1 => output().prop_map(What::Auto),
    ]
}
