//! The guest's hardware as the kernel simulates it, and the daemon that works on it.

pub(crate) mod bme280;
pub(crate) mod clock;
pub(crate) mod daemon;
pub(crate) mod dht;
pub(crate) mod gpio;
pub(crate) mod i2c;
pub(crate) mod random;
pub(crate) mod trace;
pub(crate) mod world;

use std::path::Path;

/// Writes a file of the kernel, or says which one refused.
#[track_caller]
fn write(path: impl AsRef<Path>, text: &str) {
    let path = path.as_ref();
    std::fs::write(path, text).unwrap_or_else(|problem| panic!("{text:?} > {}: {problem}", path.display()));
}

/// Reads a file of the kernel without its line end.
#[track_caller]
fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
    text.trim_end().to_owned()
}
