//! SQLCipher's provider: the functions that its C code calls. The only file of the project with `unsafe`.
//!
//! The interface is SQLCipher's `struct sqlcipher_provider`, which is private to it: `build.rs` compares it with the source that is built.
//! Each function checks pointers and lengths, copies or borrows, and computes in `primitives`; a panic becomes an error of SQLite.
#![allow(unsafe_code, reason = "C calls these functions with pointers")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{ptr, slice};

use crate::primitives::{self, BLOCK_BYTES, Hash, KEY_BYTES, Refused};
use rusqlite::ffi::{SQLITE_ERROR, SQLITE_OK};

const DECRYPT: c_int = 0;
const ENCRYPT: c_int = 1;

const NAME: &CStr = c"rustcrypto";
const CIPHER: &CStr = c"aes-256-cbc";
const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

type Text = unsafe extern "C" fn(*mut c_void) -> *const c_char;
type Number = unsafe extern "C" fn(*mut c_void) -> c_int;
type Context = unsafe extern "C" fn(*mut *mut c_void) -> c_int;
type Hmac =
    unsafe extern "C" fn(*mut c_void, c_int, *const u8, c_int, *const u8, c_int, *const u8, c_int, *mut u8) -> c_int;
type Kdf = unsafe extern "C" fn(*mut c_void, c_int, *const u8, c_int, *const u8, c_int, c_int, c_int, *mut u8) -> c_int;
type Cipher = unsafe extern "C" fn(*mut c_void, c_int, *const u8, c_int, *const u8, *const u8, c_int, *mut u8) -> c_int;

/// `struct sqlcipher_provider`, field by field.
#[repr(C)]
struct Provider {
    init: Option<unsafe extern "C" fn() -> c_int>,
    shutdown: Option<unsafe extern "C" fn()>,
    get_provider_name: Text,
    add_random: unsafe extern "C" fn(*mut c_void, *const c_void, c_int) -> c_int,
    random: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
    hmac: Hmac,
    kdf: Kdf,
    cipher: Cipher,
    get_cipher: Text,
    get_key_sz: Number,
    get_iv_sz: Number,
    get_block_sz: Number,
    get_hmac_sz: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    ctx_init: Context,
    ctx_free: Context,
    fips_status: Number,
    get_provider_version: Text,
    next: *mut Provider,
}

/// SQLCipher calls this once, when the first database is opened (`-DSQLCIPHER_CRYPTO_CUSTOM` names it).
// SAFETY: no other crate exports this name.
#[unsafe(no_mangle)]
unsafe extern "C" fn filamentbox_sqlcipher_provider(provider: *mut Provider) -> c_int {
    if provider.is_null() {
        return SQLITE_ERROR;
    }
    // SAFETY: SQLCipher allocated a `struct sqlcipher_provider` for us to fill; `write` does not read what is there.
    unsafe { provider.write(PROVIDER) };
    SQLITE_OK
}

const PROVIDER: Provider = Provider {
    init: None,
    shutdown: None,
    get_provider_name: name,
    add_random,
    random,
    hmac,
    kdf,
    cipher,
    get_cipher: cipher_name,
    get_key_sz: key_bytes,
    get_iv_sz: block_bytes,
    get_block_sz: block_bytes,
    get_hmac_sz: hmac_bytes,
    ctx_init: context,
    ctx_free: context,
    fips_status: zero,
    get_provider_version: version,
    next: ptr::null_mut(),
};

/// `work`'s result as SQLite's; never unwinds into C.
fn answer(work: impl FnOnce() -> Result<(), Refused>) -> c_int {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => SQLITE_OK,
        Ok(Err(Refused)) | Err(_) => SQLITE_ERROR,
    }
}

/// What C passed as pointer and length. No bytes may come with a null pointer.
///
/// # Safety
/// `length` bytes at `from` are initialised, and nobody writes them during `'a`.
unsafe fn bytes<'a>(from: *const u8, length: c_int) -> Result<&'a [u8], Refused> {
    match usize::try_from(length).map_err(|_| Refused)? {
        0 => Ok(&[]),
        _ if from.is_null() => Err(Refused),
        // SAFETY: not null, and the rest is the caller's promise.
        length => Ok(unsafe { slice::from_raw_parts(from, length) }),
    }
}

/// What C wants to have filled.
///
/// # Safety
/// `length` bytes at `to` are initialised, and nobody else reads or writes them during `'a`.
unsafe fn space<'a>(to: *mut u8, length: usize) -> Result<&'a mut [u8], Refused> {
    match length {
        0 => Ok(&mut []),
        _ if to.is_null() || length > isize::MAX as usize => Err(Refused),
        // SAFETY: not null, no longer than the address space, and the rest is the caller's promise.
        length => Ok(unsafe { slice::from_raw_parts_mut(to, length) }),
    }
}

fn hash(algorithm: c_int) -> Result<Hash, Refused> {
    match algorithm {
        0 => Ok(Hash::Sha1),
        1 => Ok(Hash::Sha256),
        2 => Ok(Hash::Sha512),
        _ => Err(Refused),
    }
}

