//! The sensor: what answers, what it says, and whether its range reaches far enough above the cut-off.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use filamentbox_core::config::Settings;
use filamentbox_core::sample::{Measurement, NoData};
use filamentbox_devices::sensors::{self, Origin};
use serde_json::Value;

use super::finding::{Check, Finding, run, say};
use super::outputs::missing_protection;
use super::system::{Daemon, System};
use super::{setting, variable};
use crate::runtime::{clock, hardware};

const GROUP: &str = "sensor";
const READING: Check = Check::safety(GROUP, "sensor-reading", "reading");
const RANGE: Check = Check::safety(GROUP, "sensor-range", "range");
const KIND: Check = Check::working(GROUP, "sensor-kind", "kind");

/// The slowest supported sensor, with its retries, has answered by then.
const PATIENCE: Duration = Duration::from_secs(10);
/// A box in a living room is not colder. A DHT22's frame read as a DHT11's shows 1 to 3 °C.
const COLD_C: f64 = 5.0;
/// The cut-off keeps this distance from the end of the sensor's range: hotter air reads like the end.
const RANGE_MARGIN_C: f64 = 2.0;

/// What was learnt from one reading.
struct Seen {
    /// `sensor.type` of what answers; `None` when only the daemon knows.
    kind: Option<String>,
    /// The end of its range in °C.
    end_c: Option<f64>,
    description: String,
    is_simulated: bool,
    /// Temperature in °C and relative humidity in %.
    reading: Result<(f64, f64), String>,
}

pub(super) fn checks(system: &System) -> Vec<Finding> {
    let seen = match &system.daemon {
        // A running daemon has the sensor for itself; it is asked instead.
        Daemon::Running(status) => of_daemon(system, status),
        Daemon::Absent => read_once(&system.settings),
        Daemon::Unreachable(reason) => {
            let reason = format!("a daemon may be using the sensor, and cannot be asked: {reason}");
            return vec![READING.skip(reason)];
        }
    };
    let mut findings = vec![judge_reading(system, &seen)];
    if seen.kind.as_deref() == Some("dht11") {
        findings.push(dht11());
    }
    findings.push(range(system, &seen));
    findings
}

fn of_daemon(system: &System, status: &Value) -> Seen {
    let sensor = &status["sensor"];
    let is_simulated = status["simulated"] == true;
    let configured = system.config.sensor_type.clone();
    let reading = match (sensor["error"].as_str(), sensor["temperature_c"].as_f64(), sensor["humidity"].as_f64()) {
        (Some(problem), ..) => Err(problem.to_owned()),
        (None, Some(temperature_c), Some(humidity_pct)) => Ok((temperature_c, humidity_pct)),
        _ => Err("no reading yet".to_owned()),
    };
    let kind = if is_simulated { Some("simulated".to_owned()) } else { Some(configured).filter(|kind| kind != "auto") };
    let end_c = kind.as_deref().and_then(range_end_c);
    Seen { kind, end_c, description: "the daemon's sensor".to_owned(), is_simulated, reading }
}

/// Opens the configured sensor and takes one reading, on a thread of its own: a bus may hang for ever.
fn read_once(settings: &Settings) -> Seen {
    let wanted = settings.text(sensors::TYPE_KEY.key).to_owned();
    let (sender, answer) = channel();
    let settings = settings.clone();
    let reader = thread::Builder::new().name("doctor-sensor".to_owned()).spawn(move || {
        let _ = sender.send(open_and_read(&settings));
    });
    let answer = reader.ok().and_then(|_| answer.recv_timeout(PATIENCE).ok());
    answer.unwrap_or_else(|| {
        let reading = Err(format!("no answer within {} s: the bus hangs", PATIENCE.as_secs()));
        Seen {
            kind: Some(wanted.clone()).filter(|kind| kind != "auto"),
            end_c: range_end_c(&wanted),
            description: wanted,
            is_simulated: false,
            reading,
        }
    })
}

