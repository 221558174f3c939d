//! Who did what, from where, and what came of it: events of the kind `access`.
//!
//! Whoever floods the port must not push other events out of the log, nor wear out the card: repeated ones are counted, not listed, and
//! there is a budget, a small one for those who are not logged in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use filamentbox_core::event::{Event, EventKind, Severity};
use filamentbox_core::time::Monotonic;

use crate::journal::Handle;
use crate::runtime::clock::{Clocks, boottime};
use crate::runtime::control::write_log;

/// The same again within this time is not listed.
const SAME: Duration = Duration::from_secs(60);
/// Of those who are logged in, or have a token: so many at once, and one more each half minute.
const KNOWN: (u32, Duration) = (60, Duration::from_secs(30));
/// Of anybody else: 10,000 events, which the log keeps, last for weeks at this rate.
const UNKNOWN: (u32, Duration) = (20, Duration::from_secs(300));

/// Who did something, for the budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Actor {
    /// Somebody who is logged in, or has a token.
    Known,
    /// Anybody else.
    Unknown,
}

/// The audit.
pub struct Audit {
    journal: Handle,
    clocks: Arc<Clocks>,
    budgets: Mutex<[Budget; 2]>,
}

impl Audit {
    /// One that writes into `journal`.
    pub fn new(journal: Handle, clocks: Arc<Clocks>) -> Self {
        let budgets = Mutex::new([Budget::new(KNOWN), Budget::new(UNKNOWN)]);
        Self { journal, clocks, budgets }
    }

    /// Something was done, or tried: a sentence for people.
    pub fn tell(&self, actor: Actor, severity: Severity, text: String) {
        let budget = match actor {
            Actor::Known => 0,
            Actor::Unknown => 1,
        };
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(text) = budgets[budget].spend(text, boottime()) else { return };
        drop(budgets);
        let event = Event { at: self.clocks.read().wall, box_name: None, kind: EventKind::Access, severity, text };
        write_log(&event);
        self.journal.event(event);
    }
}

struct Budget {
    max: u32,
    each: Duration,
    left: u32,
    filled: Monotonic,
    last: Option<(String, Monotonic)>,
    unlisted: u64,
}

impl Budget {
    fn new((max, each): (u32, Duration)) -> Self {
        Self { max, each, left: max, filled: Monotonic::ZERO, last: None, unlisted: 0 }
    }

    /// What is listed, if `text` is.
    fn spend(&mut self, text: String, now: Monotonic) -> Option<String> {
        let gained = now.since(self.filled).as_nanos() / self.each.as_nanos();
        if gained > 0 {
            self.left = self.left.saturating_add(u32::try_from(gained).unwrap_or(u32::MAX)).min(self.max);
            self.filled = now;
        }
        let is_same = self.last.as_ref().is_some_and(|(last, at)| *last == text && now.since(*at) < SAME);
        if is_same || self.left == 0 {
            self.unlisted += 1;
            return None;
        }
        self.left -= 1;
        self.last = Some((text.clone(), now));
        match std::mem::take(&mut self.unlisted) {
            0 => Some(text),
            unlisted => Some(format!("{text} ({unlisted} more before that are not listed)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn what_repeats_is_counted() {
        let mut budget = Budget::new(UNKNOWN);
        let mut tell = |text: &str, second| budget.spend(text.to_owned(), at(second));
        assert_eq!(tell("a", 0).as_deref(), Some("a"));
        assert_eq!(tell("a", 1), None);
        assert_eq!(tell("a", 59), None);
        assert_eq!(tell("b", 59).as_deref(), Some("b (2 more before that are not listed)"));
        assert_eq!(tell("a", 60).as_deref(), Some("a"));
    }

    #[test]
    fn a_flood_costs_a_few_events_an_hour() {
        let mut budget = Budget::new(UNKNOWN);
        let listed = (0..36_000).filter_map(|i| budget.spend(format!("try {i}"), at(i / 10))).count();
        assert!((20..=20 + 12).contains(&listed), "{listed} events of 36000 tries in an hour");
        let later = budget.spend("later".to_owned(), at(7200)).expect("there is room again");
        assert!(later.starts_with("later (") && later.ends_with(" more before that are not listed)"), "{later}");
    }
}
