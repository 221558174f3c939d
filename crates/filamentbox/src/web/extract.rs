//! What a request says: its path, its query, its body. What is not understood is refused in our own words, as `{"error": ..}`.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use super::routes::{BODY_MAX, Refusal, bad_request};

/// A query that was understood.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Query(query) =
            Query::from_request_parts(parts, state).await.map_err(|rejected| bad_request(rejected.body_text()))?;
        Ok(Self(query))
    }
}

/// What a part of the path stands for.
pub(super) struct Named(pub(super) String);

/// What two parts of the path stand for.
pub(super) struct NamedTwo(pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for NamedTwo {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path((first, second)) =
            Path::from_request_parts(parts, state).await.map_err(|rejected| bad_request(rejected.body_text()))?;
        Ok(Self(first, second))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(name) =
            Path::from_request_parts(parts, state).await.map_err(|rejected| bad_request(rejected.body_text()))?;
        Ok(Self(name))
    }
}

/// A body that is said to be JSON. One that says nothing of itself is taken for JSON too.
pub(super) struct Sent(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if request.headers().get(CONTENT_TYPE).is_some_and(|content_type| !is_json(content_type.as_bytes())) {
            let problem = "the content type is not JSON; allowed: Content-Type: application/json";
            return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem.to_owned()));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejected| match rejected.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let problem = format!("the body is too long; allowed: {} kB", BODY_MAX / 1024);
                Refusal(StatusCode::PAYLOAD_TOO_LARGE, problem)
            }
            _ => bad_request("the body broke off"),
        })?;
        Ok(Self(body))
    }
}

impl Sent {
    /// The body as an object; `allowed` says what it may be.
    pub(super) fn object<T: DeserializeOwned>(&self, allowed: &str) -> Result<T, Refusal> {
        // serde would take a list for an object whose fields come in their order.
        let is_list = self.0.trim_ascii_start().starts_with(b"[");
        let what = match serde_json::from_slice(&self.0) {
            Ok(read) if !is_list => return Ok(read),
            Err(problem) if problem.classify() != Category::Data => format!("is not JSON: {problem}"),
            Err(problem) if !is_list => format!("is not understood: {problem}"),
            Ok(_) | Err(_) => "must be an object".to_owned(),
        };
        Err(bad_request(format!("the body {what}; allowed: {allowed}")))
    }
}

fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// A field that is there, be it null: for `#[serde(default, deserialize_with = "present")]`, which tells null from nothing.
pub(super) fn present<'de, D: serde::Deserializer<'de>>(field: D) -> Result<Option<Value>, D::Error> {
    serde::Deserialize::deserialize(field).map(Some)
}

/// A whole number, also written as `7.0`, as JSON does not tell the two apart: for `#[serde(default, deserialize_with = "whole")]`.
pub(super) fn whole<'de, D: serde::Deserializer<'de>>(field: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = <Option<serde_json::Number> as serde::Deserialize>::deserialize(field)? else { return Ok(None) };
    let is_whole = |number: &f64| number.fract() == 0.0 && (0.0..WHOLE_END).contains(number);
    let written_with_a_point = || number.as_f64().filter(is_whole).map(|number| number as u64);
    let whole = number.as_u64().or_else(written_with_a_point);
    whole.map(Some).ok_or_else(|| serde::de::Error::custom(format!("{number} is not a whole number from 0 on")))
}

/// 2^64
const WHOLE_END: f64 = 18_446_744_073_709_551_616.0;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[serde(default, deserialize_with = "present")]
        a: Option<Value>,
        #[serde(default, deserialize_with = "whole")]
        number: Option<u64>,
    }

    #[track_caller]
    fn check(body: &[u8], expected: Result<Option<Value>, &str>) {
        let read = Sent(Bytes::copy_from_slice(body)).object::<Body>("{\"a\": ..}");
        match (read, expected) {
            (Ok(read), Ok(expected)) => assert_eq!(read.a, expected),
            (Err(Refusal(status, problem)), Err(words)) => {
                assert_eq!(status, StatusCode::BAD_REQUEST);
                assert!(problem.contains(words), "{words:?} is not in {problem:?}");
            }
            (read, expected) => panic!("understood: {}, expected {expected:?}", read.is_ok()),
        }
    }

    #[test]
    fn a_body_is_one_object_with_each_field_once() {
        check(br#"{"a":null}"#, Ok(Some(Value::Null)));
        check(br#"{"a":[1]}"#, Ok(Some(serde_json::json!([1]))));
        check(b"{}", Ok(None));
        check(b"", Err("not JSON"));
        check(b"[]", Err("must be an object"));
        check(b" [1]", Err("must be an object"));
        check(b"null", Err("not understood"));
        check(br#"{"a":1,"a":2}"#, Err("duplicate field"));
        check(br#"{"b":1}"#, Err("unknown field"));
        check(b"{\"a\":\"\xff\"}", Err("not JSON"));
        check(br#"{"a":1e999}"#, Err("not JSON"));
        check(&[b'['; 10_000], Err("not JSON"));
        check(br#"{"a":1} {}"#, Err("not JSON"));
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let read =
            |text: &str| Sent(Bytes::copy_from_slice(text.as_bytes())).object::<Body>("").ok().map(|read| read.number);
        assert_eq!(read(r#"{"number":7}"#), Some(Some(7)));
        assert_eq!(read(r#"{"number":7.0}"#), Some(Some(7)));
        assert_eq!(read(r#"{"number":null}"#), Some(None));
        for bad in ["7.5", "-1", "-1.0", "1e300", "\"7\"", "true", "18446744073709551616"] {
            assert_eq!(read(&format!("{{\"number\":{bad}}}")), None, "{bad}");
        }
    }

    #[test]
    fn json_by_its_name() {
        for name in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
            assert!(is_json(name.as_bytes()), "{name}");
        }
        for name in ["", "text/plain", "application/jsonl", "application/x-www-form-urlencoded"] {
            assert!(!is_json(name.as_bytes()), "{name}");
        }
    }
}
