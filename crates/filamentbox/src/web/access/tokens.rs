//! Tokens of programs: `webui.tokens.NAME` holds `SCOPE:SHA-256`, never the token.

use std::fmt;

use filamentbox_core::config::Settings;
use zeroize::Zeroizing;

use super::secrets::{self, Digest};

/// The family's prefix.
pub const PREFIX: &str = "webui.tokens.";
/// How a token begins, so that people and scanners for lost secrets know one.
pub const MARK: &str = "fbx_";
/// So many tokens are accepted at most: each request with one looks through all.
pub const TOKENS_MAX: usize = 64;
/// The longest name, in bytes.
const NAME_MAX: usize = 64;

/// What a program may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// See.
    Read,
    /// See and switch.
    Control,
}

impl Scope {
    /// Every scope with its name.
    pub const NAMES: [(Self, &'static str); 2] = [(Self::Read, "read"), (Self::Control, "control")];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(scope, _)| *scope == self).map_or("read", |(_, name)| name)
    }

    /// The scope of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(scope, _)| *scope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is stored of a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// What it may.
    pub scope: Scope,
    /// Of the token.
    pub digest: Digest,
}

impl Stored {
    /// From a setting's text.
    pub fn parse(text: &str) -> Option<Self> {
        let (scope, digest) = text.split_once(':')?;
        Some(Self { scope: Scope::parse(scope)?, digest: Digest::parse(digest)? })
    }

    /// The setting's text.
    pub fn text(&self) -> String {
        format!("{}:{}", self.scope, self.digest)
    }
}

/// A new token.
///
/// # Errors
/// When the system has no random numbers.
pub fn new() -> std::io::Result<Zeroizing<String>> {
    Ok(Zeroizing::new(format!("{MARK}{}", *secrets::secret()?)))
}

/// Whether a token may have this name.
pub fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(is_plain)
}

/// Every token of the settings with its name, by name.
pub fn all(settings: &Settings) -> impl Iterator<Item = (&str, Stored)> {
    let tokens = settings.iter().filter_map(|(key, setting)| {
        let name = key.strip_prefix(PREFIX).filter(|name| is_name(name))?;
        Some((name, Stored::parse(setting.text.expose())?))
    });
    tokens.take(TOKENS_MAX)
}

/// Name and scope of `token`.
pub fn find(settings: &Settings, token: &str) -> Option<(String, Scope)> {
    if !token.starts_with(MARK) {
        return None;
    }
    let digest = Digest::of(token);
    all(settings).find(|(_, stored)| stored.digest == digest).map(|(name, stored)| (name.to_owned(), stored.scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back_and_nothing_else_is() {
        let stored = Stored { scope: Scope::Control, digest: Digest::of("x") };
        assert_eq!(Stored::parse(&stored.text()), Some(stored));
        let digest = Digest::of("x");
        for bad in ["", "read", "read:", "write:00", &format!("all:{digest}"), &format!("read:{digest}0"), "read:xyz"] {
            assert_eq!(Stored::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn names() {
        assert!(["a", "home-assistant", "Pi.2_x"].into_iter().all(is_name));
        assert!(!["", "a b", "ä", "a/b", &"x".repeat(65)].into_iter().any(is_name));
    }
}
