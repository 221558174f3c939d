//! The port: a thread of its own with a runtime of its own, so that no flood, slow client or panic here delays a backend or a command, let
//! alone a lease.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::middleware::map_request;
use axum::serve::IncomingStream;
use filamentbox_core::config::{Settings, Source};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{error, info};

use super::access::{Connection, protect};
use super::{Daemon, router};
use crate::runtime::delivering::Phase;
use crate::runtime::supervisor::progress;

/// Where the port is to be.
#[derive(Clone, Debug)]
pub struct Port {
    address: SocketAddr,
}

impl Port {
    /// What the settings say; `None` where there is to be no port.
    ///
    /// # Errors
    /// When the address is none.
    pub fn of(settings: &Settings, is_simulated: bool) -> Result<Option<Self>, String> {
        if !settings.switch("webui.enabled") {
            return Ok(None);
        }
        let host = settings.text("webui.host");
        let is_default = settings.get("webui.host").is_none_or(|setting| setting.source == Source::Default);
        let host = if is_simulated && is_default { "127.0.0.1" } else { host };
        let host: IpAddr = host.parse().map_err(|_| format!("webui.host: {host:?} is not an IP address"))?;
        let port = u16::try_from(settings.integer("webui.port")).unwrap_or_default();
        Ok(Some(Self { address: SocketAddr::new(host, port) }))
    }
}

/// Serves until the phase changes.
pub fn run(port: &Port, daemon: &Daemon, phase: &mut watch::Receiver<Phase>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().on_thread_unpark(progress).build();
    match runtime {
        Ok(runtime) => runtime.block_on(serve(port, daemon, phase)),
        Err(problem) => error!("the page cannot be served: {problem}"),
    }
}

async fn serve(port: &Port, daemon: &Daemon, phase: &mut watch::Receiver<Phase>) {
    let listener = match TcpListener::bind(port.address).await {
        Ok(listener) => listener,
        Err(problem) => return error!(address = %port.address, "the page cannot be served: {problem}"),
    };
    let address = listener.local_addr().unwrap_or(port.address);
    info!("the page is at http://{address}");
    daemon.access.listens(address, false);
    let app = protect(router(daemon.clone()), daemon.access.clone()).layer(map_request(with_connection));
    let app = app.into_make_service_with_connect_info::<Connection>();
    let ended = async { drop(phase.wait_for(|phase| *phase != Phase::Running).await) };
    tokio::select! {
        served = axum::serve(listener, app) => if let Err(problem) = served { error!("the page is served no more: {problem}") },
        () = ended => {}
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        let peer = *stream.remote_addr();
        // A connection without an address of ours is for nobody.
        let local = stream.io().local_addr().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
        Self { peer, local, is_tls: false }
    }
}

async fn with_connection(ConnectInfo(connection): ConnectInfo<Connection>, mut request: Request) -> Request {
    request.extensions_mut().insert(connection);
    request
}
