//! `config import` of what the Python original left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use tempfile::TempDir;

use super::Installation;
use crate::support::{Daemon, InfluxServer, Server as _, wait_until};

/// A copy of a folder of the original's.
struct Original {
    folder: TempDir,
}

impl Original {
    fn new(name: &str) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/original").join(name);
        let folder = tempfile::tempdir().expect("a temporary folder");
        for entry in fs::read_dir(from).expect("the fixture") {
            let path = entry.expect("an entry").path();
            fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("copied");
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = entries.map(|path| (path.clone(), fs::read(path).expect("readable"))).collect();
        files.sort();
        files
    }
}

#[track_caller]
fn assert_all(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

#[test]
fn release_1_with_its_environment_file() {
    let (original, place) = (Original::new("v1"), Installation::new());
    let before = original.files();
    let done = place.config(&["import", &original.path("")]);
    assert_eq!(done.code, 0, "{}", done.complained);
    assert_all(
        &done.said,
        &[
            "influxdb.host: not used; .env: INFLUXDB_HOST counts for more",
            "influxdb.port -> database.influxdb_v1.url = http://nas.local:8086",
            "INFLUXDB_PASSWORD -> database.influxdb_v1.password = ********",
            "persistence.db_path: ignored",
            "FLASK_ENV: ignored",
            "6 points were taken into the journal",
        ],
    );
    assert!(!format!("{}{}", done.said, done.complained).contains("p#w"), "a secret is shown");
    for (key, text) in [
        ("database.type", "influxdb_v1"),
        ("database.influxdb_v1.url", "http://nas.local:8086"),
        ("database.influxdb_v1.database", "air"),
        ("database.influxdb_v1.username", "admin"),
        ("data_collection.read_interval", "0.25"),
        ("data_collection.tags.location", "shelf 2"),
        ("sensor.type", "dht22"),
        ("sensor.gpio_pin", "17"),
        ("heating_control.min_temp_c", "18.0"),
        ("humidity_control.min_humidity", "35.5"),
    ] {
        assert_eq!(place.ask(&["get", key]).trim(), text, "{key}");
    }
    assert_eq!(place.ask(&["get", "database.influxdb_v1.password", "--reveal"]).trim(), "p#w $x \"y\"");
    assert!(!place.ask(&["list"]).contains("tags.device"), "its environment replaced all tags");
    assert_eq!(original.files(), before, "nothing of the original's is changed");
    let again = place.ask(&["import", &original.path("")]);
    assert_all(
        &again,
        &["2 of its 2 batches were imported before", "0 points were taken", "sensor.type: dht22 already"],
    );
}

#[test]
fn release_2_with_its_key_and_with_the_published_one() {
    for (name, opened_with, key, text) in [
        ("v2", ".config_key", "database.influxdb_v2.bucket", "filament"),
        ("v2-first-names", "the published default key", "database.influxdb_v1.url", "http://nas:8087"),
    ] {
        let (original, place) = (Original::new(name), Installation::new());
        let before = original.files();
        let said = place.ask(&["import", &original.path("filamentbox_config.db")]);
        assert_all(&said, &[opened_with]);
        assert!(!said.contains("s3cret"), "{said}");
        assert_eq!(place.ask(&["get", key]).trim(), text);
        assert_eq!(original.files(), before);
    }
}

#[test]
fn a_store_that_no_key_opens_changes_nothing() {
    let (original, place) = (Original::new("v2"), Installation::new());
    fs::write(original.path(".config_key"), "wrong\n").expect("written");
    let path = original.path("filamentbox_config.db");
    place.assert_refused(&["import", &path], &["no key opens it", ".config_key", "the published default key"]);
    fs::write(original.path("filamentbox_config.db"), vec![0xfe_u8; 1000]).expect("written");
    place.assert_refused(&["import", &path], &["neither text nor a database"]);
    place.assert_refused(&["import", &place.path("").display().to_string()], &["nothing of the original's"]);
}

#[test]
fn a_dry_run_changes_no_byte() {
    let (original, place) = (Original::new("v1"), Installation::new());
    let said = place.ask(&["import", &original.path(""), "--dry-run"]);
    assert_all(&said, &["6 points of 2 batches", "nothing was changed (--dry-run)"]);
    assert!(place.files().is_empty(), "nothing is made");
    place.ask(&["import", &original.path("")]);
    let (ours, theirs) = (place.files(), original.files());
    place.ask(&["import", &original.path(""), "--dry-run"]);
    assert_eq!((place.files(), original.files()), (ours, theirs));
}

#[test]
fn a_refused_value_keeps_all_from_being_imported_unless_asked() {
    let place = Installation::new();
    let yaml =
        "sensor:\n  gpio_pin: 99\nqueue:\n  max_size: 500\nheating_control:\n  min_temp_c: 30\n  max_temp_c: 20\n";
    // Known by its content.
    let file = place.write("settings.old", yaml);
    place.assert_refused(&["import", &file], &["1 problem(s)", "sensor.gpio_pin: \"99\"", "0 to 27", "--skip-refused"]);
    let done = place.config(&["import", &file, "--skip-refused"]);
    assert_eq!(done.code, 0, "{}", done.complained);
    assert_all(&done.complained, &["sensor.gpio_pin", "30 and 20 are not allowed together"]);
    assert_all(&done.said, &["sensor.gpio_pin: REFUSED", "heating_control.min_temp_c: was 18, is 20.0"]);
    let broken = place.write("config.yaml", "sensor: [1\n");
    place.assert_refused(&["import", &broken], &["config.yaml: it is not valid YAML"]);
    let list = place.ask(&["list", "--changed"]);
    assert!(list.contains("queue.max_size") && !list.contains("min_temp_c"), "{list}");
}

#[test]
fn the_journal_of_another_user_is_left_to_that_user() {
    if !super::is_root() {
        eprintln!("SKIPPED: only root can make a folder of another user's");
        return;
    }
    let (original, place) = (Original::new("v1"), Installation::new());
    let folder = place.path("");
    std::os::unix::fs::chown(&folder, Some(super::NOBODY), Some(super::NOBODY)).expect("root may");
    let done = place.config(&["import", &original.path("")]);
    assert_eq!(done.code, 1, "{}{}", done.said, done.complained);
    assert_all(&done.complained, &["nothing was imported", "sudo -u '#65534'"]);
    assert!(place.files().is_empty(), "nothing is made");
    // Its settings alone are no matter.
    place.ask(&["import", &original.path("config.yaml")]);
}

/// A backlog of `count` batches of 5 points, saved in the last minutes.
fn backlog(path: &Path, count: u32) {
    let connection = Connection::open(path).expect("made");
    let schema = "CREATE TABLE unsent_batches(id INTEGER PRIMARY KEY AUTOINCREMENT, persisted_at REAL NOT NULL, batch_json TEXT NOT NULL)";
    connection.execute_batch(schema).expect("made");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs_f64();
    for batch in 0..count {
        let point = |n: u32| {
            format!(
                r#"{{"measurement":"environment","tags":{{}},"fields":{{"temperature_c":{}.5,"temperature_f":1.0,"humidity":40.0}}}}"#,
                30 + n
            )
        };
        let json = format!("[{}]", (0..5).map(point).collect::<Vec<_>>().join(","));
        let saved_at = now - 600.0 + 60.0 * f64::from(batch);
        connection
            .execute("INSERT INTO unsent_batches(persisted_at, batch_json) VALUES (?1, ?2)", (saved_at, json))
            .expect("made");
    }
}

#[test]
fn what_waited_there_is_delivered_here_once() {
    let Some(server) = InfluxServer::start() else { return };
    let mut daemon = Daemon::new();
    for (key, value) in server.settings() {
        daemon.set(&key, &value);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("unsent_batches.db");
    backlog(&path, 3);
    let file = path.display().to_string();

    daemon.start();
    let refused = daemon.cli(&["config", "import", &file]);
    let complained = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{complained}");
    assert_all(&complained, &["nothing was imported", "while no daemon runs", "stop it"]);
    daemon.stop();

    assert_all(
        &daemon.ask(&["config", "import", &file]),
        &["15 points of 3 batches", "15 points were taken into the journal"],
    );
    assert_all(
        &daemon.ask(&["config", "import", &file]),
        &["3 of its 3 batches were imported before", "0 points were taken"],
    );
    daemon.start();
    // A box is never that warm by itself so soon, and the tenths tell.
    let is_old = |value: f64| value >= 30.0 && (value.fract() - 0.5).abs() < 1e-9;
    let at_server =
        || server.all_points().into_iter().filter(|(_, point)| is_old(point.fields["temperature_c"])).count();
    wait_until("the old points at the server", || at_server() >= 15);
    wait_until("nothing waits", || {
        daemon.outbox("influxdb_v1")["backlog_points"].as_u64().is_some_and(|count| count < 50)
    });
    assert_eq!(at_server(), 15);
    let account = daemon.outbox("influxdb_v1");
    assert_eq!(account["totals"]["dead_letter"], 0, "{account}");
    let history = daemon.history();
    let old: Vec<f64> =
        history.iter().filter_map(|point| point["temperature_c"].as_f64()).filter(|c| is_old(*c)).collect();
    assert_eq!(old.len(), 15, "each is history once");
}
