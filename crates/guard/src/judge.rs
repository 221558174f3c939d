//! When may a line be active: pure, and given every `now`. It owns the lease in force and each line's on-time; it touches no line and
//! no clock, so that the simulated world can step it too.
//!
//! A line is active from the lease that asks for it until the *first* of some instants (`ends`): the lease runs out, the
//! sample gets too old, it may have warmed up to the cut-off, the on-time is used up. What [`Judge::assess`] decides and when
//! [`Judge::next_check`] wants to be woken are both read off these instants, so the loop cannot sleep past one.
//!
//! **On-time.** A heater has an account of `max_on_time`: activity uses it up, and each second of a pause gives a second back. Once it
//! is used up, only an unbroken inactive `rest` counts, and that gives back all. So a heater that runs less than half of the time
//! never notices, and one that is on for 96 % of the time with short pauses still has to rest. The account lives as long as the
//! guard's process.

use std::time::Duration;

use crate::clock::Nanos;
use crate::limits::Limits;
use crate::protocol::{Lease, LineReport, MAX_LINES, NO_SAMPLE, Verdict, Want};

const NEVER: Nanos = Nanos(u64::MAX);
const LONG_AGO: Nanos = Nanos(0);

/// What hangs on a line, and so which limits hold for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Needs a young sample under the cut-off, and rests.
    Heater,
    /// Needs a lease, nothing more: moving air is the safe side.
    Fan,
}

/// One output line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineSpec {
    /// How the trace calls it. White space and control characters are written there as `_`.
    pub name: String,
    /// What hangs on it.
    pub role: Role,
}

/// Judges every line of one guard.
#[derive(Clone, Debug)]
pub struct Judge {
    limits: Limits,
    lines: [Option<Line>; MAX_LINES],
    /// The lease in force and when it came.
    lease: Option<(Nanos, Lease)>,
    /// Highest sequence heard in this conversation.
    newest: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    role: Role,
    output: Output,
    /// On-time used up by the beginning of the present `output`.
    used: Duration,
    latched: bool,
}

#[derive(Clone, Copy, Debug)]
enum Output {
    /// Since the guard started.
    NeverActive,
    ActiveSince(Nanos),
    InactiveSince(Nanos),
}

impl Judge {
    /// Everything inactive, no lease. Lines beyond [`MAX_LINES`] are not held.
    #[must_use]
    pub fn new(lines: &[LineSpec], limits: Limits) -> Self {
        let line = |spec: &LineSpec| Line {
            role: spec.role,
            output: Output::NeverActive,
            used: Duration::ZERO,
            latched: false,
        };
        Self { limits, lines: std::array::from_fn(|index| lines.get(index).map(line)), lease: None, newest: None }
    }

    /// A message came at `now`. One that is not newer than the newest so far (wrapping) is a replay, and counts as garbled.
    pub fn lease(&mut self, now: Nanos, lease: &Lease) {
        let replayed = self.newest.is_some_and(|newest| lease.sequence.wrapping_sub(newest).cast_signed() <= 0);
        if replayed {
            return self.garbled(now);
        }
        self.newest = Some(lease.sequence);
        self.lease = Some((now, *lease));
    }

    /// A message came at `now` that is none: everything is inactive until the next good one.
    pub fn garbled(&mut self, now: Nanos) {
        self.lease = None;
        self.assess(now);
    }

    /// The conversation is over: everything is inactive, and the next one may start with any sequence.
    pub fn silence(&mut self) {
        self.lease = None;
        self.newest = None;
    }

    /// Line `index` did not do what it was told: it is inactive for as long as this judge lives.
    pub fn line_fault(&mut self, index: usize) {
        if let Some(Some(line)) = self.lines.get_mut(index) {
            line.latched = true;
        }
    }

    /// Sequence of the lease in force, as of the last [`Judge::assess`].
    #[must_use]
    pub fn sequence(&self) -> Option<u32> {
        self.lease.map(|(_, lease)| lease.sequence)
    }

    /// What every line must be from `now` on; the caller makes it so. `now` must not run backwards (if it does, the lease is over).
    pub fn assess(&mut self, now: Nanos) -> [LineReport; MAX_LINES] {
        if self.lease.is_some_and(|(came, _)| now < came || came.plus(self.limits.lease) <= now) {
            self.lease = None;
        }
        let mut reports = [LineReport { active: false, verdict: Verdict::NoSuchLine }; MAX_LINES];
        for (index, report) in reports.iter_mut().enumerate() {
            if let Some(line) = &mut self.lines[index] {
                line.settle_rest(now, self.limits.rest);
            }
            report.verdict = self.verdict(now, index);
            report.active = report.verdict == Verdict::Active;
            if let Some(line) = &mut self.lines[index] {
                line.account(now, report.active, self.limits.max_on_time);
            }
        }
        reports
    }

