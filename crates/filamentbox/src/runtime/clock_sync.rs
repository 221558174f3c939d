//! Whether the wall clock may be believed. A Raspberry Pi has no clock chip: after power-up it shows the time of its last shutdown, or
//! a time long past, until the network sets it.
//!
//! [`decide`] is pure. [`Watch`] looks for the signs, once a minute at most while the clock is not known, and remembers the answer.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use filamentbox_core::config::RequireSync;
use filamentbox_core::time::{Monotonic, UnixTime};

/// A wall clock that shows less than this (2025-01-01) has not been set since power-up.
pub const PLAUSIBLE: UnixTime = UnixTime::from_millis(1_735_689_600_000);
/// systemd-timesyncd makes this file when it has set the clock (systemd-timesyncd.service(8)).
pub const SYNCHRONISED_FLAG: &str = "run/systemd/timesync/synchronized";
/// A clock so far behind the newest sample is wrong: the sample has its time from this machine too. Less is a step of the clock, and
/// the journal still has the points of that time, so that none is overwritten.
const BEHIND_MAX: Duration = Duration::from_secs(86_400);
/// A clock chip tells whole seconds.
const CHIP_TOLERANCE_MS: u64 = 2_000;
/// From one look to the next, while the clock is not known.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// What speaks for the wall clock, and against it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Signs {
    /// What it shows.
    pub wall: Option<UnixTime>,
    /// The newest sample that was ever stored.
    pub newest: Option<UnixTime>,
    /// This is a single-board computer: such a machine has no clock chip, or one without a battery.
    pub is_board: bool,
    /// Something that knows says that the clock was set since power-up.
    pub is_set: bool,
}

/// Why the wall clock is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Doubt {
    /// It shows a time before 2025.
    #[error("the clock shows a time before 2025: it has not been set since power-up")]
    LongPast,
    /// It is more than a day behind the newest sample.
    #[error("the clock is more than a day behind the newest sample that is stored")]
    BehindNewest,
    /// Nothing says that it is right.
    #[error("nothing says yet that the clock was set since power-up")]
    NotSet,
}

/// Whether the wall clock may be believed.
///
/// # Errors
/// Why not.
pub fn decide(signs: &Signs, require: RequireSync) -> Result<(), Doubt> {
    let wall = signs.wall.filter(|wall| *wall >= PLAUSIBLE).ok_or(Doubt::LongPast)?;
    if signs.is_set {
        return Ok(());
    }
    if signs.newest.is_some_and(|newest| wall < newest.before(BEHIND_MAX)) {
        return Err(Doubt::BehindNewest);
    }
    match require {
        RequireSync::Yes => Err(Doubt::NotSet),
        RequireSync::Auto if signs.is_board => Err(Doubt::NotSet),
        RequireSync::Auto | RequireSync::No => Ok(()),
    }
}

/// The signs that files give, under `root` (`/`, but in tests).
pub fn signs(root: &Path, wall: Option<UnixTime>, newest: Option<UnixTime>) -> Signs {
    let is_board = ["proc/device-tree/model", "sys/firmware/devicetree/base/model"];
    Signs {
        wall,
        newest,
        is_board: is_board.into_iter().any(|path| root.join(path).exists()),
        is_set: root.join(SYNCHRONISED_FLAG).exists() || agrees_with_chip(root, wall),
    }
}

/// Whether a clock chip tells the same time: one without a battery begins in 1970 or 2000.
fn agrees_with_chip(root: &Path, wall: Option<UnixTime>) -> bool {
    let Some(wall) = wall.filter(|wall| *wall >= PLAUSIBLE) else { return false };
    let chips = fs::read_dir(root.join("sys/class/rtc")).into_iter().flatten().flatten();
    chips.into_iter().any(|chip| {
        let text = fs::read_to_string(chip.path().join("since_epoch")).unwrap_or_default();
        let seconds: Option<i64> = text.trim().parse().ok();
        seconds.is_some_and(|seconds| wall.millis().abs_diff(seconds.saturating_mul(1000)) <= CHIP_TOLERANCE_MS)
    })
}

