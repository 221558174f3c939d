//! Tables for both sides of each limit, and a state machine that holds the judge against a second, naive reading of the rules.

use proptest::prelude::*;

use super::*;

const S: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
const HEATER: usize = 0;
const FAN: usize = 1;

/// Heater 2 is a second heater.
const ROLES: [Role; 3] = [Role::Heater, Role::Fan, Role::Heater];

fn warm(temperature_milli_c: i32, sample_age_ms: u32) -> Want {
    Want { active: true, temperature_milli_c, sample_age_ms, latch: None }
}

fn lease(sequence: u32, heater: Want, fan: bool) -> Lease {
    let mut lease = Lease { sequence, ..Lease::default() };
    lease.lines[HEATER] = heater;
    lease.lines[FAN].active = fan;
    lease
}

fn judge_by(limits: Limits) -> Judge {
    let mut judge = Judge::new(limits);
    for (index, role) in ROLES.into_iter().enumerate() {
        judge.hold(index, Some(role), None);
    }
    judge
}

fn judge() -> Judge {
    judge_by(Limits::default())
}

#[test]
fn a_heater_is_judged_on_both_sides_of_each_limit() {
    // One lease at 100 s, judged `after` nanoseconds.
    let check = |want: Want, after: u64, expected: Verdict| {
        let mut judge = judge();
        judge.lease(Nanos(100 * S), &lease(1, want, false));
        let report = judge.assess(Nanos(100 * S + after))[HEATER];
        assert_eq!((report.active, report.verdict), (expected == Verdict::Active, expected), "{want:?} +{after}");
    };
    let ok = warm(45_000, 0);
    check(ok, 0, Verdict::Active);
    check(Want { active: false, ..ok }, 0, Verdict::NotWanted);
    // The lease: 2.4 s.
    check(ok, 2_400 * MS - 1, Verdict::Active);
    check(ok, 2_400 * MS, Verdict::NoLease);
    check(Want { active: false, ..ok }, 2_400 * MS, Verdict::NoLease);
    // The sample: 15 s, its age on arrival and since then together.
    check(warm(45_000, 15_000), 0, Verdict::Active);
    check(warm(45_000, 15_000), 1, Verdict::StaleSample);
    check(warm(45_000, 15_001), 0, Verdict::StaleSample);
    check(warm(45_000, 14_000), S, Verdict::Active);
    check(warm(45_000, 14_000), S + 1, Verdict::StaleSample);
    check(warm(45_000, u32::MAX - 1), 0, Verdict::StaleSample);
    check(warm(45_000, NO_SAMPLE), 0, Verdict::NoSample);
    // The cut-off: 70 C, by 1 C/s.
    check(warm(69_999, 0), 0, Verdict::Active);
    check(warm(70_000, 0), 0, Verdict::Latched);
    check(warm(i32::MAX, 0), 0, Verdict::Latched);
    check(warm(i32::MIN, 0), 0, Verdict::Active);
    check(warm(60_000, 9_999), 0, Verdict::Active);
    check(warm(60_000, 10_000), 0, Verdict::TooHot);
    check(warm(60_000, 9_000), S - 1, Verdict::Active);
    check(warm(60_000, 9_000), S, Verdict::TooHot);
    check(warm(60_000, 10_001), 0, Verdict::TooHot);
}

#[test]
fn odd_limits_are_safe() {
    let check = |limits: Limits, expected: Verdict| {
        let mut judge = judge_by(limits);
        judge.lease(Nanos(S), &lease(1, warm(45_000, 1_000), false));
        assert_eq!(judge.assess(Nanos(S))[HEATER].verdict, expected, "{limits:?}");
    };
    let default = Limits::default();
    check(Limits { lease: Duration::ZERO, ..default }, Verdict::NoLease);
    check(Limits { lease: Duration::MAX, ..default }, Verdict::Active);
    check(Limits { max_sample_age: Duration::ZERO, ..default }, Verdict::StaleSample);
    check(Limits { max_sample_age: Duration::MAX, ..default }, Verdict::Active);
    check(Limits { slew_milli_c_per_s: 0, ..default }, Verdict::Active);
    check(Limits { slew_milli_c_per_s: u32::MAX, ..default }, Verdict::TooHot);
    check(Limits { cut_off_milli_c: i32::MIN, ..default }, Verdict::Latched);
    check(Limits { cut_off_milli_c: i32::MAX, slew_milli_c_per_s: 1, ..default }, Verdict::Active);
    check(Limits { max_on_time: Duration::ZERO, ..default }, Verdict::OnTooLong);
    check(Limits { max_on_time: Duration::MAX, ..default }, Verdict::Active);
}

