//! config.txt, which a Raspberry Pi's firmware reads before Linux, as far as it concerns pins and the watchdog.
//!
//! Sections are judged conservatively: a line counts as in force only where that is certain (`[all]`, no section, a section
//! of this very model). What a section that depends on anything else (serial number, a pin, a monitor) says is doubtful.
//! Source: Raspberry Pi documentation, "config.txt", chapters "gpio" and "Conditional filters".

/// A file that includes itself must come to an end.
const INCLUDE_DEPTH_MAX: u32 = 4;

/// A model of the Raspberry Pi, by what it calls itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Model {
    text: String,
}

impl Model {
    /// From the device tree's `model`; `None` for other machines.
    pub(super) fn new(text: &str) -> Option<Self> {
        text.starts_with("Raspberry Pi").then(|| Self { text: text.to_owned() })
    }

    /// As it calls itself.
    pub(super) fn name(&self) -> &str {
        &self.text
    }

    /// Whether its header pins are those of the RP1 chip (Pi 5, 500, Compute Module 5) instead of the processor's own.
    pub(super) fn has_rp1(&self) -> bool {
        self.is("pi5")
    }

    /// The kernel's name for the driver of the header pins, as in `/sys/module`.
    pub(super) fn pin_driver(&self) -> &'static str {
        if self.has_rp1() { "pinctrl_rp1" } else { "pinctrl_bcm2835" }
    }

    /// Whether a section's name means this model; `false` also for names that mean no model.
    fn is(&self, section: &str) -> bool {
        let text = self.text.trim_start_matches("Raspberry Pi").trim_start();
        let begins = |names: &[&str]| names.iter().any(|name| text == *name || text.starts_with(&format!("{name} ")));
        match section {
            "pi1" => begins(&["Model A", "Model B", "Compute Module Rev"]),
            "pi2" => begins(&["2"]),
            "pi3" => begins(&["3", "Compute Module 3"]),
            "pi3+" => begins(&["3"]) && text.contains("Plus"),
            "pi4" => begins(&["4", "400", "Compute Module 4", "Compute Module 4S"]),
            "pi400" => begins(&["400"]),
            "pi5" => begins(&["5", "500", "Compute Module 5"]),
            "pi500" => begins(&["500"]),
            "cm4" => begins(&["Compute Module 4"]),
            "cm4s" => begins(&["Compute Module 4S"]),
            "cm5" => begins(&["Compute Module 5"]),
            "cm0" => begins(&["Compute Module 0"]),
            "pi0" => begins(&["Zero", "Compute Module 0"]),
            "pi0w" => begins(&["Zero W"]),
            "pi02" => begins(&["Zero 2", "Compute Module 0"]),
            _ => false,
        }
    }
}

/// Names of sections that mean a model.
const MODEL_SECTIONS: [&str; 15] =
    ["pi1", "pi2", "pi3", "pi3+", "pi4", "pi400", "pi5", "pi500", "cm4", "cm4s", "cm5", "cm0", "pi0", "pi0w", "pi02"];

/// Whether a line is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Force {
    Yes,
    No,
    Doubtful,
}

/// What the firmware makes of a pin before Linux starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct BootPin {
    /// An output, driven to this level (`true` is high).
    pub(super) driven: Option<bool>,
    /// A pull resistor of the chip, up (`true`) or down, or switched off (`Some(None)`).
    pub(super) pull: Option<Option<bool>>,
    /// A line in a section that may or may not be in force has the last word.
    pub(super) is_doubtful: bool,
}

/// The lines that matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct BootConfig {
    lines: Vec<(Force, String, String)>,
}

impl BootConfig {
    /// Reads `text`; `include` gives the text of a file beside it.
    pub(super) fn parse(text: &str, model: &Model, include: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut config = Self::default();
        let mut filters = Filters::default();
        config.read(text, model, include, &mut filters, 0);
        config
    }

