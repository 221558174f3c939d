//! Files go both ways between this SQLCipher and one that has OpenSSL; without the key nothing in them can be read.

// Helpers of tests, and the reason for a skipped one.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use filamentbox_sqlcipher::{Connection, ErrorCode, OpenFlags, Result};

const RAW: &str = "\"x'603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'\"";
const PASSPHRASE: &str = "'correct horse ''battery'' stäple'";
const PLANTED: &str = "planted-secret";

fn keyed(path: &Path, key: &str) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!("PRAGMA cipher_log_level = NONE; PRAGMA key = {key};"))?;
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_>>().unwrap()
}

fn fill(connection: &Connection) {
    connection.execute_batch("CREATE TABLE config(key TEXT PRIMARY KEY, value TEXT NOT NULL)").unwrap();
    connection.execute("INSERT INTO config VALUES('influxdb.password', ?1)", [PLANTED]).unwrap();
    connection.execute("INSERT INTO config VALUES('long', ?1)", ["0123456789".repeat(1000)]).unwrap();
}

fn testcase(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testcases").join(name)
}

/// Every file that a connection leaves behind, as they lie on disk.
fn contents(folder: &Path) -> Vec<u8> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|path| std::fs::read(path).unwrap()).collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// What `build.rs` and the tests vouch for: look at SQLCipher's release notes and its own tests before changing these.
#[test]
fn this_is_the_version_that_the_provider_was_written_for() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&format!("PRAGMA key = {RAW}")).unwrap();
    assert_eq!(texts(&connection, "PRAGMA cipher_version"), ["4.19.0 community"]);
    let provider = if cfg!(feature = "vendored-openssl") { "openssl" } else { "rustcrypto" };
    assert_eq!(texts(&connection, "PRAGMA cipher_provider"), [provider]);
    assert_eq!(
        texts(&connection, "PRAGMA cipher").first().map(|name| name.to_lowercase()).as_deref(),
        Some("aes-256-cbc")
    );
}

#[test]
fn files_of_other_sqlciphers_open() {
    for (name, key) in [("raw-key.db", RAW), ("passphrase.db", PASSPHRASE)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::copy(testcase(name), &path).unwrap();
        let connection = keyed(&path, key).unwrap();
        let found = texts(&connection, "SELECT value FROM config ORDER BY key");
        assert_eq!(found, [format!("\"{PLANTED}\""), "0123456789".repeat(1000)], "{name}");
        assert_eq!(texts(&connection, "PRAGMA cipher_integrity_check"), [""; 0], "{name}");
        connection.execute("INSERT INTO config VALUES('from', 'here')", []).unwrap();
        assert_eq!(texts(&connection, "PRAGMA cipher_integrity_check"), [""; 0], "{name}, changed");
    }
}

#[test]
fn nothing_can_be_read_without_the_key() {
    for (journal, key) in [("DELETE", RAW), ("WAL", RAW), ("DELETE", PASSPHRASE)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.db");
        let connection = keyed(&path, key).unwrap();
        connection.execute_batch(&format!("PRAGMA journal_mode = {journal}")).unwrap();
        fill(&connection);
        // With the journal of a transaction under way.
        connection
            .execute_batch("BEGIN; UPDATE config SET value = value || '0'; DELETE FROM config WHERE key = 'long'")
            .unwrap();
        connection.cache_flush().unwrap();
        let bytes = contents(folder.path());
        assert!(bytes.len() > 16_000, "{journal}: there is something to look at, in {} bytes", bytes.len());
        for text in ["SQLite format 3", "CREATE TABLE", "config", "influxdb", PLANTED, "0123456789"] {
            assert!(!contains(&bytes, text), "{journal}: {text} is readable");
        }
    }
}

#[test]
fn a_wrong_key_and_no_key_are_not_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.db");
    fill(&keyed(&path, RAW).unwrap());
    let before = std::fs::read(&path).unwrap();
    let another = RAW.replace("603d", "603e");
    for key in [another.as_str(), PASSPHRASE, "'603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'"] {
        let refused = keyed(&path, key).map(|_| ()).unwrap_err();
        assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::NotADatabase), "{key}: {refused}");
    }
    let plain = Connection::open(&path).unwrap();
    let refused = plain.query_row("SELECT count(*) FROM config", [], |_| Ok(())).unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::NotADatabase), "no key: {refused}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "and the file is as it was");
}

#[test]
fn a_changed_byte_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.db");
    fill(&keyed(&path, RAW).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.get_mut(4096 + 100).unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let connection = keyed(&path, RAW).unwrap();
    let found = texts(&connection, "PRAGMA cipher_integrity_check");
    assert_eq!(found.len(), 1, "the second page: {found:?}");
}

#[test]
fn without_a_key_a_file_is_plain_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    fill(&Connection::open(&path).unwrap());
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"SQLite format 3\0") && contains(&bytes, PLANTED));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    assert_eq!(texts(&Connection::open_with_flags(&path, flags).unwrap(), "PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn files_written_here_open_in_another_sqlcipher() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sqlcipher3");
    let python = program.join(".venv/bin/python");
    if !python.exists() {
        let required = std::env::var_os("FILAMENTBOX_REQUIRE_SERVERS").is_some_and(|value| value == "1");
        assert!(!required, "{} is missing: run scripts/install-test-servers.sh", python.display());
        println!("SKIPPED: no other SQLCipher to compare with; scripts/install-test-servers.sh installs one");
        return;
    }
    for key in [RAW, PASSPHRASE] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.db");
        fill(&keyed(&path, key).unwrap());
        let mut child = Command::new(&python);
        child.arg(program.join("check.py")).arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (version, rest) = said.split_once('\n').unwrap_or_default();
        assert!(output.status.success() && version.starts_with("SQLCipher 4."), "{key}: {said}");
        let expected =
            format!("provider openssl\ncipher_integrity_check []\nintegrity_check ['ok']\nvalue {PLANTED}\n");
        assert_eq!(rest, expected, "{key}");
        let connection = keyed(&path, key).unwrap();
        assert_eq!(texts(&connection, "SELECT value FROM config WHERE key = 'from'"), ["sqlcipher3"]);
        assert_eq!(texts(&connection, "PRAGMA cipher_integrity_check"), [""; 0]);
    }
}
