//! What the daemon and the guard say to each other: one fixed-size little-endian message per datagram of a `SOCK_SEQPACKET` socket.
//!
//! ```text
//! lease  (82 bytes)  'L' version sequence:u32 8 x { active:u8 temperature_milli_c:i32 sample_age_ms:u32 } crc32:u32
//! report (26 bytes)  'R' version sequence:u32 8 x { active:u8 verdict:u8 } crc32:u32
//! ```
//! The checksum covers all that comes before it. There is one way to write each message: a length, a kind, a flag or a verdict that
//! is not exactly as above is [`Garbled`]. Who sends what when is in `client.rs` and `lib.rs`.

/// Lines one guard can hold; every message has room for all of them. Eight relays are the largest common board.
pub const MAX_LINES: usize = 8;

const VERSION: u8 = 1;
const HEAD: usize = 2 + 4;
const WANT: usize = 1 + 4 + 4;
const LINE_REPORT: usize = 1 + 1;
const CHECKSUM: usize = 4;
/// Bytes of an encoded [`Lease`].
pub const LEASE_LEN: usize = HEAD + MAX_LINES * WANT + CHECKSUM;
/// Bytes of an encoded [`Report`].
pub const REPORT_LEN: usize = HEAD + MAX_LINES * LINE_REPORT + CHECKSUM;

/// The age of a sample that does not exist.
pub const NO_SAMPLE: u32 = u32::MAX;

/// The daemon's wish for every line, good for [`Limits::lease`](crate::Limits::lease) from its arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lease {
    /// Must be newer than the one before (wrapping). 0 is valid but cannot be told from a refusal in the answer; [`Link`](crate::Link)
    /// never sends it.
    pub sequence: u32,
    /// Indexed like the guard's lines; what has no line is ignored.
    pub wants: [Want; MAX_LINES],
}

/// The wish for one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Want {
    /// Whether the line should be active.
    pub active: bool,
    /// Last temperature of the box, thousandths of a degree Celsius. Means something for a heater only.
    pub temperature_milli_c: i32,
    /// Age of that temperature when the message was sent, milliseconds; [`NO_SAMPLE`] when there is none. For a heater only.
    pub sample_age_ms: u32,
}

/// The guard's answer: what the lines are, not what was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Sequence of the lease this answers; 0 when that lease was refused (garbled or replayed).
    pub sequence: u32,
    /// Indexed like the guard's lines.
    pub lines: [LineReport; MAX_LINES],
}

/// One line's state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineReport {
    /// Whether the line is active, as read back; `true` also when it cannot be read and so may be.
    pub active: bool,
    /// Why.
    pub verdict: Verdict,
}

/// Why a line is active or not. The numbers are part of the protocol.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
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
    /// Inactive and obeying, but it had a [`Verdict::LineFault`]: it stays inactive until the guard is restarted.
    Latched = 7,
    /// The line cannot be driven or does not read back what it was set to. Its relay may be in any state.
    LineFault = 8,
    /// The guard holds no line of this index.
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
            Self::Latched => "Off: the output failed earlier and stays off until the relay guard is restarted.",
            Self::LineFault => "Fault: the output does not do what it is told; its relay may be in any state.",
            Self::NoSuchLine => "The relay guard has no such output.",
        }
    }
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
    /// A flag that is neither 0 nor 1, or a verdict that does not exist.
    #[error("a field has no such value")]
    Field,
}

impl Lease {
    /// As sent.
    #[must_use]
    pub fn encode(&self) -> [u8; LEASE_LEN] {
        let mut bytes = [0; LEASE_LEN];
        for (want, field) in self.wants.iter().zip(bytes[HEAD..].chunks_exact_mut(WANT)) {
            field[0] = u8::from(want.active);
            field[1..5].copy_from_slice(&want.temperature_milli_c.to_le_bytes());
            field[5..9].copy_from_slice(&want.sample_age_ms.to_le_bytes());
        }
        seal(&mut bytes, b'L', self.sequence);
        bytes
    }

    /// As received.
    ///
    /// # Errors
    /// [`Garbled`] unless `bytes` is what [`Lease::encode`] makes of some lease.
    pub fn decode(bytes: &[u8]) -> Result<Self, Garbled> {
        let (sequence, fields) = open::<LEASE_LEN>(bytes, b'L')?;
        let mut wants = [Want::default(); MAX_LINES];
        for (want, field) in wants.iter_mut().zip(fields.chunks_exact(WANT)) {
            want.active = flag(field[0])?;
            want.temperature_milli_c = u32_at(field, 1).cast_signed();
            want.sample_age_ms = u32_at(field, 5);
        }
        Ok(Self { sequence, wants })
    }
}

impl Report {
    /// As sent.
    #[must_use]
    pub fn encode(&self) -> [u8; REPORT_LEN] {
        let mut bytes = [0; REPORT_LEN];
        for (line, field) in self.lines.iter().zip(bytes[HEAD..].chunks_exact_mut(LINE_REPORT)) {
            field.copy_from_slice(&[u8::from(line.active), line.verdict as u8]);
        }
        seal(&mut bytes, b'R', self.sequence);
        bytes
    }

    /// As received.
    ///
    /// # Errors
    /// [`Garbled`] unless `bytes` is what [`Report::encode`] makes of some report.
    pub fn decode(bytes: &[u8]) -> Result<Self, Garbled> {
        let (sequence, fields) = open::<REPORT_LEN>(bytes, b'R')?;
        let mut lines = [LineReport { active: false, verdict: Verdict::NoSuchLine }; MAX_LINES];
        for (line, field) in lines.iter_mut().zip(fields.chunks_exact(LINE_REPORT)) {
            line.active = flag(field[0])?;
            line.verdict = *Verdict::ALL.get(usize::from(field[1])).ok_or(Garbled::Field)?;
        }
        Ok(Self { sequence, lines })
    }
}

/// Writes what is the same in both messages around the fields.
fn seal(bytes: &mut [u8], kind: u8, sequence: u32) {
    bytes[..2].copy_from_slice(&[kind, VERSION]);
    bytes[2..HEAD].copy_from_slice(&sequence.to_le_bytes());
    let (covered, checksum) = bytes.split_at_mut(bytes.len() - CHECKSUM);
    checksum.copy_from_slice(&crc32fast::hash(covered).to_le_bytes());
}

/// The sequence and the fields of a message of `LEN` bytes.
fn open<const LEN: usize>(bytes: &[u8], kind: u8) -> Result<(u32, &[u8]), Garbled> {
    if bytes.len() != LEN {
        return Err(Garbled::Length);
    }
    if bytes[..2] != [kind, VERSION] {
        return Err(Garbled::Kind);
    }
    let covered = &bytes[..LEN - CHECKSUM];
    if crc32fast::hash(covered) != u32_at(bytes, LEN - CHECKSUM) {
        return Err(Garbled::Checksum);
    }
    Ok((u32_at(bytes, 2), &covered[HEAD..]))
}

fn flag(byte: u8) -> Result<bool, Garbled> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Garbled::Field),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
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
