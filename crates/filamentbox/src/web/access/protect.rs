//! What every request at the port passes: is it for us, does it come from our page, who asks; and the headers of every answer.
//!
//! None of this applies to the socket, whose file says who may use it.

use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, ORIGIN,
    REFERRER_POLICY, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;

use super::host::{Authority, Origin};
use super::{Access, Caller, Connection, Visitor};
use crate::web::openapi::other_methods;
use crate::web::server::Client;

/// What a script of another page cannot send without asking first, and nobody is ever allowed to.
const OUR_HEADER: &str = "x-filamentbox";
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Nothing but our own files is loaded or run; no other page may show ours in a frame.
const CONTENT_SECURITY: &str =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'";
const PERMISSIONS: &str =
    "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()";

/// The headers of every answer.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS)),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Why a request is not let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) why: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        if self.status == StatusCode::NO_CONTENT {
            return self.status.into_response();
        }
        (self.status, Json(json!({ "error": self.why }))).into_response()
    }
}

fn refused(status: StatusCode, why: impl Into<String>) -> Refused {
    Refused { status, why: why.into() }
}

/// `router` behind the rules of the port. The server puts a [`Connection`] into each request; one without it is refused.
pub fn protect(router: Router, access: Access) -> Router {
    router.layer(from_fn_with_state(access, guard))
}

