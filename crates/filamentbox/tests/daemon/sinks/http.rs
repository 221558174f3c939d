//! What every backend's HTTP does: TLS, redirects, keep-alive, gzip, and no secret in any reason.

use std::io::Read as _;

use filamentbox::sinks::{Sink, SinkError, SinkKind};
use filamentbox_core::config::Settings;
use flate2::read::GzDecoder;
use tempfile::TempDir;

use crate::support::{
    Authority, Fault, FaultServer, Manner, PASSWORD, Recorder, Server as _, TOKEN, USERNAME, VictoriaServer,
};

use super::{bare_settings, http_kinds, labels, open, points};

/// `text` as a file, and its path.
fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("a temporary file");
    path.display().to_string()
}

fn with(kind: &SinkKind, url: &str, changes: &[(&str, &str)]) -> Settings {
    let keys: Vec<String> = changes.iter().map(|(part, _)| format!("database.{}.{part}", kind.name)).collect();
    let changes: Vec<_> = keys.iter().map(String::as_str).zip(changes.iter().map(|(_, value)| *value)).collect();
    bare_settings(kind, url, &changes)
}

async fn reason(sink: &mut dyn Sink) -> String {
    let error = sink.write(&points(0..3)).await.expect_err("it cannot be trusted");
    assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn an_authority_of_ones_own_must_be_named() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let ca_file = file(&folder, "ca.pem", &format!("a comment\n{}{}", Authority::new().pem, authority.pem));
    for kind in http_kinds() {
        let server = Recorder::start(Manner::Tls(authority.server("127.0.0.1", |_| {})));
        let url = format!("https://{}", server.address());
        let reason = reason(&mut *open(kind, &with(kind, &url, &[]))).await;
        let expected =
            format!("the certificate of {url} is not trusted; put its authority into database.{}.ca_file", kind.name);
        assert_eq!(reason, expected);
        assert!(server.requests().is_empty(), "nothing is sent to who is not trusted");
        let mut sink = open(kind, &with(kind, &url, &[("ca_file", &ca_file)]));
        for _write in 0..10 {
            sink.write(&points(0..3)).await.expect("trusted");
        }
        assert_eq!(server.requests().len(), 10, "{}", kind.name);
        assert_eq!(server.connections(), 2, "{}: one for all after the one that failed", kind.name);
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_says_why() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let ca_file = file(&folder, "ca.pem", &authority.pem);
    let date = rcgen::date_time_ymd;
    let cases = [
        (authority.server("db.example", |_| {}), "is for another name (db.example): use that name in the URL"),
        (
            authority.server("127.0.0.1", |params| params.not_after = date(2020, 5, 1)),
            "is expired since 2020-05-01 by this machine's clock (",
        ),
        (
            authority.server("127.0.0.1", |params| {
                (params.not_before, params.not_after) = (date(2995, 5, 1), date(2999, 5, 1));
            }),
            "is not valid yet before 2995-05-01 by this machine's clock (",
        ),
    ];
    for (config, expected) in cases {
        let server = Recorder::start(Manner::Tls(config));
        let url = format!("https://{}", server.address());
        for kind in http_kinds() {
            let reason = reason(&mut *open(kind, &with(kind, &url, &[("ca_file", &ca_file)]))).await;
            assert!(reason.starts_with(&format!("the certificate of {url} {expected}")), "{}: {reason}", kind.name);
            assert!(expected.contains("name") || reason.ends_with("): is the clock right?"), "{reason}");
        }
        assert!(server.requests().is_empty());
    }
}

#[test]
fn a_ca_file_that_is_of_no_use_is_refused_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let garbage = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let cases = [
        (folder.path().join("none").display().to_string(), "No such file"),
        (folder.path().display().to_string(), "directory"),
        (file(&folder, "empty", ""), "no certificate"),
        (file(&folder, "text", "not a certificate"), "no certificate"),
        (file(&folder, "garbage", garbage), "cannot be used"),
    ];
    for kind in http_kinds() {
        for (path, expected) in &cases {
            let settings = with(kind, "https://db.example", &[("ca_file", path)]);
            let error = (kind.open)(&settings, &labels(&[], false)).err().expect("of no use");
            assert_eq!(error.key, format!("database.{}.ca_file", kind.name), "{error}");
            assert!(error.problem.contains(expected) && error.problem.contains(path.as_str()), "{error}");
        }
    }
}