fn open_and_read(settings: &Settings) -> Seen {
    let context = hardware::context(Arc::new(clock::boottime), None);
    let failed = |kind: Option<&'static str>, problem: NoData| Seen {
        kind: kind.map(ToOwned::to_owned),
        end_c: kind.and_then(range_end_c),
        description: kind.unwrap_or("auto").to_owned(),
        is_simulated: false,
        reading: Err(problem.to_string()),
    };
    let kind = match sensors::choose(settings, &context) {
        Ok(kind) => kind,
        Err(problem) => return failed(None, problem),
    };
    let mut sensor = match (kind.open)(settings, &context) {
        Ok(sensor) => sensor,
        Err(problem) => return failed(Some(kind.name), problem),
    };
    let numbers = |m: Measurement| (m.temperature.degrees(), m.humidity.percent());
    let reading = sensor.read().map(numbers).map_err(|problem| problem.to_string());
    let is_simulated = kind.origin == Origin::Simulation;
    let end_c = Some(sensor.traits().temperature_max_c);
    Seen { kind: Some(kind.name.to_owned()), end_c, description: sensor.describe(), is_simulated, reading }
}

/// The end of the range of a kind of sensor, in °C.
fn range_end_c(kind: &str) -> Option<f64> {
    sensors::SENSORS.iter().find(|known| known.name == kind)?.temperature_max_c
}

fn judge_reading(system: &System, seen: &Seen) -> Finding {
    let description = &seen.description;
    match &seen.reading {
        Err(problem) => {
            let finding = READING.fail(format!("{description}: {problem}; heat is refused until it answers"));
            finding.mend([
                say("check wires and voltage (3.3 V); for a sensor on I2C, see whether an address answers (76 or 77):"),
                run(format!("sudo i2cdetect -y {}", system.settings.integer("sensor.i2c_bus"))),
                say("then name the sensor instead of auto:"),
                run(format!("filamentbox config describe {}", sensors::TYPE_KEY.key)),
            ])
        }
        Ok((temperature_c, humidity_pct)) => {
            let found = format!("{description}: {temperature_c:.2} °C, {humidity_pct:.2} %");
            if *temperature_c < COLD_C {
                return READING
                    .warn(format!("{found}: is it so cold there? Another kind of sensor than the set one reads so"))
                    .mend([say(format!(
                        "compare with a thermometer; a DHT22 read as a DHT11 shows 1 to 3 °C: then set {}=dht22",
                        variable(sensors::TYPE_KEY.key)
                    ))]);
            }
            if seen.is_simulated {
                return READING
                    .warn(format!("{found}: a simulated box, not a real one"))
                    .mend([say("connect a sensor, and name it:")])
                    .mend(setting(sensors::TYPE_KEY.key, "auto"));
            }
            READING.ok(found)
        }
    }
}

fn dht11() -> Finding {
    KIND.warn("a DHT11 measures 20 to 90 % of humidity only: in a dry box it shows its lower end, or nonsense")
        .mend([say("use a sensor that measures down to 0 %: SHT4x, SHT3x, BME280 (I2C) or DHT22 (same wires)")])
}