#[test]
fn a_fan_needs_a_lease_and_nothing_more() {
    let mut judge = judge();
    assert_eq!(judge.assess(Nanos(0))[FAN].verdict, Verdict::NoLease);
    judge.lease(Nanos(S), &lease(1, Want::default(), true));
    assert_eq!(judge.assess(Nanos(S))[FAN].verdict, Verdict::Active);
    assert_eq!(judge.next_check(Nanos(S)), Some(Nanos(S + 2_400 * MS)));
    judge.lease(Nanos(2 * S), &lease(2, Want::default(), false));
    assert_eq!(judge.assess(Nanos(2 * S))[FAN].verdict, Verdict::NotWanted);
    assert_eq!(judge.next_check(Nanos(2 * S)), None);
}

#[test]
fn an_index_without_a_line_is_never_active() {
    let mut judge = judge();
    judge.lease(Nanos(S), &Lease { sequence: 1, lines: [warm(20_000, 0); MAX_LINES] });
    let reports = judge.assess(Nanos(S));
    assert_eq!(reports.map(|report| report.active), [true, true, true, false, false, false, false, false]);
    assert_eq!(reports[3].verdict, Verdict::NoSuchLine);
    judge.latch(3, Latch::LineFault);
    judge.latch(MAX_LINES, Latch::LineFault);
    assert_eq!((judge.latch_of(3), judge.latch_of(MAX_LINES)), (None, None));
}

#[test]
fn a_fresh_sample_at_the_cut_off_latches_the_heater() {
    let check = |want: Want, latched: bool| {
        let mut judge = judge();
        judge.lease(Nanos(100 * S), &lease(1, want, true));
        judge.lease(Nanos(101 * S), &lease(2, warm(45_000, 0), true));
        let reports = judge.assess(Nanos(101 * S));
        let expected = latched.then_some(Latch::OverTemperature);
        assert_eq!(reports[HEATER].latch, expected, "{want:?}");
        assert_eq!(reports[HEATER].active, !latched, "{want:?}");
        assert_eq!(reports[FAN].verdict, Verdict::Active);
    };
    check(warm(69_999, 0), false);
    check(warm(70_000, 0), true);
    check(warm(i32::MAX, 0), true);
    // Also of a heater that is not wanted.
    check(Want { active: false, ..warm(70_000, 0) }, true);
    // As long as it can be believed.
    check(warm(70_000, 15_000), true);
    check(warm(70_000, 15_001), false);
    check(warm(70_000, NO_SAMPLE), false);
    // What it may be by now only refuses.
    check(warm(69_999, 15_000), false);
}

#[test]
fn a_latch_stays_until_the_reset_and_keeps_its_first_reason() {
    for reason in Latch::ALL {
        let mut judge = judge();
        let mut sequence = 0;
        let mut hear = |judge: &mut Judge, latch: Option<Latch>| {
            sequence += 1;
            let mut lease = lease(sequence, Want { latch, ..warm(45_000, 0) }, true);
            lease.lines[FAN].latch = latch;
            judge.lease(Nanos(S), &lease);
            let reports = judge.assess(Nanos(S));
            (reports[HEATER], reports[FAN], reports[2].latch)
        };
        hear(&mut judge, None);
        let latched = LineReport { active: false, verdict: Verdict::Latched, latch: Some(reason) };
        let on = LineReport { active: true, verdict: Verdict::Active, latch: None };
        // A fan stops for nothing but its own line.
        let fan = if reason == Latch::LineFault { latched } else { on };
        assert_eq!(hear(&mut judge, Some(reason)), (latched, fan, None));
        assert_eq!(hear(&mut judge, None), (latched, fan, None));
        assert_eq!(hear(&mut judge, Some(Latch::SensorFrozen)), (latched, fan, None));
        judge.end_lease(Nanos(S));
        assert_eq!(judge.assess(Nanos(S))[HEATER], latched);
        judge.reset();
        assert_eq!(hear(&mut judge, None), (on, on, None));
    }
}

