//! Vault is away: what was running goes on, what starts takes what was kept, and nothing is made up.

use filamentbox::settings::Access;
use filamentbox::settings::vault::{News, VaultError};
use filamentbox_core::config::Source;
use serde_json::{Value, json};

use super::*;
use crate::support::Daemon;

#[test]
fn a_restart_without_vault_takes_what_was_kept() {
    let Some(mut bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config", &json!({"sensor.type": "dht22"}));
    let (home, url) = (Home::new(), bao.url());
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", BaoServer::ROOT)];
    let sources = home.open(Access::Create, &set).expect("a start");
    let mut watch = sources.watch_vault().expect("Vault is named");
    bao.kill();
    let news = watch.refresh();
    assert!(matches!(news.as_slice(), [News::Lost(VaultError::Unreachable { .. })]), "{news:?}");
    assert_eq!(sources.load().expect("unchanged").settings.text("sensor.type"), "dht22");
    drop(sources);

    for access in [Access::Create, Access::Existing] {
        let loaded = home.load(access, &set).expect("a start without Vault");
        let setting = loaded.settings.get("sensor.type").expect("set");
        assert_eq!((setting.text.expose(), setting.source), ("dht22", Source::Vault));
        let warnings = loaded.warnings.join("\n");
        for words in ["cannot connect to", "kept in memory until", "the settings from Vault are those kept on"] {
            assert!(warnings.contains(words), "{words:?} is not in {warnings}");
        }
        assert!(!warnings.contains(BaoServer::ROOT));
    }
    let offline = home.load(Access::Offline, &set).expect("nobody is asked");
    assert_eq!(offline.settings.text("sensor.type"), "dht22");
    assert!(offline.warnings.is_empty(), "{:?}", offline.warnings);

    home.forget_ram();
    let error = home.load(Access::Create, &set).map(drop).expect_err("the key is gone with the power");
    assert_words(&error, &["cannot connect to", &url]);
    // The key in the environment, and only the settings from Vault.
    let restarted = {
        bao.restart();
        bao.ask("GET", "secret/config", Value::Null)
    };
    assert!(restarted["data"].is_object(), "empty again");
    let error = home.load(Access::Create, &set).map(drop).expect_err("another Vault");
    assert_words(&error, &["no key for it"]);
}

#[test]
fn what_is_refused_is_not_kept() {
    let Some(mut bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config", &json!({"sensor.type": "dht22"}));
    let (home, url) = (Home::new(), bao.url());
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", BaoServer::ROOT)];
    home.load(Access::Create, &set).expect("a start");
    bao.put("filamentbox/config", &json!({"sensor.type": "crystal ball"}));
    let Err(SettingsError::Refused(problems)) = home.load(Access::Create, &set) else { panic!("accepted") };
    assert_words(&problems[0], &["sensor.type", "it is set in Vault"]);
    bao.kill();
    let loaded = home.load(Access::Create, &set).expect("the last good ones");
    assert_eq!(loaded.settings.text("sensor.type"), "dht22");
}

#[test]
fn a_first_start_without_vault_makes_nothing_up() {
    let Some(mut bao) = BaoServer::start() else { return };
    bao.kill();
    let (home, url) = (Home::new(), bao.url());
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", BaoServer::ROOT)];
    assert_words(&home.load(Access::Create, &set).map(drop).expect_err("no key"), &["cannot connect to"]);
    home.assert_empty();
    // A key of one's own does not replace settings that nobody has read yet.
    let with_key = [set[0], set[1], ("CONFIG_ENCRYPTION_KEY", "k")];
    assert_words(&home.load(Access::Create, &with_key).map(drop).expect_err("no settings"), &["cannot connect to"]);
}

#[test]
fn the_key_of_a_file_serves_where_vault_has_none_or_is_away() {
    let Some(mut bao) = BaoServer::start() else { return };
    let (home, url) = (Home::new(), bao.url());
    home.load(Access::Create, &[]).expect("a start without Vault makes the file");
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", BaoServer::ROOT)];
    assert!(home.load(Access::Create, &set).expect("Vault has no key").warnings.is_empty());
    bao.put("filamentbox/config", &json!({"sensor.type": "dht22"}));
    home.load(Access::Create, &set).expect("settings from Vault");
    bao.kill();
    home.forget_ram();
    let loaded = home.load(Access::Create, &set).expect("the file has the key");
    assert!(loaded.warnings.iter().any(|warning| warning.contains("the key is the one in")), "{:?}", loaded.warnings);
    assert_eq!(loaded.settings.text("sensor.type"), "dht22");
}

#[test]
fn a_policy_for_the_key_alone_is_enough() {
    let Some(bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config_key", &json!({"key": "k"}));
    let token = bao.token(r#"path "secret/data/filamentbox/config_key" { capabilities = ["read"] }"#, json!({}));
    let (home, url) = (Home::new(), bao.url());
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", token.as_str())];
    let loaded = home.load(Access::Create, &set).expect("as the Python original used it");
    assert!(
        loaded.warnings.iter().any(|warning| warning.contains("no settings come from Vault")),
        "{:?}",
        loaded.warnings
    );
    // With the key from elsewhere Vault would be there for nothing.
    let with_key = [set[0], set[1], ("CONFIG_ENCRYPTION_KEY", "k")];
    assert!(matches!(home.load(Access::Create, &with_key), Err(SettingsError::Vault(VaultError::Denied { .. }))));
}

#[test]
fn a_daemon_starts_again_without_vault_and_says_so() {
    let Some(mut bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config", &json!({"data_collection.tags": {"shelf": "2"}}));
    let mut daemon = Daemon::new();
    daemon.variable("VAULT_ADDR", &bao.url()).variable("VAULT_TOKEN", BaoServer::ROOT).start();
    daemon.stop();
    bao.kill();
    daemon.start();
    assert!(daemon.log().contains("the settings from Vault are those kept on"), "{}", daemon.log());
    let output = daemon.cli(&["config", "get", "data_collection.tags.shelf"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "2");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("those kept on") && !text.contains(BaoServer::ROOT), "{text}");
    assert!(!daemon.log().contains(BaoServer::ROOT));
    let off = daemon.cli(&["outputs", "off"]);
    assert!(!String::from_utf8_lossy(&off.stderr).contains("Vault"), "it asks nobody: {off:?}");
    daemon.stop();
    forget_ram(daemon.folder());
}
