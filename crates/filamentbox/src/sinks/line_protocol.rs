//! Line protocol, the text that InfluxDB and VictoriaMetrics take: `measurement,tag=value field=number,... milliseconds`.
//!
//! # What can be written exactly
//! Line protocol is one name for several languages: they differ in what a backslash means. Found by writing to InfluxDB 1.6.7
//! and VictoriaMetrics 1.79.5 and reading back (`tests/daemon/sinks/contract.rs` repeats it with random Unicode), next to the
//! documents (docs.influxdata.com, "Line protocol reference"; docs.victoriametrics.com, "How to send data in InfluxDB line
//! protocol"). InfluxDB 2 has the parser of 1.x (`models/points.go`); that of 3 is the crate `influxdb-line-protocol`, with the rules of
//! `influxdb3_write/src/write_buffer/validator.rs`; these two were read, not run:
//!
//! | in a measurement, tag name or tag value | InfluxDB 1.x, 2 | InfluxDB 3 | VictoriaMetrics |
//! |---|---|---|---|
//! | comma, space; equals sign in tags | after a backslash | the same | the same |
//! | backslash | means itself ([`Backslash::Literal`]) | must be doubled ([`Backslash::DoubledNotLast`]) | must be doubled ([`Backslash::Doubled`]) |
//! | backslash at the end | **impossible**: 400, or stored under another name | **impossible**: 400 | doubled |
//! | backslash before comma, space or equals sign (in a measurement also `"`) | **impossible**: as above, or (2) stored and never found | doubled | doubled |
//! | `"`, emoji, every other character | as it is | as it is | as it is |
//! | line feed | **impossible** | **impossible** | **impossible** |
//! | `#` at the beginning of a measurement | **impossible**: a comment, 204 and nothing stored | the same | the same |
//! | empty tag value | 400 | 400 | 204, the tag is lost |
//! | tag `time` | 400 | 400 | a tag like others |
//! | tag twice | 400 | 400 | 204, the last one stays |
//! | tag with a field's name | two columns of that name | 400 | a tag like others |
//! | tag `__name__` | a tag like others | a tag like others | 204, the tag is lost |
//! | more than 30 tags | stored | stored | 204, those after the 30th are lost |
//!
//! [`Encoder::new`] refuses the *impossible* for its server, other control characters, and, for every server (so that one may
//! move), empty values, more than 30 tags and these names: `time`, `_field` and `_measurement` (reserved from InfluxDB 1.8 on),
//! `__name__`, and the names of fields. What it accepts reads back exactly.

use filamentbox_core::config::ConfigError;
use filamentbox_core::sample::{FIELD_NAMES, Point};

use super::Labels;

/// What a backslash means to a server when nothing that needs one follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backslash {
    /// Itself, one by one; it cannot be escaped (InfluxDB 1.x and 2).
    Literal,
    /// The beginning of an escape; two mean one, but none may be last in a text (InfluxDB 3).
    DoubledNotLast,
    /// The beginning of an escape; two mean one (VictoriaMetrics).
    Doubled,
}

/// VictoriaMetrics keeps so many tags of a point and drops the rest without a word (`-maxLabelsPerTimeseries`).
const TAGS_MAX: usize = 30;
/// Names with a meaning of their own in some server.
const RESERVED: [&str; 4] = ["time", "_field", "_measurement", "__name__"];
/// The tag that tells boxes apart.
const BOX_TAG: &str = "box";
/// In place of what cannot be written. Never sent: [`Encoder::new`] refuses such labels.
const REPLACEMENT: char = '_';
/// Bytes of the fields and the time of a point at most, with some reserve: saves growing the request piece by piece.
const POINT_RESERVE: usize = 192;

/// Writes points as lines. What is the same in every line is written once, here.
#[derive(Clone, Debug)]
pub struct Encoder {
    /// Measurement and sorted tags, up to where the box's name stands.
    before_box: String,
    /// Tags behind it.
    after_box: String,
    tag_box: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Measurement,
    Tag,
}

