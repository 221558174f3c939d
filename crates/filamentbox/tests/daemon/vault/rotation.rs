//! The store's key made new where Vault has it, also when that is broken off or Vault is away.

use filamentbox::settings::{Access, Change, KeySource, SettingsError};
use serde_json::{Value, json};

use super::Home;
use crate::support::BaoServer;

fn key_in(bao: &BaoServer) -> String {
    let answer = bao.ask("GET", "secret/data/filamentbox/config_key", Value::Null);
    answer["data"]["data"]["key"].as_str().expect("a key").to_owned()
}

fn set(home: &Home, pairs: &[(&str, &str)], text: &str) -> Result<(), SettingsError> {
    let change = Change { key: "queue.max_size".to_owned(), text: Some(text.to_owned()) };
    home.open(Access::Create, pairs)?.change(&[change], "test").map(drop)
}

#[track_caller]
fn assert_value(home: &Home, pairs: &[(&str, &str)], text: &str) {
    let loaded = home.load(Access::Existing, pairs).expect("it opens");
    assert_eq!(loaded.settings.get("queue.max_size").expect("a default").text.expose(), text);
}

#[test]
fn a_key_in_vault_is_made_new_there() {
    let Some(bao) = BaoServer::start() else { return };
    let (home, url) = (Home::new(), bao.url());
    let pairs = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", BaoServer::ROOT)];
    set(&home, &pairs, "1000").expect("a new store");
    let old = key_in(&bao);
    let rotated = home.open(Access::Existing, &pairs).and_then(|mut sources| sources.rotate(None)).expect("rotated");
    assert_eq!(rotated, (KeySource::Vault, KeySource::Vault));
    let new = key_in(&bao);
    assert_ne!(new, old);
    assert_value(&home, &pairs, "1000");
    assert!(!home.path().join(".config_key.new").exists() && !home.path().join(".config_key").exists());

    // Broken off before Vault had it: both keys are there.
    bao.put("filamentbox/config_key", &json!({"key": old}));
    home.forget_ram();
    let pending = home.path().join(".config_key.new");
    std::fs::write(&pending, &new).expect("writable");
    std::fs::set_permissions(&pending, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
    assert_value(&home, &pairs, "1000");
    set(&home, &pairs, "2000").expect("the next one finishes it");
    assert_eq!(key_in(&bao), new);
    assert!(!pending.exists());
}

#[test]
fn without_vault_a_rotation_waits_with_both_keys() {
    let Some(bao) = BaoServer::start() else { return };
    let (home, url) = (Home::new(), bao.url());
    let token = bao.token(r#"path "secret/data/filamentbox/*" { capabilities = ["read", "create"] }"#, json!({}));
    let pairs = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", token.as_str())];
    set(&home, &pairs, "1000").expect("a new store");
    let old = key_in(&bao);
    let error = home.open(Access::Existing, &pairs).and_then(|mut sources| sources.rotate(None)).expect_err("refused");
    assert!(matches!(error, SettingsError::Vault(_)), "{error}");
    // The store has the new key, Vault the old one: everything works, also a second try.
    assert_eq!(key_in(&bao), old);
    set(&home, &pairs, "2000").expect("it works");
    let again = home.open(Access::Existing, &pairs).and_then(|mut sources| sources.rotate(None));
    assert!(matches!(again, Err(SettingsError::Vault(_))), "Vault comes first");
    assert_value(&home, &pairs, "2000");
    bao.policy("test", r#"path "secret/data/filamentbox/*" { capabilities = ["read", "create", "update"] }"#);
    set(&home, &pairs, "3000").expect("it is put right");
    assert_ne!(key_in(&bao), old);
    assert!(!home.path().join(".config_key.new").exists());
    assert_value(&home, &pairs, "3000");
}
