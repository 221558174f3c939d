//! What the kernel did to output lines: its own trace events (`gpio:gpio_value`, `gpio:gpio_direction`), so that no pulse is too
//! short to be seen, and each has its time and the process that made it.

use std::time::Duration;

use super::gpio::Bank;
use super::{read, write};

const TRACING: &str = "/sys/kernel/tracing";

/// A level that a process has set on a line.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Change {
    /// On the guest's clock, to the microsecond.
    pub(crate) at: Duration,
    pub(crate) level: bool,
    /// The process.
    pub(crate) by: u32,
}

/// A trace of one bank's lines; it ends with its value.
pub(crate) struct Trace {
    first_line: u32,
}

impl Trace {
    /// Begins one.
    pub(crate) fn start(bank: &Bank) -> Self {
        write(format!("{TRACING}/trace_clock"), "mono");
        write(format!("{TRACING}/trace"), "");
        write(format!("{TRACING}/events/gpio/enable"), "1");
        Self { first_line: first_line(bank) }
    }

    /// What was set on a line since the start, oldest first.
    pub(crate) fn changes(&self, offset: u32) -> Vec<Change> {
        let line = (self.first_line + offset).to_string();
        read(format!("{TRACING}/trace")).lines().filter_map(|text| parse(text, &line)).collect()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        write(format!("{TRACING}/events/gpio/enable"), "0");
    }
}

/// The kernel's own number of a bank's first line, which its trace uses.
fn first_line(bank: &Bank) -> u32 {
    let text = read("/sys/kernel/debug/gpio");
    let head = format!("{}: GPIOs ", bank.chip());
    let numbers = text.lines().find_map(|line| line.strip_prefix(&head)).expect("the chip in debugfs");
    let first = numbers.split('-').next().expect("a range");
    first.parse().expect("a number")
}

/// Reads `      relay-guard-123     [000] .....    12.345678: gpio_value: 970 set 1`.
fn parse(text: &str, line: &str) -> Option<Change> {
    let (head, event) = text.split_once(": gpio_value: ")?;
    let mut words = event.split(' ');
    if words.next() != Some(line) || words.next() != Some("set") {
        return None;
    }
    let level = words.next()? == "1";
    let mut words = head.split_whitespace();
    let by = words.next()?.rsplit_once('-')?.1.parse().ok()?;
    let seconds: f64 = words.next_back()?.parse().ok()?;
    Some(Change { at: Duration::from_secs_f64(seconds), level, by })
}