#[test]
fn a_line_that_is_let_go_and_taken_again_gets_no_on_time_for_it() {
    let mut judge = judge_by(Limits { max_on_time: Duration::from_secs(2), ..Limits::default() });
    let mut hear = |now: u64| {
        judge.lease(Nanos(now), &lease(1, warm(45_000, 0), false));
        let before = judge.assess(Nanos(now))[HEATER].verdict;
        judge.hold(HEATER, None, None);
        let between = judge.assess(Nanos(now))[HEATER].verdict;
        judge.hold(HEATER, Some(Role::Heater), None);
        (before, between, judge.assess(Nanos(now))[HEATER].verdict)
    };
    assert_eq!(hear(10 * S), (Verdict::Active, Verdict::NoSuchLine, Verdict::Active));
    assert_eq!(hear(12 * S), (Verdict::OnTooLong, Verdict::NoSuchLine, Verdict::OnTooLong));
}

#[test]
fn the_end_of_the_lease_and_a_fault_each_end_it_at_once() {
    let check = |harm: &dyn Fn(&mut Judge), heater: Verdict, fan: Verdict, after: Verdict| {
        let mut judge = judge();
        judge.lease(Nanos(S), &lease(9, warm(45_000, 0), true));
        assert!(judge.assess(Nanos(S))[HEATER].active);
        harm(&mut judge);
        let reports = judge.assess(Nanos(S + 1));
        assert_eq!((reports[HEATER].verdict, reports[FAN].verdict), (heater, fan));
        judge.lease(Nanos(S + 2), &lease(10, warm(45_000, 0), true));
        assert_eq!(judge.assess(Nanos(S + 2))[HEATER].verdict, after);
    };
    check(&|judge| judge.end_lease(Nanos(S + 1)), Verdict::NoLease, Verdict::NoLease, Verdict::Active);
    check(&|judge| judge.latch(HEATER, Latch::LineFault), Verdict::Latched, Verdict::Active, Verdict::Latched);
}

#[test]
fn a_suspended_machine_and_a_clock_that_runs_backwards_end_the_lease() {
    let check = |now: u64, expected: Verdict| {
        let mut judge = judge();
        judge.lease(Nanos(100 * S), &lease(1, warm(45_000, 0), false));
        judge.assess(Nanos(100 * S));
        assert_eq!(judge.assess(Nanos(now))[HEATER].verdict, expected, "{now}");
    };
    check(8 * 3600 * S, Verdict::NoLease);
    check(u64::MAX, Verdict::NoLease);
    check(100 * S - 1, Verdict::NoLease);
    check(0, Verdict::NoLease);
}

/// Asks for the heater twice a second from `from` to `to` (seconds), with pauses of `off` seconds after each `on`; returns its seconds
/// of activity and the last verdict. The on-time limits are 100 s and 20 s.
fn cycle(judge: &mut Judge, from: u64, to: u64, on: u64, off: u64) -> (u64, Verdict) {
    let mut halves = 0;
    let mut verdict = Verdict::NotWanted;
    for half in 2 * from..2 * to {
        let now = Nanos(half * 500 * MS);
        let active = (half - 2 * from) % (2 * (on + off)) < 2 * on;
        judge.lease(now, &lease(u32::try_from(half).unwrap() + 1, Want { active, ..warm(45_000, 0) }, false));
        let report = judge.assess(now)[HEATER];
        halves += u64::from(report.active);
        verdict = report.verdict;
    }
    (halves / 2, verdict)
}

