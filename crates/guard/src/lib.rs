//! The relay guard: the only code of FilamentBox that touches an output line.
//!
//! A Raspberry Pi keeps an output driven after the process that drove it has died, so a killed daemon would leave its heater on. The
//! guard is a process of its own that does nothing but hold the lines. Each message of the daemon is a *lease* on them: short, and
//! judged again by the guard's own limits. No message, a garbled one, the end of the daemon, a lease that ran out: inactive, at once.
//!
//! To read it in order: `protocol` (what is said), `limits`, `judge` (may a line be active), `lines` (what a line is), `outputs` (set,
//! read back, let go), this file (the loop), and `client` (the daemon's end). `clock` alone asks for the time, `trace` alone writes.
//!
//! **What must never be:** an active line without a fresh lease; an active heater without a young sample under the cut-off; a loop
//! that waits for anything but its socket and its timer, allocates, or sleeps past the moment at which a line has to go off.
//!
//! Not here: a network, a configuration reachable by one, logging, the control of a temperature, and starting this process.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::net::{RecvFlags, SendFlags, SocketType, recv, send, sockopt};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

pub mod client;
pub mod clock;
pub mod judge;
pub mod limits;
pub mod lines;
mod outputs;
pub mod protocol;
mod trace;

pub use client::{Link, LinkError};
pub use clock::Nanos;
pub use judge::{Judge, LineSpec, Role};
pub use limits::Limits;
pub use lines::{LineError, Lines, SimulatedLines, SimulatedView};
pub use protocol::{Garbled, Lease, LineReport, MAX_LINES, NO_SAMPLE, Report, Verdict, Want};

use outputs::Outputs;
use protocol::LEASE_LEN;
use trace::Trace;

/// What a guard holds, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The lines, at most [`MAX_LINES`]; the index in this list is the index in every message.
    pub lines: Vec<LineSpec>,
    /// The guard's own limits.
    pub limits: Limits,
    /// A file to which each change of a line is appended: `<CLOCK_BOOTTIME seconds, 6 decimals> output NAME 0|1`. For tests and proofs;
    /// a disk that hangs makes the guard late *between* two turns, so not for a heater in service.
    pub trace: Option<PathBuf>,
}

