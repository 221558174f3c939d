//! An I2C bus with one chip: the kernel's i2c-stub, 256 registers of plain memory behind the SMBus calls. Nothing in it measures:
//! the scenarios write what a chip would have.

use std::path::PathBuf;
use std::process::Command;

use i2cdev::core::I2CDevice as _;
use i2cdev::linux::LinuxI2CDevice;

use super::{read, write};

/// The chip and its bus; both are gone with this value.
pub(crate) struct Stub {
    bus: u32,
    address: u16,
}

impl Stub {
    /// A chip at `address`, every register 0.
    pub(crate) fn new(address: u16) -> Self {
        let module = Command::new("insmod").arg("/modules/i2c-stub.ko").arg(format!("chip_addr={address:#x}")).status();
        assert!(module.expect("insmod").success(), "i2c-stub does not load");
        Self { bus: find_bus().expect("the stub's bus"), address }
    }

    /// The N of /dev/i2c-N.
    pub(crate) fn bus(&self) -> u32 {
        self.bus
    }

    /// Writes registers from `first` on, all of them (32 at most) in one go: nobody reads half of them.
    pub(crate) fn write(&self, first: u8, values: &[u8]) {
        let device = LinuxI2CDevice::new(format!("/dev/i2c-{}", self.bus), self.address);
        let mut device = device.unwrap_or_else(|problem| panic!("the chip is not free: {problem}"));
        device.smbus_write_i2c_block_data(first, values).expect("the stub takes every write");
    }

    /// One register.
    pub(crate) fn read(&self, register: u8) -> u8 {
        let device = LinuxI2CDevice::new(format!("/dev/i2c-{}", self.bus), self.address);
        device.expect("the chip is free").smbus_read_byte_data(register).expect("the stub answers")
    }

    /// Binds the kernel's own driver to the chip; returns its folder of values.
    pub(crate) fn bind(&self, name: &str) -> Bound<'_> {
        write(self.adapter().join("new_device"), &format!("{name} {:#x}", self.address));
        let device = format!("{}-{:04x}", self.bus, self.address);
        let folder = PathBuf::from("/sys/bus/i2c/devices").join(device);
        let iio = std::fs::read_dir(&folder).expect("the device").flatten().map(|entry| entry.path());
        let mut iio =
            iio.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("iio:device")));
        let values = iio.next().expect("the kernel's driver takes the chip");
        Bound { stub: self, values }
    }

    /// Removes the chip with its bus; false while a process holds the bus open.
    pub(crate) fn try_remove(&self) -> bool {
        let removed = Command::new("rmmod").arg("i2c_stub").stderr(std::process::Stdio::null()).status();
        removed.expect("rmmod").success()
    }

    fn adapter(&self) -> PathBuf {
        PathBuf::from(format!("/sys/bus/i2c/devices/i2c-{}", self.bus))
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        if find_bus().is_some() && !self.try_remove() && !std::thread::panicking() {
            panic!("a process still holds the I2C bus");
        }
    }
}

/// The kernel's driver on the chip, until this value's end.
pub(crate) struct Bound<'a> {
    stub: &'a Stub,
    values: PathBuf,
}

impl Bound<'_> {
    /// One of the driver's values, as it prints it.
    pub(crate) fn value(&self, name: &str) -> String {
        read(self.values.join(name))
    }
}

impl Drop for Bound<'_> {
    fn drop(&mut self) {
        write(self.stub.adapter().join("delete_device"), &format!("{:#x}", self.stub.address));
    }
}

fn find_bus() -> Option<u32> {
    let devices = std::fs::read_dir("/sys/bus/i2c/devices").ok()?.flatten();
    devices.filter(|entry| read_name(&entry.path()).starts_with("SMBus stub")).find_map(|entry| {
        entry.file_name().to_string_lossy().strip_prefix("i2c-").and_then(|number| number.parse().ok())
    })
}

fn read_name(device: &std::path::Path) -> String {
    std::fs::read_to_string(device.join("name")).unwrap_or_default()
}
