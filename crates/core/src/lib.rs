//! FilamentBox's decisions, and nothing else.
//!
//! **Invariant:** this crate touches no file, clock, thread, socket or environment variable (clippy's `disallowed-methods`
//! in this folder's `clippy.toml` holds it to that). Every decision takes `now`, so a year runs in seconds in a test.

pub mod actuate;
pub mod chamber;
pub mod command;
pub mod config;
pub mod control;
pub mod delivery;
pub mod event;
pub mod physics;
pub mod safety;
pub mod sample;
pub mod snapshot;
pub mod time;
pub mod units;
