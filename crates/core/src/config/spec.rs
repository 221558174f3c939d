//! The description of one key, and the parsing that follows from it.

use super::secret::SecretText;

/// What a key's text may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A decimal number in this range, ends included.
    Number {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// A whole number in this range, ends included.
    Integer {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// `true` or `false` (also `yes`/`no`, `on`/`off`, `1`/`0`).
    Bool,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Some of these words, separated by commas.
    Choices(&'static [&'static str]),
    /// Any text without control characters, up to this many bytes.
    Text {
        /// Largest length in bytes.
        max_bytes: usize,
    },
    /// `http://HOST[:PORT][/PATH]` or `https://...`, without user name, query or fragment.
    Url,
    /// A text that is never shown.
    Secret,
}

/// Whether this version acts on the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It does.
    Active,
    /// The name is fixed and the value is checked, but nothing reads it yet.
    Reserved,
}

/// A parsed value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Of [`Kind::Number`].
    Number(f64),
    /// Of [`Kind::Integer`].
    Integer(u64),
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of every kind of text but a secret.
    Text(String),
    /// Of [`Kind::Secret`].
    Secret(SecretText),
    /// Of [`Kind::Choices`].
    List(Vec<String>),
}

/// One dotted key: everything that parsing, help and documentation need.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// The dotted key; a last part `NAME` stands for any name.
    pub key: &'static str,
    /// What the text may be.
    pub kind: Kind,
    /// The text that holds when none is given; empty for "not set".
    pub default: &'static str,
    /// The unit of a number, or empty.
    pub unit: &'static str,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
    /// Whether it does it already.
    pub standing: Standing,
    /// A changed value waits for the daemon's next start; every other key's is applied by a running daemon.
    pub at_start: bool,
    /// Whether its part of the program (a chosen backend) does not work while it is empty.
    pub required: bool,
}

/// Longest name in a family, in bytes.
const NAME_MAX: usize = 64;
/// Longest secret, in bytes.
pub const SECRET_MAX: usize = 4096;
/// Longest URL, in bytes.
pub const URL_MAX: usize = 2048;

impl KeySpec {
    /// An active key.
    pub const fn new(
        key: &'static str,
        kind: Kind,
        default: &'static str,
        unit: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { key, kind, default, unit, doc, standing: Standing::Active, required: false, at_start: false }
    }

    /// The same key, marked as one that must not stay empty where its part of the program is chosen.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same key, marked as not yet acted on.
    pub const fn reserved(mut self) -> Self {
        self.standing = Standing::Reserved;
        self
    }

    /// The same key, marked as taking effect when the daemon starts.
    pub const fn at_start(mut self) -> Self {
        self.at_start = true;
        self
    }

    /// Whether the last part of the key stands for any name.
    pub fn is_family(&self) -> bool {
        self.key.ends_with(".NAME")
    }

    /// Whether the value is never shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }

    /// Whether this spec is the one for `key`.
    pub fn describes(&self, key: &str) -> bool {
        match self.key.strip_suffix("NAME") {
            Some(prefix) if self.is_family() => key
                .strip_prefix(prefix)
                .is_some_and(|name| !name.is_empty() && name.len() <= NAME_MAX && !name.contains(char::is_control)),
            _ => self.key == key,
        }
    }