/// Remembers whether the wall clock is known. Once it is, it stays so for this boot, but for a step to an implausible time.
#[derive(Debug)]
pub struct Watch {
    require: Mutex<RequireSync>,
    known: AtomicBool,
    /// The clock was known and went back to an implausible time: what was said of it before does not count any more.
    is_suspect: AtomicBool,
    /// When it was looked last; nothing is that late.
    looked_at: AtomicU64,
    /// `None` for a simulated machine.
    kernel: Option<Arc<Kernel>>,
}

/// What the kernel thinks of its clock, asked through systemd, which chrony and ntpd tell it too. (The system call itself has no safe
/// wrapper that is well kept.)
#[derive(Debug, Default)]
struct Kernel {
    is_set: AtomicBool,
    asking: AtomicBool,
}

impl Watch {
    /// The real clock, not known yet.
    pub fn real(require: RequireSync) -> Self {
        Self { kernel: Some(Arc::default()), ..Self::simulated(require) }
    }

    /// A simulated one.
    pub fn simulated(require: RequireSync) -> Self {
        Self {
            require: Mutex::new(require),
            known: AtomicBool::new(false),
            is_suspect: AtomicBool::new(false),
            looked_at: AtomicU64::new(u64::MAX),
            kernel: None,
        }
    }

    /// Another requirement, from the next look on. A clock that is known stays known.
    pub fn require(&self, require: RequireSync) {
        *self.require.lock().unwrap_or_else(PoisonError::into_inner) = require;
    }

    /// Whether the wall clock is known.
    pub fn is_known(&self) -> bool {
        self.known.load(Ordering::SeqCst)
    }

    /// Looks again, if that is due, or at once when it is `asked` for or the kernel has answered.
    pub fn look(&self, now: Monotonic, asked: bool, signs: impl FnOnce() -> Signs) {
        let last = self.looked_at.load(Ordering::SeqCst);
        let is_due = last == u64::MAX || now.since(Monotonic::from_nanos(last)) >= LOOK_INTERVAL;
        let kernel_says = self.kernel.as_ref().is_some_and(|kernel| kernel.is_set.load(Ordering::SeqCst));
        if self.is_known() || !(asked || is_due || kernel_says) {
            return;
        }
        self.looked_at.store(now.nanos(), Ordering::SeqCst);
        let mut signs = signs();
        signs.is_set = kernel_says || signs.is_set && !self.is_suspect.load(Ordering::SeqCst);
        let require = *self.require.lock().unwrap_or_else(PoisonError::into_inner);
        match decide(&signs, require) {
            Ok(()) => self.known.store(true, Ordering::SeqCst),
            Err(Doubt::LongPast) => {}
            Err(Doubt::BehindNewest | Doubt::NotSet) => {
                if let Some(kernel) = self.kernel.clone().filter(|_| is_due) {
                    kernel.ask();
                }
            }
        }
    }

    /// The clock was set, and now shows `wall`: at an implausible time it is no longer known.
    pub fn stepped(&self, wall: Option<UnixTime>, newest: Option<UnixTime>) {
        let signs = Signs { wall, newest, is_board: false, is_set: false };
        if self.is_known() && decide(&signs, RequireSync::No).is_err() {
            self.is_suspect.store(true, Ordering::SeqCst);
            // Setting the clock by hand makes the kernel forget that it was right.
            if let Some(kernel) = &self.kernel {
                kernel.is_set.store(false, Ordering::SeqCst);
            }
            self.known.store(false, Ordering::SeqCst);
        }
    }
}

