//! A BME280 in software behind the driver, and what the driver makes of it.

use std::collections::VecDeque;

use super::*;
use crate::bus::Fault;

/// The worked example's parameters as they lie in the registers.
pub const EXAMPLE_FIRST: [u8; FIRST_BLOCK] = [
    0x70, 0x6b, 0x43, 0x67, 0x18, 0xfc, 0x7d, 0x8e, 0x43, 0xd6, 0xd0, 0x0b, 0x27, 0x0b, 0x8c, 0x00, 0xf9, 0xff, 0x8c,
    0x3c, 0xf8, 0xc6, 0x70, 0x17, 0x00, 0x4b,
];
pub const EXAMPLE_SECOND: [u8; SECOND_BLOCK] = [0x72, 0x01, 0x00, 0x13, 0x29, 0x03, 0x1e];
const EXAMPLE_WORDS: [u8; 8] = [0x65, 0x5a, 0xc0, 0x7e, 0xed, 0x00, 0x70, 0x90];
const SKIPPED: [u8; 8] = [0x80, 0, 0, 0x80, 0, 0, 0x80, 0];

/// A chip that does what the sheet says: reset values, a measuring bit, and words that appear when it falls.
struct FakeChip {
    registers: [u8; 256],
    /// What the next measurements give; the last one is repeated.
    words: VecDeque<[u8; 8]>,
    /// So often `status` is read as busy after each start; `None`: the bit never falls.
    busy_polls: Option<u32>,
    busy_for: u32,
    /// The supply fails after so many further measurements.
    brown_out_after: Option<u32>,
    failing: Option<Fault>,
    resets: u32,
    paused: Duration,
}

impl FakeChip {
    fn new() -> Self {
        let mut chip = Self {
            registers: [0; 256],
            words: VecDeque::from([EXAMPLE_WORDS]),
            busy_polls: Some(0),
            busy_for: 0,
            brown_out_after: None,
            failing: None,
            resets: 0,
            paused: Duration::ZERO,
        };
        chip.reset();
        chip
    }

    fn reset(&mut self) {
        self.registers = [0; 256];
        self.registers[0xd0] = 0x60;
        self.registers[0x88..0x88 + FIRST_BLOCK].copy_from_slice(&EXAMPLE_FIRST);
        self.registers[0xe1..0xe1 + SECOND_BLOCK].copy_from_slice(&EXAMPLE_SECOND);
        self.registers[0xf7..0xff].copy_from_slice(&SKIPPED);
        self.resets += 1;
    }

    fn start_measurement(&mut self) {
        assert_eq!(self.registers[0xf2], 1, "ctrl_hum is set before ctrl_meas");
        let words = if self.words.len() > 1 { self.words.pop_front() } else { self.words.front().copied() };
        self.registers[0xf7..0xff].copy_from_slice(&words.expect("there is always one"));
        self.busy_for = self.busy_polls.unwrap_or(u32::MAX);
        match &mut self.brown_out_after {
            Some(0) => {
                self.brown_out_after = None;
                self.reset();
            }
            Some(left) => *left -= 1,
            None => {}
        }
    }

    fn fail(&self) -> Result<(), BusError> {
        self.failing.map_or(Ok(()), |fault| Err(BusError { fault, text: "told to fail".to_owned() }))
    }
}

impl Chip for FakeChip {
    fn read_registers(&mut self, first: u8, into: &mut [u8]) -> Result<(), BusError> {
        self.fail()?;
        if first == 0xf3 {
            self.registers[0xf3] = if self.busy_for > 0 { 0b1000 } else { 0 };
            self.busy_for = self.busy_for.saturating_sub(1);
        }
        let first = usize::from(first);
        into.copy_from_slice(&self.registers[first..first + into.len()]);
        Ok(())
    }

    fn write_register(&mut self, register: u8, value: u8) -> Result<(), BusError> {
        self.fail()?;
        self.registers[usize::from(register)] = value;
        match register {
            0xe0 if value == 0xb6 => self.reset(),
            0xf4 if value & 0b11 == 0b01 => self.start_measurement(),
            _ => {}
        }
        Ok(())
    }

    fn send(&mut self, _: &[u8]) -> Result<(), BusError> {
        unreachable!("a BME280 has registers")
    }

