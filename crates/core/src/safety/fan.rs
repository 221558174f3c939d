//! A heater that may only run with the fan: a PTC element in the fan's stream.
//!
//! What is known is that the fan's line is active. A fan without tachometer may be dead all the same and nobody is told, until
//! the box does not warm.

use std::time::Duration;

use super::Inhibit;
use crate::time::Monotonic;

/// The fan runs for so long before the heat: until it is at speed.
const LEAD: Duration = Duration::from_secs(5);
/// And for so long after it: until the element is cool.
const AFTER: Duration = Duration::from_secs(60);

/// Whether the fan runs as the heater needs it.
#[derive(Clone, Debug)]
pub struct FanRun {
    required: bool,
    heater_active: bool,
    running_since: Option<Monotonic>,
    asked_since: Option<Monotonic>,
    lead_ends_at: Option<Monotonic>,
    after_ends_at: Option<Monotonic>,
}

impl FanRun {
    /// Both lines are off. Without `required` nothing here ever refuses or asks for anything.
    pub fn new(required: bool) -> Self {
        Self {
            required,
            heater_active: false,
            running_since: None,
            asked_since: None,
            lead_ends_at: None,
            after_ends_at: None,
        }
    }

    /// Whether it is required from now on. The lines are as they are; an element that was heated is cooled all the same.
    pub fn configure(&mut self, now: Monotonic, required: bool, heater_active: bool, fan_active: bool) {
        match (self.required, required) {
            (false, true) => {
                self.required = true;
                self.held(now, heater_active, fan_active);
            }
            (true, false) => {
                let after_ends_at = if self.heater_active { Some(now + AFTER) } else { self.after_ends_at };
                *self = Self { after_ends_at, ..Self::new(false) };
            }
            _ => {}
        }
    }

    /// The lines as the relay guard reports them.
    pub fn held(&mut self, now: Monotonic, heater_active: bool, fan_active: bool) {
        if !self.required {
            return;
        }
        if fan_active != self.running_since.is_some() {
            self.running_since = fan_active.then_some(now);
            self.lead_ends_at = fan_active.then_some(now + LEAD);
        }
        if heater_active != self.heater_active {
            self.heater_active = heater_active;
            self.after_ends_at = (!heater_active).then_some(now + AFTER);
        }
    }

    /// Lets the time pass up to `now`.
    pub fn pass(&mut self, now: Monotonic) {
        self.lead_ends_at = self.lead_ends_at.filter(|end| now < *end);
        self.after_ends_at = self.after_ends_at.filter(|end| now < *end);
    }

    /// Whether the fan has to run, when heat is wished for and nothing else stands against it, or not.
    pub fn is_needed(&self, heat: bool) -> bool {
        self.after_ends_at.is_some() || self.required && (heat || self.heater_active)
    }

    /// The fan is commanded on for the heater, or not.
    pub fn ask(&mut self, now: Monotonic, asked: bool) {
        self.asked_since = if asked { self.asked_since.or(Some(now)) } else { None };
    }

    /// Whether the fan runs as it must.
    ///
    /// # Errors
    /// Why there is no heat.
    pub fn assess(&self, now: Monotonic, off_by_hand: bool) -> Result<(), Inhibit> {
        if !self.required {
            return Ok(());
        }
        if off_by_hand {
            return Err(Inhibit::FanOff);
        }
        match (self.running_since, self.asked_since) {
            (Some(since), _) if now.since(since) >= LEAD => Ok(()),
            (None, Some(since)) if now.since(since) >= LEAD => Err(Inhibit::FanNotRunning { lead: LEAD }),
            _ => Err(Inhibit::FanStarting { lead: LEAD }),
        }
    }

    /// When something changes by itself.
    pub fn next_wake(&self) -> Option<Monotonic> {
        [self.lead_ends_at, self.after_ends_at].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn heat_begins_five_seconds_after_the_fan_and_not_without_it() {
        let mut fan = FanRun::new(true);
        assert_eq!(fan.assess(at(0.0), false), Err(Inhibit::FanStarting { lead: LEAD }));
        fan.ask(at(0.0), true);
        fan.held(at(1.0), false, true);
        assert_eq!(fan.next_wake(), Some(at(6.0)));
        assert_eq!(fan.assess(at(5.999), false), Err(Inhibit::FanStarting { lead: LEAD }));
        assert_eq!(fan.assess(at(6.0), false), Ok(()));
        assert_eq!(fan.assess(at(6.0), true), Err(Inhibit::FanOff));
        fan.held(at(7.0), true, false);
        assert!(fan.assess(at(7.0), false).is_err(), "gone while heating");
    }

    #[test]
    fn a_fan_that_does_not_begin_is_named() {
        let mut fan = FanRun::new(true);
        fan.ask(at(0.0), true);
        fan.ask(at(4.0), true);
        assert_eq!(fan.assess(at(4.999), false), Err(Inhibit::FanStarting { lead: LEAD }));
        assert_eq!(fan.assess(at(5.0), false), Err(Inhibit::FanNotRunning { lead: LEAD }));
    }

    #[test]
    fn the_fan_stays_on_for_a_minute_after_the_heat() {
        let mut fan = FanRun::new(true);
        assert!(!fan.is_needed(false) && fan.is_needed(true));
        fan.held(at(0.0), true, true);
        assert!(fan.is_needed(false), "while the line is active");
        fan.held(at(100.0), false, true);
        fan.pass(at(159.999));
        assert!(fan.is_needed(false));
        assert_eq!(fan.next_wake(), Some(at(160.0)));
        fan.pass(at(160.0));
        assert!(!fan.is_needed(false));
        assert_eq!(fan.next_wake(), None);
    }

    #[test]
    fn a_requirement_that_comes_or_goes_finds_the_lines_as_they_are() {
        let mut fan = FanRun::new(false);
        fan.held(at(0.0), true, true);
        fan.configure(at(10.0), true, true, true);
        assert_eq!(fan.assess(at(10.0), false), Err(Inhibit::FanStarting { lead: LEAD }), "for how long is not known");
        assert_eq!(fan.assess(at(15.0), false), Ok(()));
        fan.configure(at(20.0), false, true, true);
        assert!(fan.is_needed(false), "the element is hot");
        assert_eq!((fan.assess(at(20.0), true), fan.next_wake()), (Ok(()), Some(at(80.0))));
        fan.pass(at(80.0));
        assert!(!fan.is_needed(true));
    }

    #[test]
    fn a_heater_that_needs_no_fan_asks_for_none() {
        let mut fan = FanRun::new(false);
        fan.held(at(0.0), true, false);
        assert!(!fan.is_needed(true));
        assert_eq!((fan.assess(at(0.0), true), fan.next_wake()), (Ok(()), None));
    }
}