#[test]
fn chattering_does_not_cheat_the_on_time() {
    let check = |on: u64, off: u64, span: u64, expected: u64| {
        let limits =
            Limits { max_on_time: Duration::from_secs(100), rest: Duration::from_secs(20), ..Limits::default() };
        let mut judge = judge_by(limits);
        assert_eq!(cycle(&mut judge, 0, span, on, off).0, expected, "{on} s on, {off} s off, {span} s long");
    };
    // Always on: 100 s, 20 s of rest, again.
    check(1_000, 0, 119, 100);
    check(1_000, 0, 120, 100);
    check(1_000, 0, 121, 101);
    check(1_000, 0, 360, 300);
    // Short pauses give back as much as they last: 9 s are used up in 11, and the 100 s are reached at 120 s.
    check(10, 1, 120, 110);
    check(10, 1, 140, 110);
    check(10, 1, 141, 111);
    check(50, 19, 176, 138);
    check(50, 19, 206, 138);
    // On for half of the time: the limit is never met.
    check(1, 1, 1_000, 500);
    // Pauses that are a rest: the limit is never met.
    check(50, 20, 700, 500);
    check(99, 20, 1_190, 990);
}

#[test]
fn a_rest_is_over_on_its_last_nanosecond() {
    let limits = Limits { max_on_time: Duration::from_secs(2), rest: Duration::from_secs(20), ..Limits::default() };
    let mut judge = judge_by(limits);
    let mut check = |sequence: u32, now: u64, expected: Verdict| {
        judge.lease(Nanos(now), &lease(sequence, warm(45_000, 0), false));
        assert_eq!(judge.assess(Nanos(now))[HEATER].verdict, expected, "{now}");
    };
    check(1, 10 * S, Verdict::Active);
    check(2, 12 * S - 1, Verdict::Active);
    check(3, 12 * S, Verdict::OnTooLong);
    check(4, 32 * S - 1, Verdict::OnTooLong);
    check(5, 32 * S, Verdict::Active);
    check(6, 34 * S, Verdict::OnTooLong);
}

#[test]
fn next_check_is_the_first_end() {
    let check = |limits: Limits, want: Want, expected: Option<u64>| {
        let mut judge = judge_by(limits);
        judge.lease(Nanos(100 * S), &lease(1, want, false));
        judge.assess(Nanos(100 * S));
        assert_eq!(judge.next_check(Nanos(100 * S)), expected.map(|after| Nanos(100 * S + after)), "{want:?}");
    };
    let default = Limits::default();
    check(default, Want::default(), None);
    check(default, warm(45_000, 0), Some(2_400 * MS));
    check(default, warm(45_000, 14_000), Some(S + 1));
    check(default, warm(69_000, 0), Some(S));
    check(default, warm(69_999, 0), Some(MS));
    check(Limits { slew_milli_c_per_s: 3_000, ..default }, warm(69_999, 0), Some(333_334));
    check(Limits { max_on_time: Duration::from_secs(1), ..default }, warm(45_000, 0), Some(S));
}

