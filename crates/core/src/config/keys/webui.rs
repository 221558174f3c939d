//! The port for browsers and programs.

use crate::config::{KeySpec, Kind};

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new("webui.enabled", Kind::Bool, "true", "", "Whether the web page is served.").at_start(),
    KeySpec::new(
        "webui.host",
        Kind::Text { max_bytes: 255 },
        "0.0.0.0",
        "",
        "Address the web page is served on. A simulated box is served on 127.0.0.1 unless this is set.",
    )
    .at_start(),
    KeySpec::new(
        "webui.port",
        Kind::Integer { min: 0, max: 65_535 },
        "5000",
        "",
        "Port the web page is served on; 0 takes a free one, which the log names.",
    )
    .at_start(),
    KeySpec::new(
        "webui.allowed_hosts",
        Kind::Text { max_bytes: 1024 },
        "",
        "",
        "Further host names the web page answers to, separated by commas.",
    )
    .reserved()
    .at_start(),
    KeySpec::new("webui.public_read", Kind::Bool, "false", "", "Whether reading needs no login.").reserved().at_start(),
    KeySpec::new("webui.tls_cert", Kind::Text { max_bytes: 1024 }, "", "", "Certificate file.").reserved().at_start(),
    KeySpec::new("webui.tls_key", Kind::Text { max_bytes: 1024 }, "", "", "Key file.").reserved().at_start(),
];
