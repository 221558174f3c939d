//! A disk that is full or fails, under the running daemon or when it starts: it goes on measuring, and nothing is lost.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{BINARY, Daemon, free_address, wait_until};

/// A file system of its own for a journal, unmounted when dropped.
struct Disk {
    folder: TempDir,
    /// The file that a loop device shows as an ext4; none for a tmpfs.
    image: Option<PathBuf>,
}

fn run(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    match &output {
        Ok(output) if output.status.success() => return true,
        Ok(output) => eprintln!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => eprintln!("{program}: {error}"),
    }
    false
}

impl Disk {
    fn tmpfs(megabytes: u32) -> Option<Self> {
        let disk = Self { folder: tempfile::tempdir().expect("a temporary folder"), image: None };
        let options = format!("size={megabytes}m");
        disk.mounted(&["-t", "tmpfs", "-o", &options, "tmpfs"])
    }

    fn ext4(megabytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let image = folder.path().with_extension("img");
        let file = std::fs::File::create(&image).expect("an image");
        file.set_len(megabytes << 20).expect("a sparse file");
        let disk = Self { folder, image: Some(image.clone()) };
        let image = image.to_str().expect("text");
        if !run("mkfs.ext4", &["-q", image]) {
            eprintln!("SKIPPED: there is no ext4");
            return None;
        }
        disk.mounted(&["-o", "loop", image])
    }

    fn mounted(self, arguments: &[&str]) -> Option<Self> {
        if self.mount(arguments) {
            return Some(self);
        }
        eprintln!("SKIPPED: nothing can be mounted (that takes root)");
        None
    }

    fn mount(&self, arguments: &[&str]) -> bool {
        let target = self.path().to_str().expect("text");
        run("mount", &[arguments, &[target]].concat())
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l", self.path().to_str().expect("text")]);
        if let Some(image) = &self.image {
            let _removed = std::fs::remove_file(image);
        }
    }
}

/// A daemon with its journal there, and a backend that is not.
fn daemon_on(disk: &Disk) -> Daemon {
    let mut daemon = Daemon::new();
    let journal = disk.path().join("journal.db");
    daemon
        .set("persistence.db_path", journal.to_str().expect("text"))
        .set("persistence.durability", "each")
        .set("database.type", "victoriametrics")
        .set("database.victoriametrics.url", &format!("http://{}", free_address()));
    let file = alerts_file(&daemon).display().to_string();
    daemon.set("alerts.command", &format!("sh -c 'cat >> \"$1\"; echo >> \"$1\"' sh '{file}'"));
    daemon
}

fn alerts_file(daemon: &Daemon) -> PathBuf {
    daemon.folder().join("alerts.jsonl")
}

/// What the hooks were told of the journal: event, and whether there was a reason and a time.
fn alerts(daemon: &Daemon) -> Vec<(String, bool)> {
    let text = std::fs::read_to_string(alerts_file(daemon)).unwrap_or_default();
    let alerts = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = alerts.map(|alert| {
        let is_whole = alert["reason"] != "" && alert["since"].as_f64() <= alert["timestamp"].as_f64();
        (alert["event"].as_str().expect("text").to_owned(), is_whole && alert["backend"].is_null())
    });
    told.filter(|(event, _)| event.starts_with("journal")).collect()
}

fn disk_error(daemon: &Daemon) -> Option<String> {
    daemon.status().and_then(|status| status["journal"]["disk_error"].as_str().map(ToOwned::to_owned))
}

fn samples(daemon: &Daemon) -> u64 {
    daemon.status().and_then(|status| status["journal"]["samples"].as_u64()).unwrap_or(0)
}

fn take_samples(daemon: &Daemon, count: u64) {
    let goal = samples(daemon) + count;
    wait_until("samples", || samples(daemon) >= goal);
}

/// What the log says of an episode of a disk that fails under a running daemon.
const FAILED: [&str; 2] = ["the journal's disk fails", "the journal is written again"];
/// The same where the file could not be opened at the start.
const WAITED: [&str; 2] = ["samples are held in memory until it can", "the journal could be opened"];

