//! A token's life: renewed, at its end, revoked; and secret ids that can be used once.

use std::time::{Duration, Instant};

use filamentbox::settings::Access;
use filamentbox::settings::vault::{News, Secret, VaultError, Watch};
use serde_json::{Value, json};

use super::*;
use crate::support::{Daemon, wait_until};

/// Refreshes as the daemon does for `span`, and wants no trouble.
#[track_caller]
fn watch_in_peace(watch: &mut Watch, span: Duration) {
    let start = Instant::now();
    while start.elapsed() < span {
        let news = watch.refresh();
        assert!(news.is_empty(), "{news:?}");
        std::thread::sleep(watch.pause());
    }
}

fn watch(home: &Home, set: &[(&str, &str)]) -> Watch {
    home.open(Access::Create, set).expect("a start").watch_vault().expect("Vault is named")
}

/// A short life: seconds.
const TTL_S: u64 = 5;

#[test]
fn a_token_is_renewed_and_a_role_logs_in_again_when_it_cannot_be() {
    let Some(bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config_key", &json!({"key": "k"}));
    let (url, home) = (bao.url(), Home::new());
    // A store is made before a life begins: that takes its time.
    home.load(Access::Create, &[("VAULT_ADDR", &url), ("VAULT_TOKEN", BaoServer::ROOT)]).expect("a start");
    let token = bao.token(READ, json!({"ttl": format!("{TTL_S}s"), "renewable": true}));
    let mut watched = watch(&home, &[("VAULT_ADDR", &url), ("VAULT_TOKEN", &token)]);
    assert!(watched.refresh().is_empty() && watched.pause() < Duration::from_secs(TTL_S), "{:?}", watched.pause());
    watch_in_peace(&mut watched, Duration::from_secs(2 * TTL_S));

    let fixed = bao.token(READ, json!({"ttl": format!("{TTL_S}s"), "renewable": false}));
    let mut watched_fixed = watch(&home, &[("VAULT_ADDR", &url), ("VAULT_TOKEN", &fixed)]);
    let mut news = watched_fixed.refresh();
    while news.is_empty() {
        std::thread::sleep(watched_fixed.pause());
        news = watched_fixed.refresh();
    }
    let [News::Lost(VaultError::TokenEnds { .. } | VaultError::TokenRefused { .. })] = news.as_slice() else {
        panic!("{news:?}")
    };

    // Twice its length is the longest life of this one's tokens.
    let role_id = bao.role(READ, json!({"token_ttl": format!("{TTL_S}s"), "token_max_ttl": format!("{}s", 2 * TTL_S)}));
    let secret_id = bao.secret_id();
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_ROLE_ID", &role_id), ("VAULT_SECRET_ID", &secret_id)];
    let mut watched = watch(&home, &set);
    watch_in_peace(&mut watched, Duration::from_secs(3 * TTL_S));

    bao.ask("POST", "sys/leases/revoke-prefix/auth/approle/login", json!({"sync": true}));
    let news = watched.refresh();
    assert!(news.is_empty(), "logged in again: {news:?}");
}

#[test]
fn changes_and_refusals_are_told_once() {
    let Some(bao) = BaoServer::start() else { return };
    let (url, home) = (bao.url(), Home::new());
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", BaoServer::ROOT)];
    let mut sources = home.open(Access::Create, &set).expect("a start");
    let mut watch = sources.watch_vault().expect("Vault is named");
    assert!(watch.refresh().is_empty());
    let normal = watch.pause();

    bao.put("filamentbox/config", &json!({"sensor.type": "dht22"}));
    let news = watch.refresh();
    let [News::Values(values)] = news.as_slice() else { panic!("{news:?}") };
    assert_eq!(*values, [pair("sensor.type", "dht22")]);
    assert!(sources.set_vault(values.clone()), "they are others");
    assert!(!sources.set_vault(values.clone()), "they are the same");
    assert_eq!(sources.load().expect("allowed").settings.text("sensor.type"), "dht22");
    assert!(watch.refresh().is_empty());

    bao.seal();
    let news = watch.refresh();
    assert!(matches!(news.as_slice(), [News::Lost(VaultError::Sealed { .. })]), "{news:?}");
    let News::Lost(sealed) = &news[0] else { panic!("{news:?}") };
    assert_words(sealed, &["is sealed", "unseal"]);
    for _ in 0..3 {
        assert!(watch.refresh().is_empty());
    }
    assert!(watch.pause() > normal, "{:?}", watch.pause());
    bao.unseal();
    let news = watch.refresh();
    assert!(matches!(news.as_slice(), [News::Back]), "{news:?}");
    assert_eq!(watch.pause(), normal);
    assert_eq!(sources.load().expect("allowed").settings.text("sensor.type"), "dht22");
}

#[test]
fn a_running_daemon_goes_by_what_vault_says() {
    let Some(bao) = BaoServer::start() else { return };
    let mut daemon = Daemon::new();
    daemon.variable("VAULT_ADDR", &bao.url()).variable("VAULT_TOKEN", BaoServer::ROOT).start();
    let (_, before) = daemon.http("GET", "/api/config/data_collection.measurement", "");
    assert_eq!((&before["value"], &before["source"]), (&json!("environment"), &json!("default")));
    bao.put("filamentbox/config", &json!({"data_collection.measurement": "from_vault"}));
    daemon.signal("-HUP");
    wait_until("Vault's setting holds", || {
        let (_, now) = daemon.http("GET", "/api/config/data_collection.measurement", "");
        now["value"] == "from_vault" && now["source"] == "vault"
    });
    // What is refused is said, and what held goes on.
    bao.put("filamentbox/config", &json!({"data_collection.read_interval": "never"}));
    daemon.signal("-HUP");
    let problems = |status: Option<Value>| status.is_some_and(|status| status["settings"]["problems"][0].is_string());
    wait_until("the refusal is shown", || problems(daemon.status()));
    let (_, now) = daemon.http("GET", "/api/config/data_collection.measurement", "");
    assert_eq!(now["value"], "from_vault");
    assert!(daemon.stop().success());
    forget_ram(daemon.folder());
}

#[test]
fn a_revoked_token_is_told_of_unless_a_role_can_take_over() {
    let Some(bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config", &json!({"sensor.type": "dht22"}));
    let (url, token) = (bao.url(), bao.token(READ, json!({})));
    let (role_id, secret_id) = (bao.role(READ, json!({})), bao.secret_id());
    let mut alone = with_token(&bao, &token);
    let role = [("VAULT_ROLE_ID", role_id.as_str()), ("VAULT_SECRET_ID", &secret_id)];
    let mut with_role = open(&[&[("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", &token)], &role[..]].concat());
    assert!(alone.read_values().is_ok() && with_role.read_values().is_ok());
    bao.ask("POST", "auth/token/revoke", json!({"token": token}));
    assert!(matches!(refusal(&mut alone, &[&token]), VaultError::TokenRefused { .. }));
    assert_eq!(with_role.read_values().expect("the role took over"), [pair("sensor.type", "dht22")]);
}

#[test]
fn a_wrapped_secret_id_is_unwrapped_once_and_outlives_restarts() {
    let Some(bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config_key", &json!({"key": "k"}));
    let (url, role_id, wrapped) = (bao.url(), bao.role(READ, json!({})), bao.wrapped_secret_id());
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_ROLE_ID", &role_id), ("VAULT_SECRET_ID_WRAPPED", &wrapped)];
    // A command before the first start must not spend it: there is no folder, so nobody knows whose it will be.
    let home = Home::new();
    let missing = Places::new(home.path().join("later"), None);
    let error = Sources::open(missing, Access::Existing, false, variables(&set)).map(drop).expect_err("too early");
    assert!(matches!(error, SettingsError::Vault(VaultError::UnwrapByDaemon)), "{error}");

    for _ in 0..3 {
        home.load(Access::Create, &set).expect("a start");
    }
    home.load(Access::Existing, &set).expect("a command");
    let error = Home::new().load(Access::Create, &set).map(drop).expect_err("it is spent");
    assert_words(&error, &["unwrapped before", "somebody else"]);
    assert!(!error.to_string().contains(&wrapped));
    home.forget_ram();
    assert!(home.load(Access::Create, &set).is_err(), "a new boot needs a new one");
    let fresh = bao.wrapped_secret_id();
    home.load(Access::Create, &[set[0], set[1], ("VAULT_SECRET_ID_WRAPPED", &fresh)]).expect("a new one");
}

#[test]
fn a_secret_id_is_also_unwrapped_after_a_start_without_vault() {
    let Some(bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config", &json!({"sensor.type": "dht22"}));
    let (url, home, role_id) = (bao.url(), Home::new(), bao.role(READ, json!({})));
    let with_token = [("CONFIG_ENCRYPTION_KEY", "k"), ("VAULT_ADDR", &url), ("VAULT_TOKEN", BaoServer::ROOT)];
    home.load(Access::Create, &with_token).expect("a start");
    let wrapped = bao.wrapped_secret_id();
    let set = [with_token[0], with_token[1], ("VAULT_ROLE_ID", &role_id), ("VAULT_SECRET_ID_WRAPPED", &wrapped)];
    bao.seal();
    let mut watch = watch(&home, &set);
    assert!(watch.refresh().is_empty(), "that has been said");
    bao.unseal();
    let news = watch.refresh();
    assert!(matches!(news.as_slice(), [News::Back]), "{news:?}");
    home.load(Access::Create, &set).expect("it was kept");
}

#[test]
fn a_daemon_follows_a_key_that_somebody_else_rotates() {
    let Some(bao) = BaoServer::start() else { return };
    let (url, home) = (bao.url(), Home::new());
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", BaoServer::ROOT)];
    let daemon = home.open(Access::Create, &set).expect("a start");
    let _watch = daemon.watch_vault().expect("Vault is named");
    let key = || bao.ask("GET", "secret/data/filamentbox/config_key", Value::Null)["data"]["data"]["key"].clone();
    let before = key();
    home.open(Access::Create, &set).expect("a command").rotate(None).expect("rotated");
    assert_ne!(before, key());
    daemon.load().expect("the store opens with the new key");
    home.load(Access::Create, &set).expect("so it does at a start");
}

#[test]
fn a_key_that_is_replaced_stays_as_the_version_before() {
    let Some(bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config_key", &json!({"key": "old"}));
    let mut vault = with_token(&bao, BaoServer::ROOT);
    vault.replace_key(&Secret::from("new".to_owned())).expect("written");
    assert_eq!(vault.read_key().expect("readable").expect("a key").expose(), "new");
    let before = bao.ask("GET", "secret/data/filamentbox/config_key?version=1", Value::Null);
    assert_eq!(before["data"]["data"]["key"], "old");
    let reader = bao.token(READ, json!({}));
    let error = with_token(&bao, &reader).replace_key(&Secret::from("x".to_owned())).expect_err("it may not");
    assert_words(&error, &["secret/data/filamentbox/config_key", "update"]);
}
