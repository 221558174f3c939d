//! From the BME280's raw words to physical quantities: the integer formulas of Bosch BST-BME280-DS002, 4.2.3, which the Linux
//! driver uses too, so that both print the same digits. One exception: newer kernels than 6.1 (seen in Raspberry Pi's source, after
//! the driver's rework for 6.11) divide by 256 where the sheet shifts by 8, and so show most temperatures below 0 °C 0.01 °C higher.
//!
//! The sheet's code overflows its 32-bit and 64-bit words on words that a disturbed bus can deliver. Here it is the same
//! arithmetic, shifts and truncations included, in 128 bits, and pressure and humidity are computed for a temperature within
//! the chip's range only: no input overflows, and none that a chip in order can give rounds differently.

/// The chip's range (table 1: "operational").
pub const TEMPERATURE_MIN_CENTI_C: i32 = -4_000;
/// See [`TEMPERATURE_MIN_CENTI_C`].
pub const TEMPERATURE_MAX_CENTI_C: i32 = 8_500;

/// Raw temperature and raw pressure are words of 20 bits.
pub const RAW_MAX: u32 = 0xf_ffff;

/// The trimming parameters (4.2.2, table 16). Any content is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Calibration {
    /// `dig_T1` to `dig_T3`.
    pub t1: u16,
    /// See `t1`.
    pub t2: i16,
    /// See `t1`.
    pub t3: i16,
    /// `dig_P1`.
    pub p1: u16,
    /// `dig_P2` to `dig_P9`.
    pub p2_to_p9: [i16; 8],
    /// `dig_H1`.
    pub h1: u8,
    /// `dig_H2`.
    pub h2: i16,
    /// `dig_H3`.
    pub h3: u8,
    /// `dig_H4`, 12 bits with sign.
    pub h4: i16,
    /// `dig_H5`, 12 bits with sign.
    pub h5: i16,
    /// `dig_H6`.
    pub h6: i8,
}

/// Bytes from register 0x88 to 0xA1, and from 0xE1 to 0xE7.
pub const FIRST_BLOCK: usize = 26;
/// See [`FIRST_BLOCK`].
pub const SECOND_BLOCK: usize = 7;

impl Calibration {
    /// From the two blocks of registers, 0x88 to 0xA1 and 0xE1 to 0xE7.
    pub fn from_registers(first: &[u8; FIRST_BLOCK], second: &[u8; SECOND_BLOCK]) -> Self {
        let word = |index: usize| i16::from_le_bytes([first[2 * index], first[2 * index + 1]]);
        let [h2_low, h2_high, h3, e4, e5, e6, h6] = *second;
        // 12 bits with sign: the eight upper bits carry the sign, the lower four come from the nibbles of 0xE5.
        let twelve_bits = |upper: u8, lower: u8| (i16::from(upper as i8) << 4) | i16::from(lower);
        Self {
            t1: word(0) as u16,
            t2: word(1),
            t3: word(2),
            p1: word(3) as u16,
            p2_to_p9: std::array::from_fn(|index| word(4 + index)),
            h1: first[FIRST_BLOCK - 1],
            h2: i16::from_le_bytes([h2_low, h2_high]),
            h3,
            h4: twelve_bits(e4, e5 & 0x0f),
            h5: twelve_bits(e6, e5 >> 4),
            h6: h6 as i8,
        }
    }

    /// `t_fine`, from the raw temperature, of which the lower 20 bits count.
    ///
    /// # Errors
    /// The temperature, where it is outside the chip's range.
    pub fn fine_temperature(&self, raw: u32) -> Result<FineTemperature, OutOfRange> {
        let (raw, t1) = (i128::from(raw & RAW_MAX), i128::from(self.t1));
        let linear = (((raw >> 3) - (t1 << 1)) * i128::from(self.t2)) >> 11;
        let deviation = (raw >> 4) - t1;
        let square = (((deviation * deviation) >> 12) * i128::from(self.t3)) >> 14;
        let fine = FineTemperature(linear + square);
        // Both terms are below 2^22, so hundredths of a degree fit easily.
        let centi_c = fine.centi_c();
        if (TEMPERATURE_MIN_CENTI_C..=TEMPERATURE_MAX_CENTI_C).contains(&centi_c) {
            Ok(fine)
        } else {
            Err(OutOfRange { centi_c })
        }
    }

