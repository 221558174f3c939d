//! HTTP for the sinks: one client a sink, limits on everything, and what an answer means.
//!
//! The client speaks HTTP/1.1, follows no redirect (so no password goes to another server), repeats nothing by itself, keeps one
//! idle connection, and uses the proxy that the environment names (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`), but never for a
//! server on this machine. What is trusted over TLS is in `tls.rs`.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use filamentbox_core::config::{ConfigError, KeySpec, Kind, SecretText, Settings};
use filamentbox_core::time::UnixTime;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{self, HeaderMap};
use reqwest::{Certificate, Client, Method, RequestBuilder, StatusCode, Url};

use super::secrets::Secrets;
use super::{Body, SinkError, tls};

/// A server that does not even open a connection in this time is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A request with its answer; 5000 points take a healthy server 0.1 s, and a busy Pi with an SD card some seconds.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// One and a half default flush intervals: normal delivery keeps its connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// So much of an answer is read. Errors are some hundred bytes.
const ANSWER_MAX: usize = 16 * 1024;
/// So many characters of the server's words go into a reason: events and pages show it in a line or two.
const REASON_MAX: usize = 300;
/// A shorter body is not worth compressing.
pub(super) const GZIP_MIN: usize = 1024;
const USER_AGENT: &str = concat!("filamentbox/", env!("CARGO_PKG_VERSION"));

/// How a sink proves who it is. It cannot be printed.
pub(super) enum Auth {
    Nobody,
    Basic {
        username: String,
        password: SecretText,
    },
    Bearer {
        token: SecretText,
    },
    /// The scheme of InfluxDB 2.
    Token {
        token: SecretText,
    },
}

/// The authentication of a sink whose user name and password are under these keys.
pub(super) fn basic(settings: &Settings, username_key: &str, password_key: &str) -> Result<Auth, ConfigError> {
    let (username, password) = (settings.text(username_key), settings.secret(password_key));
    let refused = |problem: String| Err(ConfigError { key: username_key.to_owned(), problem });
    match (username.is_empty(), password.is_empty()) {
        (true, true) => Ok(Auth::Nobody),
        (true, false) => {
            refused(format!("an empty name is not allowed while {password_key} is set; give the user's name"))
        }
        // RFC 7617, 2: the first colon ends the user name.
        (false, _) if username.contains(':') => {
            refused(format!("{username:?} is not allowed; allowed: a name without a colon"))
        }
        (false, _) => Ok(Auth::Basic { username: username.to_owned(), password: password.clone() }),
    }
}

/// The token under `key`; `None` when it is not set.
pub(super) fn token(settings: &Settings, key: &str) -> Result<Option<SecretText>, ConfigError> {
    let token = settings.secret(key);
    if !token.expose().bytes().all(|c| c.is_ascii_graphic()) {
        let problem = "the token is not allowed; allowed: visible ASCII characters without spaces".to_owned();
        return Err(ConfigError { key: key.to_owned(), problem });
    }
    Ok(Some(token.clone()).filter(|token| !token.is_empty()))
}

/// Like [`basic`], or a bearer token in its place, under the key `token_key`.
pub(super) fn basic_or_token(
    settings: &Settings,
    username_key: &str,
    password_key: &str,
    token_key: &str,
) -> Result<Auth, ConfigError> {
    match (token(settings, token_key)?, basic(settings, username_key, password_key)?) {
        (None, basic) => Ok(basic),
        (Some(token), Auth::Nobody) => Ok(Auth::Bearer { token }),
        (Some(_), _) => {
            let problem = "a token and a user name are not allowed together; leave one of them empty".to_owned();
            Err(ConfigError { key: format!("{token_key}, {username_key}"), problem })
        }
    }
}

/// The key of a file with further certificate authorities: each HTTP backend has one, `database.NAME.ca_file`.
pub(super) const fn ca_file(key: &'static str) -> KeySpec {
    KeySpec::new(
        key,
        Kind::Text { max_bytes: 1024 },
        "",
        "",
        "A PEM file with certificate authorities that are trusted besides the system's, for an https server with a certificate of your own.",
    )
}

/// The key that says whether requests are compressed: each HTTP backend whose server takes gzip has one, `database.NAME.gzip`.
pub(super) const fn gzip(key: &'static str) -> KeySpec {
    KeySpec::new(
        key,
        Kind::Choice(&["auto", "on", "off"]),
        "auto",
        "",
        "Whether requests are compressed. auto: unless the server is on this machine.",
    )
}

