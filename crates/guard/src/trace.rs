//! The trace: one line of text for each change of an output, `1234.567890 output NAME 1`, written by the process that holds the lines.
//! It is how a test proves when an output went off. Several processes may append to one file, so each line is one write(2) in
//! append mode. Writing can fail without consequences, and happens after all lines are as they must be.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::clock::{self, Nanos};
use crate::lines::LINE_NAME_MAX;
use crate::protocol::MAX_LINES;

/// A line changes at most twice in one turn of the loop: active, and back because it does not obey.
const PENDING: usize = 2 * MAX_LINES;

pub(crate) struct Trace {
    file: File,
    /// Reserved once for the longest line, so that writing one does not allocate.
    text: Vec<u8>,
    pending: [Option<(Nanos, usize, bool)>; PENDING],
}

impl Trace {
    pub(crate) fn append_to(path: &Path) -> io::Result<Self> {
        let file = File::options().append(true).create(true).open(path)?;
        Ok(Self { file, text: Vec::with_capacity(LINE_NAME_MAX + 64), pending: [None; PENDING] })
    }

    /// Remembers a change with its time.
    pub(crate) fn note(&mut self, index: usize, active: bool) {
        if let Some(free) = self.pending.iter_mut().find(|pending| pending.is_none()) {
            *free = Some((clock::now(), index, active));
        }
    }

    /// Writes what was remembered, by the names of the lines.
    pub(crate) fn flush(&mut self, names: &[&str; MAX_LINES]) {
        for (at, index, active) in self.pending.iter_mut().filter_map(Option::take) {
            self.text.clear();
            // Neither result matters: a full disk must not touch the lines. `write`, not `write_all`: one line, one system call.
            let _ = writeln!(self.text, "{at} output {} {}", names[index], u8::from(active));
            let _ = self.file.write(&self.text);
        }
    }
}
