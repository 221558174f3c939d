//! Vault's HTTP interface, as far as it is used here: one function a question. Each answer is checked to be Vault's.

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Client, Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::variables::VaultConfig;
use super::{KEY_FIELD, KEY_PATH, MOUNT, Secret, VALUES_PATH, VaultError};
use crate::sinks::Secrets;
use crate::sinks::http::{causes, client, is_plain_to_tls, tidy, trouble};
use crate::sinks::tls::{NO_AUTHORITY, authorities};

/// A server that does not even open a connection in this time is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// One request with its answer.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(8);
/// Vault's own limit for a stored secret is 1 MiB.
const ANSWER_MAX: usize = 2 << 20;
const CA_VARIABLE: &str = "VAULT_CACERT";

/// Vault at one address and namespace.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    base: Url,
    namespace: Option<String>,
    /// Scheme, host and port, for people.
    pub(super) server: String,
}

/// An answer whose status says something about the question.
struct Answer {
    status: u16,
    body: Zeroizing<Vec<u8>>,
}

/// A token's right to live.
#[derive(Deserialize)]
pub(super) struct Lease {
    #[serde(rename = "client_token")]
    pub(super) token: Secret,
    /// Seconds; 0 for ever.
    #[serde(rename = "lease_duration")]
    pub(super) seconds: u64,
    pub(super) renewable: bool,
}

/// What a path holds.
pub(super) enum Found<T> {
    Secret(T),
    Nothing,
    /// Its newest version is deleted.
    Deleted,
    /// The token, or its policy.
    Denied,
}

/// How the KV engine keeps its secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum KvVersion {
    One,
    Two,
}

/// What came of a write that must be the first.
pub(super) enum Written {
    Yes,
    /// There is a version of it already.
    Late,
    Denied,
}

impl Api {
    pub(super) fn open(config: &VaultConfig) -> Result<Self, VaultError> {
        let server = config.server();
        let variables = |problem: String| VaultError::Variables(vec![problem]);
        let authorities =
            authorities(&config.ca_file, CA_VARIABLE).map_err(|refused| variables(refused.to_string()))?;
        let client = client(&config.address, authorities, CONNECT_TIMEOUT, TOTAL_TIMEOUT)
            .map_err(|error| variables(format!("{server} cannot be asked: {}; {NO_AUTHORITY}", causes(&error))))?;
        let mut base = config.address.clone();
        base.set_path(&format!("{}/v1/", base.path().trim_end_matches('/')));
        Ok(Self { client, base, namespace: config.namespace.clone(), server })
    }

    /// Logs in by AppRole.
    pub(super) async fn log_in(&self, role_id: &Secret, secret_id: &Secret) -> Result<Lease, VaultError> {
        let body = json!({"role_id": role_id.expose(), "secret_id": secret_id.expose()});
        let hidden = [role_id, secret_id];
        let answer = self.send(Method::POST, "auth/approle/login", None, Some(body), &hidden).await?;
        match answer.status {
            200 => self.auth(&answer),
            status @ (400..=404) => {
                let reason = format!("{status}: {}", self.words(&answer, &hidden));
                Err(VaultError::LoginRefused { server: self.server.clone(), reason })
            }
            _ => Err(self.unexpected(&answer, &hidden)),
        }
    }

    /// What the token's life is; `None` when it does not live or may not look at itself.
    pub(super) async fn look_up(&self, token: &Secret) -> Result<Option<Lease>, VaultError> {
        #[derive(Deserialize)]
        struct Data {
            ttl: u64,
            #[serde(default)]
            renewable: bool,
        }
        let answer = self.send(Method::GET, "auth/token/lookup-self", Some(token), None, &[]).await?;
        match answer.status {
            200 => {
                let Data { ttl, renewable } = self.data(&answer)?;
                Ok(Some(Lease { token: token.clone(), seconds: ttl, renewable }))
            }
            403 => Ok(None),
            _ => Err(self.unexpected(&answer, &[token])),
        }
    }

    /// Extends the token's life; `None` when that is refused.
    pub(super) async fn renew(&self, token: &Secret) -> Result<Option<Lease>, VaultError> {
        let answer = self.send(Method::POST, "auth/token/renew-self", Some(token), Some(json!({})), &[]).await?;
        match answer.status {
            200 => self.auth(&answer).map(Some),
            400 | 403 => Ok(None),
            _ => Err(self.unexpected(&answer, &[token])),
        }
    }

