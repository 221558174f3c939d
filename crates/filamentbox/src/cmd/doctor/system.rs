//! Where the checks look: files under a root, which tests lay out themselves, and the few facts that are no files.
//!
//! Nothing here changes anything: files are read, devices are opened for questions only.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use filamentbox_core::config::{Config, Settings};
use filamentbox_core::time::UnixTime;
use gpiocdev_uapi::v2::{LineFlags, get_chip_info, get_line_info};
use rustix::fs::Access;
use rustix::process::{Resource, getrlimit};
use serde_json::Value;

use super::super::database::Tested;
use super::bootconfig::{BootConfig, Model};
use crate::runtime::clock;

/// A file longer than this is none of those looked at.
const FILE_MAX: u64 = 1 << 20;

/// All that the checks look at.
pub(super) struct System {
    /// `/`, or a test's folder.
    pub(super) root: PathBuf,
    pub(super) machine: Box<dyn Machine>,
    pub(super) settings: Settings,
    pub(super) config: Config,
    /// Why `settings` are the defaults, if the real ones were refused.
    pub(super) problems: Vec<String>,
    /// Without `root`.
    pub(super) data_dir: PathBuf,
    pub(super) daemon: Daemon,
    /// The backends of `settings`, looked at.
    pub(super) backends: Vec<Tested>,
}

/// What answers at the daemon's socket.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Daemon {
    /// Its status.
    Running(Value),
    /// Nothing.
    Absent,
    /// There may be one; why it cannot be asked.
    Unreachable(String),
}

/// The facts that are no files.
pub(super) trait Machine {
    /// Room and kind of the file system that holds `path`.
    fn disk(&self, path: &Path) -> io::Result<Disk>;
    /// Owner (0 is root) and permission bits of `path`.
    fn owner(&self, path: &Path) -> io::Result<(u32, u32)>;
    /// Whether this process may read and write `path`.
    fn may_use(&self, path: &Path) -> io::Result<()>;
    /// What the wall clock shows.
    fn wall(&self) -> Option<UnixTime>;
    /// Memory that a process may lock, in bytes; `None` without a limit.
    fn lockable_memory(&self) -> Option<u64>;
    /// Who runs this.
    fn user(&self) -> User;
    /// The GPIO chips.
    fn chips(&self) -> Vec<ChipView>;
}

/// A file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Disk {
    /// Free for this user, in bytes.
    pub(super) free: u64,
    /// Its number, statfs(2).
    pub(super) magic: u64,
}

/// Who runs this.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) is_root: bool,
}

/// A GPIO character device.
#[derive(Debug)]
pub(super) struct ChipView {
    /// Such as `/dev/gpiochip0`.
    pub(super) path: PathBuf,
    /// The driver's label and its lines from 0 on, or why it cannot be opened.
    pub(super) opened: io::Result<(String, Vec<LineView>)>,
}

/// A GPIO line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct LineView {
    pub(super) is_used: bool,
    /// Who uses it, as it calls itself; empty where it does not.
    pub(super) consumer: String,
}

impl System {
    /// Where a path is under the root.
    pub(super) fn root_path(&self, path: &Path) -> PathBuf {
        self.path(&path.to_string_lossy())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file, without white space at its ends; `None` when it cannot be read.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        self.try_read(path).ok()
    }

    /// Like [`Self::read`], with the reason.
    pub(super) fn try_read(&self, path: &str) -> io::Result<String> {
        let path = self.path(path);
        if fs::metadata(&path)?.len() > FILE_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        // Device tree strings end with a zero byte.
        let text = fs::read(path)?;
        Ok(String::from_utf8_lossy(&text).trim_end_matches('\0').trim().to_owned())
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Owner (0 is root) and permission bits.
    pub(super) fn owner(&self, path: &str) -> io::Result<(u32, u32)> {
        self.machine.owner(&self.path(path))
    }

    /// The names in a folder, sorted; empty when there is none.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    pub(super) fn may_use(&self, path: &Path) -> io::Result<()> {
        let path = self.path(&path.to_string_lossy());
        fs::metadata(&path)?;
        self.machine.may_use(&path)
    }

    pub(super) fn disk(&self, path: &Path) -> io::Result<Disk> {
        self.machine.disk(&self.path(&path.to_string_lossy()))
    }

    /// The Raspberry Pi this is, if it is one.
    pub(super) fn model(&self) -> Option<Model> {
        let text = ["/sys/firmware/devicetree/base/model", "/proc/device-tree/model"];
        text.iter().find_map(|path| self.read(path)).and_then(|text| Model::new(&text))
    }

