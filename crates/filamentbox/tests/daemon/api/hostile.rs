//! Requests that no schema makes: broken HTTP, broken JSON, too long, too deep, of a wrong kind. Each is refused in words, and nothing breaks.

use std::net::SocketAddr;

use super::{Answer, End, ask, send, start};
use crate::support::Daemon;

/// A refusal says what is wrong, as JSON.
#[track_caller]
fn refused(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    let said = answer.json();
    assert!(said["error"].as_str().is_some_and(|error| !error.is_empty()), "{what}: {said}");
}

/// The daemon still does what it should.
#[track_caller]
fn still_works(daemon: &mut Daemon, address: SocketAddr) {
    let status = ask(address, "GET", "/api/status", b"");
    assert_eq!(status.status, 200, "{status:?}");
    assert!(status.json()["sensor"]["temperature_c"].is_number());
    let log = std::fs::read_to_string(daemon.folder().join("log")).expect("a log");
    assert!(!log.contains("panicked"), "{log}");
    assert!(daemon.stop().success(), "it ends in good order");
}

const BODIES: &[&[u8]] = &[
    b"",
    b" ",
    b"null",
    b"true",
    b"[]",
    b"[true]",
    b"\"state\"",
    b"{",
    b"{}",
    b"{\"state\"}",
    b"{'state':true}",
    b"{\"state\":tru",
    b"{\"state\":True}",
    b"{\"state\":1}",
    b"{\"state\":\"on\"}",
    b"{\"state\":[true]}",
    b"{\"state\":{}}",
    b"{\"state\":true,\"state\":false}",
    b"{\"state\":false,\"state\":true}",
    b"{\"state\":true,\"seconds\":0}",
    b"{\"state\":true,\"seconds\":-1}",
    b"{\"state\":true,\"seconds\":1e400}",
    b"{\"state\":true,\"seconds\":-1e400}",
    b"{\"state\":true,\"seconds\":31536000.1}",
    b"{\"state\":true,\"seconds\":99999999999999999999999999999999}",
    b"{\"state\":true,\"seconds\":NaN}",
    b"{\"state\":true,\"seconds\":Infinity}",
    b"{\"state\":true,\"seconds\":\"60\"}",
    b"{\"state\":null,\"seconds\":60}",
    b"{\"state\":true,\"\":1}",
    b"{\"state\":true,\"\\u0000\":1}",
    b"{\"st\\u0061te\":true,\"\xff\":1}",
    b"{\"state\":\"\xc3\x28\"}",
    b"{\"state\":\"\\ud800\"}",
    b"\xef\xbb\xbf{\"state\":true}",
    b"\x00{\"state\":true}",
    b"{\"state\":true}\x00",
    b"{\"state\":true}{\"state\":true}",
    b"\xff\xfe{\x00}\x00",
];

#[test]
fn a_wish_that_is_not_one_switches_nothing() {
    let (mut daemon, address) = start();
    for body in BODIES {
        let what = String::from_utf8_lossy(body);
        refused(&ask(address, "POST", "/api/controls/heater", body), 400, &what);
    }
    let deep = [b"{\"state\":".to_vec(), vec![b'['; 2_000], vec![b']'; 2_000], b"}".to_vec()].concat();
    refused(&ask(address, "POST", "/api/controls/heater", &deep), 400, "deep JSON");
    let long = [b"{\"state\":\"".to_vec(), vec![b'x'; 4_000], b"\"}".to_vec()].concat();
    refused(&ask(address, "POST", "/api/controls/heater", &long), 400, "a long text");
    let too_long = [b"{\"state\":\"".to_vec(), vec![b'x'; 4_096], b"\"}".to_vec()].concat();
    refused(&ask(address, "POST", "/api/controls/heater", &too_long), 413, "too long a body");
    let heater = &ask(address, "GET", "/api/controls", b"").json()["heater"];
    assert_eq!(heater["mode"], "auto", "{heater}");
    still_works(&mut daemon, address);
}

#[test]
fn paths_and_queries_that_are_none() {
    let (mut daemon, address) = start();
    let long = "x".repeat(8_000);
    for (path, status) in [
        ("/api/config/%FF", 400),
        ("/api/config/%00", 404),
        ("/api/config/%2e%2e%2fetc%2fpasswd", 404),
        ("/api/config/safety.max_temp_c%00", 404),
        ("/api/config/section/%C3%28", 400),
        ("/api/config/section/%00", 404),
        ("/api/config/section/.", 404),
        (&format!("/api/config/{long}"), 404),
        ("/api/../etc/passwd", 404),
        ("/api/status/", 404),
        ("//api/status", 404),
        ("/api/status?box=%FF", 404),
        ("/api/status?box=%00", 404),
        ("/api/status?box=", 404),
        ("/api/status?box=main&box=main", 400),
        ("/api/status?nobody=1", 400),
        (&format!("/api/status?box={long}"), 404),
        ("/api/events?limit=0", 400),
        ("/api/events?limit=-1", 400),
        ("/api/events?limit=1001", 400),
        ("/api/events?limit=18446744073709551616", 400),
        ("/api/events?limit=1e3", 400),
        ("/api/events?limit=", 400),
        ("/api/events?limit=1%00", 400),
        ("/api/events?before=-1", 400),
        ("/api/events?before=9007199254740992", 400),
        ("/api/history/export?format=xml", 400),
        ("/api/history/export?from_ms=9223372036854775808", 400),
    ] {
        refused(&ask(address, "GET", path, b""), status, path);
    }
    for path in ["/api/events?before=0", "/api/events?limit=1&before=9007199254740991"] {
        assert_eq!(ask(address, "GET", path, b"").status, 200, "{path}");
    }
    still_works(&mut daemon, address);
}

