//! DHT22 and DHT11: frames of microsecond pulses on a GPIO line, whole and damaged.

use super::{Scenario, scenarios};
use crate::guest::measured;
use crate::machine::daemon::{Daemon, text_of};
use crate::machine::dht::{Answer, Dht, Model, dht22_frame, with_checksum};
use crate::machine::gpio::Bank;
use crate::machine::random::Random;

pub(super) const ALL: &[Scenario] = scenarios![a_dht22_is_read, a_dht11_is_read, damaged_frames_are_no_reading,];

const PIN: u32 = 4;
const FRAMES: u32 = 25;

fn daemon(sensor_type: &str) -> Daemon {
    let mut daemon = Daemon::new();
    daemon.set("sensor.type", sensor_type).set("sensor.gpio_pin", &PIN.to_string());
    daemon
}

/// Reads once; temperature and humidity, or what was said.
fn read(daemon: &Daemon) -> Result<(f64, f64), String> {
    let output = daemon.cli(&["sensor", "read", "--json"]);
    if !output.status.success() {
        return Err(text_of(&output));
    }
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let number = |name: &str| answer.pointer(&format!("/reading/{name}")).and_then(serde_json::Value::as_f64);
    match (number("temperature_c"), number("humidity")) {
        (Some(temperature_c), Some(humidity)) => Ok((temperature_c, humidity)),
        _ => panic!("no numbers in {answer}"),
    }
}

#[track_caller]
fn check(daemon: &Daemon, dht: &mut Dht, frame: [u8; 5], temperature_c: f64, humidity: f64) {
    dht.answer(Answer::Frame(frame));
    let (found_c, found) = read(daemon).unwrap_or_else(|said| panic!("{frame:02x?}: {said}"));
    let near = (found_c - temperature_c).abs() < 0.001 && (found - humidity).abs() < 0.001;
    assert!(near, "{frame:02x?}: {found_c} °C, {found} %; expected {temperature_c} °C, {humidity} %");
}

fn a_dht22_is_read() {
    let bank = Bank::raspberry_pi();
    let mut dht = Dht::new(Model::Dht22, &bank, PIN);
    let daemon = daemon("dht22");
    let mut random = Random::new(22);
    for frame in 0..FRAMES {
        let (humidity, temperature) = match frame {
            0 => (0, 1),
            1 => (1000, -400),
            2 => (652, -101),
            3 => (1, -1),
            4 => (999, 800),
            _ => (random.between(0, 1000), random.between(-400, 800)),
        };
        let bytes = dht22_frame(humidity, temperature);
        check(&daemon, &mut dht, bytes, f64::from(temperature) / 10.0, f64::from(humidity) / 10.0);
    }
    measured(&format!("{FRAMES} frames of a DHT22, all read right"));
}

fn a_dht11_is_read() {
    let bank = Bank::raspberry_pi();
    let mut dht = Dht::new(Model::Dht11, &bank, PIN);
    let daemon = daemon("dht11");
    let mut random = Random::new(11);
    for _ in 0..FRAMES {
        let (humidity, temperature) = (random.between(20, 90), random.between(0, 50));
        let bytes = [humidity, 0, temperature, 0].map(|value| value.to_le_bytes()[0]);
        check(&daemon, &mut dht, with_checksum(bytes), f64::from(temperature), f64::from(humidity));
    }
    // Newer ones have tenths of a degree, and a sign in the highest bit of these.
    check(&daemon, &mut dht, with_checksum([45, 0, 23, 7]), 23.7, 45.0);
    check(&daemon, &mut dht, with_checksum([45, 0, 10, 0x81]), -10.1, 45.0);
    measured(&format!("{FRAMES} frames of a DHT11, all read right"));
}

fn damaged_frames_are_no_reading() {
    let bank = Bank::raspberry_pi();
    let mut dht = Dht::new(Model::Dht22, &bank, PIN);
    let daemon = daemon("dht22");
    let good = dht22_frame(456, 234);
    // Zeros have the right checksum, and are what a line that is held low looks like.
    let mut answers = vec![("no answer", Answer::Mute), ("a frame of zeros", Answer::Frame([0; 5]))];
    for bit in [0_u8, 7, 20, 31, 39] {
        let mut bytes = good;
        bytes[usize::from(bit / 8)] ^= 0x80 >> (bit % 8);
        answers.push(("a bit has flipped", Answer::Frame(bytes)));
    }
    for bit in [0, 1, 13, 26, 38, 39] {
        answers.push(("a pulse is lost", Answer::Without(good, bit)));
    }
    for bits in [0, 1, 20, 38, 39] {
        answers.push(("the frame breaks off", Answer::Cut(good, bits)));
    }
    let count = answers.len();
    for (what, answer) in answers {
        dht.answer(answer);
        match read(&daemon) {
            Err(said) => assert!(!said.trim().is_empty(), "{what}: it fails without a reason"),
            Ok(numbers) => panic!("{what} ({answer:?}) was read as {numbers:?}"),
        }
    }
    check(&daemon, &mut dht, good, 23.4, 45.6);
    measured(&format!("{count} damaged frames, none became a number"));
}
