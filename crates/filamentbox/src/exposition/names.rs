//! How Prometheus calls our points: one metric a field, the tags as labels.
//!
//! A metric's name is made of `[a-zA-Z0-9_]` and does not begin with a digit (the colon is for recording rules), a label's name the
//! same (prometheus.io, "Data model"). What other backends allow beyond that becomes `_`. A label's value may be any text, and an
//! empty one is as no label. So a tag is refused when it would be lost: no value, the valid name of another tag, or a name that
//! something else has.

use filamentbox_core::config::ConfigError;
use filamentbox_core::sample::Point;

use crate::sinks::Labels;

/// The job of our series, as Prometheus would set it when it scrapes.
pub(crate) const JOB: &str = "filamentbox";
/// The tag that tells boxes apart.
const BOX_LABEL: &str = "box";

/// The metric of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metric {
    /// The field's name in a point.
    pub field: &'static str,
    /// What it is.
    pub help: &'static str,
    /// The metric's name, behind the measurement's name when it begins with `_`.
    name: &'static str,
}

/// The metrics of a point. The temperature in Fahrenheit is not one of them: it would be the same quantity again.
pub const METRICS: [Metric; 7] = [
    Metric { field: "temperature_c", name: "_temperature_celsius", help: "Air temperature." },
    Metric { field: "humidity", name: "_humidity_percent", help: "Relative humidity." },
    Metric { field: "pressure", name: "_pressure_hectopascals", help: "Air pressure." },
    Metric { field: "dew_point_c", name: "_dew_point_celsius", help: "Dew point." },
    Metric {
        field: "absolute_humidity",
        name: "_absolute_humidity_grams_per_cubic_meter",
        help: "Mass of water vapour in the air.",
    },
    Metric { field: "heater_on", name: "filamentbox_heater_on", help: "Whether the heater's output is on." },
    Metric { field: "fan_on", name: "filamentbox_fan_on", help: "Whether the fan's output is on." },
];

/// The names of our series.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    prefix: String,
    /// In the order of [`METRICS`].
    metrics: [String; METRICS.len()],
    /// Name and value of the tags.
    tags: Vec<(String, String)>,
    tag_box: bool,
}

impl Names {
    /// Names for a server, called `server` in errors, which sets the labels `taken` itself.
    ///
    /// # Errors
    /// A tag that would be lost: see the module.
    pub fn new(server: &str, labels: &Labels, taken: &[&str]) -> Result<Self, ConfigError> {
        check(server, labels, taken)?;
        Ok(Self::of(labels))
    }

    /// Names where a tag can no longer be refused: one that would be lost is left out.
    pub fn of(labels: &Labels) -> Self {
        let prefix = valid(&labels.measurement);
        let metrics = METRICS.map(|metric| match metric.name.starts_with('_') {
            true => format!("{prefix}{}", metric.name),
            false => metric.name.to_owned(),
        });
        let mut tags: Vec<(String, String)> = Vec::new();
        for (name, value) in &labels.tags {
            let name = valid(name);
            let lost = is_reserved(&name)
                || value.is_empty()
                || (labels.tag_box && name == BOX_LABEL)
                || tags.iter().any(|(other, _)| *other == name);
            if !lost {
                tags.push((name, value.clone()));
            }
        }
        Self { prefix, metrics, tags, tag_box: labels.tag_box }
    }

    /// The measurement's name, as the beginning of a metric's.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Each metric of a point with its name.
    pub fn metrics(&self) -> impl Iterator<Item = (&'static Metric, &str)> {
        METRICS.iter().zip(self.metrics.iter().map(String::as_str))
    }

    /// The labels of a point's series, sorted by name.
    pub fn labels<'a>(&'a self, point: &'a Point) -> Vec<(&'a str, &'a str)> {
        self.labels_of(point.box_name.as_str())
    }

    /// The labels of the series of a box, sorted by name.
    pub fn labels_of<'a>(&'a self, box_name: &'a str) -> Vec<(&'a str, &'a str)> {
        let tags = self.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut labels: Vec<_> = tags.chain(self.tag_box.then_some((BOX_LABEL, box_name))).collect();
        labels.sort_unstable();
        labels
    }
}

/// This machine's name: what a scraper would call the instance.
pub(crate) fn instance() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