fn range(system: &System, seen: &Seen) -> Finding {
    let cut_off_c = system.config.boxes[0].safety.max_temp_c;
    let Some(kind) = seen.kind.as_deref() else {
        return RANGE.skip("which sensor is connected is not known here");
    };
    if seen.is_simulated {
        return RANGE.skip("a simulated sensor has no end of its range");
    }
    let Some(end_c) = seen.end_c else {
        return RANGE.skip(format!("the end of the range of {kind} is not known here"));
    };
    let highest_c = end_c - RANGE_MARGIN_C;
    if cut_off_c <= highest_c {
        return RANGE.ok(format!("the cut-off, {cut_off_c} °C, lies within the range of {kind}, up to {end_c} °C"));
    }
    RANGE
        .found(
            missing_protection(system),
            format!(
                "the cut-off, {cut_off_c} °C, is out of reach: {kind} ends at {end_c} °C, and hotter air reads like \
                 that"
            ),
        )
        .mend(setting("safety.max_temp_c", &highest_c.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Status;
    use super::super::testing::{Tree, statuses};
    use super::*;

    #[test]
    fn the_cut_off_on_both_sides_of_each_range() {
        use Status::{Fail, Ok, Skip, Warn};
        let cases = [
            ("dht11", "48", Ok),
            ("dht11", "48.1", Fail),
            ("dht22", "78", Ok),
            ("dht22", "78.1", Fail),
            ("bme280", "83", Ok),
            ("bme280", "83.1", Fail),
            ("unknown", "70", Skip),
        ];
        let kind = |name: &str| Seen { kind: Some(name.to_owned()), end_c: range_end_c(name), ..seen(21.0) };
        for (name, cut_off, status) in cases {
            let tree = Tree::pi_4().set("safety.max_temp_c", cut_off).set("heating_control.enabled", "true");
            assert_eq!(range(&tree.system(), &kind(name)).status, status, "{name}, {cut_off} °C");
        }
        let unheated = Tree::pi_4().set("safety.max_temp_c", "70").system();
        assert_eq!(range(&unheated, &kind("dht11")).status, Warn);
        assert_eq!(range(&unheated, &Seen { kind: None, ..seen(21.0) }).status, Skip);
        assert_eq!(range(&unheated, &Seen { is_simulated: true, ..seen(21.0) }).status, Skip);
    }

    fn seen(temperature_c: f64) -> Seen {
        Seen {
            kind: Some("dht22".to_owned()),
            end_c: Some(80.0),
            description: "DHT22".to_owned(),
            is_simulated: false,
            reading: Ok((temperature_c, 12.0)),
        }
    }

    #[test]
    fn a_cold_reading_hints_at_the_wrong_type() {
        let system = Tree::pi_4().system();
        assert_eq!(judge_reading(&system, &seen(5.0)).status, Status::Ok);
        let cold = judge_reading(&system, &seen(4.99));
        assert_eq!(cold.status, Status::Warn);
        assert!(format!("{:?}", cold.remedy).contains("FILAMENTBOX_SENSOR__TYPE=dht22"), "{cold:?}");
        let none = judge_reading(&system, &Seen { reading: Err("wrong checksum".to_owned()), ..seen(0.0) });
        assert_eq!(none.status, Status::Fail);
        assert!(none.remedy.contains(&run("sudo i2cdetect -y 1")), "{none:?}");
    }

    #[test]
    fn the_simulated_sensor_is_really_read() {
        let findings = checks(&Tree::pc().set("sensor.type", "simulated").system());
        assert_eq!(statuses(&findings, "sensor-reading"), [Status::Warn], "{findings:?}");
        assert!(findings[0].found.contains("°C") && findings[0].found.contains("simulated"), "{findings:?}");
    }

    #[test]
    fn a_running_daemon_is_asked_instead_of_its_sensor() {
        let running = |sensor: Value| Tree::pi_4().daemon(Daemon::Running(json!({ "sensor": sensor }))).system();
        let findings = checks(&running(json!({ "temperature_c": 21.5, "humidity": 12.0, "error": null })));
        assert_eq!(statuses(&findings, "sensor-reading"), [Status::Ok], "{findings:?}");
        assert!(findings[0].found.contains("21.50 °C, 12.00 %"), "{findings:?}");
        let findings = checks(&running(json!({ "temperature_c": 21.5, "humidity": 12.0, "error": "wrong checksum" })));
        assert_eq!(statuses(&findings, "sensor-reading"), [Status::Fail], "{findings:?}");
        let findings = checks(&Tree::pi_4().daemon(Daemon::Unreachable("denied".to_owned())).system());
        assert_eq!(statuses(&findings, "sensor-reading"), [Status::Skip], "{findings:?}");
    }

    #[test]
    fn a_dht11_is_named_for_what_it_is() {
        let running = Daemon::Running(json!({ "sensor": { "temperature_c": 21.0, "humidity": 20.0 } }));
        let of = |kind: &str| {
            let mut system = Tree::pi_4().daemon(running.clone()).system();
            system.config.sensor_type = kind.to_owned();
            statuses(&checks(&system), "sensor-kind")
        };
        assert_eq!(of("dht11"), [Status::Warn]);
        assert_eq!(of("dht22"), []);
    }
}