impl Kernel {
    /// Asks in a thread of its own: nobody waits for the answer, which may take seconds.
    fn ask(self: Arc<Self>) {
        if self.asking.swap(true, Ordering::SeqCst) {
            return;
        }
        let kernel = self.clone();
        let asking = move || {
            let mut command = Command::new("timedatectl");
            command.args(["show", "--property=NTPSynchronized", "--value"]);
            let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
            let says_so = output.is_ok_and(|output| output.stdout.trim_ascii() == b"yes");
            kernel.is_set.store(says_so, Ordering::SeqCst);
            kernel.asking.store(false, Ordering::SeqCst);
        };
        if std::thread::Builder::new().name("clock".to_owned()).spawn(asking).is_err() {
            self.asking.store(false, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;
    const DAY: i64 = 86_400_000;

    #[test]
    fn what_is_believed_where() {
        use RequireSync::{Auto, No, Yes};
        let board = Signs { is_board: true, ..Signs::default() };
        let pc = Signs::default();
        let set = |signs: &Signs| Signs { is_set: true, ..signs.clone() };
        let newest = |ms: i64| Signs { newest: Some(UnixTime::from_millis(ms)), ..Signs::default() };
        let cases: [(Signs, i64, RequireSync, Result<(), Doubt>); 15] = [
            (pc.clone(), NOW, Auto, Ok(())),
            (pc.clone(), NOW, No, Ok(())),
            (pc.clone(), NOW, Yes, Err(Doubt::NotSet)),
            (set(&pc), NOW, Yes, Ok(())),
            (board.clone(), NOW, Auto, Err(Doubt::NotSet)),
            (board.clone(), NOW, No, Ok(())),
            (set(&board), NOW, Auto, Ok(())),
            (pc.clone(), PLAUSIBLE.millis(), Auto, Ok(())),
            (pc.clone(), PLAUSIBLE.millis() - 1, Auto, Err(Doubt::LongPast)),
            (set(&board), PLAUSIBLE.millis() - 1, No, Err(Doubt::LongPast)),
            (newest(NOW + DAY), NOW, Auto, Ok(())),
            (newest(NOW + DAY + 1), NOW, Auto, Err(Doubt::BehindNewest)),
            (newest(NOW + DAY + 1), NOW, No, Err(Doubt::BehindNewest)),
            (newest(NOW + DAY), NOW, Yes, Err(Doubt::NotSet)),
            // Then it is the sample that has a wrong time.
            (set(&newest(NOW + DAY + 1)), NOW, Auto, Ok(())),
        ];
        for (signs, wall, require, expected) in cases {
            let signs = Signs { wall: Some(UnixTime::from_millis(wall)), ..signs };
            assert_eq!(decide(&signs, require), expected, "{signs:?} {require:?}");
        }
        assert_eq!(decide(&pc, No), Err(Doubt::LongPast), "no time at all");
    }

    #[test]
    fn the_signs_are_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let look = |wall: i64| {
            let signs = signs(folder.path(), Some(UnixTime::from_millis(wall)), None);
            (signs.is_board, signs.is_set)
        };
        assert_eq!(look(NOW), (false, false));
        write("proc/device-tree/model", "Raspberry Pi 4 Model B\0");
        write("sys/class/rtc/rtc0/since_epoch", "5\n");
        assert_eq!(look(NOW), (true, false), "a chip without a battery");
        write("sys/class/rtc/rtc1/since_epoch", "1800000002\n");
        for (wall, is_set) in [(NOW, true), (NOW - 1, false), (NOW + 4_000, true), (NOW + 4_001, false)] {
            assert_eq!(look(wall), (true, is_set), "{wall}");
        }
        write(SYNCHRONISED_FLAG, "");
        assert_eq!(look(0), (true, true));
    }

    #[test]
    fn it_is_looked_once_a_minute_or_when_asked_and_the_answer_stays() {
        let watch = Watch::simulated(RequireSync::Auto);
        let mut looks = 0;
        let mut look = |second: u64, asked: bool, wall: i64| {
            watch.look(Monotonic::from_nanos(second * 1_000_000_000), asked, || {
                looks += 1;
                Signs { wall: Some(UnixTime::from_millis(wall)), ..Signs::default() }
            });
            (looks, watch.is_known())
        };
        assert_eq!(look(100, false, 5), (1, false));
        assert_eq!(look(159, false, NOW), (1, false));
        assert_eq!(look(160, false, 5), (2, false));
        assert_eq!(look(161, true, NOW), (3, true));
        assert_eq!(look(999, true, 5), (3, true));
        let time = |ms: i64| Some(UnixTime::from_millis(ms));
        watch.stepped(time(NOW - DAY), time(NOW));
        assert!(watch.is_known());
        watch.stepped(time(NOW - DAY - 1), time(NOW));
        assert!(!watch.is_known(), "a step to an implausible time");
    }
}
