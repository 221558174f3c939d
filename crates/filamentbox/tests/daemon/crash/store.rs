//! Every call of a command that touches the settings' store or its key is hit once by SIGKILL, once by a full disk and once by a broken one:
//! the first start, a change, and a rotation of the key. Afterwards there is a store and its key, and nothing is lost.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use filamentbox::settings::{Access, Change, Key, Places, Sources, Variable};
use tempfile::TempDir;

use super::strace::{self, Fault};
use crate::support::BINARY;

/// The calls that change files, their names or their permissions.
const CALLS: [&str; 13] = [
    "openat",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat2",
    "unlink",
    "fchmod",
    "fchown",
    "copy_file_range",
    "sendfile",
];
const KEY: &str = "heating_control.max_temp_c";

/// What is hit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    FirstStart,
    Change,
    Rotation,
}

impl Act {
    const ALL: [Self; 3] = [Self::FirstStart, Self::Change, Self::Rotation];

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::FirstStart | Self::Change => &["config", "set", KEY, "26"],
            Self::Rotation => &["config", "key", "rotate"],
        }
    }
}

/// A folder of settings, always at the same paths.
struct Bench {
    folder: TempDir,
    before: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            folder: tempfile::tempdir_in("/dev/shm").expect("a folder"),
            before: tempfile::tempdir_in("/dev/shm").expect("a folder"),
        };
        let places = Places::new(bench.before.path().to_owned(), None);
        let mut sources = Sources::open(places, Access::Create, false, Vec::new()).expect("it opens");
        // Long enough that a change touches several pages.
        for number in 0..40 {
            let text = Some("0123456789".repeat(10));
            let change = Change { key: format!("data_collection.tags.t{number}"), text };
            sources.change(&[change, set("25")], "test").expect("allowed");
        }
        bench
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("strace")
    }

    fn places(&self) -> Places {
        Places::new(self.data(), None)
    }

    fn prepare(&self, act: Act) {
        if self.data().exists() {
            fs::remove_dir_all(self.data()).expect("ours");
        }
        fs::create_dir(self.data()).expect("a folder");
        if act != Act::FirstStart {
            for name in ["config.db", ".config_key", "config.db.lock"] {
                fs::copy(self.before.path().join(name), self.data().join(name)).expect("a copy");
            }
        }
    }

    fn paths(&self) -> Vec<PathBuf> {
        let names = ["config.db", "config.db-journal", "config.db.new", "config.db.new-journal", "config.db.lock"];
        let keys = [".config_key", ".config_key.new"];
        let mut paths: Vec<_> = names.into_iter().chain(keys).map(|name| self.data().join(name)).collect();
        paths.push(self.data());
        paths
    }

    fn run(&self, act: Act, before: &[String]) -> Output {
        let mut command = Command::new(&before[0]);
        command.args(&before[1..]).arg(BINARY).arg("--data-dir").arg(self.data()).args(act.arguments());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.output().expect("strace(1)")
    }

    /// Which calls to hit, as (call, number): those of an undisturbed run.
    fn calls(&self, act: Act) -> Vec<(&'static str, u64)> {
        self.prepare(act);
        let output = self.run(act, &strace::tracing(&CALLS.join(","), &self.paths(), &self.log()));
        assert!(output.status.success(), "{act:?}: {}", String::from_utf8_lossy(&output.stderr));
        let mut numbers: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut all = Vec::new();
        for line in strace::calls(&self.log()) {
            let (_, call) = line.split_once(' ').expect("a thread and a call");
            let name = call.split('(').next().expect("a name");
            let name = CALLS.into_iter().find(|known| *known == name).expect("a call that was asked for");
            let number = numbers.entry(name).or_default();
            *number += 1;
            all.push((name, *number));
        }
        all
    }

    fn hit(&self, act: Act, call: &str, number: u64, fault: Fault) -> Result<(), String> {
        self.prepare(act);
        let mut before = strace::tracing(call, &self.paths(), &self.log());
        before.extend(strace::injecting(call, number, fault));
        let output = self.run(act, &before);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if fault == Fault::Kill && output.status.signal().is_none() {
            return Err(format!("it was not killed: {} {said}", output.status));
        }
        if fault != Fault::Kill
            && output.status.code() != Some(0)
            && (output.status.code() != Some(1) || said.is_empty())
        {
            return Err(format!("no clear failure: {} {said}", output.status));
        }
        self.check(act, output.status.success())
    }

    /// What was there is there, and what was promised.
    fn check(&self, act: Act, was_promised: bool) -> Result<(), String> {
        let is_there = self.places().store.exists();
        if is_there {
            // A wrong key must not touch what a killed change has left.
            let wrong: Vec<Variable> = vec![("CONFIG_ENCRYPTION_KEY".into(), "0".repeat(64).into())];
            if Sources::open(self.places(), Access::Existing, false, wrong).is_ok() && self.new_key().is_none() {
                return Err("a wrong key opens it".to_owned());
            }
        }
        let value = |access| -> Result<String, String> {
            let sources = Sources::open(self.places(), access, false, Vec::new()).map_err(|error| error.to_string())?;
            let loaded = sources.load().map_err(|error| error.to_string())?;
            let tags = if act == Act::FirstStart { 0 } else { 40 };
            if loaded.config.tags.len() != tags {
                return Err(format!("{} tags of {tags}", loaded.config.tags.len()));
            }
            Ok(loaded.settings.get(KEY).expect("it has a default").text.expose().to_owned())
        };
        let read = value(Access::Existing).map_err(|wrong| format!("reading: {wrong}"))?;
        let opened = value(Access::Create).map_err(|wrong| format!("starting: {wrong}"))?;
        let allowed: &[&str] = match act {
            Act::FirstStart if !was_promised => &["22.0", "26"],
            Act::Change if !was_promised => &["25", "26"],
            Act::FirstStart | Act::Change => &["26"],
            Act::Rotation => &["25"],
        };
        if read != opened || !allowed.contains(&read.as_str()) {
            return Err(format!("{KEY} is {read}, then {opened}"));
        }
        let mut sources =
            Sources::open(self.places(), Access::Create, false, Vec::new()).map_err(|error| error.to_string())?;
        sources.change(&[set("27")], "test").map_err(|error| format!("changing: {error}"))?;
        drop(sources);
        let mut names: Vec<_> = fs::read_dir(self.data())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        if names != [".config_key", "config.db", "config.db.lock"] {
            return Err(format!("left: {names:?}"));
        }
        if was_promised && act == Act::Rotation && self.key_in(&self.data()) == self.key_in(self.before.path()) {
            return Err("the key is the old one".to_owned());
        }
        Ok(())
    }

    fn new_key(&self) -> Option<Key> {
        Key::read(&self.data().join(".config_key.new")).ok().flatten()
    }

    fn key_in(&self, folder: &Path) -> String {
        Key::read(&folder.join(".config_key")).expect("usable").expect("there").reveal().to_owned()
    }
}

