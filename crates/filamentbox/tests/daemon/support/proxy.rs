//! A proxy between the daemon and a real server, that spoils connections on purpose.
//!
//! Each request gets a connection of its own to the server, so that what the proxy does to one never depends on another.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::PATIENCE;

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Spoil {
    /// Nothing.
    Pass,
    /// Nobody listens.
    Refuse,
    /// The connection is reset at once.
    Reset,
    /// The request is read, and nothing is ever said.
    BlackHole,
    /// The request is read, and the connection is closed in one direction without an answer.
    HalfClose,
    /// So many bytes a second in both directions.
    Slow(usize),
    /// The connection is reset after so many bytes of the request, which the server gets.
    CutRequest(usize),
    /// The connection is reset after so many bytes of the answer.
    CutAnswer(usize),
    /// The server gets the request, and its answer is thrown away.
    DropAnswer,
}

/// Each fault once.
pub(crate) const FAULTS: [Spoil; 9] = [
    Spoil::Refuse,
    Spoil::Reset,
    Spoil::BlackHole,
    Spoil::HalfClose,
    Spoil::Slow(20_000),
    Spoil::CutRequest(400),
    Spoil::CutAnswer(0),
    Spoil::CutAnswer(30),
    Spoil::DropAnswer,
];

type Choose = dyn FnMut() -> Spoil + Send;

/// A running proxy.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    target: SocketAddr,
    choose: Mutex<Box<Choose>>,
    refusing: AtomicBool,
    stop: AtomicBool,
    /// Counts the choices: who waits in a black hole is let go when there is a new one.
    choice: AtomicU64,
    spoilt: AtomicU64,
}

impl Proxy {
    /// One in front of the server at `url`; at first it only passes on.
    pub(crate) fn start(url: &str) -> Self {
        let target = url.trim_start_matches("http://").parse().expect("an address");
        let state = Arc::new(State {
            target,
            choose: Mutex::new(Box::new(|| Spoil::Pass)),
            refusing: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            choice: AtomicU64::new(0),
            spoilt: AtomicU64::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let address = listener.local_addr().expect("an address");
        let serving = state.clone();
        let thread = std::thread::spawn(move || serving.listen(listener, address));
        Self { address, state, thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every request is treated like this.
    pub(crate) fn spoil(&self, spoil: Spoil) {
        self.spoil_each(move || spoil);
        self.state.refusing.store(spoil == Spoil::Refuse, Ordering::SeqCst);
    }

    /// From now on each request is treated as `choose` says.
    pub(crate) fn spoil_each(&self, choose: impl FnMut() -> Spoil + Send + 'static) {
        self.state.refusing.store(false, Ordering::SeqCst);
        *self.state.choose.lock().unwrap() = Box::new(choose);
        self.state.choice.fetch_add(1, Ordering::SeqCst);
    }

    /// How many requests were spoilt.
    pub(crate) fn spoilt(&self) -> u64 {
        self.state.spoilt.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

impl State {
    fn listen(self: Arc<Self>, listener: TcpListener, address: SocketAddr) {
        let mut listener = Some(listener);
        while !self.stop.load(Ordering::SeqCst) {
            if self.refusing.load(Ordering::SeqCst) {
                if listener.take().is_some() {
                    self.spoilt.fetch_add(1, Ordering::SeqCst);
                }
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            // The port stays ours: nobody else is given one that was in use a moment ago.
            let open = listener.get_or_insert_with(|| TcpListener::bind(address).expect("the same port"));
            open.set_nonblocking(true).expect("non-blocking");
            match open.accept() {
                Ok((client, _)) => {
                    client.set_nonblocking(false).expect("blocking");
                    let state = self.clone();
                    std::thread::spawn(move || state.serve(&client));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// One request; an error is its end.
    fn serve(&self, client: &TcpStream) {
        let _broken = client.set_read_timeout(Some(PATIENCE));
        let choice = self.choice.load(Ordering::SeqCst);
        let spoil = (self.choose.lock().unwrap())();
        if spoil != Spoil::Pass {
            self.spoilt.fetch_add(1, Ordering::SeqCst);
        }
        let _over = self.exchange(client, spoil, choice);
    }

    fn exchange(&self, mut client: &TcpStream, spoil: Spoil, choice: u64) -> std::io::Result<()> {
        if spoil == Spoil::Reset {
            return reset(client);
        }
        let request = read_request(client)?;
        match spoil {
            Spoil::BlackHole => {
                while self.choice.load(Ordering::SeqCst) == choice && !self.stop.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                return reset(client);
            }
            Spoil::HalfClose => {
                client.shutdown(Shutdown::Write)?;
                // Until the other side goes too.
                return std::io::copy(&mut client, &mut std::io::sink()).map(drop);
            }
            Spoil::CutRequest(most) => {
                let mut server = TcpStream::connect(self.target)?;
                server.write_all(&request[..most.min(request.len())])?;
                reset(&server)?;
                return reset(client);
            }
            _ => {}
        }
        let mut server = TcpStream::connect(self.target)?;
        server.set_read_timeout(Some(PATIENCE))?;
        write_paced(&server, &request, spoil)?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        match spoil {
            Spoil::DropAnswer => reset(client),
            Spoil::CutAnswer(most) => {
                client.write_all(&answer[..most.min(answer.len())])?;
                client.shutdown(Shutdown::Both)
            }
            _ => write_paced(client, &answer, spoil),
        }
    }
}

fn write_paced(mut stream: &TcpStream, bytes: &[u8], spoil: Spoil) -> std::io::Result<()> {
    let Spoil::Slow(per_second) = spoil else { return stream.write_all(bytes) };
    for piece in bytes.chunks(per_second.div_ceil(100)) {
        stream.write_all(piece)?;
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Without a farewell: what is under way is thrown away, and the other side sees an error.
fn reset(stream: &TcpStream) -> std::io::Result<()> {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?;
    Ok(())
}

/// A whole request, changed to end its connection to the server.
fn read_request(client: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let value = |wanted: &str| {
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned())
    };
    let length = value("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut request = head.trim_end().to_owned().into_bytes();
    request.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
    request.append(&mut body);
    Ok(request)
}
