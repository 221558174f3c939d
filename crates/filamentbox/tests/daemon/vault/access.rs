//! Who is let in, to what, and what is said to the others.

use filamentbox::settings::vault::VaultError;
use filamentbox::settings::{Access, SettingsError};
use filamentbox_core::config::Source;
use serde_json::{Value, json};

use super::*;
use crate::support::Daemon;

#[test]
fn vault_stands_between_the_environment_and_the_store() {
    let Some(bao) = BaoServer::start() else { return };
    let fields = json!({"sensor.type": "dht22", "sensor.gpio_pin": 17, "data_collection.tags": {"Room": "attic"}});
    bao.put("filamentbox/config", &fields);
    let (home, url) = (Home::new(), bao.url());
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", BaoServer::ROOT), ("FILAMENTBOX_SENSOR__TYPE", "bme280")];
    let mut sources = home.open(Access::Create, &set).expect("a first start");
    let changes = [("sensor.gpio_pin", "4"), ("queue.max_size", "5000")]
        .map(|(key, text)| filamentbox::settings::Change { key: key.to_owned(), text: Some(text.to_owned()) });
    let loaded = sources.change(&changes, "a test").expect("allowed");
    let of = |key: &str| {
        loaded.settings.get(key).map(|setting| (setting.text.expose().to_owned(), setting.source)).expect("set")
    };
    assert_eq!(of("sensor.type"), ("bme280".to_owned(), Source::Environment));
    assert_eq!(of("sensor.gpio_pin"), ("17".to_owned(), Source::Vault));
    assert_eq!(of("data_collection.tags.Room"), ("attic".to_owned(), Source::Vault));
    assert_eq!(of("queue.max_size"), ("5000".to_owned(), Source::Store));

    let key = bao.ask("GET", "secret/data/filamentbox/config_key", Value::Null);
    let key = key["data"]["data"]["key"].as_str().expect("the new key").to_owned();
    assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "256 random bits");
    assert!(!home.path().join(".config_key").exists(), "and nowhere else");
    // The store is that key's.
    let by_hand = [("CONFIG_ENCRYPTION_KEY", key.as_str())];
    assert!(home.load(Access::Existing, &by_hand).is_ok());
    assert!(home.load(Access::Existing, &set).expect("opens").warnings.is_empty());
}

#[test]
fn a_role_logs_in_within_a_namespace() {
    let Some(bao) = BaoServer::start() else { return };
    bao.ask("POST", "sys/namespaces/home", json!({}));
    let ask = |method: &str, path: &str, body: Value| bao.ask_in("home", method, path, body);
    ask("POST", "sys/mounts/secret", json!({"type": "kv", "options": {"version": "2"}}));
    ask("POST", "secret/data/filamentbox/config", json!({"data": {"sensor.type": "dht11"}}));
    ask("PUT", "sys/policies/acl/test", json!({"policy": READ}));
    ask("POST", "sys/auth/approle", json!({"type": "approle"}));
    ask("POST", "auth/approle/role/box", json!({"token_policies": "test"}));
    let role = ask("GET", "auth/approle/role/box/role-id", Value::Null);
    let secret = ask("POST", "auth/approle/role/box/secret-id", json!({}));
    let role_id = role["data"]["role_id"].as_str().expect("an id");
    let secret_id = secret["data"]["secret_id"].as_str().expect("an id");

    let url = bao.url();
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_ROLE_ID", role_id), ("VAULT_SECRET_ID", secret_id)];
    let mut home = open(&[&set[..], &[("VAULT_NAMESPACE", "home")]].concat());
    assert_eq!(home.read_values().expect("let in"), [pair("sensor.type", "dht11")]);
    // Elsewhere nobody knows the role.
    let error = refusal(&mut open(&set), &[role_id, secret_id]);
    assert!(matches!(error, VaultError::LoginRefused { .. }), "{error:?}");
    let mut nowhere = open(&[("VAULT_ADDR", &url), ("VAULT_TOKEN", BaoServer::ROOT), ("VAULT_NAMESPACE", "nowhere")]);
    assert_words(&refusal(&mut nowhere, &[BaoServer::ROOT]), &["nowhere", "VAULT_NAMESPACE"]);
}

