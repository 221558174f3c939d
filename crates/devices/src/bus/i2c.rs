//! I2C by `/dev/i2c-N`, as SMBus calls or as plain transfers.
//!
//! A Raspberry Pi's controller does both. Some adapters know SMBus only (the kernel's test adapter `i2c-stub` is one), a few know
//! I2C only. The adapter is not asked beforehand: a call it cannot do fails with `EOPNOTSUPP` and nothing sent, and the other
//! kind is used from then on. Chips with commands instead of registers need plain transfers.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use filamentbox_core::config::{KeySpec, Kind, Settings};
use i2cdev::core::{I2CDevice, I2CMessage, I2CTransfer};
use i2cdev::linux::{LinuxI2CDevice, LinuxI2CMessage};

use super::{BusError, Chip, Fault};

/// `sensor.i2c_bus`.
pub const BUS_KEY: KeySpec =
    KeySpec::new("sensor.i2c_bus", Kind::Integer { min: 0, max: 255 }, "1", "", "The I2C bus, /dev/i2c-N.");

/// `sensor.i2c_address`: any address that one of the supported chips can have.
pub const ADDRESS_KEY: KeySpec = KeySpec::new(
    "sensor.i2c_address",
    Kind::Choice(&[AUTO, "0x38", "0x44", "0x45", "0x76", "0x77"]),
    AUTO,
    "",
    "The sensor's I2C address: 0x76 or 0x77 (BME280), 0x44 or 0x45 (SHT3x, SHT4x), 0x38 (AHT20). auto tries those of the chip in this order.",
);

/// `sensor.i2c_transport`.
pub const TRANSPORT_KEY: KeySpec = KeySpec::new(
    "sensor.i2c_transport",
    Kind::Choice(&[AUTO, "smbus", "i2c"]),
    AUTO,
    "",
    "How registers are read: by SMBus calls or by plain I2C transfers. auto takes what the adapter can do.",
);

const AUTO: &str = "auto";

/// Longest block of an SMBus call, in bytes (SMBus specification 2.0, 5.5.7).
const SMBUS_BLOCK_MAX: usize = 32;

/// Error numbers of the kernel, the same on every architecture that FilamentBox is built for (`include/uapi/asm-generic/errno*.h`;
/// what bus drivers mean by them: `Documentation/i2c/fault-codes.rst`).
mod errno {
    pub const ENOENT: i32 = 2;
    pub const EIO: i32 = 5;
    pub const ENXIO: i32 = 6;
    pub const EACCES: i32 = 13;
    pub const EBUSY: i32 = 16;
    pub const ENODEV: i32 = 19;
    pub const EPERM: i32 = 1;
    pub const EOPNOTSUPP: i32 = 95;
    pub const ETIMEDOUT: i32 = 110;
    pub const EREMOTEIO: i32 = 121;
}

/// How registers are reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// SMBus calls, until the adapter refuses one.
    Auto,
    /// SMBus byte writes and I2C-block reads.
    Smbus,
    /// Combined I2C transfers.
    Plain,
}

/// Bus, addresses and transport of the settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// `/dev/i2c-N`.
    pub device: PathBuf,
    /// Addresses to try, in order.
    pub addresses: Vec<u16>,
    /// How registers are reached.
    pub transport: Transport,
}

impl Place {
    /// What the settings say of a chip that can have `possible` addresses; `root` is `/` but in tests.
    ///
    /// # Errors
    /// The configured address is not one of `possible`.
    pub fn of(settings: &Settings, root: &Path, possible: &[u16]) -> Result<Self, BusError> {
        let transport = match settings.text(TRANSPORT_KEY.key) {
            "smbus" => Transport::Smbus,
            "i2c" => Transport::Plain,
            _ => Transport::Auto,
        };
        let device = root.join(format!("dev/i2c-{}", settings.integer(BUS_KEY.key)));
        let addresses = addresses(settings, possible).map_err(|text| BusError { fault: Fault::Unsupported, text })?;
        Ok(Self { device, addresses, transport })
    }

