//! The sinks' cursors on tmpfs, so that a crash does not send a delivered batch again. Two copies take turns: one is always whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::{Place, read_own, replace};
use crate::journal::ledger::Cursor;

pub(super) const EXTENSION: &str = "cursors";
/// Room for one copy: some 150 sinks.
const COPY: usize = 16 * 1024;
const MAGIC: &str = "filamentbox cursors 1";

/// The file, open for writing. Used by the journal's thread alone.
#[derive(Debug)]
pub(in crate::journal) struct CursorFile {
    file: File,
    id: u64,
    generation: u64,
}

impl CursorFile {
    /// A new file in place of the old one.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(in crate::journal) fn create<'a>(
        place: &Place,
        id: u64,
        cursors: impl Iterator<Item = &'a Cursor>,
    ) -> io::Result<Self> {
        let text = text(id, 0, cursors)?;
        let file = replace(&place.file(EXTENSION), |file| file.write_all_at(&text, 0))?;
        Ok(Self { file, id, generation: 0 })
    }

    /// Writes all cursors.
    ///
    /// # Errors
    /// The tmpfs is full, or there are too many sinks.
    pub(in crate::journal) fn write<'a>(&mut self, cursors: impl Iterator<Item = &'a Cursor>) -> io::Result<()> {
        self.generation += 1;
        let text = text(self.id, self.generation, cursors)?;
        self.file.write_all_at(&text, self.generation % 2 * COPY as u64)
    }

    /// The newest whole copy.
    pub(in crate::journal) fn read(place: &Place, id: u64) -> Vec<Cursor> {
        let bytes = read_own(&place.file(EXTENSION)).unwrap_or_default();
        let copies = bytes.chunks(COPY).filter_map(|copy| parse(id, copy));
        copies.max_by_key(|(generation, _)| *generation).map(|(_, cursors)| cursors).unwrap_or_default()
    }
}

/// A line with id and generation, a line for each cursor, and the checksum of all that.
fn text<'a>(id: u64, generation: u64, cursors: impl Iterator<Item = &'a Cursor>) -> io::Result<Vec<u8>> {
    let mut text = format!("{MAGIC} {id} {generation}\n");
    for cursor in cursors {
        text.push_str(&format!("{} {}\n", cursor.sink, cursor.numbers()));
    }
    let crc = crc32fast::hash(text.as_bytes());
    text.push_str(&format!("crc {crc}\n"));
    if text.len() > COPY {
        return Err(io::Error::other("too many backends for the crash log"));
    }
    Ok(text.into_bytes())
}

fn parse(id: u64, copy: &[u8]) -> Option<(u64, Vec<Cursor>)> {
    // What a longer copy left behind the end is not part of it.
    let end = copy.windows(4).position(|window| window == b"crc ")?;
    let (text, rest) = (std::str::from_utf8(&copy[..end]).ok()?, std::str::from_utf8(&copy[end + 4..]).ok()?);
    let crc: u32 = rest.split('\n').next()?.parse().ok()?;
    if crc != crc32fast::hash(text.as_bytes()) {
        return None;
    }
    let mut lines = text.lines();
    let (file_id, generation) = lines.next()?.strip_prefix(MAGIC)?.trim_start().split_once(' ')?;
    if file_id != id.to_string() {
        return None;
    }
    let cursors = lines.filter_map(|line| {
        let (sink, numbers) = line.split_once(' ')?;
        Cursor::parse(sink, numbers)
    });
    Some((generation.parse().ok()?, cursors.collect()))
}