fn set(text: &str) -> Change {
    Change { key: KEY.to_owned(), text: Some(text.to_owned()) }
}

/// Every `step`-th point.
fn hit_all(step: usize) {
    if !strace::is_possible() {
        return;
    }
    let bench = Bench::new();
    let mut failures = Vec::new();
    let mut index = 0;
    for act in Act::ALL {
        let calls = bench.calls(act);
        println!("{act:?}: {} calls", calls.len());
        assert!(calls.len() > 10, "{act:?} touches files");
        for (call, number) in calls {
            for fault in Fault::ALL {
                index += 1;
                if usize::is_multiple_of(index, step)
                    && let Err(wrong) = bench.hit(act, call, number, fault)
                {
                    failures.push(format!("{act:?}, {call} {number}, {fault:?}: {wrong}"));
                }
            }
        }
    }
    println!("{index} points, {} failures", failures.len());
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_kill_or_a_failing_disk_at_any_call_leaves_a_store_and_its_key() {
    // No multiple of the number of faults: each comes up.
    hit_all(7);
}

#[test]
fn soak_of_all_kill_points_of_the_store() {
    if std::env::var_os("FILAMENTBOX_SOAK").is_none() {
        eprintln!("SKIPPED: all kill points are part of `make soak` (FILAMENTBOX_SOAK=1)");
        return;
    }
    hit_all(1);
}
