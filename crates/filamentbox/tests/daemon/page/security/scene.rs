//! A locked daemon on a real port, and requests to it, byte by byte.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::support::{Daemon, PATIENCE, wait_until};

pub(super) const PASSWORD: &str = "correct horse battery";

/// A daemon with a port.
pub(super) struct Scene {
    pub(super) daemon: Daemon,
    pub(super) address: SocketAddr,
    /// What stands for it in requests: name and value.
    words: Vec<(&'static str, String)>,
}

/// An answer: status, head, body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

/// A request: method, path, body.
pub(super) type Asked = (&'static str, &'static str, &'static str);

pub(super) const HEAT: Asked = ("POST", "/api/controls/heater", r#"{"state":true}"#);
pub(super) const OFF: Asked = ("POST", "/api/controls/heater", r#"{"state":false}"#);
pub(super) const READ: Asked = ("GET", "/api/status", "");
pub(super) const STREAM: Asked = ("GET", "/api/stream", "");
pub(super) const SET: Asked = ("PUT", "/api/config/heating_control.max_temp_c", r#"{"value":"61"}"#);
pub(super) const SESSION: Asked = ("GET", "/api/session", "");

/// How a request differs from one of our own page: a header gets another value, or is left out; `+NAME` comes besides. `HOST`, `COOKIE`,
/// `READ` and `CONTROL` stand for those of the scene.
pub(super) type Differs<'a> = &'a [(&'a str, Option<&'a str>)];

impl Scene {
    /// Nobody has set a password. The heater is off, and stays so unless somebody switches it on.
    pub(super) fn locked() -> Self {
        Self::start(|daemon| {
            daemon.real().set("sensor.type", "simulated");
        })
    }

    /// `run --simulate`.
    pub(super) fn simulated() -> Self {
        Self::start(|_| {})
    }

    /// A password is set, the owner is logged in and has just typed it, and there are two tokens.
    pub(super) fn owned() -> Self {
        let mut scene = Self::locked();
        for (word, scope) in [("READ", "read"), ("CONTROL", "control")] {
            let token = scene.daemon.ask(&["config", "token", "create", scope, "--scope", scope]);
            scene.words.push((word, token.trim().to_owned()));
        }
        let code = scene.setup_code();
        let answer = scene.set_up(&code, PASSWORD);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let cookie = answer.cookie().expect("a cookie");
        scene.words.push(("COOKIE", cookie));
        // The settings' thread has seen both.
        wait_until("the tokens", || {
            ["READ", "CONTROL"].iter().all(|word| {
                let bearer = format!("Bearer {word}");
                scene.ask(READ, &[("Cookie", None), ("Authorization", Some(&bearer))]).status == 200
            })
        });
        scene
    }

    pub(super) fn start(set: impl FnOnce(&mut Daemon)) -> Self {
        let mut daemon = Daemon::new();
        daemon.set("webui.enabled", "true").set("webui.port", "0").set("webui.host", "127.0.0.1");
        daemon.set("webui.allowed_hosts", "box.example");
        daemon.set("heating_control.enabled", "true").set("heating_control.min_temp_c", "5");
        set(&mut daemon);
        daemon.start();
        let address = page_address(&daemon);
        Self { daemon, address, words: Vec::new() }
    }

    /// A fresh code of the machine's owner.
    pub(super) fn setup_code(&self) -> String {
        let text = self.daemon.ask(&["setup-code"]);
        let code = text.lines().find_map(|line| line.strip_prefix("code:")).expect("a code");
        code.trim().to_owned()
    }

    pub(super) fn set_up(&self, code: &str, password: &str) -> Answer {
        let body = json!({ "code": code, "password": password }).to_string();
        self.ask_with("POST", "/api/setup", &body, &[("Cookie", None)])
    }

    pub(super) fn log_in(&self, password: &str) -> Answer {
        let body = json!({ "password": password }).to_string();
        self.ask_with("POST", "/api/login", &body, &[("Cookie", None)])
    }

    /// The value of a word.
    pub(super) fn word(&self, name: &str) -> &str {
        self.words.iter().find(|(word, _)| *word == name).map_or("", |(_, value)| value)
    }

    pub(super) fn ask(&self, (method, path, body): Asked, differs: Differs<'_>) -> Answer {
        self.ask_with(method, path, body, differs)
    }

    pub(super) fn ask_with(&self, method: &str, path: &str, body: &str, differs: Differs<'_>) -> Answer {
        self.ask_at(self.address, method, path, body, differs)
    }

    pub(super) fn ask_at(
        &self,
        address: SocketAddr,
        method: &str,
        path: &str,
        body: &str,
        differs: Differs<'_>,
    ) -> Answer {
        let mut headers = vec![("Host", "HOST")];
        if !self.word("COOKIE").is_empty() {
            headers.push(("Cookie", "COOKIE"));
        }
        if !matches!(method, "GET" | "HEAD" | "OPTIONS") {
            headers.extend([("Origin", "http://HOST"), ("X-FilamentBox", "1"), ("Content-Type", "application/json")]);
        }
        for (name, value) in differs {
            match (name.strip_prefix('+'), value) {
                (Some(name), Some(value)) => headers.push((name, value)),
                (_, value) => {
                    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                    headers.extend(value.map(|value| (*name, value)));
                }
            }
        }
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            let value = self
                .words
                .iter()
                .fold(value.replace("HOST", &address.to_string()), |value, (word, meant)| value.replace(word, meant));
            head += &format!("{name}: {value}\r\n");
        }
        exchange(address, &format!("{head}\r\n{body}"))
    }

    /// Whether the heater's line has ever been active.
    pub(super) fn has_heated(&self) -> bool {
        self.daemon.trace().iter().any(|line| line[1] == "output" && line[2] == "heater" && line[3] == "1")
    }

    /// The texts of the audit, newest first.
    pub(super) fn audit(&self) -> Vec<String> {
        let (_, answer) = self.daemon.http("GET", "/api/events?limit=1000", "");
        let events = answer["events"].as_array().expect("a list").clone();
        let is_audit = |event: &&Value| event["kind"] == "access";
        events.iter().filter(is_audit).filter_map(|event| event["message"].as_str().map(str::to_owned)).collect()
    }
}

impl Answer {
    /// The cookie that it sets, without its attributes.
    pub(super) fn cookie(&self) -> Option<String> {
        let line = self.header("set-cookie")?;
        line.split(';').next().map(str::to_owned)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON: {}", self.body))
    }
}

/// The page's port, as the log says it, on the loopback.
fn page_address(daemon: &Daemon) -> SocketAddr {
    let find = || {
        let log = daemon.log();
        let url = log.split("the page is at http://").nth(1)?.split([',', '\n']).next()?.to_owned();
        let port: u16 = url.rsplit(':').next()?.trim().parse().ok()?;
        Some(SocketAddr::from(([127, 0, 0, 1], port)))
    };
    wait_until("the page", || find().is_some());
    find().expect("just seen")
}

/// One request and its answer; of an answer without a length, only its head.
pub(super) fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("a port");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
            let answer = Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() };
            let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return Answer { head: head.to_owned(), ..answer };
            }
        }
        let read = stream.read(&mut buffer).expect("an answer");
        assert!(read > 0, "the answer broke off: {text}");
        bytes.extend_from_slice(&buffer[..read]);
    }
}
