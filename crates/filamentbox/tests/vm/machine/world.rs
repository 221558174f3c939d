//! A box in the guest: the level of the heater's line warms it, and what it is like goes into the registers of the simulated BME280.
//! Two lumps, element and air: the element takes half a minute to warm up, the air follows it, and the walls let heat out. As
//! warm as a 50 W heater makes a 60 litre box; nothing here is tuned to the program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::bme280::{self, Calibration, EXAMPLE};
use super::clock;
use super::gpio::Bank;
use super::i2c::Stub;
use super::random::Random;

/// The chip takes over a new state so often.
const STEP: Duration = Duration::from_secs(1);
/// Seconds until the element has come 63 % nearer to its goal.
const ELEMENT_S: f64 = 30.0;
/// The element's goal while powered, in °C above the air.
const ELEMENT_C: f64 = 90.0;
/// Warmth from element to air, 1/s.
const TO_AIR: f64 = 0.0025;
/// Warmth from air through the walls, 1/s.
const TO_ROOM: f64 = 0.0011;

/// How the box is wired and what is wrong with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    /// Where the heater's line is in the bank.
    pub(crate) line: u32,
    /// The relay is energised by the low level.
    pub(crate) active_low: bool,
    /// The air around the box, in °C.
    pub(crate) room_c: f64,
    /// The registers do not change any more.
    pub(crate) frozen: bool,
    /// The element is broken.
    pub(crate) dead_heater: bool,
    /// The relay stays closed.
    pub(crate) welded_relay: bool,
}

impl Default for Conditions {
    fn default() -> Self {
        Self { line: 16, active_low: false, room_c: 20.0, frozen: false, dead_heater: false, welded_relay: false }
    }
}

struct Shared {
    conditions: Mutex<Conditions>,
    air_c: Mutex<f64>,
    ends: AtomicBool,
}

/// A box at work.
pub(crate) struct World {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl World {
    /// A box whose air is as warm as the room; the chip has measured it once when this returns.
    pub(crate) fn new(stub: Arc<Stub>, bank: Arc<Bank>, conditions: Conditions) -> Self {
        let shared = Arc::new(Shared {
            conditions: Mutex::new(conditions),
            air_c: Mutex::new(conditions.room_c),
            ends: AtomicBool::new(false),
        });
        let (calibration, _) = EXAMPLE;
        let mut chip = Chip { stub, calibration, noise: Random::new(280) };
        bme280::install(&chip.stub, &calibration, calibration.counts_for(0, 0, 0));
        chip.measure(conditions.room_c);
        let in_thread = shared.clone();
        let thread = std::thread::spawn(move || live(&in_thread, &bank, &mut chip));
        Self { shared, thread: Some(thread) }
    }

    /// Changes what is the matter with the box.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.shared.conditions.lock().expect("no panic holds it"));
    }

    /// The air as it is, in °C.
    pub(crate) fn air_c(&self) -> f64 {
        *self.shared.air_c.lock().expect("no panic holds it")
    }

    /// Makes the air so warm.
    pub(crate) fn set_air_c(&self, air_c: f64) {
        *self.shared.air_c.lock().expect("no panic holds it") = air_c;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the box's thread has panicked");
        }
    }
}

fn live(shared: &Shared, bank: &Bank, chip: &mut Chip) {
    let mut element_c = *shared.air_c.lock().expect("no panic holds it");
    let mut due = clock::now();
    while !shared.ends.load(Ordering::SeqCst) {
        due += STEP;
        clock::pass(due.saturating_sub(clock::now()));
        let conditions = *shared.conditions.lock().expect("no panic holds it");
        let energised = bank.level(conditions.line) != conditions.active_low;
        let powered = (energised || conditions.welded_relay) && !conditions.dead_heater;
        let mut air = shared.air_c.lock().expect("no panic holds it");
        let seconds = STEP.as_secs_f64();
        let goal = if powered { *air + ELEMENT_C } else { *air };
        element_c += (goal - element_c) * seconds / ELEMENT_S;
        *air += ((element_c - *air) * TO_AIR - (*air - conditions.room_c) * TO_ROOM) * seconds;
        let air_c = *air;
        drop(air);
        if !conditions.frozen {
            chip.measure(air_c);
        }
    }
}

struct Chip {
    stub: Arc<Stub>,
    calibration: Calibration,
    noise: Random,
}

impl Chip {
    /// Writes what a measurement would have given, with the noise of a real chip (a few counts).
    fn measure(&mut self, air_c: f64) {
        let centi = (air_c * 100.0).round() as i32;
        let mut raw = self.calibration.counts_for(centi, 101_325, 4000);
        raw.temperature += self.noise.between(-60, 60);
        raw.pressure += self.noise.between(-20, 20);
        raw.humidity += self.noise.between(-10, 10);
        self.stub.write(bme280::VALUES, &raw.registers());
    }
}
