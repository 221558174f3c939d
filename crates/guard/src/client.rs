//! The daemon's end of the conversation: asks, and waits a bounded time for the answer. Starting the guard's process, deciding
//! what to want and what to do about an error are the daemon's business.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send, socket_with,
    socketpair,
};

use crate::clock;
use crate::lines::LineSpec;
use crate::protocol::{self, Claimed, Field, MAX_LINES, MESSAGE_MAX, Message, Report, Want};

/// Why an exchange gave no report. Whatever the reason, the guard makes the lines inactive when no lease reaches it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LinkError {
    /// The guard is gone; this link is of no more use.
    #[error("the relay guard is gone")]
    Lost,
    /// No answer in time; the next exchange may succeed.
    #[error("the relay guard does not answer")]
    NoAnswer,
    /// One side does not understand the other, or something else writes to the socket.
    #[error("the relay guard and the daemon do not understand each other")]
    Garbled,
}

/// A conversation with a guard.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    sequence: u32,
}

impl Link {
    /// A new conversation, and the guard's end of it: its process gets that as standard input. Both are close-on-exec, so that no
    /// other child keeps the conversation open after the daemon's death.
    ///
    /// # Errors
    /// What socketpair(2) says.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (socket, guard) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self { socket, sequence: 0 }, guard))
    }

    /// A conversation with the guard that listens at `path`. If it serves another daemon already, the first message ends in
    /// [`LinkError::Lost`].
    ///
    /// # Errors
    /// What connect(2) says.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Asks for `lines` to be held instead of what is held now, and says for each whether it is; everything is inactive then. Must come
    /// before the first exchange.
    ///
    /// # Errors
    /// [`LinkError`]. After [`LinkError::NoAnswer`] the claim may still have been heard.
    pub fn claim(&mut self, lines: &[LineSpec], timeout: Duration) -> Result<Vec<Result<(), String>>, LinkError> {
        let valid = |line: &&LineSpec| line.has_valid_name();
        let claim = std::array::from_fn(|index| lines.get(index).filter(valid).cloned());
        let Claimed { lines: answers, .. } = self.ask(claim, timeout)?;
        let result = |(index, line): (usize, &LineSpec)| match answers.get(index) {
            None => Err(format!("a relay guard holds at most {MAX_LINES} output lines")),
            Some(_) if !line.has_valid_name() => Err(format!("{:?} is no name for an output line", line.name)),
            Some(answer) if answer.held => Ok(()),
            Some(answer) => Err(answer.problem.clone()),
        };
        Ok(lines.iter().enumerate().map(result).collect())
    }

    /// Sends `wants` as the next lease and waits at most `timeout` for the report on it.
    ///
    /// # Errors
    /// [`LinkError`]. After [`LinkError::NoAnswer`] the lease may still have been heard.
    pub fn exchange(&mut self, wants: &[Want; MAX_LINES], timeout: Duration) -> Result<Report, LinkError> {
        self.ask(*wants, timeout)
    }

    /// Clears every latch.
    ///
    /// # Errors
    /// [`LinkError`]. After [`LinkError::NoAnswer`] the latches may still have been cleared.
    pub fn reset(&mut self, timeout: Duration) -> Result<Report, LinkError> {
        self.ask([(); MAX_LINES], timeout)
    }

    /// Sends a question, without ever blocking, and waits at most `timeout` for its answer.
    fn ask<Q: Field, A: Field>(&mut self, lines: [Q; MAX_LINES], timeout: Duration) -> Result<Message<A>, LinkError> {
        // 0 is what the guard answers to a message it refuses.
        self.sequence = self.sequence.wrapping_add(1).max(1);
        // One byte more than any message, so that a longer one is seen to be longer.
        let mut bytes = [0; MESSAGE_MAX + 1];
        let question = Message { sequence: self.sequence, lines };
        match send(&self.socket, question.encode(&mut bytes), SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_) => {}
            // A full queue: the guard is not listening.
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => return Err(LinkError::NoAnswer),
            Err(_) => return Err(LinkError::Lost),
        }
        let deadline = clock::now().plus(timeout);
        loop {
            let length = self.receive(deadline.since(clock::now()), &mut bytes)?;
            match protocol::open(&bytes[..length]) {
                Ok((_, sequence, _)) if sequence == self.sequence => {
                    return Message::decode(&bytes[..length]).map_err(|_| LinkError::Garbled);
                }
                // An answer that came too late for an earlier question.
                Ok((_, 1.., _)) => {}
                Ok((_, 0, _)) | Err(_) => return Err(LinkError::Garbled),
            }
        }
    }

    /// Takes the next message from the queue, or the first to come within `timeout`; returns its length.
    fn receive(&self, timeout: Duration, bytes: &mut [u8]) -> Result<usize, LinkError> {
        let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => return Err(LinkError::NoAnswer),
            Ok(_) => {}
            Err(_) => return Err(LinkError::Lost),
        }
        match recv(&self.socket, bytes, RecvFlags::DONTWAIT) {
            Ok((0, _)) => Err(LinkError::Lost),
            Ok((length, _)) => Ok(length),
            Err(Errno::AGAIN | Errno::INTR) => Err(LinkError::NoAnswer),
            Err(_) => Err(LinkError::Lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::Role;
    use crate::protocol::{Claim, ClaimedLine, Lease};

    const NO_WANTS: [Want; MAX_LINES] =
        [Want { active: false, temperature_milli_c: 0, sample_age_ms: 0, latch: None }; MAX_LINES];

    fn encoded<F: Field>(message: &Message<F>) -> Vec<u8> {
        message.encode(&mut [0; MESSAGE_MAX]).to_vec()
    }

    fn report(sequence: u32) -> Vec<u8> {
        encoded(&Report { sequence, ..Report::default() })
    }

    /// The answers are in the queue before the question, which has sequence 1.
    fn check(answers: &[Vec<u8>], stays: bool, expected: Result<u32, LinkError>) {
        let (mut link, guard) = Link::pair().unwrap();
        for answer in answers {
            send(&guard, answer, SendFlags::NOSIGNAL).unwrap();
        }
        let _guard = stays.then_some(guard);
        let result = link.exchange(&NO_WANTS, Duration::ZERO);
        assert_eq!(result.map(|report| report.sequence), expected, "{answers:?}");
    }

    #[test]
    fn an_exchange_ends_in_one_of_four_ways() {
        let late_claimed = encoded(&Claimed { sequence: u32::MAX, ..Claimed::default() });
        check(&[report(1)], true, Ok(1));
        check(&[report(u32::MAX), report(1)], true, Ok(1));
        check(&[late_claimed, report(1)], true, Ok(1));
        check(&[report(u32::MAX)], true, Err(LinkError::NoAnswer));
        check(&[], true, Err(LinkError::NoAnswer));
        check(&[], false, Err(LinkError::Lost));
        check(&[report(0)], true, Err(LinkError::Garbled));
        check(&[encoded(&Claimed { sequence: 1, ..Claimed::default() })], true, Err(LinkError::Garbled));
        check(&[vec![1]], true, Err(LinkError::Garbled));
        check(&[report(1)[..Report::LEN - 1].to_vec()], true, Err(LinkError::Garbled));
        check(&[[report(1), vec![0]].concat()], true, Err(LinkError::Garbled));
        check(&[vec![0; 2 * MESSAGE_MAX]], true, Err(LinkError::Garbled));
    }

    #[test]
    fn a_claim_has_an_answer_for_every_line() {
        let (mut link, guard) = Link::pair().unwrap();
        let mut answer = Claimed { sequence: 1, ..Claimed::default() };
        answer.lines[0].held = true;
        answer.lines[2] = ClaimedLine { held: false, problem: "no such pin".into() };
        send(&guard, &encoded(&answer), SendFlags::NOSIGNAL).unwrap();
        let line = |name: &str| LineSpec { name: name.into(), role: Role::Fan, gpio: 4, active_low: true };
        let mut lines = vec![line("x"); MAX_LINES + 1];
        lines[1] = line("two words");
        let results = link.claim(&lines, Duration::ZERO).unwrap();
        assert_eq!(results.len(), MAX_LINES + 1);
        assert_eq!(results[0], Ok(()));
        assert_eq!(results[1], Err("\"two words\" is no name for an output line".into()));
        assert_eq!(results[2], Err("no such pin".into()));
        assert_eq!(results[MAX_LINES], Err("a relay guard holds at most 8 output lines".into()));
        // What has no valid name was not asked for.
        let mut bytes = [0; MESSAGE_MAX];
        let (length, _) = recv(&guard, &mut bytes, RecvFlags::empty()).unwrap();
        let asked = Claim::decode(&bytes[..length]).unwrap();
        assert_eq!((&asked.lines[0], &asked.lines[1]), (&Some(line("x")), &None));
    }

    #[test]
    fn a_guard_that_does_not_listen_never_blocks_the_daemon() {
        let (mut link, _guard) = Link::pair().unwrap();
        for _ in 0..10_000 {
            assert_eq!(link.exchange(&NO_WANTS, Duration::ZERO), Err(LinkError::NoAnswer));
        }
    }

    #[test]
    fn sequences_count_up_and_leave_out_0() {
        let (mut link, guard) = Link::pair().unwrap();
        let mut sent = || {
            let _ = link.exchange(&NO_WANTS, Duration::ZERO);
            let mut bytes = [0; Lease::LEN];
            recv(&guard, &mut bytes, RecvFlags::empty()).unwrap();
            let sequence = Lease::decode(&bytes).unwrap().sequence;
            link.sequence = if sequence == 2 { u32::MAX - 1 } else { sequence };
            sequence
        };
        assert_eq!([sent(), sent(), sent(), sent()], [1, 2, u32::MAX, 1]);
    }
}
