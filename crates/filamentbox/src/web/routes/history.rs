//! `/api/history`: what was measured, as the points of a chart and sample by sample.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use filamentbox_core::sample::{BoxName, FIELD_NAMES};
use filamentbox_core::time::UnixTime;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use utoipa::IntoParams;

use super::{BoxQuery, Refusal, bad_request, snapshot, within};
use crate::journal::Gone;
use crate::web::chart::{self, Chart, Wanted};
use crate::web::columns::Field;
use crate::web::extract::Asked;
use crate::web::{Daemon, dto, history};

/// Points of a chart at most: no screen is wider.
const POINTS_MAX: usize = 2000;
/// Points of a chart of which nobody says how many.
const POINTS: usize = 500;
/// A chart shows so much when nobody says what, in ms.
const DAY: i64 = 86_400_000;
/// The last moment that there is, in Unix seconds: the end of the year 9999.
const TIME_MAX: f64 = 253_402_300_799.0;
/// Charts that are read at the same time: they are the only answers that keep the journal busy and take memory, up to 1 MB each.
const READERS: usize = 2;
/// A chart takes milliseconds to be read. While its disk hangs, or many want one, people are told so.
const CHART_MAX: Duration = Duration::from_secs(10);

/// The charts that are being read.
#[derive(Clone)]
pub(super) struct Readers(Arc<Semaphore>);

impl Readers {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(READERS)))
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ChartQuery {
    /// From this moment on, Unix seconds; without it, a day.
    #[param(value_type = Option<f64>, minimum = 0, maximum = 253402300799_i64)]
    from: Option<String>,
    /// Up to this moment, Unix seconds; without it, up to now.
    #[param(value_type = Option<f64>, minimum = 0, maximum = 253402300799_i64)]
    to: Option<String>,
    /// Points at most; a point without values comes on top for each gap.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 2000, default = 500)]
    points: Option<String>,
    /// Fields, with commas between; without it, all.
    #[param(
        pattern = "^(temperature_[cf]|humidity|pressure|dew_point_c|absolute_humidity|heater_on|fan_on)(,(temperature_[cf]|humidity|pressure|dew_point_c|absolute_humidity|heater_on|fan_on))*$",
        example = "temperature_c,heater_on"
    )]
    fields: Option<String>,
    /// The box; a default installation has one, `main`.
    #[param(pattern = "^[a-z0-9_-]{1,32}$", example = "main")]
    r#box: Option<String>,
}

/// The points of a chart: single samples where they are few, else what was measured in equal stretches of time.
#[utoipa::path(get, path = "/api/history", tag = "History", operation_id = "history", params(ChartQuery), responses(
    (status = 200, description = "The points", body = dto::History),
    (status = 404, description = "There is no such box", body = dto::Refused),
    (status = 503, description = "The journal does not answer in time", body = dto::Refused)))]
pub(super) async fn chart(
    State(daemon): State<Daemon>,
    Extension(Readers(readers)): Extension<Readers>,
    Asked(query): Asked<ChartQuery>,
) -> Result<Json<dto::History>, Refusal> {
    let box_name = snapshot(&daemon, &BoxQuery { r#box: query.r#box.clone() })?.name;
    let fields = query.fields.as_deref().map_or_else(|| Ok(Field::all()), fields)?;
    let points = query.points.as_deref().map_or(Ok(POINTS), points)?;
    let now = daemon.clocks.read().wall.map(UnixTime::millis);
    let range = range(&query, now)?;
    let interval = (daemon.settings.view().set.config.read_interval.as_millis()).try_into().unwrap_or(i64::MAX);
    let name = box_name.to_string();
    let (chart, note) = match range.clone() {
        None => {
            (Chart::empty(), Some("the time of day is not known yet; say from and to, or wait for the clock to be set"))
        }
        Some(range) if range.is_empty() => (Chart::empty(), Some("from does not lie before to: nothing is in between")),
        Some(range) => {
            let wanted = Wanted { range, points, box_name, interval };
            let read = async {
                let _reader = readers.acquire().await.map_err(|_| Gone)?;
                chart::read(&daemon.journal, &wanted).await
            };
            (timeout(CHART_MAX, read).await.unwrap_or(Err(Gone)).map_err(|_| busy())?, None)
        }
    };
    let seconds = |at: i64| UnixTime::from_millis(at).seconds();
    Ok(Json(dto::History {
        r#box: name,
        from: range.as_ref().map(|range| seconds(range.start)),
        to: range.as_ref().map(|range| seconds(range.end)),
        resolution: seconds(chart.width),
        timestamps: chart.rows.iter().map(|(at, _)| seconds(*at)).collect(),
        fields: fields.into_iter().map(|field| (field.0, field.columns(&chart.rows))).collect(),
        note,
        read: dto::WasRead { rollups: chart.read.rollups, blocks: chart.read.blocks, samples: chart.read.samples },
    }))
}

fn busy() -> Refusal {
    let problem = "the journal does not answer in time; ask again, perhaps for a shorter time";
    Refusal(StatusCode::SERVICE_UNAVAILABLE, problem.to_owned())
}

/// In ms; `None` when nobody knows what time it is now.
fn range(query: &ChartQuery, now: Option<i64>) -> Result<Option<Range<i64>>, Refusal> {
    let from = query.from.as_deref().map(|text| moment("from", text)).transpose()?;
    let to = query.to.as_deref().map(|text| moment("to", text)).transpose()?;
    let Some(to) = to.or(now) else { return Ok(None) };
    let from = from.unwrap_or(to.saturating_sub(DAY));
    Ok(Some(from..to))
}

/// In ms.
fn moment(name: &str, text: &str) -> Result<i64, Refusal> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=TIME_MAX).contains(seconds));
    let refused = || bad_request(format!("{name}={text:?} is not a moment; allowed: Unix seconds, 0 to {TIME_MAX}"));
    seconds.map(|seconds| (seconds * 1000.0).round() as i64).ok_or_else(refused)
}

