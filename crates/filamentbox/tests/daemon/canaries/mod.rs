//! No secret is shown anywhere: unique ones are planted wherever one can be given, everything that talks is made to talk, and everything
//! that it said or wrote is searched for them.
//!
//! A secret that a new part of the program takes belongs here: a setting of the kind "secret" is planted by itself, a variable of the
//! environment by a line in [`OTHER_VARIABLES`], a command by a line in [`COMMANDS`], a path of the API by a line in [`PATHS`].

mod echo;
mod search;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use filamentbox::runtime::folder::SOCKET_NAME;
use filamentbox::settings::{Access, Change, Places, Sources, registry};
use filamentbox::sinks::SINKS;
use filamentbox_core::config::KeySpec;

use crate::support::{Daemon, PATIENCE, child_of, wait_until};
use echo::Echo;
use search::Canaries;

/// Secrets in the environment that are no settings, and where their server is.
const OTHER_VARIABLES: [&str; 4] = ["VAULT_TOKEN", "VAULT_ROLE_ID", "VAULT_SECRET_ID", "VAULT_SECRET_ID_WRAPPED"];

/// Every command that shows something, without asking for secrets.
const COMMANDS: &[&[&str]] = &[
    &["config", "list"],
    &["config", "list", "--json"],
    &["config", "list", "--simulate"],
    &["config", "describe"],
    &["config", "export"],
    &["config", "audit"],
    &["config", "key", "show-location"],
    &["status"],
    &["status", "--json"],
    &["outbox"],
    &["outbox", "--json"],
    &["outbox", "deadletter", "list"],
    &["outbox", "deadletter", "list", "--json"],
    &["events"],
    &["events", "--json"],
    &["doctor"],
    &["doctor", "--json"],
    &["database", "test"],
    &["database", "test", "--json"],
    &["history", "export"],
    &["sensor", "read"],
    &["outputs", "off"],
];

/// Every path that can be read.
const PATHS: &[&str] = &[
    "/api/status",
    "/api/sensor",
    "/api/controls",
    "/api/database",
    "/api/database/deadletters",
    "/api/events",
    "/api/history/export",
    "/api/config/section/database",
    "/api/config/section/alerts",
    "/api/config/database.influxdb_v1.password",
    "/metrics",
    "/healthz",
];

/// A proxy's password has to stay in the environment.
const PROXY: &str = "HTTP_PROXY";

/// Which of two secrets that exclude each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Login {
    Password,
    Token,
}

struct Scene {
    daemon: Daemon,
    canaries: Canaries,
    http: Echo,
    sql: Echo,
}

impl Scene {
    /// Every backend, a webhook, a program and a proxy; the secrets are not given yet.
    fn new(login: Login) -> Self {
        let mut scene =
            Self { daemon: Daemon::new(), canaries: Canaries::default(), http: Echo::http(), sql: Echo::postgresql() };
        let daemon = &mut scene.daemon;
        let all: Vec<&str> = SINKS.iter().map(|kind| kind.name).collect();
        daemon.set("database.type", &all.join(","));
        for spec in SINKS.iter().flat_map(|kind| kind.keys) {
            let value = match spec.key.rsplit('.').next() {
                Some("url") => scene.http.url(),
                Some("database" | "org" | "bucket") => "filament".to_owned(),
                Some("username") if login == Login::Password || !has(&sibling(spec.key, "token")) => "ann".to_owned(),
                Some("host") => scene.sql.address.ip().to_string(),
                Some("port") => scene.sql.address.port().to_string(),
                Some("ssl_mode") => "disable".to_owned(),
                _ => continue,
            };
            daemon.set(spec.key, &value);
        }
        // Not on this machine, so through the proxy.
        daemon.set("database.victoriametrics.url", "http://victoria.example");
        let password = scene.canaries.plant(PROXY);
        daemon.variable(PROXY, &format!("http://ann:{password}@{}", scene.http.address));
        daemon.set("data_collection.flush_interval", "1");
        daemon.set("retry.alert_threshold", "1").set("retry.backoff_base", "0.1").set("retry.backoff_max", "1");
        let file = daemon.folder().join("alert");
        daemon.set("alerts.command", &format!("sh -c 'env > \"$1\"; cat >> \"$1\"; exit 1' sh '{}'", file.display()));
        daemon.argument("--debug");
        // Where a crash would leave its file.
        let folder = daemon.folder().display().to_string();
        let script = "cd \"$0\" && ulimit -c unlimited && exec \"$@\"".to_owned();
        daemon.under(vec!["sh".to_owned(), "-c".to_owned(), script, folder]);
        scene
    }

