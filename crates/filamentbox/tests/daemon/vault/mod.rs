//! Vault as a place of the key and of settings, on a real OpenBao.

mod access;
mod life;
mod outage;
mod rotation;

use std::path::Path;

use filamentbox::settings::vault::{Vault, VaultConfig, VaultError};
use filamentbox::settings::{Access, Loaded, Places, SettingsError, Sources, Variable};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::BaoServer;

/// What docs/VAULT.md recommends, without the right to write the key.
const READ: &str = r#"path "secret/data/filamentbox/*" { capabilities = ["read"] }"#;
/// The same for version 1.
const READ_V1: &str = r#"path "secret/filamentbox/*" { capabilities = ["read"] }"#;
/// A policy that hides the engine's version.
const HIDE_VERSION: &str = r#"path "sys/internal/ui/mounts/*" { capabilities = ["deny"] }"#;

fn variables(pairs: &[(&str, &str)]) -> Vec<Variable> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn open(pairs: &[(&str, &str)]) -> Vault {
    let config = VaultConfig::from_variables(&variables(pairs)).expect("right variables").expect("Vault is named");
    Vault::open(config).expect("a client")
}

fn with_token(bao: &BaoServer, token: &str) -> Vault {
    open(&[("VAULT_ADDR", &bao.url()), ("VAULT_TOKEN", token)])
}

/// The settings that Vault serves; the error must show none of `secrets`.
#[track_caller]
fn refusal(vault: &mut Vault, secrets: &[&str]) -> VaultError {
    let error = vault.read_values().expect_err("refused");
    for secret in secrets {
        assert!(!format!("{error} {error:?}").contains(secret), "a secret in {error}");
    }
    error
}

#[track_caller]
fn assert_words(error: &dyn std::error::Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

fn pair(key: &str, text: &str) -> (String, String) {
    (key.to_owned(), text.to_owned())
}

/// A data folder; what is kept of it on the RAM disk goes with it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn open(&self, access: Access, pairs: &[(&str, &str)]) -> Result<Sources, SettingsError> {
        Sources::open(Places::new(self.path().to_owned(), None), access, false, variables(pairs))
    }

    fn load(&self, access: Access, pairs: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
        self.open(access, pairs)?.load()
    }

    /// No key and no store was made.
    #[track_caller]
    fn assert_empty(&self) {
        for name in ["config.db", ".config_key", ".config_key.new"] {
            assert!(!self.path().join(name).exists(), "{name} was made");
        }
    }

    /// As if the machine had been switched off.
    fn forget_ram(&self) {
        forget_ram(self.path());
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.forget_ram();
    }
}

/// Removes what is kept on the RAM disk of the store in `folder`.
fn forget_ram(folder: &Path) {
    let path = folder.canonicalize().expect("it is there");
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    for file in std::fs::read_dir("/dev/shm").expect("/dev/shm").flatten() {
        if file.file_name().to_string_lossy().ends_with(&format!("-{hash:016x}.vault")) {
            std::fs::remove_file(file.path()).expect("ours");
        }
    }
}

/// Gives `secret/` to KV version 1.
fn downgrade(bao: &BaoServer) {
    bao.ask("DELETE", "sys/mounts/secret", Value::Null);
    bao.ask("POST", "sys/mounts/secret", json!({"type": "kv", "options": {"version": "1"}}));
}