/// Through the trouble the daemon has gone on; afterwards everything is on disk.
fn assert_nothing_lost(daemon: &mut Daemon, said: [&str; 2]) {
    let count = |name: &str| daemon.outbox("victoriametrics")["totals"][name].as_u64().expect("a number");
    assert_eq!((count("evicted"), count("delivered")), (0, 0));
    wait_until("the journal is written again", || disk_error(daemon).is_none());
    take_samples(daemon, 2);
    let sampled = samples(daemon);
    let log = daemon.log();
    let told = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(said.map(told), [1, 1], "{log}");
    wait_until("both alerts", || alerts(daemon).len() >= 2);
    let expected = ["journal_failing", "journal_recovered"].map(|event| (event.to_owned(), true));
    assert_eq!(alerts(daemon), expected);
    assert!(daemon.stop().success());
    let kept = daemon.history().len() as u64;
    assert!(kept >= sampled, "{kept} of {sampled}");
}

#[test]
fn a_disk_that_fills_up_stops_nothing_and_loses_nothing() {
    let Some(disk) = Disk::tmpfs(2) else { return };
    let mut daemon = daemon_on(&disk);
    daemon.start();
    take_samples(&daemon, 4);
    let filler = disk.path().join("filler");
    let wrote_all = std::fs::write(&filler, vec![1; 4 << 20]);
    assert!(wrote_all.is_err(), "the disk is full");
    wait_until("the disk is said to be full", || disk_error(&daemon).is_some_and(|text| text.contains("full")));
    take_samples(&daemon, 8);
    std::fs::remove_file(&filler).expect("removable");
    assert_nothing_lost(&mut daemon, FAILED);
}

/// As the kernel does it after an error of the card: ext4 lets nobody write any more.
#[test]
fn a_disk_that_turns_read_only_stops_nothing_and_loses_nothing() {
    let Some(disk) = Disk::ext4(16) else { return };
    let mut daemon = daemon_on(&disk);
    daemon.start();
    take_samples(&daemon, 4);
    // The options of the kernel's own tests: everything fails from here on.
    if !disk.mount(&["-o", "remount,abort"]) {
        eprintln!("SKIPPED: this kernel does not know ext4's `abort`");
        return;
    }
    wait_until("the disk is said to fail", || disk_error(&daemon).is_some());
    take_samples(&daemon, 8);
    let path = disk.path().to_str().expect("text");
    wait_until("the disk is let go", || run("umount", &[path]));
    let image = disk.image.clone().expect("an image");
    let image = image.to_str().expect("text");
    // It finds the error, which is what makes the next mount writable.
    run("fsck.ext4", &["-p", image]);
    assert!(disk.mount(&["-o", "loop", image]));
    assert_nothing_lost(&mut daemon, FAILED);
}

/// Control works while the journal waits for its disk.
fn heat(daemon: &Daemon) {
    daemon.ask(&["heater", "on", "--for", "10m"]);
    daemon.wait_for_output("heater", true);
    daemon.ask(&["heater", "off"]);
    daemon.wait_for_output("heater", false);
}

#[test]
fn a_start_on_a_full_disk_measures_heats_and_loses_nothing() {
    let Some(disk) = Disk::tmpfs(2) else { return };
    let filler = disk.path().join("filler");
    assert!(std::fs::write(&filler, vec![1; 4 << 20]).is_err(), "the disk is full");
    let mut daemon = daemon_on(&disk);
    daemon.start();
    wait_until("the disk is said to be full", || disk_error(&daemon).is_some_and(|text| text.contains("full")));
    take_samples(&daemon, 8);
    heat(&daemon);
    let waiting = &daemon.outbox("victoriametrics")["totals"]["waiting"];
    assert!(waiting.as_u64().is_some_and(|count| count >= 8), "{waiting}");
    std::fs::remove_file(&filler).expect("removable");
    assert_nothing_lost(&mut daemon, WAITED);
}

