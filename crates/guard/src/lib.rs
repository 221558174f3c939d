//! The relay guard: the only code of FilamentBox that touches an output line.
//!
//! A Raspberry Pi keeps an output driven after the process that drove it has died, so a killed daemon would leave its heater on. The
//! guard is a process of its own that does nothing but hold the lines. A daemon *claims* them, then sends *leases* on them: short, and
//! judged again by the guard's own limits. No message, a garbled one, the end of the daemon, a lease that ran out: inactive, at once.
//!
//! To read it in order: `protocol` (what is said), `limits`, `judge` (may a line be active), `lines` and `gpio` (what a line is),
//! `outputs` (set, read back, let go), `latch` (what outlives the guard), `guard` (what it does with what it hears), `wait` (what it waits
//! for), this file (the loop). Around it: `service` (systemd, signals), `trace`, `clock`, and `client` (the daemon's end).
//!
//! **What must never be:** an active line without a fresh lease; an active heater without a young sample under the cut-off, or with a
//! latch; a line that is let go while active; a loop that waits for anything but what is in `wait`, allocates while leases come, or
//! sleeps past the moment at which a line has to go off.
//!
//! Not here: a network, a configuration reachable by one, logging, the control of a temperature, and starting this process.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::net::{SendFlags, SocketType, send, sockopt};

pub mod client;
pub mod clock;
pub mod gpio;
mod guard;
pub mod judge;
pub mod latch;
pub mod limits;
pub mod lines;
mod outputs;
pub mod protocol;
pub mod service;
mod trace;
mod wait;

pub use client::{Link, LinkError};
pub use clock::Nanos;
pub use gpio::{FindError, GpioLines, Place, find, outputs_off};
pub use judge::Judge;
pub use latch::recorded_lines;
pub use limits::{Limits, LimitsError, RelayFile};
pub use lines::{LineError, LineSpec, Lines, Role, SimulatedLines, SimulatedView};
pub use protocol::{Garbled, Latch, Lease, LineReport, MAX_LINES, NO_SAMPLE, Report, Verdict, Want};
pub use service::{Supervisor, listen_at, stop_on_signals};

use guard::Guard;
use latch::Memory;
use outputs::Outputs;
use protocol::MESSAGE_MAX;
use trace::Trace;
use wait::{Heard, Sources};

/// How often lines that somebody else can move are looked at while nothing is asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How a guard holds its lines.
#[derive(Debug)]
pub struct Options {
    /// The guard's own limits, and the pins it may hold.
    pub file: RelayFile,
    /// The folder that keeps latches; `None` for a guard that forgets them.
    pub state_dir: Option<PathBuf>,
    /// A file to which each change of a line is appended: `<CLOCK_BOOTTIME seconds, 6 decimals> output NAME 0|1`. For tests and proofs;
    /// a disk that hangs makes the guard late *between* two turns, so not for a heater in service.
    pub trace: Option<PathBuf>,
    /// Ends the guard when it becomes readable: see [`stop_on_signals`].
    pub stop: Option<OwnedFd>,
    /// Told when the guard is ready, and fed while it works.
    pub supervisor: Option<Supervisor>,
    /// Where to say that latches cannot be read or written; called from another thread too, once for each episode.
    pub complain: fn(&str),
}

/// The built-in limits, and nothing else.
impl Default for Options {
    fn default() -> Self {
        let file = RelayFile::default();
        Self { file, state_dir: None, trace: None, stop: None, supervisor: None, complain: |_| () }
    }
}

/// Why a guard did not start or could not go on. Every line is inactive by then.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// What was given as the socket cannot carry the conversation.
    #[error("the relay guard is started by the daemon, with a SOCK_SEQPACKET socket as its standard input")]
    NotASocket,
    /// The trace file cannot be opened.
    #[error("cannot append to the trace {0}: {1}")]
    Trace(PathBuf, io::Error),
    /// A timer, a thread or the wait failed, which only a lack of resources or a broken kernel explains.
    #[error("relay guard: {0}")]
    System(#[from] io::Error),
}

/// Locks all memory of the calling process as it is touched, present and future: what the loop has used once stays, and the rest of
/// the program, which it never uses, takes no memory. For the guard's `main`, once, before [`run`]; the caller reports a
/// failure and goes on.
///
/// # Errors
/// Usually because RLIMIT_MEMLOCK is lower than the size of the program. Not fatal: a machine short of memory may page the guard out,
/// and it is late by that.
pub fn lock_memory() -> io::Result<()> {
    Ok(mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?)
}

