//! The box warms although the heater is off, or does not cool: its relay is welded, its transistor shorted.
//!
//! A strong heater that stays on shows in a rise. A weak one does not: warm walls and spools make it slow. But what it had lifted the
//! air by within minutes falls within minutes once it is off, so a box that keeps its peak is still heated.

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
/// What the last heat lifted the air by, it loses by half once the heater is off, at most by half of this, in °C ...
const LIFTED_MOST_C: f64 = 2.0;
/// ... and less than this says nothing, in °C ...
const LIFTED_LEAST_C: f64 = 1.0;
/// ... within so long. A minute is left of the thirteen for the last reading.
const COOLS_WITHIN: Duration = Duration::from_secs(720);
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

/// What the heat that goes on lifts the air by.
#[derive(Clone, Copy, Debug)]
struct Lift {
    lowest: Celsius,
    lifted_c: f64,
}

/// What the air has to lose.
#[derive(Clone, Copy, Debug)]
struct Cooling {
    fall_c: f64,
    highest: Option<Celsius>,
}

/// Watches whether the box warms while the heater is off.
#[derive(Clone, Debug)]
pub struct Stuck {
    cut_off_c: f64,
    /// The cut-off was lowered to this: air that was heated above it by right is no sign, until it has cooled.
    lower_cut_off_c: Option<f64>,
    off_since: Option<Monotonic>,
    lift: Option<Lift>,
    /// Since the heater went off, until the air has cooled.
    cooling: Option<Cooling>,
    /// Oldest first; at most [`REGAINS_WITHIN`] / [`PIECE`] and one.
    past: VecDeque<Piece>,
}

impl Stuck {
    /// The heater is off at `now`.
    pub fn new(limits: &SafetyConfig, now: Monotonic) -> Self {
        Self {
            cut_off_c: limits.max_temp_c,
            lower_cut_off_c: None,
            off_since: Some(now),
            lift: None,
            cooling: None,
            past: VecDeque::new(),
        }
    }

    /// Another cut-off from now on.
    pub fn configure(&mut self, cut_off_c: f64) {
        if cut_off_c < self.cut_off_c {
            self.lower_cut_off_c = Some(cut_off_c);
        } else {
            (self.cut_off_c, self.lower_cut_off_c) = (cut_off_c, None);
        }
    }

    /// The heater's line is so from now on.
    pub fn line(&mut self, now: Monotonic, active: bool) {
        self.off_since = (!active).then_some(now);
        let lifted_c = self.lift.take().map_or(0.0, |lift| lift.lifted_c);
        self.cooling = (!active && lifted_c >= LIFTED_LEAST_C)
            .then(|| Cooling { fall_c: lifted_c.min(LIFTED_MOST_C) / 2.0, highest: None });
    }

    /// What was read before counts no more, and a line that is off counts as off since `now`.
    pub fn forget(&mut self, now: Monotonic) {
        self.past.clear();
        (self.lift, self.cooling) = (None, None);
        self.off_since = self.off_since.map(|_| now);
    }

    /// Takes in a reading taken at `at`.
    pub fn reading(&mut self, at: Monotonic, temperature: Celsius) -> Option<Trip> {
        self.keep(at, temperature);
        if let Some(lower_c) = self.lower_cut_off_c.filter(|lower_c| temperature.degrees() < *lower_c) {
            (self.cut_off_c, self.lower_cut_off_c) = (lower_c, None);
        }
        let Some(off_since) = self.off_since else {
            self.lift(temperature);
            return None;
        };
        let off = at.since(off_since);
        let evidence = self
            .keeps_its_peak(off, temperature)
            .or_else(|| self.is_too_hot(off, temperature))
            .or_else(|| self.rises(at, off_since, temperature))?;
        let evidence = format!("{evidence}, the heater is off for {} s", off.as_secs());
        Some(Trip { reason: LatchReason::RelayStuck, evidence })
    }

    fn lift(&mut self, temperature: Celsius) {
        let lift = self.lift.get_or_insert(Lift { lowest: temperature, lifted_c: 0.0 });
        lift.lowest = lift.lowest.min(temperature);
        lift.lifted_c = lift.lifted_c.max(temperature.above(lift.lowest));
    }

    /// What it was lifted by it has to lose.
    fn keeps_its_peak(&mut self, off: Duration, temperature: Celsius) -> Option<String> {
        let cooling = self.cooling.as_mut()?;
        let highest = cooling.highest.map_or(temperature, |highest| highest.max(temperature));
        cooling.highest = Some(highest);
        let fall_c = cooling.fall_c;
        if highest.above(temperature) >= fall_c {
            self.cooling = None;
            return None;
        }
        (off >= COOLS_WITHIN).then(|| {
            let limit = COOLS_WITHIN.as_secs();
            format!("{temperature} after {highest} at most, {fall_c:.1} °C less are expected within {limit} s after the heat")
        })
    }

    fn is_too_hot(&self, off: Duration, temperature: Celsius) -> Option<String> {
        (off >= SETTLES_FOR && temperature.degrees() >= self.cut_off_c)
            .then(|| format!("{temperature} reaches the cut-off of {} °C", self.cut_off_c))
    }

    fn rises(&self, at: Monotonic, off_since: Monotonic, temperature: Celsius) -> Option<String> {
        let settled_at = off_since + SETTLES_FOR;
        let recent = |piece: &&Piece| piece.lowest_at >= settled_at && at.since(piece.lowest_at) <= WITHIN;
        let from = *self.past.iter().filter(recent).min_by_key(|piece| piece.lowest)?;
        let regains = self.past.iter().any(|piece| piece.begin < from.begin && piece.highest >= temperature);
        if temperature.above(from.lowest) < RISE_C || regains {
            return None;
        }
        let (from_c, took, limit) = (from.lowest, at.since(from.lowest_at).as_secs(), WITHIN.as_secs());
        Some(format!("{from_c} rose to {temperature} in {took} s, {RISE_C} °C in {limit} s are too much"))
    }

    fn keep(&mut self, at: Monotonic, temperature: Celsius) {
        while self.past.front().is_some_and(|oldest| at.since(oldest.begin) > REGAINS_WITHIN) {
            self.past.pop_front();
        }
        match self.past.back_mut().filter(|piece| at.since(piece.begin) < PIECE) {
            Some(piece) => {
                piece.highest = piece.highest.max(temperature);
                // The later of two equal ones is within the time for longer.
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