unsafe extern "C" fn random(_: *mut c_void, buffer: *mut c_void, length: c_int) -> c_int {
    answer(|| {
        let length = usize::try_from(length).map_err(|_| Refused)?;
        if buffer.is_null() && length > 0 {
            return Err(Refused);
        }
        // A buffer of C need not be initialised, which a slice must be.
        // SAFETY: SQLCipher passes a buffer of `length` bytes; none when that is 0.
        unsafe { ptr::write_bytes(buffer.cast::<u8>(), 0, length) };
        // SAFETY: the same buffer, now initialised, and only ours during the call.
        primitives::random(unsafe { space(buffer.cast(), length) }?)
    })
}

unsafe extern "C" fn hmac(
    _: *mut c_void,
    algorithm: c_int,
    key: *const u8,
    key_bytes: c_int,
    first: *const u8,
    first_bytes: c_int,
    second: *const u8,
    second_bytes: c_int,
    out: *mut u8,
) -> c_int {
    answer(|| {
        let hash = hash(algorithm)?;
        // SAFETY: SQLCipher passes buffers of these lengths, which nobody writes during the call.
        let key = unsafe { bytes(key, key_bytes) }?;
        // SAFETY: the same.
        let first = unsafe { bytes(first, first_bytes) }?;
        let second = if second.is_null() {
            &[]
        } else {
            // SAFETY: the same.
            unsafe { bytes(second, second_bytes) }?
        };
        if out.is_null() {
            return Err(Refused);
        }
        let code = primitives::hmac(hash, key, [first, second])?;
        // SAFETY: SQLCipher passes a buffer of `get_hmac_sz(algorithm)` bytes, at most the 64 of `code`, which is ours.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), out, hash.bytes()) };
        Ok(())
    })
}

unsafe extern "C" fn kdf(
    _: *mut c_void,
    algorithm: c_int,
    passphrase: *const u8,
    passphrase_bytes: c_int,
    salt: *const u8,
    salt_bytes: c_int,
    rounds: c_int,
    key_bytes: c_int,
    key: *mut u8,
) -> c_int {
    answer(|| {
        let hash = hash(algorithm)?;
        // SAFETY: SQLCipher passes buffers of these lengths, which nobody writes during the call.
        let passphrase = unsafe { bytes(passphrase, passphrase_bytes) }?;
        // SAFETY: the same.
        let salt = unsafe { bytes(salt, salt_bytes) }?;
        let rounds = u32::try_from(rounds).map_err(|_| Refused)?;
        let key_bytes = usize::try_from(key_bytes).map_err(|_| Refused)?;
        // SAFETY: SQLCipher passes its own zeroed buffer of `key_bytes` bytes, which is neither of the other two.
        primitives::derive(hash, passphrase, salt, rounds, unsafe { space(key, key_bytes) }?)
    })
}

unsafe extern "C" fn cipher(
    _: *mut c_void,
    mode: c_int,
    key: *const u8,
    key_bytes: c_int,
    iv: *const u8,
    from: *const u8,
    length: c_int,
    to: *mut u8,
) -> c_int {
    answer(|| {
        // SAFETY: SQLCipher passes a buffer of this length, which nobody writes during the call.
        let key = unsafe { bytes(key, key_bytes) }?;
        let length = usize::try_from(length).map_err(|_| Refused)?;
        if iv.is_null() || from.is_null() || to.is_null() {
            return Err(Refused);
        }
        // SAFETY: SQLCipher passes a buffer of `get_iv_sz` bytes. A copy, as it lies in the page that is written.
        let iv = unsafe { iv.cast::<[u8; BLOCK_BYTES]>().read_unaligned() };
        // SAFETY: both buffers have `length` bytes; they may be the same.
        unsafe { ptr::copy(from, to, length) };
        // SAFETY: `length` bytes at `to` were just written; key and vector lie outside.
        let text = unsafe { space(to, length) }?;
        match mode {
            ENCRYPT => primitives::encrypt(key, &iv, text),
            DECRYPT => primitives::decrypt(key, &iv, text),
            _ => Err(Refused),
        }
    })
}

/// The kernel's generator needs no more entropy.
unsafe extern "C" fn add_random(_: *mut c_void, _: *const c_void, _: c_int) -> c_int {
    SQLITE_OK
}

/// There is no state, and so no context.
unsafe extern "C" fn context(_: *mut *mut c_void) -> c_int {
    SQLITE_OK
}

/// Not validated for FIPS.
unsafe extern "C" fn zero(_: *mut c_void) -> c_int {
    0
}

unsafe extern "C" fn name(_: *mut c_void) -> *const c_char {
    NAME.as_ptr()
}

unsafe extern "C" fn version(_: *mut c_void) -> *const c_char {
    VERSION.as_ptr()
}

unsafe extern "C" fn cipher_name(_: *mut c_void) -> *const c_char {
    CIPHER.as_ptr()
}

unsafe extern "C" fn key_bytes(_: *mut c_void) -> c_int {
    KEY_BYTES as c_int
}

unsafe extern "C" fn block_bytes(_: *mut c_void) -> c_int {
    BLOCK_BYTES as c_int
}

unsafe extern "C" fn hmac_bytes(_: *mut c_void, algorithm: c_int) -> c_int {
    hash(algorithm).map_or(0, |hash| hash.bytes() as c_int)
}

#[cfg(test)]
mod tests;
