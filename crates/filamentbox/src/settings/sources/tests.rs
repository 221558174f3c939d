//! One installation's folder through everything that can befall it. Kills are in `tests/daemon/crash`, other software in `tests/daemon/store`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::settings::files;

/// A folder, and the environment of the next opening.
struct Place {
    _folder: TempDir,
    places: Places,
    variables: Vec<Variable>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places::new(folder.path().to_owned(), None);
        Self { _folder: folder, places, variables: Vec::new() }
    }

    /// With a store and some settings in it.
    fn with_store() -> Self {
        let place = Self::new();
        place.set("heating_control.max_temp_c", "25");
        place
    }

    fn variable(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.into()));
        self
    }

    fn open(&self, access: Access) -> Result<Sources, SettingsError> {
        Sources::open(self.places.clone(), access, false, self.variables.clone())
    }

    #[track_caller]
    fn set(&self, key: &str, text: &str) {
        set(&mut self.open(Access::Create).expect("it opens"), key, text);
    }

    #[track_caller]
    fn get(&self, key: &str) -> String {
        get(&self.open(Access::Existing).expect("it opens"), key)
    }

    /// What is wrong with every way of opening; nothing may be changed by trying.
    #[track_caller]
    fn refused(&self) -> String {
        let before = contents(&self.places);
        let reading = self.open(Access::Existing).and_then(|sources| sources.load().map(drop));
        let changing = self.open(Access::Create).map(drop).expect_err("refused").to_string();
        assert_eq!(contents(&self.places), before, "nothing was changed");
        assert!(reading.is_err(), "by who only reads");
        changing
    }

    fn mode(&self, path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
    }
}

fn change(key: &str, text: Option<&str>) -> Change {
    Change { key: key.to_owned(), text: text.map(str::to_owned) }
}

#[track_caller]
fn set(sources: &mut Sources, key: &str, text: &str) {
    sources.change(&[change(key, Some(text))], "test").expect("allowed");
}

#[track_caller]
fn get(sources: &Sources, key: &str) -> String {
    sources.load().expect("allowed").settings.get(key).expect("set").text.expose().to_owned()
}

/// Names and contents of all files but the lock, which says nothing.
fn contents(places: &Places) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(places.store_dir()).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().expect("text"), fs::read(entry.path()).expect("a file")))
        .filter(|(name, _)| name != "config.db.lock")
        .collect();
    files.sort();
    files
}

fn names(places: &Places) -> Vec<String> {
    contents(places).into_iter().map(|(name, _)| name).collect()
}

const ALL: [&str; 2] = [".config_key", "config.db"];

#[test]
fn the_first_start_makes_a_private_key_and_an_unreadable_store() {
    let place = Place::new();
    place.open(Access::Existing).expect("no store is no fault").load().expect("the defaults");
    assert!(names(&place.places).is_empty(), "reading makes nothing");
    place.set("database.influxdb_v1.password", "planted-secret");
    assert_eq!(names(&place.places), ALL);
    assert_eq!(place.get("database.influxdb_v1.password"), "planted-secret");
    for path in [place.places.store.clone(), place.places.key_file(), place.places.lock_file()] {
        assert_eq!(place.mode(&path), 0o600, "{}", path.display());
    }
    let store = fs::read(&place.places.store).expect("a file");
    for word in ["planted-secret", "influxdb", "config", "CREATE TABLE", "SQLite format 3"] {
        assert!(!store.windows(word.len()).any(|part| part == word.as_bytes()), "{word:?} can be read in the file");
    }
    let key = Key::read(&place.places.key_file()).expect("usable").expect("there");
    assert!(key.is_raw(), "no passphrase has to be derived at each start");
}

#[test]
fn a_key_without_its_store_is_the_key_of_the_next_one() {
    let place = Place::new();
    Sources::generate_key(place.places.clone(), Vec::new()).expect("an empty folder");
    let key = fs::read(place.places.key_file()).expect("a file");
    place.set("queue.max_size", "1000");
    assert_eq!(fs::read(place.places.key_file()).expect("a file"), key);
    let error = Sources::generate_key(place.places.clone(), Vec::new()).expect_err("there is one").to_string();
    assert!(error.contains("already") && error.contains("rotate"), "{error}");
}

