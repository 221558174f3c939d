//! Who is logged in with a browser. Kept in memory, as the digests of the cookies: a start of the daemon ends every session.

use std::collections::HashMap;
use std::time::Duration;

use filamentbox_core::time::Monotonic;

use super::secrets::Digest;

/// A session that nobody uses for so long ends.
pub const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// And so does the busiest one.
pub const AGE_MAX: Duration = Duration::from_secs(7 * 86_400);
/// What is about heat or settings needs a password that was typed within this time.
pub const CONFIRMED: Duration = Duration::from_secs(5 * 60);
/// A household's browsers; the one that was used least recently makes room.
const SESSIONS_MAX: usize = 64;

#[derive(Clone, Copy)]
struct Session {
    began: Monotonic,
    used: Monotonic,
    confirmed: Monotonic,
}

impl Session {
    fn is_over(&self, now: Monotonic) -> bool {
        now.since(self.used) >= IDLE_MAX || now.since(self.began) >= AGE_MAX
    }
}

/// The sessions, by the digests of their cookies.
#[derive(Default)]
pub struct Sessions(HashMap<Digest, Session>);

impl Sessions {
    /// A person has just typed the password.
    pub fn begin(&mut self, id: Digest, now: Monotonic) {
        self.0.retain(|_, session| !session.is_over(now));
        if self.0.len() >= SESSIONS_MAX
            && let Some(oldest) = self.0.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| *id)
        {
            self.0.remove(&oldest);
        }
        self.0.insert(id, Session { began: now, used: now, confirmed: now });
    }

    /// A request came with this session; whether there is such a one.
    pub fn touch(&mut self, id: &Digest, now: Monotonic) -> bool {
        match self.0.get_mut(id) {
            Some(session) if !session.is_over(now) => {
                session.used = now;
                true
            }
            Some(_) => {
                self.0.remove(id);
                false
            }
            None => false,
        }
    }

    /// Whether there is such a session; looking does not keep it from being idle.
    pub fn is_on(&self, id: &Digest, now: Monotonic) -> bool {
        self.0.get(id).is_some_and(|session| !session.is_over(now))
    }

    /// The person has typed the password again.
    pub fn confirm(&mut self, id: &Digest, now: Monotonic) {
        if let Some(session) = self.0.get_mut(id) {
            session.confirmed = now;
        }
    }

    /// How long the password that was typed still counts.
    pub fn confirmed_for(&self, id: &Digest, now: Monotonic) -> Option<Duration> {
        let session = self.0.get(id)?;
        CONFIRMED.checked_sub(now.since(session.confirmed)).filter(|left| !left.is_zero())
    }

    /// Ends one.
    pub fn end(&mut self, id: &Digest) {
        self.0.remove(id);
    }

    /// Ends all.
    pub fn end_all(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs(1_000_000 + seconds)
    }

    fn id(number: usize) -> Digest {
        Digest::of(&number.to_string())
    }

    #[test]
    fn an_idle_session_ends_and_a_busy_one_ends_after_a_week() {
        let mut sessions = Sessions::default();
        sessions.begin(id(1), at(0));
        assert!(sessions.touch(&id(1), at(1799)));
        assert!(!sessions.touch(&id(2), at(1799)));
        assert!(sessions.is_on(&id(1), at(1799 + 1799)) && !sessions.is_on(&id(1), at(1799 + 1800)));
        assert!(!sessions.touch(&id(1), at(1799 + 1800)));
        assert!(!sessions.touch(&id(1), at(1799)), "over is over");
        sessions.begin(id(1), at(0));
        let week = 7 * 86_400;
        assert!((0..week).step_by(1000).all(|second| sessions.touch(&id(1), at(second))));
        assert!(!sessions.touch(&id(1), at(week)));
    }

    #[test]
    fn a_confirmation_lasts_five_minutes_whatever_is_done_meanwhile() {
        let mut sessions = Sessions::default();
        sessions.begin(id(1), at(0));
        assert!(sessions.touch(&id(1), at(299)));
        assert_eq!(sessions.confirmed_for(&id(1), at(299)), Some(Duration::from_secs(1)));
        assert_eq!(sessions.confirmed_for(&id(1), at(300)), None);
        sessions.confirm(&id(1), at(400));
        assert_eq!(sessions.confirmed_for(&id(1), at(401)), Some(Duration::from_secs(299)));
        assert_eq!(sessions.confirmed_for(&id(2), at(401)), None);
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let mut sessions = Sessions::default();
        (0..SESSIONS_MAX).for_each(|number| sessions.begin(id(number), at(number as u64)));
        assert!(sessions.touch(&id(0), at(100)));
        sessions.begin(id(1000), at(101));
        assert_eq!(sessions.0.len(), SESSIONS_MAX);
        assert!(sessions.touch(&id(0), at(102)) && !sessions.touch(&id(1), at(102)));
        sessions.end(&id(0));
        assert!(!sessions.touch(&id(0), at(103)));
        sessions.end_all();
        assert!(!sessions.touch(&id(1000), at(103)));
    }
}
