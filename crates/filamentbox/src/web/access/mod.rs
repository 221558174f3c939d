//! Who may do what at the port. Everything is closed until a password is set with a one-time code; then a browser logs in with the password
//! and a program comes with a token. Switching an output off is open to everybody at the page, always.
//!
//! [`protect`] is passed by every request: is it for us (`host`), from our own page (`protect`), and who asks (`caller`). Each group of
//! routes says which [`Right`] it needs. The routes themselves are in `web/routes/access.rs`. Passwords, sessions and tokens are kept as hashes
//! only, and time is the monotonic clock's. The socket has none of this: who may open its file may do everything.

mod attempts;
pub mod audit;
mod caller;
mod host;
pub mod password;
mod protect;
pub mod secrets;
pub mod sessions;
pub mod settings;
pub mod setup;
pub mod tokens;
mod written;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use filamentbox_core::event::Severity;
use filamentbox_core::time::Monotonic;
use tokio::sync::Semaphore;
use tracing::info;
use zeroize::Zeroizing;

use self::attempts::Attempts;
use self::audit::{Actor, Audit};
use self::host::{Host, OwnNames};
use self::protect::Refused;
use self::secrets::Digest;
use self::sessions::Sessions;
use self::setup::{SetupCode, WrongCode};
use crate::journal::Handle;
use crate::runtime::clock::{Clocks, boottime};
use crate::runtime::reloading::Settings;

pub(super) use caller::require;
pub use caller::{Caller, Denied, Right};
pub use protect::protect;
pub(super) use written::may_switch;
pub use written::who;

/// An answer without an end outlives its session by so long at most.
const LOOK: Duration = Duration::from_secs(2);

/// The connection that a request came with; the server puts it into the request's extensions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Our end: the address that was asked for.
    pub local: SocketAddr,
    /// Whether it is encrypted.
    pub is_tls: bool,
}

/// Where a request at the port came from; [`protect`] puts it into the request's extensions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Visitor {
    /// The other end.
    pub address: IpAddr,
    /// Whether the browser's page is `https`: by the connection, or by a reverse proxy.
    pub is_https: bool,
}

/// The access rules of one daemon, and what they remember.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    settings: Settings,
    /// `run --simulate`: a box that is nobody's. A simulated sensor alone does not open the page.
    is_open: bool,
    audit: Audit,
    /// Hashing is done one at a time: it takes 19 MiB, and all of a small machine.
    hashing: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The text of the password's setting that the sessions belong to.
    password: Zeroizing<String>,
    /// Its hash, where the setting is the password itself.
    hashed: Option<String>,
    sessions: Sessions,
    attempts: Attempts,
    setup: SetupCode,
    /// Where the port listens.
    address: Option<(SocketAddr, bool)>,
}

/// What a browser is told about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// No password is set yet.
    Setup,
    /// It is not logged in.
    LogIn,
    /// It is.
    In,
    /// There is no login here.
    Open,
}

impl Access {
    /// The rules for a daemon with these settings, which writes its audit into `journal`.
    pub fn new(settings: Settings, journal: Handle, clocks: Arc<Clocks>, is_open: bool) -> Self {
        let state = State { password: settings::password(&settings.view().set.settings), ..State::default() };
        let audit = Audit::new(journal, clocks);
        let (hashing, state) = (Semaphore::new(1), Mutex::new(state));
        Self(Arc::new(Inner { settings, is_open, audit, hashing, state }))
    }

    /// Whether everything is open: `run --simulate`.
    pub fn is_open(&self) -> bool {
        self.0.is_open
    }

    /// The port listens at `address`. While no password is set, the log says how to set one.
    pub fn listens(&self, address: SocketAddr, is_tls: bool) {
        self.state().address = Some((address, is_tls));
        if self.0.is_open || self.has_password() {
            return;
        }
        match self.setup_code() {
            Ok((code, url)) => {
                let minutes = setup::AGE_MAX.as_secs() / 60;
                let url = url.unwrap_or_default();
                info!(
                    "no password is set, and the page is locked: open {url} within {minutes} minutes, or enter the code {} there; `filamentbox setup-code` makes a new one",
                    *code
                );
            }
            Err(problem) => tracing::error!("there are no random numbers for a setup code: {problem}"),
        }
    }

