//! `iio`: what the drivers of the Linux kernel measure, read from `/sys`. So every temperature and humidity sensor that Linux
//! knows works, on whatever bus.
//!
//! Two of the kernel's interfaces are read: industrial I/O (`Documentation/ABI/testing/sysfs-bus-iio`: m°C, m%, kPa; ready-made,
//! or a raw number to be offset and scaled) and hardware monitoring (`Documentation/hwmon/sysfs-interface.rst`: m°C, m%), in
//! which Sensirion's SHT3x and SHT4x are, among others. A device counts when it has temperature and humidity.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use filamentbox_core::config::{KeySpec, Kind, Settings};
use filamentbox_core::sample::{Frozen, Measurement, NoData, SensorTraits};
use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};

use super::{Detail, Found, OpenContext, Origin, Sensor, SensorKind};

/// The kernel's drivers.
pub const IIO: SensorKind = SensorKind {
    name: "iio",
    title: "kernel driver",
    origin: Origin::Hardware,
    keys: &[DEVICE_KEY],
    addresses: &[],
    temperature_max_c: None,
    in_auto: true,
    open: |settings, context| Ok(Box::new(choose(settings, context)?)),
    scan: |settings, context| {
        let usable = |device: Device| Found::usable(device.folder.display().to_string(), device.driver);
        devices(&context.root).into_iter().filter(|device| device.is(wanted(settings))).map(usable).collect()
    },
    places: |_, context| FOLDERS.iter().map(|(folder, _)| context.root.join(folder).display().to_string()).collect(),
};

const DEVICE_KEY: KeySpec = KeySpec::new(
    "sensor.iio_device",
    Kind::Text { max_bytes: 64 },
    AUTO,
    "",
    "Which of the kernel's sensors: its driver's name (bme280, dht11, sht4x) or its folder's (iio:device0, hwmon2). auto takes the first that measures temperature and humidity.",
);

const AUTO: &str = "auto";

/// Where the kernel lists its sensors, with what the files are called in each.
const FOLDERS: [(&str, Names); 2] = [
    (
        "sys/bus/iio/devices",
        Names {
            prefix: "iio:device",
            temperature: "in_temp",
            humidity: "in_humidityrelative",
            pressure: Some("in_pressure"),
        },
    ),
    ("sys/class/hwmon", Names { prefix: "hwmon", temperature: "temp1", humidity: "humidity1", pressure: None }),
];

#[derive(Clone, Copy)]
struct Names {
    prefix: &'static str,
    temperature: &'static str,
    humidity: &'static str,
    pressure: Option<&'static str>,
}

/// The end of the range of the chips behind the drivers, by the names in their files (the chips' data sheets).
const RANGES: [(&str, f64); 20] = [
    ("aht10", 85.0),
    ("am2315", 80.0),
    ("bme280", 85.0),
    ("bme680", 85.0),
    // The driver cannot tell a DHT22 (80 °C) from a DHT11 (50 °C).
    ("dht11", 80.0),
    ("dht20", 80.0),
    ("hdc100x", 125.0),
    ("hdc1000", 125.0),
    ("hdc1080", 125.0),
    ("hdc2010", 125.0),
    ("hdc2080", 125.0),
    ("hdc3020", 125.0),
    ("hts221", 120.0),
    ("htu21", 125.0),
    ("sht21", 125.0),
    ("sht3x", 125.0),
    ("sht4x", 125.0),
    ("shtc1", 125.0),
    ("shtc3", 125.0),
    ("si7020", 125.0),
];
/// The end of the range of a chip that is not in [`RANGES`]: what most chips reach.
const UNKNOWN_MAX_C: f64 = 85.0;
/// No chip of them all measures beyond.
const PLAUSIBLE_C: std::ops::RangeInclusive<f64> = -55.0..=150.0;
/// Formulas of sensors overshoot 0 and 100 % by so much, in saturated or very dry air (-6 to 119 % for Sensirion's).
const PLAUSIBLE_PCT: std::ops::RangeInclusive<f64> = -7.0..=120.0;
const PLAUSIBLE_HPA: std::ops::RangeInclusive<f64> = 300.0..=1200.0;

/// Drivers round, and some return what they measured up to 2 s ago.
const FROZEN: Frozen = Frozen { readings: 10, time: Duration::from_secs(600) };
/// The same for chips whose noise is far above what their drivers round to.
const FROZEN_WITH_NOISE: Frozen = Frozen { readings: 10, time: Duration::from_secs(60) };
const WITH_NOISE: [&str; 4] = ["bme280", "bme680", "sht3x", "sht4x"];

