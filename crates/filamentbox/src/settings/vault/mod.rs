//! HashiCorp Vault and OpenBao: where the store's key may lie, and settings above the store's own.
//!
//! The KV secrets engine at `secret/` (version 2 or 1) holds `filamentbox/config_key` with the field `key`, and `filamentbox/config` with
//! settings by dotted key. `variables.rs` says where and who; `api.rs` speaks HTTP; `session.rs` keeps a token alive; `layer.rs` is what a
//! start or a command does, with what was kept when Vault does not answer; `watch.rs` is what a running daemon does. Everything here blocks
//! its thread (at most `session::LIMIT` for one question), so it is not for the async side.
//!
//! Not here: other secrets engines and other ways to log in than a token or AppRole, and switching the check of certificates off.

mod api;
mod cache;
mod error;
mod kept;
mod layer;
mod session;
mod values;
mod variables;
mod watch;

pub use error::VaultError;
pub use session::Vault;
pub use variables::VaultConfig;
pub use watch::{News, Watch};

pub(super) use layer::VaultLayer;

use filamentbox_core::config::ConfigError;
use zeroize::Zeroizing;

/// The mount of the KV secrets engine.
const MOUNT: &str = "secret";
/// The secret with the store's key.
const KEY_PATH: &str = "filamentbox/config_key";
/// Its field.
const KEY_FIELD: &str = "key";
/// The secret with settings.
const VALUES_PATH: &str = "filamentbox/config";

/// A text that cannot be printed, and whose memory is wiped.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text itself, still wiped after use.
    pub(super) fn into_text(self) -> Zeroizing<String> {
        self.0
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// Says that the refused setting is Vault's.
pub(super) fn locate(error: &mut ConfigError) {
    error.problem.push_str(&format!("; it is set in Vault, {MOUNT}/{VALUES_PATH}"));
}