#[test]
fn a_method_that_a_path_does_not_take_is_answered_with_those_that_it_takes() {
    let (mut daemon, address) = start();
    for (method, path) in [
        ("POST", "/api/status"),
        ("PUT", "/api/status"),
        ("DELETE", "/api/config/safety.max_temp_c"),
        ("PATCH", "/api/config/safety.max_temp_c"),
        ("TRACE", "/api/status"),
        ("BREW", "/api/status"),
        ("GET", "/api/controls/heater"),
        ("GET", "/api/safety/reset"),
        ("PUT", "/healthz"),
    ] {
        let answer = ask(address, method, path, b"{}");
        refused(&answer, 405, &format!("{method} {path}"));
        assert!(answer.has_header("allow"), "{method} {path}: {}", answer.head);
    }
    for path in ["/api/status", "/api/openapi.json", "/healthz", "/metrics"] {
        let answer = ask(address, "HEAD", path, b"");
        assert_eq!((answer.status, answer.body.len()), (200, 0), "HEAD {path}");
        let preflight = ask(address, "OPTIONS", path, b"");
        assert!(preflight.status < 500, "OPTIONS {path}");
        assert!(!preflight.head.to_ascii_lowercase().contains("access-control-"), "OPTIONS {path}");
    }
    still_works(&mut daemon, address);
}

