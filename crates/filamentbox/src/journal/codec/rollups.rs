//! The bytes of rollups: the minutes of an hour, or the hours of a day, of one box, in columns like the points of a block. About nine
//! bytes each, where a row of a table would take seventy.

use filamentbox_core::sample::Point;

use super::bits::{BitReader, BitWriter, zig_zag};
use super::{CRC_BYTES, Damaged, checksum, read_column, write_column};

const VERSION: u64 = 1;
/// No group has more: an hour has 60 minutes, a day 24 hours.
const BUCKETS_MAX: usize = 60;
/// Columns of numbers in a group.
const COLUMNS: usize = 14;

/// Number, sum and bounds of values.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Extent {
    /// How many; the rest means nothing when there is none.
    pub count: i64,
    /// Their sum.
    pub sum: i64,
    /// The lowest.
    pub low: i64,
    /// The highest.
    pub high: i64,
}

impl Extent {
    fn of(value: i32) -> Self {
        let value = i64::from(value);
        Self { count: 1, sum: value, low: value, high: value }
    }

    /// The arithmetic mean; `None` of nothing.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    fn merge(&mut self, other: Self) {
        if self.count == 0 {
            *self = other;
        } else if other.count > 0 {
            self.count += other.count;
            self.sum += other.sum;
            self.low = self.low.min(other.low);
            self.high = self.high.max(other.high);
        }
    }
}

/// All points of one box in a stretch of time, in exact numbers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Bucket {
    /// Points with the heater's line active.
    pub heater_on: i64,
    /// The same for the fan.
    pub fan_on: i64,
    /// In hundredths of a degree Celsius. Every point has one: its count is that of the points.
    pub temperature: Extent,
    /// In hundredths of a percent.
    pub humidity: Extent,
    /// In pascal; of the points that have one.
    pub pressure: Extent,
}

impl Bucket {
    /// Of a single point.
    pub fn of(point: &Point) -> Self {
        let m = point.measurement;
        Self {
            heater_on: point.heater_on.into(),
            fan_on: point.fan_on.into(),
            temperature: Extent::of(m.temperature.centi()),
            humidity: Extent::of(m.humidity.centi()),
            pressure: m.pressure.map_or_else(Extent::default, |pressure| Extent::of(pressure.pascal())),
        }
    }

    /// How many points.
    pub fn count(&self) -> i64 {
        self.temperature.count
    }

    /// Adds the points of another.
    pub fn merge(&mut self, other: &Self) {
        self.heater_on += other.heater_on;
        self.fan_on += other.fan_on;
        self.temperature.merge(other.temperature);
        self.humidity.merge(other.humidity);
        self.pressure.merge(other.pressure);
    }

    /// As small numbers: bounds and sum count from the lowest value.
    fn numbers(&self) -> [i64; COLUMNS] {
        let Self { heater_on, fan_on, temperature: t, humidity: h, pressure: p } = self;
        let spread = |e: &Extent| (e.high - e.low, e.sum - e.count * e.low);
        let ((t_high, t_sum), (h_high, h_sum), (p_high, p_sum)) = (spread(t), spread(h), spread(p));
        [
            t.count, h.count, p.count, *heater_on, *fan_on, t.low, h.low, p.low, t_high, t_sum, h_high, h_sum, p_high,
            p_sum,
        ]
    }

    fn from_numbers(numbers: [i64; COLUMNS]) -> Option<Self> {
        let [t, h, p, heater_on, fan_on, t_low, h_low, p_low, t_high, t_sum, h_high, h_sum, p_high, p_sum] = numbers;
        let extent = |count: i64, low: i64, high: i64, sum: i64| {
            let sum = sum.checked_add(count.checked_mul(low)?)?;
            Some(Extent { count, sum, low, high: low.checked_add(high)? })
        };
        let temperature = extent(t, t_low, t_high, t_sum)?;
        let humidity = extent(h, h_low, h_high, h_sum)?;
        Some(Self { heater_on, fan_on, temperature, humidity, pressure: extent(p, p_low, p_high, p_sum)? })
    }
}

/// Numbers that stay about the same are written as changes, the others as they are.
const CHANGES: usize = 8;

/// The bytes of the buckets with these places in their group, in ascending order. `key` is what the bytes belong to.
pub(in crate::journal) fn encode_group(key: u64, buckets: &[(u8, Bucket)]) -> Vec<u8> {
    let mut out = BitWriter::default();
    out.bits(VERSION, 8);
    out.varint(buckets.len() as u64);
    let mut columns: [Vec<u64>; COLUMNS] = Default::default();
    let mut last = [0; COLUMNS];
    for (place, bucket) in buckets {
        out.bits(u64::from(*place), 6);
        let numbers = bucket.numbers();
        for (i, column) in columns.iter_mut().enumerate() {
            column.push(zig_zag(numbers[i].wrapping_sub(if i < CHANGES { last[i] } else { 0 })));
        }
        last = numbers;
    }
    columns.iter().for_each(|column| write_column(&mut out, column));
    let mut bytes = out.finish();
    let crc = checksum(key, &bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// The inverse of [`encode_group`].
///
/// # Errors
/// Any other bytes, or another key.
pub(in crate::journal) fn decode_group(key: u64, bytes: &[u8]) -> Result<Vec<(u8, Bucket)>, Damaged> {
    let (payload, crc) = bytes.split_last_chunk::<CRC_BYTES>().ok_or(Damaged)?;
    if checksum(key, payload) != u32::from_le_bytes(*crc) {
        return Err(Damaged);
    }
    decode_payload(payload)
}

pub(super) fn decode_payload(payload: &[u8]) -> Result<Vec<(u8, Bucket)>, Damaged> {
    let mut input = BitReader::new(payload);
    if input.bits(8)? != VERSION {
        return Err(Damaged);
    }
    let count = usize::try_from(input.varint()?).map_err(|_| Damaged)?;
    if count > BUCKETS_MAX {
        return Err(Damaged);
    }
    let mut places = Vec::with_capacity(count);
    for _ in 0..count {
        places.push(input.bits(6)? as u8);
    }
    let mut rows = vec![[0i64; COLUMNS]; count];
    for column in 0..COLUMNS {
        let mut last = 0i64;
        for (row, value) in rows.iter_mut().zip(read_column(&mut input, count)?) {
            row[column] = if column < CHANGES { last.wrapping_add(value) } else { value };
            last = row[column];
        }
    }
    if !input.at_end() {
        return Err(Damaged);
    }
    let buckets = rows.into_iter().map(Bucket::from_numbers);
    places.into_iter().zip(buckets).map(|(place, bucket)| Some((place, bucket?))).collect::<Option<_>>().ok_or(Damaged)
}
