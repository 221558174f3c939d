//! The original's `.env`: `NAME=VALUE` lines, with its short names.
//!
//! Own code, as the parsers there are replace `$NAME` inside values, which spoils passwords.

use super::{Raw, Unreadable};

/// The names that its setup wrote; the program read the first six only, people believe in all.
const NAMES: &[(&str, &str)] = &[
    ("INFLUXDB_HOST", "influxdb.host"),
    ("INFLUXDB_PORT", "influxdb.port"),
    ("INFLUXDB_USERNAME", "influxdb.username"),
    ("INFLUXDB_PASSWORD", "influxdb.password"),
    ("DATA_COLLECTION_MEASUREMENT", "data_collection.measurement"),
    ("DATA_COLLECTION_TAGS", "data_collection.tags"),
    ("INFLUXDB_DATABASE", "influxdb.database"),
    ("DATA_COLLECTION_READ_INTERVAL", "data_collection.read_interval"),
    ("DATA_COLLECTION_BATCH_SIZE", "data_collection.batch_size"),
    ("DATA_COLLECTION_FLUSH_INTERVAL", "data_collection.flush_interval"),
    ("QUEUE_MAX_SIZE", "queue.max_size"),
    ("RETRY_BACKOFF_BASE", "retry.backoff_base"),
    ("RETRY_BACKOFF_MAX", "retry.backoff_max"),
    ("RETRY_ALERT_THRESHOLD", "retry.alert_threshold"),
    ("RETRY_PERSIST_ON_ALERT", "retry.persist_on_alert"),
    ("PERSISTENCE_DB_PATH", "persistence.db_path"),
    ("PERSISTENCE_MAX_BATCHES", "persistence.max_batches"),
    ("SENSOR_TYPE", "sensor.type"),
    ("SENSOR_SEA_LEVEL_PRESSURE", "sensor.sea_level_pressure"),
    ("SENSOR_GPIO_PIN", "sensor.gpio_pin"),
    ("HEATING_ENABLED", "heating_control.enabled"),
    ("HEATING_GPIO_PIN", "heating_control.gpio_pin"),
    ("HEATING_MIN_TEMP_C", "heating_control.min_temp_c"),
    ("HEATING_MAX_TEMP_C", "heating_control.max_temp_c"),
    ("HEATING_CHECK_INTERVAL", "heating_control.check_interval"),
    ("HUMIDITY_ENABLED", "humidity_control.enabled"),
    ("HUMIDITY_GPIO_PIN", "humidity_control.gpio_pin"),
    ("HUMIDITY_MIN", "humidity_control.min_humidity"),
    ("HUMIDITY_MAX", "humidity_control.max_humidity"),
    ("HUMIDITY_CHECK_INTERVAL", "humidity_control.check_interval"),
];
/// So our own variables may stand there too.
const OURS: &str = "FILAMENTBOX_";

/// Whether `text` looks like such a file: it has a line `NAME=...`, and no line of another kind.
pub(super) fn looks_like(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
    lines.peek().is_some() && lines.all(|line| split(line).is_some())
}

/// Every variable of the file. The key is empty for a name that is nobody's.
///
/// # Errors
/// A line that is no assignment.
pub(super) fn read(text: &str) -> Result<Vec<Raw>, Unreadable> {
    let mut found = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let Some((name, value)) = split(content) else {
            return Err(Unreadable(format!("line {line} is not NAME=VALUE")));
        };
        let text = unquoted(value).ok_or_else(|| Unreadable(format!("line {line}: a quote is not closed")))?;
        found.push(Raw { name: name.to_owned(), key: key(name), text, line });
    }
    Ok(found)
}

fn key(name: &str) -> String {
    match NAMES.iter().find(|(short, _)| *short == name) {
        Some((_, key)) => (*key).to_owned(),
        None => match name.strip_prefix(OURS) {
            Some(rest) if rest.contains("__") => rest.to_ascii_lowercase().replace("__", "."),
            _ => String::new(),
        },
    }
}

fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, value.trim()))
}

/// `None` when a quote is not closed. What stands between quotes is kept; elsewhere ` #` begins a comment.
fn unquoted(value: &str) -> Option<String> {
    let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        let end = value.find(" #").or_else(|| value.find("\t#")).unwrap_or(value.len());
        return Some(if value.starts_with('#') { String::new() } else { value[..end].trim_end().to_owned() });
    };
    let mut text = String::new();
    let mut rest = value[1..].chars();
    while let Some(c) = rest.next() {
        match c {
            c if c == quote => return Some(text),
            '\\' if quote == '"' => match rest.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                c @ ('"' | '\\' | '$' | '\'') => text.push(c),
                c => text.extend(['\\', c]),
            },
            '\\' => match rest.next()? {
                c @ ('\'' | '\\') => text.push(c),
                c => text.extend(['\\', c]),
            },
            c => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, key: &str, text: &str) {
        let found = read(line).expect("readable");
        assert_eq!(found.iter().map(|raw| (raw.key.as_str(), raw.text.as_str())).collect::<Vec<_>>(), [(key, text)]);
    }

    #[test]
    fn values_as_people_write_them() {
        check("INFLUXDB_HOST=nas", "influxdb.host", "nas");
        check("  export INFLUXDB_HOST = nas  ", "influxdb.host", "nas");
        check("INFLUXDB_PASSWORD='p#w $x \"y\"' # old", "influxdb.password", "p#w $x \"y\"");
        check(r#"INFLUXDB_PASSWORD="a\"b\\c \$d""#, "influxdb.password", r#"a"b\c $d"#);
        check("INFLUXDB_PASSWORD=pa$$word#1 # comment", "influxdb.password", "pa$$word#1");
        check("INFLUXDB_PASSWORD=", "influxdb.password", "");
        check(r#"DATA_COLLECTION_TAGS={"location":"shelf 2"}"#, "data_collection.tags", r#"{"location":"shelf 2"}"#);
        check(r#"DATA_COLLECTION_TAGS='{"a":"b"}'"#, "data_collection.tags", r#"{"a":"b"}"#);
        check("HUMIDITY_MIN=40.0", "humidity_control.min_humidity", "40.0");
        check("FILAMENTBOX_SENSOR__TYPE=dht22", "sensor.type", "dht22");
        check("FLASK_ENV=production", "", "production");
    }

    #[test]
    fn what_is_no_assignment_is_named_by_its_line() {
        for (text, part) in [("A=1\n\nwhat is this\n", "line 3 is not"), ("A='x\n", "line 1: a quote")] {
            let Err(Unreadable(problem)) = read(text) else { panic!("{text}: accepted") };
            assert!(problem.contains(part), "{problem}");
        }
        assert!(looks_like("# x\nA=1\nexport B='2'\n") && !looks_like("# x\n") && !looks_like("a:\n  b: c=d\n"));
    }
}
