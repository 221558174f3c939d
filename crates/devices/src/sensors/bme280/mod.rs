//! BME280: temperature, humidity and pressure on I2C (Bosch BST-BME280-DS002).
//!
//! Each reading is a forced measurement with every oversampling at 1, filter off: Bosch's setting for weather stations (3.5.1)
//! and the one that warms the chip least. After each reading the chip is asked whether it still is what was set up: a chip
//! that lost its supply for a moment answers as before, but with settings and measured words at their reset values.

mod compensation;

use std::time::Duration;

use filamentbox_core::config::{KeySpec, Kind};
use filamentbox_core::sample::{Measurement, NoData, SensorTraits};
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};

use self::compensation::{Calibration, FIRST_BLOCK, SECOND_BLOCK};
use super::{Detail, NOISY, Origin, Sensor, SensorKind, on_i2c};
use crate::bus::{BusError, Chip, i2c};

/// The BME280.
pub const BME280: SensorKind = SensorKind {
    name: "bme280",
    title: "BME280",
    origin: Origin::Hardware,
    keys: &[i2c::BUS_KEY, i2c::ADDRESS_KEY, i2c::TRANSPORT_KEY, SEA_LEVEL_KEY],
    addresses: &[0x76, 0x77],
    temperature_max_c: Some(TEMPERATURE_MAX_C),
    in_auto: true,
    open: |settings, context| {
        on_i2c::open(settings, context, BME280.addresses, |chip| {
            let mut sensor = Bme280::new(chip, settings.number(SEA_LEVEL_KEY.key));
            sensor.prepare()?;
            Ok(Box::new(sensor))
        })
    },
    scan: |settings, context| {
        on_i2c::scan(settings, context, &BME280, |mut chip| {
            let id = read_id(&mut chip)?;
            Ok(check_id(id, &chip.place()))
        })
    },
    places: |settings, context| on_i2c::places(settings, context, BME280.addresses),
};

const SEA_LEVEL_KEY: KeySpec = KeySpec::new(
    "sensor.sea_level_pressure",
    Kind::Number { min: 800.0, max: 1200.0 },
    "1013.25",
    "hPa",
    "Air pressure at sea level, from which `sensor read` works out the altitude.",
);

/// End of the range (table 1).
const TEMPERATURE_MAX_C: f64 = 85.0;
/// Pressure range (table 1: "operating pressure range").
const PRESSURE_RANGE_PA: std::ops::RangeInclusive<f64> = 30_000.0..=110_000.0;

/// Registers (5.3, table 18).
mod register {
    pub const CALIBRATION_FIRST: u8 = 0x88;
    pub const ID: u8 = 0xd0;
    pub const RESET: u8 = 0xe0;
    pub const CALIBRATION_SECOND: u8 = 0xe1;
    pub const CTRL_HUM: u8 = 0xf2;
    pub const STATUS: u8 = 0xf3;
    pub const CTRL_MEAS: u8 = 0xf4;
    pub const CONFIG: u8 = 0xf5;
    pub const MEASURED: u8 = 0xf7;
}

const CHIP_ID: u8 = 0x60;
const RESET_WORD: u8 = 0xb6;
/// `osrs_h` = 1 (5.4.3).
const CTRL_HUM: u8 = 0b001;
/// `osrs_t` = 1, `osrs_p` = 1, forced mode (5.4.5).
const CTRL_MEAS: u8 = 0b0010_0101;
/// All but the mode, to which the chip returns by itself.
const OVERSAMPLING: u8 = 0b1111_1100;
/// IIR filter (5.4.6).
const FILTER: u8 = 0b0001_1100;
const STATUS_MEASURING: u8 = 1 << 3;
const STATUS_COPYING_CALIBRATION: u8 = 1;

