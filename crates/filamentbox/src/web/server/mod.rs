//! The port: a thread of its own with a runtime of its own, so that no flood, slow client or panic here delays a backend or a command, let
//! alone a lease. Nobody waits for this thread, not even the stop.
//!
//! It goes by the settings at any time. On any error the last good port goes on, where there was one, and the error is said once; it is tried
//! again until it works. Every limit is in `limits`.
//!
//! Not here: who may do what (`super::access`), and what is answered (`super::routes`).

mod body;
mod connection;
mod limits;
mod listen;
mod pace;
mod page;
mod panics;
mod places;
mod plain;
#[cfg(test)]
mod tests;
mod tls;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{error, info, warn};

pub use self::connection::Client;
pub use self::page::{Page, ShownPage, check};
pub use self::panics::catching;

use self::connection::{Shared, serve};
use self::limits::{ACCEPT_PAUSE, BLOCKING_THREADS, GRACE, LONG_ANSWERS, LOOK, RETRY_MAX, RETRY_MIN};
use self::page::Port;
use self::places::Places;
use super::access::protect;
use super::{Daemon, router};
use crate::runtime::delivering::Phase;
use crate::runtime::supervisor::progress;

/// Serves until the phase changes, and says in `page` where.
pub fn run(daemon: &Daemon, page: &watch::Sender<Page>, phase: &mut watch::Receiver<Phase>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(BLOCKING_THREADS).on_thread_unpark(progress);
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(problem) => return error!("the page cannot be served: {problem}"),
    };
    let stopping = async { drop(phase.wait_for(|phase| *phase != Phase::Running).await) };
    runtime.block_on(async {
        tokio::select! {
            () = stopping => {}
            () = Server::new(daemon, page).work() => {}
        }
    });
    // A hash or a name look-up that is under way does not hold up anything.
    runtime.shutdown_background();
}

struct Server<'a> {
    daemon: &'a Daemon,
    shared: Shared,
    page: &'a watch::Sender<Page>,
    places: Places,
    listening: Option<Listening>,
    connections: JoinSet<()>,
    trouble: Option<Trouble>,
    /// What was said of the certificate last.
    warned: Vec<String>,
    /// When everything is looked at again, whatever happens.
    look_at: Instant,
}

/// A port that is open.
struct Listening {
    port: Port,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    /// Tells its connections when it is no more.
    closing: watch::Sender<bool>,
}

struct Tls {
    config: Arc<ServerConfig>,
    chain: Vec<CertificateDer<'static>>,
    warnings: Vec<String>,
}

/// Why the port is not as the settings want it.
struct Trouble {
    text: String,
    pause: Duration,
}

impl<'a> Server<'a> {
    fn new(daemon: &'a Daemon, page: &'a watch::Sender<Page>) -> Self {
        let long = Arc::new(Semaphore::new(LONG_ANSWERS));
        let app = catching(protect(router(daemon.clone()), daemon.access.clone()));
        let shared = Shared { app, long };
        let (places, connections) = (Places::default(), JoinSet::new());
        Self {
            daemon,
            shared,
            page,
            places,
            listening: None,
            connections,
            trouble: None,
            warned: Vec::new(),
            look_at: Instant::now(),
        }
    }

    async fn work(mut self) {
        let mut settings = self.daemon.settings.changes();
        let mut is_watching = true;
        loop {
            tokio::select! {
                changed = settings.changed(), if is_watching => match changed {
                    Ok(()) => self.arrange(),
                    // The settings' thread has ended, and soon the daemon will.
                    Err(_) => is_watching = false,
                },
                () = sleep_until(self.look_at) => self.arrange(),
                accepted = accept(self.listening.as_ref()) => self.admit(accepted).await,
                Some(ended) = self.connections.join_next() => note(ended),
            }
        }
    }

    /// Makes the port what the settings want.
    fn arrange(&mut self) {
        let wanted = Port::of(&self.daemon.settings.view().set.settings, self.daemon.access.is_open());
        let arranged = match wanted {
            Ok(Some(port)) => self.open(port),
            Ok(None) => {
                if self.listening.is_some() {
                    info!("the page is closed");
                }
                self.go_to(None);
                Ok(())
            }
            Err(problem) => Err(problem),
        };
        self.look_at = Instant::now() + LOOK;
        match arranged {
            Ok(()) => self.trouble = None,
            Err(text) => self.note_trouble(text),
        }
        self.publish();
    }

    /// Told once for each problem, and tried again.
    fn note_trouble(&mut self, text: String) {
        let before = self.trouble.take().filter(|before| before.text == text);
        let pause = before.as_ref().map_or(RETRY_MIN, |before| (before.pause * 2).min(RETRY_MAX));
        if before.is_none() {
            let meanwhile = match &self.listening {
                Some(listening) => format!("; until then it stays at {}", listening.address),
                None => String::new(),
            };
            error!("{text}{meanwhile}. Control goes on, and this is tried again");
        }
        self.look_at = Instant::now() + pause;
        self.trouble = Some(Trouble { text, pause });
    }

