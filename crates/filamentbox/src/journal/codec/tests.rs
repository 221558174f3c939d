use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::journal::testing::air;

fn any_point() -> impl Strategy<Value = Point> {
    let pressure = prop::option::of(10_000..=120_000i32);
    let at = prop_oneof![3 => 1_700_000_000_000..1_700_000_100_000i64, 1 => any::<i64>()];
    (0..4usize, at, -10_000..=30_000i32, 0..=10_000i32, pressure, any::<(bool, bool)>()).prop_map(
        |(name, at, temperature, humidity, pressure, (heater_on, fan_on))| Point {
            box_name: BoxName::new(["main", "left", "right", "attic"][name]).unwrap(),
            at: UnixTime::from_millis(at),
            measurement: Measurement {
                temperature: Celsius::from_centi(temperature).unwrap(),
                humidity: RelativeHumidity::from_centi(humidity).unwrap(),
                pressure: pressure.and_then(Hectopascal::from_pascal),
            },
            heater_on,
            fan_on,
        },
    )
}

proptest! {
    #[test]
    fn points_come_back_as_they_were(first_seq: u64, points in vec(any_point(), 1..200)) {
        prop_assert_eq!(decode(first_seq, &encode(first_seq, &points)), Ok(points));
    }

    #[test]
    fn arbitrary_bytes_never_panic(first_seq: u64, bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(first_seq, &bytes).is_err());
        // Past the checksum, as an attacker with a CRC would.
        let _ = decode_payload(&bytes);
    }

    #[test]
    fn damaged_payloads_never_panic(points in vec(any_point(), 1..60), at: prop::sample::Index, value: u8) {
        let mut bytes = encode(0, &points);
        let at = at.index(bytes.len());
        bytes[at] = value;
        let _ = decode_payload(&bytes[..bytes.len() - CRC_BYTES]);
    }

    #[test]
    fn rollups_come_back_as_they_were(key: u64, points in vec(any_point(), 1..200), arbitrary in vec(any::<u8>(), 0..300)) {
        let mut groups: std::collections::BTreeMap<u8, Bucket> = Default::default();
        for (i, point) in points.iter().enumerate() {
            groups.entry((i * 7 % 60) as u8).or_default().merge(&Bucket::of(point));
        }
        let buckets: Vec<(u8, Bucket)> = groups.into_iter().collect();
        let bytes = encode_group(key, &buckets);
        prop_assert!(decode_group(key.wrapping_add(1), &bytes).is_err());
        prop_assert_eq!(decode_group(key, &bytes), Ok(buckets));
        let _ = rollups::decode_payload(&arbitrary);
    }

    #[test]
    fn numbers_survive_their_codes(value: u64, signed: i64, k in 0..=RICE_MAX) {
        let mut out = BitWriter::default();
        out.bits(1, 3);
        out.varint(value);
        out.rice(value, k);
        out.rice(zig_zag(signed), k);
        let bits_before = 3 + 8 * varint_bytes(value);
        let expected = bits_before + rice_cost(value, k) + rice_cost(zig_zag(signed), k);
        let bytes = out.finish();
        prop_assert_eq!(bytes.len() as u64, expected.div_ceil(8));
        let mut input = BitReader::new(&bytes);
        prop_assert_eq!(input.bits(3), Ok(1));
        prop_assert_eq!(input.varint(), Ok(value));
        prop_assert_eq!(input.rice(k), Ok(value));
        prop_assert_eq!(input.rice(k).map(zag_zig), Ok(signed));
        prop_assert!(input.at_end());
    }
}

fn varint_bytes(value: u64) -> u64 {
    u64::from((u64::BITS - value.leading_zeros()).max(1).div_ceil(7))
}

#[test]
fn every_bit_flip_is_found() {
    let bytes = encode(77, &air(60, 5_000));
    for position in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[position / 8] ^= 1 << (position % 8);
        assert_eq!(decode(77, &damaged), Err(Damaged), "bit {position}");
    }
    for length in 0..bytes.len() {
        assert_eq!(decode(77, &bytes[..length]), Err(Damaged), "cut to {length}");
    }
    assert_eq!(decode(78, &bytes), Err(Damaged), "at another place in the sequence");
}

#[test]
fn the_largest_block_and_boxes_in_turn() {
    let mut points = air(POINTS_MAX, 5_000);
    assert_eq!(decode(0, &encode(0, &points)), Ok(points.clone()));
    let alone = encode(0, &points).len();
    for (i, point) in points.iter_mut().enumerate() {
        point.box_name = BoxName::new(["main", "left", "right"][i % 3]).unwrap();
    }
    let in_turn = encode(0, &points);
    assert_eq!(decode(0, &in_turn), Ok(points));
    assert!(in_turn.len() < alone * 3 / 2, "{} bytes for three boxes, {alone} for one", in_turn.len());
}

/// The noise of a BME280 (0.005 °C, 0.05 %, 1.6 Pa) and 2 ms of jitter in the times.
#[test]
fn a_sample_takes_about_three_bytes() {
    for count in [1, 12, 60, 120, POINTS_MAX] {
        let bytes = encode(0, &air(count, 5_000)).len();
        println!("{count} samples of T, RH, P and time: {:.2} bytes a sample", bytes as f64 / count as f64);
    }
    let bytes_of_sixty = encode(0, &air(60, 5_000)).len();
    assert!(bytes_of_sixty <= 60 * 4, "{bytes_of_sixty} bytes for 60 samples");
}

#[test]
fn a_minute_takes_about_ten_bytes() {
    let points = air(720, 5_000);
    let mut buckets = vec![(0, Bucket::default()); 60];
    for (i, point) in points.iter().enumerate() {
        buckets[i / 12].0 = (i / 12) as u8;
        buckets[i / 12].1.merge(&Bucket::of(point));
    }
    let bytes = encode_group(0, &buckets);
    assert_eq!(decode_group(0, &bytes), Ok(buckets));
    println!("rollups of an hour: {:.1} bytes a minute", bytes.len() as f64 / 60.0);
    assert!(bytes.len() < 60 * 14);
}
