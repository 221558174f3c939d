//! What integration tests share: real database servers on free loopback ports, and a double for the faults they will not show.
//!
//! Every server keeps its data in a folder of its own, and dies with its value, or with the thread that started it even when
//! the test process is killed (`setpriv --pdeathsig`): start it on the thread that uses it.

// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used)]

pub(crate) mod backlog;
mod daemon;
mod faults;
mod proxy;
mod recorder;
mod request;
mod servers;
mod store;
pub(crate) mod terminal;

pub(crate) use daemon::{BINARY, Daemon};
pub(crate) use faults::{Fault, FaultServer};
pub(crate) use proxy::{FAULTS, Proxy, Spoil};
pub(crate) use recorder::{Authority, Manner, Recorder};
pub(crate) use request::read_request;
pub(crate) use servers::{
    BaoServer, InfluxServer, InfluxV2Double, InfluxV3Double, Metric, PASSWORD, PostgresServer, PrometheusServer,
    PushgatewayServer, Server, Stored, TOKEN, TimescaleServer, USERNAME, VictoriaServer, VmAuth, points_of, psql,
};
pub(crate) use store::store_unchecked;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest wait for anything local.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whether `program` is installed. When it is not, says that the test is skipped, or fails with
/// `FILAMENTBOX_REQUIRE_SERVERS=1`.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    is_installed_as(program, std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// The same for what is not found by `PATH`: `is_there` says whether it is.
pub(crate) fn is_installed_as(program: &str, is_there: bool) -> bool {
    if is_there {
        return true;
    }
    let required = std::env::var("FILAMENTBOX_REQUIRE_SERVERS").is_ok_and(|value| value == "1");
    assert!(!required, "{program} is not installed, and FILAMENTBOX_REQUIRE_SERVERS=1");
    eprintln!("SKIPPED: {program} is not installed (make test installs it)");
    false
}

/// A loopback address that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free loopback port")
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One HTTP/1.0 request: status and body.
pub(crate) fn http(
    address: SocketAddr,
    method: &str,
    path: &str,
    basic: Option<(&str, &str)>,
) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let auth = basic.map_or(String::new(), |(user, password)| basic_header(user, password));
    let request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n{auth}Content-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, body.to_owned()))
}

/// The line of a request's head that says who asks.
pub(crate) fn basic_header(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", base64(format!("{user}:{password}").as_bytes()))
}

/// `text` as part of a query string.
pub(crate) fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let sextet = (bits >> (18 - 6 * i)) as usize & 63;
            text.push(if i <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}

fn write_file(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// The process id of the daemon's child, the guard; nothing when it has none.
pub(crate) fn child_of(daemon: &Daemon) -> String {
    let children = Command::new("pgrep").args(["-P", &daemon.pid().to_string()]).output().expect("pgrep(1)");
    String::from_utf8(children.stdout).expect("text").trim().to_owned()
}

pub(crate) fn signal(process: &str, signal: &str) {
    assert!(Command::new("kill").args([signal, process]).status().expect("kill(1)").success());
}

#[test]
fn base64_matches_rfc_4648() {
    let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
    for (plain, encoded) in cases {
        assert_eq!(base64(plain.as_bytes()), encoded);
    }
}
