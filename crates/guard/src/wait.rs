//! All the loop ever waits for: one daemon's socket, the next daemon, the signal to stop, and its timer.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketFlags, accept_with, recv};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

use crate::clock::Nanos;

const ZERO: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
const SECOND: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
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
    timer: OwnedFd,
    /// A caller could not be accepted (no descriptors left), and still waits: not looked at in the next wait, or the loop would spin.
    deaf: bool,
}

impl Sources {
    /// With a timer that is not set.
    pub(crate) fn new(socket: Option<OwnedFd>, listener: Option<OwnedFd>, stop: Option<OwnedFd>) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        Ok(Self { socket, listener, stop, timer, deaf: false })
    }

    /// Sets the timer to `deadline`, or stops it.
    pub(crate) fn arm(&self, deadline: Option<Nanos>) -> io::Result<()> {
        // 0 would stop it; a deadline that has passed is due at once.
        let at = deadline.map_or(0, |deadline| deadline.0.max(1));
        let it_value = Timespec { tv_sec: (at / 1_000_000_000) as _, tv_nsec: (at % 1_000_000_000) as _ };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &Itimerspec { it_interval: ZERO, it_value })?;
        Ok(())
    }

    /// In the place of what does not exist, the timer is asked for nothing.
    fn source<'a>(&'a self, fd: Option<&'a OwnedFd>) -> PollFd<'a> {
        fd.map_or(PollFd::new(&self.timer, PollFlags::empty()), |fd| PollFd::new(fd, PollFlags::IN))
    }

    /// Waits for any of them, or only looks.
    pub(crate) fn wait(&mut self, only_look: bool, bytes: &mut [u8]) -> io::Result<Heard> {
        let listener = self.listener.as_ref().filter(|_| !self.deaf);
        let timeout = if only_look { Some(&ZERO) } else { self.deaf.then_some(&SECOND) };
        let timer = PollFd::new(&self.timer, PollFlags::IN);
        let mut sources =
            [self.source(self.stop.as_ref()), self.source(self.socket.as_ref()), self.source(listener), timer];
        while let Err(errno) = poll(&mut sources, timeout) {
            if errno != Errno::INTR {
                return Err(errno.into());
            }
        }
        let [stop, socket, listener, _] = sources.map(|source| source.revents());
        self.deaf = false;
        if !stop.is_empty() {
            return Ok(Heard::Stop);
        }
        match (&self.socket, &self.listener) {
            // Whatever one that is gone still had to say, nobody stands behind it any more.
            (Some(_), _) if socket.intersects(OVER) => Ok(Heard::End),
            (Some(fd), _) if socket.contains(PollFlags::IN) => Ok(receive(fd, bytes)),
            (_, Some(fd)) if !listener.is_empty() => {
                let caller = accept_with(fd, SocketFlags::CLOEXEC);
                self.deaf = caller.is_err();
                Ok(caller.map_or(Heard::Nothing, Heard::Caller))
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

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SendFlags, SocketType, send, socketpair};

    use super::*;
    use crate::{Link, listen_at};

    #[test]
    fn a_caller_that_cannot_be_accepted_is_left_alone_for_a_while() {
        // Readable, and accepts nobody: as a listener is when there are no descriptors left.
        let (broken, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        send(&other, b"?", SendFlags::NOSIGNAL).unwrap();
        let mut sources = Sources::new(None, Some(broken), None).unwrap();
        assert!(matches!(sources.wait(true, &mut []), Ok(Heard::Nothing)));
        // From here on it would work; but the next wait must not look, or the loop would spin until there are some.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        sources.listener = Some(listen_at(&path).unwrap());
        let _caller = Link::connect(&path).unwrap();
        assert!(matches!(sources.wait(true, &mut []), Ok(Heard::Nothing)));
        assert!(matches!(sources.wait(true, &mut []), Ok(Heard::Caller(_))));
    }
}
