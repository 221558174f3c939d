//! Clients that mean no good: as many as wanted, each slow in its own way, and coming back when they are thrown out.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use crate::support::PATIENCE;

/// From one byte of a client to its next.
const DRIP: Duration = Duration::from_millis(100);

/// How a client is slow.
#[derive(Clone, Copy, Debug)]
enum Slowness {
    /// It connects and says nothing.
    Silent,
    /// Its head never ends.
    Head,
    /// Its body never ends.
    Body,
    /// It asks for more and more and reads nothing.
    Reader,
}

impl Slowness {
    const ALL: [Self; 4] = [Self::Silent, Self::Head, Self::Body, Self::Reader];

    /// What it sends at first.
    fn first(self, address: SocketAddr) -> String {
        match self {
            Self::Silent => String::new(),
            Self::Head => format!("GET /api/status HTTP/1.1\r\nHost: {address}\r\nX: "),
            Self::Body => format!(
                "POST /api/controls/heater HTTP/1.1\r\nHost: {address}\r\nX-FilamentBox: 1\r\n\
                 Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
            ),
            Self::Reader => self.next(address).repeat(20),
        }
    }

    /// What it sends from time to time.
    fn next(self, address: SocketAddr) -> String {
        match self {
            Self::Silent => String::new(),
            Self::Head | Self::Body => "x".to_owned(),
            Self::Reader => format!("GET /api/history/export HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        }
    }
}

struct Slow {
    slowness: Slowness,
    stream: Option<TcpStream>,
}

impl Slow {
    fn drip(&mut self, address: SocketAddr, connects: &AtomicUsize) {
        let Some(stream) = &mut self.stream else {
            self.stream = TcpStream::connect_timeout(&address, PATIENCE).ok();
            if let Some(stream) = &mut self.stream {
                connects.fetch_add(1, Ordering::Relaxed);
                let _ = stream.set_nonblocking(true);
                let _ = stream.write_all(self.slowness.first(address).as_bytes());
            }
            return;
        };
        let is_open = |result: std::io::Result<usize>, at_end: bool| match result {
            Ok(count) => count > 0 || !at_end,
            Err(problem) => problem.kind() == ErrorKind::WouldBlock,
        };
        let mut lives = is_open(stream.write(self.slowness.next(address).as_bytes()), false);
        // A reader that reads nothing does not learn that it was thrown out but by writing.
        if !matches!(self.slowness, Slowness::Reader) {
            lives &= is_open(stream.read(&mut [0; 512]), true);
        }
        if !lives {
            self.stream = None;
        }
    }
}

/// A flood, until dropped.
pub(crate) struct Flood {
    stop: Arc<AtomicBool>,
    connects: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Of `count` clients.
    pub(crate) fn of(count: usize, address: SocketAddr) -> Self {
        let (stop, connects) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stops, counts) = (Arc::clone(&stop), Arc::clone(&connects));
        let thread = spawn(move || {
            let slow = |index: usize| Slow { slowness: Slowness::ALL[index % 4], stream: None };
            let mut clients: Vec<Slow> = (0..count).map(slow).collect();
            while !stops.load(Ordering::Relaxed) {
                clients.iter_mut().for_each(|client| client.drip(address, &counts));
                sleep(DRIP);
            }
        });
        Self { stop, connects, thread: Some(thread) }
    }

    /// How many connections there have been.
    pub(crate) fn connects(&self) -> usize {
        self.connects.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
