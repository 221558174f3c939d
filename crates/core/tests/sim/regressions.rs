//! Schedules that once failed, as the property tests print them.

use crate::daemon::Pulse::Stopped;
use crate::relay::LineFault::Deaf;
use crate::relay::LinkFault::Unanswered;
use crate::schedule::{Given, Mishap, What::*, live};
use crate::sensor::{Probe::*, SensorFault::*, Why::*};

/// A box that a lying sensor let get hot is reset once it has cooled down, and then nothing trips any more.
#[test]
fn schedule_74() {
    let given = Given {
        seed: 2018014343,
        model: 2,
        probe: Bme280,
        read_s: 2,
        warmth_pct: 6,
        width_c: 0.5,
        spare_c: 0.2,
        slew_c_per_s: 1.0,
        good_for: 2.0,
        max_on_s: 14400,
        override_s: 1800,
        min_on_s: 0,
        min_off_s: 0,
        fan: false,
    };
    let mishaps = [Mishap { after: 500, lasts: 890480, what: Sensor(EndsAt(20.0)) }];
    live(&given, &mishaps);
}

/// A daemon that was stopped does not know how long its heater was off: no pause that a proof could rest on.
#[test]
fn schedule_1929() {
    let given = Given {
        seed: 2075556499,
        model: 0,
        probe: Dht22,
        read_s: 5,
        warmth_pct: 5,
        width_c: 1.6,
        spare_c: 0.0,
        slew_c_per_s: 1.0,
        good_for: 2.0,
        max_on_s: 14400,
        override_s: 1800,
        min_on_s: 0,
        min_off_s: 0,
        fan: false,
    };
    let mishaps = [
        Mishap { after: 671212, lasts: 500, what: Sensor(NoData(NotPresent)) },
        Mishap { after: 500, lasts: 185572, what: Daemon(Stopped) },
        Mishap { after: 500, lasts: 536773, what: Sensor(Says(5.0)) },
    ];
    live(&given, &mishaps);
}

/// A line that did not obey was mended while nobody asked for heat: the daemon took it for on, and made it rest.
#[test]
fn schedule_3488() {
    let given = Given {
        seed: 2622616154,
        model: 0,
        probe: Bme280,
        read_s: 5,
        warmth_pct: 8,
        width_c: 0.5,
        spare_c: 0.0,
        slew_c_per_s: 1.0,
        good_for: 2.0,
        max_on_s: 600,
        override_s: 1800,
        min_on_s: 0,
        min_off_s: 0,
        fan: false,
    };
    let mishaps =
        [Mishap { after: 500, lasts: 84582, what: Line(Deaf) }, Mishap { after: 733903, lasts: 500, what: Reset }];
    live(&given, &mishaps);
}

/// The answer to a reset came too late, and an older report brought the latch back to the daemon alone.
#[test]
fn schedule_9538() {
    let given = Given {
        seed: 608175019,
        model: 1,
        probe: Dht22,
        read_s: 2,
        warmth_pct: 8,
        width_c: 0.6,
        spare_c: 0.0,
        slew_c_per_s: 1.0,
        good_for: 2.0,
        max_on_s: 14400,
        override_s: 1800,
        min_on_s: 0,
        min_off_s: 0,
        fan: false,
    };
    let mishaps = [
        Mishap { after: 500, lasts: 71890, what: Line(Deaf) },
        Mishap { after: 96356, lasts: 500, what: Link(Unanswered(2)) },
        Mishap { after: 49562, lasts: 500, what: Reset },
    ];
    live(&given, &mishaps);
}
