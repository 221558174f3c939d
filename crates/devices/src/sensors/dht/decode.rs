//! From the edges of a DHT's answer to what it says. Pure: moments in, numbers out.
//!
//! The answer (Aosong, AM2302 product manual and DHT11 data sheet 1.3): the sensor pulls the line low for 80 µs and lets it rise for 80,
//! then sends 40 bits, each 50 µs low and then high for 26 to 28 µs (0) or 70 µs (1), and ends with 50 µs low. From one falling
//! edge to the next that is about 160 µs once, then 40 times about 77 or about 120. So 41 falling edges hold all of it: the first
//! one may be lost, and edges that come from the start signal do not matter.
//!
//! The checksum alone does not tell where a frame begins. Of many frames the same bits, read one place further on, have a right
//! checksum too, and say double (40 % and 24 °C become 80 % and 48 °C). So the gap before the bits decides, where it was seen.

use filamentbox_core::sample::NoData;

use super::DhtModel;

/// Bits of a frame; so many gaps between falling edges hold them.
const BITS: usize = 40;
/// From one falling edge to the next, as a rule: a 0, a 1. Both may be off by about 10 µs, and are off together.
const USUAL_NS: [i64; 2] = [77_000, 120_000];
const USUAL_THRESHOLD_NS: i64 = (USUAL_NS[0] + USUAL_NS[1]) / 2;
/// No bit is shorter or longer, late interrupts included. The first, longer gap of an answer is no bit.
const BIT_NS: std::ops::RangeInclusive<u64> = 40_000..=150_000;
/// The gap before the first bit, late interrupts included. The first bit of all, a 0 in any air, is shorter.
const RESPONSE_NS: std::ops::RangeInclusive<u64> = 130_000..=200_000;

/// The five bytes of a frame, the checksum among them and right.
pub type Frame = [u8; 5];

/// What a frame says, in tenths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// Tenths of a degree Celsius.
    pub deci_c: i32,
    /// Tenths of a percent.
    pub deci_pct: i32,
}

/// Finds the frame among falling edges, given by their moments in nanoseconds, in order.
///
/// # Errors
/// [`NoData::TimedOut`] when nothing answered, [`NoData::Implausible`] when edges are missing or astray (not [`NoData::Bus`]: the
/// line works and need not be opened anew), [`NoData::Checksum`].
pub fn frame(falling_edges_ns: &[u64]) -> Result<Frame, NoData> {
    // Letting the line go can itself look like an edge or two.
    if falling_edges_ns.len() <= 2 {
        return Err(NoData::TimedOut);
    }
    let gaps: Vec<u64> = falling_edges_ns.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    let beginnings = 0..(gaps.len() + 1).saturating_sub(BITS);
    let mut beginnings: Vec<usize> =
        beginnings.filter(|at| gaps[*at..][..BITS].iter().all(|gap| BIT_NS.contains(gap))).collect();
    let is_after_response = |at: &usize| *at > 0 && RESPONSE_NS.contains(&gaps[at - 1]);
    if beginnings.iter().any(is_after_response) {
        beginnings.retain(is_after_response);
    }
    let mut frames: Vec<Frame> = beginnings.iter().map(|at| bytes(&gaps[*at..][..BITS])).collect();
    frames.retain(|frame| is_checksum_right(*frame));
    frames.dedup();
    if let [frame] = frames[..] {
        return Ok(frame);
    }
    // Damaged, or more than one that could be it.
    if !beginnings.is_empty() {
        return Err(NoData::Checksum);
    }
    let bits = gaps.iter().filter(|gap| BIT_NS.contains(gap)).count();
    Err(NoData::Implausible(format!(
        "{} edges arrived, among them {bits} bits in form; a frame has {BITS}",
        gaps.len() + 1
    )))
}

fn bytes(gaps: &[u64]) -> Frame {
    let threshold = threshold_ns(gaps);
    let mut bytes = [0; 5];
    for (index, gap) in gaps.iter().enumerate() {
        bytes[index / 8] = bytes[index / 8] << 1 | u8::from(gap.cast_signed() > threshold);
    }
    bytes
}

