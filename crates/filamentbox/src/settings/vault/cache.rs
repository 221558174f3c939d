//! The settings that Vault gave last, in the store: encrypted as everything there, and never counted as settings of the store's own.

use filamentbox_core::time::UnixTime;
use rusqlite::{Connection, OptionalExtension as _};

use crate::runtime::clock::wall;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS vault_cache(id INTEGER PRIMARY KEY CHECK(id = 0), at REAL NOT NULL, settings TEXT NOT NULL)";
/// Unchanged settings are written again after this many seconds only: writing wears the card out.
const FRESH_S: f64 = 86_400.0;

/// What was kept.
pub(super) struct Cached {
    /// When it was written, in Unix seconds. The settings were the same for up to a day after.
    pub(super) at_s: f64,
    /// By dotted key.
    pub(super) settings: Vec<(String, String)>,
}

/// What was kept, if anything was.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Option<Cached>> {
    let tables = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'vault_cache'";
    if connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(None);
    }
    let row = connection.query_row("SELECT at, settings FROM vault_cache", [], |row| Ok((row.get(0)?, row.get(1)?)));
    let kept: Option<(f64, String)> = row.optional()?;
    Ok(kept.and_then(|(at_s, json)| Some(Cached { at_s, settings: serde_json::from_str(&json).ok()? })))
}

/// Keeps `settings`.
pub(super) fn keep(connection: &Connection, settings: &[(String, String)]) -> rusqlite::Result<()> {
    let now_s = wall().map_or(0.0, UnixTime::seconds);
    let is_fresh = |kept: &Cached| (0.0..FRESH_S).contains(&(now_s - kept.at_s));
    match read(connection)? {
        None if settings.is_empty() => return Ok(()),
        Some(kept) if kept.settings == settings && is_fresh(&kept) => return Ok(()),
        _ => connection.execute_batch(TABLE)?,
    }
    let json = serde_json::Value::from_iter(settings.iter().map(|(key, text)| vec![key.as_str(), text.as_str()]));
    let insert = "INSERT OR REPLACE INTO vault_cache(id, at, settings) VALUES(0, ?1, ?2)";
    connection.execute(insert, (now_s, json.to_string())).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back_and_is_written_once_only() {
        let connection = Connection::open_in_memory().expect("memory");
        let pairs = |text: &str| vec![("sensor.type".to_owned(), text.to_owned())];
        let kept = || read(&connection).expect("readable").map(|kept| kept.settings);
        assert_eq!(kept(), None);
        keep(&connection, &[]).expect("nothing to keep");
        assert_eq!(kept(), None);
        keep(&connection, &pairs("dht\"22")).expect("kept");
        assert_eq!(kept(), Some(pairs("dht\"22")));
        let written = connection.total_changes();
        keep(&connection, &pairs("dht\"22")).expect("kept already");
        assert_eq!(connection.total_changes(), written);
        keep(&connection, &[]).expect("kept");
        assert_eq!(kept(), Some(Vec::new()), "it was there, and is empty now");
        connection.execute("UPDATE vault_cache SET at = at - 90000", []).expect("aged");
        keep(&connection, &[]).expect("kept");
        assert!(
            read(&connection)
                .expect("readable")
                .is_some_and(|kept| wall().is_some_and(|now| now.seconds() - kept.at_s < 60.0))
        );
    }
}
