//! The settings' store as another program may write it: nothing is checked.

use std::fs;
use std::path::Path;

use filamentbox::settings::{Access, Places, Sources};
use rusqlite::Connection;

/// Puts texts into the store in `folder`, which is made if it is not there.
pub(crate) fn store_unchecked(folder: &Path, pairs: &[(&str, &str)]) {
    let places = Places::new(folder.to_owned(), None);
    drop(Sources::open(places.clone(), Access::Create, false, Vec::new()).expect("a store"));
    let key = fs::read_to_string(places.key_file()).expect("its key");
    let connection = Connection::open(&places.store).expect("a database");
    connection.execute_batch(&format!("PRAGMA key = \"x'{}'\";", key.trim())).expect("a key");
    for (key, text) in pairs {
        let json = serde_json::Value::from(*text).to_string();
        let row = "INSERT OR REPLACE INTO config(key, value, value_type, updated_at) VALUES(?1, ?2, 'str', 0)";
        connection.execute(row, (key, json)).expect("a row");
    }
}
