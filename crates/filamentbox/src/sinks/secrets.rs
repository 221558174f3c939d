//! Passwords and tokens, in every form in which a server or a proxy may repeat them.
//!
//! Some do: vmauth answers `cannot find the provided auth token "Basic YW5uOn..."`, and proxies print whole requests.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::http::Auth;

/// The variables that may hold a proxy's password.
const PROXIES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// What must not be shown.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Those of a sink and of the proxies in the environment.
    pub(super) fn of(auth: &Auth) -> Self {
        let mut secrets = Self(Vec::new());
        match auth {
            Auth::Nobody => {}
            Auth::Basic { username, password } => secrets.add(username, password),
            Auth::Bearer { token } | Auth::Token { token } => secrets.0.push(token.clone()),
        }
        secrets.with_proxies()
    }

    /// `texts`, and those of the proxies in the environment.
    pub(crate) fn of_texts(texts: impl Iterator<Item = String>) -> Self {
        Self(texts.collect()).with_proxies()
    }

    fn with_proxies(self) -> Self {
        let mut secrets = self;
        PROXIES.iter().filter_map(|name| std::env::var(name).ok()).for_each(|proxy| secrets.add_proxy(&proxy));
        secrets.0.retain(|secret| !secret.is_empty());
        // A secret that contains another one goes first.
        secrets.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }

    /// `text` without them.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    /// A password, and what stands in an `Authorization` header (RFC 7617).
    fn add(&mut self, username: &str, password: &str) {
        self.0.push(password.to_owned());
        self.0.push(BASE64_STANDARD.encode(format!("{username}:{password}")));
    }

    fn add_proxy(&mut self, proxy: &str) {
        let with_scheme = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
        let Some((url, password)) = Url::parse(&with_scheme).ok().and_then(|url| {
            let password = url.password()?.to_owned();
            Some((url, password))
        }) else {
            return;
        };
        let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        self.add(&plain(url.username()), &plain(&password));
        self.0.push(password);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_repeated_in_any_form() {
        let basic = Secrets::of(&Auth::Basic { username: "ann".to_owned(), password: "hunter2".to_owned() });
        assert_eq!(basic.redact("ann:hunter2 is wrong"), "ann:*** is wrong");
        assert_eq!(basic.redact("\"Basic YW5uOmh1bnRlcjI=\""), "\"Basic ***\"");
        assert_eq!(Secrets::of(&Auth::Bearer { token: "t0k".to_owned() }).redact("Bearer t0k"), "Bearer ***");
        assert_eq!(Secrets::of(&Auth::Nobody).redact("text"), "text");
        let mut proxy = Secrets(Vec::new());
        proxy.add_proxy("ann:p%20w@proxy:3128");
        assert_eq!(proxy.redact("p%20w, p w, YW5uOnAgdw==, proxy"), "***, ***, ***, proxy");
        proxy.add_proxy("http://proxy:3128");
        assert_eq!(proxy.0.len(), 3);
    }
}
