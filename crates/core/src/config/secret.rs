//! A text that cannot be printed by accident.

use std::fmt;

use zeroize::Zeroizing;

/// A text that is, or may be, a secret: it has no `Display`, its `Debug` says `***`, and its memory is wiped when it goes.
///
/// Whoever needs the text calls [`Self::expose`], so that a search for that word finds every place where a secret leaves.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// The text itself; not for logs, errors or answers.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
