//! The store's key: where it comes from, and the forms in which SQLCipher takes it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::environment::{Variable, variable};
use super::files;
use super::vault::Secret;

/// The key in the environment, by the contract's name and its alias.
const VARIABLES: [&str; 2] = [KEY_VARIABLE, "FILAMENTBOX_CONFIG_KEY"];
/// The first of them.
pub const KEY_VARIABLE: &str = "CONFIG_ENCRYPTION_KEY";
/// Set to 1, a store under the key that everybody knows is accepted.
pub(super) const ALLOW_DEFAULT: &str = "FILAMENTBOX_ALLOW_DEFAULT_KEY";
/// The key with which the Python original starts when it has none.
const DEFAULT: &str = "CHANGE_ME_IN_PRODUCTION_USE_STRONG_KEY";
/// Bytes of a random key.
const RANDOM_BYTES: usize = 32;
/// A longer key is a file of something else.
const MAX_BYTES: u64 = 4096;
/// Hexadecimal digits of a key, and of a key with its salt.
const RAW_DIGITS: [usize; 2] = [2 * RANDOM_BYTES, 2 * RANDOM_BYTES + 32];

/// Where a key comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// This variable of the environment.
    Environment(&'static str),
    /// HashiCorp Vault or OpenBao.
    Vault,
    /// A file.
    File(PathBuf),
    /// Known to everybody.
    Default,
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "the variable {name} of the environment"),
            Self::Vault => f.write_str("Vault"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Default => write!(f, "the published default key ({ALLOW_DEFAULT}=1)"),
        }
    }
}

/// A key. It cannot be printed, and its memory is wiped.
#[derive(Clone)]
pub struct Key {
    text: Zeroizing<String>,
    /// Where it came from.
    pub source: KeySource,
}

/// Why a key that is there, or should be made, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the key's file {} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// It is no key.
    #[error("the key's file {} {problem}; put the right key there: from a backup, or where it was made", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        problem: &'static str,
    },
    /// Others could have read it.
    #[error("the key's file {0} can be read by others (mode {mode:o}), so it may be known; make it private with `chmod 600 {0}`, then the key new with `filamentbox config key rotate`", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The variable holds no text.
    #[error("{0} in the environment is not valid UTF-8; allowed: 64 hexadecimal digits, or a passphrase")]
    NotText(&'static str),
}

impl Key {
    /// The environment's key.
    ///
    /// # Errors
    /// [`KeyError::NotText`].
    pub fn of_environment(variables: &[Variable]) -> Result<Option<Self>, KeyError> {
        for name in VARIABLES {
            let found = variables.iter().find(|(known, value)| known == name && !value.is_empty());
            if let Some((_, value)) = found {
                let text = value.to_str().ok_or(KeyError::NotText(name))?.trim_end_matches(['\n', '\r']);
                return Ok(Some(Self::new(text, KeySource::Environment(name))));
            }
        }
        Ok(None)
    }

    /// Vault's key.
    pub(super) fn of_vault(key: Secret) -> Self {
        Self { text: key.into_text(), source: KeySource::Vault }
    }

    /// The published key, where it is allowed.
    pub(super) fn default(variables: &[Variable]) -> Option<Self> {
        let is_allowed = variable(variables, ALLOW_DEFAULT).is_some_and(|value| value == "1");
        is_allowed.then(|| Self::new(DEFAULT, KeySource::Default))
    }

