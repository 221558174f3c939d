//! What the guard needs as a service of its own: a socket to listen on, the signals that stop it, and systemd's messages.

use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Duration;
use std::{env, fs, process};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};
use signal_hook::consts::{SIGINT, SIGTERM};

/// A socket at `path` for [`serve`](crate::serve), open to its user and group. What a guard that is gone has left there is replaced.
///
/// # Errors
/// What socket(2), bind(2) or listen(2) say; `AddrInUse` when another guard listens there.
pub fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    let socket =
        || socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None);
    let address = SocketAddrUnix::new(path)?;
    let nobody_listens = connect(socket()?, &address) == Err(Errno::CONNREFUSED);
    if nobody_listens && fs::symlink_metadata(path)?.file_type().is_socket() {
        fs::remove_file(path)?;
    }
    let listener = socket()?;
    bind(&listener, &address)?;
    // Nobody can connect before it listens.
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    listen(&listener, 4)?;
    Ok(listener)
}

/// From now on SIGTERM and SIGINT do not end the process but make the returned descriptor readable: for
/// [`Options::stop`](crate::Options::stop).
///
/// # Errors
/// What socketpair(2) or sigaction(2) say.
pub fn stop_on_signals() -> io::Result<OwnedFd> {
    let (stop, ours) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::low_level::pipe::register(signal, ours.try_clone()?)?;
    }
    Ok(stop.into())
}

/// The service manager, when it asked to be told.
#[derive(Debug)]
pub struct Supervisor {
    socket: UnixDatagram,
    pub(crate) watchdog: Option<Duration>,
}

impl Supervisor {
    /// The one named in `NOTIFY_SOCKET`, with the watchdog of `WATCHDOG_USEC` (sd_notify(3), sd_watchdog_enabled(3)).
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn from_environment() -> io::Result<Option<Self>> {
        let Ok(address) = env::var("NOTIFY_SOCKET") else { return Ok(None) };
        let is_ours = env::var("WATCHDOG_PID").is_ok_and(|pid| pid == process::id().to_string());
        let watchdog = env::var("WATCHDOG_USEC").ok().filter(|_| is_ours).and_then(|period| period.parse().ok());
        Self::at(&address, watchdog.map(Duration::from_micros)).map(Some)
    }

    pub(crate) fn at(address: &str, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match address.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, watchdog })
    }

    /// Says `what`, or does not: a manager that does not listen must not stop the guard.
    pub(crate) fn tell(&self, what: &str) {
        let _ = self.socket.send(what.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn a_signal_makes_the_descriptor_readable() {
        let stop = stop_on_signals().unwrap();
        let is_readable = || poll(&mut [PollFd::new(&stop, PollFlags::IN)], Some(&Default::default())).unwrap() == 1;
        assert!(!is_readable());
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert!(is_readable());
    }
}
