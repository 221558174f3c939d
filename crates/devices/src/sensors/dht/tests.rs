//! The cases in `testcases/`, and a line in software that answers with them.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::Just;

use super::*;

const MODELS: [DhtModel; 2] = [DhtModel::Dht22, DhtModel::Dht11];

fn cases(model: DhtModel) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testcases").join(model.name());
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).expect("cases").map(|entry| entry.expect("a case").path()).collect();
    cases.sort();
    cases
}

/// The lines of a file without what stands behind `#`.
fn content(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// `edges.txt`: one falling edge a line, in nanoseconds from any beginning.
fn edges(path: &Path) -> Vec<u64> {
    content(path).iter().map(|line| line.parse().expect("nanoseconds")).collect()
}

fn outcome(model: DhtModel, case: &Path) -> String {
    let frame = if case.join("bytes.txt").exists() {
        let bytes: Vec<u8> = content(&case.join("bytes.txt"))
            .join(" ")
            .split_whitespace()
            .map(|byte| u8::from_str_radix(byte, 16).expect("a byte"))
            .collect();
        decode::frame(&falling_edges(bytes.try_into().expect("five bytes")))
    } else {
        decode::frame(&edges(&case.join("edges.txt")))
    };
    match frame.and_then(|frame| decode::reading(model, frame)) {
        Ok(reading) => format!("{} °C {} %", deci(reading.deci_c), deci(reading.deci_pct)),
        Err(reason) => reason.to_string(),
    }
}

#[test]
fn every_case_comes_out_as_expected() {
    for model in MODELS {
        let cases = cases(model);
        assert!(cases.len() >= 5, "{cases:?}");
        for case in cases {
            assert_eq!(outcome(model, &case), content(&case.join("expected.txt")).join("\n"), "{}", case.display());
        }
    }
}

/// The falling edges of a frame, with the times of the data sheet.
fn falling_edges(frame: Frame) -> Vec<u64> {
    let mut at = 1_000_000;
    let mut edges = vec![at];
    at += 160_000;
    edges.push(at);
    for bit in (0..40).map(|index| frame[index / 8] >> (7 - index % 8) & 1) {
        at += if bit == 1 { 120_000 } else { 77_000 };
        edges.push(at);
    }
    edges
}

fn with_sum([a, b, c, d]: [u8; 4]) -> Frame {
    [a, b, c, d, a.wrapping_add(b).wrapping_add(c).wrapping_add(d)]
}

proptest::proptest! {
    #[test]
    fn every_frame_is_found_behind_stray_edges_and_jitter(
        bytes: [u8; 4],
        stray in proptest::collection::vec(1_000_u64..400_000, 0..6),
        jitter in proptest::collection::vec(0_u64..9_000, 42),
        lost in 0_usize..2,
    ) {
        let frame = with_sum(bytes);
        let mut at = 0;
        let mut all: Vec<u64> = stray.iter().map(|gap| { at += gap; at }).collect();
        let behind = at + 50_000;
        let late = |(edge, jitter): (u64, &u64)| behind + edge + jitter;
        all.extend(falling_edges(frame).into_iter().zip(&jitter).map(late).skip(lost));
        proptest::prop_assert_eq!(decode::frame(&all), Ok(frame));
    }

    #[test]
    fn a_frame_that_misses_an_edge_is_never_a_frame(bytes: [u8; 4], missing in 2_usize..41) {
        let mut edges = falling_edges(with_sum(bytes));
        edges.remove(missing);
        proptest::prop_assert!(decode::frame(&edges).is_err());
    }

    #[test]
    fn slow_and_quick_sensors_are_read_on_a_busy_machine_too(
        bytes in proptest::array::uniform4(0_u8..128),
        zero in 70_000_u64..=85_000,
        more in 43_000_u64..=46_000,
        delays in proptest::collection::vec(0_u64..16_000, 42),
    ) {
        // The ends of what the AM2302 product manual allows: a 0 takes 48 + 22 to 55 + 30 µs, a 1 takes 48 + 68 to 55 + 75.
        let frame = with_sum(bytes);
        let mut ones = 0;
        let mut stretch = |(index, edge): (usize, u64)| {
            let bits = index.saturating_sub(1);
            if bits > 0 && frame[(bits - 1) / 8] >> (7 - (bits - 1) % 8) & 1 == 1 { ones += 1; }
            let usual = 77_000 * bits as u64 + 43_000 * ones;
            edge - usual + zero * bits as u64 + more * ones
        };
        let edges = falling_edges(frame).into_iter().enumerate().map(&mut stretch);
        let edges: Vec<u64> = edges.zip(&delays).map(|(edge, delay)| edge + delay).collect();
        proptest::prop_assert_eq!(decode::frame(&edges), Ok(frame));
    }

    #[test]
    fn a_stray_edge_makes_no_other_frame(
        bytes in proptest::prelude::prop_oneof![Just([0x28, 0, 0x18, 0]), Just([1, 0x90, 0, 0x64]), proptest::array::uniform4(0_u8..128)],
        jitter in proptest::collection::vec(0_u64..16_000, 42),
        lost in 0_usize..2,
        after in 30_000_u64..180_000,
    ) {
        // Behind a frame, as of a line that rises slowly: the bits read one place further on may have a right checksum too.
        let frame = with_sum(bytes);
        let mut edges: Vec<u64> = falling_edges(frame).iter().zip(&jitter).map(|(edge, jitter)| edge + jitter).skip(lost).collect();
        edges.push(edges.last().expect("edges") + after);
        match decode::frame(&edges) {
            Ok(found) => proptest::prop_assert_eq!(found, frame),
            Err(reason) => proptest::prop_assert!(lost == 1, "{reason}: the gap before the bits shows where they begin"),
        }
    }

    #[test]
    fn no_edges_make_it_panic(edges: Vec<u64>) {
        let _ = decode::frame(&edges);
    }

    #[test]
    fn no_frame_is_out_of_range(bytes: [u8; 5]) {
        for model in MODELS {
            if let Ok(reading) = decode::reading(model, bytes) {
                proptest::prop_assert!(model.range_deci_c().contains(&reading.deci_c));
                proptest::prop_assert!((0..=1000).contains(&reading.deci_pct));
            }
        }
    }

    #[test]
    fn a_dht22_is_never_taken_for_a_dht11_nor_the_other_way_round(
        deci_pct in 0_u16..=1000,
        deci_c in 0_u16..=800,
        pct in 20_u8..=90,
        c in 0_u8..=50,
    ) {
        let [humidity_high, humidity_low] = deci_pct.to_be_bytes();
        let [temperature_high, temperature_low] = deci_c.to_be_bytes();
        let as_dht11 = decode::reading(DhtModel::Dht11, with_sum([humidity_high, humidity_low, temperature_high, temperature_low]));
        proptest::prop_assert!(as_dht11.is_err());
        proptest::prop_assert!(decode::reading(DhtModel::Dht22, with_sum([pct, 0, c, 0])).is_err());
    }
}

#[test]
fn the_same_bits_one_place_further_on_are_no_frame() {
    // 40 % and 24 °C, which shifted by a place say 80 % and 48 °C with a right checksum.
    let frame = with_sum([40, 0, 24, 0]);
    let mut edges = falling_edges(frame);
    edges.push(edges[41] + 60_000);
    assert_eq!(decode::frame(&edges), Ok(frame), "the gap before the bits shows where they begin");
    assert_eq!(decode::frame(&edges[1..]), Err(NoData::Checksum), "nothing shows which of the two it is");
    edges.truncate(41);
    assert!(decode::frame(&edges).is_err(), "the last edge is lost");
    assert!(decode::frame(&edges[1..]).is_err(), "the first and the last edge are lost");
}

#[test]
fn both_ways_to_write_a_negative_temperature_are_read() {
    let read = |[high, low]: [u8; 2]| {
        decode::reading(DhtModel::Dht22, with_sum([2, 0x92, high, low])).map(|reading| reading.deci_c)
    };
    for deci_c in 1..=400_u16 {
        assert_eq!(
            read((0x8000 | deci_c).to_be_bytes()),
            Ok(-i32::from(deci_c)),
            "sign and magnitude, as the manual says"
        );
        assert_eq!(read((-i32::from(deci_c) as i16).to_be_bytes()), Ok(-i32::from(deci_c)), "two's complement");
    }
    for outside in [0x8000 | 401, -401_i16 as u16, 0xc000, 0xbfff] {
        assert!(read(outside.to_be_bytes()).is_err(), "{outside:#x}");
    }
}

/// A line that answers with frames, and a clock that goes while it pauses.
struct FakeLine {
    answers: Arc<Mutex<VecDeque<Vec<u64>>>>,
    nanos: Arc<AtomicU64>,
    asked_at: Arc<Mutex<Vec<Duration>>>,
    low_for: Arc<Mutex<Option<Duration>>>,
}

impl AskedLine for FakeLine {
    fn ask(&mut self, low_for: Duration) -> Result<Vec<u64>, crate::bus::BusError> {
        self.asked_at.lock().expect("whole").push(Duration::from_nanos(self.nanos.load(Ordering::Relaxed)));
        *self.low_for.lock().expect("whole") = Some(low_for);
        Ok(self.answers.lock().expect("whole").pop_front().unwrap_or_default())
    }

    fn pause(&mut self, time: Duration) {
        self.nanos.fetch_add(u64::try_from(time.as_nanos()).expect("short"), Ordering::Relaxed);
    }

    fn place(&self) -> String {
        "GPIO4".to_owned()
    }
}

struct Bench {
    sensor: Dht<FakeLine>,
    answers: Arc<Mutex<VecDeque<Vec<u64>>>>,
    nanos: Arc<AtomicU64>,
    asked_at: Arc<Mutex<Vec<Duration>>>,
}

fn bench(model: DhtModel) -> Bench {
    let (answers, nanos, asked_at) = (Arc::default(), Arc::new(AtomicU64::new(100_000_000_000)), Arc::default());
    let line = FakeLine {
        answers: Arc::clone(&answers),
        nanos: Arc::clone(&nanos),
        asked_at: Arc::clone(&asked_at),
        low_for: Arc::default(),
    };
    let clock = Arc::clone(&nanos);
    let now: Now = Arc::new(move || Monotonic::from_nanos(clock.load(Ordering::Relaxed)));
    Bench { sensor: Dht::new(model, line, now), answers, nanos, asked_at }
}

impl Bench {
    /// Reads while the line has these answers.
    fn read(&mut self, answers: &[Vec<u64>]) -> Result<(i32, i32), NoData> {
        *self.answers.lock().expect("whole") = answers.iter().cloned().collect();
        self.sensor.read().map(|reading| (reading.temperature.centi(), reading.humidity.centi()))
    }

    fn asked(&self) -> usize {
        self.asked_at.lock().expect("whole").len()
    }
}

/// A DHT22's answer, in tenths.
fn answer(deci_c: u16, deci_pct: u16) -> Vec<u64> {
    let ([a, b], [c, d]) = (deci_pct.to_be_bytes(), deci_c.to_be_bytes());
    falling_edges(with_sum([a, b, c, d]))
}

#[test]
fn a_first_reading_needs_two_frames_and_the_next_one() {
    let mut bench = bench(DhtModel::Dht22);
    assert_eq!((bench.sensor.fingerprint(), bench.sensor.details()), (None, Vec::new()));
    assert_eq!(bench.read(&[answer(210, 400), answer(220, 410)]), Ok((2200, 4100)));
    assert_eq!(bench.sensor.fingerprint(), Some(0x01_9a_00_dc_77));
    assert_eq!(bench.read(&[answer(230, 420)]), Ok((2300, 4200)));
    let details: Vec<String> = bench.sensor.details().iter().map(|d| format!("{}={}", d.name, d.value)).collect();
    assert_eq!(details, ["raw_frame=0x01a400e68b", "temperature_c=23.0", "humidity_pct=42.0"]);
    assert_eq!(bench.sensor.describe(), "DHT22 on GPIO4");
}

#[test]
fn it_is_never_asked_sooner_than_the_sensor_allows() {
    for (model, interval, low_for) in [(DhtModel::Dht22, 2000, 2), (DhtModel::Dht11, 1000, 20)] {
        let mut bench = bench(model);
        let started = Duration::from_nanos(bench.nanos.load(Ordering::Relaxed));
        for _ in 0..3 {
            let damaged = falling_edges([40, 0, 20, 0, 61]);
            assert_eq!(bench.read(&[damaged.clone(), damaged]), Err(NoData::Checksum));
        }
        let asked_at = bench.asked_at.lock().expect("whole").clone();
        let expected: Vec<Duration> = (1..=6).map(|n| started + n * Duration::from_millis(interval)).collect();
        assert_eq!(asked_at, expected);
        let line = &bench.sensor.line;
        assert_eq!(*line.low_for.lock().expect("whole"), Some(Duration::from_millis(low_for)));
    }
}

#[test]
fn a_caller_who_comes_late_does_not_wait() {
    let mut bench = bench(DhtModel::Dht22);
    bench.nanos.fetch_add(5_000_000_000, Ordering::Relaxed);
    let came_at = Duration::from_nanos(bench.nanos.load(Ordering::Relaxed));
    assert_eq!(bench.read(&[]), Err(NoData::TimedOut));
    assert_eq!(*bench.asked_at.lock().expect("whole"), [came_at], "and nothing that is absent is asked twice");
}

#[test]
fn what_it_measured_long_ago_is_no_reading() {
    let mut bench = bench(DhtModel::Dht22);
    bench.read(&[answer(210, 400), answer(210, 400)]).expect("a reading");
    bench.nanos.fetch_add(600_000_000_000, Ordering::Relaxed);
    let asked = bench.asked();
    assert_eq!(
        bench.read(&[answer(210, 400), answer(230, 420)]),
        Ok((2300, 4200)),
        "the first frame is ten minutes old"
    );
    assert_eq!(bench.asked(), asked + 2);
    bench.nanos.fetch_add(600_000_000_000, Ordering::Relaxed);
    let damaged = falling_edges([1, 0x90, 0, 0xd2, 0]);
    let answers = [answer(230, 420), damaged, answer(231, 420)];
    assert_eq!(bench.read(&answers), Ok((2310, 4200)), "a damaged frame after it is made up for");
    bench.nanos.fetch_add(600_000_000_000, Ordering::Relaxed);
    assert_eq!(
        bench.read(&[answer(230, 420)]),
        Err(NoData::TimedOut),
        "and is not given out when the second is missing"
    );
    bench.nanos.fetch_add(600_000_000_000, Ordering::Relaxed);
    let asked = bench.asked();
    assert_eq!(bench.read(&[]), Err(NoData::TimedOut));
    assert_eq!(bench.asked(), asked + 1, "nothing that is absent is asked twice");
}

#[test]
fn a_jump_is_believed_when_the_next_frame_says_the_same() {
    let mut bench = bench(DhtModel::Dht22);
    bench.read(&[answer(210, 400), answer(210, 400)]).expect("a reading");
    assert_eq!(bench.read(&[answer(240, 500)]), Ok((2400, 5000)), "3 °C and 10 % are near");
    // A frame whose checksum was right by luck.
    assert_eq!(bench.read(&[answer(271, 500), answer(242, 500)]), Ok((2420, 5000)));
    assert_eq!(bench.read(&[answer(242, 601), answer(242, 500)]), Ok((2420, 5000)));
    // The air did change.
    assert_eq!(bench.read(&[answer(280, 700), answer(281, 705)]), Ok((2810, 7050)));
    // Never twice alike: nothing is believed.
    let before = bench.sensor.fingerprint();
    let result = bench.read(&[answer(400, 100), answer(500, 300)]);
    assert!(matches!(&result, Err(NoData::Implausible(text)) if text.contains("50.0 °C")), "{result:?}");
    assert_eq!(bench.sensor.fingerprint(), before);
    assert_eq!(bench.read(&[answer(501, 300)]), Ok((5010, 3000)), "confirmed by the next reading");
}

#[test]
fn a_damaged_frame_is_made_up_for_by_the_next() {
    let mut bench = bench(DhtModel::Dht22);
    bench.read(&[answer(210, 400), answer(210, 400)]).expect("a reading");
    let asked = bench.asked();
    let mut torn = answer(210, 400);
    torn.truncate(30);
    assert_eq!(bench.read(&[torn.clone(), answer(211, 400)]), Ok((2110, 4000)));
    assert_eq!(bench.asked(), asked + 2);
    let result = bench.read(&[torn.clone(), torn]);
    // Not `Bus`, which has the sensor opened anew: it is there, and what it said before still counts.
    assert!(matches!(&result, Err(NoData::Implausible(text)) if text.contains("30 edges")), "{result:?}");
    assert_eq!(
        bench.read(&[answer(212, 400)]),
        Ok((2120, 4000)),
        "one frame is enough, as it is near the last one believed"
    );
    assert_eq!(bench.read(&[]), Err(NoData::TimedOut));
    assert_eq!(bench.read(&[answer(212, 400)]), Ok((2120, 4000)), "it comes back by itself");
}

#[test]
fn the_wrong_kind_is_named() {
    let mut bench = bench(DhtModel::Dht11);
    let result = bench.read(&[answer(215, 400), answer(215, 400)]);
    assert!(matches!(&result, Err(NoData::Implausible(text)) if text.contains("sensor.type=dht22")), "{result:?}");
}

#[test]
fn a_line_that_cannot_be_found_is_not_present() {
    use crate::sensors::{self, tests};
    let context = tests::context(Path::new("/nowhere"));
    for model in MODELS {
        let settings = tests::settings(&[("sensor.type", model.name()), ("sensor.gpio_pin", "17")]);
        let result = sensors::open(&settings, &context).err();
        assert_eq!(result, Some(NoData::NotPresent("there is no GPIO17".to_owned())));
    }
    let found = (DHT22.scan)(&tests::settings(&[]), &context);
    assert_eq!(found, [Found::unusable("GPIO4", "GPIO line", "there is no GPIO4")]);
}
