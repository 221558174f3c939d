//! GPIO lines of the board, by the kernel's character device (uAPI v2, Linux 5.10 and later): finding a pin, holding it, and switching
//! pins off without a guard.
//!
//! A pin is found by what its chip and its line are called, never by the chip's number: that of the Pi 5's header is 0 or 4, depending
//! on the kernel. A line is requested as an inactive output in the very call that claims it, so that it is never anything else. The
//! kernel gives it to one holder only, but tools that go by `/dev/gpiomem` do not ask the kernel: hence `read_back`.

use std::fs::{self, DirEntry, File};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use gpiocdev_uapi::v2::{
    Error, LineConfig, LineFlags, LineRequest, LineValues, Name, Offsets, get_chip_info, get_line, get_line_info,
    get_line_values, set_line_config,
};

use crate::lines::{LineError, LineSpec, Lines};
use crate::protocol::MAX_LINES;

/// What the chips with the header's pins are called: Pi 5, Pi 4, all Pis before. A pin's offset in them is its BCM number.
const PI_LABELS: [&str; 3] = ["pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"];
/// How the lines are marked as ours, for `gpioinfo`.
const CONSUMER: &str = "filamentbox-relay";

/// Where a pin is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its chip, such as `/dev/gpiochip0`.
    pub chip: PathBuf,
    /// The number of the line within its chip.
    pub offset: u32,
}

/// A pin cannot be found: none of the chips has it, or more than one line is called so. Says which chips there are.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FindError(String);

/// Finds the pin with BCM number `bcm`: on a Raspberry Pi in the chip of its header, elsewhere in any chip; by the line's name `GPIO<bcm>`,
/// on a Raspberry Pi else by its number (some of its kernels name pins by their function).
///
/// # Errors
/// [`FindError`].
pub fn find(bcm: u32) -> Result<Place, FindError> {
    let looks: Vec<Look> = chips().into_iter().map(|chip| look(chip, bcm)).collect();
    choose(bcm, &looks)
}

fn choose(bcm: u32, looks: &[Look]) -> Result<Place, FindError> {
    let on_a_pi = looks.iter().any(|look| look.is_of_a_pi);
    let candidates = || looks.iter().filter(|look| look.is_of_a_pi || !on_a_pi);
    let mut places: Vec<&Place> = candidates().flat_map(|look| &look.by_name).collect();
    if places.is_empty() && on_a_pi {
        places = candidates().filter_map(|look| look.by_number.as_ref()).collect();
    }
    if looks.is_empty() {
        return Err(FindError("this machine has no GPIO chips (/dev/gpiochip*)".to_owned()));
    }
    let [place] = places[..] else {
        let chips: Vec<&str> = looks.iter().map(|look| look.description.as_str()).collect();
        let count = if places.is_empty() { "no" } else { "more than one" };
        let chips = chips.join(", ");
        return Err(FindError(format!("{count} GPIO{bcm} on the GPIO chips of this machine [{chips}]")));
    };
    Ok(place.clone())
}

/// Every chip once. Symbolic links are left out: some systems link a Pi 5's old chip number to the new one.
fn chips() -> Vec<PathBuf> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let is_chip = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b"gpiochip");
    let is_device = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_char_device());
    let mut chips: Vec<PathBuf> =
        entries.filter(|entry| is_chip(entry) && is_device(entry)).map(|entry| entry.path()).collect();
    chips.sort();
    chips
}

/// What one chip has to do with a pin.
#[derive(Default)]
struct Look {
    description: String,
    is_of_a_pi: bool,
    by_name: Vec<Place>,
    by_number: Option<Place>,
}

fn look(chip: PathBuf, bcm: u32) -> Look {
    let opened = File::open(&chip).and_then(|file| Ok((get_chip_info(&file).map_err(os)?, file)));
    let (info, file) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            return Look { description: format!("{} ({})", chip.display(), explain(error)), ..Look::default() };
        }
    };
    let label = String::from(&info.label);
    let name = format!("GPIO{bcm}");
    let is_called_so = |offset: &u32| get_line_info(&file, *offset).is_ok_and(|info| info.name.as_os_str() == &*name);
    let place = |offset| Place { chip: chip.clone(), offset };
    Look {
        description: format!("{} ({label})", chip.display()),
        is_of_a_pi: PI_LABELS.contains(&&*label),
        by_name: (0..info.num_lines).filter(is_called_so).map(place).collect(),
        by_number: (bcm < info.num_lines).then(|| place(bcm)),
    }
}

