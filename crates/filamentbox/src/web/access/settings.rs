//! The settings of access, and what is checked of them.

use filamentbox_core::config::{ConfigError, Settings};
use zeroize::Zeroizing;

use super::{host, password, tokens};
use crate::settings::Change;

/// The key of the password: its hash in the store; in the environment and in Vault it may be the password itself.
pub const PASSWORD: &str = "webui.password";
/// The key of the names.
const ALLOWED_HOSTS: &str = "webui.allowed_hosts";

/// The text of the password's setting: empty where there is none.
pub fn password(settings: &Settings) -> Zeroizing<String> {
    Zeroizing::new(settings.secret(PASSWORD).expose().to_owned())
}

/// Every problem of the settings of access.
pub fn check(settings: &Settings) -> Vec<ConfigError> {
    let error = |key: &str, problem: String| ConfigError { key: key.to_owned(), problem };
    let mut errors = Vec::new();
    let set = password(settings);
    if !set.is_empty()
        && let Err(problem) = password::check(&set)
    {
        errors.push(error(PASSWORD, problem.to_string()));
    }
    if let Some(item) = host::not_a_host(settings.text(ALLOWED_HOSTS)) {
        let problem = format!("{item:?} is not a host; allowed: names and addresses without port, separated by commas");
        errors.push(error(ALLOWED_HOSTS, problem));
    }
    let of_tokens =
        settings.iter().filter_map(|(key, setting)| Some((key, key.strip_prefix(tokens::PREFIX)?, setting)));
    let mut count = 0;
    for (key, name, setting) in of_tokens {
        count += 1;
        if !tokens::is_name(name) {
            errors.push(error(key, "the name of a token has 1 to 64 of A-Z, a-z, 0-9, _, - and .".to_owned()));
        } else if tokens::Stored::parse(setting.text.expose()).is_none() {
            let problem = format!("not SCOPE:SHA-256; `filamentbox config token create {name}` makes it");
            errors.push(error(key, problem));
        }
    }
    if count > tokens::TOKENS_MAX {
        let problem = format!(
            "there are {count} tokens; allowed: {} (`filamentbox config token revoke NAME`)",
            tokens::TOKENS_MAX
        );
        errors.push(error("webui.tokens.NAME", problem));
    }
    errors
}

/// The change as it is stored: a password as its hash. One that is not allowed stays as it is, to be refused.
///
/// # Errors
/// When the password cannot be hashed.
pub fn to_be_stored(change: &Change) -> Result<Change, password::PasswordError> {
    let text = match &change.text {
        Some(text) if change.key == PASSWORD && !password::is_hash(text) && password::check(text).is_ok() => {
            Some(password::hash(text)?)
        }
        other => other.clone(),
    };
    Ok(Change { key: change.key.clone(), text })
}
