//! Vault as somebody who is logged in: finds the KV engine's version, renews the token, and logs in again where a role allows it.

use std::time::Duration;

use filamentbox_core::time::Monotonic;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tracing::warn;

use super::api::{Api, Found, KvVersion, Lease, Written, policy_path};
use super::kept::{Content, Kept};
use super::variables::{SecretId, VaultConfig};
use super::{KEY_FIELD, KEY_PATH, MOUNT, Secret, VALUES_PATH, VaultError, values};
use crate::runtime::clock::boottime;

/// Longest time for one question with everything that it takes (a login, a second try).
pub const LIMIT: Duration = Duration::from_secs(10);
/// How often a running daemon asks for the settings.
const REFRESH: Duration = Duration::from_secs(30);
/// A lease that short is not chased closer than this.
const REFRESH_MIN: Duration = Duration::from_secs(1);

/// Vault, asked from a thread that may wait. Nothing is asked before the first question.
pub struct Vault {
    config: VaultConfig,
    api: Api,
    kept: Kept,
    session: Option<Session>,
    version: Option<KvVersion>,
    /// The token of the variables was refused; the role is used.
    is_token_refused: bool,
}

struct Session {
    token: Secret,
    /// Unknown until it is asked for.
    life: Option<Life>,
}

struct Life {
    /// Zero for ever.
    lease: Duration,
    renewable: bool,
    since: Monotonic,
}

impl Life {
    fn of(lease: &Lease) -> Self {
        Self { lease: Duration::from_secs(lease.seconds), renewable: lease.renewable, since: boottime() }
    }

    /// When two thirds of it are over; `None` for one that never ends.
    fn due_in(&self) -> Option<Duration> {
        (!self.lease.is_zero()).then(|| (self.lease * 2 / 3).saturating_sub(boottime().since(self.since)))
    }

    fn left(&self) -> Duration {
        self.lease.saturating_sub(boottime().since(self.since))
    }

    fn is_over(&self) -> bool {
        !self.lease.is_zero() && self.left().is_zero()
    }
}

#[derive(Deserialize)]
struct KeyFields {
    key: Secret,
}

impl Vault {
    /// A client. Nothing is asked yet.
    ///
    /// # Errors
    /// [`VaultError::Variables`]: `VAULT_CACERT` cannot be used.
    pub fn open(config: VaultConfig) -> Result<Self, VaultError> {
        Self::open_with(config, Kept::nowhere())
    }

    /// A client that may keep an unwrapped secret id.
    pub(super) fn open_with(config: VaultConfig, kept: Kept) -> Result<Self, VaultError> {
        let api = Api::open(&config)?;
        Ok(Self { config, api, kept, session: None, version: None, is_token_refused: false })
    }

    /// Another client, which has to log in for itself.
    pub(super) fn fork(&self) -> Self {
        let (config, api, kept) = (self.config.clone(), self.api.clone(), self.kept.clone());
        Self { config, api, kept, session: None, version: None, is_token_refused: false }
    }

    /// Scheme, host and port.
    pub fn server(&self) -> &str {
        &self.api.server
    }

    /// The store's key, if there is one.
    ///
    /// # Errors
    /// [`VaultError`]; a key that was deleted, or is no text, is an error too.
    pub fn read_key(&mut self) -> Result<Option<Secret>, VaultError> {
        block_on(async {
            match self.read::<KeyFields>(KEY_PATH).await? {
                Found::Secret(KeyFields { key }) => usable(&key).map(Some),
                Found::Nothing => Ok(None),
                Found::Deleted => Err(VaultError::deleted_key(self.server())),
                Found::Denied => Err(self.denied(KEY_PATH, "read")),
            }
        })
    }

    /// Stores `key` where there never was one, and returns the key that is in force: another daemon may have been first.
    ///
    /// # Errors
    /// [`VaultError`]: with what to do when it may not write, or when the engine cannot tell who is first (KV version 1).
    pub fn make_key(&mut self, key: &Secret) -> Result<Secret, VaultError> {
        let written = block_on(async {
            self.sign_in().await?;
            if self.kv_version().await? != Some(KvVersion::Two) {
                return Err(VaultError::no_key(
                    self.server(),
                    "this KV engine cannot say which of two writers was first; ",
                ));
            }
            self.api.write_first(&self.token()?, KEY_PATH, json!({KEY_FIELD: key.expose()})).await
        })?;
        match written {
            Written::Yes => Ok(key.clone()),
            Written::Late => self.read_key()?.ok_or_else(|| VaultError::no_key(self.server(), "")),
            Written::Denied => Err(VaultError::no_key(self.server(), "this token may not write it; ")),
        }
    }