fn points(text: &str) -> Result<usize, Refusal> {
    let points = text.parse().ok().filter(|points| (1..=POINTS_MAX).contains(points));
    points.ok_or_else(|| bad_request(format!("points={text:?} is not a number of points; allowed: 1 to {POINTS_MAX}")))
}

fn fields(text: &str) -> Result<Vec<Field>, Refusal> {
    let unknown = |name: &str| {
        bad_request(format!("{name:?} is not a field; allowed, with commas between: {}", FIELD_NAMES.join(", ")))
    };
    text.split(',').map(|name| Field::named(name).ok_or_else(|| unknown(name))).collect()
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportQuery {
    /// From this moment on, Unix seconds; without it from the oldest sample on.
    #[param(value_type = Option<f64>, minimum = 0, maximum = 253402300799_i64)]
    from: Option<String>,
    /// Up to, but without, this moment, Unix seconds; without it up to the newest sample.
    #[param(value_type = Option<f64>, minimum = 0, maximum = 253402300799_i64)]
    to: Option<String>,
    /// The same as `from` in milliseconds; `from` has precedence.
    from_ms: Option<i64>,
    /// The same as `to` in milliseconds; `to` has precedence.
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
    let from = query.from.as_deref().map(|text| moment("from", text)).transpose()?.or(query.from_ms);
    let to = query.to.as_deref().map(|text| moment("to", text)).transpose()?.or(query.to_ms);
    let name = file_name(box_name.as_ref(), from, to, daemon.clocks.read().wall, query.format.as_deref());
    let range = UnixTime::from_millis(from.unwrap_or(i64::MIN))..UnixTime::from_millis(to.unwrap_or(i64::MAX));
    let mut chunks = within(daemon.journal.export(range, box_name)).await?;
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
    let disposition = format!("attachment; filename=\"{name}\"");
    Ok(([(CONTENT_TYPE, content_type), (CONTENT_DISPOSITION, &disposition)], body).into_response())
}

/// What a browser calls the file: the box and the days (in UTC) that it is about. All of it is letters, digits, `-`, `_` and a point.
fn file_name(
    box_name: Option<&BoxName>,
    from: Option<i64>,
    to: Option<i64>,
    now: Option<UnixTime>,
    format: Option<&str>,
) -> String {
    let day = |ms: i64| jiff::Timestamp::from_millisecond(ms).ok().map(|at| at.strftime("%F").to_string());
    let to = to.or(now.map(UnixTime::millis)).map(|to| to.saturating_sub(1));
    let days = [from, to].map(|ms| ms.and_then(day));
    let parts = ["filamentbox".to_owned()].into_iter().chain(box_name.map(BoxName::to_string));
    let parts: Vec<String> = parts.chain(days.into_iter().flatten()).collect();
    format!("{}.{}", parts.join("-"), format.unwrap_or("csv"))
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