/// One quantity of a device.
#[derive(Clone, PartialEq, Debug)]
enum Channel {
    /// In the unit of the interface.
    Ready(PathBuf),
    /// `(raw + offset) * scale` is in the unit of the interface.
    Raw { raw: PathBuf, offset: f64, scale: f64 },
}

impl Channel {
    fn find(folder: &Path, name: &str) -> Option<Self> {
        let file = |suffix: &str| folder.join(format!("{name}_{suffix}"));
        if file("input").exists() {
            return Some(Self::Ready(file("input")));
        }
        // Without a scale the number has no unit; a missing offset is zero.
        let scale = number(&fs::read_to_string(file("scale")).ok()?)?;
        let offset = fs::read_to_string(file("offset")).ok().map_or(Some(0.0), |text| number(&text))?;
        file("raw").exists().then(|| Self::Raw { raw: file("raw"), offset, scale })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Ready(path) | Self::Raw { raw: path, .. } => path,
        }
    }

    /// The file's text, and the value in thousandths (kPa) of what the quantity is measured in.
    fn read(&self) -> Result<(String, f64), NoData> {
        let path = self.path();
        let text = fs::read_to_string(path).map_err(|error| reading_failed(&error, path))?;
        let text = text.trim().to_owned();
        let value = number(&text)
            .ok_or_else(|| NoData::Implausible(format!("{} reads {text:?}, which is no number", path.display())))?;
        let value = match self {
            Self::Ready(_) => value,
            Self::Raw { offset, scale, .. } => (value + offset) * scale,
        };
        Ok((text, value))
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn reading_failed(error: &io::Error, path: &Path) -> NoData {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => NoData::NotPresent(text),
        io::ErrorKind::TimedOut => NoData::TimedOut,
        io::ErrorKind::PermissionDenied => {
            NoData::NotPresent(format!("{text}; such files are readable by all as a rule"))
        }
        _ => NoData::Bus(text),
    }
}

/// A device of the kernel that measures temperature and humidity.
#[derive(Clone, PartialEq, Debug)]
struct Device {
    folder: PathBuf,
    /// As its file `name` says.
    driver: String,
    /// See [`parent`].
    parent: Option<String>,
    temperature: Channel,
    humidity: Channel,
    pressure: Option<Channel>,
}

impl Device {
    fn find(folder: PathBuf, names: Names) -> Option<Self> {
        let driver = driver(&folder);
        Some(Self {
            temperature: Channel::find(&folder, names.temperature)?,
            humidity: Channel::find(&folder, names.humidity)?,
            pressure: names.pressure.and_then(|name| Channel::find(&folder, name)),
            parent: parent(&folder),
            driver,
            folder,
        })
    }

    fn folder_name(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The kernel gives the same number to another device when drivers are loaded anew.
    fn check_is_same(&self) -> Result<(), NoData> {
        if driver(&self.folder) == self.driver && parent(&self.folder) == self.parent {
            return Ok(());
        }
        Err(NoData::NotPresent(format!("{} is no longer the {}", self.folder.display(), self.name())))
    }

    fn name(&self) -> String {
        format!("{} of the kernel ({})", self.driver, self.parent.as_deref().unwrap_or(self.folder_name()))
    }

    /// The driver's name without the address that some devices have behind theirs (`dht11@4`).
    fn chip(&self) -> &str {
        self.driver.split('@').next().unwrap_or_default()
    }

    fn is(&self, wanted: &str) -> bool {
        wanted == AUTO || [self.folder_name(), self.driver.as_str(), self.chip()].contains(&wanted)
    }

    fn temperature_max_c(&self) -> f64 {
        RANGES.iter().find(|(name, _)| *name == self.chip()).map_or(UNKNOWN_MAX_C, |(_, max)| *max)
    }
}

fn driver(folder: &Path) -> String {
    fs::read_to_string(folder.join("name")).unwrap_or_default().trim().to_owned()
}

/// What the kernel calls the chip on its bus (`1-0076`): unlike the folder's number it stays the same when the driver is loaded
/// anew. hwmon links to it, the folder of an IIO device lies in it.
fn parent(folder: &Path) -> Option<String> {
    let linked = fs::canonicalize(folder.join("device"));
    let parent = linked.or_else(|_| fs::canonicalize(folder.join(".."))).ok()?;
    Some(parent.file_name()?.to_str()?.to_owned())
}

/// Every device, in the order of the kernel's numbers.
fn devices(root: &Path) -> Vec<Device> {
    FOLDERS.iter().flat_map(|(folder, names)| devices_in(&root.join(folder), *names)).collect()
}

fn devices_in(folder: &Path, names: Names) -> Vec<Device> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let numbered = entries.filter_map(|entry| {
        let number: u32 = entry.file_name().to_str()?.strip_prefix(names.prefix)?.parse().ok()?;
        Some((number, entry.path()))
    });
    let mut numbered: Vec<(u32, PathBuf)> = numbered.collect();
    numbered.sort();
    numbered.into_iter().filter_map(|(_, path)| Device::find(path, names)).collect()
}

