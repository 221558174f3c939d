//! What the daemon and the guard say to each other: one little-endian message per datagram of a `SOCK_SEQPACKET` socket.
//!
//! ```text
//! kind version sequence:u32 8 x { what it says of one line } crc32:u32
//!
//! asked                                                                         answered
//! 'C' claim  (378 bytes)  role gpio:u32 active_low name:40                      'A' claimed (978 bytes)  held problem:120
//! 'L' lease   (90 bytes)  active temperature_milli_c:i32 sample_age_ms:u32 latch    'R' report   (34 bytes)  active verdict latch
//! 'X' reset   (10 bytes)                                                        'R' report
//! ```
//! The checksum covers all that comes before it. There is one way to write each message: a length, a kind, a flag or a number that
//! is not exactly as above is [`Garbled`], and the guard answers it with a report of sequence 0. Who sends what when is in
//! `client.rs` and `guard.rs`.

use crate::lines::{LINE_NAME_MAX, LineSpec, Role};

/// Lines one guard can hold; every message has room for all of them. Eight relays are the largest common board.
pub const MAX_LINES: usize = 8;
/// Longest [`ClaimedLine::problem`] that fits into its message, in bytes.
pub const PROBLEM_MAX: usize = 120;
/// No message is longer.
pub const MESSAGE_MAX: usize = Claimed::LEN;

const VERSION: u8 = 2;
const HEAD: usize = 2 + 4;
const CHECKSUM: usize = 4;

/// The age of a sample that does not exist.
pub const NO_SAMPLE: u32 = u32::MAX;

/// Any message: of each line it says the same kind of thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Message<F> {
    /// Of a question: newer than the one before (wrapping). 0 is valid but cannot be told from a refusal in the answer;
    /// [`Link`](crate::Link) never sends it. Of an answer: that of the question, 0 when that was refused (garbled or replayed).
    pub sequence: u32,
    /// The index is that of the line in the claim; what has no line says the default.
    pub lines: [F; MAX_LINES],
}

/// Which lines the daemon wants to be held. What is claimed again unchanged stays held, all else is let go first.
pub type Claim = Message<Option<LineSpec>>;
/// The answer to a [`Claim`].
pub type Claimed = Message<ClaimedLine>;
/// The daemon's wish for every line, good for [`Limits::lease`](crate::Limits::lease) from its arrival.
pub type Lease = Message<Want>;
/// Clears every latch. Everything else stays as it is.
pub type Reset = Message<()>;
/// The answer to a [`Lease`] or a [`Reset`]: what the lines are, not what was asked.
pub type Report = Message<LineReport>;

/// What became of the claim of one line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClaimedLine {
    /// Whether the guard holds it.
    pub held: bool,
    /// Why not; empty when it is held or was not claimed. Cut off after [`PROBLEM_MAX`] bytes.
    pub problem: String,
}

/// The wish for one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Want {
    /// Whether the line should be active.
    pub active: bool,
    /// Last temperature of the box, thousandths of a degree Celsius, also of a heater that is not wanted.
    pub temperature_milli_c: i32,
    /// Age of that temperature when the message was sent, milliseconds; [`NO_SAMPLE`] when there is none.
    pub sample_age_ms: u32,
    /// Asks the guard to latch this heater.
    pub latch: Option<Latch>,
}

/// One line's state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LineReport {
    /// Whether the line is active, as read back; `true` also when it cannot be read and so may be.
    pub active: bool,
    /// Why.
    pub verdict: Verdict,
    /// Why it is latched, if it is.
    pub latch: Option<Latch>,
}

/// Why a line is active or not. The numbers are part of the protocol.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Verdict {
    /// Inactive: nobody asks for it.
    NotWanted = 0,
    /// Active: asked for and nothing speaks against it.
    Active = 1,
    /// Inactive: no good message within the lease.
    NoLease = 2,
    /// Inactive: a heater without any temperature.
    NoSample = 3,
    /// Inactive: a heater whose temperature is older than the limit.
    StaleSample = 4,
    /// Inactive: a heater at the cut-off, or one that may have reached it since its sample.
    TooHot = 5,
    /// Inactive: a heater that used up its on-time and rests.
    OnTooLong = 6,
    /// Inactive and obeying, but latched ([`LineReport::latch`] says why) until a person resets it.
    Latched = 7,
    /// The line cannot be driven or does not read back what it was set to. Its relay may be in any state.
    LineFault = 8,
    /// The guard holds no line of this index.
    #[default]
    NoSuchLine = 9,
}

impl Verdict {
    const ALL: [Self; 10] = [
        Self::NotWanted,
        Self::Active,
        Self::NoLease,
        Self::NoSample,
        Self::StaleSample,
        Self::TooHot,
        Self::OnTooLong,
        Self::Latched,
        Self::LineFault,
        Self::NoSuchLine,
    ];