/// Longer is a 1 of this sensor: the usual threshold, moved by as much as its bits are longer or shorter than usual. A few that
/// are taken for the other kind here hardly move it.
fn threshold_ns(gaps: &[u64]) -> i64 {
    let off = |gap: i64| gap - USUAL_NS[usize::from(gap > USUAL_THRESHOLD_NS)];
    let total: i64 = gaps.iter().map(|gap| off(gap.cast_signed())).sum();
    USUAL_THRESHOLD_NS + total / BITS as i64
}

fn is_checksum_right([a, b, c, d, sum]: Frame) -> bool {
    a.wrapping_add(b).wrapping_add(c).wrapping_add(d) == sum
}

/// What a frame of this kind of sensor says.
///
/// # Errors
/// [`NoData::Implausible`] when the sensor cannot measure such values; a frame of the other kind is called by its name.
pub fn reading(model: DhtModel, frame: Frame) -> Result<Reading, NoData> {
    if frame == [0; 5] {
        return Err(NoData::Implausible("a frame of zeros: 0 °C and 0 % at once".to_owned()));
    }
    let reading = match model {
        DhtModel::Dht22 => dht22(frame),
        DhtModel::Dht11 => dht11(frame),
    };
    let in_range = reading.filter(|r| model.range_deci_c().contains(&r.deci_c) && (0..=1000).contains(&r.deci_pct));
    in_range.ok_or_else(|| NoData::Implausible(outlandish(model, frame)))
}

/// Humidity and temperature as 16-bit words of tenths, the temperature with a sign bit (AM2302 product manual). Some clones write a
/// temperature below 0 °C as two's complement; as the manual's it would be below -1600 °C, so the two cannot be confused.
fn dht22([humidity_high, humidity_low, temperature_high, temperature_low, _]: Frame) -> Option<Reading> {
    let word = i16::from_be_bytes([temperature_high, temperature_low]);
    let is_complement = temperature_high & 0xc0 == 0xc0;
    let (magnitude, is_negative) = (i32::from(word & 0x7fff), word < 0);
    Some(Reading {
        deci_c: match (is_complement, is_negative) {
            (true, _) => i32::from(word),
            (false, true) => -magnitude,
            (false, false) => magnitude,
        },
        deci_pct: i32::from(u16::from_be_bytes([humidity_high, humidity_low])),
    })
}

/// Whole numbers and tenths in bytes of their own; below 0 °C newer ones set the highest bit of the tenths (DHT11 data sheet 1.3).
fn dht11([humidity, humidity_tenths, temperature, temperature_tenths, _]: Frame) -> Option<Reading> {
    let (tenths, is_negative) = (temperature_tenths & 0x7f, temperature_tenths & 0x80 != 0);
    let is_in_form = humidity_tenths <= 9 && tenths <= 9 && !is_like_dht22(humidity, temperature);
    let magnitude = i32::from(temperature) * 10 + i32::from(tenths);
    is_in_form.then_some(Reading {
        deci_c: if is_negative { -magnitude } else { magnitude },
        deci_pct: i32::from(humidity) * 10 + i32::from(humidity_tenths),
    })
}

/// A DHT22's high bytes are 0 to 3 (up to 100.0 %, up to 80.0 °C). As a DHT11's they would be 3 % at 3 °C: it cannot measure that.
fn is_like_dht22(humidity: u8, temperature: u8) -> bool {
    humidity <= 3 && temperature & 0x7f <= 3
}

fn outlandish(model: DhtModel, frame: Frame) -> String {
    let other = match model {
        DhtModel::Dht11 => DhtModel::Dht22,
        DhtModel::Dht22 => DhtModel::Dht11,
    };
    let as_other = match other {
        DhtModel::Dht22 => dht22(frame).filter(|_| is_like_dht22(frame[0], frame[2])),
        DhtModel::Dht11 => dht11(frame),
    };
    let fits = |r: &Reading| other.range_deci_c().contains(&r.deci_c) && (0..=1000).contains(&r.deci_pct);
    let bytes = frame.map(|byte| format!("{byte:02x}")).join(" ");
    if as_other.as_ref().is_some_and(fits) {
        let (is, set) = (other.title(), other.name());
        format!("the frame {bytes} is that of a {is}, not of a {}: set sensor.type={set}", model.title())
    } else {
        format!("the frame {bytes} is outside what a {} can measure", model.title())
    }
}
