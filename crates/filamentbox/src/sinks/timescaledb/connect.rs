//! A connection to a PostgreSQL server: TCP or Unix socket, with or without TLS, logged in.
//!
//! Which of both is tried, and in which order, is libpq's `sslmode`. The request for TLS is made here and not by tokio-postgres, which
//! knows three of the six modes. One byte of the answer is read, so nothing that was sent in the clear is ever taken for the
//! encrypted part (CVE-2021-23222).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};
use tokio_rustls::TlsConnector;

use super::super::http::causes;
use super::tls::SslMode;

/// Network, TLS and login together, as libpq's `connect_timeout`; for each of at most two tries.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An idle connection takes less to say goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
/// What came with a first byte is there at once.
const REST_TIMEOUT: Duration = Duration::from_millis(100);
/// `SSLRequest`: its length and its code (postgresql.org/docs/current/protocol-message-formats.html).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// "There is no rule in `pg_hba.conf` for this", among others.
const NOT_ADMITTED: &str = "28000";

/// Where the server is.
pub(super) enum Place {
    /// Name or address, and port.
    Tcp(String, u16),
    /// The socket's path.
    Unix(PathBuf),
}

/// What it takes to connect.
pub(super) struct Server {
    pub(super) place: Place,
    /// The place, for reasons.
    pub(super) shown: String,
    pub(super) login: tokio_postgres::Config,
    pub(super) mode: SslMode,
    /// Absent for a socket, which needs no TLS.
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConnection {
    /// The server cannot be reached, or not now.
    #[error("{0}")]
    Unreachable(String),
    /// It is there, and has not the TLS that `ssl_mode` asks for, or not the kind of password that we know.
    #[error("{0}")]
    Unsuitable(String),
    /// It has refused the login, or has not understood it.
    #[error("{}", causes(.0))]
    Login(tokio_postgres::Error),
}

/// Drives a connection; ends with it.
pub(super) struct Driver(JoinHandle<()>);

impl Driver {
    /// The client is gone, so the server is told goodbye; does not wait for long.
    pub(super) async fn goodbye(mut self) {
        let _too_slow = timeout(GOODBYE_TIMEOUT, &mut self.0).await;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Try {
    Plain,
    /// Plain when the server has no TLS, if that is allowed.
    Tls {
        or_plain: bool,
    },
}

impl Server {
    /// Connects and logs in, within 10 s.
    pub(super) async fn connect(&self) -> Result<(Client, Driver), NoConnection> {
        let (first, second) = tries(self.mode, self.tls.is_some());
        let error = match self.attempt(first).await {
            Ok(connected) => return Ok(connected),
            Err(error) => error,
        };
        match second.filter(|_| is_worth_another(&error, first)) {
            None => Err(error),
            Some(second) => self.attempt(second).await.map_err(|again| match again {
                // The first try says what the other one hides: the server wants TLS, say, and its certificate is bad.
                NoConnection::Unsuitable(why) => NoConnection::Unsuitable(format!("{why} (and before: {error})")),
                other => other,
            }),
        }
    }

    async fn attempt(&self, how: Try) -> Result<(Client, Driver), NoConnection> {
        let attempt = async {
            let mut stream = self.open().await?;
            if let (Try::Tls { or_plain }, Some((config, name))) = (how, &self.tls) {
                stream = self.encrypted(stream, config, name, or_plain).await?;
            }
            let (client, connection) =
                self.login.connect_raw(stream, NoTls).await.map_err(|error| self.refused(error))?;
            let drive = async {
                // The client learns of its end.
                let _ended = connection.await;
            };
            Ok((client, Driver(tokio::spawn(drive))))
        };
        let too_late = || NoConnection::Unreachable(format!("cannot connect to {}: no answer in time", self.shown));
        timeout(CONNECT_TIMEOUT, attempt).await.unwrap_or_else(|_| Err(too_late()))
    }

    async fn open(&self) -> Result<Box<dyn Stream>, NoConnection> {
        let opened: io::Result<Box<dyn Stream>> = match &self.place {
            Place::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await.and_then(|stream| {
                stream.set_nodelay(true)?;
                Ok(Box::new(stream) as Box<dyn Stream>)
            }),
            Place::Unix(path) => UnixStream::connect(path).await.map(|stream| Box::new(stream) as Box<dyn Stream>),
        };
        opened.map_err(|error| NoConnection::Unreachable(format!("cannot connect to {}: {error}", self.shown)))
    }

    async fn encrypted(
        &self,
        mut stream: Box<dyn Stream>,
        config: &Arc<ClientConfig>,
        name: &ServerName<'static>,
        or_plain: bool,
    ) -> Result<Box<dyn Stream>, NoConnection> {
        let mut answer = [0];
        let asked = async {
            stream.write_all(&SSL_REQUEST).await?;
            stream.read_exact(&mut answer).await
        };
        asked.await.map_err(|error| self.lost(&error))?;
        match answer[0] {
            b'S' => {}
            b'N' if or_plain => return Ok(stream),
            b'N' => return Err(NoConnection::Unsuitable(format!("PostgreSQL at {} has no TLS", self.shown))),
            _ => {
                // The rest of such an answer: to close with bytes unread is a reset, which ends PGlite's server.
                let _rest = timeout(REST_TIMEOUT, stream.read(&mut [0; 512])).await;
                let reason = format!("{} does not answer the request for TLS as PostgreSQL does", self.shown);
                return Err(NoConnection::Unsuitable(reason));
            }
        }
        let encrypted = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await;
        encrypted.map(|stream| Box::new(stream) as Box<dyn Stream>).map_err(|error| self.no_tls(&error))
    }

    /// What a failed handshake means.
    fn no_tls(&self, error: &io::Error) -> NoConnection {
        use rustls::CertificateError::{NotValidYet, NotValidYetContext};
        match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
            None => self.lost(error),
            // More likely than a certificate from the future: our clock is not set yet.
            Some(rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. })) => self.lost(error),
            Some(error) => {
                let rule =
                    "; a certificate that is checked must be of version 3 and have the host's name as subjectAltName";
                let rule = if matches!(error, rustls::Error::InvalidCertificate(_)) { rule } else { "" };
                NoConnection::Unsuitable(format!("no TLS with PostgreSQL at {}: {error}{rule}", self.shown))
            }
        }
    }

