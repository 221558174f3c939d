//! A damaged file: put aside, and saved from it what its checksums or its sense vouch for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use filamentbox_core::sample::BoxName;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Row, params};

use super::rollups::group_key;
use super::{Block, CURSOR, Refused, Store, mark, unavailable};
use crate::journal::codec::{decode, decode_group};
use crate::journal::ledger::Cursor;
use crate::journal::{OpenError, Resolution};
use crate::runtime::clock_sync::PLAUSIBLE;

/// Damaged files kept for a person to look at; the oldest go.
const FILES_KEPT: u32 = 3;
/// A next number that is further ahead of the last block is not believed.
const NEXT_AHEAD: i64 = 1_000_000;
/// Numbers passed over at a page that cannot be read: less than two of its neighbours hold.
const JUMP: i64 = 50;
/// Jumps at most.
const JUMPS_MAX: i64 = 20_000;
/// What SQLite keeps beside a database, under the same name.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// What came out of a damaged file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::journal) struct Salvaged {
    /// Where it is now.
    pub(in crate::journal) renamed_to: PathBuf,
    /// Blocks that are whole.
    pub(in crate::journal) blocks: u64,
    /// Blocks that were found and are not.
    pub(in crate::journal) damaged: u64,
    /// Samples in the whole blocks.
    pub(in crate::journal) samples: u64,
    /// Cursors of sinks.
    pub(in crate::journal) cursors: u64,
}

impl Salvaged {
    /// One sentence for a person.
    pub(in crate::journal) fn describe(&self) -> String {
        let Self { renamed_to, blocks, damaged, samples, cursors } = self;
        format!(
            "the journal's file was damaged; {samples} samples in {blocks} blocks and {cursors} backends' places were saved from it, \
             {damaged} blocks were not; the damaged file is kept as {}",
            renamed_to.display()
        )
    }
}

/// Puts a new file in the place of the damaged one at `path`, with what can be saved.
///
/// # Errors
/// The damaged file cannot be renamed, or the new one not written.
pub(super) fn replace(path: &Path, id: u64) -> Result<Salvaged, OpenError> {
    let failed = |reason: String| OpenError::Unavailable { path: path.to_owned(), reason };
    let aside = put_aside(path).map_err(|error| failed(format!("it is damaged, and cannot be renamed: {error}")))?;
    let mut salvaged = Salvaged { renamed_to: aside.clone(), blocks: 0, damaged: 0, samples: 0, cursors: 0 };
    let old = Connection::open_with_flags(&aside, OpenFlags::SQLITE_OPEN_READ_WRITE);
    // This lets SQLite read a file that is shorter than it says of itself.
    let old = old.ok().filter(|old| old.execute_batch("PRAGMA writable_schema = ON").is_ok());
    // Of a file that SQLite does not even know as its own, nothing can be read.
    let old = old.filter(|old| old.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).is_ok());
    let id = old.as_ref().and_then(|old| number(old, mark::JOURNAL_ID)).map_or(id, i64::cast_unsigned);
    let (store, _) = Store::try_open(path, id, false).map_err(|refused| match refused {
        Refused::Sqlite(error) => unavailable(path, &error),
        Refused::Open(error) => error,
        Refused::Damaged => failed("a new file is damaged at once; replace the disk".to_owned()),
    })?;
    if let Some(old) = &old {
        copy(old, &store, &mut salvaged).map_err(|error| unavailable(path, &error))?;
    }
    store.close();
    Ok(salvaged)
}

/// Makes a new file in the place of one that was removed or replaced while it was open, with what the open one holds. What lies in
/// its place now is kept beside it. Says in words what became of it.
///
/// # Errors
/// The new file cannot be made; what the old one held is lost then.
pub(in crate::journal) fn carry_over(old: Store, id: u64) -> Result<String, OpenError> {
    let path = old.path.clone();
    let failed = |reason: String| OpenError::Unavailable { path: path.clone(), reason };
    // SQLite's own files of the old connection must not become those of the new one; it has them open.
    for companion in COMPANIONS {
        let mut beside = path.as_os_str().to_owned();
        beside.push(companion);
        let _ = std::fs::remove_file(beside);
    }
    let aside = match path.exists() {
        true => Some(put_aside(&path).map_err(|error| failed(format!("it cannot be renamed: {error}")))?),
        false => None,
    };
    let (store, _) = Store::try_open(&path, id, false).map_err(|refused| match refused {
        Refused::Sqlite(error) => unavailable(&path, &error),
        Refused::Open(error) => error,
        Refused::Damaged => failed("a new file is damaged at once; replace the disk".to_owned()),
    })?;
    let renamed_to = aside.clone().unwrap_or_default();
    let mut salvaged = Salvaged { renamed_to, blocks: 0, damaged: 0, samples: 0, cursors: 0 };
    copy(&old.connection, &store, &mut salvaged).map_err(|error| unavailable(&path, &error))?;
    store.close();
    let what = match aside {
        Some(aside) => format!("replaced while the daemon runs (the other file is kept as {})", aside.display()),
        None => "removed while the daemon runs".to_owned(),
    };
    let Salvaged { blocks, samples, .. } = salvaged;
    Ok(format!(
        "the journal's file {} was {what}; a new one was made, and {samples} samples in {blocks} blocks were saved into it",
        path.display()
    ))
}

