//! Banks of simulated GPIO lines: the kernel's gpio-sim (Documentation/admin-guide/gpio/gpio-sim.rst). Programs see an ordinary GPIO chip;
//! the far end of each line is a file here: `value` is the level an output drives, `pull` the level of an input, to which a
//! line also falls back when nobody holds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{read, write};

const CONFIG: &str = "/sys/kernel/config/gpio-sim";
/// The lines of a Raspberry Pi's header chip.
const PI_LINES: u32 = 54;
/// The label of that chip on the models 1 to 4.
pub(crate) const PI_LABEL: &str = "pinctrl-bcm2835";

static BANKS: AtomicU32 = AtomicU32::new(0);

/// A bank of lines; it is gone with its value, if no process holds one of them.
pub(crate) struct Bank {
    config: PathBuf,
    names: Vec<u32>,
    lines: PathBuf,
    chip: String,
}

impl Bank {
    /// The header of a Raspberry Pi: its label, and its number of lines.
    pub(crate) fn raspberry_pi() -> Self {
        Self::new("pi", Some(PI_LABEL), PI_LINES, &[])
    }

    /// A chip with `count` lines, some of them named.
    pub(crate) fn new(id: &str, label: Option<&str>, count: u32, names: &[(u32, &str)]) -> Self {
        // A scenario that has failed may have left a bank behind.
        let config = Path::new(CONFIG).join(format!("{id}-{}", BANKS.fetch_add(1, Ordering::SeqCst)));
        let bank = config.join("bank");
        fs::create_dir_all(&bank).expect("gpio-sim takes a bank");
        write(bank.join("num_lines"), &count.to_string());
        if let Some(label) = label {
            write(bank.join("label"), label);
        }
        for (offset, name) in names {
            fs::create_dir(bank.join(format!("line{offset}"))).expect("gpio-sim takes a line");
            write(bank.join(format!("line{offset}/name")), name);
        }
        write(config.join("live"), "1");
        let chip = read(bank.join("chip_name"));
        let lines = Path::new("/sys/devices/platform").join(read(config.join("dev_name"))).join(&chip);
        Self { config, names: names.iter().map(|(offset, _)| *offset).collect(), lines, chip }
    }

    /// The chip's name, such as `gpiochip0`.
    pub(crate) fn chip(&self) -> &str {
        &self.chip
    }

    /// Its device.
    pub(crate) fn device(&self) -> PathBuf {
        Path::new("/dev").join(&self.chip)
    }

    /// The level on the line.
    pub(crate) fn level(&self, offset: u32) -> bool {
        read(self.lines.join(format!("sim_gpio{offset}/value"))) == "1"
    }

    /// The file that sets the level of a line nobody drives.
    pub(crate) fn pull_file(&self, offset: u32) -> PathBuf {
        self.lines.join(format!("sim_gpio{offset}/pull"))
    }

    /// Pulls a line up or down: what it is while nobody drives it.
    pub(crate) fn pull(&self, offset: u32, up: bool) {
        write(self.pull_file(offset), if up { "pull-up" } else { "pull-down" });
    }

    fn remove(&self) -> std::io::Result<()> {
        fs::write(self.config.join("live"), "0")?;
        for offset in &self.names {
            fs::remove_dir(self.config.join(format!("bank/line{offset}")))?;
        }
        fs::remove_dir(self.config.join("bank"))?;
        fs::remove_dir(&self.config)
    }

    /// Who holds a line.
    pub(crate) fn holder(&self, offset: u32) -> Option<String> {
        let chip = gpiocdev::Chip::from_path(self.device()).expect("the chip's device");
        let info = chip.line_info(offset).expect("the line exists");
        info.used.then_some(info.consumer)
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        let removed = self.remove();
        assert!(removed.is_ok() || std::thread::panicking(), "{} stays: {removed:?}", self.chip);
    }
}
