//! The original's encrypted settings: SQLCipher 4 under a passphrase, a JSON value a key.

use std::path::Path;

use serde_json::Value;
use zeroize::Zeroizing;

use super::{Raw, StoreKey, Unreadable, database};

/// What it takes when it finds no key; published with its source.
const PUBLISHED: &str = "CHANGE_ME_IN_PRODUCTION_USE_STRONG_KEY";
/// Beside the store.
const KEY_FILE: &str = ".config_key";

/// Every setting, and which key opened the store.
///
/// # Errors
/// None of the keys is its key, or it is damaged.
pub(super) fn read(path: &Path, keys: &[StoreKey]) -> Result<(Vec<Raw>, Option<String>), Unreadable> {
    // A plain file was decrypted by somebody.
    if super::kind::is_plain(path) {
        return Ok((settings(&database::open(path, None)?.connection).map_err(|error| damaged(&error))?, None));
    }
    let mut tried = Vec::new();
    let file = path.with_file_name(KEY_FILE);
    let from_file = match std::fs::read_to_string(&file) {
        Ok(text) => Some((file.display().to_string(), Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            tried.push(format!("{} (it cannot be read: {error})", file.display()));
            None
        }
    };
    let published = ("the published default key".to_owned(), Zeroizing::new(PUBLISHED.to_owned()));
    for (place, key) in keys.iter().cloned().chain(from_file).chain([published]) {
        let literal = Zeroizing::new(format!("'{}'", key.replace('\'', "''")));
        let opened = database::open(path, Some(&literal))?;
        match settings(&opened.connection) {
            Ok(settings) => return Ok((settings, Some(place))),
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => tried.push(place),
            Err(error) => return Err(damaged(&error)),
        }
    }
    Err(Unreadable(format!(
        "no key opens it; tried: {}. Put its key into {} (one line), or into FILAMENTBOX_CONFIG_KEY for this command",
        tried.join(", "),
        file.display()
    )))
}

fn damaged(error: &rusqlite::Error) -> Unreadable {
    Unreadable(format!("it cannot be read: {error}"))
}

fn settings(connection: &rusqlite::Connection) -> rusqlite::Result<Vec<Raw>> {
    let mut statement = connection.prepare("SELECT key, value FROM config ORDER BY key")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut settings = Vec::new();
    for row in rows {
        let (key, json) = row?;
        let text = match serde_json::from_str(&json) {
            Ok(Value::Null) => continue,
            Ok(Value::String(text)) => text,
            Ok(_) | Err(_) => json,
        };
        settings.push(Raw { name: key.clone(), key, text, line: 0 });
    }
    Ok(settings)
}
