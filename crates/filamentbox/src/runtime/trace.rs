//! `--trace FILE`: a line for each reading and each lease, for measuring reaction times and how evenly the lease is renewed. The guard appends
//! the outputs' lines itself.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use filamentbox_core::sample::{BoxName, Measurement};

use super::clock::boottime;

/// An open trace; each line is one write to the end of the file.
#[derive(Debug)]
pub struct Trace(File);

impl Trace {
    /// Opens `path` for appending.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(path).map(Self)
    }

    /// Appends a reading. A trace that cannot be written is no reason to stop measuring.
    pub fn sample(&mut self, box_name: &BoxName, measurement: &Measurement) {
        let (temperature, humidity) = (measurement.temperature.degrees(), measurement.humidity.percent());
        let line = format!("{:.6} sample {box_name} {temperature:.2} {humidity:.2}\n", boottime().seconds());
        let _ = self.0.write_all(line.as_bytes());
    }
    /// Appends that the guard has answered: the lease, where something is wanted on, is fresh.
    pub fn lease(&mut self) {
        let _ = self.0.write_all(format!("{:.6} lease guard answered\n", boottime().seconds()).as_bytes());
    }
}
