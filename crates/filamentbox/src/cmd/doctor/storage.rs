//! Room and kind of the disk, the RAM disk that a crash of the program leaves the newest samples on, and locked memory.

use std::path::Path;

use super::finding::{Check, Finding, Step, put, run, say};
use super::permissions::nearest;
use super::setting;
use super::system::{System, is_guard};

const GROUP: &str = "storage";
const ROOM: Check = Check::working(GROUP, "disk-room", "disk");
const FILE_SYSTEM: Check = Check::working(GROUP, "file-system", "file system");
const RAM_DISK: Check = Check::working(GROUP, "ram-disk", "RAM disk");
const MEMORY: Check = Check::safety(GROUP, "locked-memory", "locked memory");

/// Left free for the rest of the system, in bytes.
const SPARE: u64 = 100_000_000;
/// With less than this, SQLite cannot even keep its write-ahead log, in bytes.
const LEAST: u64 = 20_000_000;
/// What the guard's process maps at most, in bytes: the size of the program and its libraries, with room to grow.
const GUARD_MAPS: u64 = 64 << 20;
/// Folders on a RAM disk, as the daemon looks for them.
const RAM_DISKS: [&str; 2] = ["/dev/shm", "/run/shm"];

/// File systems by their numbers, statfs(2), and what is wrong with a journal on them.
const FILE_SYSTEMS: [(u64, &str, Option<&str>); 13] = [
    (0xef53, "ext4", None),
    (0x9123_683e, "Btrfs", None),
    (0x5846_5342, "XFS", None),
    (0xf2f5_2010, "F2FS", None),
    (0x2fc1_2fc1, "ZFS", None),
    (0x0102_1994, "tmpfs", Some("it is in memory, and empty after a restart")),
    (0x8584_58f6, "ramfs", Some("it is in memory, and empty after a restart")),
    (0x794c_7630, "overlayfs", Some("if its upper layer is in memory, it is empty after a restart")),
    (0x6969, "NFS", Some("SQLite's locks do not hold across a network")),
    (0xff53_4d42, "CIFS", Some("SQLite's locks do not hold across a network")),
    (0xfe53_4d42, "SMB2", Some("SQLite's locks do not hold across a network")),
    (0x4d44, "FAT", Some("it has no owners and breaks easily when the power fails")),
    (0x2011_bab0, "exFAT", Some("it has no owners and breaks easily when the power fails")),
];
const TMPFS: u64 = 0x0102_1994;

pub(super) fn checks(system: &System) -> Vec<Finding> {
    let folder = nearest(system, &system.data_dir);
    let mut findings = match system.disk(&folder) {
        Ok(disk) => vec![room(system, disk.free, &folder), file_system(disk.magic, &folder)],
        Err(error) => vec![ROOM.skip(format!("{} cannot be looked at: {error}", folder.display()))],
    };
    findings.push(ram_disk(system));
    findings.push(memory(system));
    findings
}

fn room(system: &System, free: u64, folder: &Path) -> Finding {
    let journal = system.config.history_max_mb * 1_000_000;
    let found = format!("{} MB free at {}", free / 1_000_000, folder.display());
    let mend = [
        say("make room; this shows what takes it:"),
        run("sudo du -xh --max-depth=2 / | sort -h | tail -n 20"),
        say("or allow the journal less:"),
    ];
    if free < LEAST {
        return ROOM.fail(format!("{found}: the journal cannot be written")).mend(mend).mend(smaller_journal());
    }
    if free < journal + SPARE {
        let found = format!("{found}; the journal may grow to {} MB (history.max_mb)", journal / 1_000_000);
        return ROOM.warn(found).mend(mend).mend(smaller_journal());
    }
    ROOM.ok(found)
}

fn smaller_journal() -> Vec<Step> {
    setting("history.max_mb", "16")
}

fn file_system(magic: u64, folder: &Path) -> Finding {
    let at = folder.display();
    match FILE_SYSTEMS.into_iter().find(|(number, ..)| *number == magic) {
        Some((_, name, None)) => FILE_SYSTEM.ok(format!("{name} at {at}")),
        Some((_, name, Some(problem))) => FILE_SYSTEM
            .warn(format!("{name} at {at}: {problem}"))
            .mend([say("put the data folder on a local disk or card: filamentbox --data-dir FOLDER")]),
        None => FILE_SYSTEM.skip(format!("the file system at {at} is not a known one ({magic:#x})")),
    }
}

