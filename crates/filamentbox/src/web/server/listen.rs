//! Listening sockets, and in words why there is none.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use rustix::io::Errno;
use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket};

use super::limits::{BACKLOG, KERNEL_BUFFER};

/// Listens at `address`; `::` is every address, of both kinds.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            // Whatever the machine's default is.
            set_ipv6_v6only(&socket, false)?;
            socket
        }
    };
    // Connections of the daemon before this one do not hold the port.
    socket.set_reuseaddr(true)?;
    // Those that are accepted have the same.
    socket.set_send_buffer_size(KERNEL_BUFFER)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What is wrong, and what to do.
pub(super) fn explain(address: SocketAddr, problem: &io::Error) -> String {
    let port = address.port();
    let why = match problem.kind() {
        ErrorKind::AddrInUse => format!(
            "port {port} is taken by another program; `sudo ss -ltnp sport = :{port}` names it: stop it, or give webui.port another number"
        ),
        ErrorKind::AddrNotAvailable => format!(
            "this machine has no address {} (yet); webui.host may be one that `ip address` shows, 0.0.0.0 or ::",
            address.ip()
        ),
        ErrorKind::PermissionDenied => format!(
            "port {port} is one of those below 1024, which need a right that the daemon does not have; give webui.port a number from 1024 up"
        ),
        _ if problem.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) => {
            "this machine has no IPv6; webui.host may be an IPv4 address or 0.0.0.0".to_owned()
        }
        _ => format!("{problem}; webui.host and webui.port say where it is to be"),
    };
    format!("the page cannot be served at {address}: {why}")
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    #[tokio::test]
    async fn every_address_of_both_kinds() {
        let listener = match listen(SocketAddr::from(([0_u16; 8], 0))) {
            Ok(listener) => listener,
            Err(problem) => return eprintln!("SKIPPED: this machine has no IPv6 ({problem})"),
        };
        let port = listener.local_addr().expect("bound").port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("over IPv4");
        let (_, peer) = listener.accept().await.expect("accepted");
        assert_eq!(peer.ip().to_canonical(), Ipv4Addr::LOCALHOST);
    }

    #[tokio::test]
    async fn why_there_is_no_socket() {
        let problem = |address: &str| {
            let address = address.parse().expect("an address");
            listen(address).map_err(|problem| explain(address, &problem)).expect_err("not possible")
        };
        let taken = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("free");
        let address = taken.local_addr().expect("bound").to_string();
        assert!(problem(&address).contains("taken by another program"), "{}", problem(&address));
        assert!(problem("192.0.2.1:5000").contains("no address 192.0.2.1 (yet)"));
    }
}
