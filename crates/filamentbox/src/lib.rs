//! FilamentBox's threads, storage, sinks, interface and commands, around the decisions of `filamentbox-core`.

pub mod journal;
pub mod runtime;
pub mod sinks;