    /// The key in the file `path`, if the file is there.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(path: &Path) -> Result<Option<Self>, KeyError> {
        let unusable = |reason| KeyError::Unusable { path: path.to_owned(), reason };
        let no_key = |problem| KeyError::NoKey { path: path.to_owned(), problem };
        // A symbolic link would let whoever may write it choose the file, and a pipe would hold up the start.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path) {
            Ok(file) => file,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(reason) if reason.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                return Err(no_key("is a symbolic link"));
            }
            Err(reason) => return Err(unusable(reason)),
        };
        let found = file.metadata().map_err(unusable)?;
        if !found.is_file() {
            return Err(no_key("is not a file"));
        }
        let mode = found.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Readable { path: path.to_owned(), mode });
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize + 1));
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unusable)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| no_key("is not text"))?.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err(no_key("is empty"));
        }
        if bytes.len() as u64 > MAX_BYTES || text.contains(char::is_control) {
            return Err(no_key("is not one line of text"));
        }
        Ok(Some(Self::new(text, KeySource::File(path.to_owned()))))
    }

    /// A random 256-bit key that will be in the file `path`.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random(path: PathBuf) -> Result<Self, KeyError> {
        let unusable = |reason| KeyError::Unusable { path: path.clone(), reason };
        let mut random = Zeroizing::new([0_u8; RANDOM_BYTES]);
        File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut *random)).map_err(unusable)?;
        let mut text = Zeroizing::new(String::with_capacity(2 * RANDOM_BYTES));
        let digits = random.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        text.extend(digits.filter_map(|digit| char::from_digit(digit.into(), 16)));
        Ok(Self { text, source: KeySource::File(path) })
    }

    /// Writes the key into its file, which must be new. A crash may leave a part of it.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(super) fn write(&self, path: &Path) -> Result<(), KeyError> {
        let line = Zeroizing::new(format!("{}\n", *self.text));
        files::write(path, line.as_bytes()).map_err(|reason| KeyError::Unusable { path: path.to_owned(), reason })
    }

    /// For Vault.
    pub(super) fn secret(&self) -> Secret {
        Secret::from(self.text.clone())
    }

    fn new(text: &str, source: KeySource) -> Self {
        Self { text: Zeroizing::new(text.to_owned()), source }
    }

    /// The key's text, for whoever asked to see a new one.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Whether SQLCipher may take it as the key itself, without deriving it from a passphrase.
    pub fn is_raw(&self) -> bool {
        self.raw_digits().is_some()
    }

    fn raw_digits(&self) -> Option<&str> {
        let wrapped = self.text.strip_prefix("x'").and_then(|rest| rest.strip_suffix('\''));
        let digits = wrapped.unwrap_or(&self.text);
        let is_raw = RAW_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_raw.then_some(digits)
    }

    /// The SQL literals to try with `PRAGMA key`, in this order: hexadecimal digits of the right number are the key itself (and, in stores
    /// made elsewhere, a passphrase that happens to look so); anything else is a passphrase.
    pub(super) fn literals(&self) -> Vec<Zeroizing<String>> {
        let passphrase = Zeroizing::new(format!("'{}'", self.text.replace('\'', "''")));
        match self.raw_digits() {
            Some(digits) => vec![Zeroizing::new(format!("\"x'{digits}'\"")), passphrase],
            None => vec![passphrase],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn forms_of_a_key() {
        #[track_caller]
        fn check(text: &str, is_raw: bool, first: &str) {
            let key = Key::new(text, KeySource::Default);
            assert_eq!((key.is_raw(), key.literals()[0].as_str()), (is_raw, first), "{text}");
        }
        let (digits, salted) = ("0123456789abcdefABCDEF0123456789".repeat(2), "a".repeat(96));
        check(&digits, true, &format!("\"x'{digits}'\""));
        check(&format!("x'{digits}'"), true, &format!("\"x'{digits}'\""));
        check(&salted, true, &format!("\"x'{salted}'\""));
        check(&digits[1..], false, &format!("'{}'", &digits[1..]));
        check(&format!("{}g", &digits[1..]), false, &format!("'{}g'", &digits[1..]));
        check("it's \"mine\"", false, "'it''s \"mine\"'");
    }

    #[test]
    fn random_keys_are_raw_and_differ() {
        let random = || Key::random("k".into()).expect("random numbers");
        assert!(random().is_raw());
        assert_ne!(random().reveal(), random().reveal());
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join(".config_key");
        let check = |content: &[u8], mode: u32, word: &str| {
            fs::write(&path, content).expect("writable");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
            let error = Key::read(&path).map(drop).expect_err("refused").to_string();
            assert!(error.contains(word) && error.contains(".config_key"), "{word:?} is not in {error}");
            fs::remove_file(&path).expect("ours");
        };
        check(b"", 0o600, "is empty");
        check(b"\n", 0o600, "is empty");
        check(b"\xff\xfe", 0o600, "is not text");
        check(b"two\nlines", 0o600, "one line");
        check(&[b'a'; 5000], 0o600, "one line");
        check(b"\0\0\0\0", 0o600, "one line");
        check(b"key", 0o640, "can be read by others (mode 640)");
        check(b"key", 0o604, "chmod 600");
        assert!(Key::read(&path).expect("no file is no fault").is_none());
        fs::write(place.path().join("elsewhere"), "key").expect("writable");
        std::os::unix::fs::symlink("elsewhere", &path).expect("a link");
        assert!(Key::read(&path).map(drop).expect_err("refused").to_string().contains("symbolic link"));
    }
}
