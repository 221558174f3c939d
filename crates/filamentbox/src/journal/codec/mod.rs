//! A sealed block's bytes: points in columns of scaled integers, each predicted from the same box's point before it.
//!
//! ```text
//! 1 byte   version
//! varint   number of points
//! boxes    how many, then each: length, name, and its first time, first interval, temperature, humidity, pressure
//! box      which box each point is of, as runs of "so many places further in the list": one run for one box, and one for
//!          boxes that take turns
//! flags    heater, fan, has a pressure: runs
//! columns  time (change of the interval), temperature, humidity, pressure (changes): Rice codes
//! 4 bytes  CRC-32 of the block's place in the sequence and of everything before
//! ```
//! Pure: no file, no clock. Decoding arbitrary bytes gives points or [`Damaged`], never a panic, and never more than
//! [`POINTS_MAX`] points.

mod bits;
mod rollups;

use filamentbox_core::sample::{BOX_NAME_MAX, BoxName, Measurement, Point};
use filamentbox_core::time::UnixTime;
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};

pub use rollups::{Bucket, Extent};
pub(super) use rollups::{decode_group, encode_group};

use bits::{BitReader, BitWriter, Malformed, RICE_BITS, RICE_MAX, rice_cost, zag_zig, zig_zag};

/// Points in one block at most. A full block is some 800 bytes, which fills a page of 1 KiB and leaves room for a noisy sensor.
pub(super) const POINTS_MAX: usize = 400;
const VERSION: u64 = 1;
const CRC_BYTES: usize = 4;
const HEATER: u64 = 1;
const FAN: u64 = 2;
const PRESSURE: u64 = 4;
/// Bits of a step through the list of boxes: there are no more boxes than points.
const STEP_BITS: u32 = 8;
/// Bits of the flags of a point.
const FLAG_BITS: u32 = 3;

/// The block's bytes are not those that were written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a block is damaged")]
pub(super) struct Damaged;

impl From<Malformed> for Damaged {
    fn from(_: Malformed) -> Self {
        Self
    }
}

/// The numbers of one point, or what its box's last point predicts of the next.
#[derive(Clone, Copy, Default)]
struct Row {
    ms: i64,
    interval: i64,
    temperature: i64,
    humidity: i64,
    pressure: i64,
}

impl Row {
    fn of(point: &Point) -> Self {
        let m = point.measurement;
        Self {
            ms: point.at.millis(),
            interval: 0,
            temperature: m.temperature.centi().into(),
            humidity: m.humidity.centi().into(),
            pressure: m.pressure.map_or(0, |p| p.pascal().into()),
        }
    }

    fn fields(&mut self) -> [&mut i64; 5] {
        [&mut self.ms, &mut self.interval, &mut self.temperature, &mut self.humidity, &mut self.pressure]
    }
}

