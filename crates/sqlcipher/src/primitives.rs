//! The computations that SQLCipher asks for, on slices. Which lengths and algorithms it may ask for is decided here.
//!
//! Nothing here panics, and what depends on a key is wiped when it is dropped (the crates' features `zeroize`).
//! No authentication: SQLCipher compares the HMAC of a page itself, in constant time, before it decrypts.

use aes::Aes256;
use cbc::cipher::{Array, BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// Bytes of a key of AES-256.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of a block of AES, and so of an initialisation vector, and what a text's length is a multiple of.
pub(crate) const BLOCK_BYTES: usize = 16;

/// SQLCipher asked for something that there is not: an algorithm, a length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// The hashes under SQLCipher's HMAC and PBKDF2.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hash {
    /// SQLCipher 1 to 3.
    Sha1,
    /// An option of SQLCipher 4.
    Sha256,
    /// SQLCipher 4.
    Sha512,
}

impl Hash {
    /// Bytes of a hash.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// The HMAC of `parts` one after the other, in the first [`Hash::bytes`] of 64 bytes.
pub(crate) fn hmac(hash: Hash, key: &[u8], parts: [&[u8]; 2]) -> Result<[u8; 64], Refused> {
    macro_rules! of {
        ($hash:ty) => {{
            let mut mac = Hmac::<$hash>::new_from_slice(key).map_err(|_| Refused)?;
            parts.iter().for_each(|part| mac.update(part));
            let mut code = [0; 64];
            code.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
            code
        }};
    }
    Ok(match hash {
        Hash::Sha1 => of!(Sha1),
        Hash::Sha256 => of!(Sha256),
        Hash::Sha512 => of!(Sha512),
    })
}

/// Derives a key from a passphrase with PBKDF2.
pub(crate) fn derive(hash: Hash, passphrase: &[u8], salt: &[u8], rounds: u32, key: &mut [u8]) -> Result<(), Refused> {
    if rounds == 0 {
        return Err(Refused);
    }
    match hash {
        Hash::Sha1 => pbkdf2::pbkdf2::<Hmac<Sha1>>(passphrase, salt, rounds, key),
        Hash::Sha256 => pbkdf2::pbkdf2::<Hmac<Sha256>>(passphrase, salt, rounds, key),
        Hash::Sha512 => pbkdf2::pbkdf2::<Hmac<Sha512>>(passphrase, salt, rounds, key),
    }
    .map_err(|_| Refused)
}

/// Encrypts with AES-256-CBC, in place and without padding.
pub(crate) fn encrypt(key: &[u8], iv: &[u8; BLOCK_BYTES], text: &mut [u8]) -> Result<(), Refused> {
    let mut cipher = cbc::Encryptor::<Aes256>::new_from_slices(key, iv).map_err(|_| Refused)?;
    cipher.encrypt_blocks(blocks(text)?);
    Ok(())
}

/// Decrypts with AES-256-CBC, in place and without padding.
pub(crate) fn decrypt(key: &[u8], iv: &[u8; BLOCK_BYTES], text: &mut [u8]) -> Result<(), Refused> {
    let mut cipher = cbc::Decryptor::<Aes256>::new_from_slices(key, iv).map_err(|_| Refused)?;
    cipher.decrypt_blocks(blocks(text)?);
    Ok(())
}

/// Whole blocks only.
fn blocks(text: &mut [u8]) -> Result<&mut [cbc::cipher::Block<Aes256>], Refused> {
    match Array::slice_as_chunks_mut(text) {
        (blocks, []) => Ok(blocks),
        _ => Err(Refused),
    }
}

/// Random bytes from the operating system.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), Refused> {
    getrandom::fill(bytes).map_err(|_| Refused)
}
