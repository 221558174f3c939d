//! What the doubles of InfluxDB 2 and 3 keep: points by measurement, tags and time, read with InfluxData's own parser.

use std::collections::BTreeMap;

use influxdb_line_protocol::{FieldValue, ParsedLine};

use super::{Stored, sorted};

type Identity = (String, BTreeMap<String, String>, i64);

/// A point as it arrives.
pub(crate) struct Incoming {
    pub(crate) measurement: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) fields: Vec<(String, Value)>,
    /// As it is written; its unit is the request's.
    pub(crate) timestamp: Option<i64>,
}

/// A field's value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Value {
    Float(f64),
    Integer,
    Unsigned,
    Boolean,
    Text,
}

/// A bucket or database.
#[derive(Default)]
pub(crate) struct PointStore {
    /// Fields by name (the last value stays), and how often the point came.
    points: BTreeMap<Identity, (BTreeMap<String, f64>, usize)>,
    /// The kind of a column, by measurement and name: that of its first write.
    kinds: BTreeMap<(String, String), &'static str>,
}

impl Value {
    /// Its type in the words of InfluxDB 2.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Float(_) => "float",
            Self::Integer => "integer",
            Self::Unsigned => "unsigned",
            Self::Boolean => "boolean",
            Self::Text => "string",
        }
    }
}

impl Incoming {
    pub(crate) fn of(line: &ParsedLine<'_>) -> Self {
        let value = |value: &FieldValue<'_>| match value {
            FieldValue::F64(number) => Value::Float(*number),
            FieldValue::I64(_) => Value::Integer,
            FieldValue::U64(_) => Value::Unsigned,
            FieldValue::Boolean(_) => Value::Boolean,
            FieldValue::String(_) => Value::Text,
        };
        let tags = line.series.tag_set.iter().flatten();
        Self {
            measurement: line.series.measurement.to_string(),
            tags: tags.map(|(name, text)| (name.to_string(), text.to_string())).collect(),
            fields: line.field_set.iter().map(|(name, field)| (name.to_string(), value(field))).collect(),
            timestamp: line.timestamp,
        }
    }
}

impl PointStore {
    /// The kind that this column has; `kind` from now on, if it had none.
    pub(crate) fn kind_of(&mut self, measurement: &str, column: &str, kind: &'static str) -> &'static str {
        self.kinds.entry((measurement.to_owned(), column.to_owned())).or_insert(kind)
    }

    pub(crate) fn insert(&mut self, point: Incoming, ms: i64) {
        let (fields, times) = self.points.entry((point.measurement, point.tags, ms)).or_default();
        *times += 1;
        for (name, value) in point.fields {
            if let Value::Float(number) = value {
                fields.insert(name, number);
            }
        }
    }

    /// The points that have a numeric field; those that only fix a type in a test have none.
    pub(crate) fn all(&self) -> Vec<(String, Stored)> {
        let points = self.points.iter().filter(|(_, (fields, _))| !fields.is_empty());
        let stored = points.map(|((measurement, tags, ms), (fields, _))| {
            (measurement.clone(), Stored { ms: *ms, fields: fields.clone(), tags: tags.clone() })
        });
        sorted(stored.collect())
    }

    /// How often the point of this time was stored.
    pub(crate) fn times_stored(&self, ms: i64) -> usize {
        self.points.iter().filter(|((_, _, at), _)| *at == ms).map(|(_, (_, times))| times).sum()
    }
}

/// Milliseconds of `timestamp` in a unit of so many nanoseconds.
pub(crate) fn millis(timestamp: i64, unit_ns: i64) -> i64 {
    let millis = i128::from(timestamp) * i128::from(unit_ns) / 1_000_000;
    i64::try_from(millis).expect("a time within 300 million years")
}
