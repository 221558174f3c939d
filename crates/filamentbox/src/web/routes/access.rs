//! `/api/session`, `/api/setup`, `/api/login`, `/api/logout` and `/api/tokens`: how somebody comes to have a right.

use axum::extract::State;
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Extension, Json};
use filamentbox_core::config::Source;
use filamentbox_core::event::Severity;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use super::{Refusal, bad_request};
use crate::runtime::clock::wall;
use crate::runtime::reloading::NotChanged;
use crate::settings::Change;
use crate::web::access::secrets::Digest;
use crate::web::access::settings::PASSWORD;
use crate::web::access::setup::{self, WrongCode};
use crate::web::access::tokens::{self, Scope, Stored};
use crate::web::access::{Caller, Right, Standing, Visitor, password, session_cookie, sessions};
use crate::web::extract::{Named, Sent};
use crate::web::{Daemon, dto};

/// What needs no right.
pub(super) fn open() -> OpenApiRouter<Daemon> {
    OpenApiRouter::default()
        .routes(routes!(session))
        .routes(routes!(set_up))
        .routes(routes!(setup_code))
        .routes(routes!(log_in))
        .routes(routes!(log_out))
}

/// What needs the right to change settings.
pub(super) fn configure() -> OpenApiRouter<Daemon> {
    OpenApiRouter::default().routes(routes!(list_tokens, create_token)).routes(routes!(revoke_token))
}

/// How who asks stands: whether a password is set, whether they are logged in, what they may.
#[utoipa::path(get, path = "/api/session", tag = "Access",
    responses((status = 200, description = "How who asks stands", body = dto::Session)))]
async fn session(State(daemon): State<Daemon>, caller: Caller) -> Json<dto::Session> {
    let access = &daemon.access;
    let state = match access.standing(&caller) {
        Standing::Setup => "setup",
        Standing::LogIn => "login",
        Standing::In => "in",
        Standing::Open => "open",
    };
    let left = access.confirmed_for(&caller);
    let confirmed_until = left.zip(wall()).map(|(left, wall)| wall.seconds() + left.as_secs_f64());
    let may = |(right, _): &(Right, _)| match &caller {
        // Confirming is in their power.
        Caller::Session { .. } => true,
        caller => caller.may(*right),
    };
    let all = [(Right::Read, "read"), (Right::Control, "control"), (Right::Configure, "configure")];
    let rights = all.into_iter().filter(may).map(|(_, name)| name).collect();
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let (simulated, public_read) = (daemon.simulated, access.is_public());
    Json(dto::Session {
        state,
        simulated,
        public_read,
        rights,
        confirmed_until,
        name,
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// The one-time code, and the password that is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetUp {
    /// Capitals and `-` do not matter.
    code: String,
    /// 10 characters or more.
    #[schema(min_length = 10)]
    password: String,
}

/// Sets the password with the one-time code, and logs in. Also where there is a password: it was forgotten.
#[utoipa::path(post, path = "/api/setup", tag = "Access", request_body = SetUp, responses(
    (status = 200, description = "The password is set; a cookie logs the browser in", body = dto::Done),
    (status = 403, description = "Another code, or not from our own page", body = dto::WrongCode),
    (status = 409, description = "A simulated box has no password", body = dto::Refused),
    (status = 410, description = "No code counts: used, too old, tried too often", body = dto::Refused),
    (status = 503, description = "The password cannot be kept now", body = dto::Refused)))]
async fn set_up(
    State(daemon): State<Daemon>,
    Extension(visitor): Extension<Visitor>,
    caller: Caller,
    body: Sent,
) -> Result<Response, Refusal> {
    if matches!(caller, Caller::Simulated) {
        return Err(nobody_s());
    }
    let SetUp { code, password } = read(&body, r#"{"code": .., "password": ..}"#)?;
    let password = Zeroizing::new(password);
    if password::is_hash(&password) {
        return Err(bad_request("type the password itself, not its hash"));
    }
    password::check(&password).map_err(|problem| bad_request(problem.to_string()))?;
    if let Some(source) = set_elsewhere(&daemon) {
        return Err(bad_request(format!("the password comes from {source}; change it there")));
    }
    let access = &daemon.access;
    match access.take_code(&code) {
        Ok(()) => {}
        Err(WrongCode::Wrong { tries_left }) => {
            access.write_down(&caller, Some(visitor), Severity::Warning, "a wrong setup code");
            let error = format!("this is not the code; {tries_left} more tries");
            let body = Json(dto::WrongCode { error, tries_left });
            return Ok((StatusCode::FORBIDDEN, body).into_response());
        }
        Err(WrongCode::NoCode) => {
            return Err(Refusal(
                StatusCode::GONE,
                "no code counts now: it was used, is too old, or was tried too often; `filamentbox setup-code` on the machine makes a new one"
                    .to_owned(),
            ));
        }
    }
    let hash = access.hash(password).await.map_err(cannot)?;
    change(&daemon, PASSWORD, Some(hash), "page, with the setup code").await?;
    access.write_down(&caller, Some(visitor), Severity::Warning, "set the password with the setup code");
    let anybody = Caller::Anonymous { may_read: false, is_mistaken: false };
    let cookie = access.begin_session(&anybody).map_err(cannot)?;
    Ok(welcome(cookie, visitor))
}

fn nobody_s() -> Refusal {
    Refusal(StatusCode::CONFLICT, "a simulated box has no password; everything is open".to_owned())
}

fn set_elsewhere(daemon: &Daemon) -> Option<Source> {
    let view = daemon.settings.view();
    let setting = view.set.settings.get(PASSWORD).filter(|setting| !setting.text.is_empty())?;
    (setting.source < Source::Store).then_some(setting.source)
}

/// The password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogIn {
    /// As it was set.
    password: String,
}

