//! What may be concluded from the readings alone, worked out a second time and more simply than the chamber does it: which reading
//! is believed, whether the sensor has proven itself, whether it repeats itself, and whether the heater warms the box.

use std::time::Duration;

use filamentbox_core::config::SafetyConfig;
use filamentbox_core::sample::SensorTraits;
use filamentbox_core::time::Monotonic;

use crate::witness::Seen;

/// Readings that follow on each other so are of the same air.
const PER_SECOND_C: f64 = 5.0;
const AT_ONCE_C: f64 = 20.0;
const FORGOTTEN: Duration = Duration::from_secs(60);
const IN_A_ROW: usize = 3;
const PROVEN_OVER: Duration = Duration::from_secs(10);
/// The daemon learns of its line from the guard's answers, and may miss two of them.
pub(crate) const UNTOLD: Duration = Duration::from_secs(2);

/// The heater is on after a pause long enough, and has to show that it warms the box.
#[derive(Clone, Copy, Debug)]
struct Owes {
    lowest_c: f64,
    heated: Duration,
    counted_to: Monotonic,
}

pub(crate) struct Beliefs {
    limits: SafetyConfig,
    traits: SensorTraits,
    pub(crate) believed: Option<Seen>,
    /// Readings that agree with each other and not with what was believed.
    doubted: Vec<Seen>,
    rejected: usize,
    lost: bool,
    /// What is believed is no measure for the next reading.
    is_void: bool,
    proven: Vec<Monotonic>,
    line: (bool, Monotonic),
    /// Believed readings with the same words since the heater went on: how many, and since when.
    same: Option<(u64, u32, Monotonic)>,
    owes: Option<Owes>,
    /// The last three: the chamber looks at the middle one of them, so each may still count when the heater goes on.
    recent_c: [f64; 3],
    /// So many times in a row the heater did not show it.
    failed: u32,
}

impl Beliefs {
    pub(crate) fn new(limits: SafetyConfig, traits: SensorTraits, now: Monotonic, line: bool) -> Self {
        Self {
            limits,
            traits,
            believed: None,
            doubted: Vec::new(),
            rejected: 0,
            lost: false,
            is_void: false,
            proven: Vec::new(),
            line: (line, now),
            same: None,
            owes: None,
            recent_c: [f64::INFINITY; 3],
            failed: 0,
        }
    }

