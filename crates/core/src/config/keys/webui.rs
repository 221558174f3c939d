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
        "Further names and addresses, separated by commas, under which the web page is asked for, such as that of a reverse proxy. Its own \
         address, its name, its name with .local and filamentbox.local are always answered; anything else gets status 421.",
    ),
    KeySpec::new(
        "webui.password",
        Kind::Secret,
        "",
        "",
        "Password of the web page, of 10 characters or more. It is stored as its Argon2id hash; a value that begins with $argon2id$ is \
         such a hash already. While there is none, the page is locked, and a one-time code (`filamentbox setup-code`) sets it.",
    ),
    KeySpec::new(
        "webui.public_read",
        Kind::Bool,
        "false",
        "",
        "Whether everybody on the network may read without login; switching and settings always need one.",
    ),
    KeySpec::new(
        "webui.tokens.NAME",
        Kind::Secret,
        "",
        "",
        "A token with which a program reads, or reads and switches: its scope and its SHA-256, as `filamentbox config token create NAME` \
         makes it.",
    ),
    KeySpec::new(
        "webui.tls_cert",
        Kind::Text { max_bytes: 1024 },
        "",
        "",
        "File with the web page's certificate and those between it and its authority (PEM); with `webui.tls_key` the page is served by \
         HTTPS. Read again at SIGHUP and twice a day.",
    ),
    KeySpec::new(
        "webui.tls_key",
        Kind::Text { max_bytes: 1024 },
        "",
        "",
        "File with the certificate's key (PEM, not encrypted).",
    ),
];
