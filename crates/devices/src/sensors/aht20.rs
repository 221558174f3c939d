//! Aosong AHT20, also sold as DHT20: temperature and humidity on I2C, by commands (product manuals "AHT20" and "DHT20").

use std::time::Duration;

use filamentbox_core::sample::{Measurement, NoData, SensorTraits};
use filamentbox_core::units::{Celsius, RelativeHumidity};

use super::crc8::crc8;
use super::{Detail, NOISY, Origin, Sensor, SensorKind, on_i2c};
use crate::bus::{BusError, Chip, Fault, i2c};

/// The AHT20.
pub const AHT20: SensorKind = SensorKind {
    name: "aht20",
    title: "AHT20",
    origin: Origin::Hardware,
    keys: &[i2c::BUS_KEY, i2c::ADDRESS_KEY],
    addresses: &[0x38],
    temperature_max_c: Some(TEMPERATURE_MAX_C),
    in_auto: true,
    open: |settings, context| {
        on_i2c::open(settings, context, AHT20.addresses, |chip| {
            let mut sensor = Aht20::new(chip);
            sensor.prepare()?;
            Ok(Box::new(sensor))
        })
    },
    scan: |settings, context| on_i2c::scan(settings, context, &AHT20, |mut chip| identify(&mut chip).map(Ok)),
    places: |settings, context| on_i2c::places(settings, context, AHT20.addresses),
};

const TEMPERATURE_MIN_C: f64 = -40.0;
const TEMPERATURE_MAX_C: f64 = 85.0;

const STATUS: [u8; 1] = [0x71];
const INITIALISE: [u8; 3] = [0xbe, 0x08, 0x00];
const TRIGGER: [u8; 3] = [0xac, 0x33, 0x00];
const STATUS_BUSY: u8 = 1 << 7;
const STATUS_CALIBRATED: u8 = 1 << 3;

/// After the first command, and after the initialisation.
const SETTLE: Duration = Duration::from_millis(10);
/// A measurement takes so long.
const MEASUREMENT: Duration = Duration::from_millis(80);
/// A chip that is still busy is asked so often, this far apart, before it is given up.
const POLLS: u32 = 10;
const POLL_PAUSE: Duration = Duration::from_millis(10);

/// Status, twice 20 bits, checksum.
const ANSWER: usize = 7;
const HALF: u32 = 1 << 19;
/// 20 bits are the whole span.
const SPAN: u32 = 1 << 20;

/// Whether an AHT20 answers. Its address is also that of port expanders, to which every byte that is sent is a set of outputs,
/// perhaps relays: so nothing is sent. An expander answers the same byte over and over, an AHT20 its last measurement;
/// one that has not loaded its calibration since its power came on has to be named in `sensor.type`.
fn identify(chip: &mut impl Chip) -> Result<(), BusError> {
    let mut answer = [0; ANSWER];
    chip.receive(&mut answer)?;
    let is_expander = answer.iter().all(|byte| *byte == answer[0]);
    if is_expander || answer[0] & STATUS_CALIBRATED == 0 {
        let text = format!("the chip at {} does not answer as an AHT20 does", chip.place());
        return Err(BusError { fault: Fault::Silent, text });
    }
    Ok(())
}

/// One AHT20.
pub struct Aht20<C> {
    chip: C,
    is_prepared: bool,
    /// Raw temperature and humidity.
    last: Option<(u32, u32)>,
}

impl<C: Chip> Aht20<C> {
    /// The sensor behind `chip`; nothing is sent yet.
    pub fn new(chip: C) -> Self {
        Self { chip, is_prepared: false, last: None }
    }

    fn status(&mut self) -> Result<u8, NoData> {
        let mut status = [0];
        self.chip.send(&STATUS)?;
        self.chip.receive(&mut status)?;
        Ok(status[0])
    }

    /// Loads the calibration where the chip has not done so by itself.
    fn prepare(&mut self) -> Result<(), NoData> {
        if self.status()? & STATUS_CALIBRATED == 0 {
            self.chip.send(&INITIALISE)?;
            self.chip.pause(SETTLE);
            if self.status()? & STATUS_CALIBRATED == 0 {
                let place = self.chip.place();
                return Err(NoData::Bus(format!("the AHT20 at {place} does not load its calibration")));
            }
        }
        self.chip.pause(SETTLE);
        self.is_prepared = true;
        Ok(())
    }