    /// When [`Judge::assess`] must run again although nothing was heard: the first instant at which an active line has to become
    /// inactive. Never later than that, `now` if it has come, `None` while no line is active.
    #[must_use]
    pub fn next_check(&self, now: Nanos) -> Option<Nanos> {
        let mut first: Option<Nanos> = None;
        for index in 0..MAX_LINES {
            let Some(Line { output: Output::ActiveSince(_), .. }) = self.lines[index] else { continue };
            let end = match (self.verdict(now, index), self.lease) {
                (Verdict::Active, Some((came, lease))) => self.first_end(now, index, came, lease.wants[index]),
                _ => now,
            };
            first = Some(first.map_or(end, |first| first.min(end)));
        }
        first
    }

    fn verdict(&self, now: Nanos, index: usize) -> Verdict {
        let Some(line) = &self.lines[index] else { return Verdict::NoSuchLine };
        if line.latched {
            return Verdict::Latched;
        }
        let Some((came, lease)) = self.lease else { return Verdict::NoLease };
        let want = lease.wants[index];
        let ends = self.ends(now, line, came, want);
        match ends.into_iter().find(|&(end, _)| end <= now) {
            Some((_, Verdict::NoLease)) => Verdict::NoLease,
            _ if !want.active => Verdict::NotWanted,
            Some((_, Verdict::StaleSample)) if want.sample_age_ms == NO_SAMPLE => Verdict::NoSample,
            Some((_, why)) => why,
            None => Verdict::Active,
        }
    }

    fn first_end(&self, now: Nanos, index: usize, came: Nanos, want: Want) -> Nanos {
        let Some(line) = &self.lines[index] else { return NEVER };
        self.ends(now, line, came, want).into_iter().map(|(end, _)| end).min().unwrap_or(now)
    }

    /// The first instants at which `line` may no longer be active, each with its reason, the most telling first.
    fn ends(&self, now: Nanos, line: &Line, came: Nanos, want: Want) -> [(Nanos, Verdict); 4] {
        let lease = (came.plus(self.limits.lease), Verdict::NoLease);
        match line.role {
            Role::Fan => [lease; 4],
            Role::Heater => [
                lease,
                (self.stale_at(came, want), Verdict::StaleSample),
                (self.too_hot_at(came, want), Verdict::TooHot),
                (line.used_up_at(now, self.limits.max_on_time), Verdict::OnTooLong),
            ],
        }
    }

    /// When the sample of a message that came at `came` is older than the limit.
    fn stale_at(&self, came: Nanos, want: Want) -> Nanos {
        let age = Duration::from_millis(want.sample_age_ms.into());
        match self.limits.max_sample_age.checked_sub(age) {
            // The limit itself is still young enough: too old is one nanosecond more.
            Some(left) if want.sample_age_ms != NO_SAMPLE => came.plus(left).plus(Duration::from_nanos(1)),
            _ => LONG_AGO,
        }
    }

    /// When a box as hot as in a message that came at `came` may have reached the cut-off: temperature + age x slew.
    fn too_hot_at(&self, came: Nanos, want: Want) -> Nanos {
        let below = i64::from(self.limits.cut_off_milli_c) - i64::from(want.temperature_milli_c);
        let Ok(below @ 1..) = u64::try_from(below) else { return LONG_AGO };
        if self.limits.slew_milli_c_per_s == 0 {
            return NEVER;
        }
        // At most 2^32 thousandths of a degree, times 10^9: it fits.
        let reaches_it = Duration::from_nanos((below * 1_000_000_000).div_ceil(self.limits.slew_milli_c_per_s.into()));
        match reaches_it.checked_sub(Duration::from_millis(want.sample_age_ms.into())) {
            Some(left) => came.plus(left),
            None => LONG_AGO,
        }
    }
}

impl Line {
    /// Makes the on-time available again after an unbroken rest.
    fn settle_rest(&mut self, now: Nanos, rest: Duration) {
        if let Output::InactiveSince(since) = self.output
            && now.since(since) >= rest
        {
            self.used = Duration::ZERO;
        }
    }

    /// On-time used up by `now` of an inactive line: the pause so far gives back, unless all was used up.
    fn used_after_pause(&self, now: Nanos, max_on_time: Duration) -> Duration {
        match self.output {
            Output::InactiveSince(since) if self.used < max_on_time => self.used.saturating_sub(now.since(since)),
            _ => self.used,
        }
    }

    /// When the line, active from `now` on or since earlier, has used up its on-time; `now` if it has.
    fn used_up_at(&self, now: Nanos, max_on_time: Duration) -> Nanos {
        let left = max_on_time.saturating_sub(self.used_after_pause(now, max_on_time));
        match self.output {
            Output::ActiveSince(since) => since.plus(left),
            Output::NeverActive | Output::InactiveSince(_) => now.plus(left),
        }
    }

    /// Keeps the on-time account.
    fn account(&mut self, now: Nanos, active: bool, max_on_time: Duration) {
        match (self.output, active) {
            (Output::ActiveSince(since), false) => {
                self.used = self.used.saturating_add(now.since(since));
                self.output = Output::InactiveSince(now);
            }
            (Output::NeverActive | Output::InactiveSince(_), true) => {
                self.used = self.used_after_pause(now, max_on_time);
                self.output = Output::ActiveSince(now);
            }
            (Output::ActiveSince(_), true) | (Output::NeverActive | Output::InactiveSince(_), false) => {}
        }
    }
}

#[cfg(test)]
mod tests;
