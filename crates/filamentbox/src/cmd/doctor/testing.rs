//! Machines made of files, for the checks' tests.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use filamentbox_core::time::UnixTime;
use tempfile::TempDir;

use super::finding::{Finding, Status};
use super::outputs::Output;
use super::polarity::Switch;
use super::system::{ChipView, Daemon, Disk, LineView, Machine, System, User};
use crate::settings::{self, Layers};

/// A folder that looks like a machine's root, and the facts that are no files.
pub(super) struct Tree {
    machine: FakeMachine,
    values: Vec<(String, String)>,
    daemon: Daemon,
}

struct FakeMachine {
    folder: TempDir,
    /// Paths as on the machine, without the root.
    denied: Vec<String>,
    /// By path; the longest that is a beginning counts.
    disks: HashMap<String, Disk>,
    owners: HashMap<String, (u32, u32)>,
    lockable: Option<u64>,
    chips: Vec<(&'static str, &'static str)>,
}

/// The statuses of one check.
pub(super) fn statuses(findings: &[Finding], id: &str) -> Vec<Status> {
    findings.iter().filter(|finding| finding.check.id == id).map(|finding| finding.status).collect()
}

impl Tree {
    fn bare() -> Self {
        let disk = |magic| Disk { free: 16_000_000_000, magic };
        let machine = FakeMachine {
            folder: tempfile::tempdir().expect("a temporary folder"),
            denied: Vec::new(),
            disks: [("/".to_owned(), disk(0xef53)), ("/dev/shm".to_owned(), disk(0x0102_1994))].into(),
            owners: HashMap::new(),
            lockable: None,
            chips: Vec::new(),
        };
        let tree = Self { machine, values: Vec::new(), daemon: Daemon::Absent };
        tree.file("dev/shm/.keep", "").file("run/systemd/timesync/synchronized", "")
    }

    /// A desktop computer.
    pub(super) fn pc() -> Self {
        Self::bare().file("dev/rtc0", "")
    }

    /// A Raspberry Pi 4 in order, but for its pins: nothing is set for them.
    pub(super) fn pi_4() -> Self {
        let mut tree = Self::bare()
            .file("sys/firmware/devicetree/base/model", "Raspberry Pi 4 Model B Rev 1.4\0")
            .file("sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs", "N\n")
            .file(
                "boot/firmware/config.txt",
                "dtparam=i2c_arm=on\n\n[cm4]\notg_mode=1\n\n[all]\ndtparam=strict_gpiod\n",
            );
        tree.machine.chips = vec![("/dev/gpiochip0", "pinctrl-bcm2711"), ("/dev/gpiochip1", "raspberrypi-exp-gpio")];
        tree.pi()
    }

    /// A Raspberry Pi 4 as Raspberry Pi OS comes.
    pub(super) fn pi_4_as_shipped() -> Self {
        Self::pi_4()
            .file("sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs", "Y\n")
            .file("boot/firmware/config.txt", "#dtparam=i2c_arm=on\ndtparam=audio=on\n\n[cm4]\notg_mode=1\n\n[all]\n")
            .without("dev/i2c-1")
    }

    /// A Raspberry Pi 5 as Raspberry Pi OS comes.
    pub(super) fn pi_5() -> Self {
        let mut tree = Self::bare()
            .file("sys/firmware/devicetree/base/model", "Raspberry Pi 5 Model B Rev 1.0\0")
            .file("sys/module/pinctrl_rp1/parameters/persist_gpio_outputs", "Y\n")
            .file("boot/firmware/config.txt", "[cm5]\ndtoverlay=dwc2,dr_mode=host\n\n[all]\n")
            .file("dev/rtc0", "");
        tree.machine.chips = vec![("/dev/gpiochip0", "pinctrl-rp1"), ("/dev/gpiochip10", "gpio-brcmstb@107d508500")];
        tree.pi()
    }