#[test]
fn a_store_without_its_key_is_never_given_another() {
    let place = Place::with_store();
    fs::remove_file(place.places.key_file()).expect("ours");
    let error = place.refused();
    assert!(error.contains("no key for it") && error.contains("backup"), "{error}");
    assert!(Sources::generate_key(place.places.clone(), Vec::new()).is_err());
}

#[test]
fn a_wrong_key_is_said_and_changes_nothing() {
    let mut place = Place::with_store();
    for key in ["f".repeat(64), "a passphrase".to_owned(), "it's".to_owned()] {
        let error = place.variable("CONFIG_ENCRYPTION_KEY", &key).refused();
        assert!(error.contains("does not open with the key from the variable CONFIG_ENCRYPTION_KEY"), "{error}");
        assert!(!error.contains(&key), "the key is not repeated: {error}");
    }
}

#[test]
fn every_form_of_a_key_makes_and_opens_a_store() {
    let raw = "0123456789abcdef".repeat(4);
    for key in [raw.clone(), format!("x'{raw}'"), "ab".repeat(48), "it's a \"passphrase\" ä;--".to_owned()] {
        let mut place = Place::new();
        place.variable("FILAMENTBOX_CONFIG_KEY", &key).set("queue.max_size", "1000");
        assert_eq!(place.get("queue.max_size"), "1000", "{key}");
        assert_eq!(names(&place.places), ["config.db"], "the key stays in the environment");
    }
}

#[test]
fn the_order_of_the_keys() {
    let mut place = Place::new();
    let located = |place: &Place| Sources::locate(place.places.clone(), place.variables.clone()).expect("usable").key;
    assert_eq!(located(&place), None);
    assert_eq!(located(place.variable(ALLOW_DEFAULT, "1")), Some(KeySource::Default));
    place.variables.clear();
    assert_eq!(
        Sources::generate_key(place.places.clone(), Vec::new()).expect("made"),
        KeySource::File(place.places.key_file())
    );
    assert_eq!(located(place.variable(ALLOW_DEFAULT, "1")), Some(KeySource::File(place.places.key_file())));
    for name in ["FILAMENTBOX_CONFIG_KEY", "CONFIG_ENCRYPTION_KEY"] {
        assert_eq!(located(place.variable(name, "key")), Some(KeySource::Environment(name)));
    }
    place.variables.retain(|(name, _)| name != "FILAMENTBOX_CONFIG_KEY");
    place.set("queue.max_size", "1000");
    place.variables.clear();
    assert!(place.refused().contains("does not open with the key from the file"), "not the environment's key");
}

#[test]
fn sixty_four_digits_may_be_a_passphrase() {
    let mut place = Place::new();
    place.variable("CONFIG_ENCRYPTION_KEY", "a passphrase").set("queue.max_size", "1000");
    let digits = "0123456789abcdef".repeat(4);
    let connection = rusqlite::Connection::open(&place.places.store).expect("a file");
    let statements = format!("PRAGMA key = 'a passphrase'; PRAGMA rekey = '{digits}';");
    connection.execute_batch(&statements).expect("as other software does it");
    drop(connection);
    assert_eq!(place.variable("CONFIG_ENCRYPTION_KEY", &digits).get("queue.max_size"), "1000");
}

#[test]
fn the_published_key_only_where_it_is_allowed_and_with_a_warning() {
    let mut place = Place::new();
    place.variable(ALLOW_DEFAULT, "1").set("queue.max_size", "1000");
    assert_eq!(names(&place.places), ["config.db"]);
    for _ in 0..2 {
        let warnings = place.open(Access::Create).and_then(|sources| sources.load()).expect("it opens").warnings;
        assert!(warnings.iter().any(|line| line.contains("published default key")), "{warnings:?}");
    }
    for value in ["0", "true", ""] {
        let error = place.variable(ALLOW_DEFAULT, value).refused();
        assert!(error.contains("no key for it"), "{error}");
    }
    place
        .variable(ALLOW_DEFAULT, "1")
        .open(Access::Existing)
        .expect("it opens")
        .rotate(None)
        .expect("a key of its own");
    place.variables.clear();
    assert_eq!(place.get("queue.max_size"), "1000");
    assert!(place.open(Access::Create).and_then(|sources| sources.load()).expect("it opens").warnings.is_empty());
}

