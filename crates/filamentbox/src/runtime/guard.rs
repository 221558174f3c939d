//! The daemon's end of the relay guard: starts it as a child, sends leases, reads back what the lines are.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use filamentbox_core::chamber::{Held, HeldOutput, Wanted};
use filamentbox_core::config::BoxConfig;
use filamentbox_core::sample::BoxName;
use filamentbox_core::time::Monotonic;
use filamentbox_guard::{LineReport, LineSpec, Link, LinkError, MAX_LINES, NO_SAMPLE, Role, Verdict, Want};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A lease is renewed this often while an output is wanted: five times within its 2.5 s.
pub const RENEWAL: Duration = Duration::from_millis(500);
/// The guard answers in microseconds; so long means that the machine is busy.
const ANSWER: Duration = Duration::from_millis(250);
/// A guard that has just been started takes longer.
const CLAIM: Duration = Duration::from_secs(2);
/// So many answers missing in a row (under the lease's 2.5 s) mean that the guard hangs.
const MISSED_ANSWERS_MAX: u32 = 3;
/// A heater and a fan for each box.
pub const BOXES_MAX: usize = MAX_LINES / 2;

/// The guard does not do its work any more: what its lines are is not known, and none may be wanted on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the relay guard {0}")]
pub struct GuardLost(String);

impl GuardLost {
    /// It has ended.
    pub fn ended(how: &str) -> Self {
        Self(format!("has ended ({how}); its outputs are released"))
    }

    /// There is none: this version holds simulated lines only.
    pub fn unavailable() -> Self {
        Self(
            "cannot hold GPIO lines in this version; heater and fan stay off (run --simulate shows them at work)"
                .to_owned(),
        )
    }
}

/// Asks the guard for outputs.
pub struct GuardLink {
    link: Link,
    process: OwnedFd,
    boxes: usize,
    /// Answers missing in a row.
    missed: u32,
    last: Vec<Held>,
}

/// Starts the guard with simulated lines for `boxes`.
///
/// # Errors
/// When the process cannot be started.
pub fn start_simulated(boxes: &[BoxConfig], trace: Option<&Path>) -> io::Result<(GuardLink, Child)> {
    let (mut link, guards_end) = Link::pair()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("relay-guard").arg("--simulate");
    let mut lines = Vec::new();
    for config in boxes {
        for (role, word) in [(Role::Heater, "heater"), (Role::Fan, "fan")] {
            let name = line_name(&config.name, word);
            command.arg("--line").arg(format!("{word}:{name}"));
            lines.push(LineSpec { name, role, gpio: 0, active_low: false });
        }
    }
    if let Some(trace) = trace {
        command.arg("--trace").arg(trace);
    }
    // Its own process group: Ctrl-C is for the daemon, which then asks for "off" in good order.
    let child = command.stdin(Stdio::from(guards_end)).process_group(0).spawn()?;
    let last = vec![Held::default(); boxes.len()];
    // Not answered in time: it is still heard before the first lease.
    let _ = link.claim(&lines, CLAIM);
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    Ok((GuardLink { link, process, boxes: boxes.len(), missed: 0, last }, child))
}

/// The line's name in traces: the role in the default box, with the box's name before it in others.
fn line_name(box_name: &BoxName, role: &str) -> String {
    if *box_name == BoxName::main() { role.to_owned() } else { format!("{box_name}.{role}") }
}

impl GuardLink {
    /// Ends the guard, which releases its lines, whatever state it is in. No effect when it has ended.
    pub fn kill(self) {
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
    }

    /// Whether the last lease was not answered: what the lines are is not known until it is sent again.
    pub fn is_unanswered(&self) -> bool {
        self.missed > 0
    }

    /// Sends a lease for `wanted` (a box each) and returns what the lines are now.
    ///
    /// # Errors
    /// [`GuardLost`] when the guard has ended or hangs. A single missing answer is no error: the last known state is returned.
    pub fn exchange(&mut self, wanted: &[Wanted], now: Monotonic) -> Result<Vec<Held>, GuardLost> {
        let mut wants = [Want::default(); MAX_LINES];
        for (pair, wanted) in wants.chunks_exact_mut(2).zip(wanted) {
            pair[0] = heater_want(wanted, now);
            pair[1] = Want { active: wanted.fan, ..Want::default() };
        }
        match self.link.exchange(&wants, ANSWER) {
            Ok(report) => {
                self.missed = 0;
                let pairs = report.lines.chunks_exact(2).take(self.boxes);
                self.last = pairs.map(|pair| Held { heater: held(&pair[0]), fan: held(&pair[1]) }).collect();
            }
            Err(LinkError::Lost) => return Err(GuardLost::ended("its socket is closed")),
            Err(LinkError::NoAnswer | LinkError::Garbled) => {
                self.missed += 1;
                if self.missed >= MISSED_ANSWERS_MAX {
                    return Err(GuardLost("does not answer; it is killed, which releases its outputs".to_owned()));
                }
            }
        }
        Ok(self.last.clone())
    }
}

fn heater_want(wanted: &Wanted, now: Monotonic) -> Want {
    let Some(permit) = wanted.heat else { return Want { sample_age_ms: NO_SAMPLE, ..Want::default() } };
    Want {
        active: true,
        temperature_milli_c: permit.temperature().centi() * 10,
        // Rounded up: on the safe side.
        sample_age_ms: u32::try_from(now.since(permit.taken_at()).as_nanos().div_ceil(1_000_000)).unwrap_or(NO_SAMPLE),
        latch: None,
    }
}

fn held(line: &LineReport) -> HeldOutput {
    let refusal = match line.verdict {
        Verdict::NotWanted | Verdict::Active => None,
        refused => Some(refused.reason().trim_start_matches("Off: ").trim_end_matches('.').to_owned()),
    };
    HeldOutput { active: line.active, refusal, latched: None }
}
