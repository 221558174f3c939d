//! `VAULT_ADDR` and its companions, named as Vault's own tools name them.

use reqwest::Url;

use super::super::environment::{Variable, variable};
use super::{Secret, VaultError};
use crate::sinks::http::is_loopback;

/// Where Vault is, and who asks.
#[derive(Clone)]
pub struct VaultConfig {
    /// Scheme, host, port, and the path before `/v1`.
    pub(super) address: Url,
    pub(super) namespace: Option<String>,
    /// A PEM file with certificate authorities; empty for the system's alone.
    pub(super) ca_file: String,
    /// Tried first.
    pub(super) token: Option<Secret>,
    /// The login for when there is no token, or it is refused.
    pub(super) role: Option<AppRole>,
}

/// Both halves of AppRole's credentials.
#[derive(Clone)]
pub(super) struct AppRole {
    pub(super) role_id: Secret,
    pub(super) secret_id: SecretId,
}

#[derive(Clone)]
pub(super) enum SecretId {
    Plain(Secret),
    /// In a response-wrapping token: it can be unwrapped once.
    Wrapped(Secret),
}

impl VaultConfig {
    /// What `variables` say; `None` when they do not name Vault.
    ///
    /// # Errors
    /// [`VaultError::Variables`] with every mistake.
    pub fn from_variables(variables: &[Variable]) -> Result<Option<Self>, VaultError> {
        let mut mistakes = Vec::new();
        let token = secret(variables, "VAULT_TOKEN", &mut mistakes);
        let role_id = secret(variables, "VAULT_ROLE_ID", &mut mistakes);
        let plain = secret(variables, "VAULT_SECRET_ID", &mut mistakes);
        let wrapped = secret(variables, "VAULT_SECRET_ID_WRAPPED", &mut mistakes);
        if plain.is_some() && wrapped.is_some() {
            mistakes.push("VAULT_SECRET_ID and VAULT_SECRET_ID_WRAPPED are not allowed together; unset one".to_owned());
        }
        let secret_id = plain.map(SecretId::Plain).or(wrapped.map(SecretId::Wrapped));
        let has_any = token.is_some() || role_id.is_some() || secret_id.is_some();
        let address = match variable(variables, "VAULT_ADDR") {
            None if !has_any => return Ok(None),
            None => {
                let problem = "VAULT_ADDR is not set, but credentials for it are; set it (https://HOST:8200), or unset VAULT_TOKEN, VAULT_ROLE_ID and VAULT_SECRET_ID";
                Err(problem.to_owned())
            }
            Some(text) => address(text.trim()),
        };
        let role = match (role_id, secret_id) {
            (Some(role_id), Some(secret_id)) => Some(AppRole { role_id, secret_id }),
            (Some(_), None) => {
                mistakes.push(
                    "VAULT_ROLE_ID is set without VAULT_SECRET_ID (or VAULT_SECRET_ID_WRAPPED); set both".to_owned(),
                );
                None
            }
            (None, Some(_)) => {
                mistakes.push("a secret id is set without VAULT_ROLE_ID; set both".to_owned());
                None
            }
            (None, None) if token.is_none() && mistakes.is_empty() => {
                mistakes.push("VAULT_ADDR is set without VAULT_TOKEN, and without VAULT_ROLE_ID and VAULT_SECRET_ID; set one or the other, or unset VAULT_ADDR".to_owned());
                None
            }
            (None, None) => None,
        };
        let namespace = variable(variables, "VAULT_NAMESPACE").map(|name| name.trim_matches('/').to_owned());
        if namespace.as_ref().is_some_and(|name| !name.bytes().all(|c| c.is_ascii_graphic())) {
            mistakes.push("VAULT_NAMESPACE: only visible ASCII characters without spaces are allowed".to_owned());
        }
        let address = address.map_err(|mistake| mistakes.push(mistake)).ok();
        match address.filter(|_| mistakes.is_empty()) {
            Some(address) => Ok(Some(Self {
                address,
                namespace: namespace.filter(|name| !name.is_empty()),
                ca_file: variable(variables, "VAULT_CACERT").unwrap_or_default(),
                token,
                role,
            })),
            None => Err(VaultError::Variables(mistakes)),
        }
    }

    /// Scheme, host and port.
    pub(super) fn server(&self) -> String {
        self.address.origin().ascii_serialization()
    }

    /// What a person should know of them.
    pub(super) fn notice(&self) -> Option<String> {
        (self.address.scheme() == "http" && !is_loopback(&self.address)).then(|| {
            format!(
                "{} is asked without TLS: everybody on the way can read the key and the token; use https",
                self.server()
            )
        })
    }
}