#[test]
fn what_is_no_store_is_not_taken_for_an_empty_one() {
    let place = Place::with_store();
    let whole = fs::read(&place.places.store).expect("a file");
    let check = |content: &[u8], word: &str| {
        fs::write(&place.places.store, content).expect("writable");
        let error = place.refused();
        assert!(error.contains(word), "{word:?} is not in {error}");
    };
    check(b"", "it is empty");
    check(b"SQLite format 3\0", "does not open with the key");
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    check(&damaged, "does not open with the key");
    check(&whole[..4096], "damaged");
    let mut damaged = whole.clone();
    damaged[4096 + 100] ^= 1;
    check(&damaged, "damaged");
    fs::remove_file(&place.places.store).expect("ours");
    let plain = rusqlite::Connection::open(&place.places.store).expect("writable");
    let key = Key::read(&place.places.key_file()).expect("usable").expect("there");
    plain.execute_batch(&format!("PRAGMA key = {}; CREATE TABLE other(x);", *key.literals()[0])).expect("writable");
    drop(plain);
    assert!(place.refused().contains("no table `config`"));
    fs::write(&place.places.store, whole).expect("writable");
    assert_eq!(place.get("heating_control.max_temp_c"), "25");
}

#[test]
fn a_damaged_page_that_is_only_seldom_read_is_found_at_the_start() {
    let place = Place::with_store();
    for number in 0..200 {
        place.set("queue.max_size", &format!("{}", 1000 + number));
    }
    let mut bytes = fs::read(&place.places.store).expect("a file");
    let last = bytes.len() - 200;
    bytes[last] ^= 1;
    fs::write(&place.places.store, bytes).expect("writable");
    let error = place.open(Access::Create).map(drop).expect_err("damaged").to_string();
    assert!(error.contains("damaged") && error.contains("config.db") && error.contains("backup"), "{error}");
}

#[test]
fn a_change_has_a_line_without_secrets() {
    let place = Place::new();
    let mut sources = place.open(Access::Create).expect("it opens");
    set(&mut sources, "database.influxdb_v1.password", "hunter2");
    set(&mut sources, "queue.max_size", "1000");
    set(&mut sources, "queue.max_size", "1000");
    sources.change(&[change("queue.max_size", None), change("sensor.type", None)], "test").expect("allowed");
    let refused = sources.change(&[change("queue.max_size", Some("-1"))], "test");
    assert!(matches!(refused, Err(SettingsError::Refused(_))));
    let lines = sources.audit(10).expect("readable");
    let lines: Vec<_> =
        lines.iter().map(|line| (line.key.as_str(), line.old.as_deref(), line.new.as_deref())).collect();
    let expected = [
        ("queue.max_size", Some("1000"), None),
        ("queue.max_size", None, Some("1000")),
        ("database.influxdb_v1.password", None, Some("(secret)")),
    ];
    assert_eq!(lines, expected, "nothing for what stayed as it was, or was refused");
    assert_eq!(sources.audit(1).expect("readable").len(), 1);
}

#[test]
fn a_store_of_the_original_is_read_and_changed() {
    let mut place = Place::new();
    place.variable("CONFIG_ENCRYPTION_KEY", "it's the original's");
    let connection = rusqlite::Connection::open(&place.places.store).expect("writable");
    connection
        .execute_batch(
            r#"PRAGMA key = 'it''s the original''s';
            CREATE TABLE config(key TEXT PRIMARY KEY, value TEXT NOT NULL, value_type TEXT NOT NULL, description TEXT, updated_at REAL NOT NULL);
            CREATE INDEX idx_config_key ON config(key);
            INSERT INTO config VALUES('data_collection.tags', '{"room": "attic", "shelf": "2"}', 'dict', 'Tags', 1.5),
                ('heating_control.min_temp_c', '18.5', 'float', NULL, 1.5), ('heating_control.enabled', 'true', 'bool', NULL, 1.5);"#,
        )
        .expect("as the original does it");
    let row = |key: &str| {
        let row = connection.query_row("SELECT value, value_type FROM config WHERE key = ?1", [key], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        });
        row.ok()
    };
    assert_eq!(place.get("data_collection.tags.room"), "attic");
    assert_eq!(place.get("heating_control.min_temp_c"), "18.5");
    assert_eq!(place.get("heating_control.enabled"), "true");
    let mut sources = place.open(Access::Create).expect("it opens");
    assert!(sources.audit(10).expect("none yet").is_empty());
    sources.change(&[change("data_collection.tags.room", None)], "test").expect("allowed");
    set(&mut sources, "heating_control.min_temp_c", "19");
    let loaded = sources.load().expect("allowed");
    assert_eq!(loaded.config.tags, [("shelf".to_owned(), "2".to_owned())]);
    assert_eq!(row("heating_control.min_temp_c"), Some(("19".to_owned(), "int".to_owned())));
    assert_eq!(row("data_collection.tags.shelf"), Some(("\"2\"".to_owned(), "str".to_owned())));
    assert_eq!(row("data_collection.tags"), None);
}

