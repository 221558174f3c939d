//! Sensors on real kernel interfaces: our BME280 against the data sheet and the kernel's own driver, and what happens when a chip
//! fails, lies or goes.

use std::time::Duration;

use super::boxes::daemon_with_sensor;
use super::{Scenario, scenarios};
use crate::guest::measured;
use crate::machine::bme280::{self, Calibration, EXAMPLE, NEVER_MEASURED, Raw};
use crate::machine::clock;
use crate::machine::daemon::{Daemon, text_of};
use crate::machine::i2c::Stub;
use crate::machine::random::Random;

pub(super) const ALL: &[Scenario] = scenarios![
    the_data_sheets_example,
    ours_and_the_kernels_driver_agree,
    the_chip_is_found_and_its_holder_is_named,
    another_chip_is_named,
    words_at_the_end_of_their_range_are_no_reading,
    a_brown_out_gives_no_reading_until_the_chip_measures_again,
    a_chip_that_is_taken_away_comes_back_by_itself,
];

/// Register images that are compared.
const IMAGES: u32 = 25;
/// A reading comes every second.
const SOON: Duration = Duration::from_secs(10);
/// A sensor that was lost is looked for at least so often.
const SEARCH: Duration = Duration::from_secs(40);

/// A BME280 with the data sheet's example.
fn example() -> Stub {
    let stub = Stub::new(0x76);
    let (calibration, raw) = EXAMPLE;
    bme280::install(&stub, &calibration, raw);
    stub
}

/// What `sensor read` says of a quantity, in full.
#[track_caller]
fn detail(read: &str, name: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(read).expect("JSON");
    let value = find(&answer, name).unwrap_or_else(|| panic!("no {name} in {read}"));
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn find<'a>(answer: &'a serde_json::Value, name: &str) -> Option<&'a serde_json::Value> {
    let members = answer.as_object().into_iter().flatten();
    let named = answer.get("name").is_some_and(|found| found == name);
    let here = if named { answer.get("value") } else { answer.get(name).filter(|value| !value.is_object()) };
    let inside = members.map(|(_, value)| value).chain(answer.as_array().into_iter().flatten());
    here.or_else(|| inside.into_iter().find_map(|value| find(value, name)))
}

#[track_caller]
fn read(daemon: &Daemon) -> String {
    let output = daemon.cli(&["sensor", "read", "--json"]);
    assert!(output.status.success(), "sensor read: {}", text_of(&output));
    String::from_utf8(output.stdout).expect("text")
}

fn the_data_sheets_example() {
    let stub = example();
    let read = read(&daemon_with_sensor(&stub, "bme280"));
    assert_eq!(detail(&read, "temperature_c"), "25.08");
    assert_eq!(detail(&read, "pressure_kpa"), "100.653253906");
    assert_eq!(detail(&read, "humidity_milli_pct"), "49468.750000000");
    assert_eq!(detail(&read, "raw_temperature"), "0x7eed0");
    let people = daemon_with_sensor(&stub, "bme280").ask(&["sensor", "read"]);
    assert!(people.contains("25.08"), "{people}");
}

/// The same registers, read by our driver, by the kernel's `bmp280` driver, and by our IIO sensor through that.
fn ours_and_the_kernels_driver_agree() {
    let mut random = Random::new(0x76);
    let (mut coldest, mut hottest) = (i32::MAX, i32::MIN);
    for image in 0..IMAGES {
        let stub = Stub::new(0x76);
        let calibration = Calibration::random(&mut random);
        // The first ones at the ends of the range, the others anywhere in it.
        let centi_c = match image {
            0 => -3999,
            1 => 8499,
            2 => -1,
            3 => 0,
            _ => random.between(-3990, 8490),
        };
        let raw = calibration.counts_for(centi_c, random.between(30_100, 109_900), random.between(1, 9990));
        bme280::install(&stub, &calibration, raw);
        let expected = calibration.compensate(raw);
        (coldest, hottest) = (coldest.min(expected.temperature), hottest.max(expected.temperature));
        let context = format!("image {image}: {calibration:?} {raw:?} {expected:?}");

        let daemon = daemon_with_sensor(&stub, "bme280");
        let ours = read(&daemon);
        let kernel = stub.bind("bme280");
        let through_kernel = read(&daemon_with_sensor(&stub, "iio"));
        let printed = |name: &str| kernel.value(name);

        // Milli-degrees, kilopascals with nine decimals, and whole thousandths of a per cent.
        let milli_c = format!("{}", expected.temperature * 10);
        assert_eq!(printed("in_temp_input"), milli_c, "{context}");
        assert_eq!(milli(&detail(&ours, "temperature_c")), milli_c, "{context}: {ours}");
        assert_eq!(detail(&ours, "pressure_kpa"), printed("in_pressure_input"), "{context}: {ours}");
        let humidity = detail(&ours, "humidity_milli_pct");
        let (whole, _) = humidity.split_once('.').unwrap_or((&humidity, ""));
        assert_eq!(whole, printed("in_humidityrelative_input"), "{context}: {ours}");
        for value in ["in_temp_input", "in_pressure_input", "in_humidityrelative_input"] {
            assert!(through_kernel.contains(&printed(value)), "{context}: {value} of {through_kernel}");
        }
    }
    measured(&format!(
        "{IMAGES} register images from {} to {} hundredths of a degree: all digits agree",
        coldest, hottest
    ));
}

/// `-12.34` to `-12340`.
fn milli(celsius: &str) -> String {
    let digits = celsius.replace('.', "") + "0";
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    let number = digits.trim_start_matches('0');
    if number.is_empty() { "0".to_owned() } else { format!("{sign}{number}") }
}

