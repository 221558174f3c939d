//! The password: kept as its Argon2id hash, which takes a guesser 19 MiB of memory and two passes for each try.
//!
//! Hashing takes 50 ms on a desktop and about a second on a Pi Zero. The caller sees to it that it happens on a thread of its own, one at
//! a time (`login`).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroize as _;

use super::secrets;

/// How every stored hash begins.
pub const HASH_PREFIX: &str = "$argon2id$";
/// The shortest password.
pub const LENGTH_MIN: usize = 10;
/// The longest, in bytes: nobody types more, and hashing must not become work.
pub const LENGTH_MAX: usize = 1024;

/// What OWASP asks for: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// A hash that somebody else made may ask for this much at most.
const MEMORY_KIB_MAX: u32 = 64 * 1024;
const PASSES_MAX: u32 = 10;
const LANES_MAX: u32 = 4;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
const HASH_BYTES_MAX: usize = 64;
/// More than 32 MiB: glibc gives such a block back to the system when it is freed, and learns nothing from it. A smaller one raises the
/// size up to which freed memory is kept, so that the daemon would stay 19 MiB larger after a few logins. What is not touched costs nothing.
const RESERVED_BLOCKS: usize = 33 * 1024;

/// A password's hash, as it is stored: `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Hash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// Why a password cannot be had.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("the password must have {LENGTH_MIN} characters or more, and {LENGTH_MAX} bytes at most")]
    Length,
    /// Not a hash.
    #[error(
        "a value that begins with {HASH_PREFIX} must be an Argon2id hash (v=19, m up to {MEMORY_KIB_MAX}, t up to {PASSES_MAX}, p up to {LANES_MAX}); give the password itself, and it is hashed"
    )]
    NotAHash,
    /// The machine cannot.
    #[error("the password cannot be hashed: {0}")]
    Failed(String),
}

/// Whether `text` may be stored: a password of the right length, or a hash.
///
/// # Errors
/// [`PasswordError`].
pub fn check(text: &str) -> Result<(), PasswordError> {
    if is_hash(text) {
        return Hash::parse(text).map(drop).ok_or(PasswordError::NotAHash);
    }
    let fits = text.chars().count() >= LENGTH_MIN && text.len() <= LENGTH_MAX;
    if fits { Ok(()) } else { Err(PasswordError::Length) }
}

/// Whether `text` claims to be a hash.
pub fn is_hash(text: &str) -> bool {
    text.starts_with(HASH_PREFIX)
}

/// The hash of `password`, to be stored.
///
/// # Errors
/// [`PasswordError`].
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let failed = |problem: &dyn std::fmt::Display| PasswordError::Failed(problem.to_string());
    let mut salt = vec![0; SALT_BYTES];
    secrets::random(&mut salt).map_err(|problem| failed(&problem))?;
    let hash = vec![0; HASH_BYTES];
    let mut made = Hash { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt, hash };
    made.hash = made.of(password).map_err(|problem| failed(&problem))?;
    Ok(made.text())
}

/// Whether `password` is the one that `hash` was made from.
pub fn verify(password: &str, hash: &str) -> bool {
    let Some(stored) = Hash::parse(hash) else { return false };
    stored.of(password).is_ok_and(|found| is_equal(&found, &stored.hash))
}

/// Without an early end that would tell how much is right.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

impl Hash {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(HASH_PREFIX)?.split('$');
        if parts.next()? != "v=19" {
            return None;
        }
        let mut costs = parts.next()?.split(',');
        let mut cost = |name: &str, max: u32| {
            let value: u32 = costs.next()?.strip_prefix(name)?.parse().ok()?;
            (value <= max).then_some(value)
        };
        let (memory_kib, passes, lanes) =
            (cost("m=", MEMORY_KIB_MAX)?, cost("t=", PASSES_MAX)?, cost("p=", LANES_MAX)?);
        let mut bytes = || STANDARD_NO_PAD.decode(parts.next()?).ok();
        let (salt, hash) = (bytes()?, bytes()?);
        let is_whole = costs.next().is_none() && parts.next().is_none();
        let is_long_enough = (8..=64).contains(&salt.len()) && (16..=HASH_BYTES_MAX).contains(&hash.len());
        Params::new(memory_kib, passes, lanes, Some(hash.len())).ok()?;
        (is_whole && is_long_enough).then_some(Self { memory_kib, passes, lanes, salt, hash })
    }

    fn text(&self) -> String {
        let Self { memory_kib, passes, lanes, salt, hash } = self;
        let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
        format!("{HASH_PREFIX}v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
    }

    /// What `password` hashes to with this salt and these costs.
    fn of(&self, password: &str) -> Result<Vec<u8>, argon2::Error> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(self.hash.len()))?;
        let blocks = params.block_count();
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks.max(RESERVED_BLOCKS)).map_err(|_| argon2::Error::OutOfMemory)?;
        memory.resize(blocks, Block::new());
        let mut found = vec![0; self.hash.len()];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let done =
            argon2.hash_password_into_with_memory(password.as_bytes(), &self.salt, &mut found, memory.as_mut_slice());
        // Only what was used: wiping the rest would make it cost something.
        memory.iter_mut().zeroize();
        done.map(|()| found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_no_other_is() {
        let stored = hash("correct horse").expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify("correct horse", &stored));
        for other in ["", "correct horsf", "correct horse ", "Correct horse", &stored] {
            assert!(!verify(other, &stored), "{other}");
        }
        assert_ne!(stored, hash("correct horse").expect("hashed"), "a salt of its own");
    }

    /// What the reference implementation prints (Debian's package argon2): `echo -n "correct horse" | argon2 somesaltSOMESALT -id -t 3 -k 256
    /// -p 2 -l 24 -e`.
    #[test]
    fn a_hash_of_another_program_is_understood() {
        let text = "$argon2id$v=19$m=256,t=3,p=2$c29tZXNhbHRTT01FU0FMVA$tVInBpJ9JdMqOUWTKpApU5g/sp2qXiKd";
        assert!(verify("correct horse", text) && !verify("correct horsf", text));
        let costs = Hash::parse(text).map(|hash| (hash.memory_kib, hash.passes, hash.lanes));
        assert_eq!(costs, Some((256, 3, 2)), "the costs of other programs are kept");
    }

    #[test]
    fn what_may_be_stored() {
        let stored = hash("correct horse").expect("hashed");
        for good in ["0123456789", "пароль пароль", &"x".repeat(LENGTH_MAX), &stored] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for short in ["", "012345678", "ääääääääá", &"x".repeat(LENGTH_MAX + 1)] {
            assert_eq!(check(short), Err(PasswordError::Length), "{short}");
        }
        let (salt, hash) = ("c29tZXNhbHRTT01FU0FMVA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        for bad in [
            "$argon2id$".to_owned(),
            format!("$argon2id$v=16$m=19456,t=2,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=999999999,t=2,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=19456,t=99,p=1${salt}${hash}"),
            format!("$argon2id$v=19$m=19456,t=2,p=0${salt}${hash}"),
            format!("$argon2id$v=19$m=19456,t=2${salt}${hash}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$"),
            format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${hash}$x"),
        ] {
            assert_eq!(check(&bad), Err(PasswordError::NotAHash), "{bad}");
        }
    }
}
