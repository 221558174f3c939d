//! The HTTP interface at the port of a simulated box, as programs that nobody has shown us ask it: what schemathesis makes of the OpenAPI
//! document, and what is no HTTP or JSON at all.

mod hostile;
mod schemathesis;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use crate::page;
use crate::support::{Daemon, PATIENCE};

/// A daemon with a port, whatever is set through it: what would reach the world or end the port is in its environment, which wins.
fn start() -> (Daemon, SocketAddr) {
    let mut daemon = page::with_page();
    daemon.set("alerts.command", "").set("alerts.webhook_url", "");
    daemon.start();
    let address = page::address(&daemon);
    (daemon, address)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Said,
}

/// An answer: what counts of it.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{} {}: no JSON", self.status, String::from_utf8_lossy(&self.body)))
    }

    fn has_header(&self, name: &str) -> bool {
        self.head.to_ascii_lowercase().contains(&format!("\r\n{name}: "))
    }
}

/// Sends bytes as they are; `None` when the connection was closed without an answer. With `End::Said` the other side learns that no more
/// comes, of what may look like the beginning of a request.
fn send(address: SocketAddr, request: &[u8], end: End) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).expect("the port");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    // Who is refused early need not have been read to the end.
    let _ = stream.write_all(request);
    if end == End::Said {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(problem) if problem.kind() == ErrorKind::ConnectionReset => {}
        Err(problem) => panic!("{problem}: {}", String::from_utf8_lossy(&request[..request.len().min(200)])),
    }
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(answer[..end].to_vec()).expect("a head of text");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Some(Answer { status, head, body: answer[end + 4..].to_vec() })
}

/// A request as our own page sends it.
fn ask(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-FilamentBox: 1\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    send(address, &[head.as_bytes(), body].concat(), End::Open).unwrap_or_else(|| panic!("{method} {path}: no answer"))
}
