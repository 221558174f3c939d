//! The box warms although the heater is off: its relay is welded, its transistor shorted.

use std::collections::VecDeque;
use std::time::Duration;

use super::Trip;
use crate::config::SafetyConfig;
use crate::safety::LatchReason;
use crate::time::Monotonic;
use crate::units::Celsius;

/// Element, walls and sensor are late: a box may go on warming for so long after the heater went off.
const SETTLES_FOR: Duration = Duration::from_secs(180);
/// No room warms a closed box by so much ...
const RISE_C: f64 = 3.0;
/// ... in so little time.
const WITHIN: Duration = Duration::from_secs(600);
/// What was as warm so recently only regains its warmth: somebody opened the lid, and shut it.
const REGAINS_WITHIN: Duration = Duration::from_secs(1800);
/// The past is kept in pieces of this length, so that it stays small however often the sensor is read.
const PIECE: Duration = Duration::from_secs(30);

/// What is kept of a piece of the past.
#[derive(Clone, Copy, Debug)]
struct Piece {
    begin: Monotonic,
    lowest: Celsius,
    lowest_at: Monotonic,
    highest: Celsius,
}

/// Watches whether the box warms while the heater is off.
#[derive(Clone, Debug)]
pub struct Stuck {
    cut_off_c: f64,
    off_since: Option<Monotonic>,
    /// Oldest first; at most [`REGAINS_WITHIN`] / [`PIECE`] and one.
    past: VecDeque<Piece>,
}

impl Stuck {
    /// The heater is off at `now`.
    pub fn new(limits: &SafetyConfig, now: Monotonic) -> Self {
        Self { cut_off_c: limits.max_temp_c, off_since: Some(now), past: VecDeque::new() }
    }

    /// The heater's line is so from now on.
    pub fn line(&mut self, now: Monotonic, active: bool) {
        self.off_since = (!active).then_some(now);
    }

    /// What was read before counts no more, and a line that is off counts as off since `now`.
    pub fn forget(&mut self, now: Monotonic) {
        self.past.clear();
        self.off_since = self.off_since.map(|_| now);
    }

    /// Takes in a reading taken at `at`.
    pub fn reading(&mut self, at: Monotonic, temperature: Celsius) -> Option<Trip> {
        self.keep(at, temperature);
        let settled_at = self.off_since? + SETTLES_FOR;
        if at < settled_at {
            return None;
        }
        let off = at.since(self.off_since?).as_secs();
        let trip = |evidence: String| Trip { reason: LatchReason::RelayStuck, evidence };
        if temperature.degrees() >= self.cut_off_c {
            let limit = self.cut_off_c;
            return Some(trip(format!("{temperature} while off for {off} s reaches the cut-off of {limit} °C")));
        }
        let recent = |piece: &&Piece| piece.lowest_at >= settled_at && at.since(piece.lowest_at) <= WITHIN;
        let from = *self.past.iter().filter(recent).min_by_key(|piece| piece.lowest)?;
        let regains = self.past.iter().any(|piece| piece.begin < from.begin && piece.highest >= temperature);
        if temperature.above(from.lowest) >= RISE_C && !regains {
            let (from_c, took) = (from.lowest, at.since(from.lowest_at).as_secs());
            let limit = WITHIN.as_secs() / 60;
            return Some(trip(format!(
                "{from_c} rose to {temperature} in {took} s while off for {off} s; {RISE_C} °C in {limit} min is too much"
            )));
        }
        None
    }

    fn keep(&mut self, at: Monotonic, temperature: Celsius) {
        while self.past.front().is_some_and(|oldest| at.since(oldest.begin) > REGAINS_WITHIN) {
            self.past.pop_front();
        }
        match self.past.back_mut().filter(|piece| at.since(piece.begin) < PIECE) {
            Some(piece) => {
                piece.highest = piece.highest.max(temperature);
                if temperature <= piece.lowest {
                    (piece.lowest, piece.lowest_at) = (temperature, at);
                }
            }
            None => {
                let piece = Piece { begin: at, lowest: temperature, lowest_at: at, highest: temperature };
                self.past.push_back(piece);
            }
        }
    }
}

#[cfg(test)]
#[path = "stuck_tests.rs"]
mod tests;
