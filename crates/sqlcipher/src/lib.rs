//! rusqlite with SQLCipher: the same names, so whoever uses them has the cryptography linked too.
//!
//! SQLCipher encrypts a SQLite file page by page once `PRAGMA key` gave it a key; without a key a file is plain. It asks a *provider*
//! for AES, HMAC, PBKDF2 and random numbers. The usual one is OpenSSL, which takes minutes to build for every Pi; ours is RustCrypto.
//!
//! `primitives` computes, and is safe; `provider` is what SQLCipher's C code calls, and the only file of the project with `unsafe`.
//! No key is made, found or kept here, and no file is opened: that is `settings/store.rs` of `filamentbox`.
//!
//! A thread must not work on a keyed file while the process exits: SQLCipher frees the provider by `atexit`.

// C calls this code: it must not panic.
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub use rusqlite::*;

#[cfg(not(feature = "vendored-openssl"))]
mod primitives;
#[cfg(not(feature = "vendored-openssl"))]
mod provider;