    fn measure(&mut self) -> Result<(u32, u32), NoData> {
        if !self.is_prepared {
            self.prepare()?;
        }
        self.chip.send(&TRIGGER)?;
        self.chip.pause(MEASUREMENT);
        let mut answer = [0; ANSWER];
        self.chip.receive(&mut answer)?;
        for _ in 0..POLLS {
            if answer[0] & STATUS_BUSY == 0 {
                break;
            }
            self.chip.pause(POLL_PAUSE);
            self.chip.receive(&mut answer)?;
        }
        let [status, h0, h1, shared, t1, t0, sum] = answer;
        if status & STATUS_BUSY != 0 {
            return Err(NoData::TimedOut);
        }
        if crc8(&answer[..ANSWER - 1]) != sum {
            return Err(NoData::Checksum);
        }
        if status & STATUS_CALIBRATED == 0 {
            // Its supply failed for a moment.
            return Err(NoData::Bus(format!("the AHT20 at {} has lost its calibration", self.chip.place())));
        }
        let humidity = u32::from_be_bytes([0, h0, h1, shared]) >> 4;
        let temperature = u32::from_be_bytes([0, shared & 0x0f, t1, t0]);
        Ok((temperature, humidity))
    }
}

/// Thousandths of a degree: 200 °C from -50 °C on are the whole span.
fn temperature_milli_c(raw: u32) -> i64 {
    -50_000 + (i64::from(raw) * 200_000 + i64::from(HALF)) / i64::from(SPAN)
}

/// Thousandths of a percent.
fn humidity_milli_pct(raw: u32) -> i64 {
    (i64::from(raw) * 100_000 + i64::from(HALF)) / i64::from(SPAN)
}

impl<C: Chip> Sensor for Aht20<C> {
    fn read(&mut self) -> Result<Measurement, NoData> {
        let result = self.measure();
        self.is_prepared = result.is_ok();
        let (raw_temperature, raw_humidity) = result?;
        let temperature_c = temperature_milli_c(raw_temperature) as f64 / 1000.0;
        let humidity_pct = humidity_milli_pct(raw_humidity) as f64 / 1000.0;
        let text = format!("{temperature_c} °C, {humidity_pct} %");
        if !(TEMPERATURE_MIN_C..=TEMPERATURE_MAX_C).contains(&temperature_c) {
            return Err(NoData::Implausible(format!("{text} is outside the AHT20's range")));
        }
        let (temperature, humidity) = (Celsius::new(temperature_c), RelativeHumidity::new(humidity_pct));
        let (Some(temperature), Some(humidity)) = (temperature, humidity) else {
            return Err(NoData::Implausible(text));
        };
        self.last = Some((raw_temperature, raw_humidity));
        Ok(Measurement { temperature, humidity, pressure: None })
    }

    fn describe(&self) -> String {
        format!("AHT20 at {}", self.chip.place())
    }

    fn traits(&self) -> SensorTraits {
        SensorTraits { temperature_max_c: TEMPERATURE_MAX_C, frozen: NOISY }
    }

    fn fingerprint(&self) -> Option<u64> {
        self.last.map(|(temperature, humidity)| u64::from(temperature) << 20 | u64::from(humidity))
    }