#[tokio::test]
async fn the_wrong_scheme_is_said() {
    for kind in http_kinds() {
        let closing = FaultServer::start([]);
        let url = closing.url().replace("http://", "https://");
        let text = reason(&mut *open(kind, &with(kind, &url, &[]))).await;
        assert!(text.ends_with("(does it speak TLS at all?)"), "{text}");
        if let Some(plain) = VictoriaServer::start() {
            let url = plain.url().replace("http://", "https://");
            let text = reason(&mut *open(kind, &with(kind, &url, &[]))).await;
            assert_eq!(text, format!("{url} does not speak TLS: must its URL begin with http://?"));
        }
        let words = "Client sent an HTTP request to an HTTPS server.\n";
        let tls = FaultServer::start([Fault::Answer(400, "", words.to_owned())]);
        let error = open(kind, &with(kind, &tls.url(), &[])).write(&points(0..3)).await.expect_err("it wants TLS");
        assert!(matches!(&error, SinkError::Misconfigured { reason } if reason.contains("https://")), "{error:?}");
    }
}

/// The others have a token.
fn has_a_password(kind: &SinkKind) -> bool {
    kind.keys.iter().any(|spec| spec.key.ends_with(".password"))
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for kind in http_kinds() {
        let elsewhere = FaultServer::start([]);
        let location: &'static str = format!("Location: {}/write\r\n", elsewhere.url()).leak();
        for status in [301, 302, 303, 307, 308] {
            let server = FaultServer::start([Fault::Answer(status, location, String::new())]);
            let credentials: &[(&str, &str)] = match has_a_password(kind) {
                true => &[("username", USERNAME), ("password", PASSWORD)],
                false => &[("token", TOKEN)],
            };
            let error = open(kind, &with(kind, &server.url(), credentials)).write(&points(0..3)).await;
            let error = error.expect_err("a redirect");
            assert!(matches!(error, SinkError::Misconfigured { .. }), "{}: {error:?}", kind.name);
            assert_eq!(server.requests().len(), 1, "{}", kind.name);
        }
        assert!(elsewhere.requests().is_empty(), "{}: {:?}", kind.name, elsewhere.requests());
    }
}

#[tokio::test]
async fn ten_writes_use_one_connection() {
    for kind in http_kinds() {
        let server = Recorder::start(Manner::Plain);
        let mut sink = open(kind, &with(kind, &format!("http://{}", server.address()), &[]));
        for _write in 0..10 {
            sink.write(&points(0..3)).await.expect("accepted");
        }
        assert_eq!((server.requests().len(), server.connections()), (10, 1), "{}", kind.name);
    }
}

#[tokio::test]
async fn bodies_are_compressed_when_asked_and_plain_on_this_machine() {
    for kind in http_kinds().filter(|kind| kind.keys.iter().any(|spec| spec.key.ends_with(".gzip"))) {
        let server = Recorder::start(Manner::Plain);
        let url = format!("http://{}", server.address());
        for gzip in ["off", "auto", "on"] {
            let settings = with(kind, &url, &[("gzip", gzip)]);
            open(kind, &settings).write(&points(0..500)).await.expect("accepted");
        }
        let requests = server.requests();
        let is_compressed: Vec<bool> =
            requests.iter().map(|request| request.head.to_lowercase().contains("content-encoding: gzip")).collect();
        assert_eq!(is_compressed, [false, false, true], "{}", kind.name);
        let mut decoded = Vec::new();
        GzDecoder::new(requests[2].body.as_slice()).read_to_end(&mut decoded).expect("gzip");
        assert_eq!(decoded, requests[0].body, "{}", kind.name);
        assert!(requests[2].body.len() * 3 < decoded.len(), "{}: {}", kind.name, requests[2].body.len());
    }
}

/// vmauth repeats the header, and so do error pages of proxies.
#[tokio::test]
async fn a_refusal_that_repeats_the_request_shows_no_secret() {
    // USERNAME:PASSWORD in base64, as RFC 7617 writes it in UTF-8.
    let encoded = "ZmlsYW1lbnQ6cDRzcyB3w7ZyZA==";
    for kind in http_kinds().filter(|kind| has_a_password(kind)) {
        let body = format!("no user for \"Basic {encoded}\" or {USERNAME}:{PASSWORD}");
        let server = FaultServer::start([Fault::Answer(401, "", body)]);
        let credentials = [("username", USERNAME), ("password", PASSWORD)];
        let error = open(kind, &with(kind, &server.url(), &credentials)).write(&points(0..3)).await.expect_err("401");
        let request = server.requests().remove(0);
        assert!(request.contains(&format!("uthorization: Basic {encoded}\r\n")), "{request}");
        let text = error.to_string();
        assert!(text.contains("\"Basic ***\" or filament:***"), "{}: {text}", kind.name);
        assert!(!format!("{error:?}").contains(encoded) && !text.contains(PASSWORD), "{error:?}");
    }
}