    /// The places, for people.
    pub fn names(&self) -> Vec<String> {
        self.addresses.iter().map(|address| name(&self.device, *address)).collect()
    }

    /// The chip at one of the addresses. Nothing is sent yet.
    ///
    /// # Errors
    /// Why the bus cannot be opened or the address cannot be used.
    pub fn open(&self, address: u16) -> Result<I2cChip<LinuxI2CDevice>, BusError> {
        let adapter = LinuxI2CDevice::new(&self.device, address)
            .map_err(|error| opening_failed(&io::Error::from(error), &self.device, address))?;
        Ok(I2cChip::new(adapter, &self.device, address, self.transport))
    }
}

/// The addresses to try for a chip that can have `possible` ones.
///
/// # Errors
/// What is allowed, when the configured address is not one of them.
pub fn addresses(settings: &Settings, possible: &[u16]) -> Result<Vec<u16>, String> {
    let wanted = settings.text(ADDRESS_KEY.key);
    if wanted == AUTO {
        return Ok(possible.to_vec());
    }
    let list = |addresses: &[u16]| addresses.iter().map(|a| format!("{a:#04x}")).collect::<Vec<_>>().join(", ");
    let address = u16::from_str_radix(wanted.trim_start_matches("0x"), 16).ok();
    match address.filter(|address| possible.contains(address)) {
        Some(address) => Ok(vec![address]),
        None => Err(format!("{wanted:?} is not allowed for this sensor; allowed: auto, {}", list(possible))),
    }
}

fn name(device: &Path, address: u16) -> String {
    format!("{address:#04x} on {}", device.display())
}

fn opening_failed(error: &io::Error, device: &Path, address: u16) -> BusError {
    let bus = device.display();
    let (fault, text) = match error.raw_os_error() {
        Some(errno::ENOENT | errno::ENXIO | errno::ENODEV) => (
            Fault::NoBus,
            format!(
                "there is no I2C bus {bus}: enable it (on a Raspberry Pi `dtparam=i2c_arm=on` in /boot/firmware/config.txt and \
                 the module i2c-dev, both done by `raspi-config nonint do_i2c 0`), or set sensor.i2c_bus"
            ),
        ),
        Some(errno::EACCES | errno::EPERM) => (
            Fault::Forbidden,
            format!(
                "{bus} may not be opened: {error}; add the user to the group i2c (`sudo usermod -aG i2c USER`, then log in again)"
            ),
        ),
        Some(errno::EBUSY) => (
            Fault::Held,
            format!(
                "{} is held by a driver of the kernel; set sensor.type=iio to read the sensor through the kernel, or remove its overlay from /boot/firmware/config.txt",
                name(device, address)
            ),
        ),
        _ => (Fault::Failed, format!("{} cannot be opened: {error}", name(device, address))),
    };
    BusError { fault, text }
}

/// What an adapter can do for one address: the calls of `/dev/i2c-N`.
pub trait Adapter: Send {
    /// SMBus "I2C block read".
    ///
    /// # Errors
    /// The kernel's.
    fn smbus_read(&mut self, register: u8, length: u8) -> io::Result<Vec<u8>>;
    /// SMBus "write byte".
    ///
    /// # Errors
    /// The kernel's.
    fn smbus_write(&mut self, register: u8, value: u8) -> io::Result<()>;
    /// One combined transfer: `out` is written, then `into` is read; either may be empty.
    ///
    /// # Errors
    /// The kernel's.
    fn transfer(&mut self, out: &[u8], into: &mut [u8]) -> io::Result<()>;
}

impl Adapter for LinuxI2CDevice {
    fn smbus_read(&mut self, register: u8, length: u8) -> io::Result<Vec<u8>> {
        Ok(self.smbus_read_i2c_block_data(register, length)?)
    }

    fn smbus_write(&mut self, register: u8, value: u8) -> io::Result<()> {
        Ok(self.smbus_write_byte_data(register, value)?)
    }

