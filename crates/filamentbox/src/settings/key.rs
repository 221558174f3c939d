//! The store's key: where it comes from, and the forms in which SQLCipher takes it.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::environment::{Variable, variable};

/// The key in the environment, by the contract's name and its alias.
const VARIABLES: [&str; 2] = [KEY_VARIABLE, "FILAMENTBOX_CONFIG_KEY"];
/// The first of them.
pub const KEY_VARIABLE: &str = "CONFIG_ENCRYPTION_KEY";

/// Where a key came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// This variable of the environment.
    Environment(&'static str),
    /// The key's file.
    File(PathBuf),
}

/// A key. It cannot be printed, and its memory is wiped.
pub struct Key {
    text: Zeroizing<String>,
    /// Where it came from.
    pub source: KeySource,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the key's file {} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// Others could have read it.
    #[error("the key's file {} can be read by others (mode {mode:o}); make it private with `chmod 600`, and the key new with `filamentbox config key rotate`", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl Key {
    /// The key in force, if there is one.
    ///
    /// # Errors
    /// [`KeyError`]: a key that is there and cannot be used never means "no key".
    pub fn find(variables: &[Variable], file: &Path) -> Result<Option<Self>, KeyError> {
        for name in VARIABLES {
            if let Some(text) = variable(variables, name) {
                return Ok(Some(Self { text: Zeroizing::new(text), source: KeySource::Environment(name) }));
            }
        }
        let unusable = |reason| KeyError::Unusable { path: file.to_owned(), reason };
        let mut opened = match fs::File::open(file) {
            Ok(opened) => opened,
            Err(reason) if reason.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(reason) => return Err(unusable(reason)),
        };
        let mode = opened.metadata().map_err(unusable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Readable { path: file.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        opened.read_to_string(&mut text).map_err(unusable)?;
        let text = Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned());
        Ok(Some(Self { text, source: KeySource::File(file.to_owned()) }))
    }

    /// Makes a random 256-bit key and its file.
    ///
    /// # Errors
    /// When the file is there already or cannot be made.
    pub fn generate(file: &Path) -> Result<Self, KeyError> {
        let unusable = |reason| KeyError::Unusable { path: file.to_owned(), reason };
        let mut random = Zeroizing::new([0_u8; 32]);
        fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut *random)).map_err(unusable)?;
        let text = Zeroizing::new(random.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(unusable)?;
        made.write_all(text.as_bytes()).and_then(|()| made.sync_all()).map_err(unusable)?;
        Ok(Self { text, source: KeySource::File(file.to_owned()) })
    }

    /// The SQL literals to try with `PRAGMA key`: 64 hexadecimal digits are the key itself (and, for stores made elsewhere, a passphrase
    /// that happens to look so); anything else is a passphrase.
    pub(super) fn literals(&self) -> Vec<Zeroizing<String>> {
        let passphrase = Zeroizing::new(format!("'{}'", self.text.replace('\'', "''")));
        if self.text.len() == 64 && self.text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            vec![Zeroizing::new(format!("\"x'{}'\"", *self.text)), passphrase]
        } else {
            vec![passphrase]
        }
    }
}