    fn receive(&mut self, _: &mut [u8]) -> Result<(), BusError> {
        unreachable!("a BME280 has registers")
    }

    fn pause(&mut self, time: Duration) {
        self.paused += time;
    }

    fn place(&self) -> String {
        "0x76 on /dev/i2c-1".to_owned()
    }
}

fn sensor(change: impl FnOnce(&mut FakeChip)) -> Bme280<FakeChip> {
    let mut chip = FakeChip::new();
    change(&mut chip);
    Bme280::new(chip, 1013.25)
}

fn words(temperature: u32, pressure: u32, humidity: u16) -> [u8; 8] {
    let [_, p0, p1, p2] = (pressure << 4).to_be_bytes();
    let [_, t0, t1, t2] = (temperature << 4).to_be_bytes();
    let [h0, h1] = humidity.to_be_bytes();
    [p0, p1, p2, t0, t1, t2, h0, h1]
}

#[track_caller]
fn is_implausible(result: &Result<Measurement, NoData>, word: &str) {
    assert!(matches!(result, Err(NoData::Implausible(text)) if text.contains(word)), "{result:?}");
}

#[test]
fn the_worked_example_comes_out() {
    let mut sensor = sensor(|_| {});
    assert_eq!((sensor.fingerprint(), sensor.details()), (None, Vec::new()));
    let reading = sensor.read().expect("a reading");
    assert_eq!((reading.temperature.centi(), reading.humidity.centi()), (2508, 4947));
    assert_eq!(reading.pressure.map(Hectopascal::pascal), Some(100_653));
    let details: Vec<String> = sensor.details().iter().map(|d| format!("{}={}", d.name, d.value)).collect();
    assert_eq!(
        details,
        [
            "raw_temperature=0x7eed0",
            "raw_pressure=0x655ac",
            "raw_humidity=0x7090",
            "temperature_c=25.08",
            "pressure_kpa=100.653253906",
            "humidity_milli_pct=49468.750000000",
            "altitude_m=56.1",
        ]
    );
    assert_eq!(sensor.fingerprint(), Some(0x007e_ed06_55ac_7090));
    assert_eq!(sensor.describe(), "BME280 at 0x76 on /dev/i2c-1");
}

#[test]
fn it_waits_for_the_longest_measurement_and_then_for_the_busy_bit() {
    let mut quick = sensor(|_| {});
    quick.read().expect("a reading");
    assert_eq!(quick.chip.paused, START_UP + MEASUREMENT);
    let mut slow = sensor(|chip| chip.busy_polls = Some(3));
    slow.read().expect("a reading");
    assert_eq!(slow.chip.paused, START_UP + MEASUREMENT + 3 * POLL_PAUSE);
    let mut stuck = sensor(|chip| chip.busy_polls = None);
    assert_eq!(stuck.read(), Err(NoData::TimedOut));
    assert!(stuck.chip.paused < Duration::from_secs(1));
    stuck.chip.busy_polls = Some(0);
    stuck.chip.busy_for = 0;
    let resets = stuck.chip.resets;
    stuck.read().expect("it came back by itself");
    assert_eq!(stuck.chip.resets, resets + 1, "after a reset");
}

#[test]
fn a_chip_that_is_set_up_is_not_reset_by_a_second_reader() {
    let mut first = sensor(|_| {});
    first.read().expect("a reading");
    let resets = first.chip.resets;
    let mut second = Bme280::new(first.chip, 1013.25);
    second.read().expect("a reading");
    assert_eq!(second.chip.resets, resets);
    second.chip.registers[0xf5] = 0b0001_0000;
    let mut third = Bme280::new(second.chip, 1013.25);
    third.read().expect("a reading");
    assert_eq!((third.chip.resets, third.chip.registers[0xf5]), (resets + 1, 0), "somebody else's filter is taken out");
}

#[test]
fn other_chips_are_told_apart() {
    for (id, word) in [(0x58, "BMP280 has no humidity"), (0x61, "BME680"), (0x12, "chip id 0x12")] {
        let result = sensor(|chip| chip.registers[0xd0] = id).read();
        assert!(matches!(&result, Err(NoData::NotPresent(text)) if text.contains(word)), "{result:?}");
    }
    for id in [0x00, 0xff] {
        assert!(matches!(sensor(|chip| chip.registers[0xd0] = id).read(), Err(NoData::Bus(_))));
    }
}

