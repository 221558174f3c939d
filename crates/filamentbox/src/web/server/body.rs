//! Bodies: a request's is read whole, bounded in size and time, before any route sees the request; an answer's is watched to its end.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use hyper::body::{Frame, Incoming, SizeHint};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::limits::BODY_TIME;
use super::pace::Pace;
use crate::web::routes::BODY_MAX;

/// A refusal after which the connection ends, as what else comes on it is not understood.
pub(super) fn refuse(status: StatusCode, problem: &str) -> Response<Body> {
    let mut answer = (status, Json(json!({ "error": problem }))).into_response();
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// A refusal for now.
pub(super) fn not_now(problem: &str) -> Response<Body> {
    let mut answer = (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": problem }))).into_response();
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
    answer
}

/// The request with its body in memory.
///
/// # Errors
/// The answer, when the body is too long or too slow.
pub(super) async fn whole(request: Request<Incoming>) -> Result<Request<Body>, Response<Body>> {
    let (head, body) = request.into_parts();
    match timeout(BODY_TIME, read(body)).await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, Body::from(body))),
        Ok(Err(refused)) => Err(refused),
        Err(_) => {
            let problem = format!("the body did not come within {} s; send it at once", BODY_TIME.as_secs());
            Err(refuse(StatusCode::REQUEST_TIMEOUT, &problem))
        }
    }
}

async fn read<B: HttpBody<Data = Bytes> + Unpin>(mut body: B) -> Result<Vec<u8>, Response<Body>> {
    let too_long = || {
        let problem = format!("the body is too long; allowed: up to {} KiB", BODY_MAX / 1024);
        refuse(StatusCode::PAYLOAD_TOO_LARGE, &problem)
    };
    if usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX) > BODY_MAX {
        return Err(too_long());
    }
    // Copied together: a body of 1-byte chunks, kept as they came, would be 50 times as long.
    let mut whole = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let broken = |_| refuse(StatusCode::BAD_REQUEST, "the body broke off, or its chunks are not HTTP's");
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            if whole.len() + data.len() > BODY_MAX {
                return Err(too_long());
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole)
}

/// Whether nobody knows how long an answer is going to be: an export. (A stream of events has a count of its own.)
pub(super) fn is_long(answer: &Response<Body>) -> bool {
    let is_stream_of_events =
        answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    answer.body().size_hint().exact().is_none() && !is_stream_of_events
}

/// An answer's body; when it ends, its connection rests.
pub(super) struct Watched {
    body: Body,
    _end: Rest,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Watched {
    pub(super) fn new(body: Body, pace: Pace, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { body, _end: Rest(pace), _permit: permit }
    }
}

struct Rest(Pace);

impl Drop for Rest {
    fn drop(&mut self) {
        self.0.rests();
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A body of unknown length.
    struct Chunks(Vec<Bytes>);

    impl HttpBody for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop().map(|chunk| Ok(Frame::data(chunk))))
        }
    }

    async fn length(body: impl HttpBody<Data = Bytes> + Unpin) -> Result<usize, StatusCode> {
        read(body).await.map(|whole| whole.len()).map_err(|refused| refused.status())
    }

    #[tokio::test]
    async fn bodies_on_both_sides_of_the_limit_said_or_found() {
        let bytes = |length: usize| Bytes::from(vec![b' '; length]);
        assert_eq!(length(Body::from(bytes(BODY_MAX))).await, Ok(BODY_MAX));
        assert_eq!(length(Body::from(bytes(BODY_MAX + 1))).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
        let ones = |count: usize| Chunks(vec![bytes(1); count]);
        assert_eq!(length(ones(BODY_MAX)).await, Ok(BODY_MAX));
        assert_eq!(length(ones(BODY_MAX + 1)).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[test]
    fn an_export_is_long_and_a_page_or_a_stream_of_events_is_not() {
        let export = || Response::new(Body::new(Chunks(Vec::new())));
        assert!(is_long(&export()));
        let mut events = export();
        events.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        assert!(!is_long(&events));
        assert!(!is_long(&Response::new(Body::from("page"))));
    }
}
