//! When may a line be active: pure, and given every `now`. It owns the lease in force and each line's on-time; it touches no line and
//! no clock, so that the simulated world can step it too.
//!
//! A line is active from the lease that asks for it until the *first* of some instants (`ends`): the lease runs out, the
//! sample gets too old, it may have warmed up to the cut-off, the on-time is used up. What [`Judge::assess`] decides and when
//! [`Judge::next_check`] wants to be woken are both read off these instants, so the loop cannot sleep past one.

use std::time::Duration;

use crate::clock::Nanos;
use crate::limits::Limits;
use crate::lines::Role;
use crate::protocol::{Latch, Lease, LineReport, MAX_LINES, NO_SAMPLE, Verdict, Want};

const NEVER: Nanos = Nanos(u64::MAX);
const LONG_AGO: Nanos = Nanos(0);

/// Judges every line of one guard.
#[derive(Clone, Debug)]
pub struct Judge {
    limits: Limits,
    lines: [Line; MAX_LINES],
    /// The lease in force and when it came.
    lease: Option<(Nanos, Lease)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// `None` while it is not held.
    role: Option<Role>,
    latch: Option<Latch>,
    account: Account,
}

/// The on-time of one pin, for as long as this process lives. A heater's activity uses it up, and each second of a pause gives a second
/// back; once `max_on_time` is used up, only an unbroken inactive `rest` counts, and that gives back all. So a heater that runs less
/// than half of the time never notices, and one that is on for 96 % of the time with short pauses still has to rest.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// BCM number; `None` for one that nobody has used.
    gpio: Option<u32>,
    active: bool,
    /// When it became active or inactive; 0 before the first time.
    since: Nanos,
    /// On-time used up by then.
    used: Duration,
}

