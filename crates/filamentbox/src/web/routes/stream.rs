//! `/api/stream`: the state as it changes, as server-sent events.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use filamentbox_core::sample::BoxName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{BoxQuery, Refusal, snapshot};
use crate::web::access::Caller;
use crate::web::extract::Asked;
use crate::web::live::{Frame, Live};
use crate::web::{Daemon, dto};

/// Streams over the port at most: every one holds a connection, and a household has no more screens.
const STREAMS_MAX: usize = 8;
/// A browser whose stream has ended asks again after so long, in ms.
const RETRY: &str = "retry: 1000\n\n";
/// Where there is no place for another stream, asking again makes sense after so long, in s.
const NO_PLACE_RETRY: &str = "30";

/// The streams of one server.
#[derive(Clone)]
pub(super) struct Streams {
    live: Live,
    places: Arc<Semaphore>,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self { live: Live::default(), places: Arc::new(Semaphore::new(STREAMS_MAX)) }
    }
}

/// The state as it changes, as server-sent events: one at once, one for each change, and one every 10 s. Each holds the whole state, so that
/// whoever comes back has missed nothing: `Last-Event-ID` needs no answer.
#[utoipa::path(get, path = "/api/stream", tag = "State", operation_id = "stream", params(BoxQuery), responses(
    (status = 200, description = "The data of each event", content((dto::Streamed = "text/event-stream"))),
    (status = 404, description = "There is no such box", body = dto::Refused),
    (status = 503, description = "8 listen already; Retry-After says when to ask again", body = dto::Refused)))]
pub(super) async fn stream(
    State(daemon): State<Daemon>,
    Extension(streams): Extension<Streams>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<BoxQuery>,
) -> Result<Response, Refusal> {
    let box_name = snapshot(&daemon, &query)?.name;
    let place = match caller {
        Caller::Socket => None,
        _ => match streams.places.try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) => return Ok(no_place()),
        },
    };
    let latest = streams.live.listen(&daemon);
    let access = daemon.access.clone();
    let ended: Ended = match caller {
        // They always may, and nobody has to wake up to find that out.
        Caller::Socket | Caller::Simulated => Box::pin(std::future::pending()),
        _ => Box::pin(async move { access.ended(&caller).await }),
    };
    let listener = Listener { daemon, box_name, latest, is_new: true, ended, _place: place };
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    // nginx hands the events on at once.
    let unbuffered = [("x-accel-buffering", "no")];
    Ok((headers, unbuffered, Body::from_stream(Events::of(listener))).into_response())
}

fn no_place() -> Response {
    let hint = format!("{STREAMS_MAX} pages listen already; close one, or ask /api/status from time to time");
    ([(RETRY_AFTER, NO_PLACE_RETRY)], Refusal(StatusCode::SERVICE_UNAVAILABLE, hint)).into_response()
}

type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Somebody who listens.
struct Listener {
    daemon: Daemon,
    box_name: BoxName,
    latest: watch::Receiver<Option<Arc<Frame>>>,
    is_new: bool,
    /// Done when the caller may no longer see what there is to see.
    ended: Ended,
    _place: Option<OwnedSemaphorePermit>,
}

impl Listener {
    /// The next event; `None` at the end of the stream.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if self.is_new {
            let known = self.latest.borrow_and_update().clone();
            if let Some(text) = known.and_then(|frame| frame.of_now(&self.daemon, &self.box_name)) {
                self.is_new = false;
                return Some((Bytes::from([RETRY.as_bytes(), &text].concat()), self));
            }
        }
        let mut text = loop {
            tokio::select! {
                changed = self.latest.changed() => changed.ok()?,
                () = &mut self.ended => return None,
            }
            let frame = self.latest.borrow_and_update().clone();
            if let Some(text) = frame.and_then(|frame| frame.of(&self.box_name)) {
                break text;
            }
        };
        if std::mem::take(&mut self.is_new) {
            text = Bytes::from([RETRY.as_bytes(), &text].concat());
        }
        Some((text, self))
    }
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Listener)>> + Send>>;

/// The body of the answer: it asks for the next event when the connection has taken the one before.
struct Events(Option<Next>);

impl Events {
    fn of(listener: Listener) -> Self {
        Self(Some(Box::pin(listener.next())))
    }
}

impl futures_core::Stream for Events {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(next) = &mut self.0 else { return Poll::Ready(None) };
        let event = ready!(next.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(event.map(|(text, listener)| {
            self.0 = Some(Box::pin(listener.next()));
            Ok(text)
        }))
    }
}
