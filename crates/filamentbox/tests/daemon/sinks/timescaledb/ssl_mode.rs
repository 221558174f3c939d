//! The six words of `ssl_mode` against servers with and without TLS: whether we connect, and how, as psql does.

use std::path::Path;
use std::process::Command;

use filamentbox::sinks::SinkError;

use crate::support::{PostgresServer, Server as _, is_installed, psql};

use super::super::{open, points, settings};
use super::timescale;

const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Which connections `pg_hba.conf` lets in.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Admits {
    Both,
    TlsOnly,
    PlainOnly,
}

/// A server, by what a client can know of it.
#[derive(Clone, Copy, Debug)]
struct Case {
    /// The certificate's file; `None` without TLS.
    certificate: Option<&'static str>,
    /// Whether the authority that the client has signed it.
    trusted: bool,
    /// Whether it names `localhost`.
    named: bool,
    admits: Admits,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Verdict {
    Plain,
    Tls,
    Refused,
}

impl Case {
    /// What libpq's documentation says (34.19, "SSL Support"); without authorities `verify-*` cannot trust anybody here.
    fn expected(self, mode: &str, with_authority: bool) -> Verdict {
        let verifies = mode.starts_with("verify");
        let chain = if with_authority { self.trusted } else { !verifies };
        let tls = self.certificate.is_some()
            && chain
            && (self.named || mode != "verify-full")
            && self.admits != Admits::PlainOnly;
        let plain = self.admits != Admits::TlsOnly;
        let when = |allowed, verdict| if allowed { verdict } else { Verdict::Refused };
        match mode {
            "disable" => when(plain, Verdict::Plain),
            "allow" if plain => Verdict::Plain,
            "prefer" if !tls => when(plain, Verdict::Plain),
            _ => when(tls, Verdict::Tls),
        }
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("openssl(1)");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// `NAME.pem` and `NAME.key`: an authority.
fn authority(folder: &Path, name: &str) {
    openssl(folder, &format!("req -x509 {NEW_KEY} -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}"));
}

/// `NAME.pem` and `NAME.key`: a server's certificate for `host`.
fn certificate(folder: &Path, name: &str, host: &str, authority: &str) {
    openssl(folder, &format!("req -new {NEW_KEY} -keyout {name}.key -out {name}.csr -subj /CN={host}"));
    std::fs::write(folder.join("ext"), format!("subjectAltName=DNS:{host}\n")).expect("written");
    let sign = format!("x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial");
    openssl(folder, &format!("{sign} -days 2 -extfile ext -out {name}.pem"));
}

/// Starts the server anew with this certificate and these rules.
fn configure(server: &mut PostgresServer, folder: &Path, certificate: Option<&str>, admits: Admits) {
    let kind = match admits {
        Admits::Both => "host",
        Admits::TlsOnly => "hostssl",
        Admits::PlainOnly => "hostnossl",
    };
    let text = |name: String| std::fs::read_to_string(folder.join(name)).expect("a file of openssl's");
    let mut lines = "";
    if let Some(name) = certificate {
        server.write("data/server.crt", &text(format!("{name}.pem")));
        server.write("data/server.key", &text(format!("{name}.key")));
        lines = "ssl = on\n";
    }
    server.configure(&format!("{kind} all all 127.0.0.1/32 scram-sha-256"), lines);
}

/// How the sink connects, and what it says when it does not.
async fn ours(server: &PostgresServer, mode: &str, ca_file: &str) -> (Verdict, String) {
    let changes = [
        ("database.timescaledb.host", "localhost"),
        ("database.timescaledb.ssl_mode", mode),
        ("database.timescaledb.ca_file", ca_file),
    ];
    let mut sink = open(timescale(), &settings(&server.settings(), &changes));
    match sink.write(&points(0..1)).await {
        Ok(()) => {
            let last = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'filamentbox' \
                        ORDER BY backend_start DESC LIMIT 1";
            let verdict = if server.query(last) == "t" { Verdict::Tls } else { Verdict::Plain };
            sink.close().await.expect("closes");
            (verdict, String::new())
        }
        Err(error) => {
            assert!(matches!(error, SinkError::Misconfigured { .. }), "{error:?}");
            (Verdict::Refused, error.to_string())
        }
    }
}

/// How psql connects.
fn theirs(server: &PostgresServer, mode: &str, ca_file: &str) -> (Verdict, String) {
    let port = server.address().port();
    let ca_file = if ca_file.is_empty() { "/nonexistent" } else { ca_file };
    let connection = format!(
        "host=localhost port={port} user=filament dbname='{}' sslmode={mode} sslrootcert={ca_file} gssencmode=disable",
        PostgresServer::DATABASE
    );
    match psql(&connection, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") {
        Ok(answer) if answer == "t" => (Verdict::Tls, String::new()),
        Ok(_) => (Verdict::Plain, String::new()),
        Err(error) => (Verdict::Refused, error),
    }
}

#[tokio::test]
async fn every_ssl_mode_connects_when_psql_does() {
    if !is_installed("openssl") {
        return;
    }
    let Some(mut server) = PostgresServer::start() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    authority(folder, "ours");
    authority(folder, "stranger");
    certificate(folder, "right", "localhost", "ours");
    certificate(folder, "elsewhere", "elsewhere.example", "ours");
    certificate(folder, "untrusted", "localhost", "stranger");
    let ca_file = folder.join("ours.pem").display().to_string();
    let right = Case { certificate: Some("right"), trusted: true, named: true, admits: Admits::Both };
    for case in [
        Case { certificate: None, ..right },
        right,
        Case { certificate: Some("elsewhere"), named: false, ..right },
        Case { certificate: Some("untrusted"), trusted: false, ..right },
        Case { admits: Admits::TlsOnly, ..right },
        Case { admits: Admits::PlainOnly, ..right },
        Case { certificate: Some("untrusted"), trusted: false, admits: Admits::TlsOnly, ..right },
    ] {
        configure(&mut server, folder, case.certificate, case.admits);
        for mode in MODES {
            for ca_file in ["", ca_file.as_str()] {
                let expected = case.expected(mode, !ca_file.is_empty());
                let (ours, theirs) = (ours(&server, mode, ca_file).await, theirs(&server, mode, ca_file));
                let cell = format!("{case:?}, {mode}, {ca_file:?}: {ours:?}; psql: {theirs:?}");
                assert_eq!((ours.0, theirs.0), (expected, expected), "{cell}");
            }
        }
    }
}

/// As the owner of one server makes them: `openssl req -x509`, with its own file as the authority; and of version 1.
#[tokio::test]
async fn certificates_of_ones_own_making_work() {
    if !is_installed("openssl") {
        return;
    }
    let Some(mut server) = PostgresServer::start() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let own = format!(
        "req -x509 {NEW_KEY} -keyout own.key -out own.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    );
    openssl(folder, &own);
    configure(&mut server, folder, Some("own"), Admits::TlsOnly);
    let ca_file = folder.join("own.pem").display().to_string();
    for mode in ["require", "verify-ca", "verify-full"] {
        let ours = ours(&server, mode, &ca_file).await;
        assert_eq!((ours.0, theirs(&server, mode, &ca_file).0), (Verdict::Tls, Verdict::Tls), "{mode}: {ours:?}");
    }
    openssl(folder, &format!("req -new {NEW_KEY} -keyout v1.key -out v1.csr -subj /CN=localhost"));
    openssl(folder, "x509 -req -in v1.csr -signkey v1.key -days 2 -out v1.pem");
    configure(&mut server, folder, Some("v1"), Admits::TlsOnly);
    let anybody = ours(&server, "require", "").await;
    assert_eq!(anybody.0, Verdict::Tls, "{anybody:?}");
    let ca_file = folder.join("v1.pem").display().to_string();
    let (verdict, text) = ours(&server, "verify-full", &ca_file).await;
    assert!(
        verdict == Verdict::Refused && text.contains("UnsupportedCertVersion") && text.contains("subjectAltName"),
        "{text}"
    );
}
