//! Checks that SQLCipher is built to ask for the provider, that the interface is the one `src/provider.rs` was written for, and
//! satisfies `-lcrypto`, which libsqlite3-sys asks the linker for although nothing of it is used.

use std::path::Path;
use std::{env, fs};

/// The name of the provider's function, which SQLCipher calls.
const CUSTOM: &str = "SQLCIPHER_CRYPTO_CUSTOM=filamentbox_sqlcipher_provider";

/// What `src/provider.rs` copies from SQLCipher, which does not promise to keep it: without the white space.
const INTERFACE: [&str; 3] = [
    "#define SQLCIPHER_DECRYPT 0 #define SQLCIPHER_ENCRYPT 1 #define SQLCIPHER_HMAC_SHA1 0 \
     #define SQLCIPHER_HMAC_SHA1_LABEL \"HMAC_SHA1\" #define SQLCIPHER_HMAC_SHA256 1 \
     #define SQLCIPHER_HMAC_SHA256_LABEL \"HMAC_SHA256\" #define SQLCIPHER_HMAC_SHA512 2",
    "#define SQLCIPHER_PBKDF2_HMAC_SHA1 0 #define SQLCIPHER_PBKDF2_HMAC_SHA1_LABEL \"PBKDF2_HMAC_SHA1\" \
     #define SQLCIPHER_PBKDF2_HMAC_SHA256 1 #define SQLCIPHER_PBKDF2_HMAC_SHA256_LABEL \"PBKDF2_HMAC_SHA256\" \
     #define SQLCIPHER_PBKDF2_HMAC_SHA512 2",
    "struct sqlcipher_provider { int (*init)(void); void (*shutdown)(void); const char* (*get_provider_name)(void *ctx); \
     int (*add_random)(void *ctx, const void *buffer, int length); int (*random)(void *ctx, void *buffer, int length); \
     int (*hmac)(void *ctx, int algorithm, const unsigned char *hmac_key, int key_sz, const unsigned char *in, int in_sz, \
     const unsigned char *in2, int in2_sz, unsigned char *out); int (*kdf)(void *ctx, int algorithm, \
     const unsigned char *pass, int pass_sz, const unsigned char* salt, int salt_sz, int workfactor, int key_sz, \
     unsigned char *key); int (*cipher)(void *ctx, int mode, const unsigned char *key, int key_sz, const unsigned char *iv, \
     const unsigned char *in, int in_sz, unsigned char *out); const char* (*get_cipher)(void *ctx); \
     int (*get_key_sz)(void *ctx); int (*get_iv_sz)(void *ctx); int (*get_block_sz)(void *ctx); \
     int (*get_hmac_sz)(void *ctx, int algorithm); int (*ctx_init)(void **ctx); int (*ctx_free)(void **ctx); \
     int (*fips_status)(void *ctx); const char* (*get_provider_version)(void *ctx); sqlcipher_provider *next; };",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBSQLITE3_FLAGS");
    let custom = env::var("LIBSQLITE3_FLAGS")
        .is_ok_and(|flags| flags.split_whitespace().any(|flag| flag == format!("-D{CUSTOM}")));
    if env::var_os("CARGO_FEATURE_VENDORED_OPENSSL").is_some() {
        assert!(
            !custom,
            "With the feature vendored-openssl SQLCipher must not ask for our provider: build with \
             LIBSQLITE3_FLAGS=-DSQLITE_OMIT_LOAD_EXTENSION in the environment."
        );
        return;
    }
    assert!(
        custom,
        "SQLCipher must ask for our provider. In a checkout .cargo/config.toml sees to it; elsewhere (`cargo install --git`) build with \
         LIBSQLITE3_FLAGS='-D{CUSTOM} -DSQLITE_OMIT_LOAD_EXTENSION' in the environment."
    );
    check_interface();
    stand_in_for_libcrypto();
}

fn check_interface() {
    let folder = env::var("DEP_SQLITE3_INCLUDE").expect("libsqlite3-sys names SQLCipher's folder");
    let path = Path::new(&folder).join("sqlcipher.c");
    println!("cargo:rerun-if-changed={}", path.display());
    let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let source = source.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in INTERFACE {
        assert!(
            source.contains(part),
            "The provider's interface changed in {}: compare it with crates/sqlcipher/src/provider.rs, then correct both that file and \
             build.rs. It was: {part}",
            path.display()
        );
    }
}

/// Empty libraries, found before the system's. Both: GNU ld and rust-lld take the first, zig wants the second.
fn stand_in_for_libcrypto() {
    let folder = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    for (name, content) in [("libcrypto.a", "!<arch>\n"), ("libcrypto.so", "INPUT(libcrypto.a)\n")] {
        let path = Path::new(&folder).join(name);
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    println!("cargo:rustc-link-search=native={folder}");
}