#[test]
fn a_supply_that_fails_for_a_moment_is_noticed_and_survived() {
    let mut sensor = sensor(|chip| chip.brown_out_after = Some(1));
    sensor.read().expect("a reading");
    let lost = sensor.read();
    assert!(matches!(&lost, Err(NoData::Bus(text)) if text.contains("supply")), "{lost:?}");
    assert_eq!(sensor.read().expect("set up anew").temperature.centi(), 2508);
}

#[test]
fn a_bus_that_fails_gives_no_reading_and_comes_back() {
    let mut sensor = sensor(|_| {});
    sensor.read().expect("a reading");
    sensor.chip.failing = Some(Fault::Silent);
    assert!(matches!(sensor.read(), Err(NoData::NotPresent(_))));
    sensor.chip.failing = Some(Fault::Failed);
    assert!(matches!(sensor.read(), Err(NoData::Bus(_))));
    sensor.chip.failing = None;
    sensor.read().expect("a reading");
}

#[test]
fn words_that_mean_not_measured_are_never_numbers() {
    for skipped in [words(0x80000, 415_148, 28_816), words(519_888, 0x80000, 28_816), words(519_888, 415_148, 0x8000)] {
        is_implausible(&sensor(|chip| chip.words = VecDeque::from([skipped])).read(), "not measured");
        // The same word, measured: the next measurement differs.
        let mut true_word = sensor(|chip| chip.words = VecDeque::from([skipped, EXAMPLE_WORDS]));
        assert_eq!(true_word.read().expect("measured anew").temperature.centi(), 2508);
    }
}

#[test]
fn words_at_their_end_and_values_out_of_range_are_never_numbers() {
    let cases = [
        (words(0, 415_148, 28_816), "at its end"),
        (words(0xfffff, 415_148, 28_816), "at its end"),
        (words(519_888, 0, 28_816), "at its end"),
        (words(519_888, 0xfffff, 28_816), "at its end"),
        (words(519_888, 415_148, 0), "at its end"),
        (words(519_888, 415_148, 0xffff), "at its end"),
        (words(720_000, 415_148, 28_816), "°C is outside"),
        (words(300_000, 415_148, 28_816), "°C is outside"),
        (words(519_888, 330_000, 28_816), "hPa is outside"),
        (words(519_888, 900_000, 28_816), "hPa is outside"),
    ];
    for (case, word) in cases {
        let mut sensor = sensor(|chip| chip.words = VecDeque::from([case, EXAMPLE_WORDS]));
        is_implausible(&sensor.read(), word);
        assert_eq!(sensor.fingerprint(), None);
        sensor.read().expect("the next one is good");
    }
}

#[test]
fn an_empty_calibration_is_refused() {
    let mut sensor = sensor(|chip| {
        chip.registers[0xf2] = CTRL_HUM;
        chip.registers[0xf4] = CTRL_MEAS;
        chip.registers[0x88..0x88 + FIRST_BLOCK].fill(0);
    });
    assert!(matches!(sensor.read(), Err(NoData::Bus(text)) if text.contains("empty calibration")));
}

proptest::proptest! {
    #[test]
    fn no_registers_make_it_panic(first: [u8; FIRST_BLOCK], second: [u8; SECOND_BLOCK], words: [u8; 8]) {
        let mut sensor = sensor(|chip| {
            // Set up already, so that no reset brings the example back.
            chip.registers[0xf2] = CTRL_HUM;
            chip.registers[0xf4] = CTRL_MEAS;
            chip.registers[0x88..0x88 + FIRST_BLOCK].copy_from_slice(&first);
            chip.registers[0xe1..0xe1 + SECOND_BLOCK].copy_from_slice(&second);
            chip.words = VecDeque::from([words]);
        });
        if let Ok(reading) = sensor.read() {
            proptest::prop_assert!((-40.0..=85.0).contains(&reading.temperature.degrees()));
            let pressure = reading.pressure.expect("it has one");
            proptest::prop_assert!((300.0..=1100.0).contains(&pressure.hectopascal()));
            proptest::prop_assert!(!sensor.details().is_empty());
        }
    }
}