#[test]
fn settings_are_changed_all_or_none() {
    let (mut daemon, address) = start();
    let post = |body: &str| ask(address, "POST", "/api/config", body.as_bytes());
    let cut_off = || ask(address, "GET", "/api/config/safety.max_temp_c", b"").json()["value"].clone();
    let before = cut_off();
    for (body, status) in [
        (r#"{}"#, 400),
        (r#"{"changes":null}"#, 400),
        (r#"{"changes":[]}"#, 400),
        (r#"{"changes":{"safety.max_temp_c":60},"x":1}"#, 400),
        (r#"{"changes":{"safety.max_temp_c":60,"safety.max_temp_c":61}}"#, 400),
        (r#"{"changes":{"safety.max_temp_c":60,"queue.max_size":"many"}}"#, 400),
        (r#"{"changes":{"safety.max_temp_c":60,"queue.max_size":1e99}}"#, 400),
        (r#"{"changes":{"safety.max_temp_c":60,"queue.max_size":{}}}"#, 400),
        (r#"{"changes":{"safety.max_temp_c":60,"data_collection.measurement":"a\u0000b"}}"#, 400),
        (r#"{"changes":{"safety.max_temp_c":60,"heating_control.max_temp_c":59}}"#, 400),
        (r#"{"changes":{"safety.max_temp_c":60,"no.such.key":1}}"#, 404),
        (r#"{"changes":{"safety.max_temp_c":60,"data_collection.tags.":"x"}}"#, 404),
        (r#"{"changes":{"safety.max_temp_c":60,"data_collection.tags.a\nb":"x"}}"#, 404),
    ] {
        let answer = post(body);
        refused(&answer, status, body);
        assert_eq!(answer.json()["success"], false, "{body}");
        assert_eq!(cut_off(), before, "{body}");
    }
    let many = (0..501).map(|number| format!("\"data_collection.tags.t{number}\":\"x\"")).collect::<Vec<_>>().join(",");
    refused(&post(&format!("{{\"changes\":{{{many}}}}}")), 400, "too many");
    let unknown = (0..4_000).map(|number| format!("\"k{number}\":1")).collect::<Vec<_>>().join(",");
    refused(&post(&format!("{{\"changes\":{{{unknown}}}}}")), 400, "too many unknown ones");
    let deep = format!("{{\"changes\":{{\"safety.max_temp_c\":{}{}}}}}", "[".repeat(30_000), "]".repeat(30_000));
    refused(&post(&deep), 400, "deep JSON");
    let too_long = format!("{{\"changes\":{{\"data_collection.measurement\":\"{}\"}}}}", "x".repeat(70_000));
    refused(&post(&too_long), 413, "too long a body");
    let contradiction = post(r#"{"changes":{"safety.max_temp_c":50,"heating_control.max_temp_c":49}}"#).json();
    let about = contradiction["problems"][0]["key"].as_str().expect("keys").to_owned();
    assert!(about.contains("heating_control.max_temp_c") && about.contains("safety.max_temp_c"), "{about}");

    let good =
        post(r#"{"changes":{"safety.max_temp_c":60,"data_collection.tags.site":"attic","queue.max_size":null}}"#);
    assert_eq!((good.status, good.json()["success"].clone()), (200, true.into()));
    assert_eq!(cut_off(), 60.0);
    assert_eq!(ask(address, "GET", "/api/status", b"").json()["limits"]["cut_off_c"], 60.0);
    let shown = ask(address, "GET", "/api/config", b"").json();
    let sections = shown["sections"].as_array().expect("sections").iter();
    let keys: Vec<_> = sections.flat_map(|section| section["keys"].as_array().expect("keys")).collect();
    let key = |name: &str| keys.iter().find(|one| one["key"] == name).unwrap_or_else(|| panic!("{name} is not shown"));
    assert_eq!(key("data_collection.tags.site")["value"], "attic");
    assert_eq!(key("data_collection.tags.NAME")["family"], true);
    assert_eq!(key("webui.port")["source"], "environment");
    still_works(&mut daemon, address);
}

#[test]
fn the_names_of_the_original_are_understood() {
    let (mut daemon, address) = start();
    let old = "/api/config/database.influxdb.host";
    let answer = ask(address, "PUT", old, br#"{"value":"http://127.0.0.1:9"}"#);
    assert_eq!(answer.status, 200, "{answer:?}");
    let shown = ask(address, "GET", old, b"").json();
    assert_eq!(
        (shown["key"].as_str(), shown["value"].as_str()),
        (Some("database.influxdb.host"), Some("http://127.0.0.1:9"))
    );
    for action in ["restart", "start", "stop"] {
        let refusal = ask(address, "POST", &format!("/api/threads/data_collector/{action}"), b"");
        refused(&refusal, 400, action);
        assert_eq!(refusal.json()["success"], false);
    }
    refused(&ask(address, "POST", "/api/threads/nobody/stop", b""), 404, "an unknown thread");
    refused(&ask(address, "POST", "/api/threads/data_collector/explode", b""), 404, "an unknown action");
    still_works(&mut daemon, address);
}

#[test]
fn backends_are_tried_with_settings_that_are_not_saved() {
    let (mut daemon, address) = start();
    let body = br#"{"changes":{"database.type":"influxdb_v1","database.influxdb_v1.url":"http://127.0.0.1:9","database.influxdb_v1.database":"x"}}"#;
    let answer = ask(address, "POST", "/api/database/test", body);
    assert_eq!(answer.status, 200, "{answer:?}");
    let result = &answer.json()["results"][0];
    assert_eq!((&result["type"], &result["ok"]), (&"influxdb_v1".into(), &false.into()), "{result}");
    assert!(result["line"].as_str().is_some_and(|line| line.contains("127.0.0.1:9")), "{result}");
    assert_eq!(ask(address, "GET", "/api/config/database.type", b"").json()["value"], "none", "nothing is saved");
    let wrong = br#"{"changes":{"database.type":"influxdb_v9"}}"#;
    refused(&ask(address, "POST", "/api/database/test", wrong), 400, "an unknown backend");
    assert_eq!(ask(address, "POST", "/api/database/test", b"{}").json()["results"], serde_json::json!([]));
    still_works(&mut daemon, address);
}

#[test]
fn what_is_no_http_does_not_matter() {
    let (mut daemon, address) = start();
    let long_header = format!("GET /api/status HTTP/1.1\r\nHost: {address}\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let many_headers = format!("GET /api/status HTTP/1.1\r\nHost: {address}\r\n{}\r\n", "X: y\r\n".repeat(10_000));
    let two_lengths = format!(
        "POST /api/controls/heater HTTP/1.1\r\nHost: {address}\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"
    );
    let bad_length = format!("POST /api/controls/heater HTTP/1.1\r\nHost: {address}\r\nContent-Length: -1\r\n\r\n");
    let bad_chunk = format!(
        "POST /api/controls/heater HTTP/1.1\r\nHost: {address}\r\nX-FilamentBox: 1\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nZZ\r\n{{}}\r\n"
    );
    for request in [
        b"\r\n\r\n".as_slice(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: \xff\xfe\r\nConnection: close\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0; 4096],
        long_header.as_bytes(),
        many_headers.as_bytes(),
        two_lengths.as_bytes(),
        bad_length.as_bytes(),
        bad_chunk.as_bytes(),
    ] {
        if let Some(answer) = send(address, request, End::Said) {
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
    }
    still_works(&mut daemon, address);
}