fn secret(variables: &[Variable], name: &'static str, mistakes: &mut Vec<String>) -> Option<Secret> {
    let text = variable(variables, name)?.trim().to_owned();
    if !text.bytes().all(|c| c.is_ascii_graphic()) {
        mistakes.push(format!("{name}: only visible ASCII characters without spaces are allowed"));
    }
    Some(Secret::from(text)).filter(|secret| !secret.expose().is_empty())
}

fn address(text: &str) -> Result<Url, String> {
    const ALLOWED: &str = "allowed: https://HOST[:PORT] or, for a server on this machine, http://...";
    let refused = |why: &str| format!("VAULT_ADDR is {why}; {ALLOWED}");
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        Ok(_) | Err(_) if !text.contains("://") => return Err(refused("without https:// or http://")),
        Ok(url) => return Err(refused(&format!("of the scheme {}", url.scheme()))),
        Err(error) => return Err(refused(&format!("no address ({error})"))),
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(refused("with more in it than an address"));
    }
    if url.path().trim_end_matches('/').ends_with("/v1") {
        return Err(refused("with a /v1 at its end, which is added here"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: (&str, &str) = ("VAULT_TOKEN", "s.t0ken");
    const ADDRESS: (&str, &str) = ("VAULT_ADDR", "https://vault.example:8200/");

    fn read(variables: &[(&str, &str)]) -> Result<Option<VaultConfig>, VaultError> {
        let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        VaultConfig::from_variables(&variables)
    }

    #[track_caller]
    fn check_refused(variables: &[(&str, &str)], words: &[&str]) {
        let error = read(variables).err().expect("refused").to_string();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error}");
        }
        for (name, value) in variables {
            assert!(*name == "VAULT_ADDR" || !error.contains(value), "a secret in {error}");
        }
    }

    #[test]
    fn what_is_set_is_taken() {
        assert!(read(&[]).expect("nothing").is_none());
        assert!(read(&[("VAULT_NAMESPACE", "home"), ("VAULT_CACERT", "/x")]).expect("no credentials").is_none());
        let config = read(&[ADDRESS, TOKEN, ("VAULT_NAMESPACE", "/home/")]).expect("allowed").expect("Vault");
        assert_eq!(
            (config.server().as_str(), config.namespace.as_deref()),
            ("https://vault.example:8200", Some("home"))
        );
        assert!(config.role.is_none() && config.notice().is_none());
        let role = [ADDRESS, ("VAULT_ROLE_ID", "r"), ("VAULT_SECRET_ID_WRAPPED", "s.w")];
        let role = read(&role).expect("allowed").expect("Vault").role.expect("a role");
        assert!(matches!(role.secret_id, SecretId::Wrapped(_)));
        let plain = read(&[("VAULT_ADDR", "http://10.0.0.1:8200"), TOKEN]).expect("allowed").expect("Vault");
        assert!(plain.notice().expect("a warning").contains("without TLS"));
    }

    #[test]
    fn every_mistake_is_named_and_no_secret() {
        check_refused(&[TOKEN], &["VAULT_ADDR is not set"]);
        check_refused(&[ADDRESS], &["without VAULT_TOKEN"]);
        check_refused(&[ADDRESS, ("VAULT_ROLE_ID", "rrrr")], &["VAULT_ROLE_ID is set without VAULT_SECRET_ID"]);
        check_refused(&[ADDRESS, ("VAULT_SECRET_ID", "ssss")], &["without VAULT_ROLE_ID"]);
        check_refused(&[("VAULT_ADDR", "vault:8200"), TOKEN], &["without https://"]);
        check_refused(&[("VAULT_ADDR", "10.0.0.1"), TOKEN], &["without https://"]);
        check_refused(&[("VAULT_ADDR", "ftp://vault"), TOKEN], &["of the scheme ftp"]);
        check_refused(&[("VAULT_ADDR", "https://"), TOKEN], &["no address"]);
        check_refused(&[("VAULT_ADDR", "https://h/v1/"), TOKEN], &["/v1"]);
        check_refused(&[ADDRESS, ("VAULT_TOKEN", "two words")], &["VAULT_TOKEN: only visible"]);
        let both =
            [ADDRESS, ("VAULT_ROLE_ID", "rrrr"), ("VAULT_SECRET_ID", "ssss"), ("VAULT_SECRET_ID_WRAPPED", "wwww")];
        check_refused(&both, &["not allowed together"]);
        check_refused(
            &[("VAULT_ADDR", "h"), ("VAULT_ROLE_ID", "rrrr")],
            &["without https://", "without VAULT_SECRET_ID"],
        );
    }
}
