//! Heater, fan and the limits that stand above both.

use crate::config::{KeySpec, Kind};

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new("heating_control.enabled", Kind::Bool, "false", "", "Whether there is a heater to control."),
    KeySpec::new(
        "heating_control.min_temp_c",
        Kind::Number { min: 0.0, max: 80.0 },
        "20.0",
        "°C",
        "The heater goes on below this temperature.",
    ),
    KeySpec::new(
        "heating_control.max_temp_c",
        Kind::Number { min: 0.0, max: 80.0 },
        "22.0",
        "°C",
        "The heater goes off above this temperature; in between it stays as it is.",
    ),
    KeySpec::new(
        "heating_control.min_on",
        Kind::Number { min: 0.0, max: 3600.0 },
        "10",
        "s",
        "Once on, the heater stays on so long; a safety OFF and a manual OFF never wait for it.",
    ),
    KeySpec::new(
        "heating_control.min_off",
        Kind::Number { min: 0.0, max: 3600.0 },
        "10",
        "s",
        "Once off, the heater stays off so long.",
    ),
    KeySpec::new(
        "heating_control.gpio_pin",
        Kind::Integer { min: 0, max: 27 },
        "16",
        "",
        "BCM number of the heater's relay.",
    )
    .reserved(),
    KeySpec::new(
        "heating_control.active_low",
        Kind::Bool,
        "false",
        "",
        "Whether the relay board energises at low level.",
    )
    .reserved(),
    KeySpec::new(
        "heating_control.check_interval",
        Kind::Number { min: 0.25, max: 3600.0 },
        "10",
        "s",
        "Accepted from the original. Decisions are taken with every reading, which is sooner.",
    )
    .reserved(),
    KeySpec::new("humidity_control.enabled", Kind::Bool, "false", "", "Whether there is a fan to control."),
    KeySpec::new(
        "humidity_control.min_humidity",
        Kind::Number { min: 0.0, max: 100.0 },
        "10.0",
        "%",
        "The fan goes off below this humidity; in between it stays as it is.",
    ),
    KeySpec::new(
        "humidity_control.max_humidity",
        Kind::Number { min: 0.0, max: 100.0 },
        "15.0",
        "%",
        "The fan goes on above this humidity.",
    ),
    KeySpec::new(
        "humidity_control.min_on",
        Kind::Number { min: 0.0, max: 3600.0 },
        "10",
        "s",
        "Once on, the fan stays on so long, except for a manual OFF.",
    ),
    KeySpec::new(
        "humidity_control.min_off",
        Kind::Number { min: 0.0, max: 3600.0 },
        "10",
        "s",
        "Once off, the fan stays off so long.",
    ),
    KeySpec::new(
        "humidity_control.gpio_pin",
        Kind::Integer { min: 0, max: 27 },
        "20",
        "",
        "BCM number of the fan's relay.",
    )
    .reserved(),
    KeySpec::new(
        "humidity_control.active_low",
        Kind::Bool,
        "false",
        "",
        "Whether the relay board energises at low level.",
    )
    .reserved(),
    KeySpec::new(
        "humidity_control.check_interval",
        Kind::Number { min: 0.25, max: 3600.0 },
        "10",
        "s",
        "Accepted from the original. Decisions are taken with every reading, which is sooner.",
    )
    .reserved(),
    KeySpec::new(
        "safety.max_temp_c",
        Kind::Number { min: 25.0, max: 85.0 },
        "70",
        "°C",
        "Cut-off: at or over it, the age of the reading counted in, the heater is off in every mode. The heater's band must end at least 5 °C below, and at least what safety.slew_c_per_s allows in 1.5 reading intervals.",
    ),
    KeySpec::new(
        "safety.max_sample_age",
        Kind::Number { min: 1.0, max: 120.0 },
        "15",
        "s",
        "No heat on a reading older than this.",
    ),
    KeySpec::new(
        "safety.slew_c_per_s",
        Kind::Number { min: 0.1, max: 10.0 },
        "1.0",
        "°C/s",
        "How fast the air may warm at worst: a reading counts as that much hotter for each second of its age.",
    ),
    KeySpec::new(
        "safety.max_on_time",
        Kind::Number { min: 60.0, max: 86_400.0 },
        "14400",
        "s",
        "After so long the heater rests for 10 minutes; each second of a pause gives a second back.",
    ),
    KeySpec::new(
        "safety.override_max",
        Kind::Number { min: 10.0, max: 14_400.0 },
        "1800",
        "s",
        "A manual heater ON lasts at most this long; without --for it lasts exactly this long.",
    ),
    KeySpec::new(
        "safety.heating_rise_c",
        Kind::Number { min: 0.1, max: 20.0 },
        "1.5",
        "°C",
        "The heater must warm the sensor by this much within safety.heating_rise_time.",
    )
    .reserved(),
    KeySpec::new(
        "safety.heating_rise_time",
        Kind::Number { min: 30.0, max: 3600.0 },
        "180",
        "s",
        "See safety.heating_rise_c.",
    )
    .reserved(),
];
