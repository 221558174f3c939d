//! Connections on real sockets, to routes that misbehave.

use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::limits::{HEAD_MAX, HEADERS_MAX};
use super::*;
use crate::web::access::Connection;
use crate::web::routes::BODY_MAX;

/// A body that yields some bytes and then does what it does.
struct Odd {
    yielded: bool,
    panics: bool,
}

impl futures_core::Stream for Odd {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        if !std::mem::replace(&mut self.yielded, true) {
            return std::task::Poll::Ready(Some(Ok(Bytes::from_static(b"part"))));
        }
        assert!(!self.panics, "a body on purpose");
        std::task::Poll::Pending
    }
}

fn odd(panics: bool) -> Response {
    Response::new(Body::from_stream(Odd { yielded: false, panics }))
}

fn routes() -> Router {
    async fn panics() -> &'static str {
        panic!("a route on purpose")
    }
    let client = async |Extension(client): Extension<Client>, Extension(connection): Extension<Connection>| {
        client.is_known();
        format!("{} {} {}", connection.peer.ip(), connection.local.ip(), connection.is_tls)
    };
    Router::new()
        .route("/", get(async || "fine"))
        .route("/client", get(client))
        .route("/panics", get(panics))
        .route("/panics-late", get(async || odd(true)))
        .route("/endless", get(async || odd(false)))
        .route("/length", post(async |body: Bytes| body.len().to_string()))
}

/// Serves [`routes`] until the test ends.
async fn start(tls: Option<Arc<ServerConfig>>) -> (SocketAddr, Places, watch::Sender<bool>) {
    let listener = listen::listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let shared = Shared { app: catching(routes()), long: Arc::new(Semaphore::new(LONG_ANSWERS)) };
    let places = Places::default();
    let (all, closing) = (places.clone(), watch::Sender::new(false));
    let closes = closing.subscribe();
    tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.expect("accepted");
            tokio::spawn(serve(stream, peer, all.take(peer.ip()), tls.clone(), shared.clone(), closes.clone()));
        }
    });
    (address, places, closing)
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> String {
    // What is refused early may not be taken to its end.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("connected")
}

