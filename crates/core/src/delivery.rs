//! Delivery to one backend: when to send, how long to wait after a failure, when to raise the alarm. One [`Delivery`] a sink.
//!
//! **Invariants.** It never says [`Next::Send`] before a back-off has ended, unless an orderly stop asks for one last try
//! ([`Delivery::poll`] with `flush`) or the server can be connected to again ([`Delivery::reachable_again`]). [`Alert::Raised`] and [`Alert::Recovered`] take turns: one pair an episode. No failure
//! drops anything. Which points of a refused request are at fault, [`bisection`] finds out.
//!
//! Not here: the samples (the journal holds them, behind the sink's cursor), the request, the clock, the dice.

pub mod bisection;

use std::time::Duration;

use crate::config::RetryConfig;
use crate::time::Monotonic;

/// Sending begins this part of `flush_interval` before its end, so that a point is *delivered* within the interval ...
const MARGIN_PART: u32 = 10;
/// ... but at most this long before, as no healthy server takes longer to answer.
const MARGIN_MAX: Duration = Duration::from_secs(5);
/// Longest jitter, as a part of the delay: daemons that failed together do not come back together.
const JITTER_PART: f64 = 0.1;
/// A server that refused the points or the password is not asked again sooner (unless `backoff_max` is shorter): only a
/// person changes its mind, and each try costs it a log line.
const REFUSED_DELAY: Duration = Duration::from_secs(30);

/// How a sink delivers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Policy {
    /// Points in one request at most; when so many wait, they are sent at once. At least 1.
    pub batch_size: usize,
    /// A point is delivered within this time, while the backend answers.
    pub flush_interval: Duration,
    /// Delays and the alarm.
    pub retry: RetryConfig,
}

/// What waits for a sink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backlog {
    /// How many points.
    pub waiting: u64,
    /// When the oldest of them was taken; `None` when that is not known (a point from before a restart), which counts as due.
    pub oldest: Option<Monotonic>,
}

/// What to do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Send the oldest points, at most `max` of them, and report the outcome.
    Send {
        /// The batch size.
        max: usize,
    },
    /// Ask again at this time, or when more points wait.
    WaitUntil(Monotonic),
    /// Nothing waits: ask again when something does.
    Idle,
}

/// What the caller learnt from a failed request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// It may work later: network, overload, a server in trouble.
    Retry {
        /// The server asked for this delay (`Retry-After`).
        after: Option<Duration>,
    },
    /// The server will not take these points as they are.
    Rejected,
    /// The server would take them, were the settings right: password, database, permission.
    Misconfigured,
}

/// Once an episode each, and in turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alert {
    /// `retry.alert_threshold` failures in a row.
    Raised,
    /// The first success after that.
    Recovered,
}

/// The state of one sink's delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    policy: Policy,
    failures: u32,
    /// No request before this moment.
    retry_at: Option<Monotonic>,
    raised: bool,
    /// An orderly stop has had its one try within the running back-off.
    last_try_made: bool,
}

impl Delivery {
    /// A sink that has not failed yet.
    pub fn new(policy: Policy) -> Self {
        Self { policy, failures: 0, retry_at: None, raised: false, last_try_made: false }
    }

    /// The same, with the alarm that another one before it has raised: the first success ends it.
    #[must_use]
    pub fn raised(mut self) -> Self {
        self.raised = true;
        self
    }

    /// What to do at `now`. After an outage full batches follow each other without a wait, as they would at any time.
    ///
    /// With `flush` (an orderly stop, whose time the caller bounds) everything is sent at once, and a running back-off does not
    /// stand in the way of one last try. When that fails too, its back-off holds.
    pub fn poll(&mut self, now: Monotonic, backlog: Backlog, flush: bool) -> Next {
        if backlog.waiting == 0 {
            return Next::Idle;
        }
        let send = Next::Send { max: self.policy.batch_size.max(1) };
        if let Some(retry_at) = self.retry_at.filter(|at| *at > now) {
            if !flush || self.last_try_made {
                return Next::WaitUntil(retry_at);
            }
            self.last_try_made = true;
        }
        let is_full = backlog.waiting >= self.policy.batch_size as u64;
        if flush || is_full || self.failures > 0 {
            return send;
        }
        match backlog.oldest.map(|oldest| oldest + self.longest_wait()) {
            Some(due) if due > now => Next::WaitUntil(due),
            _ => send,
        }
    }