    /// Stores `key` in the place of the one that is there; with KV version 2 that one stays as the version before.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn replace_key(&mut self, key: &Secret) -> Result<(), VaultError> {
        block_on(async {
            self.sign_in().await?;
            let version = self.kv_version().await?.unwrap_or(KvVersion::Two);
            match self.api.write_next(&self.token()?, version, KEY_PATH, json!({KEY_FIELD: key.expose()})).await? {
                Written::Yes => Ok(()),
                Written::Late | Written::Denied => Err(self.denied(KEY_PATH, "update")),
            }
        })
    }

    /// The settings by dotted key; none where there is no such secret.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn read_values(&mut self) -> Result<Vec<(String, String)>, VaultError> {
        block_on(async {
            match self.read::<Map<String, Value>>(VALUES_PATH).await? {
                Found::Secret(fields) => values::settings(fields),
                Found::Nothing | Found::Deleted => Ok(Vec::new()),
                Found::Denied => Err(self.denied(VALUES_PATH, "read")),
            }
        })
    }

    /// Renews the token where two thirds of its life are over, or logs in again.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn keep_alive(&mut self) -> Result<(), VaultError> {
        block_on(async {
            self.sign_in().await?;
            self.find_life().await?;
            let Some(Session { token, life: Some(life) }) = &self.session else { return Ok(()) };
            if life.due_in().is_none_or(|due_in| !due_in.is_zero()) {
                return Ok(());
            }
            let (token, before, left) = (token.clone(), life.lease, life.left());
            let renewed = match life.renewable {
                true => match self.api.renew(&token).await {
                    // Past the longest life that the server allows, that is an error 500. The login tells whether it is more than that.
                    Err(_) if self.config.role.is_some() => None,
                    renewed => renewed?,
                },
                false => None,
            };
            let left = renewed.as_ref().map_or(left, |lease| Duration::from_secs(lease.seconds));
            // Near the end of that life renewals get shorter and shorter.
            let is_ending = renewed.is_none() || left < before / 2;
            if let Some(lease) = renewed {
                self.session = Some(Session { token: lease.token.clone(), life: Some(Life::of(&lease)) });
            }
            match is_ending {
                true if self.config.role.is_some() => self.log_in().await,
                true => Err(VaultError::TokenEnds { server: self.api.server.clone(), left_s: left.as_secs() }),
                false => Ok(()),
            }
        })
    }

    /// When [`Self::keep_alive`] and [`Self::read_values`] are worth calling again.
    pub fn next_refresh(&self) -> Duration {
        let life = self.session.as_ref().and_then(|session| session.life.as_ref());
        match life.and_then(Life::due_in) {
            // What is due already could not be renewed.
            Some(due_in) if !due_in.is_zero() => due_in.clamp(REFRESH_MIN, REFRESH),
            _ => REFRESH,
        }
    }

    async fn read<T: DeserializeOwned>(&mut self, path: &'static str) -> Result<Found<T>, VaultError> {
        self.sign_in().await?;
        let found = self.read_once(path).await?;
        if !matches!(found, Found::Denied) {
            return Ok(found);
        }
        // A token that is no longer valid is refused in the same words as one whose policy does not allow it.
        if self.api.look_up(&self.token()?).await?.is_some() {
            return Ok(found);
        }
        if self.config.role.is_none() {
            return Err(VaultError::TokenRefused { server: self.api.server.clone() });
        }
        self.is_token_refused = true;
        self.log_in().await?;
        self.read_once(path).await
    }

    async fn read_once<T: DeserializeOwned>(&mut self, path: &'static str) -> Result<Found<T>, VaultError> {
        let version = self.kv_version().await?;
        let token = self.token()?;
        if let Some(version) = version {
            return self.api.read(&token, version, path).await;
        }
        // A policy may hide the engine's version: where version 2 has nothing for us, version 1 may.
        let two = self.api.read(&token, KvVersion::Two, path).await?;
        if let Found::Secret(_) | Found::Deleted = two {
            return Ok(two);
        }
        Ok(match self.api.read(&token, KvVersion::One, path).await? {
            Found::Secret(fields) => Found::Secret(fields),
            _ => two,
        })
    }

    async fn kv_version(&mut self) -> Result<Option<KvVersion>, VaultError> {
        if self.version.is_none() {
            self.version = self.api.kv_version(&self.token()?).await?;
        }
        Ok(self.version)
    }

    /// Has a token that, as far as is known, lives.
    async fn sign_in(&mut self) -> Result<(), VaultError> {
        let is_over = self.session.as_ref().is_none_or(|session| session.life.as_ref().is_some_and(Life::is_over));
        match &self.config.token {
            _ if !is_over => Ok(()),
            Some(token) if self.session.is_none() && !self.is_token_refused => {
                self.session = Some(Session { token: token.clone(), life: None });
                Ok(())
            }
            _ if self.config.role.is_some() => self.log_in().await,
            _ => Err(VaultError::TokenRefused { server: self.api.server.clone() }),
        }
    }

    async fn log_in(&mut self) -> Result<(), VaultError> {
        let Some(role) = &self.config.role else {
            return Err(VaultError::TokenRefused { server: self.api.server.clone() });
        };
        let role_id = role.role_id.clone();
        let secret_id = self.secret_id().await?;
        let lease = self.api.log_in(&role_id, &secret_id).await?;
        self.session = Some(Session { token: lease.token.clone(), life: Some(Life::of(&lease)) });
        Ok(())
    }

    /// The role's secret id. A wrapped one is unwrapped once, and kept until the machine is switched off.
    async fn secret_id(&mut self) -> Result<Secret, VaultError> {
        let wrapping = match self.config.role.as_ref().map(|role| &role.secret_id) {
            Some(SecretId::Plain(secret_id)) => return Ok(secret_id.clone()),
            Some(SecretId::Wrapped(wrapping)) => wrapping.clone(),
            None => return Err(VaultError::TokenRefused { server: self.api.server.clone() }),
        };
        let secret_id = match self.kept.read() {
            Content { wrapping: Some(known), secret_id: Some(secret_id), .. } if known == wrapping => secret_id,
            _ if !self.kept.may_write() => return Err(VaultError::UnwrapByDaemon),
            _ => {
                let secret_id = self.api.unwrap_secret_id(&wrapping).await?;
                let kept = self.kept.update(|content| {
                    content.wrapping = Some(wrapping);
                    content.secret_id = Some(secret_id.clone());
                });
                if let Err(problem) = kept {
                    warn!(
                        "the secret id for Vault cannot be kept in memory ({problem}): the next start needs a new one"
                    );
                }
                secret_id
            }
        };
        if let Some(role) = &mut self.config.role {
            role.secret_id = SecretId::Plain(secret_id.clone());
        }
        Ok(secret_id)
    }

    /// Asks how long a token of the variables lives.
    async fn find_life(&mut self) -> Result<(), VaultError> {
        let token = match &self.session {
            Some(Session { token, life: None }) => token.clone(),
            _ => return Ok(()),
        };
        if let Some(lease) = self.api.look_up(&token).await? {
            self.session = Some(Session { token, life: Some(Life::of(&lease)) });
        }
        Ok(())
    }

    fn token(&self) -> Result<Secret, VaultError> {
        let session = self.session.as_ref();
        session
            .map(|session| session.token.clone())
            .ok_or_else(|| VaultError::TokenRefused { server: self.api.server.clone() })
    }

    fn denied(&self, path: &str, capability: &'static str) -> VaultError {
        let path = policy_path(self.version.unwrap_or(KvVersion::Two), path);
        VaultError::Denied { server: self.api.server.clone(), path, capability }
    }
}

/// The key without the line's end that a file or an editor brought with it.
fn usable(key: &Secret) -> Result<Secret, VaultError> {
    let text = key.expose().trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        let reason = format!("the field {KEY_FIELD} of {MOUNT}/{KEY_PATH} is empty");
        return Err(VaultError::Malformed { path: KEY_PATH, reason });
    }
    Ok(Secret::from(text.to_owned()))
}

/// A runtime a question: no connection outlives it, so none is found dead at the next one.
fn block_on<T>(work: impl Future<Output = Result<T, VaultError>>) -> Result<T, VaultError> {
    let unreachable = |reason: String| VaultError::Unreachable { reason };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| unreachable(format!("the network side cannot start: {error}")))?;
    let done = runtime.block_on(async { tokio::time::timeout(LIMIT, work).await });
    // A name that is still being looked up holds nobody up.
    runtime.shutdown_background();
    done.unwrap_or_else(|_| Err(unreachable(format!("no answer within {} s", LIMIT.as_secs()))))
}
