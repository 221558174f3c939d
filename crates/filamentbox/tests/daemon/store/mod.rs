//! The settings' store and its key, as their owner meets them.

mod interchange;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{BINARY, Daemon};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Names and contents of the store and its key.
fn contents(daemon: &Daemon) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(daemon.folder())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("config")))
        .map(|path| (path.clone(), fs::read(path).expect("a file")))
        .collect();
    files.sort();
    files
}

/// Neither the daemon nor a command works, each says why, and nothing is changed.
#[track_caller]
fn assert_refused(daemon: &Daemon, words: &[&str]) {
    let before = contents(daemon);
    let commands =
        [&["config", "list"][..], &["config", "set", "queue.max_size", "2000"], &["config", "key", "rotate"]];
    let outputs = commands.into_iter().map(|command| daemon.cli(command)).chain([daemon.start_in_vain()]);
    for output in outputs {
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in:\n{said}");
        }
    }
    assert_eq!(contents(daemon), before, "nothing was changed");
    assert!(!daemon.folder().join("journal.db").exists(), "nothing was begun");
}

fn with_store() -> Daemon {
    let daemon = Daemon::new();
    daemon.ask(&["config", "set", "queue.max_size", "1000"]);
    daemon
}

#[test]
fn a_wrong_key_a_lost_key_and_a_readable_key_stop_everything() {
    let mut daemon = with_store();
    daemon.variable("CONFIG_ENCRYPTION_KEY", "another passphrase");
    assert_refused(&daemon, &["does not open with the key from the variable CONFIG_ENCRYPTION_KEY"]);

    let daemon = with_store();
    let key = daemon.folder().join(".config_key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("ours");
    assert_refused(&daemon, &["can be read by others (mode 644)", "chmod 600", "config key rotate"]);
    fs::remove_file(&key).expect("ours");
    assert_refused(&daemon, &["no key for it", "backup"]);
    fs::write(&key, "").expect("writable");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("ours");
    assert_refused(&daemon, &["is empty"]);
}

#[test]
fn a_damaged_store_stops_the_start_and_is_named() {
    let daemon = with_store();
    let store = daemon.folder().join("config.db");
    let mut bytes = fs::read(&store).expect("a store");
    bytes[4096 + 1000] ^= 0x10;
    fs::write(&store, bytes).expect("writable");
    assert_refused(&daemon, &["config.db is damaged", "backup"]);
}

#[test]
fn many_commands_and_a_daemon_at_once_make_one_key() {
    let mut daemon = Daemon::new();
    std::thread::scope(|scope| {
        let commands: Vec<_> = (0..8)
            .map(|number| {
                let mut command = Command::new(BINARY);
                command.env_clear().arg("--data-dir").arg(daemon.folder());
                command.args(["config", "set", &format!("data_collection.tags.t{number}"), "here"]);
                scope.spawn(move || command.output().expect("the binary starts"))
            })
            .collect();
        daemon.start();
        for command in commands {
            let output = command.join().expect("it ends");
            assert!(output.status.success(), "{}", text(&output));
        }
    });
    let list = daemon.ask(&["config", "list", "data_collection.tags"]);
    assert_eq!(list.lines().count(), 8, "{list}");
    assert!(daemon.stop().success());
    let names: Vec<_> = contents(&daemon).into_iter().map(|(path, _)| path).collect();
    let expected = [".config_key", "config.db", "config.db.lock"].map(|name| daemon.folder().join(name));
    assert_eq!(names, expected);
}

#[test]
fn the_files_are_private_whatever_the_umask() {
    for umask in ["000", "077", "377"] {
        let daemon = Daemon::new();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh", BINARY, "--data-dir"]).arg(daemon.folder());
        let output = command.env_clear().args(["config", "set", "queue.max_size", "1000"]).output().expect("sh(1)");
        assert!(output.status.success(), "umask {umask}: {}", text(&output));
        for (path, _) in contents(&daemon) {
            let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777;
            assert_eq!(mode, 0o600, "umask {umask}: {}", path.display());
        }
    }
}

#[test]
fn what_root_makes_belongs_to_the_folder_s_owner() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can act for another user");
        return;
    }
    let (user, group) = (65534, 65534);
    let daemon = Daemon::new();
    std::os::unix::fs::chown(daemon.folder(), Some(user), Some(group)).expect("root may");
    daemon.ask(&["config", "set", "queue.max_size", "1000"]);
    let owners = |daemon: &Daemon| {
        for (path, _) in contents(daemon) {
            let found = fs::metadata(&path).expect("it is there");
            assert_eq!((found.uid(), found.gid()), (user, group), "{}", path.display());
        }
    };
    owners(&daemon);
    daemon.ask(&["config", "key", "rotate"]);
    owners(&daemon);
}

