//! Attacks on the port, each a row with its name: other web pages in the owner's own browser, rebound names, stolen and made-up credentials,
//! guessing. Whatever is tried, the heater stays off and nothing is told.

mod guessing;
mod scene;
mod secrets;

use scene::{Answer, Asked, HEAT, OFF, READ, SESSION, SET, STREAM, Scene};

/// A request that differs from one of the owner's, and the status it gets.
type Row<'a> = (&'a str, Asked, &'a [(&'a str, Option<&'a str>)], u16);

const EVIL: Option<&str> = Some("http://evil.example");
const CROSS: (&str, Option<&str>) = ("Sec-Fetch-Site", Some("cross-site"));

/// A page elsewhere, in the browser of the owner, who is logged in here: the cookie comes along, as if SameSite did not exist.
const CROSS_SITE: &[Row<'_>] = &[
    ("heat: fetch from another page", HEAT, &[("Origin", EVIL)], 403),
    ("heat: another page over https", HEAT, &[("Origin", Some("https://evil.example"))], 403),
    ("heat: another port of this machine", HEAT, &[("Origin", Some("http://127.0.0.1:1"))], 403),
    ("heat: this address without its port", HEAT, &[("Origin", Some("http://127.0.0.1"))], 403),
    ("heat: a name that begins like ours", HEAT, &[("Origin", Some("http://HOST.evil.example"))], 403),
    ("heat: our name as a user's", HEAT, &[("Origin", Some("http://HOST@evil.example"))], 403),
    ("heat: a sandboxed frame or a file", HEAT, &[("Origin", Some("null"))], 403),
    ("heat: an empty origin", HEAT, &[("Origin", Some(""))], 403),
    ("heat: an extension", HEAT, &[("Origin", Some("chrome-extension://abcdef"))], 403),
    ("heat: two origins", HEAT, &[("+Origin", EVIL)], 403),
    ("heat: two origins, both ours", HEAT, &[("+Origin", Some("http://HOST"))], 403),
    ("heat: no origin, with a cookie", HEAT, &[("Origin", None)], 403),
    ("heat: our origin, from a page elsewhere", HEAT, &[CROSS], 403),
    ("heat: our origin, from a sister site", HEAT, &[("Sec-Fetch-Site", Some("same-site"))], 403),
    ("heat: without our header", HEAT, &[("X-FilamentBox", None)], 403),
    ("heat: our header with another value", HEAT, &[("X-FilamentBox", Some("0"))], 403),
    ("heat: our header twice", HEAT, &[("+X-FilamentBox", Some("1"))], 403),
    ("heat: a form's text", HEAT, &[("Content-Type", Some("text/plain"))], 415),
    ("heat: a form", HEAT, &[("Content-Type", Some("application/x-www-form-urlencoded"))], 415),
    ("heat: no content type", HEAT, &[("Content-Type", None)], 415),
    ("heat: two content types", HEAT, &[("+Content-Type", Some("text/plain"))], 415),
    ("heat: JSON hidden in a text", HEAT, &[("Content-Type", Some("text/plain; application/json"))], 415),
    (
        "heat: a form of a page elsewhere",
        HEAT,
        &[("Origin", EVIL), ("Content-Type", Some("text/plain")), ("X-FilamentBox", None)],
        403,
    ),
    ("heat: by GET", ("GET", "/api/controls/heater", ""), &[], 405),
    ("heat: by GET with a query", ("GET", "/api/controls/heater?state=true", ""), &[], 405),
    (
        "heat: a method told in a header",
        ("GET", "/api/controls/heater", ""),
        &[("X-HTTP-Method-Override", Some("POST"))],
        405,
    ),
    ("heat: an unknown method", ("HEAT", "/api/controls/heater", r#"{"state":true}"#), &[("Origin", EVIL)], 403),
    ("off: another page may not even that", OFF, &[("Origin", EVIL)], 403),
    ("off: nor without our header", OFF, &[("X-FilamentBox", None)], 403),
    ("settings: another page", SET, &[("Origin", EVIL)], 403),
    ("settings: without our header", SET, &[("X-FilamentBox", None)], 403),
    (
        "login: another page logs its own user in",
        ("POST", "/api/login", r#"{"password":"x"}"#),
        &[("Origin", EVIL)],
        403,
    ),
    ("logout: another page", ("POST", "/api/logout", "{}"), &[("Origin", EVIL)], 403),
    ("token: another page", ("POST", "/api/tokens", r#"{"name":"evil","scope":"control"}"#), &[("Origin", EVIL)], 403),
    ("read: fetch from another page", READ, &[("Origin", EVIL)], 403),
    ("read: an image of another page", READ, &[CROSS], 403),
    ("read: another port of this machine", READ, &[("Sec-Fetch-Site", Some("same-site"))], 403),
    ("read: metrics from another page", ("GET", "/metrics", ""), &[("Origin", EVIL)], 403),
    ("read: history from another page", ("GET", "/api/history/export", ""), &[CROSS], 403),
    ("stream: EventSource of another page", STREAM, &[("Origin", EVIL), ("Accept", Some("text/event-stream"))], 403),
    ("stream: EventSource of a sandboxed frame", STREAM, &[("Origin", Some("null"))], 403),
    ("stream: from a page elsewhere", STREAM, &[CROSS], 403),
    (
        "preflight: heat",
        ("OPTIONS", "/api/controls/heater", ""),
        &[("Origin", EVIL), ("Access-Control-Request-Method", Some("POST"))],
        204,
    ),
    ("preflight: from ourselves", ("OPTIONS", "/api/status", ""), &[("Origin", Some("http://HOST"))], 204),
    (
        "preflight: from a page to a private network",
        ("OPTIONS", "/api/status", ""),
        &[("Origin", EVIL), ("Access-Control-Request-Private-Network", Some("true"))],
        204,
    ),
];

/// A name of somebody else that points here, or a request that is not clear about whom it is for.
const REBINDING: &[Row<'_>] = &[
    ("heat: a rebound name, same origin there", HEAT, &[("Host", Some("evil.example")), ("Origin", EVIL)], 421),
    ("read: a rebound name", READ, &[("Host", Some("evil.example"))], 421),
    ("read: with our port", READ, &[("Host", Some("evil.example:5000"))], 421),
    ("stream: a rebound name", STREAM, &[("Host", Some("evil.example"))], 421),
    ("session: a rebound name learns nothing", SESSION, &[("Host", Some("evil.example"))], 421),
    ("health: a rebound name", ("GET", "/healthz", ""), &[("Host", Some("evil.example"))], 421),
    ("preflight: a rebound name", ("OPTIONS", "/api/status", ""), &[("Host", Some("evil.example"))], 421),
    ("off: a rebound name", OFF, &[("Host", Some("evil.example")), ("Origin", EVIL)], 421),
    ("our name under another", READ, &[("Host", Some("filamentbox.local.evil.example"))], 421),
    ("another under our name", READ, &[("Host", Some("evil.filamentbox.local"))], 421),
    ("an address that is not ours", READ, &[("Host", Some("192.0.2.1"))], 421),
    ("the address of nobody", READ, &[("Host", Some("0.0.0.0"))], 421),
    ("an address of ours, at which it did not arrive", READ, &[("Host", Some("127.0.0.2"))], 421),
    ("an address as a number", READ, &[("Host", Some("2130706433"))], 421),
    ("an address in a name of a service", READ, &[("Host", Some("127.0.0.1.nip.io"))], 421),
    ("a wildcard", READ, &[("Host", Some("*"))], 421),
    ("a user before the host", READ, &[("Host", Some("evil@127.0.0.1"))], 421),
    ("no host", READ, &[("Host", None)], 421),
    ("an empty host", READ, &[("Host", Some(""))], 421),
    ("two hosts", READ, &[("+Host", Some("evil.example"))], 421),
    ("two hosts, both ours", READ, &[("+Host", Some("HOST"))], 421),
    (
        "a forwarded host does not count",
        READ,
        &[("Host", Some("evil.example")), ("X-Forwarded-Host", Some("HOST"))],
        421,
    ),
    ("the request line names another host", ("GET", "http://evil.example/api/status", ""), &[], 421),
];

/// Credentials that are none, or not enough.
const CREDENTIALS: &[Row<'_>] = &[
    ("read: nobody", READ, &[("Cookie", None)], 401),
    ("heat: nobody", HEAT, &[("Cookie", None)], 401),
    ("settings: nobody", SET, &[("Cookie", None)], 401),
    ("stream: nobody", STREAM, &[("Cookie", None)], 401),
    ("events: nobody", ("GET", "/api/events", ""), &[("Cookie", None)], 401),
    ("metrics: nobody", ("GET", "/metrics", ""), &[("Cookie", None)], 401),
    ("settings: reading, nobody", ("GET", "/api/config/section/webui", ""), &[("Cookie", None)], 401),
    ("tokens: nobody", ("GET", "/api/tokens", ""), &[("Cookie", None)], 401),
    ("reset: nobody", ("POST", "/api/safety/reset", "{}"), &[("Cookie", None)], 401),
    ("heat: said to come from this machine", HEAT, &[("Cookie", None), ("X-Forwarded-For", Some("127.0.0.1"))], 401),
    (
        "heat: automatic is more than off",
        ("POST", "/api/controls/heater", r#"{"state":null}"#),
        &[("Cookie", None)],
        401,
    ),
    (
        "heat: off for a moment, and then on",
        ("POST", "/api/controls/heater", r#"{"state":false,"seconds":1}"#),
        &[("Cookie", None)],
        401,
    ),
    (
        "heat: a made-up cookie",
        HEAT,
        &[("Cookie", Some("filamentbox=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))],
        401,
    ),
    ("heat: an empty cookie", HEAT, &[("Cookie", Some("filamentbox="))], 401),
    ("heat: the cookie as a token", HEAT, &[("Cookie", None), ("Authorization", Some("Bearer COOKIE"))], 401),
    (
        "read: a made-up token",
        READ,
        &[("Cookie", None), ("Authorization", Some("Bearer fbx_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))],
        401,
    ),
    ("read: an empty token", READ, &[("Cookie", None), ("Authorization", Some("Bearer "))], 401),
    ("read: half a token", READ, &[("Cookie", None), ("Authorization", Some("Bearer fbx_"))], 401),
    (
        "read: two tokens",
        READ,
        &[("Cookie", None), ("Authorization", Some("Bearer READ")), ("+Authorization", Some("Bearer READ"))],
        401,
    ),
    ("read: a wrong token beside the cookie", READ, &[("Authorization", Some("Bearer x"))], 401),
    ("read: a token in the query", ("GET", "/api/sensor?token=x", ""), &[("Cookie", None)], 401),
    ("heat: a token that may read", HEAT, &[("Cookie", None), ("Authorization", Some("Bearer READ"))], 403),
    ("settings: a token that may switch", SET, &[("Cookie", None), ("Authorization", Some("Bearer CONTROL"))], 403),
    (
        "tokens: a token that may switch",
        ("GET", "/api/tokens", ""),
        &[("Cookie", None), ("Authorization", Some("Bearer CONTROL"))],
        403,
    ),
    (
        "token: a token makes itself another",
        ("POST", "/api/tokens", r#"{"name":"x","scope":"control"}"#),
        &[("Cookie", None), ("Authorization", Some("Bearer CONTROL"))],
        403,
    ),
    (
        "heat: a token from another page",
        HEAT,
        &[("Cookie", None), ("Authorization", Some("Bearer CONTROL")), ("Origin", EVIL)],
        403,
    ),
    (
        "heat: a token without our header",
        HEAT,
        &[("Cookie", None), ("Authorization", Some("Bearer CONTROL")), ("X-FilamentBox", None)],
        403,
    ),
    (
        "heat: a token with a form",
        HEAT,
        &[("Cookie", None), ("Authorization", Some("Bearer CONTROL")), ("Content-Type", Some("text/plain"))],
        415,
    ),
    ("setup code: over the port", ("POST", "/api/setup/code", "{}"), &[], 403),
    (
        "setup: a made-up code",
        ("POST", "/api/setup", r#"{"code":"00000-00000","password":"0123456789"}"#),
        &[("Cookie", None)],
        410,
    ),
    ("login: not JSON", ("POST", "/api/login", "password"), &[("Cookie", None)], 400),
    ("login: a field too much", ("POST", "/api/login", r#"{"password":"x","admin":true}"#), &[("Cookie", None)], 400),
];

/// What must be so in every answer.
#[track_caller]
fn check_answer(name: &str, answer: &Answer, status: u16) {
    let Answer { head, body, .. } = answer;
    assert_eq!(answer.status, status, "{name}\n{head}\n{body}");
    let lines = head.to_ascii_lowercase();
    assert!(!lines.contains("access-control-"), "{name}: a CORS header\n{head}");
    for (header, value) in [
        (
            "content-security-policy",
            "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(header), Some(value), "{name}: {header}\n{head}");
    }
    assert!(answer.header("permissions-policy").is_some_and(|value| value.contains("camera=()")), "{name}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}\n{head}");
    if status >= 400 {
        assert!(answer.json()["error"].as_str().is_some_and(|error| error.len() > 10), "{name}: {body}");
        for told in ["temperature", "humidity", "uptime", "version", "argon2"] {
            assert!(!body.contains(told), "{name} tells {told}: {body}");
        }
        assert_eq!(answer.cookie(), None, "{name}");
    }
}

#[track_caller]
fn refuse_all(scene: &Scene, rows: &[Row<'_>]) {
    for (name, asked, differs, status) in rows {
        // A method that the server itself does not know has its own answer.
        check_answer(name, &scene.ask(*asked, differs), *status);
    }
    let setting = scene.daemon.ask(&["config", "get", "heating_control.max_temp_c"]);
    assert!(!setting.contains("61"), "a setting was changed: {setting}");
    let listed = scene.daemon.ask(&["config", "token", "list"]);
    assert!(!listed.contains("evil") && !listed.contains('x'), "a token was made: {listed}");
    assert!(!scene.has_heated(), "the heater was on");
}

/// Each table is worth something only if the request that its rows differ from works.
#[track_caller]
fn the_owner_may(scene: &Scene) {
    for asked in [READ, SESSION, STREAM, OFF] {
        let answer = scene.ask(asked, &[]);
        assert_eq!(answer.status, 200, "{asked:?}: {}", answer.body);
    }
    for origin in ["same-origin", "none"] {
        assert_eq!(scene.ask(READ, &[("Sec-Fetch-Site", Some(origin))]).status, 200, "{origin}");
    }
    assert_eq!(scene.ask(STREAM, &[("Origin", Some("http://HOST"))]).status, 200);
    let answer = scene.ask(SET, &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = scene.ask(HEAT, &[("Content-Type", Some("application/json; charset=utf-8"))]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    scene.daemon.wait_for_output("heater", true);
    assert_eq!(scene.ask(OFF, &[("Cookie", None)]).status, 200, "off is open to who is not logged in");
    scene.daemon.wait_for_output("heater", false);
}

#[test]
fn another_page_in_the_owners_browser_can_do_nothing() {
    let scene = Scene::owned();
    refuse_all(&scene, CROSS_SITE);
    the_owner_may(&scene);
}

#[test]
fn a_rebound_name_is_not_answered() {
    let scene = Scene::owned();
    refuse_all(&scene, REBINDING);
    for host in ["localhost", "LocalHost.:1", "box.example", "Box.Example.:8443", "filamentbox.local:80"] {
        let answer = scene.ask(READ, &[("Host", Some(host))]);
        assert_eq!(answer.status, 200, "{host}: {}", answer.body);
    }
    // Behind a reverse proxy that speaks https, and passes the host on.
    let proxied = [("Host", Some("box.example")), ("Origin", Some("https://box.example"))];
    assert_eq!(scene.ask(OFF, &proxied).status, 200);
    the_owner_may(&scene);
}

#[test]
fn credentials_that_are_none_are_worth_nothing() {
    let scene = Scene::owned();
    refuse_all(&scene, CREDENTIALS);
    let bearer = |word| [("Cookie", None), ("Origin", None), ("Authorization", Some(word))];
    assert_eq!(scene.ask(READ, &bearer("Bearer READ")).status, 200);
    assert_eq!(scene.ask(OFF, &bearer("bearer READ")).status, 200, "off is open to a token that may only read");
    let answer = scene.ask(HEAT, &bearer("Bearer CONTROL"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    scene.daemon.wait_for_output("heater", true);
    the_owner_may(&scene);
}

/// Before anybody has set a password, everybody may do the same: switch off.
#[test]
fn a_new_daemon_is_locked() {
    const ROWS: &[Row<'_>] = &[
        ("read", READ, &[], 401),
        ("heat", HEAT, &[], 401),
        ("settings", SET, &[], 401),
        ("stream", STREAM, &[], 401),
        ("fan", ("POST", "/api/controls/fan", r#"{"state":true}"#), &[], 401),
        ("reset", ("POST", "/api/safety/reset", "{}"), &[], 401),
        ("dead letters", ("POST", "/api/database/deadletters/drop", "{}"), &[], 401),
        ("history", ("GET", "/api/history/export", ""), &[], 401),
        ("login without a password", ("POST", "/api/login", r#"{"password":""}"#), &[], 403),
        ("a password that nobody set", ("PUT", "/api/config/webui.password", r#"{"value":"0123456789"}"#), &[], 401),
        ("a code that nobody made", ("POST", "/api/setup", r#"{"code":"","password":"0123456789"}"#), &[], 403),
        ("off from another page", OFF, &[("Origin", EVIL)], 403),
    ];
    let scene = Scene::locked();
    refuse_all(&scene, ROWS);
    let session = scene.ask(SESSION, &[]).json();
    assert_eq!((&session["state"], &session["rights"]), (&"setup".into(), &serde_json::json!([])), "{session}");
    for _ in 0..20 {
        check_answer("off", &scene.ask(OFF, &[]), 200);
    }
}

/// `run --simulate` asks nobody for a password, and still is not every web page's toy.
#[test]
fn a_simulated_box_is_open_to_its_own_page_only() {
    let scene = Scene::simulated();
    for (name, asked, differs, status) in CROSS_SITE.iter().chain(REBINDING) {
        // There is no cookie here that could be abused, and programs on this machine say no origin.
        if *name != "heat: no origin, with a cookie" {
            check_answer(name, &scene.ask(*asked, differs), *status);
        }
    }
    let answer = scene.ask(READ, &[]);
    assert_eq!((answer.status, answer.json()["simulated"].as_bool()), (200, Some(true)), "{}", answer.body);
    assert_eq!(scene.ask(SESSION, &[]).json()["state"], "open");
    assert!(!scene.daemon.log().contains("setup#code"), "no code for a box without a password");
    let answer = scene.ask(HEAT, &[("Origin", None)]);
    assert_eq!(answer.status, 200, "a program on this machine: {}", answer.body);
    scene.daemon.wait_for_output("heater", true);
}

/// An address is the one at which the connection arrived, on a machine with several.
#[test]
fn an_address_is_where_a_connection_arrived() {
    let scene = Scene::start(|daemon| {
        daemon.set("webui.host", "0.0.0.0");
    });
    let other = std::net::SocketAddr::from(([127, 0, 0, 2], scene.address.port()));
    let ask = |host| scene.ask_at(other, "GET", "/api/session", "", &[("Host", Some(host))]).status;
    assert_eq!(ask("127.0.0.2"), 200);
    for host in ["127.0.0.1", "0.0.0.0", "[::1]"] {
        assert_eq!(ask(host), 421, "{host}");
    }
}

/// What is public is only reading, and only for our own page.
#[test]
fn reading_can_be_public() {
    let scene = Scene::start(|daemon| {
        daemon.real().set("sensor.type", "simulated").set("webui.public_read", "true");
    });
    assert_eq!(scene.ask(READ, &[]).status, 200);
    assert_eq!(scene.ask(SESSION, &[]).json()["rights"], serde_json::json!(["read"]));
    for (name, asked, differs, status) in [
        ("heat", HEAT, &[][..], 401),
        ("settings", SET, &[], 401),
        ("tokens", ("GET", "/api/tokens", ""), &[], 401),
        ("read from another page", READ, &[("Origin", EVIL)], 403),
        ("stream from another page", STREAM, &[CROSS], 403),
        ("a rebound name", READ, &[("Host", Some("evil.example"))], 421),
    ] {
        check_answer(name, &scene.ask(asked, differs), status);
    }
    assert!(!scene.has_heated());
}