    /// Where config.txt is, or would be.
    pub(super) fn boot_config_path(&self) -> &'static str {
        const PLACES: [&str; 2] = ["/boot/firmware/config.txt", "/boot/config.txt"];
        PLACES.into_iter().find(|path| self.exists(path)).unwrap_or(PLACES[0])
    }

    /// What config.txt says for this model; `None` when it cannot be read.
    pub(super) fn boot_config(&self, model: &Model) -> Option<BootConfig> {
        let path = self.boot_config_path();
        let folder = path.trim_end_matches("config.txt");
        let include = |name: &str| self.read(&format!("{folder}{name}"));
        Some(BootConfig::parse(&self.read(path)?, model, &include))
    }

    /// Whether systemd runs a unit: then its control group exists.
    pub(super) fn runs_unit(&self, unit: &str) -> bool {
        self.exists(&format!("/sys/fs/cgroup/system.slice/{unit}"))
            || self.exists(&format!("/sys/fs/cgroup/systemd/system.slice/{unit}"))
    }

    /// Why outputs and sensor may have a holder although no daemon answered: then neither may be touched.
    pub(super) fn other_daemon(&self) -> Option<String> {
        if self.daemon != Daemon::Absent {
            return None;
        }
        let holds = |arguments: &[&str]| is_guard(arguments) && !arguments.contains(&"--simulate");
        let guard =
            self.processes(holds).unwrap_or_default().first().map(|pid| format!("a relay guard (process {pid})"));
        let runs = self.runs_unit("filamentbox.service").then(|| "the service filamentbox".to_owned()).or(guard)?;
        Some(format!("{runs} runs, and no daemon answers in {}", self.data_dir.display()))
    }

    /// Processes whose arguments `matches`; `None` when the processes of other users are hidden.
    pub(super) fn processes(&self, matches: impl Fn(&[&str]) -> bool) -> Option<Vec<u32>> {
        self.read("/proc/1/comm")?;
        let of_process = |pid: u32| {
            let text = self.read(&format!("/proc/{pid}/cmdline"))?;
            matches(&text.split('\0').collect::<Vec<_>>()).then_some(pid)
        };
        Some(self.names("/proc").iter().filter_map(|name| name.parse().ok()).filter_map(of_process).collect())
    }

    /// The groups that `/etc/group` gives to a user.
    pub(super) fn is_in_group(&self, user: &str, group: &str) -> bool {
        let groups = self.read("/etc/group").unwrap_or_default();
        let members = groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(group)).then(|| fields.nth(2).unwrap_or_default())
        });
        members.unwrap_or_default().split(',').any(|member| member == user)
    }
}

/// Whether these are the arguments of a relay guard.
pub(super) fn is_guard(arguments: &[&str]) -> bool {
    arguments.get(1) == Some(&"relay-guard") && arguments[0].ends_with("filamentbox")
}

/// The machine this runs on.
pub(super) struct ThisMachine;

impl Machine for ThisMachine {
    fn disk(&self, path: &Path) -> io::Result<Disk> {
        let room = rustix::fs::statvfs(path)?;
        let kind = rustix::fs::statfs(path)?;
        Ok(Disk {
            free: room.f_bavail.saturating_mul(room.f_frsize),
            // The numbers are 32 bits; on a 32-bit machine their type is signed.
            magic: kind.f_type as u64 & 0xffff_ffff,
        })
    }

    fn owner(&self, path: &Path) -> io::Result<(u32, u32)> {
        let metadata = fs::metadata(path)?;
        Ok((metadata.uid(), metadata.mode() & 0o7777))
    }

    fn may_use(&self, path: &Path) -> io::Result<()> {
        rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK).map_err(io::Error::from)
    }

    fn wall(&self) -> Option<UnixTime> {
        clock::wall()
    }

    fn lockable_memory(&self) -> Option<u64> {
        getrlimit(Resource::Memlock).current
    }

    fn user(&self) -> User {
        let uid = rustix::process::getuid();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let named = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == uid.as_raw().to_string()).then(|| name.to_owned())
        });
        let name = named.or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| uid.as_raw().to_string());
        User { name, is_root: uid.is_root() }
    }

    fn chips(&self) -> Vec<ChipView> {
        let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
        let names = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("gpiochip"));
        let mut paths: Vec<PathBuf> = names.map(|entry| entry.path()).collect();
        paths.sort();
        paths.into_iter().map(|path| ChipView { opened: view_chip(&path), path }).collect()
    }
}

/// Asks a chip for its lines. Asking claims none.
fn view_chip(path: &Path) -> io::Result<(String, Vec<LineView>)> {
    let chip = fs::File::open(path)?;
    let info = get_chip_info(&chip).map_err(io::Error::other)?;
    let line = |offset| {
        let line = get_line_info(&chip, offset).map_err(io::Error::other)?;
        Ok(LineView { is_used: line.flags.contains(LineFlags::USED), consumer: String::from(&line.consumer) })
    };
    Ok((String::from(&info.label), (0..info.num_lines).map(line).collect::<io::Result<_>>()?))
}
