//! Dead letters: points that a server refuses for good. They are on disk before the cursor is said to have passed them, they are
//! bounded, and a person sends them again or drops them.

use filamentbox_core::time::Clock;

use super::ledger::Ledger;
use super::store::{Chosen, NewLetter};
use super::worker::Worker;

/// Dead letters of all backends together; beyond it the oldest go, counted as evicted.
const LETTERS_MAX: u64 = 1_000;
const TOO_MANY: &str = "there are too many dead letters, and the oldest were dropped";

impl Worker {
    /// Keeps dead letters. They are on disk at once, if it plays along; until then they are in memory.
    pub(super) fn keep_letters(&mut self, letters: Vec<NewLetter>, clock: &Clock) {
        if letters.is_empty() {
            return;
        }
        self.letters.extend(letters);
        let excess = self.letters.len().saturating_sub(LETTERS_MAX as usize);
        for letter in self.letters.drain(..excess) {
            self.ledger.take_letters(&letter.sink, 1, false);
        }
        if excess > 0 {
            self.report_loss(clock.now, TOO_MANY);
        }
        if self.disk.is_ready(clock.now) && self.commit(clock, false) {
            self.trim_letters(clock);
        }
    }

    fn trim_letters(&mut self, clock: &Clock) {
        let excess = |store: &mut super::store::Store| {
            let count = store.letter_count()?;
            store.oldest_letters(count.saturating_sub(LETTERS_MAX))
        };
        let Some(oldest) = self.disk.with(clock.now, excess).filter(|oldest| !oldest.is_empty()) else { return };
        if self.forget_letters(&oldest, false, clock) {
            self.report_loss(clock.now, TOO_MANY);
        }
    }

    /// These dead letters, with their backends, are delivered or gone.
    pub(super) fn forget_letters(&mut self, letters: &[(u64, String)], delivered: bool, clock: &Clock) -> bool {
        let before: Ledger = self.ledger.clone();
        for (_, sink) in letters {
            self.ledger.take_letters(sink, 1, delivered);
        }
        self.forgotten = letters.iter().map(|(id, _)| *id).collect();
        let done = self.commit(clock, false);
        if !done {
            self.ledger = before;
            self.forgotten.clear();
        }
        self.write_cursor_file();
        done
    }

    /// Says how many were dropped.
    pub(super) fn drop_letters(&mut self, chosen: &Chosen, clock: &Clock) -> Option<u64> {
        let letters = self.disk.with(clock.now, |store| store.chosen_letters(chosen))?;
        let count = letters.len() as u64;
        let done = letters.is_empty() || self.forget_letters(&letters, false, clock);
        self.look_for_letters(clock);
        done.then_some(count)
    }

    /// Says how many are to be sent again, and tells their backends.
    pub(super) fn send_letters_again(&mut self, chosen: &Chosen, clock: &Clock) -> Option<u64> {
        let count = self.disk.with(clock.now, |store| store.send_letters_again(chosen))?;
        self.look_for_letters(clock);
        for sink in &self.sends_again {
            self.notifies.of(sink).notify_one();
        }
        Some(count)
    }

    /// A dead letter was sent again.
    pub(super) fn letter_sent(&mut self, id: u64, sink: &str, refused: Option<&str>, clock: &Clock) -> Option<()> {
        match refused {
            Some(reason) => self.disk.with(clock.now, |store| store.keep_letter(id, reason))?,
            None => self.forget_letters(&[(id, sink.to_owned())], true, clock).then_some(())?,
        }
        self.look_for_letters(clock);
        Some(())
    }

    fn look_for_letters(&mut self, clock: &Clock) {
        if let Some(sinks) = self.disk.with(clock.now, |store| store.sinks_to_send_again()) {
            self.sends_again = sinks.into_iter().collect();
        }
    }
}