fn check(server: &str, labels: &Labels, taken: &[&str]) -> Result<(), ConfigError> {
    for (index, (name, value)) in labels.tags.iter().enumerate() {
        let label = valid(name);
        let twin = labels.tags[..index].iter().find(|(other, _)| valid(other) == label);
        let problem = if let Some((twin, _)) = twin {
            format!("the name {name:?} is not allowed with {server} besides {twin:?}: both become {label:?} there")
        } else if name.is_empty() || is_reserved(&label) {
            format!(
                "the name {name:?} is not allowed with {server}; allowed: a name that does not begin with two characters other than letters and digits"
            )
        } else if taken.contains(&label.as_str()) {
            format!("the name {name:?} is not allowed with {server}, whose own settings give {label:?}; set it there")
        } else if labels.tag_box && label == BOX_LABEL {
            format!("the name {name:?} is not allowed while there are several boxes: it tells them apart")
        } else if value.is_empty() {
            format!("an empty value is not allowed with {server}; allowed: a text of at least one character")
        } else {
            continue;
        };
        return Err(ConfigError { key: format!("data_collection.tags.{name}"), problem });
    }
    Ok(())
}

/// `text` as a name: every character that is not allowed becomes `_`.
fn valid(text: &str) -> String {
    let mut name = String::with_capacity(text.len() + 1);
    if text.starts_with(|c: char| c.is_ascii_digit()) || text.is_empty() {
        name.push('_');
    }
    name.extend(text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    name
}

/// Names with two underscores in front are Prometheus' own, `__name__` above all.
fn is_reserved(label: &str) -> bool {
    label.starts_with("__")
}

/// Whether `name` is a label's name as it stands, and not one of Prometheus' own.
pub(crate) fn is_label(name: &str) -> bool {
    valid(name) == name && !is_reserved(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(measurement: &str, tags: &[(&str, &str)], tag_box: bool) -> Labels {
        let tags = tags.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Labels { measurement: measurement.to_owned(), tags, tag_box }
    }

    #[test]
    fn the_names_are_those_of_the_contract() {
        let names = Names::of(&labels("environment", &[], false));
        let all: Vec<&str> = names.metrics().map(|(_, name)| name).collect();
        let expected = [
            "environment_temperature_celsius",
            "environment_humidity_percent",
            "environment_pressure_hectopascals",
            "environment_dew_point_celsius",
            "environment_absolute_humidity_grams_per_cubic_meter",
            "filamentbox_heater_on",
            "filamentbox_fan_on",
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn names_are_made_valid() {
        for (text, expected) in [
            ("environment", "environment"),
            ("shelf 2-left", "shelf_2_left"),
            ("3d", "_3d"),
            ("a:b", "a_b"),
            ("Größe", "Gr__e"),
            ("", "_"),
            ("_", "_"),
        ] {
            assert_eq!(valid(text), expected, "{text:?}");
        }
        assert!(is_label("a_1") && !is_label("1a") && !is_label("a-b") && !is_label("__a") && !is_label(""));
    }

    #[test]
    fn labels_are_sorted_and_the_box_is_one_of_them() {
        let tags = [("zone", "z"), ("Area", "a")];
        let names = |tag_box| Names::new("X", &labels("m", &tags, tag_box), &[]).expect("allowed");
        assert_eq!(names(false).labels_of("main"), [("Area", "a"), ("zone", "z")]);
        assert_eq!(names(true).labels_of("main"), [("Area", "a"), ("box", "main"), ("zone", "z")]);
    }

    /// Refused by a sink, and left out (but for the twin that came first) of `/metrics`.
    #[track_caller]
    fn check_refused(tags: &[(&str, &str)], tag_box: bool, word: &str, left: usize) {
        let labels = labels("m", tags, tag_box);
        let error = Names::new("X", &labels, &["job"]).expect_err("refused");
        let (name, _) = tags.last().expect("a tag");
        assert_eq!(error.key, format!("data_collection.tags.{name}"));
        assert!(error.problem.contains(word), "{}", error.problem);
        assert_eq!(Names::of(&labels).tags.len(), left);
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        check_refused(&[("a-b", "1"), ("a b", "2")], false, "besides \"a-b\"", 1);
        check_refused(&[("a", "1"), ("a", "2")], false, "besides", 1);
        check_refused(&[("__name__", "x")], false, "two characters", 0);
        check_refused(&[("ää", "x")], false, "two characters", 0);
        check_refused(&[("box", "x")], true, "several boxes", 0);
        check_refused(&[("a", "")], false, "empty value", 0);
        check_refused(&[("job", "x")], false, "own settings", 1);
        assert!(Names::new("X", &labels("m", &[("box", "x"), ("job", "y")], false), &[]).is_ok());
    }
}
