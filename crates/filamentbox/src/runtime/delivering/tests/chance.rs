//! Schedules of mishaps, by chance. `FILAMENTBOX_SIM_SEED=n` runs one of them again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use filamentbox_core::config::Durability;

use super::server::{Dice, Mood, Taste};
use super::*;

/// In every test run.
const SCHEDULES: u64 = 60;
/// In the soak.
const MANY_SCHEDULES: u64 = 1500;

fn any_order(doubles: bool, answers: bool) -> Nature {
    Nature { history: History::AnyOrder, doubles, answers, stores_the_others: false }
}

fn nature(dice: &mut Dice) -> Nature {
    let others = dice.chance(0.5);
    match dice.below(10) {
        0..3 => Nature { stores_the_others: others, ..any_order(false, false) },
        // None is known that keeps both copies and stores a part of what it refuses.
        3..6 => any_order(true, true),
        6 => any_order(true, false),
        7 => Nature { history: History::InOrder, stores_the_others: others, ..any_order(false, true) },
        8 => Nature { history: History::InOrder, ..any_order(false, false) },
        _ => Nature { history: History::LatestOnly, ..any_order(false, false) },
    }
}

fn plan(seed: u64, dice: &mut Dice) -> Plan {
    let mut plan = Plan::new(seed, nature(dice));
    plan.policy.batch_size = dice.pick(&[1, 2, 7, 20, 50]);
    plan.policy.flush_interval = Duration::from_secs(dice.pick(&[1, 20, 60, 300]));
    plan.policy.retry.backoff_max = Duration::from_secs(dice.pick(&[1, 30, 300]));
    plan.durability = dice.pick(&[Durability::Each, Durability::Minute, Durability::Ram]);
    plan.boxes = if dice.chance(0.2) { 2 } else { 1 };
    if dice.chance(0.15) {
        plan.max_batches = 3 + dice.below(10);
        plan.queue_max_size = 100;
    }
    plan
}

fn taste(dice: &mut Dice, nature: Nature) -> Taste {
    let mut taste = Taste { names_them: dice.chance(0.4), ..Taste::default() };
    if nature.history == History::LatestOnly {
        return taste;
    }
    if dice.chance(0.4) {
        taste.bad_one_of = Some(dice.pick(&[3, 10, 50]));
    }
    if dice.chance(0.3) {
        taste.largest = Some(dice.pick(&[1, 3, 10]));
    }
    if dice.chance(0.2) {
        taste.keeps = Some(Duration::from_secs(dice.pick(&[120, 900, 3600])));
        taste.silently = nature.doubles && nature.answers && dice.chance(0.7);
    }
    taste
}

impl World {
    async fn act(&mut self, dice: &mut Dice) {
        let parts = [0.05, 0.2, 0.5];
        match dice.below(20) {
            0..5 => self.server().set_mood(Mood::Healthy),
            5..7 => self.server().set_mood(Mood::Down),
            7 => self.server().set_mood(Mood::Overloaded),
            8..10 => self.server().set_mood(Mood::Flaky(dice.pick(&parts))),
            10 => self.server().set_mood(Mood::Misconfigured),
            11 => self.server().set_mood(Mood::RefusesAll),
            12 => {
                self.server().set_mood(Mood::Hangs);
                self.readings(dice.below(20)).await;
                self.end(dice.chance(0.5)).await;
                self.server().set_mood(Mood::Healthy);
            }
            13..15 => {
                let lost = dice.milliseconds(100.0, 10_000.0);
                let outage = dice.milliseconds(500.0, 300_000.0);
                self.server().crash(lost, outage);
            }
            15..18 => self.end(dice.chance(0.3)).await,
            _ => {
                let changed = taste(dice, self.plan.nature);
                self.server().taste = changed;
            }
        }
        let readings = dice.milliseconds(1_000.0, 60_000.0).as_secs();
        self.readings(readings).await;
        self.pass_at_most(dice.milliseconds(1.0, 4_000.0)).await;
        self.account().await;
    }

    /// The daemon ends, one way or the other, and starts again.
    async fn end(&mut self, in_good_order: bool) {
        match in_good_order {
            true => self.stop().await,
            false => self.kill(),
        }
        self.pass_at_most(Duration::from_secs(2)).await;
        self.start();
    }
}

async fn live(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut world = World::new(plan(seed, &mut dice));
    let first = taste(&mut dice, world.plan.nature);
    world.server().taste = first;
    for _ in 0..4 + dice.below(12) {
        world.act(&mut dice).await;
    }
    // All is well in the end; what it refuses, it refuses still.
    world.server().set_mood(Mood::Healthy);
    world.readings(30).await;
    world.drain().await;
    world.assert_complete().await;
}

fn run(seed: u64) {
    let outcome = catch_unwind(AssertUnwindSafe(|| simulate(|| live(seed))));
    if let Err(failure) = outcome {
        let plan = plan(seed, &mut Dice::new(seed));
        // Seen only when the test fails.
        std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("FILAMENTBOX_SIM_SEED={seed} runs this one again: {plan:?}\n"),
        )
        .unwrap();
        resume_unwind(failure);
    }
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice_whatever_happens() {
    match std::env::var("FILAMENTBOX_SIM_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => run(seed),
        None => (0..SCHEDULES).for_each(run),
    }
}

#[test]
fn soak_through_fifteen_hundred_schedules_of_mishaps() {
    if std::env::var("FILAMENTBOX_SOAK").is_ok_and(|value| value == "1") {
        (SCHEDULES..MANY_SCHEDULES).for_each(run);
    }
}