impl Encoder {
    /// An encoder for a server, called `server` in errors.
    ///
    /// # Errors
    /// A measurement or a tag that the server would not give back exactly: see the module.
    pub fn new(server: &str, labels: &Labels, backslash: Backslash) -> Result<Self, ConfigError> {
        check(server, labels, backslash)?;
        let mut tags: Vec<&(String, String)> = labels.tags.iter().collect();
        tags.sort();
        let mut before_box = escaped(&labels.measurement, Part::Measurement, backslash).0;
        let mut after_box = String::new();
        for (name, value) in tags {
            let place = if labels.tag_box && name.as_str() > BOX_TAG { &mut after_box } else { &mut before_box };
            place.push(',');
            place.push_str(&escaped(name, Part::Tag, backslash).0);
            place.push('=');
            place.push_str(&escaped(value, Part::Tag, backslash).0);
        }
        if labels.tag_box {
            before_box.push_str(",box=");
        }
        Ok(Self { before_box, after_box, tag_box: labels.tag_box })
    }

    /// `points` as lines, their times in milliseconds.
    pub fn encode(&self, points: &[Point]) -> Vec<u8> {
        let mut lines = self.room(points.len());
        self.append(&mut lines, points);
        lines
    }

    /// Room for the lines of so many points.
    pub(super) fn room(&self, count: usize) -> Vec<u8> {
        Vec::with_capacity((self.before_box.len() + self.after_box.len() + POINT_RESERVE) * count)
    }

    /// Appends the lines of `points`.
    pub(super) fn append(&self, lines: &mut Vec<u8>, points: &[Point]) {
        points.iter().for_each(|point| self.encode_one(lines, point));
    }

    fn encode_one(&self, out: &mut Vec<u8>, point: &Point) {
        out.extend_from_slice(self.before_box.as_bytes());
        if self.tag_box {
            // A box's name has no character that needs an escape.
            out.extend_from_slice(point.box_name.as_str().as_bytes());
            out.extend_from_slice(self.after_box.as_bytes());
        }
        let mut separator = b' ';
        for field in point.fields() {
            out.push(separator);
            out.extend_from_slice(field.name.as_bytes());
            out.push(b'=');
            push_fixed(out, field.digits, field.decimals);
            separator = b',';
        }
        out.push(b' ');
        push_fixed(out, point.at.millis(), 0);
        out.push(b'\n');
    }
}

fn check(server: &str, labels: &Labels, backslash: Backslash) -> Result<(), ConfigError> {
    let error = |key: &str, problem: String| Err(ConfigError { key: key.to_owned(), problem });
    let rule = match backslash {
        Backslash::Literal => ", with no backslash at the end or directly before a comma, a space or an equals sign",
        Backslash::DoubledNotLast => ", with no backslash at the end",
        Backslash::Doubled => "",
    };
    let rule_for_quotes = if backslash == Backslash::Literal { " (or a double quote)" } else { "" };
    if !escaped(&labels.measurement, Part::Measurement, backslash).1 {
        let text = &labels.measurement;
        let problem = format!(
            "{text:?} is not allowed with {server}; allowed: a text that does not begin with #, without control characters{rule}{rule_for_quotes}"
        );
        return error("data_collection.measurement", problem);
    }
    if labels.tags.len() + usize::from(labels.tag_box) > TAGS_MAX {
        let count = labels.tags.len();
        let problem = format!("{count} tags are not allowed; allowed: {TAGS_MAX}, and one fewer with several boxes");
        return error("data_collection.tags", problem);
    }
    for (index, (name, value)) in labels.tags.iter().enumerate() {
        let key = format!("data_collection.tags.{name}");
        if RESERVED.contains(&name.as_str()) || FIELD_NAMES.contains(&name.as_str()) {
            let names = [&RESERVED[..], &FIELD_NAMES[..]].concat().join(", ");
            return error(&key, format!("the name {name:?} is not allowed; allowed: any name but {names}"));
        }
        if labels.tag_box && name == BOX_TAG {
            let problem =
                format!("the name {name:?} is not allowed while there are several boxes: it tells them apart");
            return error(&key, problem);
        }
        if labels.tags[..index].iter().any(|(other, _)| other == name) {
            return error(&key, format!("the name {name:?} is not allowed twice"));
        }
        for (what, text) in [("name", name), ("value", value)] {
            if !escaped(text, Part::Tag, backslash).1 {
                let problem = format!(
                    "the {what} {text:?} is not allowed with {server}; allowed: a text of at least one character, without control characters{rule}"
                );
                return error(&key, problem);
            }
        }
    }
    Ok(())
}

