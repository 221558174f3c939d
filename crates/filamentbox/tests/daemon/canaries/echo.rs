//! Servers that repeat what they were told, in every form and in every kind of answer.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::support::{PATIENCE, percent_encoded, read_request};

/// 400 makes dead letters, with the reason beside them; 302 has a Location, 407 is a proxy's.
const STATUSES: [u16; 9] = [401, 400, 503, 302, 200, 403, 404, 407, 429];

/// A server; it lives as long as the test's process.
pub(super) struct Echo {
    pub(super) address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Echo {
    /// One that speaks HTTP.
    pub(super) fn http() -> Self {
        Self::start(answer_http)
    }

    /// One that speaks PostgreSQL, asks for the password in the clear, and refuses it.
    pub(super) fn postgresql() -> Self {
        Self::start(refuse_login)
    }

    fn start(serve: fn(&TcpStream, &AtomicUsize) -> std::io::Result<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let address = listener.local_addr().expect("bound");
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let count = Arc::clone(&count);
                std::thread::spawn(move || {
                    let _broken = stream.set_read_timeout(Some(PATIENCE));
                    // An error is the connection's end.
                    while serve(&stream, &count).is_ok() {}
                });
            }
        });
        Self { address, requests }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn answer_http(mut stream: &TcpStream, count: &AtomicUsize) -> std::io::Result<()> {
    let (head, _) = read_request(&mut BufReader::new(stream))?;
    let number = count.fetch_add(1, Ordering::Relaxed);
    let header = |wanted: &str| {
        let value = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        };
        head.lines().find_map(value)
    };
    let credentials = ["authorization", "proxy-authorization", "x-vault-token"].iter().find_map(|name| header(name));
    let credentials = credentials.unwrap_or_else(|| head.lines().next().unwrap_or_default().to_owned());
    let word = credentials.rsplit(' ').next().unwrap_or_default();
    let decoded = BASE64_STANDARD.decode(word).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let plain = decoded.unwrap_or_else(|| word.to_owned());
    let escaped: String = plain.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let forms = [
        format!("no: {credentials}"),
        format!("no: {plain}"),
        format!("{{\"error\":\"no: {escaped}\",\"message\":\"{escaped}\"}}"),
        serde_json::json!({"results": [{"error": plain}], "data": {"version": plain, "build_information": {"version": plain}}})
            .to_string(),
        format!("no: {}", percent_encoded(&plain)),
        format!("no: {}", BASE64_STANDARD.encode(format!("x{plain}"))),
        format!("no: {head}"),
    ];
    let (body, status) = (&forms[number % forms.len()], STATUSES[number % STATUSES.len()]);
    let told = ["WWW-Authenticate: Basic realm=", "Location: http://127.0.0.1/?", "X-Influxdb-Version: v"];
    let told: String = told.iter().map(|line| format!("{line}{credentials}\r\n")).collect();
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} {}\r\n{told}Content-Length: {length}\r\n\r\n{body}", credentials)
}

/// The protocol's messages: a start without a kind, AuthenticationCleartextPassword, the password, an error.
fn refuse_login(mut stream: &TcpStream, count: &AtomicUsize) -> std::io::Result<()> {
    let _start = read_message(stream)?;
    stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3])?;
    stream.read_exact(&mut [0])?;
    let password = read_message(stream)?;
    let password = String::from_utf8_lossy(&password).trim_end_matches('\0').to_owned();
    let number = count.fetch_add(1, Ordering::Relaxed);
    let said = [password.clone(), percent_encoded(&password), BASE64_STANDARD.encode(&password)];
    let said = &said[number % said.len()];
    let code = ["28P01", "53300", "42501"][number % 3];
    let fields = format!("SERROR\0VERROR\0C{code}\0Mno: {said}\0Dnot {said}\0\0");
    let length = u32::try_from(fields.len() + 4).expect("short").to_be_bytes();
    stream.write_all(&[b"E", &length[..], fields.as_bytes()].concat())?;
    Err(std::io::ErrorKind::ConnectionAborted.into())
}

/// A length that counts itself, and what follows it.
fn read_message(mut stream: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut rest = vec![0; (u32::from_be_bytes(length) as usize).saturating_sub(4)];
    stream.read_exact(&mut rest)?;
    Ok(rest)
}
