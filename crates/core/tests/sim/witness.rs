//! What must never be, asserted at every moment by rules of its own: it asks neither the interlock nor the judge.
//!
//! Between two moments of the world nothing changes but the time, and every limit only comes nearer with it. So what holds for an
//! active line at the *end* of an interval held throughout it.

use std::time::Duration;

use filamentbox_core::config::SafetyConfig;
use filamentbox_core::sample::SensorTraits;
use filamentbox_core::time::Monotonic;
use filamentbox_guard::Limits;

use crate::beliefs::{Beliefs, UNTOLD};
use crate::relay::Heard;
use crate::world::Setup;

/// The lease: a daemon that is stopped, or whose message did not arrive, can do nothing for so long.
pub(crate) const LEASE: Duration = Duration::from_millis(2400);
/// Messages carry whole milliseconds and thousandths of a degree.
pub(crate) const ROUNDING: Duration = Duration::from_millis(1);

/// A reading as the witness knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) temperature_c: f64,
    pub(crate) taken_at: Monotonic,
}

/// How the heater's line was during an interval, and what the guard knew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval {
    pub(crate) to: Monotonic,
    pub(crate) active: bool,
    /// The daemon runs and its latest message got through: it has no excuse.
    pub(crate) in_touch: bool,
    pub(crate) heard: Option<Heard>,
}

pub(crate) struct Witness {
    daemon: SafetyConfig,
    /// When those last changed.
    configured_at: Monotonic,
    guard: Limits,
    read_interval: Duration,
    traits: SensorTraits,
    /// What reached the box of the running daemon.
    pub(crate) beliefs: Beliefs,
    /// Off for as long as this daemon lives.
    pub(crate) stopped: bool,
    /// A fault, or a latch, that this daemon told of: off until a reset.
    pub(crate) latched: bool,
    /// A latch that reached the guard: off until a reset, whoever dies.
    pub(crate) kept: bool,
    /// Since when what was read forbids heat.
    forbidden_since: Option<Monotonic>,
    active_since: Option<Monotonic>,
    inactive_since: Monotonic,
    /// The account of on-time, the present stretch not counted in.
    used: Duration,
    /// How long the heater was on in all.
    pub(crate) heated: Duration,
    /// How often the line went on.
    pub(crate) energised: u32,
}

impl Witness {
    pub(crate) fn new(setup: &Setup, now: Monotonic) -> Self {
        let (daemon, traits) = (setup.config.safety, setup.probe.traits());
        Self {
            daemon,
            configured_at: now,
            guard: setup.guard,
            read_interval: setup.read_interval,
            traits,
            beliefs: Beliefs::new(daemon, traits, now, false),
            stopped: false,
            latched: false,
            kept: false,
            forbidden_since: None,
            active_since: None,
            inactive_since: now,
            used: Duration::ZERO,
            heated: Duration::ZERO,
            energised: 0,
        }
    }

    /// The daemon goes by other limits from now on.
    pub(crate) fn configure(&mut self, now: Monotonic, limits: SafetyConfig, is_new_heater: bool) {
        (self.daemon, self.configured_at) = (limits, now);
        self.beliefs.configure(limits, is_new_heater);
    }

    /// A new daemon knows no reading, and no fault that the guard does not keep.
    pub(crate) fn daemon_starts(&mut self, now: Monotonic, limits: SafetyConfig) {
        (self.daemon, self.configured_at) = (limits, now);
        self.beliefs = Beliefs::new(self.daemon, self.traits, now, self.active_since.is_some());
        (self.stopped, self.latched, self.forbidden_since) = (false, false, None);
    }

    /// The last reading to be believed.
    pub(crate) fn reading(&self) -> Option<Seen> {
        self.beliefs.believed
    }

    /// A person has looked; the guard has heard of it or not.
    pub(crate) fn reset(&mut self, heard: bool) {
        self.beliefs.reset();
        (self.latched, self.kept) = (false, self.kept && !heard);
    }

    /// The daemon has taken something in.
    pub(crate) fn conclude(&mut self, now: Monotonic) {
        self.forbidden_since = self.beliefs.forbid().map(|_| self.forbidden_since.unwrap_or(now));
        let overdue = self.beliefs.overdue(self.read_interval);
        assert!(overdue.is_none() || self.latched || self.stopped, "not found: {}", overdue.unwrap_or_default());
    }

