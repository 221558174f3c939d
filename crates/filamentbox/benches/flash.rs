//! Bytes that reach the block device for each sample: with no backend, with one that keeps up, and with one that is down.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::support::{Daemon, InfluxServer, Server};
use super::{private_field, seconds};

/// What stands behind the daemon.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Backend {
    None,
    Up,
    Down,
}

/// Samples of simulated time, for each durability and backend.
pub(super) fn report() {
    for backend in [Backend::None, Backend::Up, Backend::Down] {
        for durability in ["minute", "each", "ram"] {
            measure(durability, backend);
        }
    }
}

fn measure(durability: &str, backend: Backend) {
    // Commits for each sample take real time; everything else follows simulated time.
    let (interval, scale) = if durability == "each" { ("0.25", "1") } else { ("5", "300") };
    let mut daemon = Daemon::new();
    let server = if backend == Backend::None { None } else { InfluxServer::start() };
    if backend != Backend::None {
        let Some(server) = &server else { return };
        for (key, value) in server.settings() {
            daemon.set(&key, &value);
        }
    }
    let what = match backend {
        Backend::None => "no backend",
        Backend::Up => "backend up",
        Backend::Down => {
            // Nobody listens on port 9 (discard) of this machine.
            daemon.set("database.influxdb_v1.url", "http://127.0.0.1:9");
            "backend down"
        }
    };
    let device = Device::mount(daemon.folder());
    daemon.set("data_collection.read_interval", interval).set("persistence.durability", durability);
    daemon.argument("--time-scale").argument(scale).start();
    // A hundred commits make the write-ahead log grow to its working size, in which it is then written again and again.
    sleep(Duration::from_secs(25));
    let samples =
        |daemon: &Daemon| daemon.status().expect("it answers")["journal"]["samples"].as_u64().expect("a number");
    let (samples_before, bytes_before) = (samples(&daemon), written(&daemon, device.as_ref()));
    sleep(seconds());
    let (samples_after, bytes_after) = (samples(&daemon), written(&daemon, device.as_ref()));
    let count = samples_after - samples_before;
    let each = (bytes_after - bytes_before) as f64 / count as f64;
    let place = if device.is_some() { "block device" } else { "/proc/PID/io" };
    println!(
        "{what:<12} durability {durability:<7} {each:>8.0} bytes a sample ({count} samples, {place}), {:.1} MB a day at 5 s",
        each * 17_280.0 / 1e6,
    );
    daemon.stop();
    drop(device);
}

fn written(daemon: &Daemon, device: Option<&Device>) -> u64 {
    match device {
        Some(device) => device.written(),
        None => private_field(daemon.pid(), "io", "write_bytes:"),
    }
}

/// An ext4 on a loop device, mounted over a daemon's folder.
struct Device {
    mount: std::path::PathBuf,
    image: std::path::PathBuf,
    name: String,
}

impl Device {
    fn mount(folder: &Path) -> Option<Self> {
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let image = folder.with_extension("img");
        fs::File::create(&image).ok()?.set_len(256 << 20).ok()?;
        let (image_text, folder_text) = (image.to_str()?, folder.to_str()?);
        let mounted = run("mkfs.ext4", &["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image_text])
            .and_then(|_| run("mount", &["-o", "loop,noatime", image_text, folder_text]))
            .and_then(|_| run("findmnt", &["-n", "-o", "SOURCE", folder_text]));
        let Some(source) = mounted else {
            println!("SKIPPED: no loop device can be mounted here; bytes are those of /proc/PID/io");
            let _ = fs::remove_file(&image);
            return None;
        };
        // The log would be written to the same device.
        let _ = std::os::unix::fs::symlink(folder.with_extension("log"), folder.join("log"));
        Some(Self { mount: folder.to_owned(), image, name: source.trim_start_matches("/dev/").to_owned() })
    }

    /// Bytes written to the device since it was made (field 7 of its statistics counts sectors of 512 bytes).
    fn written(&self) -> u64 {
        let text = fs::read_to_string(format!("/sys/block/{}/stat", self.name)).unwrap_or_default();
        text.split_whitespace().nth(6).and_then(|sectors| sectors.parse::<u64>().ok()).unwrap_or(0) * 512
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(&self.mount).status();
        let _ = fs::remove_file(&self.image);
        let _ = fs::remove_file(self.mount.with_extension("log"));
    }
}