    /// A fresh one-time code, which replaces the last one, and the address at which it is used.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn setup_code(&self) -> std::io::Result<(Zeroizing<String>, Option<String>)> {
        let mut state = self.state();
        let code = state.setup.make(boottime())?;
        let url = state.address.map(|(address, is_tls)| url(address, is_tls, &code));
        Ok((code, url))
    }

    /// Whether there is a password.
    pub fn has_password(&self) -> bool {
        !self.state().password.is_empty()
    }

    /// How `caller` stands.
    pub fn standing(&self, caller: &Caller) -> Standing {
        match caller {
            Caller::Socket | Caller::Simulated => Standing::Open,
            Caller::Session { .. } | Caller::Token { .. } => Standing::In,
            Caller::Anonymous { .. } if self.has_password() => Standing::LogIn,
            Caller::Anonymous { .. } => Standing::Setup,
        }
    }

    /// Whether reading needs no login.
    pub fn is_public(&self) -> bool {
        self.0.settings.view().set.settings.switch("webui.public_read")
    }

    /// What is written down.
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// How long the password that was typed in this session still counts.
    pub fn confirmed_for(&self, caller: &Caller) -> Option<Duration> {
        match caller {
            Caller::Session { id, .. } => self.state().sessions.confirmed_for(id, boottime()),
            _ => None,
        }
    }

    /// Whether `caller` may still read: its session goes on, its token is one, reading is still public.
    pub fn may_still_read(&self, caller: &Caller) -> bool {
        match caller {
            Caller::Socket | Caller::Simulated => true,
            Caller::Anonymous { .. } => self.is_public(),
            Caller::Session { id, .. } => self.state().sessions.is_on(id, boottime()),
            Caller::Token { name, .. } => {
                let key = format!("{}{name}", tokens::PREFIX);
                self.0.settings.view().set.settings.get(&key).is_some()
            }
        }
    }

    /// Waits until `caller` may read no longer, for answers that have no end.
    pub async fn ended(&self, caller: &Caller) {
        while self.may_still_read(caller) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends the session of `caller`, if it is one.
    pub fn log_out(&self, caller: &Caller) {
        if let Caller::Session { id, .. } = caller {
            self.state().sessions.end(id);
        }
    }

    /// Uses up the one-time code.
    ///
    /// # Errors
    /// [`WrongCode`].
    pub fn take_code(&self, typed: &str) -> Result<(), WrongCode> {
        self.state().setup.take(typed, boottime())
    }

    /// Counts a try of the password.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub fn take_attempt(&self, from: IpAddr) -> Result<Monotonic, Duration> {
        let now = boottime();
        self.state().attempts.take(from, now).map(|()| now)
    }

    /// The try of `at` succeeded: it does not count.
    pub fn give_back_attempt(&self, from: IpAddr, at: Monotonic) {
        self.state().attempts.give_back(from, at);
    }

    /// The person of `caller` has just typed the password: a new session's cookie, or nothing where the session goes on.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn begin_session(&self, caller: &Caller) -> std::io::Result<Option<Zeroizing<String>>> {
        let now = boottime();
        if let Caller::Session { id, .. } = caller {
            self.state().sessions.confirm(id, now);
            return Ok(None);
        }
        let secret = secrets::secret()?;
        self.state().sessions.begin(Digest::of(&secret), now);
        Ok(Some(secret))
    }

    /// Whether `typed` is the password. One at a time is hashed, on a thread that may take its time.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub async fn is_password(&self, typed: Zeroizing<String>) -> Result<bool, String> {
        let _turn = self.0.hashing.acquire().await.map_err(|problem| problem.to_string())?;
        let (set, hashed) = {
            let state = self.state();
            (state.password.clone(), state.hashed.clone())
        };
        let outcome = tokio::task::spawn_blocking(move || {
            give_way();
            let hash = match hashed {
                Some(hash) => hash,
                None if password::is_hash(&set) => set.to_string(),
                None => password::hash(&set).map_err(|problem| problem.to_string())?,
            };
            Ok::<_, String>((password::verify(&typed, &hash), set, hash))
        });
        let (is_right, set, hash) = outcome.await.map_err(|problem| problem.to_string())??;
        let mut state = self.state();
        // Meanwhile the password may have become another one.
        if state.password != set {
            return Ok(false);
        }
        state.hashed = Some(hash);
        Ok(is_right)
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// When it cannot be hashed.
    pub async fn hash(&self, password: Zeroizing<String>) -> Result<String, String> {
        let _turn = self.0.hashing.acquire().await.map_err(|problem| problem.to_string())?;
        let hashed = tokio::task::spawn_blocking(move || {
            give_way();
            password::hash(&password)
        });
        hashed.await.map_err(|problem| problem.to_string())?.map_err(|problem| problem.to_string())
    }

    /// Whether `host` is this machine for a connection that arrived at `local`.
    fn is_own(&self, host: &Host, local: IpAddr) -> bool {
        let uname = rustix::system::uname();
        let hostname = uname.nodename().to_string_lossy();
        let view = self.0.settings.view();
        OwnNames::new(&hostname, view.set.settings.text("webui.allowed_hosts")).are(host, local)
    }

    /// Who comes with these credentials: a token counts more than a cookie.
    fn caller(&self, token: Option<&str>, cookies: &[(&str, &str)], connection: Connection) -> Caller {
        if self.0.is_open {
            return Caller::Simulated;
        }
        let may_read = self.is_public();
        let nobody = |is_mistaken| Caller::Anonymous { may_read, is_mistaken };
        if let Some(token) = token {
            let found = tokens::find(&self.0.settings.view().set.settings, token);
            return found.map_or(nobody(true), |(name, scope)| Caller::Token { name, scope });
        }
        let given = cookies.iter().filter(|(name, _)| is_session_cookie(name, connection.is_tls));
        let (now, mut state, mut is_mistaken) = (boottime(), self.state(), false);
        for (_, secret) in given {
            let id = Digest::of(secret);
            if state.sessions.touch(&id, now) {
                let is_confirmed = state.sessions.confirmed_for(&id, now).is_some();
                return Caller::Session { id, is_confirmed };
            }
            is_mistaken = true;
        }
        nobody(is_mistaken)
    }

    fn count_refused(&self, refused: &Refused, connection: Option<Connection>) {
        if refused.status == axum::http::StatusCode::NO_CONTENT {
            return;
        }
        let from =
            connection.map_or("unknown".to_owned(), |connection| connection.peer.ip().to_canonical().to_string());
        self.0.audit.tell(
            Actor::Unknown,
            Severity::Info,
            format!("a request from {from} was refused: {}", refused.why),
        );
    }

    /// What is remembered. When the password is another one than before, nobody is logged in any more.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.0.settings.view();
        let set = settings::password(&view.set.settings);
        if state.password != set {
            state.password = set;
            state.hashed = None;
            state.sessions.end_all();
        }
        state
    }
}