#[test]
fn a_rotation_is_noticed_by_who_has_the_store_open() {
    let place = Place::with_store();
    let mut open = place.open(Access::Create).expect("it opens");
    let old_key = fs::read(place.places.key_file()).expect("a file");
    for max in ["26", "27"] {
        place.open(Access::Existing).expect("it opens").rotate(None).expect("rotated");
        assert_eq!(names(&place.places), ALL);
        assert_eq!(place.mode(&place.places.store), 0o600);
        set(&mut open, "heating_control.max_temp_c", max);
        assert_eq!(place.get("heating_control.max_temp_c"), max);
        place.open(Access::Existing).expect("it opens").rotate(None).expect("rotated");
        assert_eq!(get(&open, "heating_control.max_temp_c"), max);
    }
    fs::write(place.places.key_file(), old_key).expect("ours");
    assert!(place.refused().contains("does not open"), "the first key is worth nothing now");
}

#[test]
fn a_rotation_that_was_broken_off_goes_on_or_is_taken_back() {
    let place = Place::with_store();
    let (store, key, new_key) = (&place.places.store, place.places.key_file(), place.places.new_key_file());
    let old = (fs::read(store).expect("a file"), fs::read(&key).expect("a file"));
    place.open(Access::Existing).expect("it opens").rotate(None).expect("rotated");
    let new = (fs::read(store).expect("a file"), fs::read(&key).expect("a file"));
    let check = |files: [(&Path, Option<&[u8]>); 4], counts: &[u8]| {
        for (path, content) in files {
            files::remove(path).expect("ours");
            content.into_iter().for_each(|content| files::write(path, content).expect("writable"));
        }
        assert_eq!(place.get("heating_control.max_temp_c"), "25", "by who only reads");
        place.set("heating_control.max_temp_c", "26");
        place.set("heating_control.max_temp_c", "25");
        assert_eq!(names(&place.places), ALL);
        assert_eq!(fs::read(&key).expect("a file"), counts);
    };
    let copy = place.places.new_store();
    let state = |in_place: &'static str| -> [(&Path, Option<&[u8]>); 4] {
        match in_place {
            "half a key" => [(store, Some(&old.0)), (&key, Some(&old.1)), (&new_key, Some(&new.1[..9])), (&copy, None)],
            "an empty key" => [(store, Some(&old.0)), (&key, Some(&old.1)), (&new_key, Some(b"")), (&copy, None)],
            "the key" => [(store, Some(&old.0)), (&key, Some(&old.1)), (&new_key, Some(&new.1)), (&copy, None)],
            "half a copy" => {
                [(store, Some(&old.0)), (&key, Some(&old.1)), (&new_key, Some(&new.1)), (&copy, Some(&new.0[..5000]))]
            }
            "the copy" => {
                [(store, Some(&old.0)), (&key, Some(&old.1)), (&new_key, Some(&new.1)), (&copy, Some(&new.0))]
            }
            _ => [(store, Some(&new.0)), (&key, Some(&old.1)), (&new_key, Some(&new.1)), (&copy, None)],
        }
    };
    for in_place in ["half a key", "an empty key", "the key", "half a copy", "the copy"] {
        check(state(in_place), &old.1);
    }
    check(state("the store"), &new.1);
    // The published default key has no file.
    check([(store, Some(&new.0)), (&key, None), (&new_key, Some(&new.1)), (&copy, None)], &new.1);
}