/// `text` as it stands in a line, and whether it reads back exactly. Total: any text gives a text that ends where it should.
fn escaped(text: &str, part: Part, backslash: Backslash) -> (String, bool) {
    let needs_escape = |c: char| matches!(c, ',' | ' ') || (c == '=' && part == Part::Tag);
    // What InfluxDB 1.x takes for an escape, next to what needs one.
    let would_be_escaped = |c: char| needs_escape(c) || (matches!(c, '=' | '"') && part == Part::Measurement);
    let mut out = String::with_capacity(text.len() + 8);
    let mut is_exact = !text.is_empty();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_comment = c == '#' && part == Part::Measurement && out.is_empty();
        let is_impossible = match (c, backslash) {
            ('\\', Backslash::Literal) => rest.peek().is_none_or(|next| would_be_escaped(*next)),
            ('\\', Backslash::DoubledNotLast) => rest.peek().is_none(),
            _ => c.is_control() || is_comment,
        };
        if is_impossible {
            is_exact = false;
            out.push(REPLACEMENT);
            continue;
        }
        if needs_escape(c) || (c == '\\' && backslash != Backslash::Literal) {
            out.push('\\');
        }
        out.push(c);
    }
    if text.is_empty() {
        out.push(REPLACEMENT);
    }
    (out, is_exact)
}

/// Digits behind the point at most: none of our quantities has more than three.
const DECIMALS_MAX: u8 = 19;