    fn open(&mut self, port: Port) -> Result<(), String> {
        let tls = self.load_tls(&port)?;
        if let Some(listening) = &mut self.listening
            && listening.port.address == port.address
            && listening.tls.is_some() == tls.is_some()
        {
            let chain = |tls: &Option<Tls>| tls.as_ref().map(|tls| tls.chain.clone());
            if chain(&listening.tls) != chain(&tls) {
                info!("the page has another certificate");
            }
            (listening.port, listening.tls) = (port, tls);
            return Ok(());
        }
        let listener = self.listen(port.address).map_err(|problem| listen::explain(port.address, &problem))?;
        let address = listener.local_addr().unwrap_or(port.address);
        let (closing, is_tls) = (watch::Sender::new(false), tls.is_some());
        self.go_to(Some(Listening { port, listener, address, tls, closing }));
        let shown = self.shown().shown();
        let every = if address.ip().is_unspecified() { ", on every address of this machine" } else { "" };
        info!("the page is at {}{every}", shown.url.unwrap_or_default());
        self.daemon.access.listens(address, is_tls);
        Ok(())
    }

    fn load_tls(&mut self, port: &Port) -> Result<Option<Tls>, String> {
        let Some(files) = &port.tls else { return Ok(None) };
        let wall = self.daemon.clocks.read().wall.map(|wall| Duration::from_secs_f64(wall.seconds().max(0.0)));
        let loaded = files.load(wall.map(UnixTime::since_unix_epoch))?;
        loaded.warnings.iter().filter(|text| !self.warned.contains(text)).for_each(|text| warn!("{text}"));
        self.warned.clone_from(&loaded.warnings);
        Ok(Some(Tls { config: loaded.config, chain: loaded.chain, warnings: loaded.warnings }))
    }

    /// Listens at `address` while the old port is still open, unless it is in the way.
    fn listen(&mut self, address: SocketAddr) -> io::Result<TcpListener> {
        let taken = match listen::listen(address) {
            Err(problem) if problem.kind() == ErrorKind::AddrInUse => problem,
            other => return other,
        };
        let in_the_way = self.listening.take_if(|old| old.address.port() == address.port());
        let Some(Listening { port, listener, address: old, tls, closing }) = in_the_way else { return Err(taken) };
        drop(listener);
        listen::listen(address).inspect_err(|_| match listen::listen(old) {
            Ok(listener) => self.listening = Some(Listening { port, listener, address: old, tls, closing }),
            Err(problem) => error!("{}", listen::explain(old, &problem)),
        })
    }

    /// From now on the port is `new`. The connections of the old one end: what is under way (the answer to whoever moved the port) gets a
    /// moment.
    fn go_to(&mut self, new: Option<Listening>) {
        if let Some(old) = std::mem::replace(&mut self.listening, new) {
            old.closing.send_replace(true);
        }
        let mut old = std::mem::take(&mut self.connections);
        if !old.is_empty() {
            tokio::spawn(async move {
                let all = async { while old.join_next().await.map(note).is_some() {} };
                // What has not ended by then ends with the set.
                let _ = timeout(GRACE, all).await;
            });
        }
    }

    fn shown(&self) -> Page {
        let mut problems: Vec<&str> = self.trouble.iter().map(|trouble| trouble.text.as_str()).collect();
        let tls = self.listening.as_ref().and_then(|listening| listening.tls.as_ref());
        problems.extend(tls.iter().flat_map(|tls| &tls.warnings).map(String::as_str));
        Page {
            address: self.listening.as_ref().map(|listening| listening.address),
            is_tls: tls.is_some(),
            error: (!problems.is_empty()).then(|| problems.join("; ")),
        }
    }

    fn publish(&self) {
        let shown = self.shown();
        self.page.send_if_modified(|page| {
            let is_other = *page != shown;
            *page = shown;
            is_other
        });
    }

    async fn admit(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        let Some(listening) = &self.listening else { return };
        match accepted {
            Ok((stream, peer)) => {
                let place = self.places.take(peer.ip());
                let tls = listening.tls.as_ref().map(|tls| tls.config.clone());
                let closing = listening.closing.subscribe();
                self.connections.spawn(serve(stream, peer, place, tls, self.shared.clone(), closing));
            }
            // Gone before it was looked at.
            Err(problem) if problem.kind() == ErrorKind::ConnectionAborted => {}
            // Out of descriptors or memory: those who are there may leave some.
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn accept(listening: Option<&Listening>) -> io::Result<(TcpStream, SocketAddr)> {
    match listening {
        Some(listening) => listening.listener.accept().await,
        None => std::future::pending().await,
    }
}

/// A connection has ended; one that panicked did so outside of a route, while its answer was written.
fn note(ended: Result<(), JoinError>) {
    if let Some(panic) = ended.err().filter(JoinError::is_panic).map(JoinError::into_panic) {
        error!("a connection to the page failed by a defect of the program: {}", panics::message(&*panic));
    }
}
