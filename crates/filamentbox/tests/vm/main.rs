//! The real `filamentbox` against the kernel's real GPIO, I2C and IIO interfaces: a small virtual machine in which gpio-sim holds the
//! lines, i2c-stub the registers of a BME280, and a program of ours plays a DHT22. `make vm` runs it; it needs Debian or Ubuntu on
//! x86-64, QEMU and no rights but those to install packages.
//!
//! The same executable is the driver on the host (`host`: makes the initial file system, boots QEMU, turns the console into test
//! results) and the program in the guest (`guest`, which runs `scenarios` with the help of `machine`).
//!
//! QEMU emulates (no KVM) and counts instructions as time (`-icount`): the guest's clock does not know how busy the host is, so its
//! times are exact, microseconds included, and time in which the guest sleeps is skipped. Hours of heater control take seconds.
//!
//! Not here: what a simulated box shows just as well (`tests/daemon`), and the rules themselves (`core`, `guard`).

// Tests fail by panicking, and this is the program that prints their results.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod guest;
mod host;
mod machine;
mod scenarios;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--guest") => guest::run(),
        Some("--dht") => machine::dht::play(&arguments[1..]),
        _ => host::run(&arguments),
    }
}
