//! VictoriaMetrics: tenants, tokens, and whether it reads what we write.

use filamentbox::sinks;

use crate::support::{FaultServer, Server as _, VictoriaServer};

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
