//! FilamentBox's threads, storage, backends, interface and commands, around the decisions of `filamentbox-core`.

pub mod alerts;
pub mod cli;
pub mod client;
pub mod cmd;
pub mod exposition;
pub mod journal;
pub mod logging;
pub mod privacy;
pub mod runtime;
pub mod settings;
pub mod sinks;
pub mod web;
