//! What the daemon and the guard say to each other: one little-endian message per datagram of a `SOCK_SEQPACKET` socket.
//!
//! ```text
//! kind version sequence:u32 8 x { what it says of one line } crc32:u32
//!
//! 'C' claim  378 bytes  role gpio:u32 active_low name:40
//!                       answered by 'A' claimed  978 bytes  held problem:120
//! 'L' lease   90 bytes  active temperature_milli_c:i32 sample_age_ms:u32 latch
//! 'X' reset   10 bytes  (nothing)
//!                       both answered by 'R' report  34 bytes  active verdict latch
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

/// A message that is not exactly as described above: damaged, or of another release. The guard answers it by making everything
/// inactive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a message, or one of another release")]
pub struct Garbled;

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
    /// [`Garbled`] unless [`Field::write`] writes these bytes.
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
        if kind != F::KIND || bytes.len() != Self::LEN {
            return Err(Garbled);
        }
        let mut message = Self { sequence, lines: Default::default() };
        for (index, line) in message.lines.iter_mut().enumerate() {
            *line = F::read(&fields[index * F::LEN..][..F::LEN])?;
        }
        Ok(message)
    }
}

/// Any message to the guard.
pub(crate) enum Question {
    Claim(Claim),
    Lease(Lease),
    Reset,
}

impl Question {
    pub(crate) fn decode(bytes: &[u8]) -> Result<(u32, Self), Garbled> {
        let (kind, sequence, _) = open(bytes)?;
        let question = match kind {
            b'C' => Self::Claim(Claim::decode(bytes)?),
            b'L' => Self::Lease(Lease::decode(bytes)?),
            _ => Reset::decode(bytes).map(|_| Self::Reset)?,
        };
        Ok((sequence, question))
    }
}

/// Kind, sequence and fields of a message of any kind that came whole.
pub(crate) fn open(bytes: &[u8]) -> Result<(u8, u32, &[u8]), Garbled> {
    let end = bytes.len().checked_sub(CHECKSUM).filter(|end| *end >= HEAD).ok_or(Garbled)?;
    if bytes[1] != VERSION || crc32fast::hash(&bytes[..end]) != u32_at(bytes, end) {
        return Err(Garbled);
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
            _ => return Err(Garbled),
        };
        let (gpio, active_low, name) = (u32_at(from, 1), flag(from[5])?, read_text(&from[6..])?);
        let spec = LineSpec { name, role, gpio, active_low };
        if spec.has_valid_name() { Ok(Some(spec)) } else { Err(Garbled) }
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
        let verdict = *Verdict::ALL.get(usize::from(from[1])).ok_or(Garbled)?;
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
        Some(index) => Latch::ALL.get(index).copied().map(Some).ok_or(Garbled),
    }
}