    /// A sentence for people.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotWanted => "Off: not asked for.",
            Self::Active => "On: asked for, and every limit of the relay guard holds.",
            Self::NoLease => "Off: the relay guard heard no valid request in time.",
            Self::NoSample => "Off: the relay guard was given no temperature for this heater.",
            Self::StaleSample => "Off: the temperature is too old to heat by.",
            Self::TooHot => {
                "Off: the temperature is at the relay guard's cut-off, or may have reached it since it was read."
            }
            Self::OnTooLong => "Off: the heater was on for as long as the relay guard allows and has to rest.",
            Self::Latched => "Off: a fault has latched the output; it stays off until somebody resets it.",
            Self::LineFault => "Fault: the output does not do what it is told; its relay may be in any state.",
            Self::NoSuchLine => "The relay guard has no such output.",
        }
    }
}

/// Why a line stays inactive until a person resets it. The numbers are part of the protocol; 0 is "not latched". A fan is latched by
/// [`Latch::LineFault`] only.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Latch {
    /// Raised by the guard: the line does not do what it is told, or somebody else moved it.
    LineFault = 1,
    /// Raised by the guard: a fresh sample at or over its cut-off.
    OverTemperature = 2,
    /// Raised by the guard: too many conversations ended without warning while they asked for heat.
    CrashLoop = 3,
    /// Raised by the daemon: the box warms although the heater is off.
    RelayStuck = 4,
    /// Raised by the daemon: the heater is on and the box does not warm.
    NotWarming = 5,
    /// Raised by the daemon: the sensor repeats itself.
    SensorFrozen = 6,
    /// Raised by the guard: its record of latches cannot be read, so any heater may have been latched.
    StateUnreadable = 7,
}

impl Latch {
    /// Every reason, by its number less one.
    pub const ALL: [Self; 7] = [
        Self::LineFault,
        Self::OverTemperature,
        Self::CrashLoop,
        Self::RelayStuck,
        Self::NotWarming,
        Self::SensorFrozen,
        Self::StateUnreadable,
    ];
}

/// A message that is not exactly as described above. The guard answers it by making everything inactive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Garbled {
    /// Not the length of this kind of message.
    #[error("wrong length")]
    Length,
    /// Another kind of message, or another version of it: daemon and guard are not the same release.
    #[error("wrong kind or version")]
    Kind,
    /// Bytes were changed on the way.
    #[error("wrong checksum")]
    Checksum,
    /// A flag that is neither 0 nor 1, a number that means nothing, or a text that is none.
    #[error("a field has no such value")]
    Field,
}

/// What a message says of one line.
pub trait Field: Default {
    /// First byte of the message.
    const KIND: u8;
    /// Bytes of this field.
    const LEN: usize;
    /// Writes exactly [`Field::LEN`] bytes, which are 0 before.
    fn write(&self, to: &mut [u8]);
    /// Reads exactly [`Field::LEN`] bytes.
    ///
    /// # Errors
    /// [`Garbled::Field`] unless [`Field::write`] writes these bytes.
    fn read(from: &[u8]) -> Result<Self, Garbled>;
}

impl<F: Field> Message<F> {
    /// Bytes of the message.
    pub const LEN: usize = HEAD + MAX_LINES * F::LEN + CHECKSUM;

    /// Writes the message to the beginning of `bytes`, at least [`Message::LEN`] of them, and returns it.
    pub fn encode<'a>(&self, bytes: &'a mut [u8]) -> &'a [u8] {
        let bytes = &mut bytes[..Self::LEN];
        bytes.fill(0);
        bytes[..2].copy_from_slice(&[F::KIND, VERSION]);
        bytes[2..HEAD].copy_from_slice(&self.sequence.to_le_bytes());
        let (covered, checksum) = bytes.split_at_mut(Self::LEN - CHECKSUM);
        for (index, line) in self.lines.iter().enumerate() {
            line.write(&mut covered[HEAD + index * F::LEN..][..F::LEN]);
        }
        checksum.copy_from_slice(&crc32fast::hash(covered).to_le_bytes());
        bytes
    }

    /// As received.
    ///
    /// # Errors
    /// [`Garbled`] unless `bytes` is what [`Message::encode`] makes of some message.
    pub fn decode(bytes: &[u8]) -> Result<Self, Garbled> {
        let (kind, sequence, fields) = open(bytes)?;
        if kind != F::KIND {
            return Err(Garbled::Kind);
        }
        if bytes.len() != Self::LEN {
            return Err(Garbled::Length);
        }
        let mut message = Self { sequence, lines: Default::default() };
        for (index, line) in message.lines.iter_mut().enumerate() {
            *line = F::read(&fields[index * F::LEN..][..F::LEN])?;
        }
        Ok(message)
    }
}