impl Judge {
    /// No line, no lease.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, lines: Default::default(), lease: None }
    }

    /// Line `index` (below [`MAX_LINES`]) is held from now on, inactive, and latched if `latch` says so; or it is not held any more.
    /// Letting go of a line and taking it again gives no on-time back.
    pub fn hold(&mut self, index: usize, role: Option<Role>, latch: Option<Latch>) {
        if let Some(line) = self.lines.get_mut(index) {
            (line.role, line.latch) = (role, None);
        }
        if let Some(latch) = latch {
            self.latch(index, latch);
        }
    }

    /// Line `index`, which is not held yet, is going to be on this pin, and the account of on-time is the pin's: letting go of it and
    /// claiming it as another line gives nothing back.
    pub(crate) fn on_pin(&mut self, index: usize, gpio: u32) {
        let of = |gpio| self.lines.iter().position(|line| line.account.gpio == gpio);
        let from = of(Some(gpio)).or_else(|| of(None)).unwrap_or(index);
        let there = self.lines[index].account;
        self.lines[index].account = Account { gpio: Some(gpio), ..self.lines[from].account };
        if from != index {
            self.lines[from].account = there;
        }
    }

    /// A lease came at `now`: it replaces the one in force. It may latch heaters: because it says so, or because its sample is young
    /// enough to be believed and shows the cut-off. (An older sample only refuses.)
    pub fn lease(&mut self, now: Nanos, lease: &Lease) {
        self.lease = Some((now, *lease));
        for (index, want) in lease.lines.iter().enumerate() {
            let over = want.temperature_milli_c >= self.limits.cut_off_milli_c && now < self.stale_at(now, *want);
            if let Some(latch) = want.latch.or(over.then_some(Latch::OverTemperature)) {
                self.latch(index, latch);
            }
        }
    }

    /// The lease in force is over: everything is inactive until the next one.
    pub fn end_lease(&mut self, now: Nanos) {
        self.lease = None;
        self.assess(now);
    }

    /// Line `index` is inactive from now on until [`Judge::reset`]. A fan is latched by [`Latch::LineFault`] only. The first reason
    /// stays.
    pub fn latch(&mut self, index: usize, latch: Latch) {
        if let Some(line) = self.lines.get_mut(index)
            && (line.role == Some(Role::Heater) || (line.role.is_some() && latch == Latch::LineFault))
        {
            line.latch.get_or_insert(latch);
        }
    }

    /// Why line `index` is latched, if it is.
    #[must_use]
    pub fn latch_of(&self, index: usize) -> Option<Latch> {
        self.lines.get(index)?.latch
    }

    /// Clears every latch.
    pub fn reset(&mut self) {
        self.lines.iter_mut().for_each(|line| line.latch = None);
    }

    /// Whether a lease is in force, as of the last [`Judge::assess`].
    #[must_use]
    pub fn has_lease(&self) -> bool {
        self.lease.is_some()
    }

    /// What every line must be from `now` on; the caller makes it so. `now` must not run backwards (if it does, the lease is over).
    pub fn assess(&mut self, now: Nanos) -> [LineReport; MAX_LINES] {
        if self.lease.is_some_and(|(came, _)| now < came || came.plus(self.limits.lease) <= now) {
            self.lease = None;
        }
        std::array::from_fn(|index| {
            self.lines[index].account.settle_rest(now, self.limits.rest);
            let verdict = self.verdict(now, index);
            let line = &mut self.lines[index];
            line.account.keep(now, verdict == Verdict::Active, self.limits.max_on_time);
            LineReport { active: verdict == Verdict::Active, verdict, latch: line.latch }
        })
    }

    /// When [`Judge::assess`] must run again although nothing was heard: the first instant at which an active line has to become
    /// inactive. Never later than that, `now` if it has come, `None` while no line is active.
    #[must_use]
    pub fn next_check(&self, now: Nanos) -> Option<Nanos> {
        let end = |(index, line): (usize, &Line)| match (self.verdict(now, index), self.lease) {
            _ if !line.account.active => None,
            (Verdict::Active, Some((came, lease))) => {
                self.ends(now, line, came, lease.lines[index]).into_iter().map(|(end, _)| end).min()
            }
            _ => Some(now),
        };
        self.lines.iter().enumerate().filter_map(end).min()
    }

    fn verdict(&self, now: Nanos, index: usize) -> Verdict {
        let line = &self.lines[index];
        if line.role.is_none() {
            return Verdict::NoSuchLine;
        }
        if line.latch.is_some() {
            return Verdict::Latched;
        }
        let Some((came, lease)) = self.lease else { return Verdict::NoLease };
        let want = lease.lines[index];
        let ends = self.ends(now, line, came, want);
        match ends.into_iter().find(|&(end, _)| end <= now) {
            Some((_, Verdict::NoLease)) => Verdict::NoLease,
            _ if !want.active => Verdict::NotWanted,
            Some((_, Verdict::StaleSample)) if want.sample_age_ms == NO_SAMPLE => Verdict::NoSample,
            Some((_, why)) => why,
            None => Verdict::Active,
        }
    }

    /// The first instants at which `line` may no longer be active, each with its reason, the most telling first.
    fn ends(&self, now: Nanos, line: &Line, came: Nanos, want: Want) -> [(Nanos, Verdict); 4] {
        let lease = (came.plus(self.limits.lease), Verdict::NoLease);
        if line.role == Some(Role::Fan) {
            return [lease; 4];
        }
        [
            lease,
            (self.stale_at(came, want), Verdict::StaleSample),
            (self.too_hot_at(came, want), Verdict::TooHot),
            (line.account.used_up_at(now, self.limits.max_on_time), Verdict::OnTooLong),
        ]
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

impl Account {
    /// Makes the on-time available again after an unbroken rest.
    fn settle_rest(&mut self, now: Nanos, rest: Duration) {
        if !self.active && now.since(self.since) >= rest {
            self.used = Duration::ZERO;
        }
    }

    /// On-time used up by `now` if the line is inactive: the pause so far gives back, unless all was used up.
    fn used_after_pause(&self, now: Nanos, max_on_time: Duration) -> Duration {
        let gives_back = !self.active && self.used < max_on_time;
        if gives_back { self.used.saturating_sub(now.since(self.since)) } else { self.used }
    }

    /// When the line, active from `now` on or since earlier, has used up its on-time; `now` if it has.
    fn used_up_at(&self, now: Nanos, max_on_time: Duration) -> Nanos {
        let from = if self.active { self.since } else { now };
        from.plus(max_on_time.saturating_sub(self.used_after_pause(now, max_on_time)))
    }

    /// The line is active or inactive from `now` on.
    fn keep(&mut self, now: Nanos, active: bool, max_on_time: Duration) {
        if active != self.active {
            let active_for = if self.active { now.since(self.since) } else { Duration::ZERO };
            self.used = self.used_after_pause(now, max_on_time).saturating_add(active_for);
            (self.active, self.since) = (active, now);
        }
    }
}

#[cfg(test)]
mod tests;
