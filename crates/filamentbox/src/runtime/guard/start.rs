//! Reaching the guard: its own service where there is one, else a child of this daemon.

use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use filamentbox_core::command::OutputKind;
use filamentbox_core::config::{BoxConfig, Config};
use filamentbox_core::sample::BoxName;
use filamentbox_devices::sensors::{Origin, SENSORS};
use filamentbox_guard::{LineSpec, Link, RelayFile, Role, outputs_off};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tracing::{error, info};

use super::GuardLost;

/// Where the guard's own service listens.
const SERVICE_SOCKET: &str = "/run/filamentbox-relay/guard.sock";
/// The folder in the data folder in which a guard that is a child keeps its latches.
pub const STATE_DIR: &str = "relay";
/// A guard that was asked to end, or killed, is waited for so long: only a hanging kernel takes longer.
pub(super) const END: Duration = Duration::from_millis(500);

/// One output and the line it is on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Which box, by its index in the settings.
    pub box_index: usize,
    /// Which output of it.
    pub output: OutputKind,
    /// Its line.
    pub line: LineSpec,
}

impl Slot {
    /// The pin, for people.
    pub fn place(&self) -> String {
        format!("GPIO{}", self.line.gpio)
    }
}

/// How the guard is reached and what it has to hold.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Lines in memory only.
    pub simulate: bool,
    /// The socket of a guard that is a service of its own; `None`: it is started as a child.
    pub service: Option<PathBuf>,
    /// `--trace`, for a child.
    pub trace: Option<PathBuf>,
    /// Where a child keeps its latches.
    pub state_dir: PathBuf,
    /// Where a child reads its limits.
    pub limits: PathBuf,
    /// The outputs, at most as many as a guard has lines.
    pub slots: Vec<Slot>,
    /// Number of boxes.
    pub boxes: usize,
}

/// Whether sensor and lines are those of the simulated box.
pub fn is_simulated(config: &Config) -> bool {
    SENSORS.iter().any(|kind| kind.name == config.sensor_type && kind.origin == Origin::Simulation)
}

/// The socket of a guard that is a service of its own, if it is there.
pub fn service() -> Option<PathBuf> {
    Some(PathBuf::from(SERVICE_SOCKET)).filter(|socket| socket.exists())
}

/// The outputs that are configured, heater before fan in each box.
pub fn slots(config: &Config) -> Vec<Slot> {
    let of_box = |(box_index, config): (usize, &BoxConfig)| {
        [(OutputKind::Heater, config.heater), (OutputKind::Fan, config.fan)]
            .into_iter()
            .filter(|(_, output)| output.enabled)
            .map(|(kind, output)| {
                let role = match kind {
                    OutputKind::Heater => Role::Heater,
                    OutputKind::Fan => Role::Fan,
                };
                let name = line_name(&config.name, kind);
                let line = LineSpec { name, role, gpio: output.gpio, active_low: output.active_low };
                Slot { box_index, output: kind, line }
            })
            .collect::<Vec<_>>()
    };
    config.boxes.iter().enumerate().flat_map(of_box).collect()
}

/// The line's name in traces and latches: the output in the default box, with the box's name before it in others.
fn line_name(box_name: &BoxName, output: OutputKind) -> String {
    if *box_name == BoxName::main() { output.name().to_owned() } else { format!("{box_name}.{}", output.name()) }
}

/// A guard's process that this daemon has started.
pub(super) struct GuardProcess {
    child: Child,
    handle: OwnedFd,
}

impl GuardProcess {
    /// How it has ended, if it has; then it is no zombie any more.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Gives it `patience` to end by itself, then kills it. One that did not end in good order could not release its lines, and a
    /// Raspberry Pi keeps a pin driven after its process has died: then they are released from here.
    pub(super) fn finish(mut self, patience: Duration, held: &[LineSpec], simulated: bool) {
        if self.wait(patience).is_some_and(|status| status.success()) {
            return;
        }
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
        if self.wait(END).is_none() {
            error!("the relay guard cannot be killed; switch the heater off at the plug");
        }
        if !simulated {
            release(held);
        }
    }

    /// Waits at most so long for its end, and says how it has ended.
    pub(super) fn wait(&mut self, longest: Duration) -> Option<ExitStatus> {
        let longest = Timespec::try_from(longest).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let _ = poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], Some(&longest));
        self.ended()
    }
}

/// Drives `lines` inactive and lets go, without a guard.
fn release(lines: &[LineSpec]) {
    for (line, result) in outputs_off(lines) {
        match result {
            Ok(()) => info!("{} (GPIO{}) is driven inactive", line.name, line.gpio),
            Err(problem) => error!("{} (GPIO{}) may be in any state: {problem}", line.name, line.gpio),
        }
    }
}

/// A conversation with a guard.
pub(super) fn reach(plan: &Plan) -> Result<(Link, Option<GuardProcess>), GuardLost> {
    match &plan.service {
        Some(socket) => {
            let link = Link::connect(socket);
            let link = link
                .map_err(|why| GuardLost::because(format_args!("cannot be reached at {}: {why}", socket.display())))?;
            Ok((link, None))
        }
        None => {
            // A child would say so to the log only, and people look at the status.
            RelayFile::load(&plan.limits).map_err(|why| {
                GuardLost::because(format_args!("cannot be started: {}: {why}", plan.limits.display()))
            })?;
            let started = start_child(plan);
            started.map_err(|why| GuardLost::because(format_args!("cannot be started: {why}")))
        }
    }
}

fn start_child(plan: &Plan) -> std::io::Result<(Link, Option<GuardProcess>)> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&plan.state_dir);
    made.map_err(|why| {
        std::io::Error::new(why.kind(), format!("its folder {} cannot be made: {why}", plan.state_dir.display()))
    })?;
    let (link, guards_end) = Link::pair()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("relay-guard").arg("--state-dir").arg(&plan.state_dir).arg("--limits").arg(&plan.limits);
    // It needs nothing of the environment, in which a proxy's password may be, and NOTIFY_SOCKET is not its own.
    command.env_clear();
    if plan.simulate {
        command.arg("--simulate");
    }
    if let Some(trace) = &plan.trace {
        command.arg("--trace").arg(trace);
    }
    // Its own process group: Ctrl-C is for the daemon, which then asks for "off" in good order.
    let child = command.stdin(Stdio::from(guards_end)).process_group(0).spawn()?;
    let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    Ok((link, Some(GuardProcess { child, handle })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_guard_from_starting_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let check = |state_dir: &str, limits: &str, expected: &str| {
            let plan = Plan {
                simulate: true,
                service: None,
                trace: None,
                state_dir: folder.path().join(state_dir),
                limits: folder.path().join(limits),
                slots: Vec::new(),
                boxes: 1,
            };
            let lost = reach(&plan).map(drop).expect_err("it cannot start").to_string();
            let expected = format!("the relay guard cannot be started: {expected}");
            assert!(lost.starts_with(&expected), "{lost}");
        };
        std::fs::create_dir(folder.path().join("a-folder")).expect("a folder");
        std::fs::write(folder.path().join("a-file"), "").expect("a file");
        let path = |name: &str| folder.path().join(name).display().to_string();
        check("relay", "a-folder", &format!("{}: cannot be read: ", path("a-folder")));
        check("a-file", "missing", &format!("its folder {} cannot be made: ", path("a-file")));
    }
}