/// Kind, sequence and fields of a message of any kind that came whole.
pub(crate) fn open(bytes: &[u8]) -> Result<(u8, u32, &[u8]), Garbled> {
    let Some(end) = bytes.len().checked_sub(CHECKSUM).filter(|end| *end >= HEAD) else { return Err(Garbled::Length) };
    if bytes[1] != VERSION {
        return Err(Garbled::Kind);
    }
    if crc32fast::hash(&bytes[..end]) != u32_at(bytes, end) {
        return Err(Garbled::Checksum);
    }
    Ok((bytes[0], u32_at(bytes, 2), &bytes[HEAD..end]))
}

impl Field for Option<LineSpec> {
    const KIND: u8 = b'C';
    const LEN: usize = 1 + 4 + 1 + LINE_NAME_MAX;

    fn write(&self, to: &mut [u8]) {
        if let Some(spec) = self {
            to[0] = spec.role as u8;
            to[1..5].copy_from_slice(&spec.gpio.to_le_bytes());
            to[5] = spec.active_low.into();
            write_text(&spec.name, &mut to[6..]);
        }
    }

    fn read(from: &[u8]) -> Result<Self, Garbled> {
        let role = match from[0] {
            0 if from.iter().all(|byte| *byte == 0) => return Ok(None),
            1 => Role::Heater,
            2 => Role::Fan,
            _ => return Err(Garbled::Field),
        };
        let (gpio, active_low, name) = (u32_at(from, 1), flag(from[5])?, read_text(&from[6..])?);
        let spec = LineSpec { name, role, gpio, active_low };
        if spec.has_valid_name() { Ok(Some(spec)) } else { Err(Garbled::Field) }
    }
}

impl Field for ClaimedLine {
    const KIND: u8 = b'A';
    const LEN: usize = 1 + PROBLEM_MAX;

    fn write(&self, to: &mut [u8]) {
        to[0] = self.held.into();
        write_text(&self.problem, &mut to[1..]);
    }

    fn read(from: &[u8]) -> Result<Self, Garbled> {
        Ok(Self { held: flag(from[0])?, problem: read_text(&from[1..])? })
    }
}

impl Field for Want {
    const KIND: u8 = b'L';
    const LEN: usize = 1 + 4 + 4 + 1;

    fn write(&self, to: &mut [u8]) {
        to[0] = self.active.into();
        to[1..5].copy_from_slice(&self.temperature_milli_c.to_le_bytes());
        to[5..9].copy_from_slice(&self.sample_age_ms.to_le_bytes());
        to[9] = latch_number(self.latch);
    }

    fn read(from: &[u8]) -> Result<Self, Garbled> {
        let (temperature_milli_c, sample_age_ms) = (u32_at(from, 1).cast_signed(), u32_at(from, 5));
        Ok(Self { active: flag(from[0])?, temperature_milli_c, sample_age_ms, latch: latch(from[9])? })
    }
}

impl Field for LineReport {
    const KIND: u8 = b'R';
    const LEN: usize = 1 + 1 + 1;

    fn write(&self, to: &mut [u8]) {
        to.copy_from_slice(&[self.active.into(), self.verdict as u8, latch_number(self.latch)]);
    }

    fn read(from: &[u8]) -> Result<Self, Garbled> {
        let verdict = *Verdict::ALL.get(usize::from(from[1])).ok_or(Garbled::Field)?;
        Ok(Self { active: flag(from[0])?, verdict, latch: latch(from[2])? })
    }
}

impl Field for () {
    const KIND: u8 = b'X';
    const LEN: usize = 0;

    fn write(&self, _to: &mut [u8]) {}

    fn read(_from: &[u8]) -> Result<Self, Garbled> {
        Ok(())
    }
}

pub(crate) fn latch_number(latch: Option<Latch>) -> u8 {
    latch.map_or(0, |latch| latch as u8)
}

pub(crate) fn latch(number: u8) -> Result<Option<Latch>, Garbled> {
    match usize::from(number).checked_sub(1) {
        None => Ok(None),
        Some(index) => Latch::ALL.get(index).copied().map(Some).ok_or(Garbled::Field),
    }
}

pub(crate) fn flag(byte: u8) -> Result<bool, Garbled> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Garbled::Field),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// As much of `text` as there is room for.
fn write_text(text: &str, to: &mut [u8]) {
    let end = text.floor_char_boundary(to.len());
    to[..end].copy_from_slice(&text.as_bytes()[..end]);
}

