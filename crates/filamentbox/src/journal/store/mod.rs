//! The journal's file: one SQLite database, of which the journal's thread is the only user.
//!
//! A commit writes as few pages as it can, for the memory card's sake: blocks go to the end of one table, and everything small
//! (cursors, marks) lives in one page, the table `state`.

mod adopted;
mod blocks;
mod events;
mod letters;
mod reading;
mod rollups;
mod salvage;
mod thinning;
mod unstamped;

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use filamentbox_core::time::UnixTime;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, params};

use super::OpenError;
use super::ledger::Cursor;

pub use adopted::are_adopted;
pub(super) use blocks::{Block, Position, Sealed};
pub(super) use events::PendingEvent;
pub(super) use letters::NewLetter;
pub use letters::{Chosen, Letter};
pub(super) use reading::Reading;
pub(super) use rollups::Kept;
pub use rollups::ROLLUPS_MAX;
pub(super) use salvage::{Salvaged, carry_over};
pub(super) use unstamped::Unstamped;

/// Version 1 had no table `unstamped`.
const SCHEMA_VERSION: i64 = 2;
const OLDEST_VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE state (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE block (
        first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL,
        first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE TABLE event (
        id INTEGER PRIMARY KEY, at_ms INTEGER, box TEXT, kind TEXT NOT NULL, severity TEXT NOT NULL, text TEXT NOT NULL);
    CREATE TABLE rollup_minute (start_s INTEGER, box TEXT, data BLOB NOT NULL, PRIMARY KEY (start_s, box)) WITHOUT ROWID;
    CREATE TABLE rollup_hour (start_s INTEGER, box TEXT, data BLOB NOT NULL, PRIMARY KEY (start_s, box)) WITHOUT ROWID;
";
/// What version 2 added; what is there already stays.
const SCHEMA_2: &str = "
    CREATE TABLE IF NOT EXISTS unstamped (first_seq INTEGER PRIMARY KEY, boot TEXT NOT NULL);
    PRAGMA user_version = 2;
";
/// What differs from SQLite's defaults. Pages of 1 KiB: a commit changes two, and with pages of 4 KiB twice as many bytes reached the
/// device (1463 against 740 a sample, measured with `make bench`); the log is checkpointed after as many bytes as by default. The file's pages are reused, not given back (no auto-vacuum, which would cost further
/// pages in each commit): the file stays as large as it once was, and that is bounded.
const SETTINGS: &str = "
    PRAGMA page_size = 1024;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 400;
    PRAGMA journal_size_limit = 1048576;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -256;
    PRAGMA trusted_schema = OFF;
";
/// A larger file is not checked before the daemon starts but after it, by the journal's thread: reading all of it can take seconds.
const CHECKED_AT_ONCE_BYTES: u64 = 4 << 20;
/// The statements of the everyday path, prepared once.
const STATEMENTS: usize = 24;
/// A cursor's row in `state`.
const CURSOR: &str = "cursor/";

/// Numbers in `state`.
mod mark {
    pub(super) const JOURNAL_ID: &str = "journal id";
    pub(super) const CLEAN: &str = "stopped cleanly";
    pub(super) const NEXT: &str = "next number";
    pub(super) const ROLLED: &str = "rolled up before";
    pub(super) const SEALED_AT: &str = "sealed at";
    pub(super) const NEWEST: &str = "newest stamp";
    pub(super) const BLOCKS: &str = "blocks";
    pub(super) const SAMPLES: &str = "samples";
    /// How often samples were taken out of the sequence: a cursor says for which revision its count of holes is right.
    pub(super) const REVISION: &str = "revision";
    pub(super) const THINNED: &str = "thinned before";
}

/// The open file.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    connection: Connection,
    /// Device and inode of the file.
    identity: Option<(u64, u64)>,
    /// Whether the file says that it was not closed cleanly, as it must from the first write on.
    marked_open: bool,
    /// Whether the file is still to be checked.
    unchecked: bool,
    totals: Totals,
    revision: u64,
    last_event: u64,
    /// The newest stamp of a sample that was ever sealed.
    newest: Option<UnixTime>,
}

/// How much the file holds. Also kept in it, as counting reads all of it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Totals {
    blocks: u64,
    samples: u64,
}

impl Totals {
    fn write(self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        set_mark(transaction, mark::BLOCKS, int(self.blocks))?;
        set_mark(transaction, mark::SAMPLES, int(self.samples))
    }
}