#[test]
fn both_versions_of_the_engine_are_read_also_when_a_policy_hides_which_it_is() {
    let Some(bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config", &json!({"sensor.type": "dht22"}));
    bao.put("filamentbox/config_key", &json!({"key": "from an editor\n"}));
    let hidden = bao.token(&format!("{READ}\n{HIDE_VERSION}"), json!({}));
    for token in [BaoServer::ROOT, &hidden] {
        let mut vault = with_token(&bao, token);
        assert_eq!(vault.read_values().expect("version 2"), [pair("sensor.type", "dht22")]);
        assert_eq!(vault.read_key().expect("version 2").expect("a key").expose(), "from an editor");
    }
    downgrade(&bao);
    let hidden = bao.token(&format!("{READ_V1}\n{HIDE_VERSION}"), json!({}));
    for token in [BaoServer::ROOT, &hidden] {
        assert_eq!(with_token(&bao, token).read_values().expect("nothing is no fault"), []);
    }
    bao.ask("POST", "secret/filamentbox/config", json!({"sensor.type": "dht11"}));
    bao.ask("POST", "secret/filamentbox/config_key", json!({"key": "k"}));
    for token in [BaoServer::ROOT, &hidden] {
        let mut vault = with_token(&bao, token);
        assert_eq!(vault.read_values().expect("version 1"), [pair("sensor.type", "dht11")]);
        assert_eq!(vault.read_key().expect("version 1").expect("a key").expose(), "k");
    }
}

#[test]
fn of_two_first_starts_one_makes_the_key() {
    let Some(bao) = BaoServer::start() else { return };
    let keys = std::thread::scope(|scope| {
        let starts = (0..6).map(|i| {
            let mut vault = with_token(&bao, BaoServer::ROOT);
            let own = format!("{i}").repeat(64);
            scope.spawn(move || vault.make_key(&own.into()).expect("a key").expose().to_owned())
        });
        let starts: Vec<_> = starts.collect();
        starts.into_iter().map(|start| start.join().expect("it ended")).collect::<Vec<_>>()
    });
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");

    // What is deleted is not made again: the store would no longer open.
    bao.ask("DELETE", "secret/data/filamentbox/config_key", Value::Null);
    let mut vault = with_token(&bao, BaoServer::ROOT);
    assert_words(&vault.read_key().map(drop).expect_err("deleted"), &["was deleted", "undelete"]);
    assert_words(&vault.make_key(&"x".to_owned().into()).map(drop).expect_err("deleted"), &["was deleted"]);
}

#[test]
fn a_key_that_cannot_be_put_into_vault_is_put_nowhere() {
    let Some(bao) = BaoServer::start() else { return };
    let (home, url, token) = (Home::new(), bao.url(), bao.token(READ, json!({})));
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", token.as_str())];
    let error = home.load(Access::Create, &set).map(drop).expect_err("it may not write");
    assert_words(&error, &["may not write", "bao kv put -mount=secret filamentbox/config_key key="]);
    home.assert_empty();
    downgrade(&bao);
    let root = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", BaoServer::ROOT)];
    let error = home.load(Access::Create, &root).map(drop).expect_err("nobody can say who is first");
    assert_words(&error, &["which of two writers was first", "bao kv put"]);
    bao.ask("POST", "secret/filamentbox/config_key", json!({"key": "by hand"}));
    home.load(Access::Create, &root).expect("now there is a key");
}

#[test]
fn each_refusal_says_what_to_do_and_no_secret() {
    let Some(bao) = BaoServer::start() else { return };
    let url = bao.url();
    let secret = bao.token(r#"path "secret/data/other" { capabilities = ["read"] }"#, json!({}));
    let denied = refusal(&mut with_token(&bao, &secret), &[&secret]);
    assert_words(&denied, &[&url, "path \"secret/data/filamentbox/config\" { capabilities = [\"read\"] }"]);
    let unknown = refusal(&mut with_token(&bao, "s.unknown"), &["s.unknown"]);
    assert!(matches!(unknown, VaultError::TokenRefused { .. }), "{unknown:?}");

    let role_id = bao.role(READ, json!({}));
    let login = |role_id: &str, secret_id: &str| {
        let set = [("VAULT_ADDR", url.as_str()), ("VAULT_ROLE_ID", role_id), ("VAULT_SECRET_ID", secret_id)];
        refusal(&mut open(&set), &[role_id, secret_id])
    };
    assert_words(&login(&role_id, "no-secret-id"), &["invalid role or secret ID", "VAULT_SECRET_ID"]);
    assert_words(&login("no-role-id", &bao.secret_id()), &["VAULT_ROLE_ID"]);

    bao.put("filamentbox/config_key", &json!({"key": {"a": "hidden-text"}}));
    let error = with_token(&bao, BaoServer::ROOT).read_key().map(drop).expect_err("no text");
    assert_words(&error, &["secret/filamentbox/config_key", "field key"]);
    assert!(!format!("{error:?}").contains("hidden-text"));

    bao.ask("DELETE", "sys/mounts/secret", Value::Null);
    let mut none = with_token(&bao, BaoServer::ROOT);
    assert_words(&refusal(&mut none, &[]), &["a KV engine at secret/", "bao secrets enable"]);
}

#[test]
fn tls_is_checked_with_an_authority_of_ones_own() {
    let Some(bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config", &json!({"sensor.type": "dht22"}));
    let (url, file) = (bao.tls_url(), bao.authority_file());
    let set = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", BaoServer::ROOT)];
    let mut trusting = open(&[&set[..], &[("VAULT_CACERT", file.as_str())]].concat());
    assert_eq!(trusting.read_values().expect("trusted"), [pair("sensor.type", "dht22")]);
    assert_words(&refusal(&mut open(&set), &[BaoServer::ROOT]), &["not trusted", "VAULT_CACERT"]);
    let plain = url.replace("https://", "http://");
    let mut plain = open(&[("VAULT_ADDR", plain.as_str()), ("VAULT_TOKEN", BaoServer::ROOT)]);
    assert_words(&refusal(&mut plain, &[BaoServer::ROOT]), &["must begin with https://"]);
    let config = VaultConfig::from_variables(&variables(&[set[0], set[1], ("VAULT_CACERT", "/nowhere")]));
    let error = Vault::open(config.expect("right").expect("named")).map(drop).expect_err("no such file");
    assert_words(&error, &["VAULT_CACERT", "/nowhere"]);
}

#[test]
fn a_setting_that_is_refused_is_found_in_vault() {
    let Some(bao) = BaoServer::start() else { return };
    bao.put("filamentbox/config", &json!({"sensor.typ": "dht22", "queue.max_size": "many"}));
    let mut daemon = Daemon::new();
    daemon.variable("VAULT_ADDR", &bao.url()).variable("VAULT_TOKEN", BaoServer::ROOT);
    let output = daemon.start_in_vain();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    for word in ["2 problem(s)", "did you mean sensor.type", "it is set in Vault, secret/filamentbox/config"] {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
    bao.put("filamentbox/config", &json!({"sensor.type": "dht22"}));
    let listed = daemon.ask(&["config", "list", "sensor.type"]);
    assert!(listed.contains("dht22") && listed.contains("vault"), "{listed}");
    forget_ram(daemon.folder());
}

#[test]
fn variables_that_are_wrong_are_an_error_and_not_a_start_without_vault() {
    let home = Home::new();
    let error = home.load(Access::Create, &[("VAULT_ADDR", "https://vault:8200")]).map(drop).expect_err("no token");
    assert!(matches!(error, SettingsError::Vault(VaultError::Variables(_))), "{error}");
    home.assert_empty();
}