    fn read(
        &mut self,
        text: &str,
        model: &Model,
        include: &dyn Fn(&str) -> Option<String>,
        filters: &mut Filters,
        depth: u32,
    ) {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                filters.enter(section, model);
            } else if let Some(file) = line.strip_prefix("include ") {
                if depth < INCLUDE_DEPTH_MAX
                    && let Some(text) = include(file.trim())
                {
                    self.read(&text, model, include, filters, depth + 1);
                }
            } else if let Some((key, value)) = line.split_once('=') {
                self.lines.push((filters.force(), key.trim().to_owned(), value.trim().to_owned()));
            }
        }
    }

    fn values(&self, key: &str) -> impl Iterator<Item = (Force, &str)> {
        self.lines.iter().filter(move |(_, name, _)| name == key).map(|(force, _, value)| (*force, value.as_str()))
    }

    /// The last value of a setting that is certainly in force.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.values(key).filter(|(force, _)| *force == Force::Yes).map(|(_, value)| value).last()
    }

    /// Whether a device tree parameter is certainly set, and not switched off again.
    pub(super) fn has_parameter(&self, name: &str) -> bool {
        let in_force = self.values("dtparam").filter(|(force, _)| *force == Force::Yes);
        let parameters = in_force.flat_map(|(_, value)| value.split(','));
        let settings = parameters.filter_map(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, "on"));
            (key.trim() == name).then(|| !matches!(value.trim(), "off" | "no" | "n" | "0" | "false"))
        });
        settings.last().unwrap_or(false)
    }

    /// What the `gpio=` lines, the later over the earlier, make of a pin.
    pub(super) fn pin(&self, pin: u32) -> BootPin {
        let mut state = BootPin::default();
        let mut is_output = false;
        let mut level = None;
        for (force, value) in self.values("gpio") {
            let Some((pins, attributes)) = value.split_once('=') else { continue };
            if !pins.split(',').any(|part| is_in_range(part.trim(), pin)) {
                continue;
            }
            match force {
                Force::No => continue,
                Force::Doubtful => {
                    state.is_doubtful = true;
                    continue;
                }
                Force::Yes => {}
            }
            let attributes: Vec<&str> = attributes.split(',').map(str::trim).collect();
            if attributes.contains(&"op") && (attributes.contains(&"dh") || attributes.contains(&"dl")) {
                // It overrides whatever came before.
                state.is_doubtful = false;
            }
            for attribute in attributes {
                match attribute {
                    "op" => is_output = true,
                    "ip" | "a0" | "a1" | "a2" | "a3" | "a4" | "a5" => is_output = false,
                    "dh" => level = Some(true),
                    "dl" => level = Some(false),
                    "pu" => state.pull = Some(Some(true)),
                    "pd" => state.pull = Some(Some(false)),
                    "pn" | "np" => state.pull = Some(None),
                    _ => {}
                }
            }
        }
        state.driven = level.filter(|_| is_output);
        state
    }
}

fn is_in_range(part: &str, pin: u32) -> bool {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    match part.split_once('-') {
        Some((first, last)) => {
            number(first).zip(number(last)).is_some_and(|(first, last)| (first..=last).contains(&pin))
        }
        None => number(part) == Some(pin),
    }
}

/// The filters in force at a line. Filters of one kind replace each other, those of different kinds add up, `[all]` ends all.
#[derive(Default)]
struct Filters {
    model: Option<bool>,
    is_none: bool,
    has_other: bool,
}

impl Filters {
    fn enter(&mut self, section: &str, model: &Model) {
        match section.trim() {
            "all" => *self = Self::default(),
            "none" => self.is_none = true,
            name if MODEL_SECTIONS.contains(&name) => {
                self.model = Some(model.is(name));
                self.is_none = false;
            }
            _ => self.has_other = true,
        }
    }

