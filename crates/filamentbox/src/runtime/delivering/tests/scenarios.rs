//! Single mishaps, by name.

use super::server::{Mood, Taste};
use super::*;

fn overwriting() -> Nature {
    Nature { history: History::AnyOrder, doubles: false, answers: false, stores_the_others: false }
}

fn doubling() -> Nature {
    Nature { doubles: true, answers: true, ..overwriting() }
}

fn world(nature: Nature) -> World {
    World::new(Plan::new(1, nature))
}

/// One that has this much in its journal, and whose server was down until now.
async fn behind(nature: Nature, batch_size: usize, readings: u64) -> World {
    let mut plan = Plan::new(1, nature);
    plan.policy.batch_size = batch_size;
    plan.policy.retry.backoff_max = Duration::from_secs(10);
    let mut world = World::new(plan);
    world.readings(1).await;
    world.drain().await;
    world.server().set_mood(Mood::Down);
    world.readings(readings).await;
    world.server().set_mood(Mood::Healthy);
    world
}

#[test]
fn one_bad_point_of_1000_costs_one_dead_letter_and_21_requests() {
    simulate(|| async {
        let mut world = behind(overwriting(), 1000, 999).await;
        let bad = world.taken.keys().nth(500).cloned();
        world.server().taste = Taste { bad: bad.into_iter().collect(), ..Taste::default() };
        let before = world.server().requests;
        let account = world.drain().await;
        assert_eq!((account.sampled, account.delivered, account.dead_letter), (1000, 999, 1));
        let requests = world.server().requests - before;
        assert!(requests <= 21, "{requests} requests");
        world.assert_complete().await;
    });
}

#[test]
fn the_next_request_is_made_while_the_one_before_is_under_way() {
    for nature in [overwriting(), doubling()] {
        simulate(|| async {
            let mut world = behind(nature, 20, 400).await;
            world.drain().await;
            let made_ahead = world.server().made_ahead;
            assert!(made_ahead >= 15, "{made_ahead} of some 20");
            world.assert_complete().await;
        });
    }
}

#[test]
fn dead_letters_are_sent_again_once_the_server_is_mended_and_dropped_when_asked() {
    for nature in [overwriting(), doubling()] {
        simulate(|| async {
            let mut world = world(nature);
            world.server().taste = Taste { bad_one_of: Some(5), names_them: true, ..Taste::default() };
            world.readings(200).await;
            let account = world.drain().await;
            assert!(account.dead_letter > 10, "{account:?}");
            // Not mended yet: they stay.
            world.send_letters_again().await;
            world.pass_at_most(Duration::from_secs(600)).await;
            assert_eq!(world.account().await.dead_letter, account.dead_letter);
            let first = world.letters().await[0].id;
            let chosen = Chosen { sink: None, id: Some(first) };
            let journal = world.journal.as_mut().unwrap();
            let dropped = journal.ask(|handle| async move { handle.drop_letters(chosen).await }).await;
            assert_eq!(dropped, Ok(1));
            world.server().taste = Taste::default();
            // Half of the answers are lost, and what was accepted is lost once more with the server.
            world.server().set_mood(Mood::Flaky(0.4));
            world.send_letters_again().await;
            world.pass_at_most(Duration::from_secs(20)).await;
            world.server().crash(Duration::from_secs(10), Duration::from_secs(5));
            world.kill();
            world.start();
            world.pass_at_most(Duration::from_secs(3600)).await;
            world.server().set_mood(Mood::Healthy);
            world.pass_at_most(Duration::from_secs(3600)).await;
            world.send_letters_again().await;
            world.pass_at_most(Duration::from_secs(3600)).await;
            let account = world.account().await;
            assert_eq!((account.dead_letter, account.evicted), (0, 1));
            assert_eq!(world.server().stored_count() as u64, account.delivered);
            world.assert_complete().await;
        });
    }
}

#[test]
fn more_than_1000_dead_letters_are_too_many_and_the_loss_is_counted() {
    simulate(|| async {
        let mut world = world(overwriting());
        world.server().taste = Taste { bad_one_of: Some(2), names_them: true, ..Taste::default() };
        world.readings(2_500).await;
        let account = world.drain().await;
        assert!(account.dead_letter == 1000 && account.evicted > 0, "{account:?}");
        let journal = world.journal.as_mut().unwrap();
        let events = journal.ask(|handle| async move { handle.events(100).await }).await.unwrap();
        assert!(events.iter().any(|(_, event)| event.text.contains("too many dead letters")));
        world.assert_complete().await;
    });
}