/// Renames the file to `NAME.corrupt-N` and keeps the newest of those.
fn put_aside(path: &Path) -> std::io::Result<PathBuf> {
    let named = |n: u32, companion: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".corrupt-{n}{companion}"));
        PathBuf::from(name)
    };
    let prefix = format!("{}.corrupt-", path.file_name().unwrap_or_default().to_string_lossy());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = std::fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut numbers: Vec<u32> = names.filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).collect();
    numbers.sort_unstable();
    let next = numbers.last().map_or(1, |last| last.saturating_add(1));
    let too_many = (numbers.len() + 1).saturating_sub(FILES_KEPT as usize);
    for n in &numbers[..too_many.min(numbers.len())] {
        for companion in COMPANIONS.into_iter().chain([""]) {
            let _ = std::fs::remove_file(named(*n, companion));
        }
    }
    for companion in COMPANIONS {
        let mut beside = path.as_os_str().to_owned();
        beside.push(companion);
        match std::fs::rename(&beside, named(next, companion)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, named(next, ""))?;
    Ok(named(next, ""))
}

fn number(old: &Connection, name: &str) -> Option<i64> {
    old.query_row("SELECT value FROM state WHERE name = ?1", [name], |row| row.get(0)).ok()
}

/// Calls `each` for the rows of `sql` as far as they can be read. Says whether that was to the end.
fn rows_of(
    old: &Connection,
    sql: &str,
    mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<bool> {
    let Ok(mut statement) = old.prepare(sql) else { return Ok(false) };
    let Ok(mut rows) = statement.query([]) else { return Ok(false) };
    loop {
        match rows.next() {
            Ok(Some(row)) => each(row)?,
            Ok(None) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}

/// # Errors
/// Those of the new file alone.
fn copy(old: &Connection, new: &Store, salvaged: &mut Salvaged) -> rusqlite::Result<()> {
    let new = &new.connection;
    new.execute_batch("BEGIN")?;
    let mut unstamped: BTreeMap<i64, String> = BTreeMap::new();
    rows_of(old, "SELECT first_seq, boot FROM unstamped", |row| {
        if let (Ok(first), Ok(boot)) = (row.get(0), row.get(1)) {
            unstamped.insert(first, boot);
        }
        Ok(())
    })?;
    let end = copy_blocks(old, new, salvaged)?;
    copy_unstamped(new, &unstamped)?;
    rows_of(old, "SELECT name, value FROM state", |row| {
        let (Ok(name), Ok(numbers)) = (row.get::<_, String>(0), row.get::<_, String>(1)) else { return Ok(()) };
        let cursor = name.strip_prefix(CURSOR).and_then(|sink| Cursor::parse(sink, &numbers));
        if cursor.is_some() {
            salvaged.cursors += 1;
            new.execute("INSERT OR REPLACE INTO state VALUES (?1, ?2)", params![name, numbers])?;
        }
        Ok(())
    })?;
    for resolution in Resolution::ALL {
        copy_rollups(old, new, resolution)?;
    }
    copy_events(old, new)?;
    copy_letters(old, new)?;
    // Without the mark, no block is rolled up a second time rather than twice.
    let rolled = number(old, mark::ROLLED).unwrap_or(end).clamp(0, end.max(0));
    let next = number(old, mark::NEXT).filter(|next| (end..=end.saturating_add(NEXT_AHEAD)).contains(next));
    let marks = [
        (mark::BLOCKS, Some(super::int(salvaged.blocks))),
        (mark::SAMPLES, Some(super::int(salvaged.samples))),
        (mark::ROLLED, Some(rolled)),
        (mark::NEXT, next),
        (mark::SEALED_AT, number(old, mark::SEALED_AT)),
        (mark::NEWEST, number(old, mark::NEWEST)),
        // What is missing is a hole that no cursor knows.
        (mark::REVISION, Some(number(old, mark::REVISION).unwrap_or(0).saturating_add(1))),
        (mark::THINNED, number(old, mark::THINNED).map(|thinned| thinned.clamp(0, end.max(0)))),
    ];
    for (name, value) in marks {
        if let Some(value) = value {
            new.execute("INSERT OR REPLACE INTO state VALUES (?1, ?2)", params![name, value])?;
        }
    }
    new.execute_batch("COMMIT")
}

/// Backwards, as far as that goes, then forwards with a jump over each page that is not what it should be. Says where the blocks end.
///
/// # Errors
/// Those of the new file alone.
fn copy_blocks(old: &Connection, new: &Connection, salvaged: &mut Salvaged) -> rusqlite::Result<i64> {
    const SELECT: &str = "SELECT first_seq, count, data, first_ms, last_ms FROM block";
    let mut end = 0;
    let mut low = number(old, mark::NEXT).unwrap_or(NEXT_AHEAD);
    let whole = rows_of(old, &format!("{SELECT} ORDER BY first_seq DESC"), |row| {
        low = row.get(0).unwrap_or(low);
        copy_block(row, new, salvaged, &mut end)
    })?;
    let mut from = 0;
    while !whole && from < low {
        let begun = from;
        let sql = format!("{SELECT} WHERE first_seq >= {from} AND first_seq < {low} ORDER BY first_seq");
        let to_the_end = rows_of(old, &sql, |row| {
            from = row.get::<_, i64>(0).unwrap_or(from).saturating_add(1).max(from);
            copy_block(row, new, salvaged, &mut end)
        })?;
        if to_the_end {
            break;
        }
        if from == begun {
            from += JUMP.max(low / JUMPS_MAX);
        }
    }
    Ok(end)
}

fn copy_block(row: &Row<'_>, new: &Connection, salvaged: &mut Salvaged, end: &mut i64) -> rusqlite::Result<()> {
    let Ok(Block { at, points }) = Block::from_row(row) else { return Ok(()) };
    let Ok(points) = points else {
        salvaged.damaged += 1;
        return Ok(());
    };
    let times = || points.iter().map(|point| point.at.millis());
    let copied = new.execute(
        "INSERT OR IGNORE INTO block VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            super::int(at.first),
            super::int(points.len() as u64),
            times().min(),
            times().max(),
            row.get::<_, Value>(2)?
        ],
    )?;
    if copied > 0 {
        salvaged.blocks += 1;
        salvaged.samples += points.len() as u64;
        *end = (*end).max(super::int(at.end));
    }
    Ok(())
}

/// A time long before this program is one since boot, should its row be lost: of a boot that nobody knows.
fn copy_unstamped(new: &Connection, unstamped: &BTreeMap<i64, String>) -> rusqlite::Result<()> {
    let lost = "INSERT INTO unstamped SELECT first_seq, '' FROM block WHERE last_ms < ?1";
    new.execute(lost, [PLAUSIBLE.millis() / 2])?;
    let known = "INSERT OR REPLACE INTO unstamped SELECT first_seq, ?2 FROM block WHERE first_seq = ?1";
    for (first, boot) in unstamped {
        new.execute(known, params![first, boot])?;
    }
    Ok(())
}

fn copy_rollups(old: &Connection, new: &Connection, resolution: Resolution) -> rusqlite::Result<()> {
    let table = resolution.table();
    rows_of(old, &format!("SELECT start_s, box, data FROM {table}"), |row| {
        let (Ok(start), Ok(name), Ok(data)) = (row.get::<_, i64>(0), row.get::<_, String>(1), row.get::<_, Vec<u8>>(2))
        else {
            return Ok(());
        };
        if BoxName::new(&name).is_none() || decode_group(group_key(resolution, start), &data).is_err() {
            return Ok(());
        }
        new.execute(&format!("INSERT OR IGNORE INTO {table} VALUES (?1, ?2, ?3)"), params![start, name, data]).map(drop)
    })
    .map(drop)
}

/// Dead letters: a point that is damaged is left out.
fn copy_letters(old: &Connection, new: &Connection) -> rusqlite::Result<()> {
    rows_of(old, "SELECT id, sink, point, reason, refused_ms, again FROM dead_letter", |row| {
        let point: rusqlite::Result<Vec<u8>> = row.get(2);
        if !point.is_ok_and(|point| decode(0, &point).is_ok()) {
            return Ok(());
        }
        let values: Vec<Value> = (0..6).filter_map(|column| row.get(column).ok()).collect();
        match new
            .execute("INSERT OR IGNORE INTO dead_letter VALUES (?, ?, ?, ?, ?, ?)", rusqlite::params_from_iter(values))
        {
            // It breaks the table's rules, or has too few values.
            Err(error) if !super::is_full(&error) => Ok(()),
            other => other.map(drop),
        }
    })
    .map(drop)
}

/// Events have no checksum: a row that can be read is believed.
fn copy_events(old: &Connection, new: &Connection) -> rusqlite::Result<()> {
    rows_of(old, "SELECT * FROM event", |row| {
        let values: Vec<Value> = (0..6).filter_map(|column| row.get(column).ok()).collect();
        match new.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?, ?)", rusqlite::params_from_iter(values)) {
            // It breaks the table's rules, or has too few values.
            Err(error) if !super::is_full(&error) => Ok(()),
            other => other.map(drop),
        }
    })
    .map(drop)
}
