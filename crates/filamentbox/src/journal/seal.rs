//! The sealing rule: when open samples are written to disk. Pure: ages in, an answer out.
//!
//! Commits are what wear out memory cards, so a rule that can wait, waits.

use std::time::Duration;

use filamentbox_core::config::Durability;
use filamentbox_core::event::Severity;

/// `minute`: a sample that not every sink has is on disk after this time.
const UNDELIVERED_MINUTE: Duration = Duration::from_secs(60);
/// `minute`: a sample that every sink has is on disk after this time.
const DELIVERED_MINUTE: Duration = Duration::from_secs(600);
/// `ram`: a sink that is a minute behind its minute is in trouble.
const UNDELIVERED_RAM: Duration = Duration::from_secs(120);

/// An event that is no error is on disk after this time.
const EVENT: Duration = Duration::from_secs(600);
/// `ram`: one that only tells of normal work, such as a heater that switches, waits for a day: it must not be what wears out the card.
const EVENT_RAM: Duration = Duration::from_secs(86_400);

/// What is open, that is: in memory only. Samples without a wall time cannot be sealed and do not count here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Open {
    /// How many samples.
    pub(super) count: usize,
    /// The age of the oldest; `None` when there is none.
    pub(super) oldest: Option<Duration>,
    /// The age of the oldest that not every sink has.
    pub(super) undelivered: Option<Duration>,
}

/// The settings the rule depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rule {
    /// `persistence.durability`.
    pub(super) durability: Durability,
    /// Whether any sink is configured.
    pub(super) has_sinks: bool,
    /// `queue.max_size`.
    pub(super) queue_max: usize,
    /// So many open samples are sealed whatever else holds.
    pub(super) open_max: usize,
}

impl Rule {
    /// In how much time to seal: zero is now, `None` is when more samples are open.
    pub(super) fn due(self, open: Open) -> Option<Duration> {
        let oldest = open.oldest?;
        if open.count >= self.open_max || self.durability == Durability::Each {
            return Some(Duration::ZERO);
        }
        let until = |limit: Duration, age: Duration| limit.saturating_sub(age);
        match (self.durability, self.has_sinks) {
            (Durability::Ram, false) => None,
            (Durability::Ram, true) => open.undelivered.map(|age| until(UNDELIVERED_RAM, age)),
            (_, false) => Some(until(UNDELIVERED_MINUTE, oldest)),
            (_, true) => {
                let delivered = until(DELIVERED_MINUTE, oldest);
                Some(open.undelivered.map_or(delivered, |age| until(UNDELIVERED_MINUTE, age).min(delivered)))
            }
        }
    }

    /// How long an event of this severity may be in memory only. (An error is not asked for: it is written at once.)
    pub(super) fn event_patience(self, severity: Severity) -> Duration {
        match (self.durability, severity) {
            (Durability::Ram, Severity::Info) => EVENT_RAM,
            _ => EVENT,
        }
    }

    /// A sample that the journal has not looked at yet can wait at most so long: the journal wakes up for it at the latest.
    pub(super) fn patience(self) -> Duration {
        match self.durability {
            Durability::Ram => UNDELIVERED_RAM,
            Durability::Each | Durability::Minute => UNDELIVERED_MINUTE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Durability::{Each, Minute, Ram};

    /// Ages and answers in seconds.
    #[track_caller]
    fn check(rule: (Durability, bool), open: (usize, Option<u64>, Option<u64>), due: Option<u64>) {
        let rule = Rule { durability: rule.0, has_sinks: rule.1, queue_max: 1000, open_max: 1000 };
        let seconds = |age: Option<u64>| age.map(Duration::from_secs);
        let open = Open { count: open.0, oldest: seconds(open.1), undelivered: seconds(open.2) };
        assert_eq!(rule.due(open), seconds(due), "{rule:?} {open:?}");
    }

    #[test]
    fn nothing_open_nothing_to_do() {
        for durability in [Each, Minute, Ram] {
            check((durability, true), (0, None, None), None);
        }
    }

    #[test]
    fn each_seals_every_sample() {
        check((Each, true), (1, Some(0), None), Some(0));
        check((Each, false), (1, Some(0), Some(0)), Some(0));
    }

    #[test]
    fn minute_waits_for_the_sinks() {
        check((Minute, true), (10, Some(59), Some(59)), Some(1));
        check((Minute, true), (10, Some(60), Some(60)), Some(0));
        check((Minute, true), (10, Some(300), Some(20)), Some(40));
        check((Minute, true), (10, Some(590), Some(20)), Some(10));
        check((Minute, true), (10, Some(599), None), Some(1));
        check((Minute, true), (10, Some(600), None), Some(0));
        check((Minute, true), (10, Some(700), Some(1)), Some(0));
        check((Minute, false), (10, Some(59), None), Some(1));
        check((Minute, false), (10, Some(60), None), Some(0));
    }

    #[test]
    fn ram_waits_until_a_sink_is_behind() {
        check((Ram, true), (10, Some(4000), None), None);
        check((Ram, true), (10, Some(4000), Some(119)), Some(1));
        check((Ram, true), (10, Some(4000), Some(120)), Some(0));
        check((Ram, false), (10, Some(4000), None), None);
    }

    #[test]
    fn in_ram_the_news_of_normal_work_wait_for_a_day() {
        let patience = |durability, severity| {
            Rule { durability, has_sinks: true, queue_max: 1000, open_max: 1000 }.event_patience(severity).as_secs()
        };
        assert_eq!(patience(Ram, Severity::Info), 86_400);
        assert_eq!(patience(Ram, Severity::Warning), 600);
        assert_eq!(patience(Minute, Severity::Info), 600);
    }

    #[test]
    fn a_full_queue_is_sealed_in_any_case() {
        for durability in [Minute, Ram] {
            for has_sinks in [false, true] {
                check((durability, has_sinks), (1000, Some(5), None), Some(0));
            }
        }
        check((Ram, false), (999, Some(5), None), None);
    }
}
