//! An HTTP server that misbehaves on purpose.

use std::collections::VecDeque;
use std::io::{BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{PATIENCE, read_request};

/// How it treats one request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// None: 204.
    Accept,
    /// This status, with these header lines (each ended by `\r\n`) and this body.
    Answer(u16, &'static str, String),
    /// Closes in the middle of a good answer.
    CloseMidAnswer,
    /// Takes the whole request and closes without an answer.
    DropAnswer,
    /// Takes the request and says nothing until the server is dropped.
    Hang,
}

/// It treats the requests by a script, one by one, and accepts those after the script's end.
pub(crate) struct FaultServer {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    script: Mutex<VecDeque<Fault>>,
    /// Head and body.
    requests: Mutex<Vec<(String, Vec<u8>)>>,
    stop: AtomicBool,
}

impl FaultServer {
    /// Starts it on a free loopback port.
    pub(crate) fn start(script: impl IntoIterator<Item = Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let address = listener.local_addr().expect("bound");
        let script = Mutex::new(script.into_iter().collect());
        let state = Arc::new(State { script, requests: Mutex::new(Vec::new()), stop: AtomicBool::new(false) });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.stop.load(Ordering::Relaxed) {
                    break;
                }
                let shared = Arc::clone(&shared);
                // Connections end by themselves: their client closes, or `stop` is set.
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far: head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.state.requests.lock().unwrap();
        requests.iter().map(|(head, body)| format!("{head}{}", String::from_utf8_lossy(body))).collect()
    }

    /// The body of every request so far.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.state.requests.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }
}

impl Drop for FaultServer {
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
    /// Serves one connection until it ends; an error is its end.
    fn serve(&self, stream: &TcpStream) {
        let _broken = stream.set_read_timeout(Some(PATIENCE));
        let mut reader = BufReader::new(stream);
        while let Ok(request) = read_request(&mut reader) {
            self.requests.lock().unwrap().push(request);
            let fault = self.script.lock().unwrap().pop_front().unwrap_or(Fault::Accept);
            if !self.answer(stream, fault) {
                break;
            }
        }
        let _closed = stream.shutdown(Shutdown::Both);
    }

    /// Answers one request; false ends the connection.
    fn answer(&self, mut stream: &TcpStream, fault: Fault) -> bool {
        let (answer, goes_on) = match fault {
            Fault::Accept => ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), true),
            Fault::Answer(status, headers, body) => {
                let length = body.len();
                (format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {length}\r\n\r\n{body}"), true)
            }
            Fault::CloseMidAnswer => ("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf".to_owned(), false),
            Fault::DropAnswer => return false,
            Fault::Hang => {
                while !self.stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                return false;
            }
        };
        stream.write_all(answer.as_bytes()).is_ok() && goes_on
    }
}
