//! The commands' way to the running daemon: HTTP over the socket in its data folder.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::runtime::folder::SOCKET_NAME;

/// The daemon answers at once; a command that waits longer says so instead.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// So long an answer that goes on may be silent: the stream of the state says something every 10 s.
const SILENCE_MAX: Duration = Duration::from_secs(25);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no daemon answers at {}; start one with `filamentbox run`, or name its folder with --data-dir", .0.display())]
    NoDaemon(PathBuf),
    /// What was asked for is not allowed or does not exist; nothing was changed.
    #[error("{0}")]
    NotAllowed(String),
    /// It cannot do it now, and says why.
    #[error("{0}")]
    Refused(String),
    /// There may be a daemon, and it cannot be spoken to.
    #[error("the daemon at {} cannot be spoken to: {reason}", socket.display())]
    Unreachable {
        /// Its socket.
        socket: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The conversation broke off.
    #[error("the daemon's answer is not complete: {0}")]
    Broken(#[from] reqwest::Error),
}

/// A connection to one daemon.
pub struct Client {
    socket: PathBuf,
    http: reqwest::Client,
}

impl Client {
    /// For the daemon whose data folder is `data_dir`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(data_dir: &Path) -> Result<Self, ClientError> {
        let socket = data_dir.join(SOCKET_NAME);
        let http = reqwest::Client::builder().unix_socket(socket.as_path()).connect_timeout(ANSWER_MAX).no_proxy();
        let http = http.read_timeout(SILENCE_MAX);
        let http = http.tls_backend_preconfigured(crate::sinks::no_tls()).build()?;
        Ok(Self { socket, http })
    }

    /// `GET path`, as JSON.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        let request = self.http.get(url(path)).timeout(ANSWER_MAX);
        Ok(self.send(request).await?.json().await?)
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        let request = self.http.post(url(path)).timeout(ANSWER_MAX).header("X-FilamentBox", "1");
        let request = request.header("Content-Type", "application/json").body(body.to_string());
        Ok(self.send(request).await?.json().await?)
    }

    /// `GET path`, as it comes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stream(&self, path: &str) -> Result<reqwest::Response, ClientError> {
        self.send(self.http.get(url(path))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, ClientError> {
        let answer = request.send().await.map_err(|problem| self.failure(problem))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        let reason = body["error"].as_str().map_or_else(|| status.to_string(), ToOwned::to_owned);
        Err(if status.is_client_error() { ClientError::NotAllowed(reason) } else { ClientError::Refused(reason) })
    }

    /// Nobody there, or somebody who must not be taken for nobody.
    fn failure(&self, problem: reqwest::Error) -> ClientError {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&problem);
        while let Some(error) = cause {
            match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
                Some(ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                    return ClientError::NoDaemon(self.socket.clone());
                }
                Some(kind) if problem.is_connect() => {
                    return ClientError::Unreachable { socket: self.socket.clone(), reason: kind.into() };
                }
                _ => cause = error.source(),
            }
        }
        ClientError::Broken(problem)
    }
}

fn url(path: &str) -> String {
    // The host only fills its place in the request; the socket decides where it goes.
    format!("http://localhost{path}")
}