    /// A new guard begins a new account of on-time.
    pub(crate) fn guard_starts(&mut self) {
        self.used = Duration::ZERO;
    }

    /// The interval that ends now.
    pub(crate) fn check(&self, interval: Interval) {
        if !interval.active {
            return;
        }
        self.guard_keeps_its_limits(interval);
        self.daemon_keeps_its_limits(interval);
    }

    /// The guard's limits hold whatever the daemon does.
    fn guard_keeps_its_limits(&self, Interval { to, heard, .. }: Interval) {
        assert!(!self.kept, "heat though the guard was told to latch it");
        let guard = &self.guard;
        let heard = heard.expect("heat without a lease");
        assert!(to.since(heard.at) <= LEASE, "heat {:?} after the last lease", to.since(heard.at));
        let age = heard.age + to.since(heard.at);
        assert!(age <= guard.max_sample_age + ROUNDING, "heat on a sample of {age:?}, says the lease");
        let projected_c = heard.temperature_c + slew_c(age.saturating_sub(ROUNDING), guard.slew_milli_c_per_s);
        let cut_off_c = f64::from(guard.cut_off_milli_c) / 1000.0;
        assert!(projected_c < cut_off_c + 0.002, "heat at {projected_c} °C, says the lease");
        let on = self.used + self.on_for(to);
        assert!(on <= guard.max_on_time, "heat for {on:?} without a rest");

        // What the lease says is true.
        let reading = self.reading().expect("heat before any reading");
        let age = to.since(reading.taken_at);
        assert!(age <= guard.max_sample_age + ROUNDING, "heat on a reading of {age:?}");
    }

    /// The daemon's own limits hold to the moment while it is in touch with the guard, else for a lease longer.
    fn daemon_keeps_its_limits(&self, interval: Interval) {
        let Interval { to, in_touch, .. } = interval;
        let slack = if in_touch { ROUNDING } else { LEASE };
        assert!(!(self.latched || self.stopped) || !in_touch, "heat after a fault, a latch or a stop");
        if !in_touch && to.since(self.configured_at) <= LEASE {
            // The guard has not heard of the new limits; of the old ones it may have.
            return;
        }
        if let Some(since) = self.forbidden_since {
            let why = self.beliefs.forbid().unwrap_or("then");
            assert!(to.since(since) <= slack, "heat {:?} after it was forbidden: {why}: {interval:?}", to.since(since));
        }
        let reading = self.reading().expect("heat before any reading");
        let age = to.since(reading.taken_at);
        assert!(age <= self.daemon.max_sample_age + slack, "heat on a reading of {age:?}: {interval:?}");
        let projected_c = reading.temperature_c + self.daemon.slew_c_per_s * age.saturating_sub(slack).as_secs_f64();
        // Out of touch, the reading at the cut-off may not have been told yet; the lease is checked above.
        assert!(!in_touch || projected_c < self.daemon.max_temp_c + 0.002, "heat at {projected_c} °C: {interval:?}");
        let on = self.on_for(to);
        assert!(on <= self.daemon.max_on_time + slack.max(UNTOLD), "heat for {on:?} without a pause: {interval:?}");
    }

    pub(crate) fn on_for(&self, now: Monotonic) -> Duration {
        self.active_since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// The line is so from now on.
    pub(crate) fn line(&mut self, now: Monotonic, active: bool) {
        if self.active_since.is_some() != active {
            self.beliefs.line(now, active);
        }
        match (self.active_since, active) {
            (None, true) => {
                assert!(!self.latched && !self.stopped, "the heater goes on after a fault, a latch or a stop");
                assert!(!self.beliefs.failed_twice(), "the heater goes on though it did not warm the box twice");
                let pause = now.since(self.inactive_since);
                if pause >= self.guard.rest {
                    self.used = Duration::ZERO;
                } else if self.used < self.guard.max_on_time {
                    self.used = self.used.saturating_sub(pause);
                }
                self.active_since = Some(now);
                self.energised += 1;
            }
            (Some(_), false) => {
                self.used += self.on_for(now);
                self.heated += self.on_for(now);
                (self.active_since, self.inactive_since) = (None, now);
            }
            _ => {}
        }
    }
}

fn slew_c(age: Duration, slew_milli_c_per_s: u32) -> f64 {
    age.as_secs_f64() * f64::from(slew_milli_c_per_s) / 1000.0
}
