//! The page's port, as browsers, programs and attackers find it.

mod assets;
mod flood;
mod history;
mod limits;
mod port;
mod security;
mod stream;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::support::{Daemon, PATIENCE, wait_until};

/// A daemon with a simulated box and a page on a free port; nothing runs yet.
pub(crate) fn with_page() -> Daemon {
    let mut daemon = Daemon::new();
    daemon.set("webui.enabled", "true").set("webui.port", "0");
    daemon
}

/// What the status says of the page.
pub(crate) fn shown(daemon: &Daemon) -> Value {
    daemon.status().map_or(Value::Null, |status| status["web"].clone())
}

/// Where the page is, once it is there.
pub(crate) fn address(daemon: &Daemon) -> SocketAddr {
    let found = || {
        let url = shown(daemon)["url"].as_str()?.to_owned();
        url.split_once("://")?.1.parse().ok()
    };
    wait_until("the page's address", || found().is_some());
    found().expect("just seen")
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Sends `request` and reads to the end; empty where the connection is cut off.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    let mut answer = Vec::new();
    // What is refused early need not be taken to its end.
    let _ = stream.write_all(request);
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an answer; 0 where there is none.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// A request as our page sends it.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nX-FilamentBox: 1\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