#[test]
fn next_check_is_now_when_something_was_heard_and_not_assessed() {
    let check = |heard: &dyn Fn(&mut Judge), expected: Option<Nanos>| {
        let mut judge = judge();
        judge.lease(Nanos(S), &lease(1, warm(45_000, 0), false));
        judge.assess(Nanos(S));
        heard(&mut judge);
        assert_eq!(judge.next_check(Nanos(2 * S)), expected);
    };
    check(&|_| {}, Some(Nanos(S + 2_400 * MS)));
    check(&|judge| judge.latch(HEATER, Latch::LineFault), Some(Nanos(2 * S)));
    check(&|judge| judge.lease(Nanos(2 * S), &lease(2, Want::default(), false)), Some(Nanos(2 * S)));
    check(&|judge| judge.hold(HEATER, None, None), Some(Nanos(2 * S)));
    check(&|judge| judge.end_lease(Nanos(2 * S)), None);
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Lease(Vec<Want>),
    EndLease,
    Latch(usize, Latch),
    Reset,
    LetGo(usize),
    Take(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let temperature = prop_oneof![4 => 40_000..60_000, 3 => 66_000..70_100, 1 => any::<i32>()];
    let age = prop_oneof![4 => 0..1_000u32, 2 => 0..16_000u32, 1 => Just(NO_SAMPLE), 1 => any::<u32>()];
    let reason = prop::sample::select(&Latch::ALL[..]);
    let latch = prop_oneof![40 => Just(None), 1 => reason.clone().prop_map(Some)];
    let want = (prop::bool::weighted(0.8), temperature, age, latch).prop_map(
        |(active, temperature_milli_c, sample_age_ms, latch)| Want {
            active,
            temperature_milli_c,
            sample_age_ms,
            latch,
        },
    );
    let pass = prop_oneof![6 => 0..S, 3 => 0..4 * S, 1 => 0..40 * S];
    let step = prop_oneof![
        10 => pass.prop_map(Step::Pass),
        10 => prop::collection::vec(want, 3).prop_map(Step::Lease),
        2 => Just(Step::EndLease),
        1 => (prop_oneof![9 => Just(MAX_LINES), 1 => 0..3usize], reason).prop_map(|(index, latch)| Step::Latch(index, latch)),
        2 => Just(Step::Reset),
        1 => (0..3usize).prop_map(Step::LetGo),
        2 => (0..3usize).prop_map(Step::Take),
    ];
    prop::collection::vec(step, 1..150)
}

/// The rules once more, as naively as they can be said.
struct World {
    judge: Judge,
    limits: Limits,
    now: u64,
    lease: Option<(u64, Vec<Want>)>,
    held: [bool; 3],
    latched: [Option<Latch>; 3],
    /// For each line its account of on-time, and when it was last active.
    on: [(u64, u64); 3],
    active: [bool; 3],
}

impl World {
    /// Why line `index` must not be active now, the on-time apart.
    fn objection(&self, index: usize) -> Option<&'static str> {
        if !self.held[index] || self.latched[index].is_some() {
            return Some("not held or latched");
        }
        let (came, wants) = match &self.lease {
            Some((came, wants)) if u128::from(self.now - came) < self.limits.lease.as_nanos() => (*came, wants),
            _ => return Some("no fresh lease"),
        };
        let want = wants[index];
        if !want.active {
            return Some("not wanted");
        }
        if ROLES[index] == Role::Fan {
            return None;
        }
        let age = i128::from(want.sample_age_ms) * i128::from(MS) + i128::from(self.now - came);
        if want.sample_age_ms == NO_SAMPLE || age > i128::try_from(self.limits.max_sample_age.as_nanos()).unwrap() {
            return Some("no young sample");
        }
        let projected =
            i128::from(want.temperature_milli_c) * i128::from(S) + age * i128::from(self.limits.slew_milli_c_per_s);
        (projected >= i128::from(self.limits.cut_off_milli_c) * i128::from(S)).then_some("too hot")
    }

    fn assess(&mut self, since: u64) {
        let reports = self.judge.assess(Nanos(self.now));
        for (index, LineReport { active, verdict, latch }) in reports.into_iter().enumerate().take(3) {
            assert_eq!(active, verdict == Verdict::Active);
            assert_eq!(verdict == Verdict::NoSuchLine, !self.held[index]);
            assert_eq!(latch, self.latched[index]);
            let (used, until) = &mut self.on[index];
            if self.active[index] {
                *used += self.now - since;
                *until = self.now;
            } else if u128::from(self.now - *until) >= self.limits.rest.as_nanos() {
                *used = 0;
            } else if u128::from(*used) < self.limits.max_on_time.as_nanos() {
                *used = used.saturating_sub(self.now - since);
            }
            let used_up = u128::from(*used) >= self.limits.max_on_time.as_nanos();
            assert!(u128::from(*used) <= self.limits.max_on_time.as_nanos() || index == FAN, "on for too long");
            self.active[index] = active;
            match self.objection(index) {
                Some(why) => assert!(!active, "line {index} is active: {why}"),
                None if index == FAN => assert!(active, "{verdict:?}"),
                None if used_up => assert_eq!(verdict, Verdict::OnTooLong),
                None => assert!(active, "line {index} is inactive for nothing: {verdict:?}"),
            }
        }
    }

    /// Whether an active line would become inactive if the judge were asked `at` that moment.
    fn ends_one(&self, at: u64) -> bool {
        let reports = self.judge.clone().assess(Nanos(at));
        self.active.iter().zip(reports).any(|(&active, report)| active && !report.active)
    }

    /// What the loop does: sleeps until the next check or the next message, whichever comes first. On the way nothing else may end.
    fn pass(&mut self, span: u64, probe: u64) {
        let target = self.now + span;
        loop {
            let next = self.judge.next_check(Nanos(self.now));
            let wake = next.map_or(target, |next| next.0.min(target));
            if let Some(next) = next {
                assert!(next.0 > self.now, "assessed and due again at once");
                for asleep in [next.0 - 1, self.now + probe % (next.0 - self.now)] {
                    assert!(!self.ends_one(asleep), "slept past an end");
                }
                assert!(self.ends_one(next.0), "woken for nothing");
            }
            let since = self.now;
            self.now = wake;
            self.assess(since);
            if wake == target {
                return;
            }
        }
    }

    fn step(&mut self, step: Step, probe: u64) {
        let now = Nanos(self.now);
        match step {
            Step::Pass(span) => return self.pass(span, probe),
            Step::Lease(wants) => {
                let mut lease = Lease::default();
                lease.lines[..3].copy_from_slice(&wants);
                self.judge.lease(now, &lease);
                for (index, want) in wants.iter().enumerate() {
                    let young = u128::from(want.sample_age_ms) * 1_000_000 <= self.limits.max_sample_age.as_nanos();
                    let hot = want.temperature_milli_c >= self.limits.cut_off_milli_c;
                    if let Some(latch) = want.latch {
                        self.latch(index, latch);
                    } else if want.sample_age_ms != NO_SAMPLE && young && hot {
                        self.latch(index, Latch::OverTemperature);
                    }
                }
                self.lease = Some((self.now, wants));
            }
            Step::EndLease => {
                self.judge.end_lease(now);
                self.lease = None;
            }
            Step::Latch(index, latch) => {
                self.judge.latch(index, latch);
                self.latch(index, latch);
            }
            Step::Reset => {
                self.judge.reset();
                self.latched = [None; 3];
            }
            Step::LetGo(index) => {
                self.judge.hold(index, None, None);
                (self.held[index], self.latched[index]) = (false, None);
            }
            Step::Take(index) => {
                self.judge.hold(index, Some(ROLES[index]), self.latched[index]);
                self.held[index] = true;
            }
        }
        self.assess(self.now);
    }

    fn latch(&mut self, index: usize, latch: Latch) {
        if index < 3 && self.held[index] && (ROLES[index] == Role::Heater || latch == Latch::LineFault) {
            self.latched[index] = self.latched[index].or(Some(latch));
        }
    }
}

proptest! {
    #[test]
    fn the_judge_keeps_its_rules_in_any_world(
        steps in steps(),
        start in prop_oneof![Just(0), 0..u64::MAX / 2],
        probe in any::<u64>(),
        slew_milli_c_per_s in prop_oneof![Just(1_000), 0..5_000u32],
        max_on_s in prop_oneof![Just(4), 0..30u64],
        rest_s in 0..8u64,
    ) {
        let limits = Limits {
            slew_milli_c_per_s,
            max_on_time: Duration::from_secs(max_on_s),
            rest: Duration::from_secs(rest_s),
            ..Limits::default()
        };
        let judge = judge_by(limits);
        let mut world = World {
            judge, limits, now: start, lease: None, held: [true; 3], latched: [None; 3], on: [(0, start); 3], active: [false; 3],
        };
        for step in steps {
            world.step(step, probe);
        }
    }
}