fn ram_disk(system: &System) -> Finding {
    let Some(folder) = RAM_DISKS.into_iter().find(|folder| system.exists(folder)) else {
        return RAM_DISK
            .warn("there is none: a crash of the program loses up to a minute of samples")
            .mend([say("mount one, such as systemd does at /dev/shm:"), run("sudo mount -t tmpfs tmpfs /dev/shm")]);
    };
    let is_ram = system.disk(Path::new(folder)).is_ok_and(|disk| disk.magic == TMPFS);
    match system.may_use(Path::new(folder)) {
        Ok(()) if is_ram => RAM_DISK.ok(format!("{folder} keeps the newest samples through a crash of the program")),
        Ok(()) => RAM_DISK
            .warn(format!("{folder} is no RAM disk: every sample would be written to the disk below it"))
            .mend([run(format!("sudo mount -t tmpfs tmpfs {folder}"))]),
        Err(error) => RAM_DISK
            .warn(format!(
                "{folder} cannot be written ({error}): a crash of the program loses up to a minute of samples"
            ))
            .mend([run(format!("sudo chmod 1777 {folder}"))]),
    }
}

/// The guard locks its memory, so that no swapping makes it late. A running one is looked at, else the limit is.
fn memory(system: &System) -> Finding {
    let swaps = system.read("/proc/swaps").unwrap_or_default().lines().count().saturating_sub(1);
    let swap = if swaps == 0 { "and there is no swap" } else { "and there is swap" };
    let guards = system.processes(is_guard).unwrap_or_default();
    let locked = |pid: &u32| {
        let status = system.read(&format!("/proc/{pid}/status"))?;
        let value = status.lines().find_map(|line| line.strip_prefix("VmLck:"))?;
        value.trim().trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    let mend = [
        put("[Service]\nLimitMEMLOCK=64M", "the file that `sudo systemctl edit filamentbox` opens"),
        run("sudo systemctl restart filamentbox"),
        say("started by hand, `ulimit -l` shows the limit, and /etc/security/limits.conf sets it"),
    ];
    if let Some(kilobytes) = guards.iter().find_map(locked) {
        return if kilobytes > 0 {
            MEMORY.ok(format!("the relay guard has locked {kilobytes} kB"))
        } else {
            MEMORY
                .warn(format!("the relay guard's memory is not locked, {swap}: short of memory it may be late"))
                .mend(mend)
        };
    }
    match system.machine.lockable_memory() {
        _ if system.machine.user().is_root => MEMORY.ok("root may lock as much as it likes"),
        None => MEMORY.ok("a process may lock as much as it likes"),
        Some(limit) if limit >= GUARD_MAPS => MEMORY.ok(format!("a process may lock {} MB", limit >> 20)),
        Some(limit) => MEMORY
            .warn(format!(
                "a process of this user may lock {} MB, less than the relay guard may need ({} MB), {swap}: \
                 short of memory it may be late",
                limit >> 20,
                GUARD_MAPS >> 20
            ))
            .mend(mend),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::super::testing::{Tree, statuses};
    use super::*;

    fn check(tree: Tree, id: &str, expected: Status) {
        let findings = checks(&tree.system());
        assert_eq!(statuses(&findings, id), [expected], "{findings:?}");
    }

    #[test]
    fn room_on_both_sides() {
        // 64 MB of journal and 100 MB to spare.
        check(Tree::pi_4().disk("/", 164_000_000, 0xef53), "disk-room", Status::Ok);
        check(Tree::pi_4().disk("/", 163_999_999, 0xef53), "disk-room", Status::Warn);
        check(Tree::pi_4().disk("/", 20_000_000, 0xef53), "disk-room", Status::Warn);
        check(Tree::pi_4().disk("/", 19_999_999, 0xef53), "disk-room", Status::Fail);
    }

    #[test]
    fn file_systems_by_what_they_keep() {
        for (magic, status) in
            [(0xef53, Status::Ok), (TMPFS, Status::Warn), (0x6969, Status::Warn), (0x1234_5678, Status::Skip)]
        {
            check(Tree::pi_4().disk("/", 1 << 40, magic), "file-system", status);
        }
    }

    #[test]
    fn a_ram_disk_on_both_sides() {
        check(Tree::pi_4(), "ram-disk", Status::Ok);
        check(Tree::pi_4().without("dev/shm"), "ram-disk", Status::Warn);
        check(Tree::pi_4().disk("/dev/shm", 1 << 20, 0xef53), "ram-disk", Status::Warn);
        check(Tree::pi_4().denied("/dev/shm"), "ram-disk", Status::Warn);
    }

    #[test]
    fn locked_memory_by_the_guard_or_by_the_limit() {
        let guard = |locked: &str| {
            Tree::pi_4()
                .file("proc/1/comm", "systemd")
                .file("proc/77/cmdline", "/usr/bin/filamentbox\0relay-guard\0--line\0heater:heater\0")
                .file("proc/77/status", &format!("Name:\tfilamentbox\nVmLck:\t    {locked} kB\n"))
        };
        check(guard("1234"), "locked-memory", Status::Ok);
        check(guard("0"), "locked-memory", Status::Warn);
        check(Tree::pi_4().lockable(GUARD_MAPS), "locked-memory", Status::Ok);
        check(Tree::pi_4().lockable(GUARD_MAPS - 1), "locked-memory", Status::Warn);
    }
}
