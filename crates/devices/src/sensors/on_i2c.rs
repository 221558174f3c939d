//! What kinds of sensors on I2C have in common: a list of addresses to look at.

use filamentbox_core::config::Settings;
use filamentbox_core::sample::NoData;
use i2cdev::linux::LinuxI2CDevice;

use super::{Found, OpenContext, Sensor, SensorKind};
use crate::bus::i2c::{I2cChip, Place};
use crate::bus::{BusError, Fault};

/// A chip on a real bus.
pub(super) type RealChip = I2cChip<LinuxI2CDevice>;

/// Where a chip with these addresses is looked for, for people.
pub(super) fn places(settings: &Settings, context: &OpenContext, addresses: &[u16]) -> Vec<String> {
    Place::of(settings, &context.root, addresses).map_or_else(|_| Vec::new(), |place| place.names())
}

/// The first sensor that `make` finds in order at one of the addresses.
pub(super) fn open(
    settings: &Settings,
    context: &OpenContext,
    addresses: &[u16],
    make: impl Fn(RealChip) -> Result<Box<dyn Sensor>, NoData>,
) -> Result<Box<dyn Sensor>, NoData> {
    let place = Place::of(settings, &context.root, addresses)?;
    let mut reasons = Vec::new();
    for address in &place.addresses {
        match place.open(*address).map_err(NoData::from).and_then(&make) {
            Ok(sensor) => return Ok(sensor),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(worst(reasons))
}

/// Something that answers wrongly says more than nothing that answers.
fn worst(reasons: Vec<NoData>) -> NoData {
    let mut silent = Vec::new();
    for reason in reasons {
        match reason {
            // A missing bus is missing for every address.
            NoData::NotPresent(text) if silent.contains(&text) => {}
            NoData::NotPresent(text) => silent.push(text),
            telling => return telling,
        }
    }
    NoData::NotPresent(silent.join("; "))
}

/// Looks at every address. `identify` answers `Err` where the bus fails, and `Ok(Err)` where a chip answers that will not do.
pub(super) fn scan(
    settings: &Settings,
    context: &OpenContext,
    kind: &SensorKind,
    identify: impl Fn(RealChip) -> Result<Result<(), NoData>, BusError>,
) -> Vec<Found> {
    // With the address of another chip configured, there is nothing to look for.
    let Ok(place) = Place::of(settings, &context.root, kind.addresses) else { return Vec::new() };
    let mut found = Vec::new();
    for (address, name) in place.addresses.iter().zip(place.names()) {
        match place.open(*address).and_then(&identify) {
            Ok(Ok(())) => found.push(Found::usable(name, kind.title)),
            Ok(Err(reason)) => found.push(Found::unusable(name, kind.title, reason.to_string())),
            Err(BusError { fault: Fault::Silent, .. }) => {}
            Err(BusError { fault: Fault::NoBus | Fault::Forbidden | Fault::Unsupported, text }) => {
                found.push(Found::unusable(place.device.display().to_string(), "I2C bus", text));
                return found;
            }
            Err(error) => found.push(Found::unusable(name, kind.title, error.text)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_reason_is_given() {
        let absent = |text: &str| NoData::NotPresent(text.to_owned());
        assert_eq!(worst(vec![absent("a"), absent("b")]), absent("a; b"));
        assert_eq!(worst(vec![absent("a"), absent("a")]), absent("a"));
        let broken = NoData::Bus("c".to_owned());
        assert_eq!(worst(vec![absent("a"), broken.clone()]), broken);
    }
}
