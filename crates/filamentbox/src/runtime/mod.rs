//! The running daemon.

pub mod clock;
