//! What a user sees: the real binary with a simulated box, and real database servers.

// Tests print what they measured and why they skip.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod alerts;
mod api;
mod canaries;
mod config;
mod crash;
mod database;
mod disk;
mod doctor;
mod editor;
mod hardware;
mod keeping;
mod kills;
mod metrics;
mod outputs;
mod page;
mod proxied;
mod settings;
mod sinks;
mod starting;
mod store;
mod support;
mod time;
mod tui;
mod vault;
