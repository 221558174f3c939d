//! The routes. Each answers from values and channels; none can delay control.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use filamentbox_core::command::{Command, Wish};
use filamentbox_core::sample::BoxName;
use filamentbox_core::snapshot::BoxSnapshot;
use filamentbox_core::time::UnixTime;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Daemon, dto, history, metrics, settings};
use crate::journal::{Chosen, Gone};
use crate::runtime::control::ControlInput;

/// The longest body of a request; the longest sensible one has 100 bytes.
const BODY_MAX: usize = 64 * 1024;
/// Control answers within a quarter of a second; without an answer after so long something is wrong.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// A reset may have to start the guard anew.
const RESET_MAX: Duration = Duration::from_secs(8);
/// The journal answers in milliseconds; while its disk hangs, people are told so.
const JOURNAL_MAX: Duration = Duration::from_secs(3);
/// Dead letters in one answer at most; the journal keeps no more.
const LETTERS_MAX: u64 = 1000;
/// Events in one answer at most.
const EVENTS_MAX: usize = 1000;

/// A refusal, as `{"error": ...}`.
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<Gone> for Refusal {
    fn from(_: Gone) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, "the journal does not answer".to_owned())
    }
}

/// A query that was understood; one that was not is refused like everything else.
struct Asked<T>(T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> axum::extract::FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, Refusal> {
        let Query(query) =
            Query::from_request_parts(parts, state).await.map_err(|rejected| bad_request(rejected.body_text()))?;
        Ok(Self(query))
    }
}

/// The journal's answer, unless it takes too long.
pub(super) async fn within<T>(answer: impl Future<Output = Result<T, Gone>>) -> Result<T, Gone> {
    tokio::time::timeout(JOURNAL_MAX, answer).await.unwrap_or(Err(Gone))
}

pub(super) fn bad_request(problem: impl Into<String>) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, problem.into())
}

/// All routes.
pub fn router(daemon: Daemon) -> Router {
    Router::new()
        .route("/api/status", get(status))
        .route("/api/sensor", get(sensor))
        .route("/api/controls", get(controls))
        .route("/api/controls/{output}", post(control))
        .route("/api/safety/reset", post(reset))
        .route("/api/database", get(database))
        .route("/api/database/deadletters", get(letters))
        .route("/api/database/deadletters/{action}", post(change_letters))
        .route("/api/events", get(events))
        .route("/api/history/export", get(export))
        .route("/api/config/{key}", get(settings::show).put(settings::change))
        .route("/api/config/section/{section}", get(settings::section))
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(health))
        .fallback(async || Refusal(StatusCode::NOT_FOUND, "there is nothing at this path".to_owned()))
        .method_not_allowed_fallback(async || {
            Refusal(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method".to_owned())
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(daemon)
}

#[derive(Deserialize)]
struct BoxQuery {
    r#box: Option<String>,
}

fn snapshot(daemon: &Daemon, query: &BoxQuery) -> Result<BoxSnapshot, Refusal> {
    let snapshots = daemon.snapshots.borrow().clone();
    let wanted = query.r#box.as_deref();
    let found = snapshots.iter().find(|snapshot| wanted.is_none_or(|name| snapshot.name.as_str() == name));
    found
        .cloned()
        .ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("there is no box {:?}", wanted.unwrap_or_default())))
}

async fn sensor(State(daemon): State<Daemon>, Asked(query): Asked<BoxQuery>) -> Result<Json<Value>, Refusal> {
    let snapshot = snapshot(&daemon, &query)?;
    Ok(Json(Value::Object(dto::sensor(&snapshot, daemon.clocks.read()))))
}

async fn controls(State(daemon): State<Daemon>, Asked(query): Asked<BoxQuery>) -> Result<Json<dto::Controls>, Refusal> {
    let snapshot = snapshot(&daemon, &query)?;
    Ok(Json(dto::controls(&snapshot, daemon.clocks.read())))
}

async fn status(State(daemon): State<Daemon>, Asked(query): Asked<BoxQuery>) -> Result<Json<Value>, Refusal> {
    let snapshot = snapshot(&daemon, &query)?;
    let clock = daemon.clocks.read();
    Ok(Json(json!({
        "box": snapshot.name.as_str(),
        "sensor": dto::sensor(&snapshot, clock),
        "controls": dto::controls(&snapshot, clock),
        "database": { "sinks": backends(&daemon).await? },
        "safety": dto::safety(&snapshot),
        "journal": journal(&daemon).await?,
        "settings": settings::status(&daemon.settings),
        "simulated": daemon.simulated,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime": clock.now.since(daemon.started).as_secs_f64(),
    })))
}