/// Lines of the board. Dropping them lets go of each as it is.
#[derive(Debug, Default)]
pub struct GpioLines([Option<Held>; MAX_LINES]);

#[derive(Debug)]
struct Held {
    /// Closing it lets go of the line.
    file: File,
    active_low: bool,
}

impl GpioLines {
    /// None held.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn held(&self, index: usize) -> Result<&Held, LineError> {
        self.0.get(index).and_then(Option::as_ref).ok_or(LineError::NoSuchLine(index))
    }
}

impl Lines for GpioLines {
    fn are_real(&self) -> bool {
        true
    }

    fn claim(&mut self, index: usize, spec: &LineSpec) -> Result<(), LineError> {
        let slot = self.0.get_mut(index).ok_or(LineError::NoSuchLine(index))?;
        *slot = Some(Held { file: request(spec)?, active_low: spec.active_low });
        Ok(())
    }

    fn release(&mut self, index: usize) {
        if let Some(slot) = self.0.get_mut(index) {
            *slot = None;
        }
    }

    /// Configures the line anew instead of only setting its value: that also makes a pin an output again that another tool has made
    /// something else.
    fn set(&mut self, index: usize, active: bool) -> Result<(), LineError> {
        let held = self.held(index)?;
        Ok(set_line_config(&held.file, output(held.active_low, active)).map_err(os)?)
    }

    fn read_back(&mut self, index: usize) -> Result<bool, LineError> {
        let mut values = LineValues { bits: 0, mask: 1 };
        get_line_values(&self.held(index)?.file, &mut values).map_err(os)?;
        Ok(values.bits & 1 == 1)
    }
}

/// Makes each line inactive and lets go of it, for when there is no guard; one that a guard still holds is [`LineError::Busy`].
#[must_use]
pub fn outputs_off(lines: &[LineSpec]) -> Vec<(LineSpec, Result<(), LineError>)> {
    lines.iter().map(|spec| (spec.clone(), request(spec).map(drop))).collect()
}

/// Claims a line as an output that is inactive.
fn request(spec: &LineSpec) -> Result<File, LineError> {
    let place = find(spec.gpio)?;
    let chip = File::open(&place.chip).map_err(explain)?;
    let request = LineRequest {
        offsets: Offsets::from_slice(&[place.offset]),
        consumer: Name::from(CONSUMER),
        config: output(spec.active_low, false),
        num_lines: 1,
        ..LineRequest::default()
    };
    get_line(&chip, request).map_err(os).map_err(|error| {
        if error.kind() != io::ErrorKind::ResourceBusy {
            return LineError::Io(explain(error));
        }
        let consumer = get_line_info(&chip, place.offset).map(|info| String::from(&info.consumer));
        LineError::Busy { gpio: spec.gpio, consumer: consumer.unwrap_or_default() }
    })
}

fn output(active_low: bool, active: bool) -> LineConfig {
    let polarity = if active_low { LineFlags::ACTIVE_LOW } else { LineFlags::empty() };
    let mut config = LineConfig { flags: LineFlags::OUTPUT | polarity, ..LineConfig::default() };
    config.add_values(&LineValues { bits: active.into(), mask: 1 });
    config
}

fn os(error: Error) -> io::Error {
    match error {
        Error::Os(errno) => io::Error::from_raw_os_error(errno.0),
        Error::UnderRead(_) => io::ErrorKind::UnexpectedEof.into(),
    }
}

fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => io::Error::other("permission denied: join group gpio"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a chip says of GPIO16.
    fn chip(number: u32, label: &str, named: &[u32], lines: u32) -> Look {
        let place = |offset| Place { chip: format!("/dev/gpiochip{number}").into(), offset };
        Look {
            description: format!("/dev/gpiochip{number} ({label})"),
            is_of_a_pi: PI_LABELS.contains(&label),
            by_name: named.iter().copied().map(place).collect(),
            by_number: (16 < lines).then(|| place(16)),
        }
    }

    #[test]
    fn a_pin_is_found_by_the_names_of_chip_and_line() {
        let check = |chips: &[Look], expected: Result<(&str, u32), &str>| {
            let found = choose(16, chips).map_err(|error| error.to_string());
            let expected = expected.map(|(chip, offset)| Place { chip: chip.into(), offset });
            assert_eq!(found, expected.map_err(str::to_owned));
        };
        let (first, second) = ("/dev/gpiochip0", "/dev/gpiochip4");
        // Pi 5 with an older and a newer kernel: other chips have lines enough, too.
        check(&[chip(0, "gpio-brcmstb@107d508500", &[], 32), chip(4, "pinctrl-rp1", &[16], 54)], Ok((second, 16)));
        check(&[chip(0, "pinctrl-rp1", &[16], 54), chip(10, "gpio-brcmstb@107d508500", &[], 32)], Ok((first, 16)));
        // Pi 3: lines named by their function.
        check(&[chip(0, "pinctrl-bcm2835", &[], 54), chip(1, "raspberrypi-exp-gpio", &[], 8)], Ok((first, 16)));
        // Pi 4 with a port expander that has a line of that name.
        check(&[chip(0, "pinctrl-bcm2711", &[16], 58), chip(4, "pcf8574", &[3], 8)], Ok((first, 16)));
        // The name is worth more than the number.
        check(&[chip(0, "pinctrl-bcm2835", &[40], 54)], Ok((first, 40)));
        // Another board: by name only.
        check(&[chip(0, "soc", &[], 64), chip(4, "soc-r", &[7], 64)], Ok((second, 7)));
        let none = "no GPIO16 on the GPIO chips of this machine";
        check(&[chip(0, "soc", &[], 64)], Err(&format!("{none} [/dev/gpiochip0 (soc)]")));
        check(&[chip(0, "pinctrl-bcm2835", &[], 16)], Err(&format!("{none} [/dev/gpiochip0 (pinctrl-bcm2835)]")));
        check(&[], Err("this machine has no GPIO chips (/dev/gpiochip*)"));
        let two = "more than one GPIO16 on the GPIO chips of this machine";
        let both = "[/dev/gpiochip0 (a), /dev/gpiochip4 (b)]";
        check(&[chip(0, "a", &[1], 8), chip(4, "b", &[2], 8)], Err(&format!("{two} {both}")));
        check(&[chip(0, "a", &[1, 2], 8)], Err(&format!("{two} [/dev/gpiochip0 (a)]")));
    }

    #[test]
    fn what_may_not_be_opened_says_how_to_mend_it() {
        let denied = explain(io::Error::from_raw_os_error(13));
        assert_eq!(denied.to_string(), "permission denied: join group gpio");
        assert_eq!(explain(io::ErrorKind::NotFound.into()).kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_request_is_an_inactive_output_from_the_first_moment() {
        let check = |active_low: bool, active: bool, flags: LineFlags| {
            let config = output(active_low, active);
            assert_eq!((config.flags, config.num_attrs), (flags, 1));
            let mut expected = LineConfig { flags, ..LineConfig::default() };
            expected.add_values(&LineValues { bits: active.into(), mask: 1 });
            assert_eq!(config.attr(0), expected.attr(0));
        };
        check(false, false, LineFlags::OUTPUT);
        check(true, false, LineFlags::OUTPUT | LineFlags::ACTIVE_LOW);
        check(true, true, LineFlags::OUTPUT | LineFlags::ACTIVE_LOW);
    }

    #[test]
    fn a_line_that_is_not_held_is_an_error() {
        let mut lines = GpioLines::new();
        for index in [0, MAX_LINES] {
            assert!(matches!(lines.set(index, false), Err(LineError::NoSuchLine(at)) if at == index));
            assert!(matches!(lines.read_back(index), Err(LineError::NoSuchLine(at)) if at == index));
            lines.release(index);
        }
    }
}