/// What the file says of itself when it is opened.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// It was made just now.
    pub(super) created: bool,
    /// It was closed in an orderly way, or made just now.
    pub(super) clean: bool,
    /// It was damaged; this could be saved.
    pub(super) salvaged: Option<Salvaged>,
}

/// What one transaction writes.
#[derive(Debug, Default)]
pub(super) struct Commit<'a> {
    pub(super) blocks: &'a [Sealed],
    /// Blocks with times since boot, and the boot's name.
    pub(super) unstamped: &'a [Sealed],
    pub(super) boot: &'a str,
    pub(super) cursors: Vec<&'a Cursor>,
    pub(super) events: &'a [PendingEvent],
    /// New dead letters.
    pub(super) letters: &'a [NewLetter],
    /// The numbers of dead letters that are no longer kept.
    pub(super) forget_letters: &'a [u64],
    /// Batches of another program, by their identities, whose points are in `blocks`.
    pub(super) adopted: &'a [Vec<u8>],
    /// The number of the next sample that will be taken.
    pub(super) next: u64,
    pub(super) now: Option<UnixTime>,
    /// The last commit of an orderly stop.
    pub(super) clean: bool,
}

/// SQLite's integers are signed; no sequence gets near the difference.
fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Whether the file itself is damaged, so that trying again is pointless.
pub(super) fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        // All statements are ours: one that does not fit meets a damaged schema.
        || matches!(error, rusqlite::Error::SqlInputError { .. })
        // A value of a type that we never wrote.
        || matches!(error, rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..))
}

/// Whether there is no room, in which case the connection is as good as before.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Why a file could not be taken as it is.
enum Refused {
    Sqlite(rusqlite::Error),
    Damaged,
    Open(OpenError),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        if is_corrupt(&error) { Self::Damaged } else { Self::Sqlite(error) }
    }
}

impl Store {
    /// Opens the file, makes it when there is none, and replaces it when it is damaged. `id` is the journal's id, should it be new.
    /// The file is checked when it was not closed cleanly, or is `suspect`.
    ///
    /// # Errors
    /// The file cannot be used; nothing has changed then.
    pub(super) fn open(path: &Path, id: u64, suspect: bool) -> Result<(Self, Found), OpenError> {
        let mut opened = Self::try_open(path, id, suspect);
        if matches!(opened, Err(Refused::Damaged)) {
            // SQLite takes a read that the disk refuses for damage; the next one may succeed.
            opened = Self::try_open(path, id, true);
        }
        match opened {
            Ok(opened) => Ok(opened),
            Err(Refused::Open(error)) => Err(error),
            Err(Refused::Sqlite(error)) => Err(unavailable(path, &error)),
            Err(Refused::Damaged) => {
                let salvaged = salvage::replace(path, id)?;
                match Self::try_open(path, id, false) {
                    Ok((store, _)) => Ok((store, Found { created: false, clean: false, salvaged: Some(salvaged) })),
                    Err(Refused::Open(error)) => Err(error),
                    Err(Refused::Sqlite(error)) => Err(unavailable(path, &error)),
                    Err(Refused::Damaged) => {
                        let reason = "it is damaged again as soon as it is written; replace the disk".to_owned();
                        Err(OpenError::Unavailable { path: path.to_owned(), reason })
                    }
                }
            }
        }
    }

