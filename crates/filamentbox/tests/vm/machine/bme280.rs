//! A BME280 as its registers show it, and the integer arithmetic of its data sheet (Bosch BST-BME280-DS002, 4.2.2 memory map of the
//! trimming values, 4.2.3 compensation formulas; the 64-bit form for pressure), written once more for these tests, straight from the
//! data sheet: an oracle that shares no line with the program.

use super::i2c::Stub;
use super::random::Random;

/// Register of the chip's identity, and what it holds.
const ID: (u8, u8) = (0xD0, 0x60);
/// First register of the measured values.
pub(crate) const VALUES: u8 = 0xF7;
/// Registers after power-on: 0x80000, 0x80000 and 0x8000, the words of measurements that never took place (5.4.7 to 5.4.9).
pub(crate) const NEVER_MEASURED: [u8; 8] = [0x80, 0, 0, 0x80, 0, 0, 0x80, 0];
/// Control registers: ctrl_hum, status, ctrl_meas, config.
pub(crate) const CONTROL: u8 = 0xF2;

/// The trimming values, as the data sheet names them (T1 to T3, P1 to P9, H1 to H6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Calibration {
    pub(crate) t: [i32; 3],
    pub(crate) p: [i32; 9],
    pub(crate) h: [i32; 6],
}

/// What the converter has counted: 20, 20 and 16 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Raw {
    pub(crate) temperature: i32,
    pub(crate) pressure: i32,
    pub(crate) humidity: i32,
}

/// What they mean, in the data sheet's units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Compensated {
    /// Hundredths of a degree Celsius.
    pub(crate) temperature: i32,
    /// 1/256 Pa.
    pub(crate) pressure: i64,
    /// 1/1024 % of relative humidity.
    pub(crate) humidity: i32,
}

/// The data sheet's worked example for temperature and pressure (BST-BMP280-DS001, 3.12); there is none for humidity.
pub(crate) const EXAMPLE: (Calibration, Raw) = (
    Calibration {
        t: [27504, 26435, -1000],
        p: [36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000],
        h: [75, 370, 0, 313, 50, 30],
    },
    Raw { temperature: 519_888, pressure: 415_148, humidity: 28_816 },
);

impl Calibration {
    /// Values as real chips have them, each in a range around what is common.
    pub(crate) fn random(random: &mut Random) -> Self {
        let mut near = |value: i32, spread: i32| random.between(value - spread, value + spread);
        Self {
            t: [near(27_800, 900), near(26_300, 600), near(0, 1000)],
            p: [
                near(37_000, 1000),
                near(-10_600, 200),
                near(3024, 100),
                near(5000, 3000),
                near(50, 150),
                near(-7, 3),
                near(12_500, 3000),
                near(-11_500, 3000),
                near(5000, 1200),
            ],
            h: [near(75, 10), near(365, 15), near(0, 3), near(313, 30), near(30, 80), near(30, 3)],
        }
    }

    /// Both blocks of trimming registers, each with its first register.
    fn registers(&self) -> [(u8, Vec<u8>); 2] {
        let word = |value: &i32| [value.to_le_bytes()[0], value.to_le_bytes()[1]];
        let mut first: Vec<u8> = self.t.iter().chain(&self.p).flat_map(word).collect();
        let [h1, h2, h3, h4, h5, h6] = self.h;
        let low = |value: i32| value.to_le_bytes()[0];
        first.extend([0, low(h1)]);
        let [h2_low, h2_high] = word(&h2);
        let nibbles = low(h4 & 0xF) | low(h5 & 0xF) << 4;
        [(0x88, first), (0xE1, vec![h2_low, h2_high, low(h3), low(h4 >> 4), nibbles, low(h5 >> 4), low(h6)])]
    }

    /// `t_fine` (4.2.3).
    fn fine_temperature(&self, raw: i32) -> i32 {
        let [t1, t2, t3] = self.t;
        let first = (((raw >> 3) - (t1 << 1)) * t2) >> 11;
        let distance = (raw >> 4) - t1;
        first + ((((distance * distance) >> 12) * t3) >> 14)
    }