/// Appends `digits` x 10^-`decimals` (at most [`DECIMALS_MAX`]), exactly and without `core::fmt` (which takes ten times as long), in one piece.
pub(crate) fn push_fixed(out: &mut Vec<u8>, digits: i64, decimals: u8) {
    // A sign, the 20 digits of the largest number or a zero and all decimals, a point.
    let mut text = [0; 24];
    let mut start = text.len();
    let mut left = digits.unsigned_abs();
    let mut put = |byte: u8| {
        start -= 1;
        text[start] = byte;
    };
    // A remainder is below 10.
    let digit = |left: u64| b'0' + (left % 10) as u8;
    if decimals > 0 {
        for _ in 0..decimals.min(DECIMALS_MAX) {
            put(digit(left));
            left /= 10;
        }
        put(b'.');
    }
    loop {
        put(digit(left));
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if digits < 0 {
        put(b'-');
    }
    out.extend_from_slice(&text[start..]);
}

#[cfg(test)]
mod tests {
    use filamentbox_core::sample::{BoxName, Measurement};
    use filamentbox_core::time::UnixTime;
    use filamentbox_core::units::{Celsius, Hectopascal, RelativeHumidity};
    use influxdb_line_protocol::{FieldValue, parse_lines};
    use proptest::prelude::*;

    use super::*;

    fn point(millis: i64, centi: i32, humidity: i32, pascal: Option<i32>) -> Point {
        Point {
            box_name: BoxName::main(),
            at: UnixTime::from_millis(millis),
            measurement: Measurement {
                temperature: Celsius::from_centi(centi).expect("in range"),
                humidity: RelativeHumidity::from_centi(humidity).expect("in range"),
                pressure: pascal.and_then(Hectopascal::from_pascal),
            },
            heater_on: true,
            fan_on: false,
        }
    }

    fn labels(measurement: &str, tags: &[(&str, &str)], tag_box: bool) -> Labels {
        let tags = tags.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Labels { measurement: measurement.to_owned(), tags, tag_box }
    }

    fn encode(labels: &Labels, backslash: Backslash, points: &[Point]) -> String {
        let encoder = Encoder::new("X", labels, backslash).expect("allowed");
        String::from_utf8(encoder.encode(points)).expect("UTF-8")
    }

    #[test]
    fn points_are_lines() {
        let points = [point(1_700_000_000_123, 2_508, 4_000, Some(101_325)), point(-5, -7, 0, None)];
        let expected = "environment temperature_c=25.08,temperature_f=77.144,humidity=40.00,pressure=1013.25,dew_point_c=10.53,absolute_humidity=9.228,heater_on=1,fan_on=0 1700000000123\n\
                        environment temperature_c=-0.07,temperature_f=31.874,humidity=0.00,absolute_humidity=0.000,heater_on=1,fan_on=0 -5\n";
        assert_eq!(encode(&labels("environment", &[], false), Backslash::Literal, &points), expected);
    }

    #[test]
    fn tags_are_sorted_and_the_box_is_one_of_them() {
        let tags = [("zone", "z"), ("area", "a")];
        let head = |tag_box| {
            let line = encode(&labels("m", &tags, tag_box), Backslash::Literal, &[point(0, 0, 0, None)]);
            line.split(' ').next().expect("a first part").to_owned()
        };
        assert_eq!(head(false), "m,area=a,zone=z");
        assert_eq!(head(true), "m,area=a,box=main,zone=z");
    }

    #[test]
    fn numbers_are_exact() {
        let cases = [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (50, 2, "0.50"),
            (100, 2, "1.00"),
            (-12_345, 3, "-12.345"),
            (1, 5, "0.00001"),
            (i64::MAX, 0, "9223372036854775807"),
            (i64::MIN, 3, "-9223372036854775.808"),
            (i64::MIN, 19, "-0.9223372036854775808"),
        ];
        for (digits, decimals, expected) in cases {
            let mut out = Vec::new();
            push_fixed(&mut out, digits, decimals);
            assert_eq!(String::from_utf8(out).expect("ASCII"), expected);
        }
    }

    /// `Ok`: how it stands in a line. `Err`: it is refused.
    #[track_caller]
    fn check_tag(value: &str, literal: Result<&str, ()>, doubled: Result<&str, ()>) {
        for (backslash, expected) in [(Backslash::Literal, literal), (Backslash::Doubled, doubled)] {
            for (tags, is_value) in [([("t", value)], true), ([(value, "v")], false)] {
                let labels = labels("m", &tags, false);
                let got = Encoder::new("X", &labels, backslash).map(|encoder| encoder.before_box);
                let whole = expected.map(|text| if is_value { format!("m,t={text}") } else { format!("m,{text}=v") });
                assert_eq!(got.clone().map_err(drop), whole, "{value:?} {backslash:?} {got:?}");
            }
        }
    }

    #[test]
    fn every_special_character_of_a_tag_is_escaped_or_refused() {
        let same = |value, text| check_tag(value, Ok(text), Ok(text));
        same("a,b", r"a\,b");
        same("a b", r"a\ b");
        same("a=b", r"a\=b");
        same("  ", r"\ \ ");
        same("\"q\"", "\"q\"");
        same("#", "#");
        same("ä😀\u{200d}\u{a0}", "ä😀\u{200d}\u{a0}");
        check_tag(r"a\b", Ok(r"a\b"), Ok(r"a\\b"));
        check_tag(r"a\\b", Ok(r"a\\b"), Ok(r"a\\\\b"));
        check_tag(r#"\"x"#, Ok(r#"\"x"#), Ok(r#"\\"x"#));
        check_tag(r"\n", Ok(r"\n"), Ok(r"\\n"));
        check_tag(r"C:\", Err(()), Ok(r"C:\\"));
        check_tag(r"C:\\", Err(()), Ok(r"C:\\\\"));
        check_tag(r"a\,b", Err(()), Ok(r"a\\\,b"));
        check_tag(r"a\ b", Err(()), Ok(r"a\\\ b"));
        check_tag(r"a\=b", Err(()), Ok(r"a\\\=b"));
        for refused in ["", "a\nb", "\t", "a\rb", "\0", "\u{85}", "\u{7f}"] {
            check_tag(refused, Err(()), Err(()));
        }
    }

    #[test]
    fn influxdb_3_takes_doubled_backslashes_but_none_at_the_end() {
        for (text, expected) in [
            (r"a\b", Some(r"a\\b")),
            (r"a\ b", Some(r"a\\\ b")),
            (r"\\a", Some(r"\\\\a")),
            (r"a\", None),
            (r"a\\", None),
        ] {
            let value = Encoder::new("X", &labels("m", &[("t", text)], false), Backslash::DoubledNotLast);
            let name = Encoder::new("X", &labels("m", &[(text, "v")], false), Backslash::DoubledNotLast);
            let measurement = Encoder::new("X", &labels(text, &[], false), Backslash::DoubledNotLast);
            let written = [value, name, measurement].map(|encoder| encoder.ok().map(|encoder| encoder.before_box));
            let whole = [format!("m,t={}", expected.unwrap_or("")), format!("m,{}=v", expected.unwrap_or(""))];
            let [value, name] = whole.map(|text| expected.map(|_| text));
            assert_eq!(written, [value, name, expected.map(str::to_owned)], "{text:?}");
        }
    }

    #[test]
    fn every_special_character_of_a_measurement_is_escaped_or_refused() {
        let cases = [
            ("a,b c", Ok(r"a\,b\ c"), Ok(r"a\,b\ c")),
            ("a=b", Ok("a=b"), Ok("a=b")),
            ("time", Ok("time"), Ok("time")),
            ("_m", Ok("_m"), Ok("_m")),
            ("m#", Ok("m#"), Ok("m#")),
            (" #m", Ok(r"\ #m"), Ok(r"\ #m")),
            (r"a\b", Ok(r"a\b"), Ok(r"a\\b")),
            (r"a\", Err(()), Ok(r"a\\")),
            (r"a\ b", Err(()), Ok(r"a\\\ b")),
            (r"a\=b", Err(()), Ok(r"a\\=b")),
            (r#"a\"b"#, Err(()), Ok(r#"a\\"b"#)),
            (r#""a"\'b"#, Ok(r#""a"\'b"#), Ok(r#""a"\\'b"#)),
            ("#m", Err(()), Err(())),
            ("", Err(()), Err(())),
            ("a\nb", Err(()), Err(())),
        ];
        for (measurement, literal, doubled) in cases {
            for (backslash, expected) in [(Backslash::Literal, literal), (Backslash::Doubled, doubled)] {
                let got = Encoder::new("X", &labels(measurement, &[], false), backslash);
                let got = got.map(|encoder| encoder.before_box).map_err(drop);
                assert_eq!(got, expected.map(str::to_owned), "{measurement:?} {backslash:?}");
            }
        }
    }

    #[test]
    fn a_refusal_names_key_value_and_what_is_allowed() {
        let tags = |tags: &[(&str, &str)], tag_box| {
            Encoder::new("InfluxDB 1.x", &labels("m", tags, tag_box), Backslash::Literal)
                .map(drop)
                .map_err(|e| e.to_string())
        };
        let cases = [
            (
                tags(&[("drive", r"C:\")], false),
                r#"data_collection.tags.drive: the value "C:\\" is not allowed with InfluxDB 1.x; allowed: a text of at least one character, without control characters, with no backslash at the end or directly before a comma, a space or an equals sign"#,
            ),
            (
                tags(&[("box", "b")], true),
                "data_collection.tags.box: the name \"box\" is not allowed while there are several boxes: it tells them apart",
            ),
            (tags(&[("a", "1"), ("a", "2")], false), "data_collection.tags.a: the name \"a\" is not allowed twice"),
        ];
        for (got, expected) in cases {
            assert_eq!(got, Err(expected.to_owned()));
        }
        assert_eq!(tags(&[("box", "b")], false), Ok(()), "with one box it is a tag like others");
        for reserved in RESERVED.iter().chain(&FIELD_NAMES) {
            assert!(tags(&[(reserved, "v")], false).expect_err("reserved").contains("any name but time"), "{reserved}");
        }
    }

    #[test]
    fn both_sides_of_the_largest_number_of_tags() {
        let many = |count: usize, tag_box| {
            let tags = (0..count).map(|i| (format!("t{i}"), "v".to_owned())).collect();
            Encoder::new("X", &Labels { measurement: "m".to_owned(), tags, tag_box }, Backslash::Doubled).is_ok()
        };
        assert!(many(30, false) && !many(31, false) && many(29, true) && !many(30, true));
    }

    /// Any character, and often those that mean something.
    fn text() -> impl Strategy<Value = String> {
        let special = proptest::sample::select(vec![',', '=', ' ', '"', '\\', '#', '\'', '\n', 'a']);
        let any = prop_oneof![2 => special, 1 => any::<char>()];
        proptest::collection::vec(any, 0..12).prop_map(|chars| chars.into_iter().collect())
    }

    fn points() -> impl Strategy<Value = Vec<Point>> {
        let point = (any::<i64>(), -10_000..=30_000, 0..=10_000, proptest::option::of(10_000..=120_000))
            .prop_map(|(millis, centi, humidity, pascal)| point(millis, centi, humidity, pascal));
        proptest::collection::vec(point, 1..4)
    }

    proptest! {
        /// It is InfluxData's, of InfluxDB 3.
        #[test]
        fn an_independent_parser_reads_what_was_written(
            measurement in text(),
            tags in proptest::collection::btree_map(text(), text(), 0..4),
            tag_box: bool,
            points in points(),
        ) {
            let labels = Labels { measurement, tags: tags.into_iter().collect(), tag_box };
            let Ok(encoder) = Encoder::new("X", &labels, Backslash::DoubledNotLast) else { return Ok(()) };
            let text = String::from_utf8(encoder.encode(&points)).expect("UTF-8");
            let lines: Vec<_> = parse_lines(&text).collect::<Result<_, _>>().expect("valid lines");
            prop_assert_eq!(lines.len(), points.len());
            let mut expected_tags = labels.tags.clone();
            if tag_box {
                expected_tags.push(("box".to_owned(), "main".to_owned()));
            }
            expected_tags.sort();
            for (line, point) in lines.iter().zip(&points) {
                prop_assert_eq!(line.series.measurement.as_str(), &labels.measurement);
                let tags: Vec<(String, String)> =
                    line.series.tag_set.iter().flatten().map(|(n, v)| (n.to_string(), v.to_string())).collect();
                prop_assert_eq!(&tags, &expected_tags);
                prop_assert_eq!(line.timestamp, Some(point.at.millis()));
                let fields: Vec<(String, f64)> = line.field_set.iter().map(|(name, value)| match value {
                    FieldValue::F64(value) => (name.to_string(), *value),
                    other => panic!("not a float: {other:?}"),
                }).collect();
                let expected: Vec<(String, f64)> = point.fields().map(|f| (f.name.to_owned(), f.value())).collect();
                prop_assert_eq!(fields, expected);
            }
        }

        /// Whatever the text, it stays within its place: no line, tag or field is ever added.
        #[test]
        fn no_text_breaks_out(text in text(), doubled: bool) {
            let backslash = if doubled { Backslash::Doubled } else { Backslash::Literal };
            for (part, specials, escapable) in [(Part::Measurement, ", ", ", =\""), (Part::Tag, ", =", ", =")] {
                let (out, is_exact) = escaped(&text, part, backslash);
                prop_assert!(!out.is_empty() && !out.contains(char::is_control));
                let mut rest = out.chars();
                let mut read = String::new();
                while let Some(c) = rest.next() {
                    let next = rest.clone().next();
                    if c == '\\' && (doubled || next.is_some_and(|next| escapable.contains(next))) {
                        read.extend(rest.next());
                        prop_assert!(next.is_some(), "a backslash at the end takes what follows with it: {out:?}");
                    } else {
                        prop_assert!(!specials.contains(c), "{c:?} stands bare in {out:?}");
                        prop_assert!(c != '\\' || next.is_some(), "{out:?}");
                        read.push(c);
                    }
                }
                prop_assert_eq!(is_exact, read == text && !text.is_empty(), "{:?} reads back as {:?}", text, read);
            }
        }
    }
}
