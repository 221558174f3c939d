//! Output lines.

use std::time::Duration;

use super::{Scenario, scenarios};
use crate::guest::measured;
use crate::machine::bme280::{self, EXAMPLE};
use crate::machine::clock;
use crate::machine::dht::{Answer, Dht, Model, dht22_frame};
use crate::machine::gpio::Bank;
use crate::machine::i2c::Stub;
use crate::machine::trace::Trace;

pub(super) const ALL: &[Scenario] = scenarios![the_machine_is_what_it_seems];

fn the_machine_is_what_it_seems() {
    let bank = Bank::raspberry_pi();
    let trace = Trace::start(&bank);
    let start = clock::now();
    let line = gpiocdev::Request::builder()
        .on_chip(bank.device())
        .with_line(16)
        .as_output(gpiocdev::line::Value::Active)
        .request()
        .unwrap();
    assert!(bank.level(16));
    measured(&format!("held by {:?}", bank.holder(16)));
    line.set_value(16, gpiocdev::line::Value::Inactive).unwrap();
    assert!(!bank.level(16));
    measured(&format!("{start:?} {:?}", trace.changes(16)));
    drop(line);
    let stub = Stub::new(0x76);
    let (calibration, raw) = EXAMPLE;
    bme280::install(&stub, &calibration, raw);
    let bound = stub.bind("bme280");
    assert_eq!(bound.value("in_temp_input"), "25080");
    assert_eq!(bound.value("in_pressure_input"), "100.653253906");
    assert_eq!(bound.value("in_humidityrelative_input"), "49468");
    drop(bound);
    let compensated = calibration.compensate(raw);
    measured(&format!("{compensated:?}"));
    let raw = calibration.counts_for(-512, 98765, 3210);
    measured(&format!("{raw:?} {:?}", calibration.compensate(raw)));
    let mut dht = Dht::new(Model::Dht22, &bank, 4);
    dht.answer(Answer::Frame(dht22_frame(652, -101)));
    clock::pass(Duration::from_secs(3600));
    measured(&format!("an hour later: {:?}", clock::now()));
    let output = std::process::Command::new("/bin/filamentbox").arg("--version").output().unwrap();
    measured(&format!("{:?} {:?}", output, clock::now()));
}