    /// All three formulas.
    pub(crate) fn compensate(&self, raw: Raw) -> Compensated {
        let fine = self.fine_temperature(raw.temperature);
        Compensated {
            temperature: (fine * 5 + 128) >> 8,
            pressure: self.pressure(fine, raw.pressure),
            humidity: self.humidity(fine, raw.humidity),
        }
    }

    fn pressure(&self, fine: i32, raw: i32) -> i64 {
        let [p1, p2, p3, p4, p5, p6, p7, p8, p9] = self.p.map(i64::from);
        let mut var1 = i64::from(fine) - 128_000;
        let mut var2 = var1 * var1 * p6;
        var2 += (var1 * p5) << 17;
        var2 += p4 << 35;
        var1 = ((var1 * var1 * p3) >> 8) + ((var1 * p2) << 12);
        var1 = (((1 << 47) + var1) * p1) >> 33;
        let mut pressure = 1_048_576 - i64::from(raw);
        pressure = (((pressure << 31) - var2) * 3125) / var1;
        var1 = (p9 * (pressure >> 13) * (pressure >> 13)) >> 25;
        var2 = (p8 * pressure) >> 19;
        ((pressure + var1 + var2) >> 8) + (p7 << 4)
    }

    fn humidity(&self, fine: i32, raw: i32) -> i32 {
        let [h1, h2, h3, h4, h5, h6] = self.h;
        let v = fine - 76_800;
        let left = (((raw << 14) - (h4 << 20) - (h5 * v)) + 16_384) >> 15;
        let bend = (((v * h6) >> 10) * (((v * h3) >> 11) + 32_768)) >> 10;
        let right = ((bend + 2_097_152) * h2 + 8192) >> 14;
        let v = left * right;
        let v = v - (((((v >> 15) * (v >> 15)) >> 7) * h1) >> 4);
        v.clamp(0, 419_430_400) >> 12
    }

    /// The counts that come closest to wanted values (hundredths of a degree, hundredths of a hPa, hundredths of a per cent): each
    /// formula is monotonic in its own count, so halving finds them.
    pub(crate) fn counts_for(&self, temperature: i32, pressure: i32, humidity: i32) -> Raw {
        let raw = |temperature, pressure, humidity| Raw { temperature, pressure, humidity };
        let temperature = halve(0xF_FFFF, |count| self.compensate(raw(count, 0x60000, 0)).temperature >= temperature);
        let fine = self.fine_temperature(temperature);
        let pressure = halve(0xF_FFFF, |count| self.pressure(fine, count) <= i64::from(pressure) * 256);
        let humidity = halve(0xFFFF, |count| self.humidity(fine, count) >= humidity * 1024 / 100);
        raw(temperature, pressure, humidity)
    }
}

/// The smallest of `0..=most` for which `reached` holds.
fn halve(most: i32, reached: impl Fn(i32) -> bool) -> i32 {
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low + (high - low) / 2;
        if reached(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

impl Raw {
    /// The measured registers from [`VALUES`] on: pressure, temperature, humidity.
    pub(crate) fn registers(self) -> [u8; 8] {
        let [_, p2, p1, p0] = (self.pressure << 4).to_be_bytes();
        let [_, t2, t1, t0] = (self.temperature << 4).to_be_bytes();
        let [_, _, h1, h0] = self.humidity.to_be_bytes();
        [p2, p1, p0, t2, t1, t0, h1, h0]
    }
}

/// Makes the stub a BME280 with these trimming values that has measured this.
pub(crate) fn install(stub: &Stub, calibration: &Calibration, raw: Raw) {
    stub.write(ID.0, &[ID.1]);
    for (first, values) in calibration.registers() {
        stub.write(first, &values);
    }
    stub.write(VALUES, &raw.registers());
}
