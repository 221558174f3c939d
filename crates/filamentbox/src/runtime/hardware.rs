//! What opening a sensor needs of this machine.

use std::path::PathBuf;

use filamentbox_devices::sensors::sim::SimulatedBox;
use filamentbox_devices::sensors::{GpioPlace, Now, OpenContext};

/// For sensors on this machine, or in `simulation`.
pub fn context(now: Now, simulation: Option<SimulatedBox>) -> OpenContext {
    OpenContext { now, simulation, find_gpio, root: PathBuf::from("/") }
}

/// The guard knows where lines are, and the sensors' crate does not know the guard.
fn find_gpio(bcm: u32) -> Result<GpioPlace, String> {
    let place = filamentbox_guard::gpio::find(bcm).map_err(|why| why.to_string())?;
    Ok(GpioPlace { chip: place.chip, offset: place.offset })
}