#[test]
fn a_start_on_a_read_only_disk_measures_heats_and_joins_what_was_there() {
    let Some(disk) = Disk::ext4(16) else { return };
    let mut daemon = daemon_on(&disk);
    daemon.start();
    take_samples(&daemon, 4);
    assert!(daemon.stop().success());
    assert!(disk.mount(&["-o", "remount,ro"]));
    daemon.start();
    wait_until("the disk is said to be read-only", || disk_error(&daemon).is_some());
    // These are counted anew until the file is there.
    take_samples(&daemon, 8);
    heat(&daemon);
    assert!(disk.mount(&["-o", "remount,rw"]));
    wait_until("the journal is open", || disk_error(&daemon).is_none());
    assert!(samples(&daemon) >= 12, "both are there: {}", samples(&daemon));
    assert_nothing_lost(&mut daemon, WAITED);
}

/// A daemon whose data folder is the disk, and what it makes elsewhere is in another folder.
struct Whole<'a> {
    disk: &'a Disk,
    elsewhere: TempDir,
    child: Child,
}

impl<'a> Whole<'a> {
    fn start(disk: &'a Disk) -> Self {
        let elsewhere = tempfile::tempdir().expect("a temporary folder");
        let log = std::fs::File::create(elsewhere.path().join("log")).expect("a log");
        let child = Command::new(BINARY)
            .arg("--data-dir")
            .arg(disk.path())
            .args(["run", "--simulate"])
            .env("RUNTIME_DIRECTORY", elsewhere.path())
            .env("FILAMENTBOX_DATA_COLLECTION__READ_INTERVAL", "0.25")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle"))
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        Self { disk, elsewhere, child }
    }

    fn ask(&self, folder: &Path, arguments: &[&str]) -> Option<Value> {
        let asked = Command::new(BINARY).arg("--data-dir").arg(folder).args(arguments).arg("--json").output();
        serde_json::from_slice(&asked.ok()?.stdout).ok()
    }

    /// Waits until that is so, as the socket in `folder` says.
    fn wait(&self, folder: &Path, what: &str, is_so: impl Fn(&Value) -> bool) {
        wait_until(what, || self.ask(folder, &["status"]).is_some_and(|status| is_so(&status)));
    }

    fn stop(mut self) -> String {
        run("kill", &[&self.child.id().to_string()]);
        assert!(self.child.wait().expect("a child").success());
        std::fs::read_to_string(self.elsewhere.path().join("log")).expect("a log")
    }
}

impl Drop for Whole<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The whole data folder of an installation cannot be written: no socket there, no store of settings, no journal. What it knows of
/// latches it can read, so it heats.
#[test]
fn a_start_in_a_read_only_data_folder_works_with_its_socket_elsewhere() {
    let Some(disk) = Disk::ext4(16) else { return };
    let daemon = Whole::start(&disk);
    daemon.wait(disk.path(), "samples", |status| status["journal"]["samples"].as_u64() > Some(2));
    daemon.stop();
    for file in std::fs::read_dir(disk.path()).expect("a folder").flatten() {
        let name = file.file_name().into_string().expect("text");
        // As in an installation that never had a store.
        if name.contains("config") {
            std::fs::remove_file(file.path()).expect("removable");
        }
    }
    assert!(disk.mount(&["-o", "remount,ro"]));
    let daemon = Whole::start(&disk);
    let elsewhere = daemon.elsewhere.path();
    daemon.wait(elsewhere, "samples", |status| status["journal"]["samples"].as_u64() > Some(4));
    let error = daemon.ask(elsewhere, &["status"]).expect("it answers")["journal"]["disk_error"].to_string();
    assert!(error.contains("journal.db cannot be used"), "{error}");
    let asked = Command::new(BINARY).arg("--data-dir").arg(elsewhere).args(["heater", "on", "--for", "10m"]).status();
    assert!(asked.expect("the binary starts").success());
    daemon.wait(elsewhere, "heat", |status| status["controls"]["heater"]["on"] == true);
    assert!(daemon.disk.mount(&["-o", "remount,rw"]));
    daemon.wait(elsewhere, "the journal", |status| status["journal"]["disk_error"].is_null());
    let log = daemon.stop();
    for told in ["the socket is in", "no store for settings can be made", "the journal could be opened"] {
        assert!(log.contains(told), "{told}: {log}");
    }
}
