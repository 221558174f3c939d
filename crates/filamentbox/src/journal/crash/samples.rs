//! The open samples on tmpfs: a ring of records of one size, each with its own checksum.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use filamentbox_core::sample::{BOX_NAME_MAX, BoxName, Measurement, Sample};
use filamentbox_core::time::{Monotonic, UnixTime};
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};

use super::{Place, read_own, replace};

pub(super) const EXTENSION: &str = "open";
/// One record: number, both times, reading, flags, name, checksum.
const RECORD: usize = 40 + BOX_NAME_MAX;
const CRC_AT: usize = RECORD - 4;
/// The first record is the head of the file.
const MAGIC: [u8; 8] = *b"FBopen02";
/// In the head: the name of the boot whose time the moments are, filled up with zeros.
const BOOT: std::ops::Range<usize> = 16..CRC_AT;
/// A wall time that is not known.
const UNKNOWN: i64 = i64::MIN;
const HEATER: u8 = 1;
const FAN: u8 = 2;
const PRESSURE: u8 = 4;

type Record = [u8; RECORD];

/// The file, open for writing. Used by the control thread alone.
#[derive(Debug)]
pub(in crate::journal) struct SampleLog {
    file: File,
    id: u64,
    slots: u64,
}

/// What a file says.
#[derive(Debug, Default)]
pub(in crate::journal) struct Logged {
    /// The name of the boot.
    pub(in crate::journal) boot: String,
    /// The newest unbroken run of samples, with their numbers.
    pub(in crate::journal) samples: Vec<(u64, Sample)>,
}

impl SampleLog {
    /// A new file in place of the old one, with `open` in it; `boot` is this boot's name.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(in crate::journal) fn create<'a>(
        place: &Place,
        id: u64,
        boot: &str,
        slots: u64,
        open: impl Iterator<Item = (u64, &'a Sample)>,
    ) -> io::Result<Self> {
        let slots = slots.max(1);
        let file = replace(&place.file(EXTENSION), |file| {
            file.write_all_at(&sealed_record(id, head(id, boot)), 0)?;
            // Before it takes the old one's place: a crash during the recovery must not lose what was recovered.
            for (seq, sample) in open {
                write_to(file, id, slots, seq, sample)?;
            }
            Ok(())
        })?;
        Ok(Self { file, id, slots })
    }

    /// Samples that it has room for.
    pub(in crate::journal) fn slots(&self) -> u64 {
        self.slots
    }

    /// Writes one sample; the one `slots` numbers before it is overwritten.
    ///
    /// # Errors
    /// The tmpfs is full.
    pub(in crate::journal) fn write(&self, seq: u64, sample: &Sample) -> io::Result<()> {
        write_to(&self.file, self.id, self.slots, seq, sample)
    }

    /// The samples of the newest unbroken run that ends the file, from `from` on. Nothing when there is no file.
    pub(in crate::journal) fn read(place: &Place, id: u64, from: u64) -> Logged {
        Self::try_read(place, id, from).unwrap_or_default()
    }

    fn try_read(place: &Place, id: u64, from: u64) -> Option<Logged> {
        let bytes = read_own(&place.file(EXTENSION))?;
        let mut records = bytes.as_chunks::<RECORD>().0.iter();
        let first = records.next()?;
        let boot = std::str::from_utf8(&first[BOOT]).ok()?.trim_end_matches('\0').to_owned();
        if *first != sealed_record(id, head(id, &boot)) {
            return None;
        }
        let mut samples: Vec<(u64, Sample)> =
            records.filter_map(|record| parse(id, record)).filter(|(seq, _)| *seq >= from).collect();
        samples.sort_unstable_by_key(|(seq, _)| *seq);
        let broken = samples.windows(2).rposition(|pair| pair[1].0 != pair[0].0 + 1);
        Some(Logged { boot, samples: samples.split_off(broken.map_or(0, |at| at + 1)) })
    }
}

fn write_to(file: &File, id: u64, slots: u64, seq: u64, sample: &Sample) -> io::Result<()> {
    file.write_all_at(&sealed_record(id, record(seq, sample)), (1 + seq % slots) * RECORD as u64)
}

fn head(id: u64, boot: &str) -> Record {
    let mut head = [0; RECORD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&id.to_le_bytes());
    // The kernel's names have 36 bytes.
    boot.bytes().zip(&mut head[BOOT]).for_each(|(byte, place)| *place = byte);
    head
}

fn record(seq: u64, sample: &Sample) -> Record {
    let m = sample.measurement;
    let name = sample.box_name.as_str().as_bytes();
    let flags =
        u8::from(sample.heater_on) * HEATER + u8::from(sample.fan_on) * FAN + u8::from(m.pressure.is_some()) * PRESSURE;
    let mut bytes = [0; RECORD];
    bytes[..8].copy_from_slice(&seq.to_le_bytes());
    bytes[8..16].copy_from_slice(&sample.taken_at.nanos().to_le_bytes());
    bytes[16..24].copy_from_slice(&sample.wall.map_or(UNKNOWN, UnixTime::millis).to_le_bytes());
    bytes[24..28].copy_from_slice(&m.temperature.centi().to_le_bytes());
    bytes[28..32].copy_from_slice(&m.pressure.map_or(0, Hectopascal::pascal).to_le_bytes());
    // At most 10 000.
    bytes[32..34].copy_from_slice(&(m.humidity.centi() as u16).to_le_bytes());
    bytes[34] = flags;
    // At most 32.
    bytes[35] = name.len() as u8;
    bytes[36..36 + name.len()].copy_from_slice(name);
    bytes
}

/// With the checksum in its place. It covers the journal's id, so that a record of another journal is damaged.
fn sealed_record(id: u64, mut record: Record) -> Record {
    let crc = checksum(id, &record);
    record[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    record
}

fn checksum(id: u64, record: &Record) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&id.to_le_bytes());
    hasher.update(&record[..CRC_AT]);
    hasher.finalize()
}

fn parse(id: u64, record: &Record) -> Option<(u64, Sample)> {
    let eight = |at: usize| record[at..at + 8].first_chunk::<8>().copied();
    let four = |at: usize| record[at..at + 4].first_chunk::<4>().copied();
    if u32::from_le_bytes(four(CRC_AT)?) != checksum(id, record) {
        return None;
    }
    let (flags, length) = (record[34], usize::from(record[35]));
    let name = record.get(36..36 + length).filter(|_| length <= BOX_NAME_MAX)?;
    let wall = i64::from_le_bytes(eight(16)?);
    let pressure = match flags & PRESSURE {
        0 => None,
        _ => Some(Hectopascal::from_pascal(i32::from_le_bytes(four(28)?))?),
    };
    let sample = Sample {
        box_name: BoxName::new(std::str::from_utf8(name).ok()?)?,
        taken_at: Monotonic::from_nanos(u64::from_le_bytes(eight(8)?)),
        wall: (wall != UNKNOWN).then_some(UnixTime::from_millis(wall)),
        measurement: Measurement {
            temperature: Celsius::from_centi(i32::from_le_bytes(four(24)?))?,
            humidity: RelativeHumidity::from_centi(u16::from_le_bytes([record[32], record[33]]).into())?,
            pressure,
        },
        heater_on: flags & HEATER != 0,
        fan_on: flags & FAN != 0,
    };
    Some((u64::from_le_bytes(eight(0)?), sample))
}