    /// The secret id inside a wrapping token, which is spent by this.
    pub(super) async fn unwrap_secret_id(&self, wrapping: &Secret) -> Result<Secret, VaultError> {
        #[derive(Deserialize)]
        struct Data {
            secret_id: Secret,
        }
        let answer = self.send(Method::POST, "sys/wrapping/unwrap", Some(wrapping), None, &[]).await?;
        match answer.status {
            200 => self.data(&answer).map(|Data { secret_id }| secret_id),
            400 | 403 => Err(VaultError::UnwrapRefused { server: self.server.clone() }),
            _ => Err(self.unexpected(&answer, &[wrapping])),
        }
    }

    /// The version of the KV engine; `None` when the server does not say.
    pub(super) async fn kv_version(&self, token: &Secret) -> Result<Option<KvVersion>, VaultError> {
        #[derive(Deserialize)]
        struct Data {
            options: Option<Map<String, Value>>,
        }
        let path = format!("sys/internal/ui/mounts/{MOUNT}");
        let answer = self.send(Method::GET, &path, Some(token), None, &[]).await?;
        if answer.status != 200 {
            return Ok(None);
        }
        let Data { options } = self.data(&answer)?;
        let is_two = options.is_some_and(|options| options.get("version").is_some_and(|version| version == "2"));
        Ok(Some(if is_two { KvVersion::Two } else { KvVersion::One }))
    }