/// The block of `points`, which are 1 to [`POINTS_MAX`] and have the numbers from `first_seq` on.
pub(super) fn encode(first_seq: u64, points: &[Point]) -> Vec<u8> {
    debug_assert!((1..=POINTS_MAX).contains(&points.len()));
    let mut boxes: Vec<(&BoxName, Row)> = Vec::new();
    let indices: Vec<usize> = points
        .iter()
        .map(|point| {
            boxes.iter().position(|(name, _)| **name == point.box_name).unwrap_or_else(|| {
                boxes.push((&point.box_name, first_row(points, &point.box_name)));
                boxes.len() - 1
            })
        })
        .collect();
    let mut out = BitWriter::default();
    out.bits(VERSION, 8);
    out.varint(points.len() as u64);
    out.varint(boxes.len() as u64);
    for (name, first) in &mut boxes {
        out.varint(name.as_str().len() as u64);
        name.as_str().bytes().for_each(|byte| out.bits(byte.into(), 8));
        first.fields().into_iter().for_each(|field| out.varint(zig_zag(*field)));
    }
    let count = boxes.len();
    let steps = std::iter::once(&0).chain(&indices).zip(&indices).map(|(last, next)| (next + count - last) % count);
    write_runs(&mut out, steps.map(|step| step as u64), STEP_BITS);
    write_runs(&mut out, points.iter().map(flags), FLAG_BITS);
    for column in columns(points, &indices, boxes.into_iter().map(|(_, row)| row).collect()) {
        write_column(&mut out, &column);
    }
    let mut bytes = out.finish();
    let crc = checksum(first_seq, &bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// What the decoder takes as known before the first point of `name`: that very point, and the interval to the next.
fn first_row(points: &[Point], name: &BoxName) -> Row {
    let mut of_box = points.iter().filter(|point| point.box_name == *name);
    let mut row = of_box.next().map(Row::of).unwrap_or_default();
    row.interval = of_box.next().map_or(0, |second| second.at.millis().wrapping_sub(row.ms));
    // So that the first point's change of interval is zero.
    row.ms = row.ms.wrapping_sub(row.interval);
    if let Some(pressure) = points.iter().filter(|p| p.box_name == *name).find_map(|p| p.measurement.pressure) {
        row.pressure = pressure.pascal().into();
    }
    row
}

fn flags(point: &Point) -> u64 {
    u64::from(point.heater_on) * HEATER
        + u64::from(point.fan_on) * FAN
        + u64::from(point.measurement.pressure.is_some()) * PRESSURE
}

/// Time, temperature, humidity, pressure as differences from the prediction.
fn columns(points: &[Point], indices: &[usize], mut last: Vec<Row>) -> [Vec<u64>; 4] {
    let mut columns: [Vec<u64>; 4] = Default::default();
    for (point, index) in points.iter().zip(indices) {
        let (row, last) = (Row::of(point), &mut last[*index]);
        let interval = row.ms.wrapping_sub(last.ms);
        columns[0].push(zig_zag(interval.wrapping_sub(last.interval)));
        columns[1].push(zig_zag(row.temperature - last.temperature));
        columns[2].push(zig_zag(row.humidity - last.humidity));
        let pressure = if point.measurement.pressure.is_some() {
            columns[3].push(zig_zag(row.pressure - last.pressure));
            row.pressure
        } else {
            last.pressure
        };
        *last = Row { interval, pressure, ..row };
    }
    columns
}

fn write_column(out: &mut BitWriter, column: &[u64]) {
    let cost = |k: &u32| column.iter().map(|value| rice_cost(*value, *k)).sum::<u64>();
    let k = (0..=RICE_MAX).min_by_key(cost).unwrap_or(0);
    out.bits(k.into(), RICE_BITS);
    column.iter().for_each(|value| out.rice(*value, k));
}

/// Values below 2^`width` as pairs of value and length of the run.
fn write_runs(out: &mut BitWriter, values: impl Iterator<Item = u64>, width: u32) {
    let mut run: Option<(u64, u64)> = None;
    for value in values {
        match &mut run {
            Some((of, length)) if *of == value => *length += 1,
            _ => {
                if let Some((of, length)) = run.replace((value, 1)) {
                    out.bits(of, width);
                    out.varint(length);
                }
            }
        }
    }
    if let Some((of, length)) = run {
        out.bits(of, width);
        out.varint(length);
    }
}

fn read_runs(input: &mut BitReader<'_>, count: usize, width: u32) -> Result<Vec<u64>, Damaged> {
    let mut values = Vec::with_capacity(count);
    while values.len() < count {
        let value = input.bits(width)?;
        let length = usize::try_from(input.varint()?).map_err(|_| Damaged)?;
        if length == 0 || length > count - values.len() {
            return Err(Damaged);
        }
        values.resize(values.len() + length, value);
    }
    Ok(values)
}

fn checksum(first_seq: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&first_seq.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// The points of a block.
///
/// # Errors
/// Any bytes but those that [`encode`] made for the same `first_seq`.
pub(super) fn decode(first_seq: u64, bytes: &[u8]) -> Result<Vec<Point>, Damaged> {
    let (payload, crc) = bytes.split_last_chunk::<CRC_BYTES>().ok_or(Damaged)?;
    if checksum(first_seq, payload) != u32::from_le_bytes(*crc) {
        return Err(Damaged);
    }
    decode_payload(payload)
}

fn decode_payload(payload: &[u8]) -> Result<Vec<Point>, Damaged> {
    let mut input = BitReader::new(payload);
    if input.bits(8)? != VERSION {
        return Err(Damaged);
    }
    let count = usize::try_from(input.varint()?).map_err(|_| Damaged)?;
    let box_count = usize::try_from(input.varint()?).map_err(|_| Damaged)?;
    if !(1..=POINTS_MAX).contains(&count) || !(1..=count).contains(&box_count) {
        return Err(Damaged);
    }
    let mut boxes = Vec::with_capacity(box_count);
    for _ in 0..box_count {
        boxes.push(read_box(&mut input)?);
    }
    let steps = read_runs(&mut input, count, STEP_BITS)?;
    let flags = read_runs(&mut input, count, FLAG_BITS)?;
    let with_pressure = flags.iter().filter(|flags| *flags & PRESSURE != 0).count();
    let [times, temperatures, humidities] =
        [read_column(&mut input, count)?, read_column(&mut input, count)?, read_column(&mut input, count)?];
    let mut pressures = read_column(&mut input, with_pressure)?.into_iter();
    if !input.at_end() {
        return Err(Damaged);
    }
    let mut index = 0;
    let mut points = Vec::with_capacity(count);
    for i in 0..count {
        // A step is below 2^8.
        index = (index + steps[i] as usize) % box_count;
        let (name, last) = &mut boxes[index];
        last.interval = last.interval.wrapping_add(times[i]);
        last.ms = last.ms.wrapping_add(last.interval);
        last.temperature = last.temperature.wrapping_add(temperatures[i]);
        last.humidity = last.humidity.wrapping_add(humidities[i]);
        let has_pressure = flags[i] & PRESSURE != 0;
        if has_pressure {
            last.pressure = last.pressure.wrapping_add(pressures.next().ok_or(Damaged)?);
        }
        let measurement = measurement(last, has_pressure).ok_or(Damaged)?;
        points.push(Point {
            box_name: name.clone(),
            at: UnixTime::from_millis(last.ms),
            measurement,
            heater_on: flags[i] & HEATER != 0,
            fan_on: flags[i] & FAN != 0,
        });
    }
    Ok(points)
}

fn read_box(input: &mut BitReader<'_>) -> Result<(BoxName, Row), Damaged> {
    let length = input.varint()?;
    if length > BOX_NAME_MAX as u64 {
        return Err(Damaged);
    }
    let mut name = Vec::new();
    for _ in 0..length {
        name.push(input.bits(8)? as u8);
    }
    let name = std::str::from_utf8(&name).ok().and_then(BoxName::new).ok_or(Damaged)?;
    let mut row = Row::default();
    for field in row.fields() {
        *field = zag_zig(input.varint()?);
    }
    Ok((name, row))
}

fn read_column(input: &mut BitReader<'_>, count: usize) -> Result<Vec<i64>, Damaged> {
    let k = input.bits(RICE_BITS)? as u32;
    let mut column = Vec::with_capacity(count);
    for _ in 0..count {
        column.push(zag_zig(input.rice(k)?));
    }
    Ok(column)
}

fn measurement(row: &Row, has_pressure: bool) -> Option<Measurement> {
    let pressure = if has_pressure { Some(Hectopascal::from_pascal(i32::try_from(row.pressure).ok()?)?) } else { None };
    Some(Measurement {
        temperature: Celsius::from_centi(i32::try_from(row.temperature).ok()?)?,
        humidity: RelativeHumidity::from_centi(i32::try_from(row.humidity).ok()?)?,
        pressure,
    })
}

#[cfg(test)]
mod tests;
