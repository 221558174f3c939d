//! `/api/stream`: one event for each change, for everybody who listens, however slowly, until the daemon stops.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use super::{address, with_page};
use crate::support::{Daemon, PATIENCE, wait_until};

/// Somebody who listens.
struct Listener(BufReader<Box<dyn Read>>);

/// What was answered instead of a stream.
type Refusal = (String, String);

impl Listener {
    fn on(mut connection: impl Read + Write + 'static) -> Result<Self, Refusal> {
        connection.write_all(b"GET /api/stream HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("sent");
        let mut reader = BufReader::new(Box::new(connection) as Box<dyn Read>);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).expect("answered") > 0, "{head}");
        }
        let is_stream = head.split(' ').nth(1) == Some("200");
        if is_stream {
            assert!(head.contains("content-type: text/event-stream"), "{head}");
            return Ok(Self(reader));
        }
        let mut body = String::new();
        reader.read_to_string(&mut body).expect("a body");
        Err((head, body))
    }

    fn on_socket(daemon: &Daemon) -> Self {
        let socket = UnixStream::connect(daemon.folder().join("filamentbox.sock")).expect("the daemon's socket");
        Self::on(socket).expect("a stream")
    }

    fn on_port(address: SocketAddr) -> Result<Self, Refusal> {
        Self::on(TcpStream::connect(address).expect("the daemon's port"))
    }

    /// The next event; `None` at the end of the stream.
    fn next(&mut self) -> Option<(u64, Value)> {
        let mut id = None;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap_or(0) == 0 {
                return None;
            }
            if let Some(number) = line.strip_prefix("id: ") {
                id = Some(number.trim().parse().expect("a number"));
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((id.expect("the id comes first"), serde_json::from_str(data).expect("JSON")));
            }
        }
    }
}

/// A box in which nothing happens by itself after the first reading.
fn quiet() -> Daemon {
    let mut daemon = with_page();
    daemon
        .set("data_collection.read_interval", "3600")
        .set("heating_control.enabled", "false")
        .set("humidity_control.enabled", "true");
    daemon
}

/// The state without what changes by itself: ages, and counts that go with every sample.
fn seen(state: &Value) -> Value {
    let mut state = state.clone();
    for path in ["/uptime", "/sensor/age", "/journal/samples", "/journal/open", "/journal/file_bytes"] {
        *state.pointer_mut(path).expect(path) = Value::Null;
    }
    for thread in state["threads"].as_object_mut().expect("threads").values_mut() {
        thread["last_progress"] = Value::Null;
    }
    state
}

