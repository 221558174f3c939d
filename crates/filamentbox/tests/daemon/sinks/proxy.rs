//! Proxies, which only the environment of a real process names.

use std::io::Read as _;

use flate2::read::GzDecoder;

use crate::support::{Authority, Daemon, Fault, FaultServer, Manner, Recorder, wait_until};

/// A backend at `url`, with these variables.
fn daemon(url: &str, variables: &[(&str, &str)]) -> Daemon {
    let mut daemon = Daemon::new();
    daemon.set("database.type", "victoriametrics").set("database.victoriametrics.url", url);
    for (name, value) in variables {
        daemon.variable(name, value);
    }
    daemon
}

/// What `database test` prints, and whether all is well.
fn test(daemon: &Daemon) -> (String, bool) {
    let output = daemon.cli(&["database", "test"]);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (text, output.status.success())
}

#[test]
fn the_environments_proxy_is_used() {
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        for (user, is_expected) in [("", false), ("ann:p%20w@", true)] {
            let proxy = Recorder::start(Manner::Plain);
            let value = format!("http://{user}{}", proxy.address());
            let (text, is_good) = test(&daemon("http://db.example:8428", &[(name, &value)]));
            assert!(is_good, "{name}: {text}");
            let head = proxy.requests().remove(0).head;
            assert!(head.starts_with("POST http://db.example:8428/write?precision=ms HTTP/1.1\r\n"), "{head}");
            // ann:p w
            let has_password = head.to_lowercase().contains("proxy-authorization: basic yw5uonagdw==\r\n");
            assert_eq!(has_password, is_expected, "{head}");
        }
    }
}

#[test]
fn https_goes_through_a_tunnel_and_is_checked_at_its_end() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, &authority.pem).expect("a file");
    for name in ["HTTPS_PROXY", "https_proxy"] {
        let proxy = Recorder::start(Manner::Tunnel(authority.server("db.example", |_| {})));
        let value = format!("http://ann:pw@{}", proxy.address());
        let mut daemon = daemon("https://db.example:8428", &[(name, &value)]);
        let (text, is_good) = test(&daemon);
        assert!(!is_good && text.contains("https://db.example:8428 is not trusted"), "{text}");
        daemon.set("database.victoriametrics.ca_file", &ca_file.display().to_string());
        let (text, is_good) = test(&daemon);
        assert!(is_good, "{text}");
        let heads: Vec<String> = proxy.requests().into_iter().map(|request| request.head).collect();
        assert_eq!(heads.len(), 3, "{heads:?}");
        assert!(heads[1].starts_with("CONNECT db.example:8428 HTTP/1.1\r\n"), "{heads:?}");
        assert!(heads[1].to_lowercase().contains("proxy-authorization: basic "), "{heads:?}");
        assert!(heads[2].starts_with("POST /write?precision=ms HTTP/1.1\r\n"), "{heads:?}");
        assert!(!heads[2].to_lowercase().contains("proxy-authorization"), "{heads:?}");
    }
}

#[test]
fn the_systems_authorities_are_trusted_and_needed() {
    let authority = Authority::new();
    let server = Recorder::start(Manner::Tls(authority.server("127.0.0.1", |_| {})));
    let url = format!("https://{}", server.address());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("system.pem");
    std::fs::write(&file, &authority.pem).expect("a file");
    let (text, is_good) = test(&daemon(&url, &[("SSL_CERT_FILE", &file.display().to_string())]));
    assert!(is_good, "{text}");
    std::fs::write(&file, "").expect("a file");
    let (text, is_good) = test(&daemon(&url, &[("SSL_CERT_FILE", &file.display().to_string())]));
    assert!(!is_good && text.contains("apt install ca-certificates"), "{text}");
}

#[test]
fn a_proxy_may_itself_be_behind_tls() {
    let authority = Authority::new();
    let proxy = Recorder::start(Manner::Tls(authority.server("127.0.0.1", |_| {})));
    let value = format!("https://{}", proxy.address());
    let mut daemon = daemon("http://db.example:8428", &[("HTTP_PROXY", &value)]);
    let (text, is_good) = test(&daemon);
    assert!(!is_good && text.contains("is not trusted"), "{text}");
    let ca_file = daemon.folder().join("ca.pem");
    std::fs::write(&ca_file, &authority.pem).expect("a file");
    daemon.set("database.victoriametrics.ca_file", &ca_file.display().to_string());
    let (text, is_good) = test(&daemon);
    assert!(is_good, "{text}");
    assert_eq!(proxy.requests().len(), 1);
}

#[test]
fn this_machine_and_no_proxy_are_reached_without_one() {
    let (proxy, server) = (Recorder::start(Manner::Plain), Recorder::start(Manner::Plain));
    let value = format!("http://{}", proxy.address());
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}", server.address().port());
        let (text, is_good) = test(&daemon(&url, &[("HTTP_PROXY", &value), ("ALL_PROXY", &value)]));
        assert!(is_good, "{text}");
    }
    assert_eq!(server.requests().len(), 2);
    // TEST-NET-1 (RFC 5737): nobody is there.
    for name in ["NO_PROXY", "no_proxy"] {
        let variables = [("HTTP_PROXY", value.as_str()), (name, "db.example, 192.0.2.0/24")];
        let (text, is_good) = test(&daemon("http://192.0.2.1:8428", &variables));
        assert!(!is_good && text.contains("cannot connect to http://192.0.2.1:8428"), "{text}");
    }
    assert!(proxy.requests().is_empty(), "{:?}", proxy.requests());
}

#[test]
fn a_proxy_that_refuses_says_so_and_its_password_is_not_shown() {
    let echo = "Proxy-Authorization: Basic YW5uOnAgdw== (ann:p w, p%20w)";
    let proxy = FaultServer::start((0..2).map(|_| Fault::Answer(407, "", echo.to_owned())));
    let value = proxy.url().replace("http://", "http://ann:p%20w@");
    for (url, variable) in [("http://db.example:8428", "HTTP_PROXY"), ("https://db.example:8428", "HTTPS_PROXY")] {
        let (text, is_good) = test(&daemon(url, &[(variable, &value)]));
        assert!(!is_good && text.contains("proxy"), "{text}");
        for secret in ["YW5uOnAgdw", "p w", "p%20w"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert_eq!(proxy.requests().len(), 2);
}

/// A server that is not on this machine gets compressed bodies, by the daemon itself.
#[test]
fn the_daemon_delivers_through_a_proxy() {
    let proxy = Recorder::start(Manner::Plain);
    let value = format!("http://{}", proxy.address());
    let mut daemon = daemon("http://db.example:8428", &[("http_proxy", &value)]);
    daemon.set("data_collection.flush_interval", "5").start();
    let is_compressed =
        |head: &str| head.starts_with("POST ") && head.to_lowercase().contains("content-encoding: gzip");
    let found = || proxy.requests().into_iter().find(|request| is_compressed(&request.head));
    wait_until("a compressed request", || found().is_some());
    let mut text = String::new();
    GzDecoder::new(found().expect("just seen").body.as_slice()).read_to_string(&mut text).expect("gzip");
    assert!(text.starts_with("environment "), "{text}");
}
