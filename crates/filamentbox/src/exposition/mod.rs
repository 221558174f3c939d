//! What Prometheus is told: names and labels ([`Names`]), and the text format, version 0.0.4
//! (prometheus.io, "Exposition formats"), for `/metrics` and the Pushgateway.
//!
//! The text never carries time stamps: a Pushgateway refuses them, and a scraper takes its own time.

mod names;

use filamentbox_core::sample::Field;

pub(crate) use names::{JOB, instance, is_label};
pub use names::{METRICS, Metric, Names};

use crate::sinks::line_protocol::push_fixed;

/// The content type of [`Exposition`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What kind of number a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricType {
    /// It goes up and down.
    Gauge,
    /// It only grows, and starts again at 0 when the journal does.
    Counter,
}

/// One box's fields, under the labels of its series.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Sorted by name.
    pub labels: Vec<(&'a str, &'a str)>,
    /// Those that are shown.
    pub fields: Vec<Field>,
}

/// A text in the making: each metric's name, help and type once, and its samples behind.
#[derive(Clone, Default, Debug)]
pub struct Exposition {
    text: Vec<u8>,
}

impl Exposition {
    /// Begins a metric. `name` is a valid one, and not used before.
    pub fn metric(&mut self, name: &str, kind: MetricType, help: &str) {
        let kind = match kind {
            MetricType::Gauge => "gauge",
            MetricType::Counter => "counter",
        };
        for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"] {
            self.text.extend_from_slice(part.as_bytes());
        }
    }

    /// Adds a sample of the metric begun last: the value is `digits` x 10^-`decimals`. A label without a value is as none.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], digits: i64, decimals: u8) {
        self.text.extend_from_slice(name.as_bytes());
        let mut before = b'{';
        for (label, value) in labels {
            self.text.push(before);
            self.text.extend_from_slice(label.as_bytes());
            self.text.extend_from_slice(b"=\"");
            push_escaped(&mut self.text, value);
            self.text.push(b'"');
            before = b',';
        }
        if before == b',' {
            self.text.push(b'}');
        }
        self.text.push(b' ');
        push_fixed(&mut self.text, digits, decimals);
        self.text.push(b'\n');
    }

    /// Adds the metrics of the points' fields; one that no row has is left out.
    pub fn rows(&mut self, names: &Names, rows: &[Row<'_>]) {
        for (metric, name) in names.metrics() {
            let found = rows
                .iter()
                .filter_map(|row| Some((&row.labels, row.fields.iter().find(|field| field.name == metric.field)?)));
            for (index, (labels, field)) in found.enumerate() {
                if index == 0 {
                    self.metric(name, MetricType::Gauge, metric.help);
                }
                self.sample(name, labels, field.digits, field.decimals);
            }
        }
    }

    /// The text; its last line has an end, as the format demands.
    pub fn into_bytes(self) -> Vec<u8> {
        self.text
    }
}

/// A label's value may be any UTF-8; these three characters have an escape.
fn push_escaped(out: &mut Vec<u8>, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\n' => out.extend_from_slice(b"\\n"),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use filamentbox_core::sample::{BoxName, Measurement, Point};
    use filamentbox_core::time::UnixTime;
    use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};

    use super::*;
    use crate::sinks::Labels;

    fn point(name: &str, humidity: f64, pressure: Option<f64>) -> Point {
        Point {
            box_name: BoxName::new(name).expect("a name"),
            at: UnixTime::from_millis(1_700_000_000_123),
            measurement: Measurement {
                temperature: Celsius::new(-0.07).expect("in range"),
                humidity: RelativeHumidity::new(humidity).expect("in range"),
                pressure: pressure.and_then(Hectopascal::new),
            },
            heater_on: true,
            fan_on: false,
        }
    }

    #[test]
    fn points_become_metrics() {
        let tags = vec![("place".to_owned(), "a \\ \"b\"\nü".to_owned())];
        let names = Names::of(&Labels { measurement: "environment".to_owned(), tags, tag_box: true });
        let points = [point("main", 40.0, Some(1013.25)), point("box-2", 0.0, None)];
        let row = |point| Row { labels: names.labels(point), fields: point_fields(point) };
        let rows: Vec<Row<'_>> = points.iter().map(row).collect();
        let mut text = Exposition::default();
        text.rows(&names, &rows);
        let text = String::from_utf8(text.into_bytes()).expect("UTF-8");
        let (temperature, _) = text.split_once("# HELP environment_humidity").expect("a second metric");
        assert_eq!(
            temperature,
            "# HELP environment_temperature_celsius Air temperature.\n\
             # TYPE environment_temperature_celsius gauge\n\
             environment_temperature_celsius{box=\"main\",place=\"a \\\\ \\\"b\\\"\\nü\"} -0.07\n\
             environment_temperature_celsius{box=\"box-2\",place=\"a \\\\ \\\"b\\\"\\nü\"} -0.07\n"
        );
        let values: Vec<(&str, &str)> = text
            .lines()
            .filter(|line| line.contains("main"))
            .map(|line| (line.split('{').next().unwrap_or_default(), line.rsplit(' ').next().unwrap_or_default()))
            .collect();
        let expected = [
            ("environment_temperature_celsius", "-0.07"),
            ("environment_humidity_percent", "40.00"),
            ("environment_pressure_hectopascals", "1013.25"),
            ("environment_dew_point_celsius", "-12.08"),
            ("environment_absolute_humidity_grams_per_cubic_meter", "1.930"),
            ("filamentbox_heater_on", "1"),
            ("filamentbox_fan_on", "0"),
        ];
        assert_eq!(values, expected);
        assert_eq!(text.matches("pressure").count(), 4, "one sample, its name also in help (twice) and type");
    }

    fn point_fields(point: &Point) -> Vec<Field> {
        point.fields().collect()
    }

    #[test]
    fn a_metric_that_no_box_has_is_left_out() {
        let names = Names::of(&Labels { measurement: "m".to_owned(), tags: Vec::new(), tag_box: false });
        let point = point("main", 0.0, None);
        let mut text = Exposition::default();
        text.rows(&names, &[Row { labels: names.labels(&point), fields: point_fields(&point) }]);
        let text = String::from_utf8(text.into_bytes()).expect("UTF-8");
        assert!(text.contains("\nm_temperature_celsius -0.07\n") && text.ends_with("filamentbox_fan_on 0\n"), "{text}");
        assert!(!text.contains("pressure") && !text.contains("dew_point"), "{text}");
    }
}
