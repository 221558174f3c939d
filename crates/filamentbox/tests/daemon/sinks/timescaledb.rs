//! PostgreSQL and TimescaleDB: tables of ours and of others, rights, TLS, refused values.

use filamentbox::sinks::{self, SinkKind};

fn timescale() -> &'static SinkKind {
    sinks::find("timescaledb").expect("a kind")
}