    /// Pressure in 1/256 Pa, from the raw pressure, of which the lower 20 bits count. `None` where the formula would divide by zero.
    pub fn pressure_pa_256ths(&self, fine: FineTemperature, raw: u32) -> Option<i128> {
        let [p2, p3, p4, p5, p6, p7, p8, p9] = self.p2_to_p9.map(i128::from);
        let t = fine.0 - 128_000;
        let offset = t * t * p6 + ((t * p5) << 17) + (p4 << 35);
        let slope = ((t * t * p3) >> 8) + ((t * p2) << 12);
        let slope = (((1 << 47) + slope) * i128::from(self.p1)) >> 33;
        if slope == 0 {
            return None;
        }
        let p = (((1_048_576 - i128::from(raw & RAW_MAX)) << 31) - offset) * 3125 / slope;
        let square = (p9 * (p >> 13) * (p >> 13)) >> 25;
        let linear = (p8 * p) >> 19;
        Some(((p + square + linear) >> 8) + (p7 << 4))
    }

    /// Relative humidity in 1/1024 %, from the 16-bit raw humidity; kept within 0 and 100 % as the sheet says.
    pub fn humidity_pct_1024ths(&self, fine: FineTemperature, raw: u16) -> u32 {
        let t = fine.0 - 76_800;
        let (h2, h3, h6) = (i128::from(self.h2), i128::from(self.h3), i128::from(self.h6));
        let raw = (i128::from(raw) << 14) - (i128::from(self.h4) << 20) - i128::from(self.h5) * t;
        let raw = (raw + 16_384) >> 15;
        let factor = (((t * h6) >> 10) * (((t * h3) >> 11) + 32_768)) >> 10;
        let factor = ((factor + 2_097_152) * h2 + 8_192) >> 14;
        let humidity = raw * factor;
        let humidity = humidity - (((((humidity >> 15) * (humidity >> 15)) >> 7) * i128::from(self.h1)) >> 4);
        // Within 0 and 102 400.
        (humidity.clamp(0, 419_430_400) >> 12) as u32
    }
}

/// The sheet's `t_fine`, temperature in 1/5120 °C, within the chip's range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FineTemperature(i128);

impl FineTemperature {
    /// Hundredths of a degree Celsius.
    pub fn centi_c(self) -> i32 {
        // Raw words have 20 bits and parameters 16, so `t_fine` has 23 at most.
        ((self.0 * 5 + 128) >> 8) as i32
    }
}

