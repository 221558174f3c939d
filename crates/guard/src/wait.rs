//! All the loop ever waits for: one daemon's socket, the next daemon, the signal to stop, and its timer.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketFlags, accept_with, recv};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

use crate::clock::Nanos;

const ZERO: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
const OVER: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::NVAL);

/// What a wait ended with.
pub(crate) enum Heard {
    /// A message of this many bytes is in the buffer.
    Message(usize),
    /// The other end of the socket is gone.
    End,
    /// Another daemon has connected.
    Caller(OwnedFd),
    /// The guard is to stop.
    Stop,
    /// The timer, or nothing.
    Nothing,
}

pub(crate) struct Sources {
    /// The conversation, if there is one.
    pub(crate) socket: Option<OwnedFd>,
    /// Where daemons connect, if they do.
    pub(crate) listener: Option<OwnedFd>,
    /// Becomes readable, or is closed, when the guard is to stop.
    pub(crate) stop: Option<OwnedFd>,
    /// Not poll's own timeout: that one stands still while the machine is suspended, this one is due when it wakes.
    pub(crate) timer: OwnedFd,
}

/// A timer that is not set.
pub(crate) fn timer() -> io::Result<OwnedFd> {
    Ok(timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?)
}

impl Sources {
    /// Sets the timer to `deadline`, or stops it.
    pub(crate) fn arm(&self, deadline: Option<Nanos>) -> io::Result<()> {
        // 0 would stop it; a deadline that has passed is due at once.
        let at = deadline.map_or(0, |deadline| deadline.0.max(1));
        let it_value = Timespec { tv_sec: (at / 1_000_000_000) as _, tv_nsec: (at % 1_000_000_000) as _ };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &Itimerspec { it_interval: ZERO, it_value })?;
        Ok(())
    }

    /// In the place of what does not exist, the timer is asked for nothing.
    fn source<'a>(&'a self, fd: &'a Option<OwnedFd>) -> PollFd<'a> {
        match fd {
            Some(fd) => PollFd::new(fd, PollFlags::IN),
            None => PollFd::new(&self.timer, PollFlags::empty()),
        }
    }

    /// Waits for any of them, or only looks.
    pub(crate) fn wait(&self, only_look: bool, bytes: &mut [u8]) -> io::Result<Heard> {
        let timer = PollFd::new(&self.timer, PollFlags::IN);
        let mut sources = [self.source(&self.stop), self.source(&self.socket), self.source(&self.listener), timer];
        while let Err(errno) = poll(&mut sources, only_look.then_some(&ZERO)) {
            if errno != Errno::INTR {
                return Err(errno.into());
            }
        }
        let [stop, socket, listener, _] = sources.map(|source| source.revents());
        if !stop.is_empty() {
            return Ok(Heard::Stop);
        }
        if let Some(fd) = &self.socket {
            // Whatever one that is gone still had to say, nobody stands behind it any more.
            if socket.intersects(OVER) {
                return Ok(Heard::End);
            }
            if socket.contains(PollFlags::IN) {
                return Ok(receive(fd, bytes));
            }
        }
        match &self.listener {
            // It may have hung up already: then there is nothing.
            Some(fd) if !listener.is_empty() => {
                Ok(accept_with(fd, SocketFlags::CLOEXEC).map_or(Heard::Nothing, Heard::Caller))
            }
            _ => Ok(Heard::Nothing),
        }
    }
}

fn receive(socket: &OwnedFd, bytes: &mut [u8]) -> Heard {
    match recv(socket, bytes, RecvFlags::DONTWAIT) {
        Ok((0, _)) => Heard::End,
        Ok((length, _)) => Heard::Message(length),
        Err(Errno::AGAIN | Errno::INTR) => Heard::Nothing,
        Err(_) => Heard::End,
    }
}