    fn details(&self) -> Vec<Detail> {
        let Some((temperature, humidity)) = self.last else { return Vec::new() };
        vec![
            Detail::new("raw_temperature", format!("{temperature:#07x}")),
            Detail::new("raw_humidity", format!("{humidity:#07x}")),
            Detail::new("temperature_milli_c", temperature_milli_c(temperature).to_string()),
            Detail::new("humidity_milli_pct", humidity_milli_pct(humidity).to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::command_chip::CommandChip;
    use super::*;

    const CALIBRATED: u8 = 0x18;
    /// An answer published by the driver peff74/ESP_AHT20_BMP280, with its humidity of 57.69 %.
    const PUBLISHED: [u8; ANSWER] = [0x18, 0x93, 0xac, 0x95, 0x2a, 0xc5, 0xb3];

    fn answer(status: u8, temperature: u32, humidity: u32) -> Vec<u8> {
        let [_, h0, h1, h2] = (humidity << 4).to_be_bytes();
        let [_, t2, t1, t0] = temperature.to_be_bytes();
        let mut answer = vec![status, h0, h1, h2 | t2, t1, t0];
        answer.push(crc8(&answer));
        answer
    }

    fn sensor(answers: impl IntoIterator<Item = Vec<u8>>) -> Aht20<CommandChip> {
        Aht20::new(CommandChip::new([vec![CALIBRATED]].into_iter().chain(answers)))
    }

    fn read(answer: Vec<u8>) -> Result<(i32, i32), NoData> {
        sensor([answer]).read().map(|reading| (reading.temperature.centi(), reading.humidity.centi()))
    }

    #[test]
    fn published_answers_become_quantities() {
        assert_eq!(read(PUBLISHED.to_vec()), Ok((1459, 5769)));
        // The example of elixir-sensors/aht20.
        assert_eq!(read(vec![28, 38, 154, 118, 66, 231, 118]), Ok((2827, 1508)));
    }

    #[test]
    fn the_ends_of_the_range() {
        // -40 °C is 1/20 of the span, 85 °C is 27/40.
        assert_eq!(read(answer(CALIBRATED, 52_429, 1)).map(|(c, _)| c), Ok(-4000));
        assert!(matches!(read(answer(CALIBRATED, 52_000, 1)), Err(NoData::Implausible(_))));
        assert_eq!(read(answer(CALIBRATED, 707_789, 1)).map(|(c, _)| c), Ok(8500));
        assert!(matches!(read(answer(CALIBRATED, 708_000, 1)), Err(NoData::Implausible(_))));
        assert_eq!(read(answer(CALIBRATED, 400_000, 0xf_ffff)).map(|(_, pct)| pct), Ok(10_000));
    }

    #[test]
    fn a_turned_bit_is_never_a_number() {
        for bit in 1..8 * ANSWER {
            let mut damaged = PUBLISHED;
            damaged[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(read(damaged.to_vec()), Err(NoData::Checksum), "bit {bit}");
        }
    }

    #[test]
    fn the_calibration_is_loaded_where_it_is_not() {
        let mut sensor = Aht20::new(CommandChip::new([vec![0x00], vec![CALIBRATED], PUBLISHED.to_vec()]));
        sensor.read().expect("a reading");
        assert_eq!(sensor.chip.sent, [&STATUS[..], &INITIALISE, &STATUS, &TRIGGER]);
        let mut broken = Aht20::new(CommandChip::new([vec![0x00], vec![0x00]]));
        assert!(matches!(broken.read(), Err(NoData::Bus(text)) if text.contains("calibration")));
    }

    #[test]
    fn a_chip_that_lost_its_supply_is_prepared_anew() {
        let lost = answer(0x10, 400_000, 400_000);
        let mut sensor = sensor([lost, vec![CALIBRATED], PUBLISHED.to_vec()]);
        assert!(matches!(sensor.read(), Err(NoData::Bus(_))));
        sensor.read().expect("a reading");
    }

    #[test]
    fn a_busy_chip_is_waited_for_and_then_given_up() {
        let busy = answer(CALIBRATED | STATUS_BUSY, 400_000, 400_000);
        let mut late = sensor([busy.clone(), busy.clone(), PUBLISHED.to_vec()]);
        late.read().expect("a reading");
        assert_eq!(late.chip.paused, SETTLE + MEASUREMENT + 2 * POLL_PAUSE);
        let mut stuck = sensor(std::iter::repeat_n(busy, 20));
        assert_eq!(stuck.read(), Err(NoData::TimedOut));
    }

    #[test]
    fn looking_for_it_sends_nothing() {
        let mut chip = CommandChip::new([PUBLISHED.to_vec()]);
        assert_eq!(identify(&mut chip), Ok(()));
        assert!(chip.sent.is_empty());
        for other in [[0xff; ANSWER], [0x00; ANSWER], [0x1c; ANSWER], [0x00, 1, 2, 3, 4, 5, 6]] {
            let mut chip = CommandChip::new([other.to_vec()]);
            assert_eq!(identify(&mut chip).expect_err("no AHT20").fault, Fault::Silent);
            assert!(chip.sent.is_empty());
        }
    }

    #[test]
    fn details_are_the_words_and_what_they_mean() {
        let mut sensor = sensor([PUBLISHED.to_vec()]);
        assert_eq!((sensor.fingerprint(), sensor.details()), (None, Vec::new()));
        sensor.read().expect("a reading");
        let details: Vec<String> = sensor.details().iter().map(|d| format!("{}={}", d.name, d.value)).collect();
        assert_eq!(
            details,
            [
                "raw_temperature=0x52ac5",
                "raw_humidity=0x93ac9",
                "temperature_milli_c=14588",
                "humidity_milli_pct=57685"
            ]
        );
        assert_eq!(sensor.fingerprint(), Some(0x52_ac59_3ac9));
    }
}