#[test]
fn another_rotation_that_was_broken_off_does_not_cost_the_key() {
    let place = Place::with_store();
    let (key, new_key) = (place.places.key_file(), place.places.new_key_file());
    // Opened in the middle of a rotation ...
    let old_key = fs::read(&key).expect("a file");
    place.open(Access::Existing).expect("it opens").rotate(None).expect("rotated");
    fs::rename(&key, &new_key).expect("ours");
    files::write(&key, &old_key).expect("writable");
    let mut open = place.open(Access::Existing).expect("it opens");
    // ... which another process finishes, and whose next one is killed at once.
    place.set("heating_control.max_temp_c", "26");
    files::write(&new_key, "0".repeat(64).as_bytes()).expect("writable");
    set(&mut open, "heating_control.max_temp_c", "27");
    assert_eq!(place.get("heating_control.max_temp_c"), "27");
    assert_eq!(names(&place.places), ALL);
}

#[test]
fn a_new_key_that_cannot_be_read_is_not_removed() {
    let place = Place::with_store();
    let (key, new_key) = (place.places.key_file(), place.places.new_key_file());
    let old_key = fs::read(&key).expect("a file");
    place.open(Access::Existing).expect("it opens").rotate(None).expect("rotated");
    fs::rename(&key, &new_key).expect("ours");
    files::write(&key, &old_key).expect("writable");
    let mut open = place.open(Access::Existing).expect("with the new key");
    // Only this key opens the store, whatever is wrong with its file.
    let mut assert_kept = || {
        assert!(open.change(&[change("queue.max_size", Some("1000"))], "test").is_err());
        assert!(new_key.exists(), "it is kept");
    };
    fs::set_permissions(&new_key, fs::Permissions::from_mode(0o644)).expect("ours");
    assert_kept();
    fs::set_permissions(&new_key, fs::Permissions::from_mode(0o600)).expect("ours");
    fs::write(&new_key, "").expect("writable");
    assert_kept();
}

#[test]
fn a_key_of_the_environment_is_rotated_into_a_given_file() {
    let mut place = Place::new();
    place.variable("CONFIG_ENCRYPTION_KEY", "old").set("queue.max_size", "1000");
    let error = place.open(Access::Existing).expect("it opens").rotate(None).expect_err("it cannot").to_string();
    assert!(error.contains("CONFIG_ENCRYPTION_KEY") && error.contains("--new-key"), "{error}");
    assert_eq!(place.get("queue.max_size"), "1000");
    let new = Key::random(place.places.store.with_file_name("mine")).expect("random numbers");
    let rotated = place.open(Access::Existing).expect("it opens").rotate(Some(new.clone())).expect("rotated");
    assert_eq!(rotated, (KeySource::Environment("CONFIG_ENCRYPTION_KEY"), new.source.clone()));
    assert!(place.refused().contains("does not open"));
    assert_eq!(place.variable("CONFIG_ENCRYPTION_KEY", new.reveal()).get("queue.max_size"), "1000");
    assert_eq!(names(&place.places), ["config.db"]);
}

#[test]
fn many_at_once_make_one_key_and_one_store() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let place = &place;
            scope.spawn(move || place.set(&format!("data_collection.tags.t{number}"), "here"));
        }
    });
    assert_eq!(names(&place.places), ALL);
    let loaded = place.open(Access::Existing).and_then(|sources| sources.load()).expect("it opens");
    assert_eq!(loaded.config.tags.len(), 8, "{:?}", loaded.config.tags);
}

#[test]
fn a_store_that_disappears_is_not_an_empty_one() {
    let place = Place::with_store();
    let sources = place.open(Access::Existing).expect("it opens");
    fs::remove_file(&place.places.store).expect("ours");
    assert!(sources.load().map(drop).expect_err("gone").to_string().contains("disappeared"));
}

#[test]
fn a_store_that_comes_later_is_noticed() {
    let place = Place::new();
    let sources = place.open(Access::Existing).expect("no store is no fault");
    place.set("queue.max_size", "1000");
    assert_eq!(get(&sources, "queue.max_size"), "1000");
}
