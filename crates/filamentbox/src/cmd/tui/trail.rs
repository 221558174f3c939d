//! The last hours, as fine as there is room for: what the little curves are drawn from.

use std::collections::VecDeque;

/// So many slots are kept, more than the columns of most windows.
const SLOTS_MAX: usize = 360;
/// A slot is this long at first, in seconds, and twice as long whenever there are too many; so that the last ones are a minute, and the curves
/// six hours.
const SLOT_FIRST: f64 = SLOT_LAST / 64.0;
const SLOT_LAST: f64 = 60.0;

/// A reading, and whether the heater was on then.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Dot {
    /// Unix seconds.
    pub(super) at: f64,
    pub(super) temperature_c: f64,
    /// Relative humidity.
    pub(super) humidity_pct: f64,
    /// Share of the time, 0 to 1.
    pub(super) heater_on: f64,
}

/// Sums of the dots of one slot.
#[derive(Clone, Copy, Debug)]
struct Slot {
    index: i64,
    count: f64,
    sum: Dot,
}

impl Slot {
    fn new(index: i64, dot: Dot) -> Self {
        Self { index, count: 1.0, sum: dot }
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.at += other.sum.at;
        self.sum.temperature_c += other.sum.temperature_c;
        self.sum.humidity_pct += other.sum.humidity_pct;
        self.sum.heater_on += other.sum.heater_on;
    }

    fn mean(&self) -> Dot {
        Dot {
            at: self.sum.at / self.count,
            temperature_c: self.sum.temperature_c / self.count,
            humidity_pct: self.sum.humidity_pct / self.count,
            heater_on: self.sum.heater_on / self.count,
        }
    }
}

/// What was measured lately.
#[derive(Debug)]
pub(super) struct Trail {
    /// Length of a slot, in seconds.
    slot: f64,
    slots: VecDeque<Slot>,
}

impl Default for Trail {
    fn default() -> Self {
        Self { slot: SLOT_FIRST, slots: VecDeque::new() }
    }
}

impl Trail {
    /// Adds what comes after all others. The same once more is left out; a clock that was set back begins anew.
    pub(super) fn push(&mut self, dot: Dot) {
        let newest = self.slots.back().map_or(f64::NEG_INFINITY, |slot| slot.mean().at);
        if dot.at < newest - SLOT_LAST {
            *self = Self::default();
        } else if dot.at <= newest {
            return;
        }
        self.put(Slot::new(index(dot.at, self.slot), dot));
        while self.slot < SLOT_LAST && self.is_too_long() {
            self.slot *= 2.0;
            for slot in std::mem::take(&mut self.slots) {
                self.put(Slot { index: index(slot.mean().at, self.slot), ..slot });
            }
        }
        while self.is_too_long() {
            self.slots.pop_front();
        }
    }

    fn is_too_long(&self) -> bool {
        let ends = self.slots.front().zip(self.slots.back());
        ends.is_some_and(|(first, last)| last.index.saturating_sub(first.index) >= SLOTS_MAX as i64)
    }

    fn put(&mut self, new: Slot) {
        match self.slots.back_mut() {
            Some(last) if last.index == new.index => last.add(&new),
            _ => self.slots.push_back(new),
        }
    }

    /// How long it is, in seconds.
    pub(super) fn span(&self) -> f64 {
        let at = |slot: Option<&Slot>| slot.map_or(0.0, |slot| slot.mean().at);
        at(self.slots.back()) - at(self.slots.front())
    }

    /// The means in at most `columns` equal parts of the time, oldest first; `None` where nothing was measured.
    pub(super) fn columns(&self, columns: usize) -> Vec<Option<Dot>> {
        let dots: Vec<Dot> = self.slots.iter().map(Slot::mean).collect();
        let (Some(first), true) = (dots.first(), columns > 0) else { return Vec::new() };
        let (start, span) = (first.at, self.span());
        // A column is never so short that readings that come in time leave gaps.
        let mut gaps: Vec<f64> = dots.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        gaps.sort_by(f64::total_cmp);
        let spacing = 1.5 * gaps.get(gaps.len() * 9 / 10).copied().unwrap_or(0.0);
        let column = (span / columns as f64).max(spacing).max(f64::MIN_POSITIVE);
        let mut parts: Vec<Option<Slot>> = vec![None; ((span / column) as usize + 1).min(columns)];
        let last = parts.len() - 1;
        for dot in dots {
            let dot_alone = Slot::new(0, dot);
            match &mut parts[(((dot.at - start) / column) as usize).min(last)] {
                Some(part) => part.add(&dot_alone),
                part => *part = Some(dot_alone),
            }
        }
        parts.iter().map(|part| part.as_ref().map(Slot::mean)).collect()
    }
}

fn index(at: f64, slot: f64) -> i64 {
    (at / slot).floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reading every `every` seconds, `count` times, which warms by a degree a reading.
    fn trail(every: f64, count: u32) -> Trail {
        let mut trail = Trail::default();
        for nth in 0..count {
            let nth = f64::from(nth);
            let at = 1.8e9 + nth * every;
            trail.push(Dot { at, temperature_c: nth, humidity_pct: 10.0, heater_on: 1.0 });
        }
        trail
    }

    #[test]
    fn it_holds_six_hours_and_no_more() {
        for (every, count, shortest, longest) in [
            (5.0, 10, 45.0, 45.0),
            (5.0, 720, 3500.0, 3600.0),
            (1.0, 50_000, 21_400.0, 21_600.0),
            (3600.0, 50, 0.0, 21_600.0),
        ] {
            let trail = trail(every, count);
            assert!((shortest..=longest).contains(&trail.span()), "{every} s: {} s", trail.span());
            assert!(trail.slots.len() <= SLOTS_MAX);
        }
    }

    #[test]
    fn columns_are_means_without_gaps_while_readings_come_in_time() {
        for (every, count) in [(5.0, 2), (5.0, 40), (0.25, 1000), (5.0, 5000), (60.0, 300)] {
            for columns in [1, 20, 64, 400] {
                let shown = trail(every, count).columns(columns);
                assert!(!shown.is_empty() && shown.len() <= columns);
                let temperatures: Vec<f64> = shown.iter().map(|dot| dot.expect("no gap").temperature_c).collect();
                assert!(temperatures.is_sorted(), "{temperatures:?}");
                assert!(shown.iter().flatten().all(|dot| dot.humidity_pct == 10.0 && dot.heater_on == 1.0));
            }
        }
        assert!(Trail::default().columns(10).is_empty());
    }

    #[test]
    fn an_outage_is_a_gap_and_a_clock_set_back_begins_anew() {
        let mut trail = trail(5.0, 100);
        let dot = |at| Dot { at, temperature_c: 1.0, humidity_pct: 10.0, heater_on: 0.0 };
        for nth in 0..100 {
            trail.push(dot(1.8e9 + 3000.0 + 5.0 * f64::from(nth)));
        }
        assert!(trail.columns(60).iter().any(Option::is_none));
        let before = trail.columns(60);
        trail.push(dot(1.8e9 + 3490.0));
        assert_eq!(trail.columns(60), before, "a reading is counted once");
        trail.push(dot(1.7e9));
        assert_eq!(trail.columns(60), [Some(dot(1.7e9))]);
    }
}