    fn pi(self) -> Self {
        self.file("usr/lib/systemd/system.conf.d/40-rpi-enable-watchdog.conf", "[Manager]\nRuntimeWatchdogSec=1m\n")
            .file("sys/class/watchdog/watchdog0/identity", "Broadcom BCM2835 Watchdog timer")
            .file("sys/class/watchdog/watchdog0/bootstatus", "0")
            .file("dev/watchdog0", "")
            .file("proc/sys/kernel/osrelease", "6.12.47+rpt-rpi-v8")
            .file("dev/i2c-1", "")
    }

    /// A file with this text.
    pub(super) fn file(self, path: &str, text: &str) -> Self {
        let path = self.machine.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("writable");
        fs::write(path, text).expect("writable");
        self
    }

    /// Without a file or folder.
    pub(super) fn without(self, path: &str) -> Self {
        let path = self.machine.folder.path().join(path);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    /// A setting.
    pub(super) fn set(mut self, key: &str, value: &str) -> Self {
        self.values.push((super::variable(key), value.to_owned()));
        self
    }

    pub(super) fn daemon(mut self, daemon: Daemon) -> Self {
        self.daemon = daemon;
        self
    }

    /// This user may not use `path`.
    pub(super) fn denied(mut self, path: &str) -> Self {
        self.machine.denied.push(path.to_owned());
        self
    }

    pub(super) fn owner(mut self, path: &str, uid: u32, mode: u32) -> Self {
        self.machine.owners.insert(path.to_owned(), (uid, mode));
        self
    }

    pub(super) fn disk(mut self, path: &str, free: u64, magic: u64) -> Self {
        self.machine.disks.insert(path.to_owned(), Disk { free, magic });
        self
    }

    pub(super) fn lockable(mut self, bytes: u64) -> Self {
        self.machine.lockable = Some(bytes);
        self
    }

    pub(super) fn system(self) -> System {
        let variables = self.values.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let loaded = settings::load(&settings::registry(), Layers { variables, ..Layers::default() }).expect("allowed");
        System {
            root: self.machine.folder.path().to_owned(),
            machine: Box::new(self.machine),
            settings: loaded.settings,
            config: loaded.config,
            problems: Vec::new(),
            data_dir: PathBuf::from("/var/lib/filamentbox"),
            daemon: self.daemon,
            backends: Vec::new(),
        }
    }
}

impl FakeMachine {
    /// As on the machine.
    fn inside(&self, path: &Path) -> String {
        let inside = path.strip_prefix(self.folder.path()).expect("within the root");
        format!("/{}", inside.display())
    }
}

impl Machine for FakeMachine {
    fn disk(&self, path: &Path) -> io::Result<Disk> {
        let inside = self.inside(path);
        let below = self.disks.iter().filter(|(folder, _)| inside.starts_with(folder.as_str()));
        Ok(*below.max_by_key(|(folder, _)| folder.len()).expect("the root has one").1)
    }

    fn may_use(&self, path: &Path) -> io::Result<()> {
        let is_denied = self.denied.contains(&self.inside(path));
        if is_denied { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }

    fn owner(&self, path: &Path) -> io::Result<(u32, u32)> {
        fs::metadata(path)?;
        Ok(self.owners.get(&self.inside(path)).copied().unwrap_or((0, 0o644)))
    }

    fn wall(&self) -> Option<UnixTime> {
        Some(UnixTime::from_millis(1_790_000_000_000))
    }

    fn lockable_memory(&self) -> Option<u64> {
        self.lockable
    }

    fn user(&self) -> User {
        User { name: "pi".to_owned(), is_root: false }
    }

    fn chips(&self) -> Vec<ChipView> {
        let view = |(path, label): &(&str, &str)| {
            let opened = if self.denied.contains(&(*path).to_owned()) {
                Err(io::ErrorKind::PermissionDenied.into())
            } else {
                Ok(((*label).to_owned(), vec![LineView::default(); 54]))
            };
            ChipView { path: PathBuf::from(path), opened }
        };
        self.chips.iter().map(view).collect()
    }
}

/// A machine without lines.
pub(super) struct NoSwitch;

impl Switch for NoSwitch {
    fn pulse(&mut self, _: Output, _: Duration) -> Result<(), String> {
        Err("no GPIO20 on this machine".to_owned())
    }
}