/// Longest start after a reset (table 1: 2 ms).
const START_UP: Duration = Duration::from_millis(2);
/// Longest measurement with every oversampling at 1: 1.25 + 2.3 + (2.3 + 0.575) + (2.3 + 0.575) = 9.3 ms (9.1), rounded up.
const MEASUREMENT: Duration = Duration::from_millis(10);
/// A chip that is not ready by then is asked so often, this far apart, before it is given up.
const POLLS: u32 = 20;
const POLL_PAUSE: Duration = Duration::from_millis(2);
/// The words that mean "not measured" are also measured now and then: at one temperature and at one pressure. Measured anew,
/// noise moves a true one away.
const MEASUREMENTS_MAX: u32 = 3;

/// Raw words that mean "not measured" (5.4.7 to 5.4.9).
const SKIPPED_20_BITS: u32 = 0x8_0000;
const SKIPPED_16_BITS: u16 = 0x8000;

fn read_id(chip: &mut impl Chip) -> Result<u8, BusError> {
    let mut id = [0];
    chip.read_registers(register::ID, &mut id)?;
    Ok(id[0])
}

fn check_id(id: u8, place: &str) -> Result<(), NoData> {
    match id {
        CHIP_ID => Ok(()),
        0x56..=0x58 => Err(NoData::NotPresent(format!(
            "the chip at {place} is a BMP280 (chip id {id:#04x}): a BMP280 has no humidity, a BME280 is needed"
        ))),
        0x61 => Err(NoData::NotPresent(format!("the chip at {place} is a BME680 (chip id 0x61), not a BME280"))),
        0x00 | 0xff => Err(NoData::Bus(format!("{place} answers only {id:#04x}; check the wiring"))),
        _ => Err(NoData::NotPresent(format!("the chip at {place} is no BME280: chip id {id:#04x}, not 0x60"))),
    }
}

/// The words of one measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Raw {
    temperature: u32,
    pressure: u32,
    humidity: u16,
}

impl Raw {
    fn from_registers(bytes: [u8; 8]) -> Self {
        let twenty_bits = |msb: u8, lsb: u8, xlsb: u8| u32::from_be_bytes([0, msb, lsb, xlsb]) >> 4;
        let [p0, p1, p2, t0, t1, t2, h0, h1] = bytes;
        Self {
            temperature: twenty_bits(t0, t1, t2),
            pressure: twenty_bits(p0, p1, p2),
            humidity: u16::from_be_bytes([h0, h1]),
        }
    }

    fn is_skipped(self) -> bool {
        self.temperature == SKIPPED_20_BITS || self.pressure == SKIPPED_20_BITS || self.humidity == SKIPPED_16_BITS
    }

    /// A word at the end of what its bits can hold: a line held low or high, or a broken cell.
    fn is_at_an_end(self) -> bool {
        let ends = [0, compensation::RAW_MAX];
        ends.contains(&self.temperature) || ends.contains(&self.pressure) || [0, u16::MAX].contains(&self.humidity)
    }
}

/// A converted measurement.
#[derive(Clone, Copy, Debug)]
struct Converted {
    centi_c: i32,
    pressure_pa_256ths: i128,
    humidity_pct_1024ths: u32,
}

/// One BME280.
pub struct Bme280<C> {
    chip: C,
    sea_level_hpa: f64,
    /// `None`: to be set up before the next measurement.
    calibration: Option<Calibration>,
    /// The chip did not do as it was told.
    needs_reset: bool,
    last: Option<(Raw, Converted)>,
}

impl<C: Chip> Bme280<C> {
    /// The sensor behind `chip`; nothing is sent yet.
    pub fn new(chip: C, sea_level_hpa: f64) -> Self {
        Self { chip, sea_level_hpa, calibration: None, needs_reset: false, last: None }
    }

    /// Checks what kind of chip this is. Changes nothing, whoever else may be using it.
    fn identify(&mut self) -> Result<(), NoData> {
        let id = read_id(&mut self.chip)?;
        check_id(id, &self.chip.place())
    }

