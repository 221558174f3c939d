//! Passwords and tokens, in every form in which a server or a proxy may repeat them.
//!
//! Some do: vmauth answers `cannot find the provided auth token "Basic YW5uOn..."`, and proxies print whole requests.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use filamentbox_core::config::SecretText;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::Url;
use zeroize::Zeroizing;

use super::http::Auth;

/// The variables that may hold a proxy's password.
const PROXIES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// What RFC 3986 lets stand as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// A shorter piece of base64 may be in a text by chance.
const BASE64_MIN: usize = 8;

/// What must not be shown. It cannot be printed.
pub(crate) struct Secrets(Vec<Zeroizing<String>>);

impl Secrets {
    /// Those of a sink and of the proxies in the environment.
    pub(super) fn of(auth: &Auth) -> Self {
        let secrets = match auth {
            Auth::Nobody => Self(Vec::new()),
            Auth::Basic { username, password } => Self::of_login(username, password),
            Auth::Bearer { token } | Auth::Token { token } => Self::of_login("", token),
        };
        secrets.with_proxies()
    }

    /// `texts`, and those of the proxies in the environment.
    pub(crate) fn of_texts(texts: impl Iterator<Item = String>) -> Self {
        let mut secrets = Self(Vec::new());
        texts.for_each(|text| secrets.add("", &text));
        secrets.with_proxies()
    }

    fn with_proxies(mut self) -> Self {
        PROXIES.iter().filter_map(|name| std::env::var(name).ok()).for_each(|proxy| self.add_proxy(&proxy));
        self
    }

    /// Those of one user.
    pub(super) fn of_login(username: &str, password: &SecretText) -> Self {
        let mut secrets = Self(Vec::new());
        secrets.add(username, password.expose());
        secrets
    }

    /// `text` without them.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }

    /// The body of a refusal without them. JSON has many ways to write a letter, so it is written anew in one.
    pub(super) fn redact_body(&self, body: &str) -> String {
        match serde_json::from_str::<serde_json::Value>(body) {
            Ok(json) if !self.0.is_empty() => self.redact(&json.to_string()),
            _ => self.redact(body),
        }
    }

    /// A password, what stands in an `Authorization` header (RFC 7617), and the forms that either takes in URLs, JSON and base64.
    fn add(&mut self, username: &str, password: &str) {
        if password.is_empty() {
            return;
        }
        let json = serde_json::Value::from(password).to_string();
        let mut forms = vec![
            BASE64_STANDARD.encode(format!("{username}:{password}")),
            BASE64_STANDARD_NO_PAD.encode(format!("{username}:{password}")),
            BASE64_STANDARD.encode(password),
            utf8_percent_encode(password, NON_ALPHANUMERIC).to_string(),
            utf8_percent_encode(password, RESERVED).to_string(),
            utf8_percent_encode(password, RESERVED).to_string().replace("%20", "+"),
            json[1..json.len() - 1].to_owned(),
            password.to_owned(),
        ];
        forms.extend((0..3).map(|before| within_base64(password, before)).filter(|form| form.len() >= BASE64_MIN));
        self.0.extend(forms.into_iter().map(Zeroizing::new));
        // A form that contains another one goes first.
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        self.0.dedup();
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
        self.add(url.username(), &password);
    }
}

/// The letters that `secret` makes in the base64 of a longer text, `before` bytes after a multiple of three, whatever stands around it.
fn within_base64(secret: &str, before: usize) -> String {
    let bytes = [&vec![0; before], secret.as_bytes()].concat();
    let encoded = BASE64_STANDARD_NO_PAD.encode(&bytes);
    encoded[(before * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_repeated_in_any_form() {
        let basic = Secrets::of(&Auth::Basic { username: "ann".to_owned(), password: "hunter2".into() });
        assert_eq!(basic.redact("ann:hunter2 is wrong"), "ann:*** is wrong");
        assert_eq!(basic.redact("\"Basic YW5uOmh1bnRlcjI=\""), "\"Basic ***\"");
        assert_eq!(Secrets::of(&Auth::Bearer { token: "t0k".into() }).redact("Bearer t0k"), "Bearer ***");
        assert_eq!(Secrets::of(&Auth::Nobody).redact("text"), "text");
        let mut proxy = Secrets(Vec::new());
        proxy.add_proxy("ann:p%20w@proxy:3128");
        assert_eq!(proxy.redact("p%20w, p w, p+w, YW5uOnAgdw==, proxy"), "***, ***, ***, ***, proxy");
        let forms = proxy.0.len();
        proxy.add_proxy("http://proxy:3128");
        assert_eq!(proxy.0.len(), forms);
    }

    #[test]
    fn a_form_of_url_json_or_base64_hides_nothing() {
        let secrets = Secrets::of_login("ann", &"Zw\"ö/lf+ 12".into());
        for form in ["Zw%22%C3%B6%2Flf%2B%2012", "Zw%22%C3%B6%2Flf%2B+12", "Zw\\\"ö/lf+ 12"] {
            assert_eq!(secrets.redact(&format!("<{form}>")), "<***>", "{form}");
        }
        assert_eq!(secrets.redact_body(r#"{"error":"no \u005aw\"\u00f6\/lf+ 12"}"#), r#"{"error":"no ***"}"#);
        assert_eq!(secrets.redact_body("not { JSON"), "not { JSON");
        for before in ["", "x", "xy", "xyz"] {
            let inside = BASE64_STANDARD.encode(format!("{before}Zw\"ö/lf+ 12, and more"));
            assert!(secrets.redact(&inside).contains("***"), "{before:?}: {inside}");
        }
    }
}