    fn transfer(&mut self, out: &[u8], into: &mut [u8]) -> io::Result<()> {
        let mut messages = Vec::with_capacity(2);
        if !out.is_empty() {
            messages.push(LinuxI2CMessage::write(out));
        }
        if !into.is_empty() {
            messages.push(LinuxI2CMessage::read(into));
        }
        I2CTransfer::transfer(self, &mut messages)?;
        Ok(())
    }
}

/// A chip behind an adapter.
pub struct I2cChip<A> {
    adapter: A,
    device: PathBuf,
    place: String,
    transport: Transport,
    /// A chip that has answered and falls silent was lost; one that never did is not there.
    has_answered: bool,
}

impl<A: Adapter> I2cChip<A> {
    /// The chip that `adapter` speaks to, at `address` of the bus `device`.
    pub fn new(adapter: A, device: &Path, address: u16, transport: Transport) -> Self {
        Self { adapter, device: device.to_owned(), place: name(device, address), transport, has_answered: false }
    }

    fn by_transport<T>(
        &mut self,
        smbus: impl FnOnce(&mut A) -> io::Result<T>,
        plain: impl FnOnce(&mut A) -> io::Result<T>,
    ) -> Result<T, BusError> {
        let result = if self.transport == Transport::Plain {
            plain(&mut self.adapter)
        } else {
            match smbus(&mut self.adapter) {
                Err(error) if self.transport == Transport::Auto && is_unsupported(&error) => {
                    self.transport = Transport::Plain;
                    plain(&mut self.adapter)
                }
                result => result,
            }
        };
        self.judge(result, "try another sensor.i2c_transport")
    }

    /// A command or its answer, for which there is only one transport.
    fn by_command(&mut self, out: &[u8], into: &mut [u8]) -> Result<(), BusError> {
        let result = self.adapter.transfer(out, into);
        self.judge(result, "sensors with commands (SHT3x, SHT4x, AHT20) need an adapter that knows plain I2C")
    }

    fn judge<T>(&mut self, result: io::Result<T>, remedy: &str) -> Result<T, BusError> {
        let judged = result.map_err(|error| {
            if is_unsupported(&error) {
                let text = format!("{} cannot do such transfers: {remedy}", self.device.display());
                return BusError { fault: Fault::Unsupported, text };
            }
            transfer_failed(&error, &self.place, self.has_answered)
        });
        self.has_answered |= judged.is_ok();
        judged
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    error.raw_os_error() == Some(errno::EOPNOTSUPP)
}

fn transfer_failed(error: &io::Error, place: &str, has_answered: bool) -> BusError {
    let (fault, text) = match error.raw_os_error() {
        Some(errno::ENODEV | errno::ENXIO | errno::EREMOTEIO | errno::EIO) if has_answered => {
            (Fault::Failed, format!("{place} no longer answers ({error}); check the wiring"))
        }
        Some(errno::ENODEV | errno::ENXIO | errno::EREMOTEIO | errno::EIO) => {
            (Fault::Silent, format!("nothing answers at {place} ({error})"))
        }
        Some(errno::ETIMEDOUT) => {
            (Fault::Failed, format!("{place}: the bus hangs ({error}); check pull-up resistors and wire length"))
        }
        _ => (Fault::Failed, format!("{place}: {error}")),
    };
    BusError { fault, text }
}

impl<A: Adapter> Chip for I2cChip<A> {
    fn read_registers(&mut self, first: u8, into: &mut [u8]) -> Result<(), BusError> {
        let mut register = first;
        for part in into.chunks_mut(SMBUS_BLOCK_MAX) {
            // At most 32.
            let length = part.len() as u8;
            let answer = self.by_transport(
                |adapter| adapter.smbus_read(register, length),
                |adapter| {
                    let mut answer = vec![0; usize::from(length)];
                    adapter.transfer(&[register], &mut answer)?;
                    Ok(answer)
                },
            )?;
            if answer.len() != part.len() {
                let text = format!("{}: {} of {length} bytes arrived", self.place, answer.len());
                return Err(BusError { fault: Fault::Failed, text });
            }
            part.copy_from_slice(&answer);
            register = register.wrapping_add(length);
        }
        Ok(())
    }