    /// Checks what kind of chip this is, reads its calibration and sets it up, by way of a reset unless it is set up already:
    /// two programs may read one sensor (the daemon, and a person with `sensor read`).
    fn prepare(&mut self) -> Result<Calibration, NoData> {
        self.identify()?;
        if self.needs_reset || !self.is_set_up()? {
            self.chip.write_register(register::RESET, RESET_WORD)?;
            self.chip.pause(START_UP);
            self.wait_while(STATUS_COPYING_CALIBRATION)?;
            self.chip.write_register(register::CONFIG, 0)?;
            self.chip.write_register(register::CTRL_HUM, CTRL_HUM)?;
        }
        let (mut first, mut second) = ([0; FIRST_BLOCK], [0; SECOND_BLOCK]);
        self.chip.read_registers(register::CALIBRATION_FIRST, &mut first)?;
        self.chip.read_registers(register::CALIBRATION_SECOND, &mut second)?;
        if [0x00, 0xff].iter().any(|blank| first.iter().all(|byte| byte == blank)) {
            return Err(NoData::Bus(format!("the BME280 at {} has an empty calibration", self.chip.place())));
        }
        let calibration = Calibration::from_registers(&first, &second);
        self.calibration = Some(calibration);
        self.needs_reset = false;
        Ok(calibration)
    }

    fn wait_while(&mut self, bit: u8) -> Result<(), NoData> {
        for _ in 0..POLLS {
            let mut status = [0];
            self.chip.read_registers(register::STATUS, &mut status)?;
            if status[0] & bit == 0 {
                return Ok(());
            }
            self.chip.pause(POLL_PAUSE);
        }
        Err(NoData::TimedOut)
    }

    fn measure(&mut self, calibration: &Calibration) -> Result<(Raw, Converted), NoData> {
        let mut raw = self.measure_raw()?;
        for _ in 1..MEASUREMENTS_MAX {
            if !raw.is_skipped() {
                break;
            }
            raw = self.measure_raw()?;
        }
        if raw.is_skipped() {
            return Err(NoData::Implausible(format!("a quantity was not measured: {raw:x?}")));
        }
        if raw.is_at_an_end() {
            return Err(NoData::Implausible(format!("a raw word is at its end: {raw:x?}")));
        }
        Ok((raw, convert(calibration, raw)?))
    }

    fn measure_raw(&mut self) -> Result<Raw, NoData> {
        // This also puts ctrl_hum into effect (5.4.3).
        self.chip.write_register(register::CTRL_MEAS, CTRL_MEAS)?;
        self.chip.pause(MEASUREMENT);
        self.wait_while(STATUS_MEASURING)?;
        let mut bytes = [0; 8];
        self.chip.read_registers(register::MEASURED, &mut bytes)?;
        self.check_settings()?;
        Ok(Raw::from_registers(bytes))
    }

    /// A reset since [`Self::prepare`] shows in `ctrl_hum`, one within this measurement in `ctrl_meas` too.
    fn check_settings(&mut self) -> Result<(), NoData> {
        self.identify()?;
        if self.is_set_up()? {
            return Ok(());
        }
        let place = self.chip.place();
        Err(NoData::Bus(format!("the BME280 at {place} has lost its settings: its supply failed for a moment")))
    }

    fn is_set_up(&mut self) -> Result<bool, NoData> {
        let mut settings = [0; 4];
        self.chip.read_registers(register::CTRL_HUM, &mut settings)?;
        let [ctrl_hum, _, ctrl_meas, config] = settings;
        let oversampling = ctrl_meas & OVERSAMPLING == CTRL_MEAS & OVERSAMPLING;
        Ok(ctrl_hum & 0b111 == CTRL_HUM && oversampling && config & FILTER == 0)
    }
}