    /// A value for every secret setting that goes with `login`, planted.
    fn plant_settings(&mut self, login: Login) -> Vec<(&'static str, String)> {
        let mut values = Vec::new();
        // The page's own, which are kept as hashes, have a test of their own (`page::security::secrets`).
        let is_planted = |spec: &&&KeySpec| spec.is_secret() && !spec.key.starts_with("webui.");
        for spec in registry().specs().iter().filter(is_planted) {
            let part = spec.key.rsplit('.').next();
            let excluded = match login {
                Login::Password => part == Some("token") && has(&sibling(spec.key, "password")),
                Login::Token => part == Some("password") && has(&sibling(spec.key, "token")),
            };
            let value = match spec.key {
                _ if excluded => continue,
                "alerts.webhook_url" => {
                    let (path, query) = (self.canaries.plant(spec.key), self.canaries.plant(spec.key));
                    format!("{}/hook/{path}?key={query}", self.http.url())
                }
                key => self.canaries.plant_awkward(key),
            };
            values.push((spec.key, value));
        }
        values
    }

    /// The daemon works, fails, is asked everything, and crashes.
    fn play(&mut self) {
        self.daemon.start();
        let (http, sql, alert) = (&self.http, &self.sql, self.daemon.folder().join("alert"));
        wait_until("refusals", || http.requests() >= 60 && sql.requests() >= 3 && alert.exists());
        self.search_processes();
        let changed = self.canaries.plant_awkward("a change beside the daemon");
        self.run(&["config", "set", "database.influxdb_v1.password", &changed]);
        self.daemon.signal("-HUP");
        self.ask_everything();
        for signal in ["-ABRT", "-SEGV", "-TERM"] {
            if signal != "-ABRT" {
                self.daemon.start();
            }
            // Rust takes the first SIGSEGV that comes from outside for a full stack, and ends with the second.
            self.daemon.signal(signal);
            self.daemon.signal(signal);
            self.daemon.stop();
        }
        let folder = self.daemon.folder().to_owned();
        self.canaries.search_folder(&folder);
        if !crashes_leave_files() {
            println!(
                "not examined: the file of a crash, as none lands in the working folder here (kernel.core_pattern)"
            );
        }
        assert!(!has_crash_file(&folder), "a crash of the daemon left its memory in {}", folder.display());
        for ram_disk in ["/dev/shm", "/run/shm"] {
            for entry in std::fs::read_dir(ram_disk).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().contains("filamentbox") {
                    self.canaries
                        .search(&entry.path().display().to_string(), &std::fs::read(entry.path()).unwrap_or_default());
                    self.canaries.search_folder(&entry.path());
                }
            }
        }
    }

    fn search_processes(&mut self) {
        let guard = child_of(&self.daemon);
        assert!(!guard.is_empty(), "a guard");
        for (whose, pid) in [("daemon", self.daemon.pid().to_string()), ("guard", guard)] {
            for file in ["cmdline", "environ"] {
                let path = format!("/proc/{pid}/{file}");
                match std::fs::read(&path) {
                    Ok(bytes) if whose == "daemon" => self.canaries.search_except(&path, &bytes, &[PROXY]),
                    Ok(bytes) => self.canaries.search(&path, &bytes),
                    Err(problem) => println!("not searched: {path} of the {whose}: {problem} (for root only)"),
                }
            }
        }
    }

    fn ask_everything(&mut self) {
        for command in COMMANDS {
            self.run(command);
        }
        for spec in registry().specs().iter().filter(|spec| spec.is_secret()) {
            self.run(&["config", "get", spec.key]);
        }
        for path in PATHS {
            let answer = get(&self.daemon.folder().join(SOCKET_NAME), path);
            self.canaries.search(path, &answer);
        }
    }

    fn run(&mut self, command: &[&str]) {
        let output = self.daemon.cli(command);
        self.canaries.search(&command.join(" "), &[output.stdout, output.stderr].concat());
    }

    /// The search finds what is shown when somebody asks for it.
    fn reveal(&mut self, shown: usize) {
        let output = self.daemon.cli(&["config", "list", "--reveal"]);
        self.canaries.search("revealed", &output.stdout);
        let planted = |(place, planted, _): &(String, String, String)| (place == "revealed").then(|| planted.clone());
        let found: std::collections::BTreeSet<String> = self.canaries.found.iter().filter_map(planted).collect();
        assert_eq!(found.len(), shown, "{found:?} in {}", String::from_utf8_lossy(&output.stdout));
    }
}

fn has(key: &str) -> bool {
    registry().find(key).is_some()
}

/// The key beside `key` whose last part is `part`.
fn sibling(key: &str, part: &str) -> String {
    format!("{}.{part}", key.rsplit_once('.').expect("dotted").0)
}