/// Hashing is the longest that this process computes in one piece: every other thread of it comes first.
fn give_way() {
    const NICE: i32 = 10;
    // To Linux, "this process" is the thread that asks. Where it is not allowed, the thread works as before.
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// The cookie of a session. The prefix binds it to this very host and to https, which the browser sees to.
pub fn session_cookie(is_https: bool) -> &'static str {
    if is_https { "__Host-filamentbox" } else { "filamentbox" }
}

/// Over TLS only the cookie counts that no plain page can have set. Behind a reverse proxy the connection is plain, and either may come.
fn is_session_cookie(name: &str, is_tls: bool) -> bool {
    name == session_cookie(true) || (!is_tls && name == session_cookie(false))
}

/// Where a browser uses `code`, which is in the part that no browser sends.
fn url(address: SocketAddr, is_tls: bool, code: &str) -> String {
    let ip = match address.ip() {
        ip if ip.is_unspecified() => outward(),
        ip => Some(ip),
    };
    let host = match ip {
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        Some(ip) => ip.to_string(),
        None => format!("{}.local", rustix::system::uname().nodename().to_string_lossy()),
    };
    let (scheme, usual) = if is_tls { ("https", 443) } else { ("http", 80) };
    let port = if address.port() == usual { String::new() } else { format!(":{}", address.port()) };
    format!("{scheme}://{host}{port}/setup#code={code}")
}

/// The address that others on the network see. Nothing is sent: the system only looks which one it would use.
pub(in crate::web) fn outward() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    // An address for documentation, that nobody has.
    socket.connect(("192.0.2.1", 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}