async fn journal(daemon: &Daemon) -> Result<Value, Gone> {
    let statistics = within(daemon.journal.statistics()).await?;
    Ok(json!({
        "samples": statistics.sampled,
        "open": statistics.open,
        "dropped": statistics.dropped,
        "file_bytes": statistics.file_bytes,
        "disk_error": statistics.disk_error,
        "waiting_for_clock": statistics.waits_for_clock,
    }))
}

async fn backends(daemon: &Daemon) -> Result<Vec<dto::Backend>, Gone> {
    let accounts = within(daemon.journal.accounts()).await?;
    let account = |name| accounts.iter().find(|account| account.sink == name);
    let shown = daemon.shown.borrow().clone();
    Ok(shown.sinks.iter().filter_map(|view| Some(dto::backend(view, account(view.name)?))).collect())
}

async fn database(State(daemon): State<Daemon>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({ "sinks": backends(&daemon).await? })))
}

async fn letters(State(daemon): State<Daemon>) -> Result<Json<Value>, Refusal> {
    let letters = within(daemon.journal.letters(Chosen::default(), false, LETTERS_MAX)).await?;
    let letters: Vec<_> = letters.into_iter().map(dto::letter).collect();
    Ok(Json(json!({ "deadletters": letters })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChosenLetters {
    backend: Option<String>,
    id: Option<u64>,
}

/// `{"backend": ..?, "id": ..?}`: neither means all.
async fn change_letters(
    State(daemon): State<Daemon>,
    Path(action): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let chosen: ChosenLetters = serde_json::from_slice(&body)
        .map_err(|error| bad_request(format!("the body is not {{\"backend\": .., \"id\": ..}}: {error}")))?;
    let chosen = Chosen { sink: chosen.backend, id: chosen.id };
    let count = match action.as_str() {
        "retry" => within(daemon.journal.send_letters_again(chosen)).await?,
        "drop" => within(daemon.journal.drop_letters(chosen)).await?,
        _ => return Err(Refusal(StatusCode::NOT_FOUND, "there is only retry and drop".to_owned())),
    };
    Ok(Json(json!({ "success": true, "count": count })))
}

#[derive(Deserialize)]
struct EventsQuery {
    limit: Option<usize>,
}

async fn events(State(daemon): State<Daemon>, Asked(query): Asked<EventsQuery>) -> Result<Json<Value>, Refusal> {
    let events = within(daemon.journal.events(query.limit.unwrap_or(100).clamp(1, EVENTS_MAX))).await?;
    let events: Vec<_> = events.into_iter().map(|(id, event)| dto::event(id, event)).collect();
    Ok(Json(json!({ "events": events })))
}

async fn health(State(daemon): State<Daemon>) -> Response {
    let faults: Vec<String> = daemon.snapshots.borrow().iter().flat_map(|snapshot| snapshot.faults.clone()).collect();
    let problem = if faults.is_empty() {
        within(daemon.journal.statistics()).await.err().map(|_| "the journal does not answer".to_owned())
    } else {
        Some(faults.join("; "))
    };
    match problem {
        None => (StatusCode::OK, "ok\n").into_response(),
        Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")).into_response(),
    }
}

async fn control(
    State(daemon): State<Daemon>,
    Path(output): Path<String>,
    Asked(query): Asked<BoxQuery>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let output = dto::output_kind(&output)
        .ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("there is no output {output:?}")))?;
    let wish = wish(&body)?;
    let name = query.r#box.as_deref().unwrap_or("main");
    let box_name = BoxName::new(name).ok_or_else(|| bad_request(format!("{name:?} is not a box's name")))?;
    let (answer, answered) = oneshot::channel();
    let command = Command { box_name, output, wish };
    daemon.control.try_send(ControlInput::Command(command, answer)).map_err(|_| busy())?;
    let answer = tokio::time::timeout(ANSWER_MAX, answered).await.map_err(|_| busy())?.map_err(|_| busy())?;
    let state = answer.map_err(|refused| bad_request(refused.to_string()))?;
    let clock = daemon.clocks.read();
    let shown = serde_json::to_value(dto::output(&state, clock)).unwrap_or_default();
    Ok(Json(json!({
        "success": true,
        "state": shown["manual"],
        "on": shown["on"],
        "mode": shown["mode"],
        "reason": shown["reason"],
        "until": shown["until"],
    })))
}

/// Faults and latches are over, says a person; answered with the faults that are still there.
async fn reset(State(daemon): State<Daemon>) -> Result<Json<Value>, Refusal> {
    let (answer, answered) = oneshot::channel();
    daemon.control.try_send(ControlInput::Reset(answer)).map_err(|_| busy())?;
    let answer = tokio::time::timeout(RESET_MAX, answered).await.map_err(|_| busy())?.map_err(|_| busy())?;
    answer.map_err(|lost| Refusal(StatusCode::SERVICE_UNAVAILABLE, lost.to_string()))?;
    let faults: Vec<String> = daemon.snapshots.borrow().iter().flat_map(|snapshot| snapshot.faults.clone()).collect();
    Ok(Json(json!({ "success": true, "faults": faults })))
}

fn busy() -> Refusal {
    Refusal(StatusCode::SERVICE_UNAVAILABLE, "control does not answer; the relay guard releases the outputs".to_owned())
}

/// `{"state": true|false|null, "seconds": n?}`, and nothing else.
fn wish(body: &[u8]) -> Result<Wish, Refusal> {
    let body: Value =
        serde_json::from_slice(body).map_err(|error| bad_request(format!("the body is not JSON: {error}")))?;
    let fields = body.as_object().ok_or_else(|| bad_request("the body must be an object"))?;
    if let Some(unknown) = fields.keys().find(|key| !matches!(key.as_str(), "state" | "seconds")) {
        return Err(bad_request(format!("unknown field {unknown:?}; allowed: state, seconds")));
    }
    let hold = match fields.get("seconds") {
        None | Some(Value::Null) => None,
        Some(seconds) => {
            let allowed = seconds.as_f64().filter(|seconds| (1.0..=31_536_000.0).contains(seconds));
            let seconds = allowed.ok_or_else(|| bad_request("'seconds' must be a number from 1 to 31536000"))?;
            Some(Duration::from_secs_f64(seconds))
        }
    };
    match (fields.get("state"), hold) {
        (None, _) => Err(bad_request("Missing 'state' in request body")),
        (Some(Value::Bool(true)), hold) => Ok(Wish::On { hold }),
        (Some(Value::Bool(false)), hold) => Ok(Wish::Off { hold }),
        (Some(Value::Null), None) => Ok(Wish::Auto),
        (Some(Value::Null), Some(_)) => {
            Err(bad_request("'seconds' goes with true or false, not with null (automatic)"))
        }
        (Some(_), _) => Err(bad_request("'state' must be true, false or null")),
    }
}

#[derive(Deserialize)]
struct ExportQuery {
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    r#box: Option<String>,
    format: Option<String>,
}

async fn export(State(daemon): State<Daemon>, Asked(query): Asked<ExportQuery>) -> Result<Response, Refusal> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Result<Wish, &str>) {
        let wished = wish(body.as_bytes()).map_err(|Refusal(_, problem)| problem);
        match (wished, expected) {
            (Ok(wish), Ok(expected)) => assert_eq!(wish, expected),
            (Err(problem), Err(word)) => assert!(problem.contains(word), "{word:?} is not in {problem:?}"),
            (wished, expected) => panic!("{body}: {wished:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_wish_is_exactly_what_the_contract_says() {
        check(r#"{"state":true}"#, Ok(Wish::On { hold: None }));
        check(r#"{"state":false,"seconds":60}"#, Ok(Wish::Off { hold: Some(Duration::from_secs(60)) }));
        check(r#"{"state":null}"#, Ok(Wish::Auto));
        check(r#"{}"#, Err("Missing 'state'"));
        check(r#"{"state":"banana"}"#, Err("true, false or null"));
        check(r#"{"state":1}"#, Err("true, false or null"));
        check(r#"{"state":true,"seconds":0.5}"#, Err("from 1"));
        check(r#"{"state":true,"seconds":"60"}"#, Err("from 1"));
        check(r#"{"state":null,"seconds":60}"#, Err("goes with true or false"));
        check(r#"{"state":true,"force":true}"#, Err("unknown field"));
        check("[true]", Err("an object"));
        check("state=true", Err("not JSON"));
    }
}
