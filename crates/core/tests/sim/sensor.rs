//! The sensor and everything that goes wrong with it.

use filamentbox_core::physics::BoxWorld;
use filamentbox_core::sample::{Measurement, NoData};
use filamentbox_core::units::{Celsius, RelativeHumidity};

use crate::dice::Dice;

/// What is wrong with the sensor.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum SensorFault {
    None,
    /// Every reading fails like this.
    NoData(NoData),
    /// The last reading again and again.
    Frozen,
    /// Always this, whatever the air: °C.
    Says(f64),
    /// Numbers that no box has, and such that are no numbers.
    Garbage,
    /// Its thread hangs in the bus: no reading, and no failure either.
    Hung,
}

pub(crate) struct Sensor {
    pub(crate) fault: SensorFault,
    last: Option<Measurement>,
}

impl Sensor {
    pub(crate) fn new() -> Self {
        Self { fault: SensorFault::None, last: None }
    }

    /// One reading; `None` while the thread hangs.
    pub(crate) fn read(&mut self, world: &mut BoxWorld, dice: &mut Dice) -> Option<Result<Measurement, NoData>> {
        let result = match (&self.fault, self.last) {
            (SensorFault::Hung, _) => return None,
            (SensorFault::NoData(why), _) => Err(why.clone()),
            (SensorFault::Frozen, Some(last)) => Ok(last),
            (SensorFault::Garbage, _) => plausible(garbage(dice), dice.between(-20.0, 120.0)),
            (SensorFault::Says(degrees), _) => plausible(*degrees, 30.0),
            (SensorFault::None | SensorFault::Frozen, _) => Ok(world.measure()),
        };
        self.last = result.as_ref().ok().copied().or(self.last);
        Some(result)
    }
}

fn garbage(dice: &mut Dice) -> f64 {
    let wide = dice.between(-1e9, 1e9);
    let narrow = dice.between(-100.0, 300.0);
    let usual = dice.between(0.0, 90.0);
    dice.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 85.0, wide, narrow, usual])
}

/// As a driver does it: a number outside the quantity's range is no reading.
fn plausible(degrees: f64, percent: f64) -> Result<Measurement, NoData> {
    let quantities = Celsius::new(degrees).zip(RelativeHumidity::new(percent));
    let (temperature, humidity) =
        quantities.ok_or_else(|| NoData::Implausible(format!("{degrees} °C, {percent} %")))?;
    Ok(Measurement { temperature, humidity, pressure: None })
}
