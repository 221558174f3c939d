//! The one-time code with which somebody who can read the log, or run a command on the machine, sets the password.

use std::io;
use std::time::Duration;

use filamentbox_core::time::Monotonic;
use zeroize::Zeroizing;

use super::secrets::{self, Digest};

/// A code counts for so long.
pub const AGE_MAX: Duration = Duration::from_secs(15 * 60);
/// So many wrong ones, and the code counts no more.
pub const TRIES: u8 = 5;

/// The code that counts now, if any: a new one replaces it.
#[derive(Default)]
pub struct SetupCode(Option<Code>);

struct Code {
    digest: Digest,
    made: Monotonic,
    tries_left: u8,
}

/// Why a code does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WrongCode {
    /// It is another one.
    Wrong {
        /// So many more may be tried.
        tries_left: u8,
    },
    /// There is none: used, too old, tried too often.
    NoCode,
}

impl SetupCode {
    /// A new code.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn make(&mut self, now: Monotonic) -> io::Result<Zeroizing<String>> {
        let code = secrets::typable()?;
        self.0 = Some(Code { digest: Digest::of(&secrets::typed(&code)), made: now, tries_left: TRIES });
        Ok(code)
    }

    /// Uses the code up, if this is it.
    ///
    /// # Errors
    /// [`WrongCode`].
    pub fn take(&mut self, typed: &str, now: Monotonic) -> Result<(), WrongCode> {
        let Some(code) = self.0.as_mut().filter(|code| now.since(code.made) < AGE_MAX) else {
            self.0 = None;
            return Err(WrongCode::NoCode);
        };
        if code.digest == Digest::of(&secrets::typed(typed)) {
            self.0 = None;
            return Ok(());
        }
        code.tries_left -= 1;
        let tries_left = code.tries_left;
        if tries_left == 0 {
            self.0 = None;
        }
        Err(WrongCode::Wrong { tries_left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn a_code_counts_once() {
        let mut setup = SetupCode::default();
        assert_eq!(setup.take("", at(0)), Err(WrongCode::NoCode));
        let code = setup.make(at(0)).expect("random numbers");
        assert_eq!(setup.take(&code.to_uppercase().replace('-', " "), at(899)), Ok(()));
        assert_eq!(setup.take(&code, at(899)), Err(WrongCode::NoCode));
    }

    #[test]
    fn a_code_counts_for_a_quarter_of_an_hour() {
        let mut setup = SetupCode::default();
        let code = setup.make(at(0)).expect("random numbers");
        assert_eq!(setup.take(&code, at(900)), Err(WrongCode::NoCode));
        assert_eq!(setup.take(&code, at(1)), Err(WrongCode::NoCode));
    }

    #[test]
    fn five_wrong_ones_end_it_also_for_who_has_the_right_one() {
        let mut setup = SetupCode::default();
        let code = setup.make(at(0)).expect("random numbers");
        for tries_left in [4, 3, 2, 1, 0] {
            assert_eq!(setup.take("0000-0000", at(1)), Err(WrongCode::Wrong { tries_left }));
        }
        assert_eq!(setup.take(&code, at(2)), Err(WrongCode::NoCode));
    }

    #[test]
    fn a_new_code_replaces_the_old_one() {
        let mut setup = SetupCode::default();
        let (old, new) = (setup.make(at(0)).expect("random"), setup.make(at(1)).expect("random"));
        assert_eq!(setup.take(&old, at(2)), Err(WrongCode::Wrong { tries_left: 4 }));
        assert_eq!(setup.take(&new, at(2)), Ok(()));
    }
}