/// Why a guard did not start or could not go on. Every line is inactive by then.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// More lines than messages have room for.
    #[error("{0} output lines are too many, a relay guard holds at most {MAX_LINES}")]
    TooManyLines(usize),
    /// What was given as the socket cannot carry the conversation.
    #[error("the relay guard is started by the daemon, with a SOCK_SEQPACKET socket as its standard input")]
    NotASocket,
    /// The trace file cannot be opened.
    #[error("cannot append to the trace {path}: {source}")]
    Trace {
        /// As given.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The timer or the wait failed, which only a lack of resources or a broken kernel explains.
    #[error("relay guard: {0}")]
    System(#[from] io::Error),
}

/// The memory of this process is not locked. Not fatal: a machine short of memory may page the guard out and be late by that.
#[derive(Debug, thiserror::Error)]
#[error("the relay guard's memory is not locked ({0}): under memory pressure it may be late; raise LimitMEMLOCK")]
pub struct NotLocked(io::Error);

/// Locks all memory of the calling process as it is touched, present and future: what the loop has used once stays, and the rest of
/// the program, which it never uses, takes no memory. For the guard's `main`, once, before [`run`]; the caller reports a
/// failure and goes on.
///
/// # Errors
/// [`NotLocked`], usually because RLIMIT_MEMLOCK is lower than the size of the program.
pub fn lock_memory() -> Result<(), NotLocked> {
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .map_err(|errno| NotLocked(errno.into()))
}

/// What a wait on the socket and the timer ended with.
enum Heard {
    /// A message of this many bytes is in the buffer.
    Message(usize),
    /// The other end is gone.
    End,
    /// The timer, or nothing.
    Nothing,
}

/// Holds `lines` until the other end of `socket` is gone, then returns with all of them inactive. So they are after an error, and
/// after a panic that unwinds. Every message is answered with a [`Report`], as long as the other end reads them.
///
/// SIGTERM keeps its default action, the end of the process; the lines then are what they are without a holder.
///
/// # Errors
/// [`GuardError`].
pub fn run(socket: OwnedFd, lines: impl Lines, options: Options) -> Result<(), GuardError> {
    let mut outputs = Outputs::new(lines, options.lines.len());
    if options.lines.len() > MAX_LINES {
        return Err(GuardError::TooManyLines(options.lines.len()));
    }
    if sockopt::socket_type(&socket) != Ok(SocketType::SEQPACKET) {
        return Err(GuardError::NotASocket);
    }
    if let Some(path) = options.trace {
        let opened = Trace::append_to(&path, &options.lines);
        outputs.trace = Some(opened.map_err(|source| GuardError::Trace { path, source })?);
    }
    // Not poll's own timeout: that one stands still while the machine is suspended, this one is due when it wakes.
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)
        .map_err(io::Error::from)?;
    let mut judge = Judge::new(&options.lines, options.limits);
    turn(&mut judge, &mut outputs, clock::now());

    // One byte more than a lease, so that a longer message is seen to be longer.
    let mut bytes = [0; LEASE_LEN + 1];
    let mut deadline = None;
    let mut overslept = false;
    loop {
        arm(&timer, deadline)?;
        let heard = wait(&socket, &timer, overslept, &mut bytes)?;
        let now = clock::now();
        if deadline.is_some_and(|deadline| deadline <= now) {
            // Off before anything else. And if the lease ran out, what already waits in the queue was sent before that, perhaps long
            // before (this process or the machine was stopped), and its sample is older than it says: it is answered, not granted.
            let held_lease = judge.sequence().is_some();
            turn(&mut judge, &mut outputs, now);
            overslept |= held_lease && judge.sequence().is_none();
        }
        match heard {
            Heard::Message(length) => {
                let sequence = grant(&mut judge, now, &bytes[..length], overslept);
                let lines = turn(&mut judge, &mut outputs, now);
                // Lost if the queue is full: who does not read his reports must not stop the guard.
                let report = Report { sequence, lines }.encode();
                let _ = send(&socket, &report, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
            }
            Heard::End => {
                judge.silence();
                turn(&mut judge, &mut outputs, now);
                return Ok(());
            }
            Heard::Nothing => overslept = false,
        }
        deadline = judge.next_check(now);
    }
}

/// Judges, and makes the lines so.
fn turn<L: Lines>(judge: &mut Judge, outputs: &mut Outputs<L>, now: Nanos) -> [LineReport; MAX_LINES] {
    let mut reports = judge.assess(now);
    outputs.apply(judge, &mut reports);
    reports
}

/// Gives a message to the judge; returns the sequence to answer it with, 0 for one it refuses.
fn grant(judge: &mut Judge, now: Nanos, message: &[u8], overslept: bool) -> u32 {
    let Ok(lease) = Lease::decode(message) else {
        judge.garbled(now);
        return 0;
    };
    judge.lease(now, &lease);
    let sequence = judge.sequence().unwrap_or(0);
    if overslept {
        judge.garbled(now);
    }
    sequence
}

/// Sets the timer to `deadline`, or stops it.
fn arm(timer: &OwnedFd, deadline: Option<Nanos>) -> io::Result<()> {
    // 0 would stop it; a deadline that has passed is due at once.
    let at = deadline.map_or(0, |deadline| deadline.0.max(1));
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let it_value = Timespec { tv_sec: (at / 1_000_000_000) as _, tv_nsec: (at % 1_000_000_000) as _ };
    timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &Itimerspec { it_interval: zero, it_value })?;
    Ok(())
}

/// Waits for a message, the end of the conversation or the timer; or only looks, for a message or the end.
fn wait(socket: &OwnedFd, timer: &OwnedFd, only_look: bool, bytes: &mut [u8]) -> io::Result<Heard> {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut sources = [PollFd::new(socket, PollFlags::IN), PollFd::new(timer, PollFlags::IN)];
    while let Err(errno) = poll(&mut sources, only_look.then_some(&at_once)) {
        if errno != Errno::INTR {
            return Err(errno.into());
        }
    }
    let events = sources[0].revents();
    if events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
        // Whatever it still had to say, nobody stands behind it any more.
        return Ok(Heard::End);
    }
    if !events.contains(PollFlags::IN) {
        return Ok(Heard::Nothing);
    }
    Ok(match recv(socket, bytes, RecvFlags::DONTWAIT) {
        Ok((0, _)) => Heard::End,
        Ok((length, _)) => Heard::Message(length),
        Err(Errno::AGAIN | Errno::INTR) => Heard::Nothing,
        Err(_) => Heard::End,
    })
}

#[cfg(test)]
mod tests;
