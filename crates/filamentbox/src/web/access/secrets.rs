//! Random secrets, and the form in which they are kept: their SHA-256. Nobody who reads the memory or the settings can use that.

use std::fmt;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes of a session's and of a token's secret: nobody guesses 256 bits.
const SECRET_BYTES: usize = 32;

/// The SHA-256 of a secret. Looking one up by it tells nothing about the secret, however long the comparison takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of this secret.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// From 64 hexadecimal digits.
    pub fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Not even the digest belongs into a log.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Fills `bytes` with random numbers.
///
/// # Errors
/// When the system has none.
pub fn random(bytes: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        done += getrandom(&mut bytes[done..], GetRandomFlags::empty())?;
    }
    Ok(())
}

/// A new secret of 256 bits: 43 letters, digits, `-` and `_`.
///
/// # Errors
/// When the system has no random numbers.
pub fn secret() -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    random(&mut *bytes)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

/// A new secret of 128 bits that people can type: 26 letters and digits without `i`, `l`, `o`, `u`, in groups.
///
/// # Errors
/// When the system has no random numbers.
pub fn typable() -> io::Result<Zeroizing<String>> {
    /// Crockford's.
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    /// 26 x 5 bits.
    const CHARACTERS: usize = 26;
    const GROUP: usize = 5;
    let mut bytes = Zeroizing::new([0; CHARACTERS]);
    random(&mut *bytes)?;
    let mut text = Zeroizing::new(String::with_capacity(CHARACTERS + CHARACTERS / GROUP));
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % GROUP == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(byte & 31)]));
    }
    Ok(text)
}

/// What a person typed for a [`typable`] secret, as that was: no groups, and letters that look like digits are those.
pub fn typed(text: &str) -> Zeroizing<String> {
    let meant = |c: char| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    };
    Zeroizing::new(text.chars().filter(char::is_ascii_alphanumeric).map(meant).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_bits_and_differ() {
        let (one, other) = (secret().expect("random numbers"), secret().expect("random numbers"));
        assert_eq!((one.len(), other.len()), (43, 43));
        assert_ne!(one, other);
        let (one, other) = (typable().expect("random numbers"), typable().expect("random numbers"));
        assert_eq!((one.len(), typed(&one).len()), (31, 26));
        assert_ne!(one, other);
    }

    #[test]
    fn a_typed_code_is_the_code_however_it_is_typed() {
        for text in ["0aB1c-d", "OAbic D", "oabLC-d\n"] {
            assert_eq!(typed(text).as_str(), "0ab1cd", "{text:?}");
        }
    }

    #[test]
    fn digests_are_those_of_sha_256_and_are_not_shown() {
        let digest = Digest::of("abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(format!("{digest:?}"), "***");
        for bad in ["", "ba78", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
    }
}
