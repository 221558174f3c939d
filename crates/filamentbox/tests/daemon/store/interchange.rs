//! Stores go to other software and come from it: the `sqlcipher` command where it is of version 4, and the Python module `sqlcipher3`, which
//! `scripts/install-test-servers.sh` installs. Both have SQLCipher with OpenSSL.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use filamentbox::settings::Key;

use crate::support::{Daemon, is_installed_as};

/// Reads the file's name from the first argument and statements, a line each, from stdin; writes each row's first value.
const PYTHON: &str = "
import sys
from sqlcipher3 import dbapi2
database = dbapi2.connect(sys.argv[1])
for line in sys.stdin:
    for row in database.execute(line):
        print(row[0])
database.commit()
";

/// Another SQLCipher.
#[derive(Debug)]
enum Other {
    Command,
    Python(PathBuf),
}

impl Other {
    fn all() -> Vec<Self> {
        let version = Command::new("sqlcipher").arg("--version").output().ok();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let is_recent = version.contains("SQLCipher 4");
        if !is_recent {
            // Debian 12 has version 3, which cannot open files of version 4 in any way.
            println!("without the command sqlcipher: it is not here, or not of version 4 ({})", version.trim());
        }
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sqlcipher/tests/sqlcipher3/.venv/bin/python");
        let has_python = is_installed_as("the Python module sqlcipher3", python.exists());
        is_recent.then_some(Self::Command).into_iter().chain(has_python.then_some(Self::Python(python))).collect()
    }

    fn ask(&self, path: &Path, statements: &str) -> String {
        let mut command = match self {
            Self::Command => Command::new("sqlcipher"),
            Self::Python(python) => {
                let mut command = Command::new(python);
                command.args(["-c", PYTHON]);
                command
            }
        };
        let mut child = command.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(statements.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{self:?}: {statements}");
        String::from_utf8(output.stdout).expect("text")
    }
}

const TABLE: &str = "CREATE TABLE config(key TEXT PRIMARY KEY, value TEXT NOT NULL, value_type TEXT NOT NULL, description TEXT, updated_at REAL NOT NULL);\n";

#[test]
fn another_sqlcipher_opens_the_store_with_the_key() {
    for other in Other::all() {
        let daemon = Daemon::new();
        let store = daemon.folder().join("config.db");
        for rotations in 0..2 {
            daemon.ask(&["config", "set", "queue.max_size", "1234"]);
            let key = Key::read(&daemon.folder().join(".config_key")).expect("usable").expect("there");
            let statements = format!(
                "PRAGMA key = \"x'{}'\";\nSELECT value FROM config WHERE key = 'queue.max_size';\nPRAGMA cipher_integrity_check;\nPRAGMA integrity_check;\nUPDATE config SET value = '2345' WHERE key = 'queue.max_size';\n",
                key.reveal()
            );
            let answer = other.ask(&store, &statements);
            let lines: Vec<_> = answer.lines().collect();
            assert_eq!(lines, ["ok", "1234", "ok"], "{other:?}, rotation {rotations}");
            assert_eq!(daemon.ask(&["config", "get", "queue.max_size"]).trim(), "2345");
            daemon.ask(&["config", "key", "rotate"]);
        }
    }
}

#[test]
fn a_store_of_another_sqlcipher_opens_here_and_can_be_rotated() {
    let raw = "0123456789abcdef".repeat(4);
    let literals = [
        ("it's a \"passphrase\"", "'it''s a \"passphrase\"'".to_owned()),
        (&raw, format!("\"x'{raw}'\"")),
        // The original's setup may have made a passphrase of 64 digits.
        (&raw, format!("'{raw}'")),
    ];
    for other in Other::all() {
        for (key, literal) in &literals {
            let daemon = Daemon::new();
            let statements = format!(
                "PRAGMA key = {literal};\n{TABLE}INSERT INTO config VALUES('queue.max_size', '1234', 'int', NULL, 1.5);\n"
            );
            other.ask(&daemon.folder().join("config.db"), &statements);
            let file = daemon.folder().join(".config_key");
            std::fs::write(&file, format!("{key}\n")).expect("writable");
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
            assert_eq!(daemon.ask(&["config", "get", "queue.max_size"]).trim(), "1234", "{literal}");
            daemon.ask(&["config", "set", "sensor.type", "simulated"]);
            daemon.ask(&["config", "key", "rotate"]);
            assert_eq!(daemon.ask(&["config", "get", "queue.max_size"]).trim(), "1234", "{literal}");
        }
    }
}