fn the_chip_is_found_and_its_holder_is_named() {
    let stub = example();
    let daemon = daemon_with_sensor(&stub, "auto");
    let scan = daemon.ask(&["sensor", "scan"]);
    assert!(scan.contains("BME280") && scan.contains("0x76"), "{scan}");
    assert_eq!(detail(&read(&daemon), "temperature_c"), "25.08");
    // Now a driver of the kernel holds it: ours cannot, and the kernel's values are there instead.
    let bound = stub.bind("bme280");
    let refused = daemon_with_sensor(&stub, "bme280").cli(&["sensor", "read"]);
    let said = text_of(&refused);
    assert!(!refused.status.success() && said.contains("held by a driver of the kernel"), "{said}");
    let scan = daemon.ask(&["sensor", "scan"]);
    assert!(scan.contains("held by a driver of the kernel") && scan.contains("iio"), "{scan}");
    let read = read(&daemon);
    assert!(read.contains("25080") || read.contains("25.08"), "{read}");
    drop(bound);
}

fn another_chip_is_named() {
    let stub = example();
    for (id, word) in [(0x58, "BMP280"), (0x61, "BME680"), (0x00, "wiring"), (0x42, "0x42")] {
        stub.write(0xD0, &[id]);
        let refused = daemon_with_sensor(&stub, "bme280").cli(&["sensor", "read"]);
        let said = text_of(&refused);
        assert!(!refused.status.success() && said.contains(word), "{id:#x}: {said}");
    }
    stub.write(0xD0, &[0x60]);
    read(&daemon_with_sensor(&stub, "bme280"));
}

fn words_at_the_end_of_their_range_are_no_reading() {
    let stub = example();
    let (calibration, good) = EXAMPLE;
    let refused = |what: &str, raw: Raw| {
        stub.write(bme280::VALUES, &raw.registers());
        let output = daemon_with_sensor(&stub, "bme280").cli(&["sensor", "read"]);
        assert!(!output.status.success(), "{what}: {}", text_of(&output));
    };
    for end in [0, 0xF_FFFF, 0x8_0000] {
        refused("temperature", Raw { temperature: end, ..good });
        refused("pressure", Raw { pressure: end, ..good });
    }
    for end in [0, 0xFFFF, 0x8000] {
        refused("humidity", Raw { humidity: end, ..good });
    }
    refused("over 85 °C", calibration.counts_for(8600, 101_325, 4000));
    refused("under -40 °C", calibration.counts_for(-4100, 101_325, 4000));
    stub.write(bme280::VALUES, &good.registers());
    assert_eq!(detail(&read(&daemon_with_sensor(&stub, "bme280")), "temperature_c"), "25.08");
}

/// A daemon with a sensor that reads well.
fn reading_daemon(stub: &Stub) -> Daemon {
    let mut daemon = daemon_with_sensor(stub, "bme280");
    daemon.start();
    wait_for_temperature(&daemon, Some(25.08), SOON);
    daemon
}

/// Waits for this temperature in a fresh reading; `None`: for readings to stop coming, with a reason.
#[track_caller]
fn wait_for_temperature(daemon: &Daemon, expected: Option<f64>, limit: Duration) {
    clock::wait_until(&format!("a reading of {expected:?}"), limit, || {
        let sensor = daemon.state("/sensor");
        let fails = sensor["error"].is_string();
        match expected {
            Some(celsius) => {
                !fails && sensor["temperature_c"].as_f64().is_some_and(|found| (found - celsius).abs() < 0.006)
            }
            None => fails,
        }
    });
}

fn a_brown_out_gives_no_reading_until_the_chip_measures_again() {
    let stub = example();
    let daemon = reading_daemon(&stub);
    // The supply fails for a moment: settings and words are what they are after power-on.
    stub.write(bme280::CONTROL, &[0, 0, 0, 0]);
    stub.write(bme280::VALUES, &NEVER_MEASURED);
    wait_for_temperature(&daemon, None, SOON);
    measured(&format!("after the brown-out: {}", daemon.state("/sensor/error")));
    let taken = daemon.state("/sensor/timestamp");
    clock::pass(Duration::from_secs(30));
    assert_eq!(daemon.state("/sensor/timestamp"), taken, "a word that was never measured became a reading");
    // Set up anew by the daemon, it measures again.
    assert_eq!(stub.read(bme280::CONTROL), 1, "the chip was not set up again");
    let (calibration, _) = EXAMPLE;
    stub.write(bme280::VALUES, &calibration.counts_for(2222, 101_325, 4000).registers());
    wait_for_temperature(&daemon, Some(22.22), SEARCH);
    assert!(daemon.log().contains("supply"), "the log does not name the cause: {}", daemon.log());
}

fn a_chip_that_is_taken_away_comes_back_by_itself() {
    let stub = example();
    let daemon = reading_daemon(&stub);
    // First only the chip answers no more, as one that lost contact; then its bus is gone too.
    stub.write(0xD0, &[0xFF]);
    wait_for_temperature(&daemon, None, SOON);
    measured(&format!("without contact: {}", daemon.state("/sensor/error")));
    clock::wait_until("the daemon lets the bus go", SEARCH, || stub.try_remove());
    clock::wait_until("the daemon misses the bus", SEARCH, || {
        daemon.state("/sensor/error").to_string().contains("no I2C bus")
    });
    clock::pass(Duration::from_secs(300));
    drop(stub);
    let _back = example();
    wait_for_temperature(&daemon, Some(25.08), SEARCH);
    // It holds the bus, which goes first otherwise.
    drop(daemon);
}
