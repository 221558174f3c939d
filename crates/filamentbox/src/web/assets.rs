//! The page's files, from the program itself. What is asked for and what is there is all known when the program is built: no path of the disk
//! is ever touched. Who may look does not matter here: the files say nothing about the box.

use std::io::Read;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use filamentbox_client::{Asset, asset};
use flate2::read::GzDecoder;

use super::routes::Refusal;

/// The addresses of pages; the script in the page decides what each shows (`web/src/router.ts` has the same list).
const PAGES: [&str; 8] = ["/", "/history", "/events", "/outbox", "/settings", "/setup", "/login", "/kiosk"];
/// The files that must have a fixed name.
const NAMED: [&str; 4] = ["/manifest.webmanifest", "/sw.js", "/icon.svg", "/icon-192.png"];
/// Asked for anew each time, answered with 304 as long as it is the same: an update of the program is seen at once.
const ASK_AGAIN: &str = "no-cache";
/// Named by its content: never asked for twice.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// In a program that was built without its page.
const NO_PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>FilamentBox</title><h1>FilamentBox runs</h1>\
    <p>This program was built without its page (FILAMENTBOX_CLIENT=none). Build it with Node.js, or use the commands: \
    <code>filamentbox status</code>.</p></html>\n";

/// The routes of the page, for whoever asks.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut router = Router::new();
    for page in PAGES {
        router = router.route(page, get(async |headers: HeaderMap| index(&headers)));
    }
    for name in NAMED {
        router = router.route(name, get(move |headers: HeaderMap| async move { file(name, &headers) }));
    }
    let hashed = async |Path(name): Path<String>, headers: HeaderMap| file(&format!("/assets/{name}"), &headers);
    router.route("/assets/{name}", get(hashed))
}

fn index(headers: &HeaderMap) -> Response {
    match asset("/index.html") {
        Some(index) => served(index, headers),
        None => ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")], NO_PAGE).into_response(),
    }
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    match asset(path) {
        Some(file) => served(file, headers),
        None => Refusal(StatusCode::NOT_FOUND, "there is nothing at this path".to_owned()).into_response(),
    }
}

fn served(asset: &'static Asset, headers: &HeaderMap) -> Response {
    // Weak: the same for the compressed and the plain form.
    let etag = format!("W/\"{}\"", asset.etag);
    let lasting = if asset.is_immutable() { FOR_EVER } else { ASK_AGAIN };
    let common = [(ETAG, etag.as_str()), (CACHE_CONTROL, lasting), (VARY, ACCEPT_ENCODING.as_str())];
    if is_known(asset.etag, headers) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let content_type = [(CONTENT_TYPE, asset.content_type)];
    if asset.is_gzip && !takes_gzip(headers) {
        return match inflated(asset.bytes) {
            Ok(bytes) => (common, content_type, bytes).into_response(),
            Err(problem) => Refusal(StatusCode::INTERNAL_SERVER_ERROR, problem.to_string()).into_response(),
        };
    }
    let mut response = (common, content_type, asset.bytes).into_response();
    if asset.is_gzip {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// For the few programs that do not take it compressed.
fn inflated(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain)?;
    Ok(plain)
}

/// Whether the browser already has it, by `If-None-Match`.
fn is_known(etag: &str, headers: &HeaderMap) -> bool {
    let listed = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    listed.flat_map(|list| list.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == etag
    })
}

/// Whether `Accept-Encoding` names gzip, or everything, and does not give it a quality of 0 (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let listed = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut by_name = None;
    let mut by_star = None;
    for coding in listed.flat_map(|list| list.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).and_then(|quality| quality.parse::<f32>().ok());
        let is_taken = quality.is_none_or(|quality| quality > 0.0);
        if name.eq_ignore_ascii_case("gzip") {
            by_name = Some(is_taken);
        } else if name == "*" {
            by_star = Some(is_taken);
        }
    }
    by_name.or(by_star).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: axum::http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_goes_to_those_who_take_it() {
        let check = |header, expected| assert_eq!(takes_gzip(&with(ACCEPT_ENCODING, header)), expected, "{header}");
        check("gzip, deflate, br", true);
        check("br;q=1.0, GZIP;q=0.2", true);
        check("*", true);
        check("br", false);
        check("", false);
        check("gzip;q=0", false);
        check("gzip; q=0, *", false);
        check("*;q=0, gzip", true);
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let check = |header, expected| assert_eq!(is_known("abc", &with(IF_NONE_MATCH, header)), expected, "{header}");
        check("\"abc\"", true);
        check("W/\"abc\"", true);
        check("\"x\", W/\"abc\"", true);
        check("*", true);
        check("\"abcd\"", false);
        check("", false);
    }
}
