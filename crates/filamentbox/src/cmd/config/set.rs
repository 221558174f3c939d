//! `config set`

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use filamentbox_core::config::Registry;

use super::change::{self, Purpose};
use super::{Installation, Usage, complain, old_names, unknown};
use crate::cli::SetArgs;
use crate::settings::{self, Change, dialects};

/// In the place of a value: it is read from stdin.
const FROM_STDIN: &str = "-";
/// More than any value may have.
const STDIN_MAX: u64 = 64 * 1024;

pub(super) fn set(args: SetArgs, installation: &Installation) -> Result<ExitCode> {
    let registry = settings::registry();
    let pairs = pairs(args.words);
    let is_known = |key: &str| registry.find(key).is_some() || dialects::now_called(key, &|_| None).is_some();
    // Before anything is asked for.
    if let Some((key, _)) = pairs.iter().find(|(key, text)| text.is_none() && !is_known(key)) {
        return Ok(unknown(&registry, key));
    }
    let is_visible = |(key, text): &(String, Option<String>)| text.is_some() && is_secret(&registry, key);
    if pairs.iter().any(is_visible) && std::io::stderr().is_terminal() {
        complain("the secret is now in the shell's history; `filamentbox config set KEY` asks for it instead");
    }
    let texts =
        pairs.into_iter().map(|(key, text)| Ok(Change { text: Some(value(&registry, &key, text, args.stdin)?), key }));
    let changes: Vec<_> = texts.collect::<Result<_>>()?;
    let changes = match old_names::translate(changes.clone(), installation)? {
        Ok(changes) => changes,
        Err(problems) => return Ok(change::refuse(&changes, &problems)),
    };
    let changed = change::change(&changes, installation, Purpose::Change, "config set")?;
    Ok(changed.map_or_else(|problems| change::refuse(&changes, &problems), |()| ExitCode::SUCCESS))
}

/// `KEY VALUE` and `KEY=VALUE`, in any mixture; the last key may be without a value.
fn pairs(words: Vec<String>) -> Vec<(String, Option<String>)> {
    let mut words = words.into_iter();
    let mut pairs = Vec::new();
    while let Some(word) = words.next() {
        pairs.push(match word.split_once('=') {
            Some((key, text)) => (key.to_owned(), Some(text.to_owned())),
            None => (word, words.next()),
        });
    }
    pairs
}

/// By either name.
fn is_secret(registry: &Registry, key: &str) -> bool {
    let now = dialects::now_called(key, &|_| None).unwrap_or_else(|| vec![key.to_owned()]);
    now.iter().any(|key| registry.find(key).is_some_and(|spec| spec.is_secret()))
}

/// The value as given, or asked for.
fn value(registry: &Registry, key: &str, given: Option<String>, stdin: bool) -> Result<String> {
    match given.as_deref() {
        Some(FROM_STDIN) => from_stdin(key),
        Some(_) => Ok(given.unwrap_or_default()),
        None if stdin => from_stdin(key),
        None if is_secret(registry, key) && std::io::stdin().is_terminal() => {
            let text =
                rpassword::prompt_password(format!("{key} (not shown): ")).context("the terminal cannot be read")?;
            if text.is_empty() { Err(nothing(key)) } else { Ok(text) }
        }
        None if is_secret(registry, key) => from_stdin(key),
        None => Err(Usage(format!("{key} needs a value: `filamentbox config set {key} VALUE`")).into()),
    }
}

/// All of stdin, without the end of its line.
fn from_stdin(key: &str) -> Result<String> {
    let mut text = String::new();
    std::io::stdin().take(STDIN_MAX).read_to_string(&mut text).context("stdin cannot be read as UTF-8 text")?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() { Err(nothing(key)) } else { Ok(text.to_owned()) }
}

fn nothing(key: &str) -> anyhow::Error {
    Usage(format!("no value for {key} came in, and nothing was changed; `filamentbox config unset {key}` takes it out"))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], expected: &[(&str, Option<&str>)]) {
        let pairs = pairs(words.iter().map(|word| (*word).to_owned()).collect());
        let pairs: Vec<_> = pairs.iter().map(|(key, text)| (key.as_str(), text.as_deref())).collect();
        assert_eq!(pairs, expected, "{words:?}");
    }

    #[test]
    fn keys_and_values_as_people_write_them() {
        check(&["a.b", "1"], &[("a.b", Some("1"))]);
        check(&["a.b", "1=2", "c", "-5"], &[("a.b", Some("1=2")), ("c", Some("-5"))]);
        check(&["a.b=1=2", "c=", "d"], &[("a.b", Some("1=2")), ("c", Some("")), ("d", None)]);
    }
}
