//! Somebody speaks plain HTTP to a port that speaks HTTPS: typed without `https://`, or a program that was not told.
//!
//! A person is led on; a program gets an error, because what it sent (a token, say) has been read by whoever listens.

use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, LOCATION};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use axum::response::IntoResponse as _;

use super::body::refuse;

/// The only answer.
pub(super) fn answer<B>(request: &Request<B>) -> Response<Body> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = header(HOST).filter(|host| is_authority(host));
    let is_person = matches!(*request.method(), Method::GET | Method::HEAD)
        && header(ACCEPT).is_some_and(|accepted| accepted.contains("text/html"))
        && header(AUTHORIZATION).is_none();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = host.map(|host| format!("https://{host}{path}"));
    match location.as_ref().and_then(|location| HeaderValue::from_str(location).ok()) {
        // For this time only: TLS may be taken away again.
        Some(location) if is_person => {
            let headers = [(LOCATION, location), (CONNECTION, HeaderValue::from_static("close"))];
            (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
        }
        _ => {
            let to = host.map_or_else(|| "https://".to_owned(), |host| format!("https://{host}"));
            refuse(StatusCode::BAD_REQUEST, &format!("this port speaks HTTPS; ask {to}"))
        }
    }
}

/// A host with a port, perhaps, and nothing that could change what a URL means.
fn is_authority(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !host.is_empty() && host.len() <= 255 && host.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, path: &str, headers: &[(&str, &str)], expected: Result<&str, &str>) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answered = answer(&request.body(()).expect("a request"));
        let location = answered.headers().get(LOCATION).map(|value| value.to_str().expect("text").to_owned());
        match expected {
            Ok(to) => assert_eq!((answered.status(), location.as_deref()), (StatusCode::TEMPORARY_REDIRECT, Some(to))),
            Err(why) => assert_eq!((answered.status(), location), (StatusCode::BAD_REQUEST, None), "{why}"),
        }
    }

    #[test]
    fn people_are_led_on_and_programs_are_told() {
        let (host, browser) = (("host", "box.local:5000"), ("accept", "text/html,*/*"));
        check("GET", "/events?x=1", &[host, browser], Ok("https://box.local:5000/events?x=1"));
        check("GET", "/", &[("host", "[fd00::1]:5000"), browser], Ok("https://[fd00::1]:5000/"));
        check("GET", "/api/status", &[host], Err("a program"));
        check("GET", "/", &[host, browser, ("authorization", "Bearer x")], Err("a token has been said aloud"));
        check("POST", "/", &[host, browser], Err("what was posted has been read"));
        check("GET", "/", &[browser], Err("no host"));
        check("GET", "/", &[("host", "a@evil.example/"), browser], Err("no host either"));
    }
}
