//! `database test`: how each configured backend is, found out from here, with what a running daemon says of its backlog.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use filamentbox_core::config::{Config, Settings};
use serde_json::{Value, json};

use super::status::moment;
use crate::cli::JsonArgs;
use crate::client::Client;
use crate::settings::Places;
use crate::sinks::Finding;
#[cfg(test)]
use crate::sinks::Health;
use crate::sinks::probe::{Probed, probe};

/// A server that says nothing for so long does not work.
const LIMIT: Duration = Duration::from_secs(15);

/// A backend that was looked at.
#[derive(Clone, Debug)]
pub(super) struct Tested {
    /// Its word in `database.type`.
    pub(super) name: &'static str,
    probed: Probed,
    /// The daemon's view of it: an object, or null.
    daemon: Value,
}

pub(super) fn test(args: &JsonArgs, places: Places) -> Result<ExitCode> {
    let data_dir = places.data_dir.clone();
    let loaded = match super::load_settings(places, false) {
        Ok(loaded) => loaded,
        Err(problem) => return super::refuse_settings(problem),
    };
    let backends = test_all(&loaded.settings, &loaded.config, &data_dir)?;
    let healthy = backends.iter().all(Tested::is_good);
    if args.json {
        let backends: Vec<Value> = backends.iter().map(Tested::json).collect();
        super::say(serde_json::to_string_pretty(&json!({ "healthy": healthy, "backends": backends }))?);
    } else if backends.is_empty() {
        super::say("no backend is configured (database.type is none); the history stays in the journal");
    } else {
        let width = backends.iter().map(|backend| backend.name.len()).max().unwrap_or(0);
        for backend in &backends {
            let word = if backend.is_good() { "ok" } else { "FAIL" };
            super::say(format_args!("{:width$}  {word:4}  {}", backend.name, backend.line()));
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Looks at every configured backend at once, and asks the daemon for the backlogs if one answers.
pub(super) fn test_all(settings: &Settings, config: &Config, data_dir: &Path) -> Result<Vec<Tested>> {
    super::block_on(async {
        let probed = probe(settings, config, LIMIT).await?;
        let of = |probed: Probed| Tested { name: probed.name, probed, daemon: Value::Null };
        let mut tested: Vec<Tested> = probed.into_iter().map(of).collect();
        if !tested.is_empty()
            && let Ok(answer) = Client::new(data_dir)?.get("/api/database").await
        {
            for backend in &mut tested {
                let mut sinks = answer["sinks"].as_array().into_iter().flatten();
                backend.daemon = sinks.find(|sink| sink["type"] == backend.name).cloned().unwrap_or_default();
            }
        }
        Ok(tested)
    })
}

impl Tested {
    #[cfg(test)]
    pub(super) fn of(name: &'static str, health: Health) -> Self {
        let probed = Probed { name, server: "http://s:1".to_owned(), health };
        Self { name, probed, daemon: Value::Null }
    }

    pub(super) fn is_good(&self) -> bool {
        self.probed.is_good()
    }

    /// All that was found out, without the name.
    pub(super) fn line(&self) -> String {
        self.probed.line() + &self.backlog().unwrap_or_default()
    }

    fn backlog(&self) -> Option<String> {
        let mut text = format!("; backlog {} points", self.daemon.get("backlog_points")?);
        if let Some(oldest) = self.daemon["oldest_unsent"].as_f64() {
            let _infallible = write!(text, ", the oldest of {}", moment(oldest));
        }
        if let Some(error) = self.daemon["last_error"].as_str() {
            let _infallible = write!(text, ", last error: {error}");
        }
        Some(text)
    }

    /// For programs. Keys are never renamed or removed; new ones may come.
    fn json(&self) -> Value {
        let answer = |finding: &Finding| match finding {
            Finding::Yes => json!(true),
            Finding::No(_) => json!(false),
            Finding::Unknown => Value::Null,
        };
        let of_daemon = |key: &str| self.daemon.get(key).cloned().unwrap_or_default();
        json!({
            "type": self.name,
            "server": self.probed.server,
            "ok": self.is_good(),
            "reachable": answer(&self.probed.health.reachable),
            "authenticated": answer(&self.probed.health.authenticated),
            "may_write": answer(&self.probed.health.may_write),
            "reason": self.probed.problem(),
            "version": self.probed.health.version,
            "clock_ahead_ms": self.probed.health.clock_ahead_ms,
            "backlog_points": of_daemon("backlog_points"),
            "oldest_unsent": of_daemon("oldest_unsent"),
            "last_error": of_daemon("last_error"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_found_out_and_no_more() {
        let tested = |health, daemon| Tested { daemon, ..Tested::of("x", health) };
        let good = Health {
            version: Some("X 1".to_owned()),
            clock_ahead_ms: Some(5_000),
            ..Health::unknown().of_write(&Ok(()))
        };
        let daemon = json!({ "backlog_points": 3, "oldest_unsent": null, "last_error": "no route" });
        assert_eq!(
            tested(good, daemon).line(),
            "http://s:1: authenticated, may write, X 1, its clock 5 s ahead; backlog 3 points, last error: no route"
        );
        let no = |reason: &str| Health { reachable: Finding::No(reason.to_owned()), ..Health::unknown() };
        assert_eq!(tested(no("dead"), Value::Null).line(), "http://s:1: dead");
        assert_eq!(
            tested(no("cannot connect to http://s:1: dead"), Value::Null).line(),
            "cannot connect to http://s:1: dead"
        );
        let unknown = tested(Health::unknown(), Value::Null);
        assert_eq!(unknown.line(), "http://s:1: whether it takes points could not be found out");
        assert!(!unknown.is_good());
    }
}