fn get_of(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

#[tokio::test]
async fn a_route_that_panics_ends_its_connection_and_nothing_else() {
    let (address, _, _closing) = start(None).await;
    let mut other = connect(address).await;
    other.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let answer = ask(connect(address).await, b"GET /panics HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(status(&answer), 500, "{answer}");
    assert!(answer.contains(r#"{"error":"a defect of the program"#) && !answer.contains("on purpose"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "nothing comes after it: {answer}");
    let late = ask(connect(address).await, &get_of("/panics-late")).await;
    assert!(!late.ends_with("0\r\n\r\n"), "a part must not pass for the whole: {late}");
    let answer = ask(other, &get_of("/")).await;
    assert_eq!(answer.matches("fine").count(), 2, "{answer}");
}

#[tokio::test]
async fn heads_on_both_sides_of_the_limits() {
    let (address, _, _closing) = start(None).await;
    let with = |lines: &str| format!("GET / HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
    let long = |length: usize| with(&format!("X: {}\r\n", "y".repeat(length)));
    let many = |count: usize| with(&"X: y\r\n".repeat(count - 1));
    let around = with("").len() + "X: \r\n".len();
    for (request, expected) in [
        (long(HEAD_MAX - around - 1), 200),
        (long(HEAD_MAX + 1), 431),
        (long(HEAD_MAX * 8), 431),
        (many(HEADERS_MAX), 200),
        (many(HEADERS_MAX + 1), 431),
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\u{2}".repeat(4), 400),
    ] {
        let answer = ask(connect(address).await, request.as_bytes()).await;
        assert_eq!(status(&answer), expected, "{}: {answer}", request.len());
    }
}

#[tokio::test]
async fn bodies_on_both_sides_of_the_limit_are_answered() {
    let (address, _, _closing) = start(None).await;
    let post = |path: &str, length: usize, sent: usize| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        [head.into_bytes(), vec![b' '; sent]].concat()
    };
    for (path, length, sent, expected) in [
        ("/length", BODY_MAX, BODY_MAX, 200),
        ("/length", BODY_MAX + 1, BODY_MAX + 1, 413),
        // More than the kernel's buffers hold: without lingering the answer would be lost in a reset.
        ("/length", 200_000, 200_000, 413),
        ("/length", usize::MAX / 4, 0, 413),
        // Also where no route would read it.
        ("/nowhere", BODY_MAX + 1, 10, 413),
        ("/nowhere", 10, 10, 404),
    ] {
        let answer = ask(connect(address).await, &post(path, length, sent)).await;
        assert_eq!(status(&answer), expected, "{path} {length}: {answer}");
    }
    let chunked = |count: usize| {
        let head = "POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        [head, &"1\r\nx\r\n".repeat(count), "0\r\n\r\n"].concat()
    };
    let answer = ask(connect(address).await, chunked(1000).as_bytes()).await;
    assert!(answer.ends_with("1000"), "{answer}");
    let answer = ask(connect(address).await, chunked(BODY_MAX + 1).as_bytes()).await;
    assert_eq!(status(&answer), 413, "{answer}");
    let broken = "POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(status(&ask(connect(address).await, broken.as_bytes()).await), 400);
}

#[tokio::test]
async fn requests_in_one_piece_are_answered_in_their_order() {
    let (address, _, _closing) = start(None).await;
    let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(99);
    let answer = ask(connect(address).await, &[request.into_bytes(), get_of("/client")].concat()).await;
    assert_eq!(answer.matches("fine").count(), 99);
    assert!(answer.ends_with("127.0.0.1 127.0.0.1 false"), "{answer}");
}

#[tokio::test]
async fn so_many_answers_of_unknown_length_at_a_time() {
    let (address, _, _closing) = start(None).await;
    let mut readers = Vec::new();
    for _ in 0..LONG_ANSWERS {
        let mut reader = connect(address).await;
        reader.write_all(&get_of("/endless")).await.expect("sent");
        assert!(reader.read(&mut [0; 256]).await.expect("answered") > 0);
        readers.push(reader);
    }
    let answer = ask(connect(address).await, &get_of("/endless")).await;
    assert!(status(&answer) == 503 && answer.contains("retry-after: 10"), "{answer}");
    assert_eq!(status(&ask(connect(address).await, &get_of("/")).await), 200);
    drop(readers.pop());
    let is_served = async || {
        let mut reader = connect(address).await;
        reader.write_all(&get_of("/endless")).await.expect("sent");
        let mut answer = [0; 12];
        reader.read_exact(&mut answer).await.expect("answered");
        answer == *b"HTTP/1.1 200"
    };
    let given_back = async {
        while !is_served().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(60), given_back).await.expect("a reader that has gone leaves its place");
}

#[tokio::test]
async fn whoever_loses_the_place_is_cut_off_and_known_people_do_not() {
    let (address, places, _closing) = start(None).await;
    let mut quiet = connect(address).await;
    let mut known = connect(address).await;
    known.write_all(b"GET /client HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    assert!(known.read(&mut [0; 1024]).await.expect("answered") > 0);
    let _crowd: Vec<_> = (0..limits::PLACES_LOOPBACK).map(|_| places.take(address.ip())).collect();
    assert_eq!(quiet.read(&mut [0; 1]).await.expect("an orderly end"), 0);
    assert!(ask(known, &get_of("/")).await.contains("fine"));
}

#[tokio::test]
async fn when_the_port_moves_the_request_under_way_is_answered_and_rest_ends() {
    let (address, _, closing) = start(None).await;
    let mut resting = connect(address).await;
    resting.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    assert!(resting.read(&mut [0; 1024]).await.expect("answered") > 0);
    let mut busy = connect(address).await;
    let head = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    busy.write_all(head).await.expect("sent");
    assert!(busy.read(&mut [0; 64]).await.expect("the head has been read") > 0);
    closing.send_replace(true);
    assert_eq!(resting.read(&mut [0; 1]).await.expect("an orderly end"), 0);
    assert!(ask(busy, b"xx").await.ends_with('2'));
}

#[tokio::test]
async fn https_and_what_plain_http_gets_there() {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["box.local".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().expect("ring");
    let server = server.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private).expect("fits");
    let (address, _, _closing) = start(Some(Arc::new(server))).await;

    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("a certificate");
    let client = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().expect("ring");
    let connector = TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));
    let name = ServerName::try_from("box.local").expect("a name");
    let secret = connector.connect(name, connect(address).await).await.expect("a handshake");
    assert!(ask(secret, &get_of("/client")).await.ends_with("127.0.0.1 127.0.0.1 true"));

    let browser = b"GET /events HTTP/1.1\r\nHost: box.local:5000\r\nAccept: text/html\r\n\r\n";
    let answer = ask(connect(address).await, browser).await;
    assert!(status(&answer) == 307 && answer.contains("location: https://box.local:5000/events"), "{answer}");
    let answer = ask(connect(address).await, &get_of("/client")).await;
    assert!(status(&answer) == 400 && answer.contains("this port speaks HTTPS"), "{answer}");
}
