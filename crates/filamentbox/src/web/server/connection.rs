//! One connection, from its first byte to its last: TLS, requests one after the other, the end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::{Body as HttpBody, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::body::{Watched, is_long, not_now, whole};
use super::limits::{HEAD_MAX, HEAD_TIME, HEADERS_MAX, HTTP_BUFFER, LINGER_MAX, LINGER_TIME, LONG_ANSWERS};
use super::pace::{Pace, Paced};
use super::places::{Place, Visitor};
use super::plain;
use crate::web::access::Connection;

/// The first byte of TLS: a record with a handshake (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Who asks, as the server sees it: an extension of each request at the port.
#[derive(Clone)]
pub struct Client(Visitor);

impl Client {
    /// Says that this is somebody who is logged in: when all places are taken, others make room first.
    pub fn is_known(&self) {
        self.0.is_known();
    }
}

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) app: Router,
    /// For answers of unknown length.
    pub(super) long: Arc<Semaphore>,
}

/// Serves `stream` until it ends, its place is lost, or `closing` says that the port is elsewhere now.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    tls: Option<Arc<ServerConfig>>,
    shared: Shared,
    closing: watch::Receiver<bool>,
) {
    // Small answers go out at once. It fails only for a connection that is gone.
    let _ = stream.set_nodelay(true);
    let pace = Pace::new();
    // A connection without an address of ours is for nobody.
    let local = stream.local_addr().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
    let connection = Connection { peer, local, is_tls: tls.is_some() };
    let answers = Answers { visitor: place.visitor(), connection, pace, shared };
    tokio::select! {
        () = place.lost() => {}
        // What is wrong with a connection is of no interest here: the other end has it in its hands.
        _ = open(stream, tls, answers, closing) => {}
    }
}

async fn open(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    answers: Answers,
    closing: watch::Receiver<bool>,
) -> io::Result<()> {
    let Some(tls) = tls else {
        let io = Paced::new(stream, answers.pace.clone());
        http(io, move |request| answers.clone().answer(request), closing).await;
        return Ok(());
    };
    let mut first = [0];
    let read = timeout(HEAD_TIME, stream.peek(&mut first)).await??;
    let io = Paced::new(stream, answers.pace.clone());
    if read == 1 && first[0] != TLS_HANDSHAKE {
        http(io, async |request: Request<Incoming>| plain::answer(&request), closing).await;
    } else {
        // Within what is left of the time for the first head.
        let io = TlsAcceptor::from(tls).accept(io).await?;
        http(io, move |request| answers.clone().answer(request), closing).await;
    }
    Ok(())
}

/// HTTP on `io` until it ends.
async fn http<A, B>(
    io: impl AsyncRead + AsyncWrite + Unpin,
    answer: impl Fn(Request<Incoming>) -> A,
    mut closing: watch::Receiver<bool>,
) where
    A: Future<Output = Response<B>>,
    B: HttpBody<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let service = service_fn(|request| {
        let answered = answer(request);
        Box::pin(async move { Ok::<_, Infallible>(answered.await) })
    });
    let mut builder = http1::Builder::new();
    // The pace of the socket is kept by `Paced`.
    builder.header_read_timeout(None).max_headers(HEADERS_MAX).max_header_size(HEAD_MAX).max_buf_size(HTTP_BUFFER);
    let mut connection = builder.serve_connection(TokioIo::new(io), service);
    let ended = tokio::select! {
        ended = poll_fn(|context| connection.poll_without_shutdown(context)) => ended,
        () = async { drop(closing.wait_for(|closing| *closing).await) } => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    // Also after a head that was refused as such, which has been answered.
    if ended.as_ref().map_or_else(hyper::Error::is_parse, |()| true) {
        let _ = timeout(LINGER_TIME, linger(connection.into_parts().io.into_inner())).await;
    }
}

/// Ends our half, and waits until the other half has ended or is too long.
async fn linger(mut io: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    io.shutdown().await?;
    let mut buffer = [0; 1024];
    let mut thrown_away = 0;
    while thrown_away < LINGER_MAX {
        match io.read(&mut buffer).await? {
            0 => break,
            count => thrown_away += count,
        }
    }
    Ok(())
}

/// Makes the answers of one connection.
#[derive(Clone)]
struct Answers {
    visitor: Visitor,
    connection: Connection,
    pace: Pace,
    shared: Shared,
}

impl Answers {
    async fn answer(self, request: Request<Incoming>) -> Response<Watched> {
        self.visitor.is_active();
        self.pace.works();
        let (answer, permit) = match whole(request).await {
            Ok(mut request) => {
                request.extensions_mut().insert(self.connection);
                request.extensions_mut().insert(Client(self.visitor.clone()));
                self.routed(request).await
            }
            Err(refused) => (refused, None),
        };
        answer.map(|body| Watched::new(body, self.pace, permit))
    }

    async fn routed(&self, request: Request<Body>) -> (Response<Body>, Option<tokio::sync::OwnedSemaphorePermit>) {
        let answered = pin!(TowerToHyperService::new(self.shared.app.clone()).call(request));
        let answer = answered.await.unwrap_or_else(|never: Infallible| match never {});
        if !is_long(&answer) {
            return (answer, None);
        }
        match self.shared.long.clone().try_acquire_owned() {
            Ok(permit) => (answer, Some(permit)),
            Err(_) => {
                (not_now(&format!("{LONG_ANSWERS} exports are under way already; try again when one has ended")), None)
            }
        }
    }
}
