//! The event log.

use filamentbox_core::event::{Event, EventKind, Severity};
use filamentbox_core::sample::BoxName;
use filamentbox_core::time::{Monotonic, UnixTime};
use rusqlite::{Row, Transaction, params};

use super::{Store, int, uint};

/// So many events are kept.
const EVENTS_MAX: u64 = 10_000;

/// An event with its number, not yet on disk.
#[derive(Clone, Debug)]
pub(in crate::journal) struct PendingEvent {
    pub(in crate::journal) id: u64,
    pub(in crate::journal) event: Event,
    /// When it came, for its wall time should that become known later.
    pub(in crate::journal) received: Monotonic,
}

impl PendingEvent {
    pub(super) fn insert(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let Event { at, box_name, kind, severity, text } = &self.event;
        let mut statement =
            transaction.prepare_cached("INSERT OR REPLACE INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        let (at, box_name) = (at.map(UnixTime::millis), box_name.as_ref().map(BoxName::as_str));
        statement.execute(params![int(self.id), at, box_name, kind.name(), severity.name(), text]).map(drop)
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<(u64, Event)> {
    let (kind, severity): (String, String) = (row.get(3)?, row.get(4)?);
    let event = Event {
        at: row.get::<_, Option<i64>>(1)?.map(UnixTime::from_millis),
        box_name: row.get::<_, Option<String>>(2)?.as_deref().and_then(BoxName::new),
        kind: EventKind::NAMES.iter().find(|(_, name)| *name == kind).map_or(EventKind::Daemon, |(kind, _)| *kind),
        severity: Severity::NAMES.iter().find(|(_, name)| *name == severity).map_or(Severity::Error, |(s, _)| *s),
        text: row.get(5)?,
    };
    Ok((uint(row.get(0)?), event))
}

impl Store {
    /// The newest `limit` events with numbers below `before`, newest first.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn events(&self, before: u64, limit: usize) -> rusqlite::Result<Vec<(u64, Event)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, at_ms, box, kind, severity, text FROM event WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        statement.query_map([int(before), int(limit as u64)], from_row)?.collect()
    }

    /// Forgets all but the newest events.
    ///
    /// # Errors
    /// SQLite's.
    pub(in crate::journal) fn trim_events(&mut self) -> rusqlite::Result<()> {
        let mut statement =
            self.connection.prepare_cached("DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?1")?;
        statement.execute([int(EVENTS_MAX)]).map(drop)
    }
}