/// A temperature that the chip cannot measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfRange {
    /// Hundredths of a degree Celsius.
    pub centi_c: i32,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{EXAMPLE_FIRST, EXAMPLE_SECOND};
    use super::*;

    fn example() -> Calibration {
        Calibration::from_registers(&EXAMPLE_FIRST, &EXAMPLE_SECOND)
    }

    /// The sheet's formulas in floating point (8.1), written down independently of the integer ones: °C, Pa, %.
    mod floating {
        use super::Calibration;

        pub fn fine(c: &Calibration, raw: u32) -> f64 {
            let (raw, t1) = (f64::from(raw), f64::from(c.t1));
            let linear = (raw / 16_384.0 - t1 / 1_024.0) * f64::from(c.t2);
            linear + (raw / 131_072.0 - t1 / 8_192.0).powi(2) * f64::from(c.t3)
        }

        pub fn pressure_pa(c: &Calibration, fine: f64, raw: u32) -> f64 {
            let [p2, p3, p4, p5, p6, p7, p8, p9] = c.p2_to_p9.map(f64::from);
            let v1 = fine / 2.0 - 64_000.0;
            let v2 = v1 * v1 * p6 / 32_768.0 + v1 * p5 * 2.0;
            let v2 = v2 / 4.0 + p4 * 65_536.0;
            let v1 = (p3 * v1 * v1 / 524_288.0 + p2 * v1) / 524_288.0;
            let v1 = (1.0 + v1 / 32_768.0) * f64::from(c.p1);
            let p = (1_048_576.0 - f64::from(raw) - v2 / 4_096.0) * 6_250.0 / v1;
            p + (p9 * p * p / 2_147_483_648.0 + p * p8 / 32_768.0 + p7) / 16.0
        }

        pub fn humidity_pct(c: &Calibration, fine: f64, raw: u16) -> f64 {
            let t = fine - 76_800.0;
            let offset = f64::from(c.h4) * 64.0 + f64::from(c.h5) / 16_384.0 * t;
            let slope = 1.0 + f64::from(c.h3) / 67_108_864.0 * t;
            let slope = f64::from(c.h2) / 65_536.0 * (1.0 + f64::from(c.h6) / 67_108_864.0 * t * slope);
            let h = (f64::from(raw) - offset) * slope;
            (h * (1.0 - f64::from(c.h1) * h / 524_288.0)).clamp(0.0, 100.0)
        }
    }

    #[test]
    fn the_worked_example() {
        // Temperature and pressure: Bosch BST-BMP280-DS001, "calculation example". For humidity no sheet has one: these words
        // were put before the bme280 driver of Linux 6.1, which printed 49468 m%, 25080 m°C and 100.653253906 kPa.
        let c = example();
        assert_eq!((c.t1, c.t2, c.t3), (27_504, 26_435, -1_000));
        assert_eq!((c.p1, c.p2_to_p9), (36_477, [-10_685, 3_024, 2_855, 140, -7, 15_500, -14_600, 6_000]));
        assert_eq!((c.h1, c.h2, c.h3, c.h4, c.h5, c.h6), (75, 370, 0, 313, 50, 30));
        let fine = c.fine_temperature(519_888).expect("in range");
        assert_eq!((fine.0, fine.centi_c()), (128_422, 2_508));
        assert_eq!(c.pressure_pa_256ths(fine, 415_148), Some(25_767_233));
        assert_eq!(c.humidity_pct_1024ths(fine, 28_816), 50_656);
    }

    #[test]
    fn twelve_bits_have_a_sign() {
        let of = |e4, e5, e6| {
            let c = Calibration::from_registers(&EXAMPLE_FIRST, &[0, 0, 0, e4, e5, e6, 0xe2]);
            (c.h4, c.h5, c.h6)
        };
        assert_eq!(of(0xff, 0xff, 0xff), (-1, -1, -30));
        assert_eq!(of(0x80, 0x00, 0x80), (-2_048, -2_048, -30));
        assert_eq!(of(0x7f, 0xff, 0x7f), (2_047, 2_047, -30));
        assert_eq!(of(0x14, 0x21, 0x03), (0x141, 0x032, -30));
    }

    #[test]
    fn a_blank_calibration_has_no_pressure() {
        let blank = Calibration::default();
        let fine = blank.fine_temperature(0).expect("0 °C");
        assert_eq!(blank.pressure_pa_256ths(fine, 415_148), None);
        assert_eq!(blank.humidity_pct_1024ths(fine, 28_816), 0);
    }

    /// Parameters of the size that real chips have.
    fn real_calibration() -> impl Strategy<Value = Calibration> {
        let t = (26_500_u16..29_000, 25_500_i16..27_500, -1_100_i16..300);
        let p = (
            (35_000_u16..39_500, -11_000_i16..-10_000, 2_900_i16..3_100, 500_i16..9_500),
            (-400_i16..300, -8_i16..0, 9_000_i16..15_600, -14_700_i16..-9_900, 4_200_i16..6_100),
        );
        let h = (70_u8..80, 340_i16..385, 0_u8..2, 290_i16..340, 0_i16..60, 28_i8..32);
        (t, p, h).prop_map(|((t1, t2, t3), ((p1, p2, p3, p4), (p5, p6, p7, p8, p9)), (h1, h2, h3, h4, h5, h6))| {
            Calibration { t1, t2, t3, p1, p2_to_p9: [p2, p3, p4, p5, p6, p7, p8, p9], h1, h2, h3, h4, h5, h6 }
        })
    }

    proptest! {
        #[test]
        fn the_integers_agree_with_the_floating_point_formulas(
            c in real_calibration(),
            raw_t in 380_000_u32..720_000,
            raw_p in 200_000_u32..700_000,
            raw_h: u16,
        ) {
            let Ok(fine) = c.fine_temperature(raw_t) else { return Ok(()) };
            let exact = floating::fine(&c, raw_t);
            // Rounding to hundredths gives 0.005, dropping the three lowest bits of the word another 0.0025.
            prop_assert!((f64::from(fine.centi_c()) / 100.0 - exact / 5120.0).abs() < 0.008, "{fine:?} {exact}");
            // From here on both start from the same t_fine, as the sheet's do.
            let exact = fine.0 as f64;
            let pressure = c.pressure_pa_256ths(fine, raw_p).expect("p1 is not zero") as f64 / 256.0;
            let expected = floating::pressure_pa(&c, exact, raw_p);
            prop_assert!((pressure - expected).abs() < 1.0, "{pressure} {expected}");
            let humidity = f64::from(c.humidity_pct_1024ths(fine, raw_h)) / 1024.0;
            let expected = floating::humidity_pct(&c, exact, raw_h);
            prop_assert!((humidity - expected).abs() < 0.02, "{humidity} {expected}");
        }

        #[test]
        fn no_garbage_overflows(
            first: [u8; FIRST_BLOCK],
            second: [u8; SECOND_BLOCK],
            raw_t: u32,
            raw_p: u32,
            raw_h: u16,
        ) {
            let c = Calibration::from_registers(&first, &second);
            if let Ok(fine) = c.fine_temperature(raw_t) {
                c.pressure_pa_256ths(fine, raw_p);
                prop_assert!(c.humidity_pct_1024ths(fine, raw_h) <= 102_400);
            }
        }

        #[test]
        fn no_extreme_overflows(extreme: [bool; 19], raw_t: u32, raw_p in prop_oneof![Just(0), Just(RAW_MAX)]) {
            // The ends of each parameter's range are where an overflow would be; random bytes hardly ever meet several of them.
            let mut bits = extreme.into_iter();
            let mut end = |low: i64, high: i64| if bits.next().expect("nineteen") { low } else { high };
            let c = Calibration {
                t1: end(0, 65_535) as u16,
                t2: end(-32_768, 32_767) as i16,
                t3: end(-32_768, 32_767) as i16,
                p1: end(1, 65_535) as u16,
                p2_to_p9: std::array::from_fn(|_| end(-32_768, 32_767) as i16),
                h1: end(0, 255) as u8,
                h2: end(-32_768, 32_767) as i16,
                h3: end(0, 255) as u8,
                h4: end(-2_048, 2_047) as i16,
                h5: end(-2_048, 2_047) as i16,
                h6: end(-128, 127) as i8,
            };
            // Any temperature in the chip's range, whatever the parameters make of the raw word.
            let fine = FineTemperature(i128::from(raw_t % 640_000) - 204_800);
            c.pressure_pa_256ths(fine, raw_p);
            prop_assert!(c.humidity_pct_1024ths(fine, raw_t as u16) <= 102_400);
        }
    }
}