    /// Why there must be no heat, by what was read.
    pub(crate) fn forbid(&self) -> Option<&'static str> {
        let reading = self.believed?;
        if self.rejected >= IN_A_ROW {
            return Some("three readings in a row were not to be believed");
        }
        if self.lost {
            return Some("the sensor was lost and has not proven itself");
        }
        if reading.temperature_c < 5.0 && !self.limits.allow_cold {
            return Some("too cold to be true");
        }
        if self.limits.max_temp_c > self.traits.temperature_max_c - 2.0 {
            return Some("the sensor cannot see the cut-off");
        }
        None
    }

    /// What should have latched by now.
    pub(crate) fn overdue(&self, read_interval: Duration) -> Option<&'static str> {
        let frozen = self.traits.frozen;
        if let Some((_, count, since)) = self.same
            && let Some(reading) = self.believed
            && count > frozen.readings + 1
            && reading.taken_at.since(since) > frozen.time + UNTOLD + read_interval
        {
            return Some("the sensor is frozen");
        }
        let late = self.limits.heating_rise_time + 3 * read_interval + 2 * UNTOLD;
        self.owes.filter(|owes| owes.heated > late).map(|_| "the box does not warm")
    }

    /// Whether the heater failed to warm the box twice in a row.
    pub(crate) fn failed_twice(&self) -> bool {
        self.failed >= 2
    }

    pub(crate) fn missed(&mut self) {
        self.proven.clear();
    }

    /// A reading reached the chamber at `now`, which heats towards `target_c`.
    pub(crate) fn hear(&mut self, now: Monotonic, seen: Seen, words: u64, target_c: f64) {
        if !self.is_void && self.believed.is_some_and(|believed| !follows(believed, seen)) {
            if !self.doubted.last().is_some_and(|last| follows(*last, seen)) {
                self.doubted.clear();
            }
            self.doubted.push(seen);
            self.rejected += 1;
            self.proven.clear();
            self.lost |= self.rejected >= IN_A_ROW;
            if self.doubted.len() < IN_A_ROW {
                return;
            }
            // Three that agree: that is how the air is now, and what was thought before is void.
            self.lost = true;
            (self.same, self.owes) = (None, None);
        }
        self.doubted.clear();
        (self.rejected, self.is_void) = (0, false);
        if self.believed.is_some_and(|last| now.since(last.taken_at) > self.limits.max_sample_age) {
            self.lost = true;
            self.proven.clear();
        }
        self.believed = Some(seen);
        self.recent_c = [self.recent_c[1], self.recent_c[2], seen.temperature_c];
        self.proven.push(seen.taken_at);
        if self.proven.len() >= IN_A_ROW && seen.taken_at.since(self.proven[0]) >= PROVEN_OVER {
            self.lost = false;
        }
        if !self.lost {
            self.proven.clear();
        }
        self.compare(seen, words);
        self.warm(seen, target_c);
    }

    fn compare(&mut self, seen: Seen, words: u64) {
        if !self.line.0 || seen.taken_at < self.line.1 {
            return;
        }
        let (count, since) = match self.same {
            Some((same, count, since)) if same == words => (count + 1, since),
            _ => (1, seen.taken_at),
        };
        self.same = Some((words, count, since));
    }

    fn warm(&mut self, seen: Seen, target_c: f64) {
        let Some(owes) = self.owes.as_mut().filter(|_| self.line.0) else { return };
        owes.lowest_c = owes.lowest_c.min(middle(self.recent_c));
        if target_c - owes.lowest_c > 3.0 {
            owes.heated += seen.taken_at.since(owes.counted_to);
        }
        owes.counted_to = seen.taken_at;
        if seen.temperature_c - owes.lowest_c >= self.limits.heating_rise_c {
            (self.owes, self.failed) = (None, 0);
        }
    }

    /// The heater's line is so from now on.
    pub(crate) fn line(&mut self, now: Monotonic, on: bool) {
        let lasted = now.since(self.line.1);
        self.line = (on, now);
        self.same = None;
        if !on {
            if self.owes.is_some_and(|owes| owes.heated >= self.limits.heating_rise_time) {
                self.failed += 1;
                self.owes = None;
            }
            return;
        }
        if lasted >= self.limits.heating_rise_time + 2 * UNTOLD {
            let lowest_c = middle(self.recent_c);
            self.owes = Some(Owes { lowest_c, heated: Duration::ZERO, counted_to: now });
        } else if let Some(owes) = &mut self.owes {
            owes.counted_to = now;
        }
    }

    /// The daemon was stopped, or hung, and learns only now what the line is.
    pub(crate) fn woke(&mut self, now: Monotonic) {
        (self.line.1, self.same, self.owes) = (now, None, None);
    }

    /// Other limits. What is owed by another rule, or by a heater that nobody watched, is owed anew.
    pub(crate) fn configure(&mut self, limits: SafetyConfig, is_new_heater: bool) {
        let proof = |limits: &SafetyConfig| (limits.heating_rise_c, limits.heating_rise_time);
        if is_new_heater || proof(&limits) != proof(&self.limits) {
            self.owes = None;
        }
        self.limits = limits;
    }

    /// Another calibration: what was read before says nothing of what follows.
    pub(crate) fn forget(&mut self) {
        self.doubted.clear();
        self.proven.clear();
        (self.rejected, self.lost, self.is_void) = (0, true, true);
        (self.same, self.owes) = (None, None);
    }

    /// A person has looked.
    pub(crate) fn reset(&mut self) {
        (self.same, self.owes, self.failed) = (None, None, 0);
    }
}

/// Of three: one that stands alone is an outlier, or the last digit of a coarse sensor.
fn middle([a, b, c]: [f64; 3]) -> f64 {
    a.min(b).max(a.max(b).min(c))
}

fn follows(before: Seen, next: Seen) -> bool {
    let elapsed = next.taken_at.since(before.taken_at);
    let change_c = ((next.temperature_c - before.temperature_c) * 100.0).round().abs() / 100.0;
    elapsed >= FORGOTTEN || change_c <= AT_ONCE_C.min(PER_SECOND_C * elapsed.as_secs_f64().max(0.25))
}