    /// Parses `text`.
    ///
    /// # Errors
    /// A sentence that names the text (unless secret) and what is allowed.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        // Every character of a free text counts; around anything else, space is an accident.
        let text = if matches!(self.kind, Kind::Secret | Kind::Text { .. }) { text } else { text.trim() };
        let allowed = || self.allowed();
        let refused = || format!("{text:?} is not allowed; allowed: {}", allowed());
        let withheld = || format!("the value is not allowed; allowed: {}", allowed());
        match self.kind {
            Kind::Number { min, max } => {
                let number: f64 = text.parse().map_err(|_| refused())?;
                if (min..=max).contains(&number) { Ok(Value::Number(number)) } else { Err(refused()) }
            }
            Kind::Integer { min, max } => {
                let integer: u64 = text.parse().map_err(|_| refused())?;
                if (min..=max).contains(&integer) { Ok(Value::Integer(integer)) } else { Err(refused()) }
            }
            Kind::Bool => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(Value::Bool(true)),
                "false" | "no" | "off" | "0" => Ok(Value::Bool(false)),
                _ => Err(refused()),
            },
            Kind::Choice(words) => {
                let word = text.to_ascii_lowercase();
                if words.contains(&word.as_str()) { Ok(Value::Text(word)) } else { Err(refused()) }
            }
            Kind::Choices(words) => {
                let mut list: Vec<String> = Vec::new();
                for word in text.split(',').map(|word| word.trim().to_ascii_lowercase()).filter(|word| !word.is_empty())
                {
                    if !words.contains(&word.as_str()) {
                        return Err(format!("{word:?} is not allowed; allowed: {}", allowed()));
                    }
                    if !list.contains(&word) {
                        list.push(word);
                    }
                }
                Ok(Value::List(list))
            }
            Kind::Text { max_bytes } => {
                let fits = text.len() <= max_bytes && !text.contains(char::is_control);
                if fits { Ok(Value::Text(text.to_owned())) } else { Err(refused()) }
            }
            Kind::Url => {
                if is_url(text) {
                    Ok(Value::Text(text.trim_end_matches('/').to_owned()))
                } else if text.contains(['@', '?', '#']) {
                    // There may be a password before the @, or a token behind the others.
                    Err(withheld())
                } else {
                    Err(refused())
                }
            }
            Kind::Secret => {
                let fits = text.len() <= SECRET_MAX && !text.contains(char::is_control);
                if fits { Ok(Value::Secret(text.into())) } else { Err(withheld()) }
            }
        }
    }

    /// What is allowed, in words.
    pub fn allowed(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        match self.kind {
            Kind::Number { min, max } => format!("a number from {min} to {max}{unit}"),
            Kind::Integer { min, max } if max == u64::MAX => format!("a whole number from {min}{unit}"),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}{unit}"),
            Kind::Bool => "true or false".to_owned(),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Choices(words) => format!("one or more of {}, separated by commas", words.join(", ")),
            Kind::Text { max_bytes } => format!("text without control characters, up to {max_bytes} bytes"),
            Kind::Url => "http://HOST[:PORT][/PATH] or https://..., without user name, query or fragment".to_owned(),
            Kind::Secret => {
                format!("text without control characters, up to {SECRET_MAX} bytes (a secret: never shown)")
            }
        }
    }
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    let clean =
        |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '?' | '#' | '@' | '"' | '<' | '>' | '\\');
    let port_is_valid = match host.rsplit_once(':') {
        Some((_, port)) if !host.ends_with(']') => port.parse::<u16>().is_ok(),
        _ => true,
    };
    text.len() <= URL_MAX && !host.is_empty() && !host.starts_with(':') && rest.chars().all(clean) && port_is_valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, good: &[&str], bad: &[&str]) {
        let spec = KeySpec::new("test.key", kind, "", "", "");
        for text in good {
            assert!(spec.parse(text).is_ok(), "{text:?} is allowed");
        }
        for text in bad {
            assert!(spec.parse(text).is_err(), "{text:?} is not allowed");
        }
    }

    #[test]
    fn both_sides_of_every_rule() {
        check(
            Kind::Number { min: 0.25, max: 3600.0 },
            &["0.25", "3600", " 5 ", "1e2"],
            &["0.24", "3600.1", "nan", "inf", "", "5s"],
        );
        check(Kind::Integer { min: 1, max: 9 }, &["1", "9"], &["0", "10", "1.5", "-1", ""]);
        check(Kind::Bool, &["true", "FALSE", "on", "0"], &["", "banana", "2"]);
        check(Kind::Choice(&["a", "b"]), &["a", "B"], &["", "c", "a,b"]);
        check(Kind::Choices(&["none", "a", "b"]), &["", "a", "a, b", "b,a,"], &["c", "a,c"]);
        check(Kind::Text { max_bytes: 3 }, &["", "abc", "ä"], &["abcd", "a\nb"]);
        let good = ["http://localhost:8086", "https://db.example/path/", "http://[::1]:8428", "http://[::1]"];
        let bad = [
            "localhost:8086",
            "ftp://x",
            "http://",
            "http://:80",
            "http://u:p@h",
            "http://h:99999",
            "http://h/?q",
            "http://a b",
            "",
        ];
        check(Kind::Url, &good, &bad);
        check(Kind::Secret, &["", "p4ss wörd"], &["a\nb"]);
    }

    #[test]
    fn a_refused_secret_is_not_repeated() {
        let spec = KeySpec::new("test.password", Kind::Secret, "", "", "");
        assert!(!spec.parse("hunter2\n!\u{7}x").expect_err("control character").contains("hunter2"));
        let spec = KeySpec::new("test.url", Kind::Url, "", "", "");
        for bad in ["http://ann:hunter2@h", "http://h/?token=hunter2", "http://h/#hunter2", "ann:hunter2@h"] {
            assert!(!spec.parse(bad).expect_err("more than a place").contains("hunter2"), "{bad}");
        }
        assert!(spec.parse("localhost:8086").expect_err("no scheme").contains("\"localhost:8086\""));
    }
}