    fn force(&self) -> Force {
        match self.model {
            _ if self.is_none => Force::No,
            Some(false) => Force::No,
            _ if self.has_other => Force::Doubtful,
            _ => Force::Yes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, model: &str) -> BootConfig {
        let model = Model::new(model).expect("a Raspberry Pi");
        BootConfig::parse(text, &model, &|name| (name == "more.txt").then(|| "gpio=5=op,dh".to_owned()))
    }

    const PI_4: &str = "Raspberry Pi 4 Model B Rev 1.4";
    const PI_5: &str = "Raspberry Pi 5 Model B Rev 1.0";

    #[test]
    fn models_match_their_sections() {
        let sections = |text: &str| {
            let model = Model::new(text).expect("a Raspberry Pi");
            MODEL_SECTIONS.into_iter().filter(|section| model.is(section)).collect::<Vec<_>>()
        };
        assert_eq!(sections(PI_4), ["pi4"]);
        assert_eq!(sections("Raspberry Pi 400 Rev 1.0"), ["pi4", "pi400"]);
        assert_eq!(sections("Raspberry Pi Compute Module 4 Rev 1.0"), ["pi4", "cm4"]);
        assert_eq!(sections(PI_5), ["pi5"]);
        assert_eq!(sections("Raspberry Pi Compute Module 5 Rev 1.0"), ["pi5", "cm5"]);
        assert_eq!(sections("Raspberry Pi 3 Model B Plus Rev 1.3"), ["pi3", "pi3+"]);
        assert_eq!(sections("Raspberry Pi Zero W Rev 1.1"), ["pi0", "pi0w"]);
        assert_eq!(sections("Raspberry Pi Zero 2 W Rev 1.0"), ["pi0", "pi02"]);
        assert_eq!(sections("Raspberry Pi Model B Plus Rev 1.2"), ["pi1"]);
        assert_eq!(sections("Raspberry Pi Compute Module Rev 1.0"), ["pi1"]);
        assert_eq!(sections("Raspberry Pi Compute Module 3 Rev 1.0"), ["pi3"]);
        assert_eq!(Model::new("Radxa ROCK 4"), None);
    }

    #[test]
    fn pins_as_the_last_line_in_force_leaves_them() {
        let cases = [
            ("gpio=16,20=op,dl", Some(false)),
            ("gpio=16-20=op,dh", Some(true)),
            ("gpio=15,17-20=op,dh", None),
            ("gpio=16=op", None),
            ("gpio=16=dh", None),
            ("gpio=16=op,dh\ngpio=16=dl", Some(false)),
            ("gpio=16=op,dh\ngpio=16=ip", None),
            ("# gpio=16=op,dl", None),
            ("[pi4]\ngpio=16=op,dl", Some(false)),
            ("[pi5]\ngpio=16=op,dl", None),
            ("[pi5]\n[all]\ngpio=16=op,dl", Some(false)),
            ("[none]\ngpio=16=op,dl", None),
            ("[gpio4=1]\ngpio=16=op,dl", None),
            ("[gpio4=1]\n[pi4]\ngpio=16=op,dl", None),
            ("gpio=16=op,dl\n[gpio4=1]\ngpio=16=op,dh", Some(false)),
        ];
        for (text, driven) in cases {
            let pin = parse(text, PI_4).pin(16);
            assert_eq!(pin.driven, driven, "{text}");
            assert_eq!(pin.is_doubtful, text.contains("gpio4"), "{text}");
        }
        let settled = parse("[gpio4=1]\ngpio=16=op,dh\n[all]\ngpio=16=op,dl", PI_4).pin(16);
        assert_eq!((settled.driven, settled.is_doubtful), (Some(false), false), "the later line wins");
        assert_eq!(parse("gpio=16=ip,pd", PI_4).pin(16).pull, Some(Some(false)));
        assert_eq!(parse("gpio=16=ip,np", PI_4).pin(16).pull, Some(None));
        assert_eq!(parse("include more.txt", PI_4).pin(5).driven, Some(true));
    }

    #[test]
    fn parameters_and_values() {
        assert!(parse("dtparam=i2c_arm=on,strict_gpiod", PI_4).has_parameter("strict_gpiod"));
        assert!(parse("dtparam=strict_gpiod=on", PI_4).has_parameter("strict_gpiod"));
        assert!(!parse("dtparam=strict_gpiod=off", PI_4).has_parameter("strict_gpiod"));
        assert!(!parse("[pi4]\ndtparam=strict_gpiod", PI_5).has_parameter("strict_gpiod"));
        assert_eq!(
            parse("kernel_watchdog_timeout=10\nkernel_watchdog_timeout=15", PI_4).value("kernel_watchdog_timeout"),
            Some("15")
        );
        assert_eq!(parse("", PI_4).value("kernel_watchdog_timeout"), None);
    }
}
