//! The port for browsers and programs.

use crate::config::{KeySpec, Kind};

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new("webui.enabled", Kind::Bool, "true", "", "Whether the web page is served."),
    KeySpec::new(
        "webui.host",
        Kind::Text { max_bytes: 255 },
        "0.0.0.0",
        "",
        "Address the web page is served on: one of this machine's, `localhost`, `0.0.0.0` (every IPv4 address) or `::` (every address). A simulated box is served on 127.0.0.1 unless this is set.",
    ),
    KeySpec::new(
        "webui.port",
        Kind::Integer { min: 0, max: 65_535 },
        "5000",
        "",
        "Port the web page is served on; 0 takes a free one, which the log names.",
    ),
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
    KeySpec::new(
        "webui.tls_cert",
        Kind::Text { max_bytes: 1024 },
        "",
        "",
        "File with the web page's certificate and those between it and its authority (PEM); with `webui.tls_key` the page is served by HTTPS. Read again at SIGHUP and twice a day.",
    ),
    KeySpec::new(
        "webui.tls_key",
        Kind::Text { max_bytes: 1024 },
        "",
        "",
        "File with the certificate's key (PEM, not encrypted).",
    ),
];