async fn guard(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let is_program = is_for_programs(request.uri().path());
    let connection = request.extensions().get::<Connection>().copied();
    let mut answer = match admit(&access, connection, &request) {
        Ok((caller, visitor)) => {
            if let (Caller::Session { .. } | Caller::Token { .. }, Some(client)) =
                (&caller, request.extensions().get::<Client>())
            {
                client.is_known();
            }
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Err(refused) => {
            access.count_refused(&refused, connection);
            match other_methods(request.method(), request.uri().path()).filter(|_| may_know_why(&refused, &request)) {
                Some(methods) => {
                    let why = "this path does not take this method";
                    ([(ALLOW, methods)], self::refused(StatusCode::METHOD_NOT_ALLOWED, why)).into_response()
                }
                None => refused.into_response(),
            }
        }
    };
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    if is_program && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    answer
}

/// Whether a request without a change's headers is told first that the path has no such method: a program's, as no page sends one without
/// saying where it is.
fn may_know_why(refused: &Refused, request: &Request) -> bool {
    let is_of_changes = matches!(refused.status, StatusCode::FORBIDDEN | StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let headers = request.headers();
    is_of_changes && !headers.contains_key(ORIGIN) && !headers.contains_key(SEC_FETCH_SITE)
}

/// What is not a page or a file of one.
fn is_for_programs(path: &str) -> bool {
    path.starts_with("/api/") || path == "/metrics" || path == "/healthz"
}

/// Who asks from where, if the request is let in.
fn admit(access: &Access, connection: Option<Connection>, request: &Request) -> Result<(Caller, Visitor), Refused> {
    let connection =
        connection.ok_or_else(|| refused(StatusCode::MISDIRECTED_REQUEST, "this connection is unknown"))?;
    let host = host(access, connection, request)?;
    if request.method() == Method::OPTIONS {
        // A browser that asks for another page whether it may: without a CORS header it may not.
        return Err(refused(StatusCode::NO_CONTENT, "no page of another origin may use this"));
    }
    let headers = request.headers();
    let caller = access.caller(bearer(headers), &cookies(headers), connection);
    let origin = origin(headers, &host, connection)?;
    // No route takes another method: the router says so, with those that it takes.
    let is_change = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    if is_change || is_for_programs(request.uri().path()) {
        from_our_page(headers)?;
        if matches!(origin, Sender::Foreign(_)) {
            return Err(foreign(&origin));
        }
    }
    if is_change {
        // Not a browser: those that switch something for another page say which.
        let may_be_a_program = match caller {
            Caller::Token { .. } => true,
            Caller::Simulated => connection.local.ip().to_canonical().is_loopback(),
            _ => false,
        };
        if matches!(origin, Sender::Unknown) && !may_be_a_program {
            return Err(refused(
                StatusCode::FORBIDDEN,
                "the header Origin is missing, which browsers send by themselves; a program needs a token (Authorization: Bearer ..)",
            ));
        }
        change_headers(headers)?;
    }
    let is_https = connection.is_tls || matches!(&origin, Sender::Ours { is_https: true });
    Ok((caller, Visitor { address: connection.peer.ip().to_canonical(), is_https }))
}

/// The host that is asked for: exactly one, and ours.
fn host(access: &Access, connection: Connection, request: &Request) -> Result<Authority, Refused> {
    let wrong = |why: String| refused(StatusCode::MISDIRECTED_REQUEST, why);
    let text = single(request.headers(), &HOST).map_err(|()| wrong("the header Host is there twice".to_owned()))?;
    let text = text.ok_or_else(|| wrong("the header Host is missing".to_owned()))?;
    let host = Authority::parse(text).ok_or_else(|| wrong("the header Host is not HOST[:PORT]".to_owned()))?;
    let is_other = |named: &axum::http::uri::Authority| Authority::parse(named.as_str()).as_ref() != Some(&host);
    if request.uri().authority().is_some_and(is_other) {
        return Err(wrong("the request names another host than the header Host".to_owned()));
    }
    if access.is_own(&host.host, connection.local.ip()) {
        return Ok(host);
    }
    Err(wrong(format!(
        "this is not {}: allowed are the address of this machine, its name, its name with .local, filamentbox.local, and what the setting \
         webui.allowed_hosts lists (`filamentbox config set webui.allowed_hosts NAME`)",
        text.chars().take(100).collect::<String>()
    )))
}

/// Which page sent the request.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Sender {
    /// Nobody says.
    Unknown,
    Ours {
        is_https: bool,
    },
    Foreign(String),
}

fn origin(headers: &HeaderMap, host: &Authority, connection: Connection) -> Result<Sender, Refused> {
    let twice = |()| refused(StatusCode::FORBIDDEN, "the header Origin is there twice");
    Ok(match single(headers, &ORIGIN).map_err(twice)? {
        None => Sender::Unknown,
        Some(text) => match Origin::parse(text) {
            Some(origin) if origin.is_of(host, connection.is_tls) => Sender::Ours { is_https: origin.is_https },
            _ => Sender::Foreign(text.chars().take(100).collect()),
        },
    })
}

fn foreign(sender: &Sender) -> Refused {
    let from = if let Sender::Foreign(from) = sender { from.as_str() } else { "elsewhere" };
    refused(
        StatusCode::FORBIDDEN,
        format!(
            "a page of {from} asks: only this one's own page may; behind a reverse proxy, let it pass on the header Host as it came"
        ),
    )
}

/// What newer browsers say by themselves, at https and at localhost.
fn from_our_page(headers: &HeaderMap) -> Result<(), Refused> {
    let all_ours = headers.get_all(SEC_FETCH_SITE).iter().all(|site| site == "same-origin" || site == "none");
    if all_ours { Ok(()) } else { Err(foreign(&Sender::Unknown)) }
}

/// Whether the request says that it has no body.
fn has_no_body(headers: &HeaderMap) -> bool {
    let is_empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    is_empty && !headers.contains_key(TRANSFER_ENCODING)
}

/// What a change must come with: a form of another page can have neither.
fn change_headers(headers: &HeaderMap) -> Result<(), Refused> {
    let ours: Vec<_> = headers.get_all(OUR_HEADER).iter().collect();
    if ours != ["1"] {
        return Err(refused(StatusCode::FORBIDDEN, "the header `X-FilamentBox: 1` is missing"));
    }
    let json = match single(headers, &CONTENT_TYPE) {
        Ok(Some(text)) => {
            let kind = text.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json")
        }
        Ok(None) => has_no_body(headers),
        _ => false,
    };
    let only = "only JSON is taken (Content-Type: application/json)";
    if json { Ok(()) } else { Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, only)) }
}

/// The one value of a header as text; `Err` when it is there more than once or no text.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        _ => Err(()),
    }
}

/// The token that is given: `Some("")` where there are credentials that are none.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    match single(headers, &AUTHORIZATION) {
        Ok(None) => None,
        Ok(Some(text)) => match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim()),
            // A reverse proxy's own login, which it passes on.
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("basic") => None,
            _ => Some(""),
        },
        Err(()) => Some(""),
    }
}

/// Every cookie, name and value.
fn cookies(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('=')).collect()
}