/// A text up to the zeros that fill its field.
fn read_text(from: &[u8]) -> Result<String, Garbled> {
    let text = str::from_utf8(from).map_err(|_| Garbled::Field)?.trim_end_matches('\0');
    if text.contains('\0') { Err(Garbled::Field) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leases() -> impl Strategy<Value = Lease> {
        let want =
            (any::<bool>(), any::<i32>(), any::<u32>()).prop_map(|(active, temperature_milli_c, sample_age_ms)| Want {
                active,
                temperature_milli_c,
                sample_age_ms,
            });
        (any::<u32>(), prop::array::uniform8(want)).prop_map(|(sequence, wants)| Lease { sequence, wants })
    }

    fn reports() -> impl Strategy<Value = Report> {
        let line = (any::<bool>(), prop::sample::select(&Verdict::ALL[..]))
            .prop_map(|(active, verdict)| LineReport { active, verdict });
        (any::<u32>(), prop::array::uniform8(line)).prop_map(|(sequence, lines)| Report { sequence, lines })
    }

    proptest! {
        #[test]
        fn a_lease_survives_the_journey(lease in leases()) {
            prop_assert_eq!(Lease::decode(&lease.encode()), Ok(lease));
        }

        #[test]
        fn a_report_survives_the_journey(report in reports()) {
            prop_assert_eq!(Report::decode(&report.encode()), Ok(report));
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2 * LEASE_LEN)) {
            // 32 bits of checksum and 16 of kind and version: chance does not find a valid message.
            prop_assert!(Lease::decode(&bytes).is_err());
            prop_assert!(Report::decode(&bytes).is_err());
        }

        #[test]
        fn fields_behind_a_good_checksum_are_still_judged(fields in prop::array::uniform8((0..3u8, 0..12u8))) {
            let mut message = [0; REPORT_LEN];
            for (field, bytes) in fields.iter().zip(message[HEAD..].chunks_exact_mut(LINE_REPORT)) {
                bytes.copy_from_slice(&[field.0.saturating_sub(1), field.1.saturating_sub(2)]);
            }
            seal(&mut message, b'R', 7);
            prop_assert_eq!(Report::decode(&message).unwrap().encode(), message);
            for (at, bad) in (0..fields.len() * LINE_REPORT).map(|at| (at, if at % 2 == 0 { 2 } else { 10 })) {
                let mut message = message;
                message[HEAD + at] = bad;
                seal(&mut message, b'R', 7);
                prop_assert_eq!(Report::decode(&message), Err(Garbled::Field));
            }
        }

        #[test]
        fn each_flipped_bit_of_a_lease_is_refused(lease in leases()) {
            let good = lease.encode();
            for bit in 0..LEASE_LEN * 8 {
                let mut bad = good;
                bad[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(Lease::decode(&bad).is_err(), "bit {}", bit);
            }
        }

        #[test]
        fn each_flipped_bit_of_a_report_is_refused(report in reports()) {
            let good = report.encode();
            for bit in 0..REPORT_LEN * 8 {
                let mut bad = good;
                bad[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(Report::decode(&bad).is_err(), "bit {}", bit);
            }
        }
    }

    #[test]
    fn each_kind_of_damage_has_its_name() {
        let good = Lease { sequence: 7, ..Lease::default() }.encode();
        let check = |damage: &dyn Fn(&mut Vec<u8>), expected| {
            let mut bytes = good.to_vec();
            damage(&mut bytes);
            assert_eq!(Lease::decode(&bytes), Err(expected));
        };
        check(&Vec::clear, Garbled::Length);
        check(&|bytes| bytes.truncate(LEASE_LEN - 1), Garbled::Length);
        check(&|bytes| bytes.push(0), Garbled::Length);
        check(&|bytes| bytes[0] = b'R', Garbled::Kind);
        check(&|bytes| bytes[1] = VERSION + 1, Garbled::Kind);
        check(&|bytes| bytes[2] = 8, Garbled::Checksum);
        let two = |bytes: &mut Vec<u8>| {
            bytes[HEAD] = 2;
            seal(bytes, b'L', 7);
        };
        check(&two, Garbled::Field);
    }

    #[test]
    fn the_bytes_are_those_of_the_description() {
        let mut lease = Lease { sequence: 0x0403_0201, ..Lease::default() };
        lease.wants[1] = Want { active: true, temperature_milli_c: -2, sample_age_ms: 300 };
        let bytes = lease.encode();
        assert_eq!(bytes.len(), 82);
        assert_eq!(bytes[..6], [b'L', 1, 1, 2, 3, 4]);
        assert_eq!(bytes[15..24], [1, 0xfe, 0xff, 0xff, 0xff, 44, 1, 0, 0]);
        assert_eq!(REPORT_LEN, 26);
    }

    #[test]
    fn a_verdict_has_its_number_and_a_sentence() {
        for (number, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(verdict as u8), number);
            assert!(verdict.reason().ends_with('.'), "{verdict:?}");
        }
    }
}
