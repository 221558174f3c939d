//! The port comes, goes and moves with the settings, and says what is wrong; control goes on.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};

use super::{address, connect, exchange, request, shown, status, with_page};
use crate::support::{Daemon, wait_until};

fn is_served(daemon: &Daemon) -> bool {
    let address = address(daemon);
    status(&exchange(address, request(address, "GET", "/healthz", "").as_bytes())) == 200
}

/// Waits until the status says of the page what is wrong; "" for nothing.
#[track_caller]
fn wait_for_error(daemon: &Daemon, words: &str) {
    wait_until(&format!("{words:?} about the page"), || match shown(daemon)["error"].as_str() {
        Some(error) => !words.is_empty() && error.contains(words),
        None => words.is_empty(),
    });
}

/// Leaves the page's keys to the store.
fn by_store(changes: &[(&str, Option<&str>)]) -> Daemon {
    let mut daemon = with_page();
    for key in ["webui.enabled", "webui.port", "webui.host", "webui.tls_cert", "webui.tls_key"] {
        daemon.unset(key);
    }
    daemon.store(changes);
    daemon
}

#[test]
fn a_port_that_is_taken_is_said_once_and_had_when_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let mut daemon = with_page();
    daemon.set("webui.port", &port).start();
    wait_for_error(&daemon, "taken by another program");
    assert!(shown(&daemon)["url"].is_null());
    daemon.ask(&["heater", "on", "--for", "5m"]);
    daemon.wait_for_output("heater", true);
    // Several tries.
    std::thread::sleep(std::time::Duration::from_secs(4));
    drop(taken);
    wait_for_error(&daemon, "");
    assert!(is_served(&daemon));
    let log = daemon.log();
    assert_eq!(log.matches("taken by another program").count(), 1, "{log}");
    assert_eq!(log.matches("the page is at http://127.0.0.1:").count(), 1, "{log}");
}

#[test]
fn the_page_goes_moves_and_comes_with_the_settings() {
    let mut daemon = by_store(&[("webui.port", Some("0"))]);
    daemon.start();
    let first = address(&daemon);
    let resting = connect(first);
    // Asked at the port itself: the answer still comes.
    let other = crate::support::free_address().port().to_string();
    let moved = request(first, "PUT", "/api/config/webui.port", &format!(r#"{{"value":{other}}}"#));
    let answer = exchange(first, moved.as_bytes());
    assert!(status(&answer) == 200 && answer.contains(r#""restart_needed":false"#), "{answer}");
    wait_until("another port", || address(&daemon) != first);
    assert!(is_served(&daemon));
    let mut rest = Vec::new();
    assert_eq!(std::io::Read::read_to_end(&mut &resting, &mut rest).expect("an orderly end"), 0, "old connections end");
    // The same port for other addresses: the old one is in the way.
    daemon.store(&[("webui.host", Some("0.0.0.0"))]);
    wait_until("every address", || daemon.log().contains("on every address of this machine"));
    let own = std::net::SocketAddr::from(([127, 0, 0, 1], other.parse().expect("a port")));
    assert_eq!(status(&exchange(own, request(own, "GET", "/healthz", "").as_bytes())), 200);
    // What cannot be leaves it where it is.
    daemon.store(&[("webui.host", Some("192.0.2.1"))]);
    wait_for_error(&daemon, "no address 192.0.2.1 (yet)");
    assert_eq!(status(&exchange(own, request(own, "GET", "/healthz", "").as_bytes())), 200);
    daemon.store(&[("webui.host", Some("127.0.0.1")), ("webui.enabled", Some("false"))]);
    wait_until("no page", || shown(&daemon)["url"].is_null());
    assert!(std::net::TcpStream::connect(own).is_err());
    daemon.store(&[("webui.enabled", None)]);
    assert!(is_served(&daemon));
}

#[test]
fn tls_comes_with_its_files_and_a_renewed_certificate_with_sighup() {
    let mut daemon = with_page();
    let files = ["cert.pem", "key.pem"].map(|name| daemon.folder().join(name).to_string_lossy().into_owned());
    let write = |names: &str, both: bool| {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![names.to_owned()]).expect("a name");
        std::fs::write(&files[0], params.self_signed(&key).expect("a certificate").pem()).expect("written");
        if both {
            std::fs::write(&files[1], key.serialize_pem()).expect("written");
            std::fs::set_permissions(&files[1], Permissions::from_mode(0o600)).expect("ours");
        }
    };
    daemon.set("webui.tls_cert", &files[0]).set("webui.tls_key", &files[1]).start();
    wait_for_error(&daemon, "cannot be read");
    assert!(shown(&daemon)["url"].is_null(), "never without TLS");
    write("first.example", true);
    wait_until("the page", || shown(&daemon)["url"].as_str().is_some_and(|url| url.starts_with("https://")));
    let address = address(&daemon);
    let subject = || {
        let script =
            format!("echo | openssl s_client -connect {address} 2>/dev/null | openssl x509 -noout -ext subjectAltName");
        let output = Command::new("sh").args(["-c", &script]).output().expect("sh");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(subject().contains("first.example"), "{}", subject());
    let plain = exchange(address, request(address, "GET", "/healthz", "").as_bytes());
    assert!(status(&plain) == 400 && plain.contains("this port speaks HTTPS"), "{plain}");
    // Half of a renewal: the old certificate goes on.
    write("second.example", false);
    daemon.signal("-HUP");
    wait_for_error(&daemon, "does not belong to the certificate");
    assert!(subject().contains("first.example"), "{}", subject());
    write("third.example", true);
    daemon.signal("-HUP");
    wait_for_error(&daemon, "");
    assert!(subject().contains("third.example"), "{}", subject());
}