/// A second outage, a kill and an orderly stop while the backlog of the first drains: the newest samples are always there soon.
#[test]
fn the_newest_samples_do_not_wait_for_the_backlog() {
    for nature in [overwriting(), doubling()] {
        simulate(|| async {
            let mut world = behind(nature, 10, 1_000).await;
            for mishap in 0..4 {
                // Slow, so that the backlog outlasts the test.
                world.server().pace = Duration::from_secs(4);
                world.readings(16).await;
                let (newest, now) = (world.server().newest().unwrap(), world.clocks.read().wall.unwrap().millis());
                assert!(now - newest < 70_000, "{mishap}: the newest is {} s old", (now - newest) / 1000);
                assert!(world.account().await.waiting > 100, "there is a backlog");
                match mishap {
                    0 => {
                        world.server().set_mood(Mood::Down);
                        world.readings(60).await;
                        world.server().set_mood(Mood::Healthy);
                    }
                    1 => {
                        world.kill();
                        world.pass_at_most(Duration::from_secs(2)).await;
                        world.start();
                    }
                    _ => {
                        world.stop().await;
                        world.pass_at_most(Duration::from_secs(60)).await;
                        world.start();
                    }
                }
            }
            world.server().pace = Duration::ZERO;
            world.drain().await;
            world.assert_complete().await;
        });
    }
}

#[test]
fn a_server_that_is_killed_twice_in_a_row_gets_everything_once() {
    simulate(|| async {
        let mut world = world(doubling());
        world.readings(7).await;
        for _ in 0..2 {
            world.pass_at_most(Duration::from_secs(1)).await;
            // Nobody asks anything while it is down.
            world.server().crash(Duration::from_secs(10), Duration::from_millis(500));
            world.pass_at_most(Duration::from_secs(19)).await;
        }
        world.readings(30).await;
        let account = world.drain().await;
        assert_eq!(account.dead_letter, 0);
        world.assert_complete().await;
    });
}

/// Seed 2056: the good ones of a backlog are there already, so that only bad ones are left to send, in batches of any size.
#[test]
fn bad_points_among_those_that_are_there_already_hold_up_nothing() {
    simulate(|| async {
        let mut world = behind(doubling(), 20, 200).await;
        world.server().taste = Taste { bad_one_of: Some(3), names_them: true, ..Taste::default() };
        world.pass_at_most(Duration::from_secs(14)).await;
        // Before anything is settled.
        world.kill();
        world.server().taste.names_them = false;
        world.start();
        let account = world.drain().await;
        assert!(account.dead_letter > 40, "{account:?}");
        world.assert_complete().await;
    });
}

/// VictoriaMetrics answers 204 to points outside its retention.
#[test]
fn what_is_accepted_and_not_kept_becomes_dead_letters_and_nothing_else_does() {
    simulate(|| async {
        let mut world = behind(doubling(), 10, 300).await;
        world.server().taste = Taste { keeps: Some(Duration::from_secs(600)), silently: true, ..Taste::default() };
        world.readings(30).await;
        let account = world.drain().await;
        assert!(account.dead_letter > 100 && account.delivered > 100, "{account:?}");
        world.assert_complete().await;
    });
}

#[test]
fn a_silent_box_is_not_sent_as_if_it_were_now() {
    simulate(|| async {
        let nature = Nature { history: History::LatestOnly, ..overwriting() };
        let mut plan = Plan::new(1, nature);
        plan.boxes = 2;
        plan.durability = Durability::Each;
        let mut world = World::new(plan);
        world.readings(20).await;
        let stored = world.server().stored_count();
        assert!(stored >= 4 && stored.is_multiple_of(2), "both boxes are sent: {stored}");
        world.server().set_mood(Mood::Down);
        world.readings(20).await;
        // From here on only the first is read.
        world.plan.boxes = 1;
        world.readings(100).await;
        world.server().set_mood(Mood::Healthy);
        world.readings(30).await;
        let account = world.drain().await;
        assert!(account.superseded > 0 && account.dead_letter == 0, "{account:?}");
    });
}

#[test]
fn a_server_that_wants_order_and_loses_answers_gets_order() {
    for stores_the_others in [false, true] {
        simulate(|| async {
            let nature = Nature { history: History::InOrder, answers: true, stores_the_others, ..overwriting() };
            let mut world = world(nature);
            world.server().taste = Taste { bad_one_of: Some(20), ..Taste::default() };
            world.server().set_mood(Mood::Flaky(0.3));
            world.readings(300).await;
            world.kill();
            world.start();
            world.readings(100).await;
            world.server().set_mood(Mood::Healthy);
            world.readings(10).await;
            world.drain().await;
            if !stores_the_others {
                assert_eq!(world.server().out_of_order, 0);
            }
            world.assert_complete().await;
        });
    }
}
