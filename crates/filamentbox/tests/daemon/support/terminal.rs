//! A pseudo-terminal with a command in it: keys go in, and the screen is read as a person sees it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::{BINARY, wait_until};

pub(crate) const ENTER: &str = "\r";
pub(crate) const ESC: &str = "\x1b";
pub(crate) const DOWN: &str = "\x1b[B";
pub(crate) const PAGE_DOWN: &str = "\x1b[6~";
pub(crate) const F2: &str = "\x1bOQ";

/// A program in a terminal of its own.
pub(crate) struct Terminal {
    child: Child,
    keys: File,
    /// Kept open: the terminal outlives the program, and can be asked how it was left.
    other_end: File,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    parser: vt100::Parser,
    /// Everything that was ever written.
    bytes: Vec<u8>,
}

impl Terminal {
    /// `config edit` on this data folder, in a window of this size.
    pub(crate) fn edit(folder: &Path, columns: u16, rows: u16, variables: &[(&str, &str)]) -> Self {
        Self::start(&["config", "edit"], folder, (columns, rows), variables)
    }

    /// A command on this data folder, in a window of so many columns and rows.
    pub(crate) fn start(
        arguments: &[&str],
        folder: &Path,
        (columns, rows): (u16, u16),
        variables: &[(&str, &str)],
    ) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("its other end");
        let name = ptsname(&ours, Vec::new()).expect("its name");
        let other_end =
            File::options().read(true).write(true).open(name.to_str().expect("text")).expect("its other end");
        tcsetwinsize(&ours, size(columns, rows)).expect("a size");
        let end = || Stdio::from(other_end.try_clone().expect("a handle"));
        // A session of its own with this terminal, so that the terminal's signals come.
        let mut command = Command::new("setsid");
        command.args(["--ctty", BINARY, "--data-dir"]).arg(folder).args(arguments);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TERM", "xterm-256color");
        command.envs(variables.iter().copied()).stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("setsid(1)");
        let mut output = File::from(ours);
        let keys = output.try_clone().expect("a handle");
        let seen = Arc::new(Mutex::new(Seen {
            parser: vt100::Parser::new(lines(rows), lines(columns), 0),
            bytes: Vec::new(),
        }));
        let shared = seen.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Ends when the last handle of the other end is closed.
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                let mut seen = shared.lock().expect("nobody panics with it");
                seen.parser.process(&buffer[..count]);
                seen.bytes.extend_from_slice(&buffer[..count]);
            }
        });
        Self { child, keys, other_end, seen }
    }

    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self
    }

    /// What is to be seen.
    pub(crate) fn screen(&self) -> String {
        self.seen().parser.screen().contents()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics with it")
    }

    /// Everything that was ever written, as text.
    pub(crate) fn everything(&self) -> String {
        String::from_utf8_lossy(&self.seen().bytes).into_owned()
    }

    /// Waits until `text` is to be seen.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> &mut Self {
        self.wait(text, |screen| screen.contains(text))
    }

    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, is_so: impl Fn(&str) -> bool) -> &mut Self {
        let start = std::time::Instant::now();
        while !is_so(&self.screen()) {
            assert!(start.elapsed().as_secs() < 60, "{what:?} is not on the screen:\n{}", self.screen());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        self
    }

    /// Goes down until the selected row begins with `name`.
    #[track_caller]
    pub(crate) fn go_to(&mut self, name: &str) -> &mut Self {
        let is_other = |screen: &str, before: &str| {
            let selected = selected_of(screen);
            // Half a screen, on which nothing is selected, is none.
            !selected.is_empty() && selected != before
        };
        self.wait("a selected row", |screen| is_other(screen, ""));
        for _ in 0..60 {
            let before = selected_of(&self.screen());
            if before.trim_start().starts_with(name) {
                return self;
            }
            self.press(DOWN);
            self.wait("another row", |screen| is_other(screen, &before));
        }
        panic!("no row begins with {name:?}:\n{}", self.screen());
    }

    pub(crate) fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.seen().parser.screen_mut().set_size(lines(rows), lines(columns));
        tcsetwinsize(&self.keys, size(columns, rows)).expect("a size");
        self
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Waits until the kernel has stopped the program.
    pub(crate) fn wait_until_stopped(&self) {
        let state = format!("/proc/{}/stat", self.pid());
        wait_until("the program is stopped", || {
            std::fs::read_to_string(&state).is_ok_and(|stat| stat.contains(") T "))
        });
    }

    /// Waits for the program's end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        wait_until("the program's end", || self.child.try_wait().expect("a child").is_some());
        self.child.wait().expect("it has ended")
    }

    /// Waits until what the program wrote is read, and the terminal is as it was.
    #[track_caller]
    pub(crate) fn wait_until_given_back(&self) {
        wait_until("the terminal is given back", || self.is_given_back());
    }

    /// Whether the terminal is as a shell wants it: lines, echo, its own screen, a cursor.
    fn is_given_back(&self) -> bool {
        let modes = tcgetattr(&self.other_end).expect("a terminal").local_modes;
        let seen = self.seen();
        let screen = seen.parser.screen();
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
            && !screen.alternate_screen()
            && !screen.hide_cursor()
            && !screen.bracketed_paste()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn selected_of(screen: &str) -> String {
    screen.lines().find_map(|line| line.strip_prefix('>')).unwrap_or_default().to_owned()
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}

fn lines(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a screen")
}