/// Logs in; who is logged in already has typed the password again.
#[utoipa::path(post, path = "/api/login", tag = "Access", request_body = LogIn, responses(
    (status = 200, description = "Logged in by a cookie, or the session goes on", body = dto::Done),
    (status = 401, description = "This is not the password", body = dto::Refused),
    (status = 429, description = "Too many tries; Retry-After says how many seconds to wait", body = dto::TooMany),
    (status = 503, description = "It cannot be found out now", body = dto::Refused)))]
async fn log_in(
    State(daemon): State<Daemon>,
    Extension(visitor): Extension<Visitor>,
    caller: Caller,
    body: Sent,
) -> Result<Response, Refusal> {
    let LogIn { password } = read(&body, r#"{"password": ..}"#)?;
    let password = Zeroizing::new(password);
    let access = &daemon.access;
    if matches!(caller, Caller::Simulated) {
        return Ok(welcome(None, visitor));
    }
    if !access.has_password() {
        let hint = "no password is set yet; the page /setup sets it with the code from the log or from `filamentbox setup-code`";
        return Err(Refusal(StatusCode::FORBIDDEN, hint.to_owned()));
    }
    let attempt = match access.take_attempt(visitor.address) {
        Ok(attempt) => attempt,
        Err(wait) => {
            access.write_down(&caller, Some(visitor), Severity::Warning, "too many logins");
            return Ok(too_many(wait.as_secs() + 1));
        }
    };
    let fits = password.len() <= password::LENGTH_MAX;
    if !fits || !access.is_password(password).await.map_err(cannot)? {
        access.write_down(&caller, Some(visitor), Severity::Warning, "a wrong password");
        return Err(Refusal(StatusCode::UNAUTHORIZED, "this is not the password".to_owned()));
    }
    access.give_back_attempt(visitor.address, attempt);
    let cookie = access.begin_session(&caller).map_err(cannot)?;
    let what = if cookie.is_some() { "logged in" } else { "typed the password again" };
    access.write_down(&caller, Some(visitor), Severity::Info, what);
    Ok(welcome(cookie, visitor))
}

fn too_many(seconds: u64) -> Response {
    let error = format!("too many tries; wait {seconds} s");
    let body = Json(dto::TooMany { error, retry_after: seconds });
    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, HeaderValue::from(seconds))], body).into_response()
}

/// `{"success": true}`, with the cookie of a new session.
fn welcome(cookie: Option<Zeroizing<String>>, visitor: Visitor) -> Response {
    let cookie = cookie.map(|secret| (SET_COOKIE, set_cookie(visitor.is_https, &secret, sessions::AGE_MAX.as_secs())));
    (AppendHeaders(cookie), Json(dto::Done { success: true })).into_response()
}

fn set_cookie(is_https: bool, secret: &str, seconds: u64) -> String {
    let (name, secure) = (session_cookie(is_https), if is_https { "; Secure" } else { "" });
    format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// Ends the session of the browser that asks.
#[utoipa::path(post, path = "/api/logout", tag = "Access",
    responses((status = 200, description = "Nobody is logged in with this cookie", body = dto::Done)))]
async fn log_out(State(daemon): State<Daemon>, visitor: Option<Extension<Visitor>>, caller: Caller) -> Response {
    let visitor = visitor.map(|Extension(visitor)| visitor);
    if matches!(caller, Caller::Session { .. }) {
        daemon.access.log_out(&caller);
        daemon.access.write_down(&caller, visitor, Severity::Info, "logged out");
    }
    let gone = |is_https| (SET_COOKIE, set_cookie(is_https, "", 0));
    let is_https = visitor.is_some_and(|visitor| visitor.is_https);
    (AppendHeaders([gone(is_https)]), Json(dto::Done { success: true })).into_response()
}

/// A fresh one-time code, for who may open the socket.
#[utoipa::path(post, path = "/api/setup/code", tag = "Access", responses(
    (status = 200, description = "A fresh code; earlier ones count no more", body = dto::SetupCode),
    (status = 400, description = "The password is set elsewhere", body = dto::Refused),
    (status = 409, description = "A simulated box has no password", body = dto::Refused),
    (status = 503, description = "There are no random numbers", body = dto::Refused)))]