    /// The request was accepted.
    pub fn succeeded(&mut self) -> Option<Alert> {
        self.failures = 0;
        self.retry_at = None;
        self.last_try_made = false;
        std::mem::take(&mut self.raised).then_some(Alert::Recovered)
    }

    /// The request failed; `jitter` is a fresh random number from 0 to 1.
    pub fn failed(&mut self, now: Monotonic, failure: &Failure, jitter: f64) -> Option<Alert> {
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + self.delay(failure, jitter));
        let raise = self.failures >= self.policy.retry.alert_threshold && !self.raised;
        self.raised |= raise;
        raise.then_some(Alert::Raised)
    }

    /// Failures since the last success.
    pub fn consecutive_failures(&self) -> u32 {
        self.failures
    }

    /// Whether an alarm is raised and not yet recovered.
    pub fn is_raised(&self) -> bool {
        self.raised
    }

    /// When the next try may begin, while the last request has failed.
    pub fn retry_at(&self) -> Option<Monotonic> {
        self.retry_at
    }

    /// A server that could not be connected to can be again: the back-off has lost its reason. The failures still count until the next
    /// success.
    pub fn reachable_again(&mut self) {
        self.retry_at = None;
    }

    /// From now on another policy holds; a running back-off and an open episode stay.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// How long a point waits at most before it is sent, while all is well.
    pub fn longest_wait(&self) -> Duration {
        let interval = self.policy.flush_interval;
        interval - (interval / MARGIN_PART).min(MARGIN_MAX)
    }

    /// `min(base x 2^(failures - 1), max)`: the first failure waits `base`. The server's own wish counts when it is longer, up
    /// to `max`. Jitter comes on top, so a delay is never shorter than this.
    fn delay(&self, failure: &Failure, jitter: f64) -> Duration {
        let RetryConfig { backoff_base, backoff_max, .. } = self.policy.retry;
        let doublings = self.failures.saturating_sub(1);
        let factor = 2u32.checked_pow(doublings).unwrap_or(u32::MAX);
        let own = backoff_base.saturating_mul(factor).min(backoff_max);
        let least = match failure {
            Failure::Retry { after } => after.unwrap_or(Duration::ZERO).min(backoff_max),
            Failure::Rejected | Failure::Misconfigured => REFUSED_DELAY.min(backoff_max),
        };
        let delay = own.max(least);
        let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
        delay + delay.mul_f64(jitter * JITTER_PART)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RETRY: Failure = Failure::Retry { after: None };

    fn policy(threshold: u32) -> Policy {
        let retry = RetryConfig {
            backoff_base: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
            alert_threshold: threshold,
        };
        Policy { batch_size: 10, flush_interval: Duration::from_secs(60), retry }
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs(seconds)
    }

    fn backlog(waiting: u64, oldest: u64) -> Backlog {
        Backlog { waiting, oldest: Some(at(oldest)) }
    }

    #[test]
    fn a_batch_goes_when_it_is_full_or_its_oldest_point_is_due() {
        let send = Next::Send { max: 10 };
        let cases = [
            (100, backlog(0, 0), false, Next::Idle),
            (100, backlog(0, 0), true, Next::Idle),
            (100, backlog(9, 100), false, Next::WaitUntil(at(155))),
            (154, backlog(9, 100), false, Next::WaitUntil(at(155))),
            (155, backlog(1, 100), false, send),
            (100, backlog(10, 100), false, send),
            (100, backlog(10_000, 100), false, send),
            (100, backlog(1, 100), true, send),
            (100, Backlog { waiting: 1, oldest: None }, false, send),
        ];
        for (now, backlog, flush, expected) in cases {
            assert_eq!(Delivery::new(policy(5)).poll(at(now), backlog, flush), expected, "{now} {backlog:?} {flush}");
        }
    }

    /// Both sides of the point where a tenth of the interval becomes 5 s.
    #[test]
    fn sending_begins_a_tenth_before_the_interval_ends_but_at_most_5_s() {
        for (interval_ms, due_ms) in
            [(1_000, 900), (40_000, 36_000), (50_000, 45_000), (60_000, 55_000), (3_600_000, 3_595_000)]
        {
            let flush_interval = Duration::from_millis(interval_ms);
            let mut delivery = Delivery::new(Policy { flush_interval, ..policy(5) });
            let due = Monotonic::ZERO + Duration::from_millis(due_ms);
            assert_eq!(delivery.poll(Monotonic::ZERO, backlog(1, 0), false), Next::WaitUntil(due), "{interval_ms} ms");
        }
    }

    #[test]
    fn delays_double_up_to_the_largest() {
        let mut delivery = Delivery::new(policy(5));
        let mut delays = Vec::new();
        for _ in 0..40 {
            delivery.failed(at(1000), &RETRY, 0.0);
            delays.push(delivery.retry_at().expect("failed").since(at(1000)).as_secs());
        }
        assert_eq!(delays[..11], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(delays[39], 300);
    }

    #[test]
    fn the_first_delay_is_as_long_as_the_failure_asks() {
        let after = |seconds| Failure::Retry { after: Some(Duration::from_secs(seconds)) };
        let cases = [
            (RETRY, 0.0, 1_000),
            (RETRY, 1.0, 1_100),
            (RETRY, 7.0, 1_100),
            (RETRY, f64::NAN, 1_000),
            (after(0), 0.0, 1_000),
            (after(20), 0.0, 20_000),
            (after(20), 0.5, 21_000),
            (after(300), 0.0, 300_000),
            (after(86_400), 0.0, 300_000),
            (Failure::Rejected, 0.0, 30_000),
            (Failure::Misconfigured, 0.0, 30_000),
        ];
        for (failure, jitter, expected_ms) in cases {
            let mut delivery = Delivery::new(policy(5));
            delivery.failed(at(5), &failure, jitter);
            let delay = delivery.retry_at().expect("failed").since(at(5));
            assert_eq!(delay, Duration::from_millis(expected_ms), "{failure:?} {jitter}");
        }
    }

    #[test]
    fn a_refusal_waits_no_longer_than_the_largest_delay() {
        let mut short = policy(5);
        short.retry.backoff_max = Duration::from_secs(3);
        let mut delivery = Delivery::new(short);
        delivery.failed(at(0), &Failure::Rejected, 0.0);
        assert_eq!(delivery.retry_at(), Some(at(3)));
    }

    #[test]
    fn a_backlog_drains_in_consecutive_batches_after_an_outage() {
        let mut delivery = Delivery::new(policy(5));
        delivery.failed(at(100), &RETRY, 0.0);
        assert_eq!(delivery.poll(at(100), backlog(35, 90), false), Next::WaitUntil(at(101)));
        for waiting in [35, 25, 15] {
            assert_eq!(delivery.poll(at(101), backlog(waiting, 90), false), Next::Send { max: 10 }, "{waiting}");
            delivery.succeeded();
        }
        assert_eq!(delivery.poll(at(101), backlog(5, 99), false), Next::WaitUntil(at(154)), "the rest as ever");
        assert_eq!(delivery.poll(at(101), backlog(0, 0), false), Next::Idle);
    }

    #[test]
    fn a_stop_tries_once_more_in_spite_of_the_back_off() {
        let mut delivery = Delivery::new(policy(5));
        let send = Next::Send { max: 10 };
        delivery.failed(at(100), &RETRY, 0.0);
        assert_eq!(delivery.poll(at(100), backlog(1, 90), true), send);
        delivery.failed(at(100), &RETRY, 0.0);
        assert_eq!(delivery.poll(at(100), backlog(1, 90), true), Next::WaitUntil(at(102)), "once, not in a tight loop");
        assert_eq!(delivery.poll(at(102), backlog(1, 90), true), send);
        delivery.succeeded();
        delivery.failed(at(103), &RETRY, 0.0);
        assert_eq!(delivery.poll(at(103), backlog(1, 90), true), send, "once in each outage");
    }

    #[test]
    fn a_server_that_is_back_is_tried_at_once() {
        let mut delivery = Delivery::new(policy(5));
        for _ in 0..9 {
            delivery.failed(at(100), &RETRY, 0.0);
        }
        assert_eq!(delivery.poll(at(101), backlog(1, 90), false), Next::WaitUntil(at(356)));
        delivery.reachable_again();
        assert_eq!(delivery.poll(at(101), backlog(1, 90), false), Next::Send { max: 10 });
        assert_eq!(delivery.succeeded(), Some(Alert::Recovered));
    }

    #[test]
    fn the_alarm_is_raised_at_the_threshold_once_and_recovers_once() {
        for threshold in [1, 3, 5] {
            let mut delivery = Delivery::new(policy(threshold));
            for _episode in 0..2 {
                assert_eq!(delivery.succeeded(), None);
                for failure in 1..=3 * threshold {
                    let expected = (failure == threshold).then_some(Alert::Raised);
                    assert_eq!(
                        delivery.failed(at(0), &Failure::Misconfigured, 0.0),
                        expected,
                        "{failure} of {threshold}"
                    );
                }
                assert_eq!(delivery.consecutive_failures(), 3 * threshold);
                assert_eq!(delivery.succeeded(), Some(Alert::Recovered));
                assert_eq!(delivery.consecutive_failures(), 0);
            }
            (1..threshold).for_each(|_| assert_eq!(delivery.failed(at(0), &RETRY, 0.0), None));
            assert_eq!(delivery.succeeded(), None, "no alarm was raised");
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Poll { later_ms: u64, new_points: u64 },
        Fail { failure: Failure, jitter: f64 },
        Succeed,
    }

    fn step() -> impl Strategy<Value = Step> {
        let failure = prop_oneof![
            proptest::option::of(0u64..1000).prop_map(|s| Failure::Retry { after: s.map(Duration::from_secs) }),
            Just(Failure::Rejected),
            Just(Failure::Misconfigured),
        ];
        prop_oneof![
            3 => (0u64..40_000, 0u64..15).prop_map(|(later_ms, new_points)| Step::Poll { later_ms, new_points }),
            2 => (failure, 0.0f64..=1.0).prop_map(|(failure, jitter)| Step::Fail { failure, jitter }),
            1 => Just(Step::Succeed),
        ]
    }

    proptest! {
        #[test]
        fn no_request_within_a_back_off_and_alarms_take_turns(
            steps in proptest::collection::vec(step(), 1..200),
            threshold in 1u32..8,
        ) {
            let mut delivery = Delivery::new(policy(threshold));
            let mut now = at(1);
            let mut not_before = now;
            let (mut waiting, mut oldest) = (0u64, now);
            let (mut in_a_row, mut raised) = (0u32, false);
            for step in steps {
                match step {
                    Step::Poll { later_ms, new_points } => {
                        now = now + Duration::from_millis(later_ms);
                        if waiting == 0 { oldest = now; }
                        waiting += new_points;
                        match delivery.poll(now, Backlog { waiting, oldest: Some(oldest) }, false) {
                            Next::Send { max } => {
                                prop_assert!(now >= not_before, "sent within the back-off");
                                prop_assert!(waiting > 0 && max == 10);
                            }
                            Next::WaitUntil(then) => {
                                prop_assert!(then > now, "a wait ends later");
                                prop_assert!(then <= not_before.max(oldest + Duration::from_secs(55)), "waits no longer than it must");
                            }
                            Next::Idle => prop_assert_eq!(waiting, 0),
                        }
                    }
                    Step::Fail { failure, jitter } => {
                        let alert = delivery.failed(now, &failure, jitter);
                        in_a_row += 1;
                        not_before = delivery.retry_at().expect("failed");
                        let delay = not_before.since(now);
                        prop_assert!(delay >= Duration::from_secs(1) && delay <= Duration::from_secs(330));
                        prop_assert_eq!(alert, (in_a_row == threshold).then_some(Alert::Raised));
                        raised |= alert.is_some();
                    }
                    Step::Succeed => {
                        prop_assert_eq!(delivery.succeeded(), raised.then_some(Alert::Recovered));
                        (in_a_row, raised, not_before) = (0, false, now);
                        waiting = waiting.saturating_sub(10);
                        oldest = now;
                    }
                }
            }
        }
    }
}
