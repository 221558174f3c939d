//! VictoriaMetrics: tenants, tokens, and whether it reads what we write.

use filamentbox::sinks::{self, SinkError};

use crate::support::{FaultServer, PASSWORD, Server as _, USERNAME, VictoriaServer, VmAuth};

use super::{bare_settings, open, points, settings};

#[tokio::test]
async fn victoriametrics_gets_tenant_and_token() {
    let kind = sinks::find("victoriametrics").expect("a kind");
    let double = FaultServer::start([]);
    let changes = [("database.victoriametrics.tenant", "42:7"), ("database.victoriametrics.token", "t0ken")];
    open(kind, &bare_settings(kind, &double.url(), &changes)).write(&points(0..1)).await.expect("accepted");
    let request = double.requests().remove(0);
    assert!(request.starts_with("POST /insert/42:7/influx/write?precision=ms HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer t0ken\r\n"), "{request}");
}

/// It answers 204 to lines that it cannot read; ours it can.
#[tokio::test]
async fn victoriametrics_reads_every_line() {
    let Some(server) = VictoriaServer::start() else { return };
    let mut sink = open(sinks::find("victoriametrics").expect("a kind"), &settings(&server.settings(), &[]));
    sink.write(&points(0..5000)).await.expect("accepted");
    assert_eq!(server.points("environment").len(), 5000);
    assert_eq!(server.invalid_lines(), 0);
}

#[tokio::test]
async fn victoriametrics_behind_vmauth_by_token_or_password() {
    let Some(server) = VmAuth::start() else { return };
    let kind = sinks::find("victoriametrics").expect("a kind");
    let with = |changes: &[(&str, &str)]| open(kind, &bare_settings(kind, &server.url(), changes));
    let token = |token| with(&[("database.victoriametrics.token", token)]);
    let password = |password| {
        let changes =
            [("database.victoriametrics.username", USERNAME), ("database.victoriametrics.password", password)];
        with(&changes)
    };
    // The last is USERNAME:wr0ng in base64, which vmauth repeats.
    for (mut sink, words, secret) in [
        (with(&[]), "answered 401", "wr0ng"),
        (token("wr0ng"), "(check the token", "wr0ng"),
        (password("wr0ng"), "(check the token, or user name and password)", "ZmlsYW1lbnQ6d3Iwbmc="),
    ] {
        let error = sink.write(&points(0..3)).await.expect_err("refused");
        assert!(matches!(error, SinkError::Misconfigured { .. }), "{error:?}");
        assert!(error.to_string().contains(words) && !error.to_string().contains(secret), "{error}");
    }
    for mut sink in [token(VmAuth::TOKEN), password(PASSWORD)] {
        sink.write(&points(0..3)).await.expect("accepted");
        let held = sink.held(&points(0..3)).await.expect("answered").expect("it can be asked");
        // Visible a second later at the latest.
        assert!(held.iter().all(|held| *held), "{held:?}");
    }
    assert_eq!(server.count("environment_humidity"), 6);
}

/// Another program answers questions in a cluster.
#[tokio::test]
async fn victoriametrics_in_a_cluster_is_not_asked() {
    let kind = sinks::find("victoriametrics").expect("a kind");
    let double = FaultServer::start([]);
    let settings = bare_settings(kind, &double.url(), &[("database.victoriametrics.tenant", "0")]);
    assert_eq!(open(kind, &settings).held(&points(0..3)).await, Ok(None));
    assert!(double.requests().is_empty());
}