fn wanted(settings: &Settings) -> &str {
    let wanted = settings.text(DEVICE_KEY.key).trim();
    if wanted.is_empty() { AUTO } else { wanted }
}

fn choose(settings: &Settings, context: &OpenContext) -> Result<KernelSensor, NoData> {
    let wanted = wanted(settings);
    let devices = devices(&context.root);
    match devices.iter().find(|device| device.is(wanted)) {
        Some(device) => Ok(KernelSensor { device: device.clone(), last: None }),
        None => Err(NoData::NotPresent(none_found(wanted, &devices))),
    }
}

fn none_found(wanted: &str, devices: &[Device]) -> String {
    let name = |device: &Device| format!("{} ({})", device.driver, device.folder_name());
    let there: Vec<String> = devices.iter().map(name).collect();
    if there.is_empty() {
        "no driver of the kernel measures temperature and humidity; on a Raspberry Pi add the sensor's overlay to \
         /boot/firmware/config.txt (for example dtoverlay=i2c-sensor,bme280 or dtoverlay=dht11,gpiopin=4) and restart"
            .to_owned()
    } else {
        format!("no sensor of the kernel is called {wanted:?} (sensor.iio_device); there are {}", there.join(", "))
    }
}

/// The texts and values of one reading.
#[derive(Clone, PartialEq, Debug)]
struct Texts {
    temperature: (String, f64),
    humidity: (String, f64),
    pressure: Option<(String, f64)>,
}

/// A sensor that a driver of the kernel reads.
pub struct KernelSensor {
    device: Device,
    last: Option<Texts>,
}

impl Sensor for KernelSensor {
    fn read(&mut self) -> Result<Measurement, NoData> {
        self.device.check_is_same()?;
        let texts = Texts {
            temperature: self.device.temperature.read()?,
            humidity: self.device.humidity.read()?,
            pressure: self.device.pressure.as_ref().map(Channel::read).transpose()?,
        };
        let temperature_c = plausible(texts.temperature.1 / 1000.0, PLAUSIBLE_C, "°C")?;
        let humidity_pct = plausible(texts.humidity.1 / 1000.0, PLAUSIBLE_PCT, "%")?.clamp(0.0, 100.0);
        let pressure_hpa =
            texts.pressure.as_ref().map(|(_, kpa)| plausible(kpa * 10.0, PLAUSIBLE_HPA, "hPa")).transpose()?;
        let (temperature, humidity) = (Celsius::new(temperature_c), RelativeHumidity::new(humidity_pct));
        let (Some(temperature), Some(humidity)) = (temperature, humidity) else {
            return Err(NoData::Implausible(format!("{temperature_c} °C, {humidity_pct} %")));
        };
        self.last = Some(texts);
        Ok(Measurement { temperature, humidity, pressure: pressure_hpa.and_then(Hectopascal::new) })
    }

    fn describe(&self) -> String {
        self.device.name()
    }

    fn traits(&self) -> SensorTraits {
        let has_noise = WITH_NOISE.contains(&self.device.chip());
        SensorTraits {
            temperature_max_c: self.device.temperature_max_c(),
            frozen: if has_noise { FROZEN_WITH_NOISE } else { FROZEN },
        }
    }

    /// A hash of the files' texts: three numbers of any length do not fit.
    fn fingerprint(&self) -> Option<u64> {
        let Texts { temperature, humidity, pressure } = self.last.as_ref()?;
        let mut hasher = DefaultHasher::new();
        (&temperature.0, &humidity.0, pressure.as_ref().map(|(text, _)| text)).hash(&mut hasher);
        Some(hasher.finish())
    }

