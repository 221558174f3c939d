//! Why Vault gave no answer, and what to do. No error ever holds a token, a secret id, the key or a value.

use super::{KEY_FIELD, KEY_PATH, MOUNT};

/// Why Vault gave no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VaultError {
    /// The variables contradict each other or are no addresses, names, files.
    #[error("Vault is not set up rightly: {}", .0.join("; "))]
    Variables(Vec<String>),
    /// There is no answer, or one that says that the server is in trouble. It may work later.
    #[error("Vault cannot be asked: {reason}")]
    Unreachable {
        /// What happened, with the server's address.
        reason: String,
    },
    /// It is sealed.
    #[error("Vault at {server} is sealed: unseal it (bao operator unseal)")]
    Sealed {
        /// Its address.
        server: String,
    },
    /// The token is good, but it may not do this.
    #[error(
        "Vault at {server} does not allow this token to {capability} {path}: its policy needs  path \"{path}\" {{ capabilities = [\"{capability}\"] }}"
    )]
    Denied {
        /// Its address.
        server: String,
        /// The path as a policy names it.
        path: String,
        /// What a policy calls it.
        capability: &'static str,
    },
    /// The token is not known (any more), and there is no role to log in with.
    #[error(
        "Vault at {server} refuses the token: it has expired, was revoked, or is another server's or namespace's; make a new one (bao token create -policy=filamentbox -period=768h) for VAULT_TOKEN, or use AppRole (VAULT_ROLE_ID and VAULT_SECRET_ID)"
    )]
    TokenRefused {
        /// Its address.
        server: String,
    },
    /// The token still opens doors, but not for long.
    #[error(
        "the token for Vault at {server} cannot be renewed and ends in {left_s} s: make a periodic one (bao token create -policy=filamentbox -period=768h) for VAULT_TOKEN, or use AppRole (VAULT_ROLE_ID and VAULT_SECRET_ID)"
    )]
    TokenEnds {
        /// Its address.
        server: String,
        /// Seconds of life.
        left_s: u64,
    },
    /// AppRole's login was refused.
    #[error(
        "Vault at {server} refuses the login by AppRole ({reason}): check VAULT_ROLE_ID, and make a new secret id for VAULT_SECRET_ID (bao write -f auth/approle/role/ROLE/secret-id; it may have expired or have been used as often as it allows)"
    )]
    LoginRefused {
        /// Its address.
        server: String,
        /// In its words.
        reason: String,
    },
    /// A wrapped secret id cannot be unwrapped.
    #[error(
        "the wrapped secret id in VAULT_SECRET_ID_WRAPPED cannot be unwrapped by Vault at {server}: it has expired, or it was unwrapped before. If it was not this machine that did so, somebody else has the secret id: destroy it. Then make a new one (bao write -wrap-ttl=10m -f auth/approle/role/ROLE/secret-id)"
    )]
    UnwrapRefused {
        /// Its address.
        server: String,
    },
    /// The wrapped secret id is for the daemon.
    #[error(
        "the secret id in VAULT_SECRET_ID_WRAPPED can be unwrapped once only, and that is for the daemon, as the owner of the data folder, on a machine with a RAM disk at /dev/shm: start it first"
    )]
    UnwrapByDaemon,
    /// What was asked for is not there.
    #[error("{what} is not in Vault at {server}: {remedy}")]
    Missing {
        /// Its address.
        server: String,
        /// What.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// What is there is not what it must be.
    #[error("{MOUNT}/{path} in Vault is not usable: {reason}")]
    Malformed {
        /// The secret's path in the mount.
        path: &'static str,
        /// Why, and what is allowed.
        reason: String,
    },
    /// It was not asked, because this command must not wait for a network.
    #[error("Vault was not asked, and nothing was kept of what it said before")]
    NotAsked,
}

impl VaultError {
    /// Whether it is about the server rather than about what it was asked.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Sealed { .. })
    }

    /// There is no key, and it cannot be put there for the user.
    pub(super) fn no_key(server: &str, why: &str) -> Self {
        let what = format!("the key of the settings' store ({MOUNT}/{KEY_PATH}, field {KEY_FIELD})");
        let remedy = format!(
            "{why}put it there with  bao kv put -mount={MOUNT} {KEY_PATH} {KEY_FIELD}=\"$(openssl rand -hex 32)\"  or, to keep it in a file on this machine, make that with `filamentbox config key generate`"
        );
        Self::Missing { server: server.to_owned(), what, remedy }
    }

    /// The key was there and is deleted.
    pub(super) fn deleted_key(server: &str) -> Self {
        let what = format!("the key of the settings' store ({MOUNT}/{KEY_PATH})");
        let remedy = format!(
            "it was deleted; bring it back (bao kv metadata get -mount={MOUNT} {KEY_PATH} shows its versions; bao kv undelete -mount={MOUNT} -versions=N {KEY_PATH})"
        );
        Self::Missing { server: server.to_owned(), what, remedy }
    }
}