pub(crate) fn flag(byte: u8) -> Result<bool, Garbled> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Garbled),
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
    let text = str::from_utf8(from).map_err(|_| Garbled)?.trim_end_matches('\0');
    if text.contains('\0') { Err(Garbled) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;

    use super::*;

    fn specs() -> impl Strategy<Value = Option<LineSpec>> {
        let role = prop_oneof![Just(Role::Heater), Just(Role::Fan)];
        let spec = ("[!-~]{1,40}", role, any::<u32>(), any::<bool>())
            .prop_map(|(name, role, gpio, active_low)| LineSpec { name, role, gpio, active_low });
        prop::option::of(spec)
    }

    fn claimed_lines() -> impl Strategy<Value = ClaimedLine> {
        (any::<bool>(), "[^\0]{0,30}").prop_map(|(held, problem)| ClaimedLine { held, problem })
    }

    fn wants() -> impl Strategy<Value = Want> {
        (any::<bool>(), any::<i32>(), any::<u32>(), latches()).prop_map(
            |(active, temperature_milli_c, sample_age_ms, latch)| Want {
                active,
                temperature_milli_c,
                sample_age_ms,
                latch,
            },
        )
    }

    fn line_reports() -> impl Strategy<Value = LineReport> {
        (any::<bool>(), prop::sample::select(&Verdict::ALL[..]), latches())
            .prop_map(|(active, verdict, latch)| LineReport { active, verdict, latch })
    }

    fn latches() -> impl Strategy<Value = Option<Latch>> {
        prop::option::of(prop::sample::select(&Latch::ALL[..]))
    }

    fn messages<F: Debug>(lines: impl Strategy<Value = F>) -> impl Strategy<Value = Message<F>> {
        (any::<u32>(), prop::array::uniform8(lines)).prop_map(|(sequence, lines)| Message { sequence, lines })
    }

    fn encoded<F: Field>(message: &Message<F>) -> Vec<u8> {
        // What was in the buffer before does not matter.
        message.encode(&mut [0xaa; MESSAGE_MAX]).to_vec()
    }

    fn survives<F: Field + PartialEq + Debug>(message: &Message<F>) {
        let bytes = encoded(message);
        assert_eq!(bytes.len(), Message::<F>::LEN);
        assert_eq!(Message::decode(&bytes).as_ref(), Ok(message));
    }

    fn flipped_bits_are_refused<F: Field + PartialEq + Debug>(message: &Message<F>) {
        let mut bytes = encoded(message);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Message::<F>::decode(&bytes), Err(Garbled), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    /// Puts a good checksum on whatever is there.
    fn seal(bytes: &mut [u8]) {
        let end = bytes.len() - CHECKSUM;
        let checksum = crc32fast::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Whatever decodes from a field with a good checksum is written with the same bytes.
    fn one_way_to_write<F: Field>(field: &[u8]) {
        let mut bytes = encoded(&Message::<F>::default());
        let field = &field[..F::LEN.min(field.len())];
        bytes[HEAD..HEAD + field.len()].copy_from_slice(field);
        seal(&mut bytes);
        if let Ok(message) = Message::<F>::decode(&bytes) {
            assert_eq!(encoded(&message), bytes);
        }
    }

    proptest! {
        #[test]
        fn every_message_survives_the_journey(
            claim in messages(specs()),
            claimed in messages(claimed_lines()),
            lease in messages(wants()),
            report in messages(line_reports()),
            reset in messages(Just(())),
        ) {
            survives(&claim);
            survives(&claimed);
            survives(&lease);
            survives(&report);
            survives(&reset);
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2 * MESSAGE_MAX)) {
            // 32 bits of checksum and 16 of kind and version: chance does not find a valid message.
            prop_assert!(Claim::decode(&bytes).is_err());
            prop_assert!(Claimed::decode(&bytes).is_err());
            prop_assert!(Lease::decode(&bytes).is_err());
            prop_assert!(Report::decode(&bytes).is_err());
            prop_assert!(Reset::decode(&bytes).is_err());
            prop_assert!(Question::decode(&bytes).is_err());
        }

        #[test]
        fn fields_behind_a_good_checksum_are_still_judged(field in prop::collection::vec(prop_oneof![4 => 0..12u8, 1 => any::<u8>()], 0..130)) {
            one_way_to_write::<Option<LineSpec>>(&field);
            one_way_to_write::<ClaimedLine>(&field);
            one_way_to_write::<Want>(&field);
            one_way_to_write::<LineReport>(&field);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn each_flipped_bit_is_refused(
            claim in messages(specs()),
            claimed in messages(claimed_lines()),
            lease in messages(wants()),
            report in messages(line_reports()),
            reset in messages(Just(())),
        ) {
            flipped_bits_are_refused(&claim);
            flipped_bits_are_refused(&claimed);
            flipped_bits_are_refused(&lease);
            flipped_bits_are_refused(&report);
            flipped_bits_are_refused(&reset);
        }
    }

    fn check_damage<F: Field + Debug + PartialEq>(good: &Message<F>, at: usize, value: u8, accepted: bool) {
        let mut bytes = encoded(good);
        bytes[at] = value;
        seal(&mut bytes);
        assert_eq!(Message::<F>::decode(&bytes).is_ok(), accepted, "byte {at} = {value}");
    }

    #[test]
    fn each_field_has_its_values_and_no_others() {
        let spec = LineSpec { name: "fan".into(), role: Role::Fan, gpio: 20, active_low: true };
        let mut claim = Claim::default();
        claim.lines[0] = Some(spec);
        for (role, accepted) in [(0, false), (1, true), (2, true), (3, false)] {
            check_damage(&claim, HEAD, role, accepted);
        }
        for (active_low, accepted) in [(0, true), (1, true), (2, false)] {
            check_damage(&claim, HEAD + 5, active_low, accepted);
        }
        // The name: no space, no letter after its end, none that is not ASCII, not empty.
        for (at, byte, accepted) in
            [(7, b' ', false), (10, b'x', false), (9, b'x', true), (8, 0xc3, false), (6, 0, false)]
        {
            check_damage(&claim, HEAD + at, byte, accepted);
        }
        // A line that is not claimed says nothing else.
        check_damage(&Claim::default(), HEAD + 1, 1, false);
        for (flag, accepted) in [(0, true), (1, true), (2, false)] {
            check_damage(&Lease::default(), HEAD, flag, accepted);
            check_damage(&Report::default(), HEAD, flag, accepted);
            check_damage(&Claimed::default(), HEAD, flag, accepted);
        }
        for (verdict, accepted) in [(9, true), (10, false), (255, false)] {
            check_damage(&Report::default(), HEAD + 1, verdict, accepted);
        }
        for (latch, accepted) in [(0, true), (1, true), (7, true), (8, false), (255, false)] {
            check_damage(&Lease::default(), HEAD + 9, latch, accepted);
            check_damage(&Report::default(), HEAD + 2, latch, accepted);
        }
    }

    #[test]
    fn head_and_length_are_exact() {
        let good = encoded(&Lease { sequence: 7, ..Lease::default() });
        let check = |damage: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            damage(&mut bytes);
            if bytes.len() > CHECKSUM {
                seal(&mut bytes);
            }
            assert_eq!(Lease::decode(&bytes), Err(Garbled));
        };
        check(&Vec::clear);
        check(&|bytes| bytes.truncate(CHECKSUM));
        check(&|bytes| bytes.truncate(HEAD + CHECKSUM - 1));
        check(&|bytes| bytes.truncate(HEAD + CHECKSUM));
        check(&|bytes| bytes.truncate(Lease::LEN - 1));
        check(&|bytes| bytes.push(0));
        check(&|bytes| bytes[0] = b'R');
        check(&|bytes| bytes[1] = VERSION + 1);
        check(&|bytes| bytes[1] = VERSION - 1);
    }

    #[test]
    fn the_bytes_are_those_of_the_description() {
        let mut lease = Lease { sequence: 0x0403_0201, ..Lease::default() };
        lease.lines[1] =
            Want { active: true, temperature_milli_c: -2, sample_age_ms: 300, latch: Some(Latch::SensorFrozen) };
        let bytes = encoded(&lease);
        assert_eq!(bytes[..6], [b'L', 2, 1, 2, 3, 4]);
        assert_eq!(bytes[16..26], [1, 0xfe, 0xff, 0xff, 0xff, 44, 1, 0, 0, 6]);
        let mut claim = Claim::default();
        claim.lines[0] = Some(LineSpec { name: "fan".into(), role: Role::Fan, gpio: 258, active_low: true });
        assert_eq!(encoded(&claim)[6..16], [2, 2, 1, 0, 0, 1, b'f', b'a', b'n', 0]);
        assert_eq!([Claim::LEN, Claimed::LEN, Lease::LEN, Report::LEN, Reset::LEN], [378, 978, 90, 34, 10]);
    }

    #[test]
    fn a_long_problem_is_cut_between_two_letters() {
        let mut claimed = Claimed::default();
        claimed.lines[7].problem = format!("{}\u{fc}\u{fc}", "x".repeat(PROBLEM_MAX - 1));
        let read = Claimed::decode(&encoded(&claimed)).unwrap();
        assert_eq!(read.lines[7].problem, "x".repeat(PROBLEM_MAX - 1));
    }

    #[test]
    fn verdicts_and_latches_have_their_numbers() {
        for (number, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(verdict as u8), number);
        }
        for (index, latch) in Latch::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(latch as u8), index + 1);
        }
    }
}
