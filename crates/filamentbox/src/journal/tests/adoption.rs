//! Points of another program, taken in while no daemon runs.

use filamentbox_core::sample::{BoxName, Point};
use filamentbox_core::time::UnixTime;

use super::super::testing::air;
use super::super::{Adoption, are_adopted};
use super::{Folders, Rig, times};

/// `count` points, which begin `before_s` seconds before the time of the first of `air`, 5 s apart.
fn old(count: usize, before_s: i64) -> Vec<Point> {
    let shift = |point: Point| Point { at: UnixTime::from_millis(point.at.millis() - before_s * 1000), ..point };
    air(count, 5_000).into_iter().map(shift).collect()
}

fn identity(number: u8) -> Vec<u8> {
    vec![number; 20]
}

fn adopt(folders: &Folders, batches: &[(u8, Vec<Point>)]) -> (Vec<bool>, u64) {
    let mut adoption = Adoption::open(folders.options()).expect("the journal opens");
    let taken =
        batches.iter().map(|(number, points)| adoption.add(identity(*number), points.clone()).expect("written"));
    let taken = taken.collect();
    let count = adoption.finish(|count| format!("{count} points of the original were taken in")).expect("written");
    (taken, count)
}

#[test]
fn they_become_history_and_every_sink_gets_them_once() {
    let folders = Folders::new();
    let batches = [(1, old(14, 90_000)), (2, old(30, 80_000))];
    assert_eq!(adopt(&folders, &batches), (vec![true, true], 44));
    assert_eq!(folders.crash_files(), 0, "nothing is left for a later start");
    let mut rig = Rig::open(folders.options());
    assert!(rig.recovery.clean);
    assert_eq!(rig.account("a").waiting, 44);
    rig.take(3);
    let expected: Vec<Point> = batches.into_iter().flat_map(|(_, points)| points).collect();
    let delivered = rig.deliver_all("a");
    assert_eq!(delivered[..44], expected);
    assert_eq!((delivered.len(), rig.account("a").delivered), (47, 47));
    assert!(rig.event_texts().iter().any(|text| text == "44 points of the original were taken in"));
    rig.stop();
    let rig = &mut Rig::open(folders.options());
    assert_eq!(rig.account("a").waiting, 0);
}

#[test]
fn a_second_time_changes_nothing() {
    let folders = Folders::new();
    let path = folders.options().path;
    assert_eq!(are_adopted(&path, &[identity(1)]), [false], "without a journal");
    assert_eq!(adopt(&folders, &[(1, old(5, 1000)), (1, old(5, 1000))]), (vec![true, false], 5));
    assert_eq!(adopt(&folders, &[(1, old(5, 1000)), (2, old(2, 500))]), (vec![false, true], 2));
    assert_eq!(are_adopted(&path, &[identity(1), identity(3), identity(2)]), [true, false, true]);
    assert_eq!(Rig::open(folders.options()).account("a").waiting, 7);
}

#[test]
fn what_a_crashed_daemon_left_open_comes_first_and_keeps_its_times() {
    let folders = Folders::new();
    let mut rig = Rig::open(folders.options());
    rig.take(4);
    let taken = times(&rig.read("a", 10).points);
    rig.crash();
    // One has the time of a sample that is there.
    let mut points = old(2, 3600);
    points[1].at = UnixTime::from_millis(taken[1]);
    assert_eq!(adopt(&folders, &[(1, points)]).1, 2);
    let mut rig = Rig::open(folders.options());
    let delivered = rig.deliver_all("a");
    assert_eq!(times(&delivered)[..4], taken);
    assert_eq!(times(&delivered)[5], taken[1] + 1, "no two samples of a box have the same time");
    assert!(rig.event_texts().iter().any(|text| text.contains("4 open samples were recovered")));
}

#[test]
fn many_points_and_another_box() {
    let folders = Folders::new();
    let mut points = old(10_000, 100_000);
    points.iter_mut().step_by(2).for_each(|point| point.box_name = BoxName::new("left").unwrap());
    assert_eq!(adopt(&folders, &[(1, points), (2, old(3, 10)), (3, Vec::new())]), (vec![true; 3], 10_003));
    assert_eq!(Rig::open(folders.options()).deliver_all("a").len(), 10_003);
}