/// `path` below the URL under `key`.
pub(super) fn endpoint(settings: &Settings, key: &str, path: &str) -> Result<Url, ConfigError> {
    let base = settings.text(key);
    Url::parse(&format!("{base}/{path}")).map_err(|error| {
        let problem = format!("{base:?} is not allowed ({error}); allowed: http://HOST[:PORT][/PATH] or https://...");
        ConfigError { key: key.to_owned(), problem }
    })
}

/// A sink's connection to its server.
pub(super) struct Http {
    client: Client,
    auth: Auth,
    /// What no reason may show: some servers and proxies repeat a request in their refusal.
    secrets: Secrets,
    /// Scheme, host and port, for reasons.
    server: String,
    /// Host and port, unless a proxy may stand in between.
    address: Option<(String, u16)>,
    /// The setting with further authorities, for reasons.
    ca_key: String,
    /// Whether bodies are compressed.
    gzip: bool,
}

/// A server's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) headers: HeaderMap,
    /// The beginning of the body; that of a refusal without secrets.
    pub(super) body: String,
}

impl Answer {
    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The server's clock minus `now`, in milliseconds; its answers carry whole seconds.
    pub(super) fn clock_ahead_ms(&self, now: UnixTime) -> Option<i64> {
        Some(http_date(self.header("date")?)?.millis() - now.millis())
    }
}

impl Http {
    /// A client for the backend `name`, by its settings `url`, `ca_file` and (where it has them) `gzip`.
    pub(super) fn open(settings: &Settings, name: &str, auth: Auth) -> Result<Self, ConfigError> {
        Self::with_timeouts(settings, name, auth, CONNECT_TIMEOUT, TOTAL_TIMEOUT)
    }

    fn with_timeouts(
        settings: &Settings,
        name: &str,
        auth: Auth,
        connect: Duration,
        total: Duration,
    ) -> Result<Self, ConfigError> {
        let (url_key, ca_key) = (format!("database.{name}.url"), format!("database.{name}.ca_file"));
        let url = endpoint(settings, &url_key, "")?;
        let ca_file = settings.text(&ca_key);
        let authorities = tls::authorities(ca_file, &ca_key)?;
        let client = client(&url, authorities, connect, total).map_err(|error| {
            let (key, value) = if ca_file.is_empty() { (url_key, url.as_str()) } else { (ca_key.clone(), ca_file) };
            let problem = format!("{value:?} cannot be used: {}; {}", causes(&error), tls::NO_AUTHORITY);
            ConfigError { key, problem }
        })?;
        let gzip_key = format!("database.{name}.gzip");
        let gzip = match settings.get(&gzip_key).map(|_| settings.text(&gzip_key)) {
            Some("on") => true,
            Some("auto") => !is_loopback(&url),
            _ => false,
        };
        let secrets = Secrets::of(&auth);
        let host = url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned());
        let is_direct = is_loopback(&url) || !names_a_proxy();
        let address = host.zip(url.port_or_known_default()).filter(|_| is_direct);
        Ok(Self { client, auth, secrets, server: url.origin().ascii_serialization(), address, ca_key, gzip })
    }

    /// Host and port of the server, unless a proxy may stand in between.
    pub(super) fn address(&self) -> Option<(String, u16)> {
        self.address.clone()
    }

    /// Whether bodies are compressed.
    pub(super) fn compresses(&self) -> bool {
        self.gzip
    }

    /// Posts `body` to `url`. Every answer is `Ok`, whatever its status.
    pub(super) async fn post(&self, url: Url, body: impl Into<Body>) -> Result<Answer, SinkError> {
        self.post_reading(url, body, ANSWER_MAX).await
    }

    /// Like [`Self::post`], for a server whose errors are long; at most `answer_max` bytes of the answer are read.
    pub(super) async fn post_reading(
        &self,
        url: Url,
        body: impl Into<Body>,
        answer_max: usize,
    ) -> Result<Answer, SinkError> {
        let mut body = body.into();
        if self.gzip && !body.is_compressed && body.bytes.len() >= GZIP_MIN {
            body = Body { bytes: gzipped(&body.bytes), is_compressed: true };
        }
        let request = self.request(Method::POST, url);
        let request = match body.is_compressed {
            true => request.header(header::CONTENT_ENCODING, "gzip"),
            false => request,
        };
        let request = request.body(body.bytes);
        self.send(request, answer_max).await
    }

    /// Asks for something; at most `answer_max` bytes of it are read.
    ///
    /// # Errors
    /// [`SinkError::Retry`] when there was no answer.
    pub(super) async fn get(&self, url: Url, answer_max: usize) -> Result<Answer, SinkError> {
        self.send(self.request(Method::GET, url), answer_max).await
    }

    /// Any other request, for [`Self::send`].
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request with the sink's authentication; at most `answer_max` bytes of the answer are read. Every answer is `Ok`.
    pub(super) async fn send(&self, request: RequestBuilder, answer_max: usize) -> Result<Answer, SinkError> {
        let request = match &self.auth {
            Auth::Nobody => request,
            Auth::Basic { username, password } => request.basic_auth(username, Some(password.expose())),
            Auth::Bearer { token } => request.bearer_auth(token.expose()),
            Auth::Token { token } => request.header(header::AUTHORIZATION, format!("Token {}", token.expose())),
        };
        let mut response = request.send().await.map_err(|error| self.lost(error))?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let retry_after = text(header::RETRY_AFTER).and_then(|value| retry_after(value, text(header::DATE)));
        let mut body = Vec::new();
        while body.len() < answer_max {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(answer_max - body.len())]),
                Ok(None) => break,
                // Half an error is an error. Half a success may be none, and a re-send does no harm.
                Err(_) if !status.is_success() => break,
                Err(error) => return Err(self.lost(error)),
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        // What a server gives back when all is well is data, in which nothing may be replaced.
        let body = if status.is_success() { body } else { self.secrets.redact_body(&body) };
        Ok(Answer { status: status.as_u16(), retry_after, headers, body })
    }

    /// `text` without secrets: for what a server says of itself when all is well.
    pub(super) fn redact(&self, text: &str) -> String {
        self.secrets.redact(text)
    }

    fn lost(&self, error: reqwest::Error) -> SinkError {
        let reason = trouble(error, &self.server, &self.ca_key);
        SinkError::Retry { reason: tidy(&self.secrets.redact(&reason)), after: None }
    }
}

