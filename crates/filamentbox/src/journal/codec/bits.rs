//! Bits and variable-length integers: the alphabet of the block codec.
//!
//! Numbers that are mostly small are written as Rice codes: the upper part in unary, the lowest `k` bits as they are. `k` is
//! chosen for each column, so a quiet temperature costs two bits and a noisy pressure seven. An outlier does not cost its size in
//! unary: after [`UNARY_MAX`] ones follow its length and its bits.

/// So many ones announce an outlier, written in full.
const UNARY_MAX: u32 = 12;
/// Bits that give an outlier's length, less one.
const LENGTH_BITS: u32 = 6;
/// The largest `k`: fits in the 5 bits that carry it, and no sensible column needs more.
pub(super) const RICE_MAX: u32 = 31;
/// Bits that carry `k`.
pub(super) const RICE_BITS: u32 = 5;

/// The bytes end too early, or say something that cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

/// Small numbers of either sign as small numbers: 0, -1, 1, -2, ...
pub(super) fn zig_zag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zig_zag`].
pub(super) fn zag_zig(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Writes bits, the highest first.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken, 0 when there is no unfinished byte.
    taken: u32,
}

impl BitWriter {
    /// The lowest `count` bits of `value`.
    pub(super) fn bits(&mut self, value: u64, count: u32) {
        for position in (0..count).rev() {
            if self.taken == 0 {
                self.bytes.push(0);
            }
            let bit = u8::from((value >> position) & 1 == 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (7 - self.taken);
            }
            self.taken = (self.taken + 1) % 8;
        }
    }

    /// A number in groups of seven bits.
    pub(super) fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.bits((value & 0x7f) | 0x80, 8);
            value >>= 7;
        }
        self.bits(value, 8);
    }

    /// A Rice code.
    pub(super) fn rice(&mut self, value: u64, k: u32) {
        let quotient = value >> k;
        if quotient < u64::from(UNARY_MAX) {
            // At most 11 ones and a zero.
            let ones = quotient as u32;
            self.bits(u64::MAX << 1, ones + 1);
            self.bits(value, k);
        } else {
            let length = u64::BITS - value.leading_zeros();
            self.bits(u64::MAX, UNARY_MAX);
            self.bits(u64::from(length.max(1) - 1), LENGTH_BITS);
            self.bits(value, length.max(1));
        }
    }

    /// What was written, the last byte filled with zeros.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// The bits of a Rice code of `value`.
pub(super) fn rice_cost(value: u64, k: u32) -> u64 {
    let quotient = value >> k;
    if quotient < u64::from(UNARY_MAX) {
        quotient + 1 + u64::from(k)
    } else {
        u64::from(UNARY_MAX + LENGTH_BITS + (u64::BITS - value.leading_zeros()).max(1))
    }
}

/// Reads what [`BitWriter`] wrote. Never reads past the end, whatever the bytes.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits.
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) fn bits(&mut self, count: u32) -> Result<u64, Malformed> {
        let mut value = 0u64;
        let mut left = count;
        while left > 0 {
            let byte = *self.bytes.get(self.position / 8).ok_or(Malformed)?;
            let offset = (self.position % 8) as u32;
            let take = left.min(8 - offset);
            let bits = (u32::from(byte) >> (8 - offset - take)) & ((1 << take) - 1);
            value = (value << take) | u64::from(bits);
            self.position += take as usize;
            left -= take;
        }
        Ok(value)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let group = self.bits(8)?;
            value |= (group & 0x7f) << shift;
            if group & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    pub(super) fn rice(&mut self, k: u32) -> Result<u64, Malformed> {
        let mut quotient = 0;
        while quotient < UNARY_MAX && self.bits(1)? == 1 {
            quotient += 1;
        }
        if quotient < UNARY_MAX {
            return Ok((u64::from(quotient) << k) | self.bits(k)?);
        }
        let length = self.bits(LENGTH_BITS)? as u32 + 1;
        self.bits(length)
    }

    /// Whether nothing but the filling of the last byte is left.
    pub(super) fn at_end(&self) -> bool {
        self.position.div_ceil(8) == self.bytes.len()
    }
}
