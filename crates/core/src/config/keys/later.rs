//! Keys whose names are fixed and whose parts of the program are still to come: accepted and checked, so that an environment
//! written for the whole program works already, and marked as without effect.

use crate::config::{KeySpec, Kind};

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new("sensor.i2c_bus", Kind::Integer { min: 0, max: 255 }, "1", "", "The I2C bus, /dev/i2c-N.").reserved(),
    KeySpec::new(
        "sensor.i2c_address",
        Kind::Choice(&["auto", "0x76", "0x77"]),
        "auto",
        "",
        "The sensor's I2C address.",
    )
    .reserved(),
    KeySpec::new("sensor.gpio_pin", Kind::Integer { min: 0, max: 27 }, "4", "", "BCM number of a DHT sensor's line.")
        .reserved(),
    KeySpec::new(
        "sensor.sea_level_pressure",
        Kind::Number { min: 800.0, max: 1200.0 },
        "1013.25",
        "hPa",
        "For the altitude.",
    )
    .reserved(),
    KeySpec::new("webui.enabled", Kind::Bool, "true", "", "Whether the web page is served.").reserved(),
    KeySpec::new("webui.host", Kind::Text { max_bytes: 255 }, "0.0.0.0", "", "Address the web page is served on.")
        .reserved(),
    KeySpec::new("webui.port", Kind::Integer { min: 1, max: 65_535 }, "5000", "", "Port the web page is served on.")
        .reserved(),
    KeySpec::new(
        "webui.allowed_hosts",
        Kind::Text { max_bytes: 1024 },
        "",
        "",
        "Further host names the web page answers to, separated by commas.",
    )
    .reserved(),
    KeySpec::new("webui.public_read", Kind::Bool, "false", "", "Whether reading needs no login.").reserved(),
    KeySpec::new("webui.tls_cert", Kind::Text { max_bytes: 1024 }, "", "", "Certificate file.").reserved(),
    KeySpec::new("webui.tls_key", Kind::Text { max_bytes: 1024 }, "", "", "Key file.").reserved(),
];
