//! `/api/history`: what was measured.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use filamentbox_core::sample::BoxName;
use filamentbox_core::time::UnixTime;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Refusal, bad_request, within};
use crate::journal::Gone;
use crate::web::extract::Asked;
use crate::web::{Daemon, dto, history};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportQuery {
    /// From this moment on, Unix milliseconds; without it from the oldest sample on.
    from_ms: Option<i64>,
    /// Up to, but without, this moment, Unix milliseconds; without it up to the newest sample.
    to_ms: Option<i64>,
    /// Only this box.
    #[param(pattern = "^[a-z0-9_-]{1,32}$", example = "main")]
    r#box: Option<String>,
    /// `csv` (the default) or `jsonl`, an object a line.
    #[param(pattern = "^(csv|jsonl)$")]
    format: Option<String>,
}

/// Every sample of a time, oldest first.
#[utoipa::path(get, path = "/api/history/export", tag = "History", operation_id = "export", params(ExportQuery), responses(
    (status = 200, description = "The samples", content((String = "text/csv"), (String = "application/jsonl"))),
    (status = 503, description = "The journal does not answer", body = dto::Refused)))]
pub(super) async fn export(
    State(daemon): State<Daemon>,
    Asked(query): Asked<ExportQuery>,
) -> Result<Response, Refusal> {
    let (format, content_type) = match query.format.as_deref() {
        None | Some("csv") => (history::Format::Csv, "text/csv"),
        Some("jsonl") => (history::Format::Jsonl, "application/jsonl"),
        Some(other) => return Err(bad_request(format!("{other:?} is not a format; allowed: csv, jsonl"))),
    };
    let box_name = match query.r#box.as_deref() {
        None => None,
        Some(name) => Some(BoxName::new(name).ok_or_else(|| bad_request(format!("{name:?} is not a box's name")))?),
    };
    let from = UnixTime::from_millis(query.from_ms.unwrap_or(i64::MIN));
    let to = UnixTime::from_millis(query.to_ms.unwrap_or(i64::MAX));
    let mut chunks = within(daemon.journal.export(from..to, box_name)).await?;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, Gone>>(1);
    tokio::spawn(async move {
        let mut text = history::header(format);
        while let Some(points) = chunks.recv().await {
            match points {
                Ok(points) => history::write(format, &points, &mut text),
                // Breaks the answer off, so that nobody takes a part for the whole.
                Err(gone) => return drop(sender.send(Err(gone)).await),
            }
            // The reader going away is its right.
            if sender.send(Ok(Bytes::from(std::mem::take(&mut text)))).await.is_err() {
                return;
            }
        }
        let _ = sender.send(Ok(Bytes::from(text))).await;
    });
    let body = Body::from_stream(Chunks(receiver));
    Ok(([(CONTENT_TYPE, content_type)], body).into_response())
}

/// A channel as the body of an answer.
struct Chunks(tokio::sync::mpsc::Receiver<Result<Bytes, Gone>>);

impl futures_core::Stream for Chunks {
    type Item = Result<Bytes, Gone>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