#[test]
fn a_change_is_one_event_and_no_change_is_none() {
    let mut daemon = quiet();
    daemon.start();
    let mut listener = Listener::on_socket(&daemon);
    let (first, before) = listener.next().expect("the state at once");
    daemon.http("POST", "/api/controls/fan", r#"{"state":true}"#);
    let (second, switched) = listener.next().expect("a change");
    assert_eq!(switched.pointer("/controls/fan/mode"), Some(&Value::from("manual")), "{switched}");
    assert_eq!(
        switched.pointer("/controls/fan/on"),
        Some(&Value::from(true)),
        "one event holds wish and line: {switched}"
    );
    assert_ne!(seen(&before), seen(&switched));
    // The lease is renewed twice a second meanwhile, and nobody has to hear of that.
    let (third, later) = listener.next().expect("a sign of life");
    assert_eq!(seen(&switched), seen(&later));
    assert!(later["uptime"].as_f64() > switched["uptime"].as_f64());
    assert_eq!((second, third), (first + 1, first + 2));
}

#[test]
fn there_are_no_more_events_than_changes() {
    let mut daemon = with_page();
    daemon.start();
    let mut listener = Listener::on_port(address(&daemon)).expect("a stream");
    let mut events = Vec::new();
    for i in 0..40 {
        if i == 20 {
            daemon.http("POST", "/api/controls/fan", r#"{"state":true}"#);
        }
        events.push(listener.next().expect("readings come").1);
    }
    let changes = daemon.trace().iter().filter(|line| ["sample", "output"].contains(&line[1].as_str())).count();
    println!("{} events, {changes} changes in all", events.len());
    // The first event, and the command.
    assert!(events.len() <= changes + 2, "{changes}");
    for two in events.windows(2) {
        assert_ne!(seen(&two[0]), seen(&two[1]), "an event without a change");
    }
    let is_manual = |event: &Value| event.pointer("/controls/fan/mode") == Some(&Value::from("manual"));
    assert!(events.iter().any(is_manual), "a command is told");
}

#[test]
fn who_comes_late_sees_the_state_at_once_with_its_age_of_now() {
    let mut daemon = quiet();
    daemon.start();
    let mut early = Listener::on_socket(&daemon);
    let (_, first) = early.next().expect("the state at once");
    let (_, late) = Listener::on_socket(&daemon).next().expect("the state at once");
    assert_eq!(seen(&first), seen(&late));
    assert!(late.pointer("/sensor/age").and_then(Value::as_f64) > first.pointer("/sensor/age").and_then(Value::as_f64));
    // Nobody else was told of it.
    daemon.http("POST", "/api/controls/fan", r#"{"state":true}"#);
    assert_ne!(seen(&first), seen(&early.next().expect("a change").1));
}

#[test]
fn a_slow_reader_gets_the_latest_and_not_a_queue() {
    const MANY: usize = 300;
    let mut daemon = with_page();
    // As many events as there may be: a reading is a change, and there are thousands a second.
    daemon.argument("--time-scale").argument("1000").start();
    // On the socket, where little lies in buffers on the way.
    let mut slow = Listener::on_socket(&daemon);
    slow.next().expect("the state at once");
    let mut quick = Listener::on_socket(&daemon);
    let latest = (0..MANY).map(|_| quick.next().expect("readings come").0).last().expect("some");
    // On it comes.
    let mut read = 1;
    while slow.next().expect("readings come").0 < latest {
        read += 1;
    }
    println!("{read} of {MANY} events");
    assert!(read < MANY, "{read} events waited for the slow reader");
}

#[test]
fn a_stop_ends_every_stream() {
    let mut daemon = with_page();
    daemon.start();
    let address = address(&daemon);
    let mut listeners: Vec<Listener> = (0..3).map(|_| Listener::on_socket(&daemon)).collect();
    listeners.extend((0..3).map(|_| Listener::on_port(address).expect("a stream")));
    for listener in &mut listeners {
        listener.next().expect("the state at once");
    }
    assert!(daemon.stop().success());
    for listener in &mut listeners {
        while listener.next().is_some() {}
    }
    assert!(!daemon.log().contains("not everything was written in time"), "the streams hold up the stop");
}

#[test]
fn the_port_has_eight_places_and_the_socket_any_number() {
    let mut daemon = with_page();
    daemon.start();
    let address = address(&daemon);
    let mut listeners: Vec<Listener> = (0..8).map(|_| Listener::on_port(address).expect("a stream")).collect();
    let (head, body) = Listener::on_port(address).err().expect("one too many");
    assert!(head.starts_with("HTTP/1.0 503") || head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(head.contains("retry-after: "), "{head}");
    assert!(body.contains("/api/status"), "what to do instead: {body}");
    for _ in 0..10 {
        listeners.push(Listener::on_socket(&daemon));
    }
    for listener in &mut listeners {
        listener.next().expect("the state at once");
    }
    listeners.remove(0);
    let start = std::time::Instant::now();
    while Listener::on_port(address).is_err() {
        assert!(start.elapsed() < PATIENCE, "the place of one who left is free again");
    }
}

#[test]
fn threads_and_notifications_are_told_as_the_original_tells_them() {
    let mut daemon = Daemon::new();
    daemon.start();
    let (status, threads) = daemon.http("GET", "/api/threads", "");
    assert_eq!(status, 200);
    for name in ["control", "sensor-main", "journal", "net", "settings", "data_collector", "heating_control"] {
        let thread = &threads[name];
        assert_eq!(
            (&thread["running"], &thread["exists"], &thread["restartable"]),
            (&true.into(), &true.into(), &false.into()),
            "{name}: {threads}"
        );
        assert_eq!(thread["restarts"], 0, "{name}");
        assert!(thread["last_progress"].as_f64().is_some_and(|at| at > 1.7e9), "{name}: {thread}");
    }
    let notifications = |daemon: &Daemon| {
        let (status, answer) = daemon.http("GET", "/api/notifications?limit=50", "");
        assert_eq!(status, 200, "{answer}");
        answer["notifications"].as_array().expect("a list").clone()
    };
    assert!(
        notifications(&daemon).iter().any(|one| one["message"].as_str().is_some_and(|text| text.contains("started")))
    );
    let (status, answer) = daemon.http("DELETE", "/api/notifications", "");
    assert_eq!((status, &answer["success"]), (200, &true.into()));
    let is_old = |one: &Value| one["message"].as_str().is_some_and(|text| text.contains("started"));
    assert!(!notifications(&daemon).iter().any(is_old));
    daemon.http("POST", "/api/controls/heater", r#"{"state":true}"#);
    wait_until("a new one", || !notifications(&daemon).is_empty());
    for bad in ["0", "51", "x"] {
        assert_eq!(daemon.http("GET", &format!("/api/notifications?limit={bad}"), "").0, 400);
    }
}