async fn setup_code(State(daemon): State<Daemon>, caller: Caller) -> Result<Json<dto::SetupCode>, Refusal> {
    if caller != Caller::Socket {
        return Err(Refusal(StatusCode::FORBIDDEN, "only `filamentbox setup-code` on the machine itself".to_owned()));
    }
    if daemon.access.is_open() {
        return Err(nobody_s());
    }
    if let Some(source) = set_elsewhere(&daemon) {
        return Err(bad_request(format!("the password comes from {source}; change it there")));
    }
    let (code, url) = daemon.access.setup_code().map_err(cannot)?;
    daemon.access.write_down(&caller, None, Severity::Info, "made a setup code");
    let expires = wall().map(|wall| wall.seconds() + setup::AGE_MAX.as_secs_f64());
    Ok(Json(dto::SetupCode { code: code.to_string(), url, expires }))
}

/// Every token's name and scope.
#[utoipa::path(get, path = "/api/tokens", tag = "Access",
    responses((status = 200, description = "Every token", body = dto::Tokens)))]
async fn list_tokens(State(daemon): State<Daemon>) -> Json<dto::Tokens> {
    let view = daemon.settings.view();
    let shown =
        |(name, stored): (&str, Stored)| dto::TokenOfProgram { name: name.to_owned(), scope: stored.scope.name() };
    Json(dto::Tokens { tokens: tokens::all(&view.set.settings).map(shown).collect() })
}

/// What a new token is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WantedToken)]
struct NewToken {
    /// No other token has it.
    #[schema(pattern = "^[A-Za-z0-9_.-]{1,64}$")]
    name: String,
    /// To read, or to read and switch.
    #[schema(pattern = "^(read|control)$")]
    scope: String,
}

/// A new token, which is shown this once.
#[utoipa::path(post, path = "/api/tokens", tag = "Access", request_body = NewToken, responses(
    (status = 200, description = "The new token", body = dto::NewToken),
    (status = 409, description = "There is a token of this name", body = dto::Refused),
    (status = 503, description = "It cannot be kept now", body = dto::Refused)))]
async fn create_token(State(daemon): State<Daemon>, body: Sent) -> Result<Json<dto::NewToken>, Refusal> {
    let NewToken { name, scope } = read(&body, r#"{"name": .., "scope": "read" | "control"}"#)?;
    if !tokens::is_name(&name) {
        return Err(bad_request("'name' must be 1 to 64 of A-Z, a-z, 0-9, _, - and ."));
    }
    let scope = Scope::parse(&scope).ok_or_else(|| bad_request("'scope' must be \"read\" or \"control\""))?;
    let key = format!("{}{name}", tokens::PREFIX);
    if daemon.settings.view().set.settings.get(&key).is_some() {
        let problem = format!("there is a token {name:?} already; revoke it first, or choose another name");
        return Err(Refusal(StatusCode::CONFLICT, problem));
    }
    let token = tokens::new().map_err(cannot)?;
    let stored = Stored { scope, digest: Digest::of(&token) };
    change(&daemon, &key, Some(stored.text()), "api").await?;
    Ok(Json(dto::NewToken { name, scope: scope.name(), token: token.to_string() }))
}

/// Takes a token back: from now on it is none.
#[utoipa::path(delete, path = "/api/tokens/{name}", tag = "Access", params(("name" = String, Path)), responses(
    (status = 200, description = "It is none any more", body = dto::Done),
    (status = 404, description = "There is no such token", body = dto::Refused),
    (status = 503, description = "It cannot be kept now", body = dto::Refused)))]
async fn revoke_token(State(daemon): State<Daemon>, Named(name): Named) -> Result<Json<dto::Done>, Refusal> {
    let key = format!("{}{name}", tokens::PREFIX);
    let source = daemon.settings.view().set.settings.get(&key).map(|setting| setting.source);
    match source {
        None => Err(Refusal(StatusCode::NOT_FOUND, format!("there is no token {name:?}"))),
        Some(source) if source < Source::Store => {
            Err(bad_request(format!("the token {name:?} comes from {source}; take it out there")))
        }
        Some(_) => {
            change(&daemon, &key, None, "api").await?;
            Ok(Json(dto::Done { success: true }))
        }
    }
}

async fn change(daemon: &Daemon, key: &str, text: Option<String>, who: &'static str) -> Result<(), Refusal> {
    let change = Change { key: key.to_owned(), text };
    daemon.settings.change(vec![change], who).await.map_err(|problem| match problem {
        refused @ NotChanged::Refused(_) => bad_request(refused.to_string()),
        NotChanged::Failed(problem) => cannot(problem),
    })
}

fn cannot(problem: impl std::fmt::Display) -> Refusal {
    Refusal(StatusCode::SERVICE_UNAVAILABLE, format!("this cannot be done now: {problem}"))
}

fn read<T: for<'a> Deserialize<'a>>(body: &Sent, expected: &str) -> Result<T, Refusal> {
    // The problem itself may repeat a secret.
    body.object(expected).map_err(|_| bad_request(format!("the body is not understood; allowed: {expected}")))
}
