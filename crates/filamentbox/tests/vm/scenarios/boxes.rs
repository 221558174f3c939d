//! What the scenarios have in common: a box with its daemon, and questions to it.

use std::sync::Arc;
use std::time::Duration;

use crate::machine::clock;
use crate::machine::daemon::Daemon;
use crate::machine::gpio::Bank;
use crate::machine::i2c::Stub;
use crate::machine::world::{Conditions, World};

/// BCM numbers of the default settings.
pub(super) const HEATER: u32 = 16;
/// The fan's.
pub(super) const FAN: u32 = 20;

/// A box in a room of 20 °C, with a BME280, a heater and a daemon that wants 45 to 47 °C; the daemon does not run yet. The
/// fields end in this order: first who uses the hardware, then the hardware.
pub(super) struct HeatedBox {
    pub(super) daemon: Daemon,
    pub(super) world: World,
    pub(super) stub: Arc<Stub>,
    pub(super) bank: Arc<Bank>,
    /// Where the heater's line is in the bank.
    pub(super) line: u32,
}

impl HeatedBox {
    /// On the header of a Raspberry Pi.
    pub(super) fn new() -> Self {
        Self::on(Bank::raspberry_pi(), Conditions::default())
    }

    /// On this bank.
    pub(super) fn on(bank: Bank, conditions: Conditions) -> Self {
        let (bank, stub) = (Arc::new(bank), Arc::new(Stub::new(0x76)));
        let world = World::new(stub.clone(), bank.clone(), conditions);
        let daemon = daemon_with_heater(&stub);
        Self { daemon, world, stub, bank, line: conditions.line }
    }

    /// Whether the heater's line is active.
    pub(super) fn heats(&self) -> bool {
        self.bank.level(self.line)
    }

    /// Starts the daemon and waits until it heats.
    #[track_caller]
    pub(super) fn start_heating(&mut self) {
        self.daemon.start();
        clock::wait_until("the heater is on", Duration::from_secs(60), || self.heats());
    }
}

/// A daemon that reads this chip every second and wants 45 to 47 °C.
pub(super) fn daemon_with_heater(stub: &Stub) -> Daemon {
    let mut daemon = daemon_with_sensor(stub, "bme280");
    daemon.set("heating_control.enabled", "true");
    daemon.set("heating_control.min_temp_c", "45").set("heating_control.max_temp_c", "47");
    daemon
}

/// A daemon that reads this chip every second, and has no outputs.
pub(super) fn daemon_with_sensor(stub: &Stub, sensor_type: &str) -> Daemon {
    let mut daemon = Daemon::new();
    daemon.set("sensor.type", sensor_type).set("sensor.i2c_bus", &stub.bus().to_string());
    daemon
}