    /// The secret's fields.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        token: &Secret,
        version: KvVersion,
        path: &'static str,
    ) -> Result<Found<T>, VaultError> {
        let answer = self.send(Method::GET, &policy_path(version, path), Some(token), None, &[]).await?;
        let malformed = |error: serde_json::Error| VaultError::Malformed { path, reason: shape(path, &error) };
        match (answer.status, version) {
            (200, KvVersion::One) => {
                let whole: Envelope<T> = serde_json::from_slice(&answer.body).map_err(malformed)?;
                Ok(Found::Secret(whole.data))
            }
            (200, KvVersion::Two) => {
                let whole: Envelope<Envelope<T>> = serde_json::from_slice(&answer.body).map_err(malformed)?;
                Ok(Found::Secret(whole.data.data))
            }
            (403, _) => Ok(Found::Denied),
            (404, _) => self.nothing(&answer),
            _ => Err(self.unexpected(&answer, &[token])),
        }
    }

    /// Writes the secret if there was never one (KV version 2).
    pub(super) async fn write_first(
        &self,
        token: &Secret,
        path: &'static str,
        fields: Value,
    ) -> Result<Written, VaultError> {
        self.write(token, path, json!({"data": fields, "options": {"cas": 0}})).await
    }

    /// Writes the secret's next version (KV version 2), or the secret (version 1).
    pub(super) async fn write_next(
        &self,
        token: &Secret,
        version: KvVersion,
        path: &'static str,
        fields: Value,
    ) -> Result<Written, VaultError> {
        match version {
            KvVersion::One => self.put(token, &policy_path(version, path), fields).await,
            KvVersion::Two => self.write(token, path, json!({"data": fields})).await,
        }
    }

    async fn write(&self, token: &Secret, path: &'static str, body: Value) -> Result<Written, VaultError> {
        self.put(token, &policy_path(KvVersion::Two, path), body).await
    }

    async fn put(&self, token: &Secret, path: &str, body: Value) -> Result<Written, VaultError> {
        let answer = self.send(Method::POST, path, Some(token), Some(body), &[]).await?;
        match answer.status {
            200 | 204 => Ok(Written::Yes),
            400 if self.words(&answer, &[token]).contains("check-and-set") => Ok(Written::Late),
            403 => Ok(Written::Denied),
            _ => Err(self.unexpected(&answer, &[token])),
        }
    }

    /// What a 404 means: no such secret, a deleted one, or no such engine.
    fn nothing<T>(&self, answer: &Answer) -> Result<Found<T>, VaultError> {
        let body: Value = serde_json::from_slice(&answer.body).map_err(|_| self.not_vault(answer))?;
        if body.pointer("/data/metadata").is_some_and(|metadata| metadata["deletion_time"] != "") {
            return Ok(Found::Deleted);
        }
        if body["errors"].as_array().is_none_or(Vec::is_empty) {
            return Ok(Found::Nothing);
        }
        let namespace = self.namespace.as_ref().map_or(String::new(), |name| format!(" in the namespace {name}"));
        Err(VaultError::Missing {
            server: self.server.clone(),
            what: format!("a KV engine at {MOUNT}/{namespace}"),
            remedy: format!(
                "enable one (bao secrets enable -path={MOUNT} -version=2 kv), or correct VAULT_NAMESPACE; it says: {}",
                self.words(answer, &[])
            ),
        })
    }

    /// Sends one request. Errors are those of the server as a whole; what it thinks of the question is in the answer. `hidden` is what, beside
    /// the token, no error may show.
    async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        body: Option<Value>,
        hidden: &[&Secret],
    ) -> Result<Answer, VaultError> {
        let url = self.base.join(path).map_err(|error| self.unreachable(&error.to_string()))?;
        let mut request = self.client.request(method, url).header("X-Vault-Request", "true");
        if let Some(token) = token {
            let value = HeaderValue::from_str(token.expose());
            let mut value = value.map_err(|_| self.unreachable("the token has characters that no token has"))?;
            value.set_sensitive(true);
            request = request.header("X-Vault-Token", value);
        }
        if let Some(namespace) = &self.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let hidden: Vec<&Secret> = hidden.iter().copied().chain(token).collect();
        let lost = |error| self.unreachable(&redact(&trouble(error, &self.server, CA_VARIABLE), &hidden));
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > ANSWER_MAX {
                return Err(self.unreachable(&format!("{} answered more than {ANSWER_MAX} bytes", self.server)));
            }
            body.extend_from_slice(&chunk);
        }
        let answer = Answer { status, body };
        match status {
            503 if self.words(&answer, &hidden).contains("sealed") => {
                Err(VaultError::Sealed { server: self.server.clone() })
            }
            200..=299 | 400..=499 if status != 429 && !self.wants_tls(&answer) => Ok(answer),
            _ => Err(self.unexpected(&answer, &hidden)),
        }
    }

    fn wants_tls(&self, answer: &Answer) -> bool {
        answer.status == 400 && is_plain_to_tls(&self.words(answer, &[]))
    }

    /// An answer that nobody expected.
    fn unexpected(&self, answer: &Answer, hidden: &[&Secret]) -> VaultError {
        let hint = match answer.status {
            300..=399 => " (a redirect: VAULT_ADDR must lead to the active server itself)",
            400 if self.wants_tls(answer) => " (VAULT_ADDR must begin with https://)",
            407 => " (a proxy: give its user name and password in HTTPS_PROXY, or name the server in NO_PROXY)",
            404 => " (is that Vault?)",
            _ => "",
        };
        let words = self.words(answer, hidden);
        self.unreachable(&format!("{} answered {}: {words}{hint}", self.server, answer.status))
    }

    fn not_vault(&self, answer: &Answer) -> VaultError {
        let words = self.words(answer, &[]);
        self.unreachable(&format!("{} answered {}: {words} (is that Vault?)", self.server, answer.status))
    }

    fn unreachable(&self, reason: &str) -> VaultError {
        VaultError::Unreachable { reason: tidy(reason) }
    }

    /// The server's own words in a refusal.
    fn words(&self, answer: &Answer, hidden: &[&Secret]) -> String {
        let body = String::from_utf8_lossy(&answer.body);
        let errors: Option<Vec<String>> = serde_json::from_str::<Value>(&body).ok().and_then(|body| {
            let errors = body.get("errors")?.as_array()?.iter();
            Some(errors.filter_map(|error| error.as_str().map(str::to_owned)).collect())
        });
        // A refusal holds no secret of Vault's; an answer that is none of its own is shown as it is.
        tidy(&redact(&errors.map_or(body.into_owned(), |errors| errors.join("; ")), hidden))
    }

    fn auth(&self, answer: &Answer) -> Result<Lease, VaultError> {
        #[derive(Deserialize)]
        struct Whole {
            auth: Lease,
        }
        let whole = serde_json::from_slice::<Whole>(&answer.body);
        whole.map(|Whole { auth }| auth).map_err(|_| self.strange())
    }

    fn data<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, VaultError> {
        serde_json::from_slice::<Envelope<T>>(&answer.body).map(|whole| whole.data).map_err(|_| self.strange())
    }

    /// An answer whose words must not be shown.
    fn strange(&self) -> VaultError {
        self.unreachable(&format!("{} answered 200, but nothing that Vault would say (is that Vault?)", self.server))
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

/// The path as policies name it.
pub(super) fn policy_path(version: KvVersion, path: &str) -> String {
    match version {
        KvVersion::One => format!("{MOUNT}/{path}"),
        KvVersion::Two => format!("{MOUNT}/data/{path}"),
    }
}

/// What a secret must look like; never what it looks like.
fn shape(path: &str, error: &serde_json::Error) -> String {
    debug_assert!([KEY_PATH, VALUES_PATH].contains(&path));
    match path {
        KEY_PATH => format!("it must have the field {KEY_FIELD} with the key as a text"),
        _ => format!("it must be a JSON object of settings (line {}, column {})", error.line(), error.column()),
    }
}

fn redact(text: &str, hidden: &[&Secret]) -> String {
    Secrets::of_texts(hidden.iter().map(|secret| secret.expose().to_owned())).redact(text)
}
