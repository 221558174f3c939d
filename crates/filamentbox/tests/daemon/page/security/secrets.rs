//! What opens the door is shown nowhere: not in answers, events, log, settings or files.

use serde_json::json;

use super::scene::{PASSWORD, Scene};

const PATHS: &[&str] = &[
    "/api/session",
    "/api/status",
    "/api/controls",
    "/api/database",
    "/api/events?limit=1000",
    "/api/config/webui.password",
    "/api/config/webui.tokens.control",
    "/api/config/section/webui",
    "/api/tokens",
    "/api/threads",
    "/api/notifications",
    "/api/openapi.json",
    "/metrics",
    "/healthz",
    "/nothing",
];

const COMMANDS: &[&[&str]] = &[
    &["status", "--json"],
    &["events", "--limit", "1000"],
    &["config", "list"],
    &["config", "export"],
    &["config", "audit"],
    &["config", "token", "list", "--json"],
    &["doctor", "--json"],
];

#[test]
fn no_password_cookie_code_or_token_is_shown() {
    let scene = Scene::owned();
    let secret = |text: &str| text.split('=').next_back().unwrap_or_default().to_owned();
    let code = scene.setup_code();
    // Everything that can go wrong with them.
    scene.log_in("hunter2 hunter2");
    scene.set_up(&code, "hunter2");
    scene.set_up("hunter2-code", PASSWORD);
    let body = json!({ "password": PASSWORD, "hunter2": "hunter2" }).to_string();
    let answers = [
        scene.ask_with("POST", "/api/login", &body, &[]),
        scene.ask_with("POST", "/api/login", "hunter2", &[]),
        scene.ask_with("PUT", "/api/config/webui.password", r#"{"value":"hunter2"}"#, &[]),
        scene.ask_with("PUT", "/api/config/webui.tokens.x", r#"{"value":"hunter2"}"#, &[]),
    ];
    let refused = scene.daemon.cli(&["config", "set", "webui.tokens.y", "hunter2"]);
    assert!(answers.iter().all(|answer| answer.status == 400) && refused.status.code() == Some(2));
    let mut shown: Vec<(String, String)> =
        answers.iter().map(|answer| ("a refusal".to_owned(), answer.body.clone())).collect();
    shown.push(("a refusal".to_owned(), String::from_utf8_lossy(&refused.stderr).into_owned()));
    for path in PATHS {
        let answer = scene.ask_with("GET", path, "", &[]);
        shown.push(((*path).to_owned(), answer.head + &answer.body));
    }
    for command in COMMANDS {
        let output = scene.daemon.cli(command);
        let text = [output.stdout, output.stderr].concat();
        shown.push((command.join(" "), String::from_utf8_lossy(&text).into_owned()));
    }
    let reveal = scene.daemon.ask(&["config", "get", "webui.password", "--reveal"]);
    let hash = reveal.trim().to_owned();
    assert!(hash.contains("$argon2id$"), "{hash}");
    let token_hash = scene.daemon.ask(&["config", "get", "webui.tokens.control", "--reveal"]);
    let secrets = [
        PASSWORD.to_owned(),
        "hunter2".to_owned(),
        secret(scene.word("COOKIE")),
        scene.word("READ").to_owned(),
        scene.word("CONTROL").to_owned(),
        code.clone(),
        code.replace('-', ""),
        hash.rsplit('$').next().unwrap_or_default().to_owned(),
        token_hash.trim().rsplit(':').next().unwrap_or_default().to_owned(),
    ];
    assert!(secrets.iter().all(|secret| secret.len() >= 7), "{secrets:?}");
    shown.push(("the log".to_owned(), scene.daemon.log()));
    for entry in std::fs::read_dir(scene.daemon.folder()).expect("the folder").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        shown.push((entry.path().display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    for (place, text) in &shown {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is shown by {place}: {text}");
        }
    }
    // The search finds what is there: the code of the start, which the log is to show.
    let log = scene.daemon.log();
    assert!(log.contains("/setup#code="), "{log}");
}
