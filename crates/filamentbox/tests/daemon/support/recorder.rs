//! A server that accepts everything and keeps every request byte for byte: plain, over TLS, or behind a proxy's tunnel.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{PATIENCE, read_request};

/// How it is spoken to.
#[derive(Clone)]
pub(crate) enum Manner {
    /// HTTP.
    Plain,
    /// HTTPS.
    Tls(Arc<ServerConfig>),
    /// `CONNECT`, and then HTTPS: a proxy and the server behind it.
    Tunnel(Arc<ServerConfig>),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Answers 204 to everything.
pub(crate) struct Recorder {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    manner: Manner,
    requests: Mutex<Vec<Recorded>>,
    connections: AtomicUsize,
    stop: AtomicBool,
}

impl Recorder {
    /// Starts it on a free loopback port.
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State {
            manner,
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.stop.load(Ordering::Relaxed) {
                    break;
                }
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(&shared);
                // Connections end by themselves: their client closes, or nothing comes for a while.
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, in the order in which they were read.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.state.requests.lock().unwrap().clone()
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        // Wakes the accepting thread; when that fails it has ended.
        let _woken = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) {
        let _broken = stream.set_read_timeout(Some(PATIENCE));
        let over_tls = |stream: TcpStream, config: &Arc<ServerConfig>| {
            let connection = ServerConnection::new(Arc::clone(config)).expect("a usable configuration");
            self.converse(StreamOwned::new(connection, stream));
        };
        match &self.manner {
            Manner::Plain => self.converse(stream),
            Manner::Tls(config) => over_tls(stream, config),
            Manner::Tunnel(config) => {
                let mut head = Vec::new();
                let mut byte = [0];
                // Byte by byte: what follows is TLS.
                while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                self.requests.lock().unwrap().push(Recorded { head, body: Vec::new() });
                if stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_ok() {
                    over_tls(stream, config);
                }
            }
        }
    }

    /// Answers until the connection ends; an error is its end.
    fn converse<S: Read + Write>(&self, stream: S) {
        let mut reader = BufReader::new(stream);
        while let Ok((head, body)) = read_request(&mut reader) {
            let request = Recorded { head, body };
            self.requests.lock().unwrap().push(request);
            let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
            if reader.get_mut().write_all(answer).and_then(|()| reader.get_mut().flush()).is_err() {
                break;
            }
        }
    }
}

/// A certificate authority of the tests.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for `name` and its key, for a server's files.
    pub(crate) fn pem_for(&self, name: &str) -> (String, String) {
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("signed").pem(), key.serialize_pem())
    }

    /// A server with a certificate for `name`, which `change` may spoil.
    pub(crate) fn server(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring supports them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.expect("they fit"))
    }
}