#[test]
fn who_may_not_write_can_still_read() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let daemon = with_store();
    for (path, _) in contents(&daemon) {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).expect("root may");
    }
    fs::set_permissions(daemon.folder(), fs::Permissions::from_mode(0o555)).expect("ours");
    fs::set_permissions(daemon.folder().join("config.db"), fs::Permissions::from_mode(0o400)).expect("ours");
    // The other user may not reach a program in this one's folders.
    let program = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().expect("a folder");
    let copy = program.path().join("filamentbox");
    fs::copy(BINARY, &copy).expect("a copy");
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&copy);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.arg("--data-dir").arg(daemon.folder()).args(arguments).output().expect("setpriv(1)")
    };
    let read = as_nobody(&["config", "get", "queue.max_size"]);
    assert_eq!(text(&read).trim(), "1000");
    let before = contents(&daemon);
    for command in [&["config", "set", "queue.max_size", "2000"][..], &["config", "key", "rotate"]] {
        let output = as_nobody(command);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("cannot be changed"), "{}", text(&output));
    }
    assert_eq!(contents(&daemon), before);
    // The folder must be removable.
    fs::set_permissions(daemon.folder(), fs::Permissions::from_mode(0o755)).expect("ours");
}

#[test]
fn a_rotation_beside_a_running_daemon_and_a_start_after_it() {
    let mut daemon = with_store();
    daemon.start();
    let old = fs::read(daemon.folder().join(".config_key")).expect("a key");
    let said = daemon.ask(&["config", "key", "rotate"]);
    assert!(said.contains("new key") && said.contains(".config_key"), "{said}");
    let new = fs::read_to_string(daemon.folder().join(".config_key")).expect("a key");
    assert_ne!(new.as_bytes(), old);
    assert!(!said.contains(new.trim()), "the key is not shown");
    daemon.ask(&["config", "set", "queue.max_size", "2000"]);
    assert!(daemon.status().is_some(), "the daemon goes on");
    assert!(daemon.stop().success());
    daemon.start();
    assert_eq!(daemon.ask(&["config", "get", "queue.max_size"]).trim(), "2000");
    let audit = daemon.ask(&["config", "audit"]);
    assert_eq!(audit.lines().count(), 2, "{audit}");
    assert!(audit.contains("queue.max_size: 1000 -> 2000"), "{audit}");
}

#[test]
fn where_the_key_is_but_not_the_key() {
    let mut daemon = Daemon::new();
    assert!(daemon.ask(&["config", "key", "show-location"]).contains("none yet"));
    assert!(contents(&daemon).is_empty(), "looking makes nothing");
    let shown = daemon.ask(&["config", "key", "generate", "--print"]);
    assert!(shown.trim().len() == 64 && shown.trim().bytes().all(|byte| byte.is_ascii_hexdigit()), "{shown}");
    assert!(contents(&daemon).is_empty(), "a printed key is kept nowhere");
    daemon.ask(&["config", "key", "generate"]);
    assert_eq!(daemon.cli(&["config", "key", "generate"]).status.code(), Some(1));
    daemon.ask(&["config", "set", "queue.max_size", "1000"]);
    let key = fs::read_to_string(daemon.folder().join(".config_key")).expect("a key");
    let location = |daemon: &Daemon| -> Value {
        let shown = daemon.ask(&["config", "key", "show-location"]);
        assert!(!shown.contains(key.trim()), "{shown}");
        serde_json::from_str(&daemon.ask(&["config", "key", "show-location", "--json"])).expect("JSON")
    };
    let found = location(&daemon);
    assert_eq!((&found["key"]["kind"], &found["opens"], &found["raw"]), (&"file".into(), &true.into(), &true.into()));
    daemon.variable("FILAMENTBOX_CONFIG_KEY", "a passphrase");
    let found = location(&daemon);
    assert_eq!(found["key"]["variable"], "FILAMENTBOX_CONFIG_KEY");
    assert_eq!((&found["opens"], &found["raw"]), (&false.into(), &false.into()));
}

#[test]
fn the_published_key_is_warned_of_at_every_start() {
    let mut daemon = Daemon::new();
    daemon.variable("FILAMENTBOX_ALLOW_DEFAULT_KEY", "1");
    for starts in 1..=2 {
        daemon.start().stop();
        assert_eq!(daemon.log().matches("which protects nothing").count(), starts, "{}", daemon.log());
    }
}
