//! The original's `config.yaml`: nested maps as dotted keys, every scalar as it is written.
//!
//! The text is kept, not YAML's idea of its type: what `0x76` or `yes` means depends on the key, and its description decides.

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{Raw, Unreadable};

/// Deeper nesting is no configuration.
const DEPTH_MAX: usize = 16;
/// Stands for a list, which no setting is: with its control character no kind of value takes it.
const LIST: &str = "[...]\n";

/// Every scalar of the file under its dotted key, in the file's order.
///
/// # Errors
/// It is no YAML, or uses what no file of the original uses.
pub(super) fn read(text: &str) -> Result<Vec<Raw>, Unreadable> {
    let mut found = Vec::new();
    // The key of each map that is open, once it is known.
    let mut open: Vec<Option<String>> = Vec::new();
    let mut list_depth = 0_usize;
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| Unreadable(format!("it is not valid YAML: {error}")))?;
        let line = span.start.line();
        let refuse = |what: &str| Err(Unreadable(format!("line {line}: {what}")));
        match event {
            Event::Alias(_) => return refuse("anchors and aliases are not supported; write the value itself"),
            Event::MappingStart(..) if list_depth == 0 => {
                open.push(None);
                if open.len() > DEPTH_MAX {
                    return refuse("it is nested too deeply");
                }
            }
            Event::MappingEnd if list_depth == 0 => {
                open.pop();
                if let Some(key) = open.last_mut() {
                    *key = None;
                }
            }
            Event::SequenceStart(..) => {
                if list_depth == 0 {
                    let Some(key) = dotted(&open) else { return refuse("a list where settings should be") };
                    found.push(Raw { name: key.clone(), key, text: LIST.to_owned(), line });
                }
                list_depth += 1;
            }
            Event::SequenceEnd => {
                list_depth -= 1;
                if list_depth == 0
                    && let Some(key) = open.last_mut()
                {
                    *key = None;
                }
            }
            Event::Scalar(text, style, ..) if list_depth == 0 => {
                let Some(innermost) = open.last_mut() else { return refuse("a text where settings should be") };
                if innermost.is_none() {
                    *innermost = Some(text.into_owned());
                    continue;
                }
                let is_null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                if let (false, Some(key)) = (is_null, dotted(&open)) {
                    found.push(Raw { name: key.clone(), key, text: text.into_owned(), line });
                }
                if let Some(key) = open.last_mut() {
                    *key = None;
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn dotted(open: &[Option<String>]) -> Option<String> {
    let parts: Option<Vec<&str>> = open.iter().map(|key| key.as_deref()).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&[(&str, &str)], &str>) {
        match (read(text), expected) {
            (Ok(found), Ok(expected)) => {
                let found: Vec<_> = found.iter().map(|raw| (raw.key.as_str(), raw.text.as_str())).collect();
                assert_eq!(found, expected, "{text}");
            }
            (Err(Unreadable(problem)), Err(part)) => assert!(problem.contains(part), "{problem}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn nested_maps_become_dotted_keys_with_the_texts_as_written() {
        let text = "# head\ninfluxdb:\n  host: nas   # comment\n  port: 8086\n  password: \"p#w: x\"\n  username: 'it''s'\n\
                    data_collection:\n  read_interval: 0.25\n  tags: {location: shelf 2, n: 1}\n  empty:\n  none: ~\n  word: '~'\n\
                    sensors: {bme280: {i2c_address: 0x76}}\n";
        let expected: &[(&str, &str)] = &[
            ("influxdb.host", "nas"),
            ("influxdb.port", "8086"),
            ("influxdb.password", "p#w: x"),
            ("influxdb.username", "it's"),
            ("data_collection.read_interval", "0.25"),
            ("data_collection.tags.location", "shelf 2"),
            ("data_collection.tags.n", "1"),
            ("data_collection.word", "~"),
            ("sensors.bme280.i2c_address", "0x76"),
        ];
        check(text, Ok(expected));
        check("", Ok(&[]));
        check("a:\n  - {b: c}\n  - d\ne: f\n", Ok(&[("a", LIST), ("e", "f")]));
    }

    #[test]
    fn what_is_no_map_of_settings_is_refused() {
        check("just a text", Err("a text where"));
        check("- a\n- b\n", Err("a list where"));
        check("a: &x 1\nb: *x\n", Err("line 2: anchors"));
        check("a: [1\nb: 2\n", Err("not valid YAML"));
        check(&"a: {".repeat(40), Err("nested too deeply"));
    }
}
