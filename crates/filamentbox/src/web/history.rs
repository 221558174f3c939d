//! Points as text: CSV rows or a JSON object a line. Numbers are written digit by digit, so that no rounding can differ.

use std::fmt::Write;

use filamentbox_core::sample::{FIELD_NAMES, Field, Point};

/// Formats of an export.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A header and a row a sample; a field that is not there is empty.
    Csv,
    /// An object a line; a field that is not there is left out.
    Jsonl,
}

/// The first line of an export, if the format has one.
pub fn header(format: Format) -> String {
    match format {
        Format::Csv => format!("timestamp,box,{}\n", FIELD_NAMES.join(",")),
        Format::Jsonl => String::new(),
    }
}

/// Appends `points` to `text`.
pub fn write(format: Format, points: &[Point], text: &mut String) {
    for point in points {
        match format {
            Format::Csv => csv(point, text),
            Format::Jsonl => jsonl(point, text),
        }
    }
}

fn csv(point: &Point, text: &mut String) {
    let _ = write!(text, "{},{}", point.at, point.box_name);
    let mut fields = point.fields().peekable();
    for name in FIELD_NAMES {
        text.push(',');
        if let Some(field) = fields.next_if(|field| field.name == name) {
            decimal(field, text);
        }
    }
    text.push('\n');
}

fn jsonl(point: &Point, text: &mut String) {
    // A box's name needs no escaping: its alphabet is that of identifiers.
    let _ = write!(text, "{{\"timestamp\":{},\"box\":\"{}\"", point.at, point.box_name);
    for field in point.fields() {
        let _ = write!(text, ",\"{}\":", field.name);
        decimal(field, text);
    }
    text.push_str("}\n");
}

fn decimal(field: Field, text: &mut String) {
    let scale = 10u64.pow(u32::from(field.decimals));
    let (whole, part) = (field.digits.unsigned_abs() / scale, field.digits.unsigned_abs() % scale);
    let sign = if field.digits < 0 { "-" } else { "" };
    let _ = match field.decimals {
        0 => write!(text, "{sign}{whole}"),
        decimals => write!(text, "{sign}{whole}.{part:0width$}", width = usize::from(decimals)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use filamentbox_core::sample::{BoxName, Measurement};
    use filamentbox_core::time::UnixTime;
    use filamentbox_core::units::{Celsius, RelativeHumidity};

    fn point() -> Point {
        Point {
            box_name: BoxName::main(),
            at: UnixTime::from_millis(1_700_000_000_050),
            measurement: Measurement {
                temperature: Celsius::new(-0.5).expect("in range"),
                humidity: RelativeHumidity::new(0.0).expect("in range"),
                pressure: None,
            },
            heater_on: true,
            fan_on: false,
        }
    }

    #[track_caller]
    fn check(format: Format, expected: &str) {
        let mut text = header(format);
        write(format, &[point()], &mut text);
        assert_eq!(text, expected);
    }

    #[test]
    fn rows_and_objects() {
        check(
            Format::Csv,
            "timestamp,box,temperature_c,temperature_f,humidity,pressure,dew_point_c,absolute_humidity,heater_on,fan_on\n\
             1700000000.050,main,-0.50,31.100,0.00,,,0.000,1,0\n",
        );
        let object = "{\"timestamp\":1700000000.050,\"box\":\"main\",\"temperature_c\":-0.50,\"temperature_f\":31.100,\
                      \"humidity\":0.00,\"absolute_humidity\":0.000,\"heater_on\":1,\"fan_on\":0}\n";
        check(Format::Jsonl, object);
        serde_json::from_str::<serde_json::Value>(object).expect("valid JSON");
    }
}
