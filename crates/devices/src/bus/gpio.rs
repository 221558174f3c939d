//! One GPIO line that a sensor answers on, by the kernel's character device (uAPI v2, Linux 5.10 and later).
//!
//! The kernel stamps each edge in the interrupt itself, so what else the machine does hardly moves the stamps. Only falling edges
//! are asked for: half the interrupts, and a bit is told as well by the time from one to the next.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use filamentbox_core::config::{KeySpec, Kind};
use gpiocdev_uapi::v2::{
    Error, LineConfig, LineEdgeEvent, LineFlags, LineRequest, Name, Offsets, get_line, read_event, set_line_config,
    wait_event,
};

use super::{BusError, Fault};

/// `sensor.gpio_pin`.
pub const PIN_KEY: KeySpec = KeySpec::new(
    "sensor.gpio_pin",
    Kind::Integer { min: 0, max: 27 },
    "4",
    "",
    "BCM number of the data line of a DHT22 or DHT11.",
);

/// How the line is marked as ours, for `gpioinfo`.
const CONSUMER: &str = "filamentbox-sensor";
/// Room for the edges of more than a frame, and the most that is taken in: a line that never rests must not keep us.
const EDGES_MAX: usize = 128;
/// A sensor that has not answered so long after the start signal will not.
const ANSWER: Duration = Duration::from_millis(20);
/// A frame has ended when no edge came for so long: many times the longest bit.
const REST: Duration = Duration::from_millis(3);

/// A line that is pulled low for a while, let go, and then answers in edges.
pub trait AskedLine: Send {
    /// Holds the line low for `low_for`, lets go, and returns the moments of the falling edges that follow, in nanoseconds.
    ///
    /// # Errors
    /// What went wrong, with the place.
    fn ask(&mut self, low_for: Duration) -> Result<Vec<u64>, BusError>;

    /// Lets time pass.
    fn pause(&mut self, time: Duration);

    /// Where it is, for people: `GPIO4`.
    fn place(&self) -> String;
}

/// A line of the board, held as an input with pull-up. The kernel gives it to one holder only.
pub struct GpioLine {
    file: File,
    name: String,
}

impl GpioLine {
    /// Takes hold of the line.
    ///
    /// # Errors
    /// Why it cannot be held, and what to do.
    pub fn open(chip: &Path, offset: u32, name: &str) -> Result<Self, BusError> {
        let request = LineRequest {
            offsets: Offsets::from_slice(&[offset]),
            consumer: Name::from(CONSUMER),
            config: config(IDLE),
            num_lines: 1,
            event_buffer_size: EDGES_MAX as u32,
            ..LineRequest::default()
        };
        let opened = File::open(chip).and_then(|chip| get_line(&chip, request).map_err(os));
        let file = opened.map_err(|error| opening_failed(&error, chip, name))?;
        Ok(Self { file, name: name.to_owned() })
    }

    fn collect(&self) -> io::Result<Vec<u64>> {
        let mut edges = Vec::with_capacity(EDGES_MAX);
        let mut words = [0; WORDS_PER_EVENT * EDGES_MAX];
        let mut patience = ANSWER;
        while edges.len() < EDGES_MAX && self.wait(patience)? {
            let count = read_event(&self.file, &mut words).map_err(os)?;
            for event in words[..count].chunks_exact(WORDS_PER_EVENT) {
                let event = LineEdgeEvent::from_slice(event).map_err(os)?;
                edges.push(event.timestamp_ns);
            }
            patience = REST;
        }
        Ok(edges)
    }

    fn exchange(&self, low_for: Duration) -> io::Result<Vec<u64>> {
        self.set(START)?;
        std::thread::sleep(low_for);
        // What an earlier frame left behind; no edges are noted while the line is an output.
        while self.wait(Duration::ZERO)? {
            read_event(&self.file, &mut [0; WORDS_PER_EVENT * EDGES_MAX]).map_err(os)?;
        }
        self.set(LISTENING)?;
        let edges = self.collect();
        self.set(IDLE)?;
        edges
    }

    /// Whether an edge is there, at the latest after `patience`. A signal to the program is no reason to lose a frame.
    fn wait(&self, patience: Duration) -> io::Result<bool> {
        loop {
            match wait_event(&self.file, patience).map_err(os) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn set(&self, flags: LineFlags) -> io::Result<()> {
        set_line_config(&self.file, config(flags)).map_err(os)
    }
}

const WORDS_PER_EVENT: usize = size_of::<LineEdgeEvent>() / size_of::<u64>();

const IDLE: LineFlags = LineFlags::INPUT.union(LineFlags::BIAS_PULL_UP);
/// An output without a value is inactive: low.
const START: LineFlags = LineFlags::OUTPUT;
const LISTENING: LineFlags = IDLE.union(LineFlags::EDGE_FALLING);

fn config(flags: LineFlags) -> LineConfig {
    LineConfig { flags, ..LineConfig::default() }
}

fn os(error: Error) -> io::Error {
    match error {
        Error::Os(errno) => io::Error::from_raw_os_error(errno.0),
        Error::UnderRead(_) => io::ErrorKind::UnexpectedEof.into(),
    }
}

fn opening_failed(error: &io::Error, chip: &Path, name: &str) -> BusError {
    let chip = chip.display();
    let (fault, text) = match error.kind() {
        io::ErrorKind::PermissionDenied => (
            Fault::Forbidden,
            format!(
                "{chip} may not be opened: {error}; add the user to the group gpio (`sudo usermod -aG gpio USER`, then log in again)"
            ),
        ),
        io::ErrorKind::ResourceBusy => (
            Fault::Held,
            format!(
                "{name} is in use by another program or a driver of the kernel (`gpioinfo` shows which); with \
                 `dtoverlay=dht11` set sensor.type=iio, or remove the overlay from /boot/firmware/config.txt"
            ),
        ),
        io::ErrorKind::NotFound => (Fault::NoBus, format!("there is no {chip} for {name}")),
        _ => (Fault::Failed, format!("{name} on {chip}: {error}")),
    };
    BusError { fault, text }
}

impl AskedLine for GpioLine {
    fn ask(&mut self, low_for: Duration) -> Result<Vec<u64>, BusError> {
        let failed = |error: io::Error| BusError { fault: Fault::Failed, text: format!("{}: {error}", self.name) };
        self.exchange(low_for).map_err(failed)
    }

    fn pause(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn place(&self) -> String {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use filamentbox_core::sample::NoData;

    use super::*;

    #[test]
    fn an_event_is_a_whole_number_of_words() {
        assert_eq!(WORDS_PER_EVENT * size_of::<u64>(), 48, "struct gpio_v2_line_event");
    }

    #[test]
    fn what_the_kernel_says_of_an_opening_names_the_remedy() {
        for (errno, fault, remedy) in [
            (2, Fault::NoBus, "there is no"),
            (13, Fault::Forbidden, "group gpio"),
            (16, Fault::Held, "sensor.type=iio"),
        ] {
            let error = opening_failed(&io::Error::from_raw_os_error(errno), Path::new("/dev/gpiochip0"), "GPIO4");
            assert_eq!(error.fault, fault);
            assert!(error.text.contains(remedy), "{error}");
            assert!(matches!(NoData::from(error), NoData::NotPresent(_)));
        }
    }

    #[test]
    fn a_file_that_is_no_chip_is_an_error() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let error = GpioLine::open(file.path(), 4, "GPIO4").err().expect("ENOTTY");
        assert_eq!(error.fault, Fault::Failed);
    }
}