    fn lost(&self, error: &io::Error) -> NoConnection {
        NoConnection::Unreachable(format!("lost the connection to {}: {error}", self.shown))
    }

    fn refused(&self, error: tokio_postgres::Error) -> NoConnection {
        if error.as_db_error().is_some() {
            return NoConnection::Login(error);
        }
        let text = causes(&error);
        // Their kinds are not public.
        if text.starts_with("authentication error") || text.starts_with("invalid configuration") {
            return NoConnection::Unsuitable(format!("cannot log in to PostgreSQL at {}: {text}", self.shown));
        }
        NoConnection::Unreachable(format!("lost the connection to {}: {text}", self.shown))
    }
}

/// What to try, and what after it.
fn tries(mode: SslMode, has_tls: bool) -> (Try, Option<Try>) {
    match mode {
        _ if !has_tls => (Try::Plain, None),
        SslMode::Disable => (Try::Plain, None),
        SslMode::Allow => (Try::Plain, Some(Try::Tls { or_plain: false })),
        SslMode::Prefer => (Try::Tls { or_plain: true }, Some(Try::Plain)),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (Try::Tls { or_plain: false }, None),
    }
}

/// Whether the other way can do better: the server does not admit us this way, or TLS failed.
fn is_worth_another(error: &NoConnection, first: Try) -> bool {
    match error {
        NoConnection::Unreachable(_) => false,
        NoConnection::Unsuitable(_) => first != Try::Plain,
        NoConnection::Login(error) => error.code().is_some_and(|code| code.code() == NOT_ADMITTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_has_its_tries() {
        let must = Try::Tls { or_plain: false };
        for (mode, expected) in [
            (SslMode::Disable, (Try::Plain, None)),
            (SslMode::Allow, (Try::Plain, Some(must))),
            (SslMode::Prefer, (Try::Tls { or_plain: true }, Some(Try::Plain))),
            (SslMode::Require, (must, None)),
            (SslMode::VerifyCa, (must, None)),
            (SslMode::VerifyFull, (must, None)),
        ] {
            assert_eq!(tries(mode, true), expected, "{mode:?}");
            assert_eq!(tries(mode, false), (Try::Plain, None), "{mode:?} on a Unix socket");
        }
    }
}
