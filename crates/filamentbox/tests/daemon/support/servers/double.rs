//! HTTP for servers that live in the test process: threads on a loopback port, and what they keep behind one lock.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::SystemTime;

use flate2::read::MultiGzDecoder;

use super::super::{PATIENCE, free_address, read_request};

/// A request, its target taken apart.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Parameters, decoded. One that is given twice has its last value.
    pub(crate) query: BTreeMap<String, String>,
    /// Headers, their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// As it came.
    pub(crate) body: Vec<u8>,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// What a server keeps, and how it answers.
pub(crate) trait Service: Send + 'static {
    /// Answers one request.
    fn answer(&mut self, request: &Request) -> Reply;
}

/// A server that is up or down. What it keeps outlives being down.
pub(crate) struct Double<S: Service> {
    pub(crate) address: SocketAddr,
    service: Arc<Mutex<S>>,
    up: Option<Up>,
}

struct Up {
    stop: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    accepting: JoinHandle<()>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The body, decompressed. `Err`: what is wrong with its compression.
    pub(crate) fn plain_body(&self) -> Result<Vec<u8>, String> {
        match self.header("content-encoding") {
            None | Some("identity") => Ok(self.body.clone()),
            Some("gzip") => {
                let mut plain = Vec::new();
                MultiGzDecoder::new(&self.body[..]).read_to_end(&mut plain).map_err(|error| error.to_string())?;
                Ok(plain)
            }
            Some(other) => Err(format!("unacceptable content-encoding: {other}")),
        }
    }
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }
}

impl<S: Service> Double<S> {
    /// Starts it on a free loopback port.
    pub(crate) fn start(service: S) -> Self {
        let mut double = Self { address: free_address(), service: Arc::new(Mutex::new(service)), up: None };
        double.up();
        double
    }

    /// What it keeps.
    pub(crate) fn service(&self) -> MutexGuard<'_, S> {
        self.service.lock().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts listening, on the same port as before.
    pub(crate) fn up(&mut self) {
        assert!(self.up.is_none(), "it runs already");
        let listener = TcpListener::bind(self.address).expect("its port is free");
        let stop = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (is_over, open, service) = (Arc::clone(&stop), Arc::clone(&connections), Arc::clone(&self.service));
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                open.lock().unwrap().push(stream.try_clone().expect("a handle"));
                let service = Arc::clone(&service);
                std::thread::spawn(move || serve(&stream, &service));
            }
        });
        self.up = Some(Up { stop, connections, accepting });
    }

    /// Stops listening and closes every connection. A request that is being answered has been stored.
    pub(crate) fn down(&mut self) {
        let Some(up) = self.up.take() else { panic!("it does not run") };
        up.stop.store(true, Ordering::SeqCst);
        // Wakes the accepting thread; when that fails it has ended.
        let _woken = TcpStream::connect(self.address);
        let _ended = up.accepting.join();
        for connection in up.connections.lock().unwrap().drain(..) {
            // The client may have closed it.
            let _closed = connection.shutdown(Shutdown::Both);
        }
    }
}

impl<S: Service> Drop for Double<S> {
    fn drop(&mut self) {
        if self.up.is_some() {
            self.down();
        }
    }
}

/// Serves one connection until it ends; an error is its end.
fn serve<S: Service>(stream: &TcpStream, service: &Mutex<S>) {
    let _broken = stream.set_read_timeout(Some(PATIENCE));
    let mut reader = BufReader::new(stream);
    while let Ok(request) = parsed_request(&mut reader) {
        let reply = service.lock().unwrap().answer(&request);
        let date = httpdate::fmt_http_date(SystemTime::now());
        let mut head = format!("HTTP/1.1 {} Status\r\nDate: {date}\r\n", reply.status);
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if reply.status != 204 {
            head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
        }
        let answer = format!("{head}\r\n{}", reply.body);
        let mut writer = stream;
        if writer.write_all(answer.as_bytes()).is_err() {
            break;
        }
    }
    let _closed = stream.shutdown(Shutdown::Both);
}

fn parsed_request(reader: &mut impl BufRead) -> std::io::Result<Request> {
    let (head, body) = read_request(reader)?;
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let url = reqwest::Url::parse(&format!("http://localhost{target}")).expect("a target");
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Request {
        method: method.to_owned(),
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body,
    })
}
