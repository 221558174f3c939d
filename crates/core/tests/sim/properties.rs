//! Any box, any schedule of mishaps: the witness watches every moment, and in the calm after it all the thermostat works again.
//!
//! Each schedule has a number that stands for it: `FILAMENTBOX_SIM_SEED=n` runs it alone. One that fails is made as small as it
//! gets, and prints itself as code for `regressions.rs`. `FILAMENTBOX_SIM_SHRINK=0` leaves out the making small.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::schedule::{Given, Mishap, live};
use crate::strategy::schedules;

/// An ordinary run: some seconds of work.
const SHORT: RangeInclusive<u64> = 1..=160;
const SHORT_SOAK: RangeInclusive<u64> = 161..=200;
const SOAK: RangeInclusive<u64> = 1..=12_000;
/// So many smaller schedules are tried.
const SHRINK: u32 = 2_000;

#[test]
#[expect(clippy::print_stdout, reason = "says what ran")]
fn any_schedule_of_mishaps_keeps_the_invariants() {
    match environment("FILAMENTBOX_SIM_SEED") {
        Some(seed) => {
            let seed = seed.parse().expect("FILAMENTBOX_SIM_SEED is a whole number");
            println!("FILAMENTBOX_SIM_SEED={seed} alone");
            live_all(seed..=seed);
        }
        None => live_all(SHORT),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "says what ran")]
fn soak_through_ten_thousand_schedules() {
    if environment("FILAMENTBOX_SIM_SEED").is_some() {
        println!("not run: any_schedule_of_mishaps_keeps_the_invariants runs the schedule of FILAMENTBOX_SIM_SEED");
    } else if environment("FILAMENTBOX_SOAK").is_some_and(|value| value == "1") {
        live_all(SOAK);
    } else {
        println!("the short version, {SHORT_SOAK:?}; FILAMENTBOX_SOAK=1 runs {SOAK:?}");
        live_all(SHORT_SOAK);
    }
}

#[expect(clippy::disallowed_methods, reason = "the test decides nothing by it but how much to test")]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What was done, so that nobody takes an empty run for a proof.
#[derive(Default)]
struct Done {
    schedules: u64,
    hours: f64,
    energised: u64,
    mishaps: BTreeMap<String, u64>,
}

impl Done {
    fn add(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.hours += other.hours;
        self.energised += other.energised;
        for (name, count) in other.mishaps {
            *self.mishaps.entry(name).or_default() += count;
        }
    }
}

/// Runs all of `seeds` on every core.
#[expect(clippy::print_stdout, reason = "says what ran")]
fn live_all(seeds: RangeInclusive<u64>) {
    let next = AtomicU64::new(*seeds.start());
    let work = || {
        let mut done = Done::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return Ok(done);
            }
            match live_one(seed) {
                Ok(one) => done.add(one),
                Err(report) => {
                    next.store(*seeds.end() + 1, Ordering::Relaxed);
                    return Err(report);
                }
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<Result<Done, String>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a schedule's panic is caught")).collect()
    });
    let mut done = Done::default();
    for result in results {
        done.add(result.unwrap_or_else(|report| panic!("{report}")));
    }
    println!("{} schedules, {:.0} h, the heaters went on {} times", done.schedules, done.hours, done.energised);
    println!("{:?}", done.mishaps);
    assert!(done.energised > done.schedules, "the heaters were at work");
}

/// One schedule; if it fails, the smallest that fails in its place, as code.
fn live_one(seed: u64) -> Result<Done, String> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let shrink = environment("FILAMENTBOX_SIM_SHRINK").is_none_or(|value| value != "0");
    let config =
        Config { failure_persistence: None, max_shrink_iters: if shrink { SHRINK } else { 0 }, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &key));
    let tree = schedules().new_tree(&mut runner).expect("nothing is filtered");
    let done = RefCell::new(Done::default());
    let result = quietly(|| {
        let result = runner.run_one(tree, |(given, mishaps)| {
            *done.borrow_mut() = count(&given, &mishaps);
            Ok(())
        });
        result.map_err(Box::new)
    });
    let Err(failure) = result else { return Ok(done.into_inner()) };
    match *failure {
        TestError::Fail(why, (given, mishaps)) => {
            // Once more, for its history.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| live(&given, &mishaps)));
            Err(format!("{why}\nFILAMENTBOX_SIM_SEED={seed} fails, smallest:\n\n{}", code(seed, &given, &mishaps)))
        }
        TestError::Abort(why) => Err(format!("FILAMENTBOX_SIM_SEED={seed}: {why}")),
    }
}

/// Runs a schedule.
fn count(given: &Given, mishaps: &[Mishap]) -> Done {
    let world = live(given, mishaps);
    let mut names = BTreeMap::new();
    for Mishap { what, .. } in mishaps {
        *names.entry(what.name()).or_default() += 1;
    }
    let energised = world.witness.energised.into();
    Done { schedules: 1, hours: world.now.seconds() / 3600.0, energised, mishaps: names }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Whether a failure in this thread is an experiment that nobody needs to read about.
pub(crate) fn is_quiet() -> bool {
    QUIET.get()
}

/// Runs `what` without the report of each panic in it.
fn quietly<T>(what: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !is_quiet() {
                report(info);
            }
        }));
    });
    QUIET.set(true);
    let result = what();
    QUIET.set(false);
    result
}

/// As it can be pasted into `regressions.rs`.
fn code(seed: u64, given: &Given, mishaps: &[Mishap]) -> String {
    let list: String = mishaps.iter().map(|mishap| format!("        {mishap:?},\n")).collect();
    format!(
        "#[test]\nfn schedule_{seed}() {{\n    let given = {given:?};\n    let mishaps = [\n{list}    ];\n    live(&given, &mishaps);\n}}\n"
    )
}