/// What the daemon answers on its socket: head and body.
fn get(socket: &Path, path: &str) -> Vec<u8> {
    let mut stream = UnixStream::connect(socket).expect("the daemon's socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a listener");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    answer
}

#[test]
fn no_secret_of_the_environment_is_shown_anywhere() {
    let mut scene = Scene::new(Login::Password);
    let values = scene.plant_settings(Login::Password);
    for (key, value) in &values {
        scene.daemon.set(key, value);
    }
    let key = scene.canaries.plant("CONFIG_ENCRYPTION_KEY");
    scene.daemon.variable("CONFIG_ENCRYPTION_KEY", &key);
    scene.play();
    scene.canaries.assert_none_found();
    scene.reveal(values.len());
}

#[test]
fn no_secret_of_the_store_is_shown_anywhere() {
    let mut scene = Scene::new(Login::Token);
    let values = scene.plant_settings(Login::Token);
    let key = scene.canaries.plant_awkward("FILAMENTBOX_CONFIG_KEY");
    scene.daemon.variable("FILAMENTBOX_CONFIG_KEY", &key);
    let variables = vec![("FILAMENTBOX_CONFIG_KEY".into(), key.into())];
    let places = Places::new(scene.daemon.folder().to_owned(), None);
    let mut sources = Sources::open(places, Access::Create, false, variables).expect("a store");
    let changes = values.iter().map(|(key, value)| Change { key: (*key).to_owned(), text: Some(value.clone()) });
    sources.change(&changes.collect::<Vec<_>>(), "a test").expect("allowed");
    drop(sources);
    scene.play();
    scene.canaries.assert_none_found();
    scene.reveal(values.len());
}

/// Settings that are refused, and credentials for a server that repeats them: whatever the daemon does then, it shows none.
#[test]
fn no_refused_secret_is_shown() {
    let mut canaries = Canaries::default();
    let echo = Echo::http();
    let secret = canaries.plant_awkward("a refused setting");
    let refused = [
        ("FILAMENTBOX_DATABASE__INFLUXDB_V2__TOKEN", format!("{secret}\n")),
        ("FILAMENTBOX_DATABASE__INFLUXDB_V2__TOKN", secret.clone()),
        ("FILAMENTBOX_DATABASE_INFLUXDB_V2_TOKEN", secret.clone()),
        ("FILAMENTBOX_TOKEN", secret.clone()),
        ("FILAMENTBOX_DATABASE__INFLUXDB_V1__URL", format!("http://ann:{secret}@127.0.0.1")),
        ("FILAMENTBOX_DATABASE__INFLUXDB_V1__URL", format!("http://127.0.0.1/write?p={secret}")),
        ("FILAMENTBOX_ALERTS__WEBHOOK_URL", format!("ftp://127.0.0.1/{secret}")),
        ("FILAMENTBOX_ALERTS__WEBHOOK_URL", secret),
    ];
    for (name, value) in refused {
        let mut daemon = Daemon::new();
        // A value that nobody refuses ends here too.
        daemon.set("sensor.type", "nonsense").variable(name, &value);
        let output = daemon.start_in_vain();
        assert!(!output.status.success());
        canaries.search(name, &[output.stdout, output.stderr].concat());
        let output = daemon.cli(&["config", "list"]);
        canaries.search(name, &[output.stdout, output.stderr].concat());
        canaries.search_folder(daemon.folder());
    }
    for name in OTHER_VARIABLES {
        let mut daemon = Daemon::new();
        daemon.variable("VAULT_ADDR", &echo.url());
        for name in [name, "VAULT_ROLE_ID"] {
            let value = canaries.plant(name);
            daemon.variable(name, &value);
        }
        for command in [&["config", "list"][..], &["database", "test"], &["doctor"]] {
            let output = daemon.cli(command);
            canaries.search(&format!("{name}: {}", command.join(" ")), &[output.stdout, output.stderr].concat());
        }
        daemon.set("sensor.type", "nonsense");
        let output = daemon.start_in_vain();
        canaries.search(&format!("{name}: run"), &[output.stdout, output.stderr].concat());
        canaries.search_folder(daemon.folder());
    }
    canaries.assert_none_found();
}

/// Whether an ordinary program leaves one: if not, that the daemon leaves none says nothing.
fn crashes_leave_files() -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "ulimit -c unlimited && exec sh -c 'kill -SEGV $$'";
    let ended = Command::new("sh").args(["-c", script]).current_dir(&folder).status().expect("sh");
    assert!(!ended.success());
    has_crash_file(folder.path())
}

fn has_crash_file(folder: &Path) -> bool {
    let names = std::fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.file_name());
    names.into_iter().any(|name| name.to_string_lossy().starts_with("core"))
}