/// A client with the rules of this file, for `url` and others on its server.
pub(crate) fn client(
    url: &Url,
    authorities: Vec<Certificate>,
    connect: Duration,
    total: Duration,
) -> reqwest::Result<Client> {
    tls::use_ring();
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(connect)
        .timeout(total)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(1)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    let local = is_loopback(url);
    let builder = if local { builder.no_proxy() } else { builder };
    let needs_tls = url.scheme() == "https" || (!local && is_proxy_behind_tls());
    let builder = match needs_tls {
        true => builder.tls_certs_merge(authorities),
        false => builder.tls_backend_preconfigured(tls::no_tls()),
    };
    builder.build()
}

/// Whether the way to a plain server leads through a proxy that is spoken to over TLS.
fn is_proxy_behind_tls() -> bool {
    ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .any(|proxy| proxy.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")))
}

/// Why there was no answer of `server` (scheme, host and port). `ca_key` is the setting that can hold its authority.
pub(crate) fn trouble(error: reqwest::Error, server: &str, ca_key: &str) -> String {
    let (is_timeout, is_connect) = (error.is_timeout(), error.is_connect());
    let error = error.without_url();
    if let Some(reason) = tls::distrust(&error, server, ca_key) {
        return reason;
    }
    let what = match (is_timeout, is_connect) {
        (_, true) => "cannot connect to",
        (true, false) => "no answer in time from",
        (false, false) => "lost the connection to",
    };
    let causes = causes(&error);
    let hint = if causes.contains("tls handshake eof") { " (does it speak TLS at all?)" } else { "" };
    format!("{what} {server}: {causes}{hint}")
}

/// Whether the environment names a proxy.
fn names_a_proxy() -> bool {
    let names = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    names.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Whether the server is on this machine, where compressing costs more than it saves.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Level 1: a tenth of the size for half a microsecond a point; higher levels save little more and cost much more.
fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.expect("writing to memory cannot fail")
}

/// What an answer of `server` (its name for people) means for the points of the request.
///
/// Kept with a long wait rather than given up: 401, 403 and 404 (the password or the database may come back).
pub(super) fn classify(server: &str, answer: &Answer) -> Result<(), SinkError> {
    let reason = reason(server, answer);
    match answer.status {
        200..=299 => Ok(()),
        300..=399 => Err(SinkError::Misconfigured {
            reason: format!("{reason} (a redirect; the setting url must lead to the server itself)"),
        }),
        400 if is_plain_to_tls(&answer.body) => {
            Err(SinkError::Misconfigured { reason: format!("{reason} (the setting url must begin with https://)") })
        }
        407 => Err(SinkError::Misconfigured {
            reason: format!(
                "{reason} (a proxy: give its user name and password in HTTP_PROXY, http://USER:PASSWORD@HOST:PORT)"
            ),
        }),
        401 => {
            Err(SinkError::Misconfigured { reason: format!("{reason} (check user name and password, or the token)") })
        }
        403 | 404 => Err(SinkError::Misconfigured { reason }),
        408 | 425 | 429 => Err(SinkError::Retry { reason, after: answer.retry_after }),
        413 => Err(SinkError::TooLarge { reason }),
        500..=599 if answer.status != 501 => Err(SinkError::Retry { reason, after: answer.retry_after }),
        _ => Err(SinkError::Rejected { reason, lasting: false }),
    }
}

/// Whether the server says that it wants TLS.
pub(crate) fn is_plain_to_tls(body: &str) -> bool {
    // The words of Go's and nginx's servers.
    ["HTTP request to an HTTPS server", "plain HTTP request was sent to HTTPS port"]
        .iter()
        .any(|words| body.contains(words))
}

/// An answer in words.
pub(super) fn reason(server: &str, answer: &Answer) -> String {
    let words = words(&answer.body);
    let status = StatusCode::from_u16(answer.status).map_or(answer.status.to_string(), |status| status.to_string());
    let mut reason = format!("{server} answered {status}");
    if !words.is_empty() {
        let _infallible = write!(reason, ": {words}");
    }
    reason
}

/// The server's own words: the error of a JSON answer, else the body; tidied.
pub(super) fn words(body: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    // "message" is that of InfluxDB 2; the last one that of an InfluxQL statement.
    let places = ["/error", "/message", "/results/0/error"];
    let error = json.as_ref().and_then(|json| places.iter().find_map(|place| json.pointer(place)?.as_str()));
    tidy(error.unwrap_or(body))
}

/// `text` in one line without control characters, cut to [`REASON_MAX`] characters.
pub(crate) fn tidy(text: &str) -> String {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(REASON_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// An error's causes; those of reqwest's own words that say nothing to a person are left out.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let words = error.to_string();
        let says_nothing = words == "error sending request" || words.starts_with("client error (");
        cause = error.source();
        if says_nothing && cause.is_some() {
            continue;
        }
        let separator = if text.is_empty() { "" } else { ": " };
        let _infallible = write!(text, "{separator}{words}");
    }
    text
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date, which is compared with the server's own clock, as a Pi may not know the time.
fn retry_after(text: &str, server_date: Option<&str>) -> Option<Duration> {
    let text = text.trim();
    text.parse().ok().map(Duration::from_secs).or_else(|| {
        let wait_ms = http_date(text)?.millis() - http_date(server_date?)?.millis();
        u64::try_from(wait_ms).ok().map(Duration::from_millis)
    })
}

fn http_date(text: &str) -> Option<UnixTime> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(UnixTime::from_millis)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: Some(Duration::from_secs(7)), headers: HeaderMap::new(), body: body.to_owned() }
    }

    #[test]
    fn every_status_has_its_meaning() {
        let class = |status| match classify("X", &answer(status, "why")) {
            Ok(()) => "accepted",
            Err(SinkError::Retry { after, .. }) => {
                assert_eq!(after, Some(Duration::from_secs(7)));
                "retry"
            }
            Err(SinkError::Rejected { .. }) => "rejected",
            Err(SinkError::Misconfigured { .. }) => "misconfigured",
            Err(SinkError::TooLarge { .. }) => "too large",
            Err(SinkError::Partial { .. }) => "partial",
        };
        let table: [(&str, &[u16]); 5] = [
            ("accepted", &[200, 202, 204, 299]),
            ("misconfigured", &[300, 301, 308, 401, 403, 404]),
            ("retry", &[408, 425, 429, 500, 502, 503, 504, 507, 599]),
            ("too large", &[413]),
            ("rejected", &[100, 400, 405, 409, 415, 422, 501, 600, 999]),
        ];
        for (expected, statuses) in table {
            for status in statuses {
                assert_eq!(class(*status), expected, "{status}");
            }
        }
    }

    #[test]
    fn a_reason_has_the_servers_words_and_no_more() {
        let reason = |body: &str| classify("InfluxDB", &answer(503, body)).expect_err("503").to_string();
        assert_eq!(reason(""), "InfluxDB answered 503 Service Unavailable");
        assert_eq!(reason("{\"error\":\"disk\\n full\"}"), "InfluxDB answered 503 Service Unavailable: disk full");
        let json = r#"{"code":"unavailable","message":"busy"}"#;
        assert_eq!(reason(json), "InfluxDB answered 503 Service Unavailable: busy");
        assert_eq!(reason("<b>\u{1b}[31m\r\nno\0</b>"), "InfluxDB answered 503 Service Unavailable: <b> [31m no </b>");
        assert!(reason(&"ä".repeat(301)).ends_with("ä…"));
        assert_eq!(tidy(&"ä".repeat(300)).chars().count(), 300);
        assert_eq!(tidy(&"ä".repeat(301)).chars().count(), 301, "300 and the ellipsis");
    }

    #[test]
    fn a_token_is_one_visible_word() {
        const KEY: &str = "database.victoriametrics.token";
        let token = |text: &str| super::token(&super::super::tests::settings(&[(KEY, text)]), KEY);
        assert_eq!(token(""), Ok(None));
        assert_eq!(token("ap1-v3_a+b/c=="), Ok(Some("ap1-v3_a+b/c==".into())));
        for bad in ["two words", "tökén"] {
            let error = token(bad).expect_err("no header may have it").to_string();
            assert!(error.contains(KEY) && !error.contains(bad), "{error}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_of_the_servers_clock() {
        let now = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        for (text, expected) in [
            ("5", Some(5)),
            (" 120 ", Some(120)),
            ("Wed, 21 Oct 2015 07:28:09 GMT", Some(9)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", None),
            ("tomorrow", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now), expected.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:09 GMT", None), None);
    }

    #[test]
    fn a_server_on_this_machine_gets_plain_bodies() {
        for (url, expected) in [
            ("http://localhost:8086/", true),
            ("http://127.0.0.1:8086", true),
            ("http://[::1]:1/x", true),
            ("http://10.0.0.1", false),
            ("https://example.org", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).expect("a URL")), expected, "{url}");
        }
    }

    const SHORT: Duration = Duration::from_millis(200);
    /// A machine at work may take some time for the first bytes of TLS.
    const LONG: Duration = Duration::from_secs(3);

    fn opened(url: &str, connect: Duration, total: Duration) -> Http {
        let settings = super::super::tests::settings(&[("database.victoriametrics.url", url)]);
        Http::with_timeouts(&settings, "victoriametrics", Auth::Nobody, connect, total).expect("opens")
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let url = Url::parse(&format!("{base}/write")).expect("a URL");
        let http = opened(&base, LONG, LONG);
        let error = http.post(url, b"m f=1".to_vec()).await.expect_err("nobody answers");
        assert!(
            matches!(&error, SinkError::Retry { reason, .. } if reason.starts_with("no answer in time from http://127.0.0.1:")),
            "{error:?}"
        );
        let mut request = [0; 64];
        let (mut stream, _) = listener.accept().expect("it connected");
        assert!(stream.read(&mut request).expect("it wrote") > 0);
    }

    /// The kernel drops what arrives once the listener's backlog is full, as a dead route would.
    #[tokio::test]
    async fn a_server_that_does_not_even_connect_is_given_up() {
        use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&socket, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        listen(&socket, 0).expect("it listens");
        let address = TcpListener::from(socket.try_clone().expect("a second handle")).local_addr().expect("bound");
        let patience = Duration::from_millis(200);
        let connections: Vec<_> =
            (0..20).map_while(|_| std::net::TcpStream::connect_timeout(&address, patience).ok()).collect();
        assert!(connections.len() < 20, "the backlog is full");
        let base = format!("http://{address}");
        let url = Url::parse(&base).expect("a URL");
        let error = opened(&base, SHORT, 100 * LONG).post(url, Vec::new()).await.expect_err("nobody is there");
        assert!(error.to_string().starts_with(&format!("cannot connect to {base}: ")), "{error}");
    }

    #[tokio::test]
    async fn an_https_url_gets_the_systems_certificates() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = format!("https://{}", listener.local_addr().expect("bound"));
        let url = Url::parse(&base).expect("a URL");
        let http = opened(&base, LONG, LONG);
        assert!(matches!(http.post(url, Vec::new()).await, Err(SinkError::Retry { .. })));
        let (mut stream, _) = listener.accept().expect("it connected");
        let mut hello = [0; 1];
        stream.read_exact(&mut hello).expect("it wrote");
        assert_eq!(hello, [22], "a TLS handshake record (RFC 8446, 5.1)");
    }
}