/// Holds what the daemon at the other end of `socket` claims of `lines`, until that is gone or [`Options::stop`] says so. Then, also
/// after an error and after a panic that unwinds, every line is made inactive and let go. Every message is answered, as long as the
/// other end reads.
///
/// # Errors
/// [`GuardError`].
pub fn run(socket: OwnedFd, lines: impl Lines, options: Options) -> Result<(), GuardError> {
    hold(Some(socket), None, lines, options)
}

/// The same for one daemon after the other, as they connect to `listener`: at the end of each the lines are made inactive and stay
/// held for the next. Who connects while another is served is turned away.
///
/// # Errors
/// [`GuardError`].
pub fn serve(listener: OwnedFd, lines: impl Lines, options: Options) -> Result<(), GuardError> {
    hold(None, Some(listener), lines, options)
}

fn hold(
    socket: Option<OwnedFd>,
    listener: Option<OwnedFd>,
    lines: impl Lines,
    options: Options,
) -> Result<(), GuardError> {
    let is_good = |socket: &OwnedFd| sockopt::socket_type(socket) == Ok(SocketType::SEQPACKET);
    if !socket.iter().chain(&listener).all(is_good) {
        return Err(GuardError::NotASocket);
    }
    let trace = options.trace.map(|path| Trace::append_to(&path).map_err(|error| GuardError::Trace(path, error)));
    let lease = options.file.limits.lease;
    let mut guard = Guard {
        judge: Judge::new(options.file.limits),
        outputs: Outputs::new(lines, trace.transpose()?),
        memory: Memory::open(options.state_dir.as_deref(), clock::now(), options.complain)?,
        file: options.file,
        claimed: false,
        newest: None,
        asked: [false; MAX_LINES],
        overslept: false,
    };
    let mut sources = Sources::new(socket, listener, options.stop)?;
    let supervisor = options.supervisor.as_ref();
    let watchdog = supervisor.and_then(|supervisor| supervisor.watchdog).map(|period| period / 3);
    let beat = watchdog.into_iter().chain(guard.outputs.are_real().then_some(LOOK_EVERY)).min();
    let mut next_beat = beat.map(|beat| clock::now().plus(beat));
    if let Some(supervisor) = supervisor {
        supervisor.tell("READY=1");
    }

    // One byte more than any message, so that a longer one is seen to be longer.
    let (mut bytes, mut answer) = ([0; MESSAGE_MAX + 1], [0; MESSAGE_MAX]);
    let mut deadline = next_beat;
    loop {
        sources.arm(deadline)?;
        let heard = sources.wait(guard.overslept, &mut bytes)?;
        let now = clock::now();
        if let Some(deadline) = deadline.filter(|deadline| *deadline <= now) {
            // Off before anything else. And if the lease ran out, or one would have, what already waits in the queue was sent before
            // that, perhaps long before (this process or the machine was stopped), and its sample is older than it says: it is
            // answered, not granted.
            let held_lease = guard.judge.has_lease();
            guard.turn(now);
            let is_late = now.since(deadline) >= lease;
            guard.overslept |= is_late || (held_lease && !guard.judge.has_lease());
        }
        if next_beat.is_some_and(|next_beat| next_beat <= now) {
            next_beat = beat.map(|beat| now.plus(beat));
            if let Some(supervisor) = supervisor {
                supervisor.tell("WATCHDOG=1");
            }
        }
        match heard {
            Heard::Message(length) => {
                let answer = guard.hear(now, &bytes[..length], &mut answer);
                // Lost if the queue is full: who does not read his answers must not stop the guard.
                if let Some(socket) = &sources.socket {
                    let _ = send(socket, answer, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
                }
            }
            Heard::End => {
                guard.end(now, false);
                sources.socket = None;
                if sources.listener.is_none() {
                    return Ok(());
                }
            }
            // One that comes while another is served is closed here.
            Heard::Caller(caller) => {
                sources.socket.get_or_insert(caller);
            }
            Heard::Stop => {
                guard.end(now, true);
                return Ok(());
            }
            Heard::Nothing => guard.overslept = false,
        }
        deadline = guard.judge.next_check(now).into_iter().chain(next_beat).min();
    }
}

#[cfg(test)]
mod tests;