    fn details(&self) -> Vec<Detail> {
        let Some(Texts { temperature, humidity, pressure }) = &self.last else { return Vec::new() };
        let device = &self.device;
        let read = [(Some(&device.temperature), Some(temperature)), (Some(&device.humidity), Some(humidity))];
        let read = read.into_iter().chain([(device.pressure.as_ref(), pressure.as_ref())]);
        let file = |channel: &Channel| channel.path().file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let detail = |(channel, text): (Option<&Channel>, Option<&(String, f64)>)| {
            Some(Detail::new(file(channel?)?, text?.0.clone()))
        };
        let mut details: Vec<Detail> = read.filter_map(detail).collect();
        details.push(Detail::new("temperature_milli_c", temperature.1.to_string()));
        details.push(Detail::new("humidity_milli_pct", humidity.1.to_string()));
        details.extend(pressure.as_ref().map(|(_, kpa)| Detail::new("pressure_kpa", kpa.to_string())));
        details
    }
}

fn plausible(value: f64, range: std::ops::RangeInclusive<f64>, unit: &str) -> Result<f64, NoData> {
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(NoData::Implausible(format!("{value} {unit} from the kernel's driver")))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::tests::{context, settings};
    use super::super::{self as sensors, Opener};
    use super::*;

    /// A machine whose `/sys` has these files.
    fn machine(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            write(&root, path, text);
        }
        root
    }

    fn write(root: &TempDir, path: &str, text: &str) {
        let path = root.path().join("sys").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, format!("{text}\n")).expect("written");
    }

    /// A BME280 as Linux 6.1 shows it, a BMP280 before it.
    const BME280: &[(&str, &str)] = &[
        ("bus/iio/devices/iio:device0/name", "bmp280"),
        ("bus/iio/devices/iio:device0/in_temp_input", "25080"),
        ("bus/iio/devices/iio:device0/in_pressure_input", "100.653253906"),
        ("bus/iio/devices/iio:device10/name", "dht11@4"),
        ("bus/iio/devices/iio:device10/in_temp_input", "21000"),
        ("bus/iio/devices/iio:device10/in_humidityrelative_input", "40000"),
        ("bus/iio/devices/iio:device2/name", "bme280"),
        ("bus/iio/devices/iio:device2/in_temp_input", "25080"),
        ("bus/iio/devices/iio:device2/in_pressure_input", "100.653253906"),
        ("bus/iio/devices/iio:device2/in_humidityrelative_input", "49468"),
    ];

    /// An SHT4x, after the processor's own temperature.
    const SHT4X: &[(&str, &str)] = &[
        ("class/hwmon/hwmon0/name", "cpu_thermal"),
        ("class/hwmon/hwmon0/temp1_input", "48312"),
        ("class/hwmon/hwmon1/name", "sht4x"),
        ("class/hwmon/hwmon1/temp1_input", "-5123"),
        ("class/hwmon/hwmon1/humidity1_input", "12345"),
    ];

    fn open(root: &TempDir, device: &str) -> Result<Box<dyn Sensor>, NoData> {
        let settings = settings(&[("sensor.type", "iio"), ("sensor.iio_device", device)]);
        sensors::open(&settings, &context(root.path()))
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], device: &str, expected: (i32, i32, Option<i32>, f64)) {
        let root = machine(files);
        let mut sensor = open(&root, device).expect("found");
        let reading = sensor.read().expect("a reading");
        let pressure = reading.pressure.map(Hectopascal::pascal);
        let max = sensor.traits().temperature_max_c;
        assert_eq!((reading.temperature.centi(), reading.humidity.centi(), pressure, max), expected);
    }

    #[test]
    fn every_interface_of_the_kernel_is_read() {
        check(BME280, "auto", (2508, 4947, Some(100_653), 85.0));
        check(BME280, "dht11", (2100, 4000, None, 80.0));
        check(BME280, "dht11@4", (2100, 4000, None, 80.0));
        check(BME280, "iio:device10", (2100, 4000, None, 80.0));
        check(SHT4X, "auto", (-512, 1235, None, 125.0));
        check(SHT4X, "hwmon1", (-512, 1235, None, 125.0));
        // HTS221: raw numbers, (raw + offset) * scale.
        let hts221 = [
            ("bus/iio/devices/iio:device0/name", "hts221"),
            ("bus/iio/devices/iio:device0/in_temp_raw", "-120"),
            ("bus/iio/devices/iio:device0/in_temp_scale", "15.625"),
            ("bus/iio/devices/iio:device0/in_temp_offset", "1720"),
            ("bus/iio/devices/iio:device0/in_humidityrelative_raw", "9000"),
            ("bus/iio/devices/iio:device0/in_humidityrelative_scale", "5.5"),
        ];
        check(&hts221, "auto", (2500, 4950, None, 120.0));
        // Newer kernels write fractions.
        let fractions = [
            ("bus/iio/devices/iio:device0/name", "somechip"),
            ("bus/iio/devices/iio:device0/in_temp_input", "25080.000000000"),
            ("bus/iio/devices/iio:device0/in_humidityrelative_input", "49468.750000000"),
        ];
        check(&fractions, "auto", (2508, 4947, None, UNKNOWN_MAX_C));
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        let problem = |files, device| open(&machine(files), device).err().expect("nothing").to_string();
        assert!(problem(&[], "auto").contains("dtoverlay=dht11,gpiopin=4"));
        assert!(problem(&SHT4X[..2], "auto").contains("no driver of the kernel"));
        let other = problem(BME280, "sht4x");
        assert!(
            other.contains("\"sht4x\"") && other.contains("bme280 (iio:device2), dht11@4 (iio:device10)"),
            "{other}"
        );
    }

    #[test]
    fn auto_finds_it_and_says_which() {
        let root = machine(BME280);
        let settings = settings(&[]);
        let sensor = sensors::open(&settings, &context(root.path())).expect("found");
        assert!(sensor.describe().starts_with("bme280 of the kernel ("), "{}", sensor.describe());
        let found: Vec<String> = (IIO.scan)(&settings, &context(root.path())).into_iter().map(|f| f.chip).collect();
        assert_eq!(found, ["bme280", "dht11@4"]);
    }

    #[test]
    fn a_sensor_that_goes_is_noticed() {
        let root = machine(SHT4X);
        let mut sensor = open(&root, "auto").expect("found");
        sensor.read().expect("a reading");
        fs::remove_dir_all(root.path().join("sys/class/hwmon/hwmon1")).expect("removed");
        assert!(matches!(sensor.read(), Err(NoData::NotPresent(_))));
        assert!(matches!(open(&root, "auto").err(), Some(NoData::NotPresent(_))));
        for (path, text) in SHT4X {
            write(&root, path, text);
        }
        open(&root, "auto").expect("it is back").read().expect("a reading");
    }

    /// `/sys` as the kernel lays it out: the listed folders are links into the tree of devices.
    fn link(root: &TempDir, folder: &str, device: &str) {
        let folder = root.path().join("sys").join(folder);
        fs::create_dir_all(folder.parent().expect("a folder")).expect("made");
        std::os::unix::fs::symlink(root.path().join("sys/devices").join(device), folder).expect("linked");
    }

    #[test]
    fn a_sensor_is_the_same_under_another_number_and_another_one_is_not() {
        let root = machine(&[]);
        let settings = settings(&[]);
        let mut opener = Opener::new();
        let mut opened = |device: &str, folder: &str| {
            let _ = fs::remove_dir_all(root.path().join("sys"));
            for (file, text) in [("name", "bme280"), ("in_temp_input", "1"), ("in_humidityrelative_input", "1")] {
                write(&root, &format!("devices/{device}/{file}"), text);
            }
            link(&root, &format!("bus/iio/devices/{folder}"), device);
            opener.open(&settings, &context(root.path())).map(|sensor| sensor.describe())
        };
        let first = Ok("bme280 of the kernel (1-0076)".to_owned());
        assert_eq!(opened("soc/1-0076/iio:device0", "iio:device0"), first);
        assert_eq!(opened("soc/1-0076/iio:device3", "iio:device3"), first);
        let other = opened("soc/1-0077/iio:device0", "iio:device0");
        assert!(matches!(&other, Err(NoData::NotPresent(text)) if text.contains("(1-0077) answers")), "{other:?}");
        assert_eq!(opened("soc/1-0076/iio:device0", "iio:device0"), first, "it came back");
    }

    #[test]
    fn another_sensor_under_the_same_number_is_not_read() {
        let root = machine(&[]);
        let plug = |device: &str, driver: &str| {
            let _ = fs::remove_dir_all(root.path().join("sys"));
            for (file, text) in [("name", driver), ("in_temp_input", "20000"), ("in_humidityrelative_input", "40000")] {
                write(&root, &format!("devices/{device}/{file}"), text);
            }
            link(&root, "bus/iio/devices/iio:device0", device);
        };
        plug("soc/1-0076/iio:device0", "bme280");
        let mut sensor = open(&root, "auto").expect("found");
        sensor.read().expect("a reading");
        for (device, driver) in [("soc/1-0077/iio:device0", "bme280"), ("soc/1-0076/iio:device0", "hdc1080")] {
            plug(device, driver);
            let result = sensor.read();
            assert!(matches!(&result, Err(NoData::NotPresent(text)) if text.contains("bme280")), "{result:?}");
        }
        plug("soc/1-0076/iio:device0", "bme280");
        sensor.read().expect("it came back");
    }

    #[test]
    fn a_hardware_monitor_is_called_by_its_device() {
        let root = machine(SHT4X);
        write(&root, "devices/soc/1-0044/name", "sht4x");
        link(&root, "class/hwmon/hwmon1/device", "soc/1-0044");
        assert_eq!(open(&root, "auto").expect("found").describe(), "sht4x of the kernel (1-0044)");
    }

    #[test]
    fn what_is_no_number_or_cannot_be_is_no_reading() {
        let root = machine(SHT4X);
        let mut sensor = open(&root, "auto").expect("found");
        for (file, text) in [
            ("temp1_input", ""),
            ("temp1_input", "nan"),
            ("temp1_input", "inf"),
            ("temp1_input", "warm"),
            ("temp1_input", "151000"),
            ("temp1_input", "-56000"),
            ("humidity1_input", "121000"),
            ("humidity1_input", "-8000"),
        ] {
            for (path, text) in SHT4X {
                write(&root, path, text);
            }
            write(&root, &format!("class/hwmon/hwmon1/{file}"), text);
            assert!(matches!(sensor.read(), Err(NoData::Implausible(_))), "{file}: {text}");
        }
        write(&root, "class/hwmon/hwmon1/temp1_input", "20000");
        write(&root, "class/hwmon/hwmon1/humidity1_input", "101000");
        assert_eq!(sensor.read().expect("saturated air").humidity.centi(), 10_000);
    }

    #[test]
    fn errors_of_a_driver_are_bus_errors() {
        // Linux answers a read of a sensor that fails with EIO; a folder answers with EISDIR, which is as good.
        let root = machine(SHT4X);
        let mut sensor = open(&root, "auto").expect("found");
        let file = root.path().join("sys/class/hwmon/hwmon1/temp1_input");
        fs::remove_file(&file).expect("removed");
        fs::create_dir(&file).expect("made");
        assert!(matches!(sensor.read(), Err(NoData::Bus(_))));
        let of = |errno| reading_failed(&io::Error::from_raw_os_error(errno), Path::new("/sys/x"));
        assert!(matches!(of(5), NoData::Bus(_)));
        assert_eq!(of(110), NoData::TimedOut);
    }

    #[test]
    fn the_fingerprint_changes_with_any_of_the_texts() {
        let root = machine(BME280);
        let mut sensor = open(&root, "auto").expect("found");
        assert_eq!((sensor.fingerprint(), sensor.details()), (None, Vec::new()));
        let mut fingerprint = || {
            sensor.read().expect("a reading");
            sensor.fingerprint().expect("after a reading")
        };
        let first = fingerprint();
        assert_eq!(first, fingerprint());
        let mut seen = vec![first];
        for (file, text) in
            [("in_temp_input", "25090"), ("in_pressure_input", "100.653253907"), ("in_humidityrelative_input", "49469")]
        {
            write(&root, &format!("bus/iio/devices/iio:device2/{file}"), text);
            let next = fingerprint();
            assert!(!seen.contains(&next), "{file}");
            seen.push(next);
        }
        let details: Vec<String> = sensor.details().iter().map(|d| format!("{}={}", d.name, d.value)).collect();
        assert_eq!(
            details,
            [
                "in_temp_input=25090",
                "in_humidityrelative_input=49469",
                "in_pressure_input=100.653253907",
                "temperature_milli_c=25090",
                "humidity_milli_pct=49469",
                "pressure_kpa=100.653253907",
            ]
        );
    }
}