    fn write_register(&mut self, register: u8, value: u8) -> Result<(), BusError> {
        self.by_transport(
            |adapter| adapter.smbus_write(register, value),
            |adapter| adapter.transfer(&[register, value], &mut []),
        )
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), BusError> {
        self.by_command(bytes, &mut [])
    }

    fn receive(&mut self, into: &mut [u8]) -> Result<(), BusError> {
        self.by_command(&[], into)
    }

    fn pause(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn place(&self) -> String {
        self.place.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::tests::settings;
    use filamentbox_core::sample::NoData;

    /// An adapter over plain memory that notes the calls and refuses kinds of them.
    #[derive(Default)]
    struct Memory {
        registers: Vec<u8>,
        calls: Vec<String>,
        smbus_error: Option<i32>,
        plain_error: Option<i32>,
        short_by: usize,
    }

    fn refuse(error: Option<i32>) -> io::Result<()> {
        error.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }

    impl Adapter for Memory {
        fn smbus_read(&mut self, register: u8, length: u8) -> io::Result<Vec<u8>> {
            self.calls.push(format!("smbus read {register:#x} {length}"));
            refuse(self.smbus_error)?;
            let first = usize::from(register);
            Ok(self.registers[first..first + usize::from(length) - self.short_by].to_vec())
        }

        fn smbus_write(&mut self, register: u8, value: u8) -> io::Result<()> {
            self.calls.push(format!("smbus write {register:#x} {value:#x}"));
            refuse(self.smbus_error)
        }

        fn transfer(&mut self, out: &[u8], into: &mut [u8]) -> io::Result<()> {
            self.calls.push(format!("transfer {out:x?} {}", into.len()));
            refuse(self.plain_error)?;
            if let ([register], false) = (out, into.is_empty()) {
                let first = usize::from(*register);
                into.copy_from_slice(&self.registers[first..first + into.len()]);
            }
            Ok(())
        }
    }

    fn chip(transport: Transport, change: impl FnOnce(&mut Memory)) -> I2cChip<Memory> {
        let mut memory = Memory { registers: (0..=255).collect(), ..Memory::default() };
        change(&mut memory);
        I2cChip::new(memory, Path::new("/dev/i2c-1"), 0x76, transport)
    }

    #[test]
    fn auto_stays_with_smbus_where_the_adapter_has_it() {
        let mut chip = chip(Transport::Auto, |_| {});
        let mut bytes = [0; 40];
        chip.read_registers(0x88, &mut bytes).expect("memory");
        chip.write_register(0xf4, 0x25).expect("memory");
        assert_eq!(bytes.to_vec(), (0x88..0x88 + 40).collect::<Vec<u8>>());
        assert_eq!(chip.adapter.calls, ["smbus read 0x88 32", "smbus read 0xa8 8", "smbus write 0xf4 0x25"]);
    }

    #[test]
    fn auto_turns_to_plain_transfers_once_and_for_all() {
        let mut chip = chip(Transport::Auto, |memory| memory.smbus_error = Some(errno::EOPNOTSUPP));
        let mut bytes = [0; 2];
        chip.read_registers(0xd0, &mut bytes).expect("memory");
        chip.write_register(0xf4, 0x25).expect("memory");
        assert_eq!(bytes, [0xd0, 0xd1]);
        assert_eq!(chip.adapter.calls, ["smbus read 0xd0 2", "transfer [d0] 2", "transfer [f4, 25] 0"]);
    }

    #[test]
    fn a_named_transport_is_the_only_one_tried() {
        let mut smbus = chip(Transport::Smbus, |memory| memory.smbus_error = Some(errno::EOPNOTSUPP));
        let error = smbus.write_register(0, 0).expect_err("refused");
        assert_eq!((error.fault, smbus.adapter.calls.len()), (Fault::Unsupported, 1));
        let mut plain = chip(Transport::Plain, |_| {});
        plain.write_register(1, 2).expect("memory");
        assert_eq!(plain.adapter.calls, ["transfer [1, 2] 0"]);
    }

    #[test]
    fn commands_need_plain_transfers() {
        let mut smbus_only = chip(Transport::Auto, |memory| memory.plain_error = Some(errno::EOPNOTSUPP));
        for error in [smbus_only.send(&[1]), smbus_only.receive(&mut [0])] {
            let error = error.expect_err("refused");
            assert_eq!(error.fault, Fault::Unsupported);
            assert!(error.text.contains("/dev/i2c-1") && error.text.contains("plain I2C"), "{error}");
        }
    }

    #[test]
    fn a_short_answer_is_an_error() {
        let mut chip = chip(Transport::Auto, |memory| memory.short_by = 1);
        let error = chip.read_registers(0xf7, &mut [0; 8]).expect_err("short");
        assert_eq!(error.text, "0x76 on /dev/i2c-1: 7 of 8 bytes arrived");
    }

    #[test]
    fn what_the_kernel_says_of_a_transfer() {
        for silent in [errno::ENODEV, errno::ENXIO, errno::EREMOTEIO, errno::EIO] {
            let mut chip = chip(Transport::Auto, |memory| memory.smbus_error = Some(silent));
            let never_there = chip.read_registers(0, &mut [0]).expect_err("silent");
            assert!(
                matches!(NoData::from(never_there), NoData::NotPresent(text) if text.contains("0x76 on /dev/i2c-1"))
            );
            chip.adapter.smbus_error = None;
            chip.read_registers(0, &mut [0]).expect("memory");
            chip.adapter.smbus_error = Some(silent);
            let lost = chip.read_registers(0, &mut [0]).expect_err("silent");
            assert!(matches!(NoData::from(lost), NoData::Bus(text) if text.contains("no longer answers")));
        }
        let mut hanging = chip(Transport::Auto, |memory| memory.plain_error = Some(errno::ETIMEDOUT));
        assert!(matches!(NoData::from(hanging.send(&[1]).expect_err("hangs")), NoData::Bus(_)));
        assert!(matches!(NoData::from(hanging.receive(&mut [0]).expect_err("hangs")), NoData::Bus(_)));
    }

    #[test]
    fn what_the_kernel_says_of_an_opening_names_the_remedy() {
        let text = |errno| {
            let error = opening_failed(&io::Error::from_raw_os_error(errno), Path::new("/dev/i2c-1"), 0x76);
            (error.fault, error.text)
        };
        for (errno, fault, remedy) in [
            (errno::ENOENT, Fault::NoBus, "dtparam=i2c_arm=on"),
            (errno::EACCES, Fault::Forbidden, "group i2c"),
            (errno::EBUSY, Fault::Held, "sensor.type=iio"),
        ] {
            let (actual, text) = text(errno);
            assert_eq!(actual, fault);
            assert!(text.contains(remedy) && text.contains("/dev/i2c-1"), "{text}");
        }
    }

    #[test]
    fn a_bus_that_does_not_exist_is_not_present() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::of(&settings(&[("sensor.i2c_bus", "7")]), folder.path(), &[0x76]).expect("allowed");
        let error = place.open(0x76).err().expect("no such device");
        assert_eq!(error.fault, Fault::NoBus);
        assert!(matches!(NoData::from(error), NoData::NotPresent(text) if text.contains("dev/i2c-7")));
    }

    #[test]
    fn addresses_are_those_of_the_chip() {
        let of = |text| addresses(&settings(&[("sensor.i2c_address", text)]), &[0x76, 0x77]);
        assert_eq!(of("auto"), Ok(vec![0x76, 0x77]));
        assert_eq!(of("0x77"), Ok(vec![0x77]));
        assert_eq!(of("0x44"), Err("\"0x44\" is not allowed for this sensor; allowed: auto, 0x76, 0x77".to_owned()));
    }
}