    fn try_open(path: &Path, id: u64, suspect: bool) -> Result<(Self, Found), Refused> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        if connection.is_readonly(rusqlite::MAIN_DB)? {
            let reason = "the file is not writable".to_owned();
            return Err(Refused::Open(OpenError::Unavailable { path: path.to_owned(), reason }));
        }
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let created = version == 0 && tables == 0;
        if version > SCHEMA_VERSION {
            return Err(Refused::Open(OpenError::NewerSchema { path: path.to_owned(), found: version }));
        }
        if !created && version < OLDEST_VERSION {
            return Err(Refused::Open(OpenError::Foreign { path: path.to_owned() }));
        }
        connection.execute_batch(SETTINGS)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        if created {
            let transaction = connection.transaction()?;
            transaction.execute_batch(SCHEMA)?;
            transaction.execute_batch(letters::SCHEMA)?;
            transaction.execute_batch(SCHEMA_2)?;
            set_mark(&transaction, mark::JOURNAL_ID, id.cast_signed())?;
            set_mark(&transaction, mark::CLEAN, 1)?;
            transaction.commit()?;
        } else if version < SCHEMA_VERSION {
            let transaction = connection.transaction()?;
            transaction.execute_batch(letters::SCHEMA)?;
            transaction.execute_batch(SCHEMA_2)?;
            transaction.commit()?;
        }
        let mut store = Self {
            path: path.to_owned(),
            connection,
            identity: identity(path).ok(),
            marked_open: false,
            unchecked: false,
            totals: Totals::default(),
            revision: 0,
            last_event: 0,
            newest: None,
        };
        let clean = store.mark(mark::CLEAN)? == Some(1);
        store.marked_open = !clean;
        store.unchecked = !clean || suspect;
        if suspect || store.bytes()?.1 <= CHECKED_AT_ONCE_BYTES {
            store.check()?;
        }
        store.count()?;
        // Whatever the daemon needs of it at the start must be readable, or else it is damaged.
        store.next()?;
        store.oldest()?;
        store.sealed_at()?;
        store.sinks_to_send_again()?;
        store.unstamped("")?;
        Ok((store, Found { created, clean, salvaged: None }))
    }

    /// Whether the file was removed, or another one lies in its place. Its samples can still be read, and written for nobody.
    pub(super) fn is_detached(&self) -> bool {
        match identity(&self.path) {
            Ok(found) => self.identity.is_some_and(|known| known != found),
            Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }

    /// Whether [`Store::check`] is still to be called.
    pub(super) fn is_unchecked(&self) -> bool {
        self.unchecked
    }

    /// Checks the file, if that is necessary.
    ///
    /// # Errors
    /// The file is damaged, which [`is_corrupt`] tells from SQLite's other errors.
    pub(super) fn check(&mut self) -> rusqlite::Result<()> {
        if self.unchecked {
            let answer: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if answer != "ok" {
                let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
                return Err(rusqlite::Error::SqliteFailure(corrupt, Some(answer)));
            }
            self.unchecked = false;
        }
        Ok(())
    }

    fn count(&mut self) -> rusqlite::Result<()> {
        let (blocks, samples) = (self.mark(mark::BLOCKS)?, self.mark(mark::SAMPLES)?);
        self.totals = match (blocks, samples) {
            (Some(blocks), Some(samples)) => Totals { blocks: uint(blocks), samples: uint(samples) },
            _ => {
                let all = "SELECT count(*), coalesce(sum(count), 0) FROM block";
                let totals = |row: &Row<'_>| Ok(Totals { blocks: uint(row.get(0)?), samples: uint(row.get(1)?) });
                self.connection.query_row(all, [], totals)?
            }
        };
        self.newest = self.find_newest()?;
        self.revision = uint(self.mark(mark::REVISION)?.unwrap_or(0));
        self.last_event =
            self.connection.query_row("SELECT coalesce(max(id), 0) FROM event", [], |row| row.get(0).map(uint))?;
        Ok(())
    }

    fn mark(&self, name: &str) -> rusqlite::Result<Option<i64>> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM state WHERE name = ?1")?;
        statement.query_row([name], |row| row.get(0)).optional()
    }

    /// The id that ties the crash log to this file.
    pub(super) fn journal_id(&self) -> rusqlite::Result<u64> {
        Ok(self.mark(mark::JOURNAL_ID)?.unwrap_or(0).cast_unsigned())
    }

    /// When something was last sealed.
    pub(super) fn sealed_at(&self) -> rusqlite::Result<Option<UnixTime>> {
        Ok(self.mark(mark::SEALED_AT)?.map(UnixTime::from_millis))
    }

    /// The number that the next sample must have at least.
    pub(super) fn next(&self) -> rusqlite::Result<u64> {
        let marked = uint(self.mark(mark::NEXT)?.unwrap_or(0));
        let cursors = self.cursors()?.into_iter().map(|cursor| cursor.end()).max();
        Ok(marked.max(self.sealed_end()?).max(cursors.unwrap_or(0)))
    }

    /// All cursors, those of sinks that are no longer configured too. One that cannot be true is left out.
    pub(super) fn cursors(&self) -> rusqlite::Result<Vec<Cursor>> {
        let mut statement =
            self.connection.prepare_cached("SELECT name, value FROM state WHERE name GLOB 'cursor/*'")?;
        let mut rows = statement.query([])?;
        let mut cursors = Vec::new();
        while let Some(row) = rows.next()? {
            let (name, numbers): (String, String) = (row.get(0)?, row.get(1)?);
            cursors.extend(name.strip_prefix(CURSOR).and_then(|sink| Cursor::parse(sink, &numbers)));
        }
        Ok(cursors)
    }

    /// One transaction: all of it is on disk afterwards, or none.
    ///
    /// # Errors
    /// SQLite's; nothing has changed then.
    pub(super) fn commit(&mut self, commit: &Commit<'_>) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for block in commit.blocks {
            block.insert(&transaction)?;
        }
        for block in commit.unstamped {
            block.insert(&transaction)?;
            unstamped::mark(&transaction, block, commit.boot)?;
        }
        for event in commit.events {
            event.insert(&transaction)?;
        }
        for letter in commit.letters {
            letter.insert(&transaction)?;
        }
        for id in commit.forget_letters {
            letters::forget(&transaction, *id)?;
        }
        adopted::insert(&transaction, commit.adopted)?;
        for cursor in &commit.cursors {
            set_cursor(&transaction, cursor)?;
        }
        set_mark(&transaction, mark::NEXT, int(commit.next))?;
        if let Some(now) = commit.now.filter(|_| !commit.blocks.is_empty()) {
            set_mark(&transaction, mark::SEALED_AT, now.millis())?;
        }
        let newest = unstamped::write_newest(&transaction, self.newest, commit.blocks)?;
        if self.marked_open == commit.clean {
            set_mark(&transaction, mark::CLEAN, commit.clean.into())?;
        }
        let Totals { blocks, samples } = self.totals;
        let totals = Totals {
            blocks: blocks + (commit.blocks.len() + commit.unstamped.len()) as u64,
            samples: samples + commit.blocks.iter().chain(commit.unstamped).map(Sealed::count).sum::<u64>(),
        };
        totals.write(&transaction)?;
        transaction.commit()?;
        self.marked_open = !commit.clean;
        self.totals = totals;
        self.newest = newest;
        Ok(())
    }

    /// How often samples were taken out of the sequence.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Blocks in the file.
    pub(super) fn block_count(&self) -> u64 {
        self.totals.blocks
    }

    /// Samples in them.
    pub(super) fn sample_count(&self) -> u64 {
        self.totals.samples
    }

    /// The number of the newest event ever written.
    pub(super) fn last_event(&self) -> u64 {
        self.last_event
    }

    /// Bytes of the file that are in use: (used, all).
    ///
    /// # Errors
    /// SQLite's.
    pub(super) fn bytes(&self) -> rusqlite::Result<(u64, u64)> {
        let pragma = |text: &str| -> rusqlite::Result<u64> {
            self.connection.prepare_cached(text)?.query_row([], |row| row.get(0).map(uint))
        };
        let (pages, free, size) =
            (pragma("PRAGMA page_count")?, pragma("PRAGMA freelist_count")?, pragma("PRAGMA page_size")?);
        Ok(((pages - free.min(pages)) * size, pages * size))
    }

    /// Gives unused pages back to the file system. Writes the file anew: only for when the limit was lowered.
    ///
    /// # Errors
    /// SQLite's, such as a full disk.
    pub(super) fn shrink(&mut self) -> rusqlite::Result<()> {
        self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")
    }

    /// Closes the file; the write-ahead log is merged and removed.
    pub(super) fn close(self) {
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, path = %self.path.display(), "the journal's file did not close cleanly");
        }
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

fn set_mark(transaction: &Transaction<'_>, name: &str, value: i64) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2)")?;
    statement.execute(params![name, value]).map(drop)
}

fn set_cursor(transaction: &Transaction<'_>, cursor: &Cursor) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2)")?;
    statement.execute(params![format!("{CURSOR}{}", cursor.sink), cursor.numbers()]).map(drop)
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// The error with what a person can do about it.
fn unavailable(path: &Path, error: &rusqlite::Error) -> OpenError {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let reason = if !folder.is_dir() {
        format!("the folder {} does not exist", folder.display())
    } else if path.is_dir() {
        "it is a folder".to_owned()
    } else {
        error.to_string()
    };
    OpenError::Unavailable { path: path.to_owned(), reason }
}
