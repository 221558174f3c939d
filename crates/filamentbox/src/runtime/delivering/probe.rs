//! A cheap look whether a server that was down is back: a connection without a request. A back-off of minutes is right for a server in
//! trouble, and too long for one that was only restarted.

use std::time::Duration;

use filamentbox_core::time::Monotonic;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::runtime::clock::boottime;

/// From one look to the next, during the first hour of an outage ...
const INTERVAL: Duration = Duration::from_secs(5);
const FIRST_TIME: Duration = Duration::from_secs(3600);
/// ... and after it.
const LONG_INTERVAL: Duration = Duration::from_secs(30);
/// A server that takes longer to accept a connection is not back.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Looks after one server during one outage. Real time, whatever the simulation does.
#[derive(Debug)]
pub(super) struct Probe {
    address: (String, u16),
    began: Monotonic,
    next: Monotonic,
    /// It was found to be unreachable: only then its return means something.
    was_down: bool,
}

impl Probe {
    /// A request has just failed.
    pub(super) fn new(address: (String, u16)) -> Self {
        let now = boottime();
        Self { address, began: now, next: now + INTERVAL, was_down: false }
    }

    /// How long until the next look.
    pub(super) fn wait(&self) -> Duration {
        self.next.since(boottime())
    }

    /// Looks, when it is time: `true` when the server is back, `false` when it is not. `None` when this cannot tell any more: the
    /// server can be connected to, and failed all the same.
    pub(super) async fn look(&mut self) -> Option<bool> {
        if !self.wait().is_zero() {
            return Some(false);
        }
        let (host, port) = (self.address.0.as_str(), self.address.1);
        let connected = matches!(timeout(CONNECT_MAX, TcpStream::connect((host, port))).await, Ok(Ok(_)));
        if connected {
            return self.was_down.then_some(true);
        }
        self.was_down = true;
        let now = boottime();
        self.next = now + if now.since(self.began) < FIRST_TIME { INTERVAL } else { LONG_INTERVAL };
        Some(false)
    }
}