fn convert(calibration: &Calibration, raw: Raw) -> Result<Converted, NoData> {
    let implausible = |what: String| NoData::Implausible(format!("{what} is outside the BME280's range"));
    let fine = calibration
        .fine_temperature(raw.temperature)
        .map_err(|out| implausible(format!("{:.2} °C", f64::from(out.centi_c) / 100.0)))?;
    let pressure_pa_256ths = calibration
        .pressure_pa_256ths(fine, raw.pressure)
        .ok_or_else(|| NoData::Implausible("the calibration gives no pressure".to_owned()))?;
    // Only numbers far outside the range lose digits here.
    let pressure_pa = pressure_pa_256ths as f64 / 256.0;
    if !PRESSURE_RANGE_PA.contains(&pressure_pa) {
        return Err(implausible(format!("{:.2} hPa", pressure_pa / 100.0)));
    }
    let humidity_pct_1024ths = calibration.humidity_pct_1024ths(fine, raw.humidity);
    Ok(Converted { centi_c: fine.centi_c(), pressure_pa_256ths, humidity_pct_1024ths })
}

impl Converted {
    fn pressure_hpa(&self) -> f64 {
        self.pressure_pa_256ths as f64 / 25_600.0
    }

    fn measurement(&self) -> Option<Measurement> {
        Some(Measurement {
            temperature: Celsius::from_centi(self.centi_c)?,
            humidity: RelativeHumidity::new(f64::from(self.humidity_pct_1024ths) / 1024.0)?,
            pressure: Some(Hectopascal::new(self.pressure_hpa())?),
        })
    }
}

/// `numerator / denominator` with nine decimals, cut off, as the kernel prints fractions.
fn nine_decimals(numerator: i128, denominator: i128) -> String {
    let billionths = numerator * 1_000_000_000 / denominator;
    format!("{}.{:09}", billionths / 1_000_000_000, billionths % 1_000_000_000)
}

impl<C: Chip> Sensor for Bme280<C> {
    fn read(&mut self) -> Result<Measurement, NoData> {
        let calibration = match self.calibration {
            Some(calibration) => calibration,
            None => self.prepare()?,
        };
        let result = self.measure(&calibration);
        if result.as_ref().is_err_and(|reason| !matches!(reason, NoData::Implausible(_))) {
            self.calibration = None;
            self.needs_reset = true;
        }
        let (raw, converted) = result?;
        let measurement = converted.measurement();
        let measurement = measurement.ok_or_else(|| NoData::Implausible(format!("{converted:?}")))?;
        self.last = Some((raw, converted));
        Ok(measurement)
    }

    fn describe(&self) -> String {
        format!("BME280 at {}", self.chip.place())
    }

    fn traits(&self) -> SensorTraits {
        SensorTraits { temperature_max_c: TEMPERATURE_MAX_C, frozen: NOISY }
    }

    fn fingerprint(&self) -> Option<u64> {
        let (raw, _) = self.last?;
        Some(u64::from(raw.temperature) << 36 | u64::from(raw.pressure) << 16 | u64::from(raw.humidity))
    }

    fn details(&self) -> Vec<Detail> {
        let Some((raw, converted)) = self.last else { return Vec::new() };
        let altitude_m = 44_330.77 * (1.0 - (converted.pressure_hpa() / self.sea_level_hpa).powf(0.190_263));
        vec![
            Detail::new("raw_temperature", format!("{:#07x}", raw.temperature)),
            Detail::new("raw_pressure", format!("{:#07x}", raw.pressure)),
            Detail::new("raw_humidity", format!("{:#06x}", raw.humidity)),
            Detail::new("temperature_c", super::centi(converted.centi_c)),
            Detail::new("pressure_kpa", nine_decimals(converted.pressure_pa_256ths, 256_000)),
            Detail::new("humidity_milli_pct", nine_decimals(i128::from(converted.humidity_pct_1024ths) * 1000, 1024)),
            Detail::new("altitude_m", format!("{altitude_m:.1}")),
        ]
    }
}

#[cfg(test)]
pub(super) mod tests;
