//! HTTP, by the same routes in two places: on the Unix socket in the data folder, which the commands use (who may open it, mode 0660, may do
//! everything), served by the thread `net`; and on a port for browsers and programs, served by the thread `web` under the rules of [`access`].
//! Neither can delay control.

pub mod access;
mod assets;
mod books;
mod chart;
mod columns;
mod dto;
mod extract;
pub mod history;
mod live;
mod metrics;
pub mod openapi;
mod routes;
mod series;
pub mod server;
mod settings;

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use filamentbox_core::time::Monotonic;
use tokio::sync::watch;

use crate::journal::Handle;
use crate::runtime::clock::Clocks;
use crate::runtime::control::{ControlInput, Snapshots};
use crate::runtime::delivering::Phase;
use crate::runtime::net::Shown;
use crate::runtime::reloading::Settings;

pub use routes::router;

/// What the routes see of the daemon: values and channels, nothing that control could wait for.
#[derive(Clone)]
pub struct Daemon {
    /// The latest state of every box.
    pub snapshots: watch::Receiver<Snapshots>,
    /// Commands.
    pub control: SyncSender<ControlInput>,
    /// History, events, backlogs.
    pub journal: Handle,
    /// The backends, and what the points are called in `/metrics`.
    pub shown: watch::Receiver<Arc<Shown>>,
    /// The settings: to be shown, and to be changed.
    pub settings: Settings,
    /// Where the page is.
    pub page: watch::Receiver<server::Page>,
    /// The clocks.
    pub clocks: Arc<Clocks>,
    /// When the daemon started.
    pub started: Monotonic,
    /// The way the daemon goes.
    pub phase: watch::Receiver<Phase>,
    /// Whether the box is simulated.
    pub simulated: bool,
    /// Who may do what at the port.
    pub access: access::Access,
}
