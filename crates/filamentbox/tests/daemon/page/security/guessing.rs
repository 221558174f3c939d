//! Guessing, codes, sessions that end, and what is written down of it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::scene::{HEAT, OFF, PASSWORD, READ, SESSION, SET, Scene};
use super::{EVIL, check_answer};
use crate::support::{PATIENCE, wait_until};

#[test]
fn a_guesser_gets_three_tries_a_minute() {
    let scene = Scene::owned();
    for number in 1..=3 {
        let answer = scene.log_in(&format!("guess number {number}"));
        check_answer("a guess", &answer, 401);
    }
    let body = format!(r#"{{"password":"{PASSWORD}"}}"#);
    for (name, header) in [
        ("the right one comes too late", "X-Nothing"),
        ("another address is claimed", "X-Forwarded-For"),
        ("another address is claimed otherwise", "Forwarded"),
        ("and so", "X-Real-IP"),
    ] {
        let differs = [("Cookie", None), (header, Some("192.0.2.77"))];
        let answer = scene.ask_with("POST", "/api/login", &body, &differs);
        check_answer(name, &answer, 429);
        let wait: u64 = answer.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
        assert!((1..=61).contains(&wait), "{wait}");
        assert_eq!(answer.json()["retry_after"], wait);
    }
    // Who is in stays in, and off is always open.
    assert_eq!(scene.ask(READ, &[]).status, 200);
    for _ in 0..20 {
        assert_eq!(scene.ask(OFF, &[("Cookie", None)]).status, 200);
    }
    assert!(!scene.has_heated());
}

#[test]
fn a_setup_code_counts_five_times_and_once() {
    let scene = Scene::locked();
    let code = scene.setup_code();
    for tries_left in [4, 3, 2, 1, 0] {
        let answer = scene.set_up("00000-00000-00000-00000-00000-0", PASSWORD);
        check_answer("a wrong code", &answer, 403);
        assert_eq!(answer.json()["tries_left"], tries_left);
    }
    check_answer("the right one comes too late", &scene.set_up(&code, PASSWORD), 410);
    let old = scene.setup_code();
    let code = scene.setup_code();
    check_answer("one that was replaced", &scene.set_up(&old, PASSWORD), 403);
    check_answer("a password too short", &scene.set_up(&code, "123456789"), 400);
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRTT01FU0FMVA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    check_answer("a hash in the place of a password", &scene.set_up(&code, hash), 400);
    let from_elsewhere = format!(r#"{{"code":"{code}","password":"{PASSWORD}"}}"#);
    let answer = scene.ask_with("POST", "/api/setup", &from_elsewhere, &[("Origin", EVIL)]);
    check_answer("a page elsewhere", &answer, 403);
    let answer = scene.set_up(&code.to_uppercase().replace('-', " "), PASSWORD);
    assert_eq!(answer.status, 200, "{}", answer.body);
    check_answer("once is enough", &scene.set_up(&code, "another password"), 410);
    assert_eq!(scene.log_in(PASSWORD).status, 200);
    assert!(!scene.has_heated());
}

#[test]
fn a_forgotten_password_is_replaced_and_ends_every_session() {
    let scene = Scene::owned();
    assert_eq!(scene.ask(READ, &[]).status, 200);
    let answer = scene.set_up(&scene.setup_code(), "a new password");
    assert_eq!(answer.status, 200, "{}", answer.body);
    check_answer("the session of the old password", &scene.ask(HEAT, &[]), 401);
    check_answer("the old password", &scene.log_in(PASSWORD), 401);
    assert_eq!(scene.log_in("a new password").status, 200);
    let cookie = answer.cookie();
    assert_eq!(scene.ask(READ, &[("Cookie", cookie.as_deref())]).status, 200, "who has set it is in");
    assert!(!scene.has_heated());
}

#[test]
fn a_password_is_changed_on_the_machine_and_streams_end_with_their_session() {
    let scene = Scene::owned();
    let mut stream = TcpStream::connect_timeout(&scene.address, PATIENCE).expect("a port");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let (host, cookie) = (scene.address, scene.word("COOKIE"));
    write!(stream, "GET /api/stream HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut first = [0; 1024];
    assert!(stream.read(&mut first).expect("an event") > 0);
    scene.daemon.ask(&["config", "set", "webui.password", "changed by hand"]);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the end of the stream");
    check_answer("the session of the old password", &scene.ask(READ, &[]), 401);
    assert_eq!(scene.log_in("changed by hand").status, 200);
    // The store has the hash, and no second one for the same.
    let shown = scene.daemon.ask(&["config", "get", "webui.password", "--reveal"]);
    assert!(shown.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "{shown}");
    let refused = scene.daemon.cli(&["config", "set", "webui.password", "too short"]);
    assert_eq!(refused.status.code(), Some(2));
    scene.daemon.ask(&["config", "set", "webui.password", shown.trim()]);
    assert_eq!(scene.log_in("changed by hand").status, 200);
}

#[test]
fn a_password_of_the_environment_is_the_password() {
    let scene = Scene::start(|daemon| {
        daemon.real().set("sensor.type", "simulated").set("webui.password", PASSWORD);
    });
    assert_eq!(scene.ask(SESSION, &[]).json()["state"], "login");
    check_answer("another", &scene.log_in("another password"), 401);
    assert_eq!(scene.log_in(PASSWORD).status, 200);
    let refused = scene.daemon.cli(&["setup-code"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("environment"), "{text}");
    assert!(!scene.daemon.log().contains("setup#code"));
}

#[test]
fn sessions_and_tokens_end() {
    let scene = Scene::owned();
    let answer = scene.log_in(PASSWORD);
    let line = answer.header("set-cookie").expect("a cookie").to_owned();
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Strict", "; Max-Age=604800"] {
        assert!(line.contains(attribute), "{line}");
    }
    assert!(!line.contains("Secure") && line.starts_with("filamentbox="), "{line}");
    let second = answer.cookie().expect("a cookie");
    let with_second = [("Cookie", Some(second.as_str()))];
    assert_eq!(scene.ask(READ, &with_second).status, 200);
    let answer = scene.ask_with("POST", "/api/logout", "{}", &with_second);
    assert_eq!(answer.status, 200);
    assert!(answer.header("set-cookie").is_some_and(|line| line.contains("Max-Age=0")), "{}", answer.head);
    check_answer("after the end", &scene.ask(READ, &with_second), 401);
    assert_eq!(scene.ask(READ, &[]).status, 200, "the other browser's goes on");

    let proxied = [("Host", Some("box.example")), ("Origin", Some("https://box.example")), ("Cookie", None)];
    let body = format!(r#"{{"password":"{PASSWORD}"}}"#);
    let answer = scene.ask_with("POST", "/api/login", &body, &proxied);
    let line = answer.header("set-cookie").expect("a cookie");
    assert!(line.starts_with("__Host-filamentbox=") && line.ends_with("; Secure"), "{line}");

    let bearer = [("Cookie", None), ("Authorization", Some("Bearer CONTROL"))];
    assert_eq!(scene.ask(READ, &bearer).status, 200);
    scene.daemon.ask(&["config", "token", "revoke", "control"]);
    wait_until("the token's end", || scene.ask(READ, &bearer).status == 401);
    check_answer("heat with a token that was taken back", &scene.ask(HEAT, &bearer), 401);
    assert!(!scene.has_heated());
}

#[test]
fn tokens_are_made_and_taken_back_on_the_page() {
    let scene = Scene::owned();
    let answer = scene.ask_with("POST", "/api/tokens", r#"{"name":"grafana","scope":"read"}"#, &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let token = format!("Bearer {}", answer.json()["token"].as_str().expect("a token"));
    let bearer = [("Cookie", None), ("Authorization", Some(token.as_str()))];
    assert_eq!(scene.ask(READ, &bearer).status, 200);
    let again = scene.ask_with("POST", "/api/tokens", r#"{"name":"grafana","scope":"read"}"#, &[]);
    check_answer("the same name", &again, 409);
    for (name, body) in [
        ("another scope", r#"{"name":"x","scope":"configure"}"#),
        ("no name", r#"{"name":"","scope":"read"}"#),
        ("a name with a dot and more", r#"{"name":"a/../b","scope":"read"}"#),
    ] {
        check_answer(name, &scene.ask_with("POST", "/api/tokens", body, &[]), 400);
    }
    let listed = scene.ask(("GET", "/api/tokens", ""), &[]).json();
    let expected = serde_json::json!({ "tokens": [
        { "name": "control", "scope": "control" }, { "name": "grafana", "scope": "read" }, { "name": "read", "scope": "read" },
    ]});
    assert_eq!(listed, expected);
    assert_eq!(scene.ask_with("DELETE", "/api/tokens/grafana", "", &[]).status, 200);
    check_answer("taken back", &scene.ask(READ, &bearer), 401);
    check_answer("twice", &scene.ask_with("DELETE", "/api/tokens/grafana", "", &[]), 404);
}

#[test]
fn what_is_done_is_written_down_and_a_flood_is_not() {
    let scene = Scene::owned();
    assert_eq!(scene.ask(SET, &[]).status, 200);
    assert_eq!(scene.ask(HEAT, &[]).status, 200);
    assert_eq!(scene.ask(OFF, &[("Cookie", None)]).status, 200);
    check_answer("nobody", &scene.ask(HEAT, &[("Cookie", None)]), 401);
    check_answer("a guess", &scene.log_in("a wrong password"), 401);
    let audit = scene.audit();
    for line in [
        "the page at 127.0.0.1: heater on: done",
        "the page at 127.0.0.1: PUT /api/config/heating_control.max_temp_c: done",
        "somebody not logged in at 127.0.0.1: heater off: done",
        "somebody not logged in at 127.0.0.1: heater on: refused, not logged in",
        "somebody not logged in at 127.0.0.1: a wrong password",
        "somebody not logged in at 127.0.0.1: set the password with the setup code",
        "a command on this machine: made a setup code",
    ] {
        assert!(audit.iter().any(|known| known.starts_with(line)), "{line:?} is not in {audit:#?}");
    }
    for number in 0..150 {
        let host = format!("evil-{number}.example");
        assert_eq!(scene.ask(READ, &[("Host", Some(&host))]).status, 421);
        assert_eq!(scene.ask(HEAT, &[("Cookie", None)]).status, 401);
    }
    let more = scene.audit().len() - audit.len();
    assert!(more <= 25, "{more} events of 300 refused requests");
}
